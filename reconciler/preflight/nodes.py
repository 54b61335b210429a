"""Nodes against `NodeProfile`: what each of them runs is compared with what it was to be made with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler.model.preflight import Finding
from reconciler.model.tree import origin_at
from reconciler.preflight.version import is_of, spec_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from reconciler.model.preflight import Sight
    from reconciler.model.resource import Resource

HINT = "make the node anew, or change the line in git if the node is right"


def nodes(profiles: Sequence[Resource], sight: Sight) -> Iterator[Finding]:
    """Yield what differs. A node is judged by the profile that asks most of its labels; by none if none fits."""
    found: dict[str, list[Mapping[str, Any]]] = {item.id.name: [] for item in profiles}
    for node in sight.nodes:
        profile = profile_of(profiles, node)
        if profile is None:
            if profiles:
                told = "no NodeProfile is for it"
                yield Finding("nodes", "warning", _name(node), told, "add one, or a label to the node")
            continue
        found[profile.id.name].append(node)
        yield from _judged(profile, node)
    for profile in profiles:
        yield from _counted(profile, len(found[profile.id.name]))


def profile_of(profiles: Sequence[Resource], node: Mapping[str, Any]) -> Resource | None:
    """Return the profile that asks most of a node's labels; None where none fits."""
    fitting = [item for item in profiles if _selects(item, node)]
    return max(fitting, key=lambda item: len(spec_of(item.body).get("nodeSelector") or {}), default=None)


def _judged(profile: Resource, node: Mapping[str, Any]) -> Iterator[Finding]:
    for message, *steps in (*_programs(spec_of(profile.body), node), *_marks(spec_of(profile.body), node)):
        place = origin_at(profile.body, ("spec", *steps)) or profile.origin
        yield Finding("nodes", "warning", _name(node), message, HINT, place)


def _programs(spec: Mapping[str, Any], node: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    """Yield which programs of a node differ, each with the way to the field that says so."""
    info = (node.get("status") or {}).get("nodeInfo") or {}
    runtime, _, version = str(info.get("containerRuntimeVersion", "")).partition("://")
    wanted = spec.get("runtime") or {}
    if wanted.get("name", runtime) != runtime:
        yield f"runs {runtime or 'no runtime that it tells of'}, git says {wanted['name']}", "runtime", "name"
    elif "version" in wanted and not is_of(version, str(wanted["version"])):
        yield f"runs {runtime} {version}, git says {wanted['version']}", "runtime", "version"
    kubelet = (spec.get("kubelet") or {}).get("version")
    if kubelet and not is_of(str(info.get("kubeletVersion", "")), str(kubelet)):
        yield f"runs kubelet {info.get('kubeletVersion')}, git says {kubelet}", "kubelet", "version"
    for key, told, name in (("operatingSystem", "osImage", "system"), ("architecture", "architecture", "architecture")):
        asked = spec.get(key)
        if asked and not str(info.get(told, "")).startswith(str(asked)):
            yield f"its {name} is {info.get(told)}, git says {asked}", key


def _marks(spec: Mapping[str, Any], node: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    """Yield which labels and taints of a node differ, each with the way to the field that says so."""
    labels = node["metadata"].get("labels") or {}
    for label, value in (spec.get("labels") or {}).items():
        if labels.get(label) != value:
            yield f"its label {label} is {labels.get(label, 'not there')}, git says {value}", "labels", label
    tainted = {item.get("key") for item in (node.get("spec") or {}).get("taints") or ()}
    for taint in spec.get("taints") or ():
        if taint not in tainted:
            yield f"has no taint {taint}", "taints"


def _counted(profile: Resource, count: int) -> Iterator[Finding]:
    limits = spec_of(profile.body).get("count") or {}
    least, most = limits.get("min", 0), limits.get("max")
    if count < least or (most is not None and count > most):
        wanted = f"{least} to {most}" if most is not None else f"at least {least}"
        place = origin_at(profile.body, ("spec", "count")) or profile.origin
        told = f"there are {count} such nodes, git says {wanted}"
        yield Finding("nodes", "warning", f"NodeProfile/{profile.id.name}", told, "change the group of nodes", place)


def _selects(profile: Resource, node: Mapping[str, Any]) -> bool:
    labels = node["metadata"].get("labels") or {}
    return all(labels.get(key) == value for key, value in (spec_of(profile.body).get("nodeSelector") or {}).items())


def _name(node: Mapping[str, Any]) -> str:
    return f"Node/{node['metadata']['name']}"
