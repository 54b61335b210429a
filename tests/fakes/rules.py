"""What an API server and its controllers do to single objects: validation, what may not change, statuses."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from reconciler.errors import ClusterError, Invalid

if TYPE_CHECKING:
    from collections.abc import Callable

    from reconciler.model.api import ApiResource
    from tests.fakes.shapes import Shape

Body = dict[str, Any]
NAME = re.compile(r"[a-z0-9]([-a-z0-9.:]*[a-z0-9])?")
IMMUTABLE = {
    "Deployment": ("selector",),
    "DaemonSet": ("selector",),
    "StatefulSet": ("selector", "serviceName", "podManagementPolicy", "volumeClaimTemplates"),
    "Job": ("selector", "template", "completionMode"),
    "PersistentVolumeClaim": ("storageClassName", "accessModes", "volumeName"),
}
IMMUTABLE_TOP = {
    "RoleBinding": ("roleRef",),
    "ClusterRoleBinding": ("roleRef",),
    "StorageClass": ("provisioner", "parameters", "reclaimPolicy", "volumeBindingMode"),
    "Secret": ("type",),
}
NO_GENERATION = {"", "rbac.authorization.k8s.io", "storage.k8s.io", "coordination.k8s.io", "apiregistration.k8s.io"}


def check(resource: ApiResource, body: Body, shape: Shape) -> None:
    """Raise Invalid for a bad name, an unknown field or a value of the wrong type."""
    problem = _undeclared(body, shape, "")
    if problem:
        metadata = body["metadata"]
        where = f"{metadata.get('namespace', '')}/{metadata['name']}; {resource.group}/{resource.version}"
        raise Invalid(f"failed to create typed patch object ({where}, Kind={resource.kind}): {problem}", status=500)
    name = body["metadata"].get("name", "")
    if not NAME.fullmatch(name):
        raise invalid(resource, name, "metadata.name", f'Invalid value: "{name}": a lowercase RFC 1123 subdomain')


def _undeclared(value: Any, shape: Shape, path: str) -> str:
    if not shape.accepts(value):
        return f"{path}: expected {shape.raw['type']}"
    if isinstance(value, dict):
        for key, item in value.items():
            if not shape.declares(key):
                return f"{path}.{key}: field not declared in schema"
            if problem := _undeclared(item, shape.child(key), f"{path}.{key}"):
                return problem
    if isinstance(value, list):
        return next((found for item in value if (found := _undeclared(item, shape.item(), f"{path}[]"))), "")
    return ""


def check_update(resource: ApiResource, old: Body, new: Body) -> None:
    """Raise Invalid where a field that may not change has changed."""
    places: list[tuple[str, ...]] = [("spec", key) for key in IMMUTABLE.get(resource.kind, ())]
    places += [(key,) for key in IMMUTABLE_TOP.get(resource.kind, ())]
    if old.get("immutable"):
        places += [("data",), ("binaryData",)]
    for place in places:
        before, after = _at(old, place), _at(new, place)
        if before is not None and before != after:
            field = ".".join(place)
            raise invalid(resource, new["metadata"]["name"], field, f"Invalid value: {after}: field is immutable")


def _at(body: Body, place: tuple[str, ...]) -> Any:
    for key in place:
        body = body.get(key) or {}
    return body or None


def invalid(resource: ApiResource, name: str, field: str, message: str) -> ClusterError:
    """Return the error that the server gives for one bad field."""
    cause = {"reason": "FieldValueInvalid", "message": message, "field": field}
    kind = f"{resource.kind}.{resource.group}" if resource.group else resource.kind
    details: dict[str, object] = {"name": name, "group": resource.group, "kind": resource.kind, "causes": [cause]}
    return Invalid(f'{kind} "{name}" is invalid: {field}: {message}', status=422, reason="Invalid", details=details)


def completed(value: Any, shape: Shape, *, required: bool = True) -> Any:
    """Return a value as it is stored: without nulls and empty lists and maps, keys of list elements with defaults.

    `required` values stay though they are empty; so do empty structs, which mean something (`emptyDir: {}`).
    """
    if isinstance(value, dict) and not shape.atomic:
        done = {key: completed(item, shape.child(key), required=key in shape.required) for key, item in value.items()}
        done = {key: item for key, item in done.items() if item is not None}
        return done if done or required or not shape.is_map else None
    if isinstance(value, list) and shape.known:
        if shape.list_type == "map":
            value = [{**shape.key_of(item), **item} for item in value]
        items = [completed(item, shape.item()) for item in value]
        return items if items or required else None
    return value


def generation(resource: ApiResource, old: Body | None, new: Body) -> int | None:
    """Return the generation of an object after a write; None for kinds that have none."""
    if resource.group in NO_GENERATION:
        return None
    if old is None:
        return 1
    before: int = old["metadata"].get("generation", 1)
    apart = ("metadata", "status", "apiVersion")
    same = {key: item for key, item in old.items() if key not in apart} == {
        key: item for key, item in new.items() if key not in apart
    }
    return before if same else before + 1


def settled(body: Body) -> Body | None:
    """Return the status that a working cluster gives to an object sooner or later; None for kinds without one."""
    give = STATUSES.get(body["kind"])
    if give is None:
        return None
    return {"observedGeneration": body["metadata"].get("generation", 1)} | give(body.get("spec") or {})


def _condition(*types: str) -> Body:
    return {"conditions": [{"type": name, "status": "True"} for name in types]}


def _replicated(*names: str) -> Callable[[Body], Body]:
    return lambda spec: dict.fromkeys(names, spec.get("replicas", 1))


STATUSES: dict[str, Callable[[Body], Body]] = {
    "Deployment": lambda spec: (
        _replicated("replicas", "updatedReplicas", "readyReplicas", "availableReplicas")(spec) | _condition("Available")
    ),
    "StatefulSet": lambda spec: (
        _replicated("replicas", "updatedReplicas", "readyReplicas", "currentReplicas", "availableReplicas")(spec)
        | {"currentRevision": "1", "updateRevision": "1"}
    ),
    "DaemonSet": lambda _: {
        "currentNumberScheduled": 1,
        "desiredNumberScheduled": 1,
        "updatedNumberScheduled": 1,
        "numberAvailable": 1,
        "numberReady": 1,
        "numberMisscheduled": 0,
    },
    "Job": lambda _: {"succeeded": 1} | _condition("Complete"),
    "PersistentVolumeClaim": lambda _: {"phase": "Bound"},
    "Namespace": lambda _: {"phase": "Active"},
    "APIService": lambda _: _condition("Available"),
    "CustomResourceDefinition": lambda spec: (
        _condition("NamesAccepted", "Established")
        | {"acceptedNames": spec["names"], "storedVersions": [item["name"] for item in spec["versions"]]}
    ),
}
