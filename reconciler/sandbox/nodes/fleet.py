"""All real nodes of one sandbox: chosen, started, found again, removed."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from reconciler.errors import SandboxError
from reconciler.sandbox.nodes import archive, configuration, files, host, layout, links, node

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from reconciler.sandbox.certificates import Pair
    from reconciler.sandbox.nodes.layout import Layout
    from reconciler.sandbox.processes import Process

RECORD: Final = "nodes.json"
PAUSE: Final = "pause.tar"  # the image that holds the namespaces of Pods


def choose(name: str, nodes: int, folders: tuple[Path, ...], *, with_pod_network: bool) -> Layout:
    """Return how a new sandbox's nodes are laid out; raises SandboxError where this machine cannot run them."""
    if (why := host.lacks(*folders)) is not None:
        raise SandboxError(f"real nodes cannot run here: {why}")
    return layout.choose(name, nodes, links.taken(), with_pod_network=with_pod_network)


def read(folder: Path) -> Layout | None:
    """Return how the nodes of a sandbox's folder are laid out; None where it has no real ones."""
    try:
        return layout.read(json.loads((folder / RECORD).read_text()))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SandboxError(f"{folder / RECORD} is damaged: {error}; remove the sandbox's links and {folder}") from error


def prepare(found: Layout, folder: Path) -> None:
    """Note what is about to be made, so that it is found after a crash, and make the network between the nodes."""
    (folder / RECORD).write_text(json.dumps(found.document()) + "\n")
    links.build(found)


def start(
    found: Layout,
    folder: Path,
    server: str,
    authority: Pair,
    programs: Mapping[str, str],
    tell: Callable[[str], None],
) -> None:
    """Write the folders of all nodes and start them; their Node objects are there already."""
    files.write(found, folder, server, authority)
    _write_pause(folder, Path(programs["pause"]))
    for machine in found.machines:
        tell(f"starting {machine.name}")
        node.start(found, machine, folder, programs, folder / PAUSE)


def _write_pause(folder: Path, program: Path) -> None:
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        shutil.copy2(program, Path(scratch) / "pause")
        archive.write(configuration.PAUSE, archive.Settings(("/pause",)), Path(scratch), folder / PAUSE, {})


def processes(found: Layout, folder: Path) -> tuple[Process, ...]:
    """Return the processes of all nodes."""
    return tuple(process for machine in found.machines for process in node.processes(machine, folder))


def remove(folder: Path) -> None:
    """End all nodes of a sandbox's folder and remove what was made outside of it; works on what a crash left, too."""
    found = read(folder)
    if found is None:
        return
    for machine in found.machines:
        node.stop(machine, folder)
    links.remove(found)


def objects(found: Layout) -> list[dict[str, Any]]:
    """Return the Node objects that kubelets find when they come: who may use which addresses for Pods is settled here."""
    return [
        {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {
                "name": machine.name,
                "labels": {
                    "node-role.kubernetes.io/worker": "",
                    "topology.kubernetes.io/zone": f"zone-{(machine.index - 1) % 3 + 1}",
                },
            },
            "spec": {"podCIDR": str(machine.pods), "podCIDRs": [str(machine.pods)]},
        }
        for machine in found.machines
    ]
