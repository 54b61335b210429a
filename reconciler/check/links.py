"""Objects that name others: routes, autoscalers, StatefulSets, webhooks, admission policies, priorities."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from reconciler.check.world import Finding, World, items, mapping
from reconciler.model.identity import GroupKind, GroupVersionKind

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from reconciler.check.world import Steps
    from reconciler.model.resource import Resource

ADMISSION: Final = "admissionregistration.k8s.io"


def backend(world: World) -> Iterator[Finding]:
    """The Services behind an Ingress or an HTTPRoute are made, and have the port."""
    for ingress in world.by_kind[GroupKind("networking.k8s.io", "Ingress")]:
        spec = mapping(ingress.body.get("spec"))
        default = mapping(mapping(spec.get("defaultBackend")).get("service"))
        found: list[tuple[Steps, Mapping[str, Any]]] = [(("spec", "defaultBackend", "service"), default)]
        for rule, one in items(spec.get("rules")):
            for index, path in items(mapping(one.get("http")).get("paths")):
                place = ("spec", "rules", rule, "http", "paths", index, "backend", "service")
                found.append((place, mapping(mapping(path.get("backend")).get("service"))))
        for steps, service in found:
            if service:
                port = mapping(service.get("port"))
                wanted = port.get("number", port.get("name"))
                yield from _service(world, ingress, steps, ingress.id.namespace, service.get("name"), wanted)
    for route in world.by_kind[GroupKind("gateway.networking.k8s.io", "HTTPRoute")]:
        for rule, one in items(mapping(route.body.get("spec")).get("rules")):
            for index, reference in items(one.get("backendRefs")):
                if reference.get("kind", "Service") == "Service":
                    namespace = str(reference.get("namespace") or route.id.namespace)
                    where = ("spec", "rules", rule, "backendRefs", index)
                    yield from _service(world, route, where, namespace, reference.get("name"), reference.get("port"))


def stateful_service(world: World) -> Iterator[Finding]:
    """The Service that names a StatefulSet's Pods is made."""
    for resource in world.by_kind[GroupKind("apps", "StatefulSet")]:
        name = mapping(resource.body.get("spec")).get("serviceName")
        if name and (hint := world.missing("", "Service", resource.id.namespace, str(name))):
            yield Finding(resource, ("spec", "serviceName"), f"the Service {name} does not exist", hint)


def scale_target(world: World) -> Iterator[Finding]:
    """What a HorizontalPodAutoscaler scales is made."""
    for scaler in world.by_kind[GroupKind("autoscaling", "HorizontalPodAutoscaler")]:
        target = mapping(mapping(scaler.body.get("spec")).get("scaleTargetRef"))
        gvk = GroupVersionKind.of(target)
        if hint := world.missing(gvk.group, gvk.kind, scaler.id.namespace, str(target.get("name"))):
            message = f"the {gvk.kind} {target.get('name')} does not exist"
            yield Finding(scaler, ("spec", "scaleTargetRef", "name"), message, hint)


def webhook(world: World) -> Iterator[Finding]:
    """The Service behind a webhook or an APIService is made."""
    for kind in ("ValidatingWebhookConfiguration", "MutatingWebhookConfiguration"):
        for resource in world.by_kind[GroupKind(ADMISSION, kind)]:
            for index, one in items(resource.body.get("webhooks")):
                service = mapping(mapping(one.get("clientConfig")).get("service"))
                if service:
                    steps = ("webhooks", index, "clientConfig", "service")
                    yield from _service(
                        world,
                        resource,
                        steps,
                        str(service.get("namespace")),
                        service.get("name"),
                        service.get("port", 443),
                    )
    for resource in world.by_kind[GroupKind("apiregistration.k8s.io", "APIService")]:
        service = mapping(mapping(resource.body.get("spec")).get("service"))
        if service:
            yield from _service(
                world,
                resource,
                ("spec", "service"),
                str(service.get("namespace")),
                service.get("name"),
                service.get("port", 443),
            )


def admission_policy(world: World) -> Iterator[Finding]:
    """The policy of a binding is made, and so are the parameters that it names."""
    for binding in world.by_kind[GroupKind(ADMISSION, "ValidatingAdmissionPolicyBinding")]:
        spec = mapping(binding.body.get("spec"))
        name = str(spec.get("policyName"))
        if hint := world.missing(ADMISSION, "ValidatingAdmissionPolicy", "", name):
            yield Finding(binding, ("spec", "policyName"), f"the ValidatingAdmissionPolicy {name} does not exist", hint)
            continue
        policy = world.get(ADMISSION, "ValidatingAdmissionPolicy", "", name)
        kind = mapping(mapping(policy.body.get("spec")).get("paramKind")) if policy else {}
        reference = mapping(spec.get("paramRef"))
        if kind and not reference:
            yield Finding(binding, ("spec",), f"the policy {name} takes parameters, and paramRef names none")
        elif kind and reference.get("name"):
            gvk = GroupVersionKind.of(kind)
            namespace = str(reference.get("namespace") or "")
            if hint := world.missing(gvk.group, gvk.kind, namespace, str(reference["name"])):
                message = f"the {gvk.kind} {reference['name']} does not exist"
                yield Finding(binding, ("spec", "paramRef", "name"), message, hint)


def priority(world: World) -> Iterator[Finding]:
    """The PriorityClass of a Pod is made."""
    for pod in world.pods:
        name = pod.spec.get("priorityClassName")
        if name and (hint := world.missing("scheduling.k8s.io", "PriorityClass", "", str(name))):
            steps = (*pod.at, "spec", "priorityClassName")
            yield Finding(pod.resource, steps, f"the PriorityClass {name} does not exist", hint)


def _service(world: World, resource: Resource, steps: Steps, namespace: str, name: Any, port: Any) -> Iterator[Finding]:
    if hint := world.missing("", "Service", namespace, str(name)):
        yield Finding(resource, (*steps, "name"), f"the Service {name} does not exist", hint)
        return
    service = world.get("", "Service", namespace, str(name))
    ports = [item for _, item in items(mapping(service.body.get("spec")).get("ports"))] if service else []
    if service and port is not None and not any(port in (item.get("port"), item.get("name")) for item in ports):
        yield Finding(resource, (*steps, "port"), f"the Service {name} has no port {port}", _told(ports))


def _told(ports: list[Mapping[str, Any]]) -> str:
    return "its ports are " + ", ".join(f"{port.get('name', '')} {port.get('port')}".strip() for port in ports)
