"""One real node: started, entered, given images, lost."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from reconciler.errors import SandboxError
from reconciler.sandbox import ready
from reconciler.sandbox.nodes import configuration, files, groups, host, links
from reconciler.sandbox.processes import Process

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconciler.sandbox.nodes.layout import Layout, Machine

PARTS: Final = ("containerd", "kubelet", "kube-proxy")


def processes(machine: Machine, folder: Path) -> tuple[Process, ...]:
    """Return the processes of a node, in the order of their start; the first holds its namespaces, with it ends all else."""
    return (Process(machine.name, folder), *(Process(f"{machine.name}-{part}", folder) for part in PARTS))


def start(layout: Layout, machine: Machine, folder: Path, programs: Mapping[str, str], pause: Path) -> None:
    """Start a node whose folder is written; raises SandboxError with the end of a log where a part of it does not run."""
    holder, containerd, kubelet, proxy = processes(machine, folder)
    groups.make(machine.group)
    holder.start((shutil.which(host.ISOLATION[0]) or "", *host.ISOLATION[1:], programs["pause"]))
    ready.wait(lambda: _first(holder) is not None, (holder,))
    inside = enter(machine, folder)
    for command in files.mounts(machine.folder(folder)):
        links.run(*inside, *command)
    links.run(*inside, "hostname", machine.name)
    links.connect(layout, machine, _first(holder) or 0, inside)
    search = f"PATH={Path(programs['containerd-shim-runc-v2']).parent}{os.pathsep}{os.environ['PATH']}"
    containerd.start(
        (*inside, "env", search, programs["containerd"], "--config", configuration.CONTAINERD_CONFIGURATION)
    )
    ready.wait(lambda: _answers(inside, programs["ctr"]), (holder, containerd))
    load(inside, programs["ctr"], pause)
    kubelet.start(
        (
            *inside,
            programs["kubelet"],
            f"--config={configuration.KUBELET_CONFIGURATION}",
            f"--kubeconfig={configuration.KUBELET_CREDENTIALS}",
            f"--node-ip={machine.address}",
        )
    )
    proxy.start((*inside, programs["kube-proxy"], f"--config={configuration.PROXY_CONFIGURATION}"))


def enter(machine: Machine, folder: Path) -> tuple[str, ...]:
    """Return what runs a command in a node when it stands before it; raises SandboxError where the node does not run."""
    pid = _first(Process(machine.name, folder))
    if pid is None:
        raise SandboxError(f"{machine.name} does not run")
    program = shutil.which("nsenter") or "nsenter"
    return (program, f"--target={pid}", "--net", "--mount", "--uts", "--ipc", "--pid")


def load(inside: tuple[str, ...], ctr: str, archive: Path) -> None:
    """Give a node the images of an OCI archive; raises SandboxError with what containerd says of it."""
    command = (*inside, ctr, "--namespace=k8s.io", "images", "import", "-")
    try:
        with archive.open("rb") as content:
            done = subprocess.run(command, stdin=content, capture_output=True, text=True, check=False)
    except OSError as error:
        raise SandboxError(f"{archive} cannot be read: {error.strerror}") from error
    if done.returncode:
        raise SandboxError(f"{archive} is not taken by containerd: {done.stderr.strip()}")


def stop(machine: Machine, folder: Path) -> None:
    """End a node at once, as when its power goes; works on what a crash left of it, too."""
    running = processes(machine, folder)
    if (pid := _first(running[0])) is not None:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)  # the first process of its namespace: the kernel ends all the others
    for process in running:
        process.stop()
    links.disconnect(machine)
    groups.remove(machine.group)


def _first(holder: Process) -> int | None:
    """Return the pid, as this machine counts, of the process that is the first in the node's own namespace."""
    parent = holder.pid
    if parent is None:
        return None
    for place in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            if int(place.read_text().rpartition(")")[2].split()[1]) == parent:
                return int(place.parent.name)
    return None


def _answers(inside: tuple[str, ...], ctr: str) -> bool:
    return subprocess.run((*inside, ctr, "version"), capture_output=True, check=False).returncode == 0
