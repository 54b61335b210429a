"""How real nodes are laid out: addresses, names of links, where each keeps its files. Pure."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from typing import TYPE_CHECKING, Any, Final

from reconciler.errors import SandboxError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

MACHINES: Final = IPv4Network("10.201.0.0/16")  # cut into one /24 a sandbox, for the nodes themselves
PODS: Final = IPv4Network("10.244.0.0/16")  # what Flannel and kubeadm use where nothing else is said
DNS_ADDRESS: Final = "10.96.0.10"
FIRST_HOST: Final = 10
MOST_NODES: Final = 20


@dataclass(frozen=True, slots=True)
class Layout:
    """The network of a sandbox with real nodes: one bridge on this machine, one link a node, one block of Pods a node."""

    name: str
    network: IPv4Network
    nodes: int
    with_pod_network: bool

    @property
    def tag(self) -> str:
        """What names of links and tables begin with; links have 15 letters at most."""
        return f"rc{hashlib.sha256(self.name.encode()).hexdigest()[:6]}"

    @property
    def gateway(self) -> IPv4Address:
        """This machine's address on the bridge; the API server listens there."""
        return self.network[1]

    @property
    def machines(self) -> tuple[Machine, ...]:
        """All nodes."""
        return tuple(self.machine(index) for index in range(1, self.nodes + 1))

    def machine(self, index: int) -> Machine:
        """Return one node, counted from 1."""
        pods = IPv4Network((int(PODS.network_address) + index * 256, 24))
        return Machine(
            index=index,
            name=f"node-{index}",
            address=self.network[FIRST_HOST + index],
            pods=pods,
            link=f"{self.tag}n{index}",
            group=f"reconciler-{self.name}-{index}",
        )

    def document(self) -> dict[str, Any]:
        """Return it as what is kept in the sandbox's folder."""
        return {
            "name": self.name,
            "network": str(self.network),
            "nodes": self.nodes,
            "podNetwork": self.with_pod_network,
        }


@dataclass(frozen=True, slots=True)
class Machine:
    """One node. `link` is its end of the wire on this machine's side, `group` its own control group."""

    index: int
    name: str
    address: IPv4Address
    pods: IPv4Network
    link: str
    group: str

    def folder(self, sandbox: Path) -> Path:
        """Return the folder with all that this node writes."""
        return sandbox / self.name


def read(document: Mapping[str, Any]) -> Layout:
    """Return the layout that was kept."""
    return Layout(document["name"], IPv4Network(document["network"]), document["nodes"], document["podNetwork"])


def choose(name: str, nodes: int, taken: Iterable[IPv4Network], *, with_pod_network: bool) -> Layout:
    """Return a layout beside the networks that this machine has already; raises SandboxError where there is no room."""
    known = tuple(taken)
    if nodes > MOST_NODES:
        raise SandboxError(f"{nodes} real nodes are too many for one machine: {MOST_NODES} at most")
    if (other := next((one for one in known if one.overlaps(PODS)), None)) is not None:
        raise SandboxError(
            f"this machine has a route to {other} already, and Pods of real nodes live in {PODS}: "
            "take the other sandbox with real nodes down, or remove the route"
        )
    for network in MACHINES.subnets(new_prefix=24):
        if not any(network.overlaps(one) for one in known):
            return Layout(name, network, nodes, with_pod_network)
    raise SandboxError(f"every network in {MACHINES} is in use on this machine")
