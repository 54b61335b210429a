"""The network between real nodes: a bridge on this machine, a wire to each node, routes to their Pods."""

from __future__ import annotations

import json
import subprocess
from ipaddress import IPv4Network
from pathlib import Path
from typing import TYPE_CHECKING, Final

from reconciler.errors import SandboxError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reconciler.sandbox.nodes.layout import Layout, Machine

FORWARDING: Final = Path("/proc/sys/net/ipv4/ip_forward")


def taken() -> tuple[IPv4Network, ...]:
    """Return the networks that this machine has routes to already."""
    routes = json.loads(run("ip", "-json", "-4", "route", "show", "table", "all"))
    found = (str(route.get("dst", "")) for route in routes if route.get("type", "unicast") == "unicast")
    return tuple(IPv4Network(one, strict=False) for one in found if one not in {"", "default"})


def build(layout: Layout) -> None:
    """Make the bridge; what nodes send elsewhere leaves under this machine's address. Raises SandboxError."""
    bridge, network = layout.tag, layout.network
    run("ip", "link", "add", bridge, "type", "bridge")
    run("ip", "address", "add", f"{layout.gateway}/{network.prefixlen}", "dev", bridge)
    run("ip", "link", "set", bridge, "up")
    FORWARDING.write_text("1\n")
    table = (
        f"table ip {bridge} {{ chain leaving {{ type nat hook postrouting priority srcnat; "
        f'ip saddr {network} oifname != "{bridge}" masquerade; }}; }}\n'
    )
    run("nft", "-f", "-", stdin=table)


def remove(layout: Layout) -> None:
    """Remove the bridge, and with it the routes over it. What is not there any more is left out."""
    for machine in layout.machines:
        disconnect(machine)
    _delete(layout.tag)
    tables = json.loads(run("nft", "--json", "list", "tables"))["nftables"]
    if any(one.get("table", {}).get("name") == layout.tag for one in tables):
        run("nft", "delete", "table", "ip", layout.tag)


def connect(layout: Layout, machine: Machine, pid: int, inside: Sequence[str]) -> None:
    """Wire one node to the bridge, as what the process `pid` sees as `eth0`; commands run in the node after `inside`."""
    run("ip", "link", "add", machine.link, "type", "veth", "peer", "name", "eth0", "netns", str(pid))
    run("ip", "link", "set", machine.link, "master", layout.tag, "up")
    run(*inside, "ip", "link", "set", "lo", "up")
    run(*inside, "ip", "address", "add", f"{machine.address}/{layout.network.prefixlen}", "dev", "eth0")
    run(*inside, "ip", "link", "set", "eth0", "up")
    run(*inside, "ip", "route", "add", "default", "via", str(layout.gateway))
    run(*inside, "sysctl", "-q", "-w", "net.ipv4.ip_forward=1")
    run("ip", "route", "replace", str(machine.pods), "via", str(machine.address))
    for other in layout.machines if layout.with_pod_network else ():
        if other != machine:
            run(*inside, "ip", "route", "add", str(other.pods), "via", str(other.address))


def disconnect(machine: Machine) -> None:
    """Cut a node's wire: its network may outlive it by a minute, for the sake of connections that were not closed."""
    _delete(machine.link)


def _delete(link: str) -> None:
    """Delete a link; the kernel may be ahead of us, as the other end goes with the network of a node."""
    place = Path(f"/sys/class/net/{link}")
    try:
        if place.exists():
            run("ip", "link", "delete", link)
    except SandboxError:
        if place.exists():
            raise


def run(*command: str, stdin: str = "") -> str:
    """Run a command and return what it prints; raises SandboxError with what it complains of."""
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SandboxError(f"{' '.join(command)} failed: {(done.stderr or done.stdout).strip()}")
    return done.stdout
