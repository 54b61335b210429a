"""What this machine has to offer for real nodes, and what it lacks."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Final

from reconciler.errors import SandboxError

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGES: Final = {
    "runc": "runc",
    "ip": "iproute2",
    "nft": "nftables",
    "iptables": "iptables",
    "conntrack": "conntrack",
    "unshare": "util-linux",
    "nsenter": "util-linux",
    "mount": "mount",
}
"""Programs that a node runs, and the Debian package that holds each."""
PLUGIN_FOLDERS: Final = (Path("/usr/lib/cni"), Path("/opt/cni/bin"), Path("/usr/libexec/cni"))
NEEDED_PLUGINS: Final = ("bridge", "host-local", "loopback", "portmap")
PRIVATE: Final = ("/opt", "/run", "/var/lib", "/var/log")
"""Folders of which each node has its own; nothing of a sandbox may be kept below them."""
ISOLATION: Final = (
    "unshare",
    "--net",
    "--mount",
    "--uts",
    "--ipc",
    "--pid",
    "--fork",
    "--kill-child",
    "--mount-proc",
    "--propagation",
    "private",
)
"""What gives a command namespaces of its own; with it ends all that runs in them."""


def lacks(*folders: Path) -> str | None:
    """Return why real nodes cannot run on this machine, and what would help; None where they can.

    `folders` are those with the sandbox's programs and state, which every node has to see.
    """
    return next(_reasons(*folders), None)


def plugins() -> Path:
    """Return the folder with the CNI plugins; raises SandboxError where there is none with all that are needed."""
    for folder in PLUGIN_FOLDERS:
        if all((folder / name).is_file() for name in NEEDED_PLUGINS):
            return folder
    places = ", ".join(map(str, PLUGIN_FOLDERS))
    raise SandboxError(f"no CNI plugins in {places}: apt-get install containernetworking-plugins")


def _reasons(*folders: Path) -> Iterator[str]:
    if os.geteuid() != 0:
        yield "real nodes need root: namespaces, mounts and links are made"
    missing = sorted({package for program, package in PACKAGES.items() if shutil.which(program) is None})
    if missing:
        yield f"programs are missing: apt-get install {' '.join(missing)}"
    try:
        plugins()
    except SandboxError as error:
        yield str(error)
    for folder in folders:
        hidden = next((one for one in PRIVATE if folder.resolve().is_relative_to(one)), None)
        if hidden is not None:
            yield f"{folder} is below {hidden}, of which each node has its own: set RECONCILER_STATE_DIR or RECONCILER_CACHE_DIR"
    done = subprocess.run((*ISOLATION, "true"), capture_output=True, text=True, check=False)
    if done.returncode:
        yield f"the kernel gives no namespaces: {done.stderr.strip()}"
    if "overlay" not in Path("/proc/filesystems").read_text():
        yield "the kernel has no overlay file system"
