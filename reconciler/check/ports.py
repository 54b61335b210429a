"""Ports have to be listened on."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from reconciler.check.world import Finding, Pod, World, items, mapping, selects
from reconciler.model.identity import GroupKind

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PROBES: Final = ("startupProbe", "livenessProbe", "readinessProbe")
ACTIONS: Final = ("httpGet", "tcpSocket", "grpc")


def service_port(world: World) -> Iterator[Finding]:
    """A Service's target port is declared by a container of every workload that it selects."""
    for service in world.by_kind[GroupKind("", "Service")]:
        spec = mapping(service.body.get("spec"))
        selector = mapping(spec.get("selector"))
        pods = [pod for pod in world.pods_in[service.id.namespace] if selects({"matchLabels": selector}, pod.labels)]
        for index, port in items(spec.get("ports") if selector else None):
            target = port.get("targetPort", port.get("port"))
            protocol = port.get("protocol", "TCP")
            for pod in pods:
                if not _declared(pod, target, protocol):
                    owner = f"{pod.resource.id.kind}/{pod.resource.id.name}"
                    message = (
                        f"port {port.get('port')} leads to {target} ({protocol}), which {owner} does not listen on"
                    )
                    yield Finding(service, ("spec", "ports", index), message, _ports_of(pod))


def probe_port(world: World) -> Iterator[Finding]:
    """A probe asks a port that its container declares; a number is fine where it declares none."""
    for pod in world.pods:
        for steps, container in pod.containers:
            for probe in PROBES:
                for action in ACTIONS:
                    port = mapping(mapping(container.get(probe)).get(action)).get("port")
                    ports = [item for _, item in items(container.get("ports"))]
                    if port is None or _is_port(ports, port, "TCP") or (isinstance(port, int) and not ports):
                        continue
                    message = (
                        f"the {probe} of container {container.get('name')} asks port {port}, which it does not have"
                    )
                    yield Finding(pod.resource, (*steps, probe, action, "port"), message, _named(ports))


def port_names(world: World) -> Iterator[Finding]:
    """Port names are unique within a Pod's containers, and a Service's within it."""
    for pod in world.pods:
        names = Counter(
            str(port["name"])
            for _, container in pod.containers
            for _, port in items(container.get("ports"))
            if "name" in port
        )
        for name, count in names.items():
            if count > 1:
                yield Finding(pod.resource, (*pod.at, "spec"), f"{count} of its ports are named {name}")
    for service in world.by_kind[GroupKind("", "Service")]:
        listed = [port for _, port in items(mapping(service.body.get("spec")).get("ports"))]
        if len({port.get("name") for port in listed}) < len(listed):
            yield Finding(service, ("spec", "ports"), "several of its ports have one name, or none")


def _declared(pod: Pod, target: Any, protocol: str) -> bool:
    ports = [port for _, container in pod.containers for _, port in items(container.get("ports"))]
    return _is_port(ports, target, protocol)


def _is_port(ports: list[Mapping[str, Any]], wanted: Any, protocol: str) -> bool:
    key = "containerPort" if isinstance(wanted, int) else "name"
    return any(port.get(key) == wanted and port.get("protocol", "TCP") == protocol for port in ports)


def _ports_of(pod: Pod) -> str:
    return _named([port for _, container in pod.containers for _, port in items(container.get("ports"))])


def _named(ports: list[Mapping[str, Any]]) -> str:
    told = ", ".join(f"{port.get('name', 'unnamed')} {port.get('containerPort')}" for port in ports)
    return f"ports are {told}" if told else "no ports are declared"
