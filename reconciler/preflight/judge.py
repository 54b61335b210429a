"""All checks over what was read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from reconciler.model.identity import GroupKind
from reconciler.model.preflight import Preflight
from reconciler.preflight import upgrade
from reconciler.preflight.facts import facts
from reconciler.preflight.nodes import nodes, profile_of
from reconciler.preflight.settings import file_of, settings
from reconciler.preflight.version import Minor, spec_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from reconciler.model.identity import ObjectId
    from reconciler.model.preflight import Finding, Sight
    from reconciler.model.resource import Desired, Resource

GROUP: Final = "platform.reconciler.dev"
KINDS: Final = ("ClusterFacts", "NodeProfile")


def described(desired: Desired) -> bool:
    """Whether git says anything of the cluster or its nodes."""
    return any(item.id.group == GROUP and item.id.kind in KINDS for _, item in desired.resources)


def drift(desired: Desired, sight: Sight) -> tuple[Finding, ...]:
    """Return where cluster and nodes are not what git says of them."""
    profiles = _profiles(desired)
    found: list[Finding] = []
    for _, item in desired.resources:
        if item.id.group_kind == GroupKind(GROUP, "ClusterFacts"):
            found += facts(item, sight)
    return (*found, *nodes(profiles, sight), *_kubelets(profiles, desired, sight))


def asks_kubelets(desired: Desired) -> bool:
    """Whether git says with which file kubelets are started."""
    return any((spec_of(item.body).get("kubelet") or {}).get("configuration") for item in _profiles(desired))


def _profiles(desired: Desired) -> list[Resource]:
    return [item for _, item in desired.resources if item.id.group_kind == GroupKind(GROUP, "NodeProfile")]


def _kubelets(profiles: Sequence[Resource], desired: Desired, sight: Sight) -> Iterator[Finding]:
    files: dict[
        ObjectId, tuple[Mapping[str, Any], Resource] | None
    ] = {}  # of each profile, read once for all of its nodes
    for node in sight.nodes:
        name = node["metadata"]["name"]
        profile = profile_of(profiles, node)
        if profile is None or name not in sight.settings:
            continue
        if profile.id not in files:
            files[profile.id] = file_of(profile, desired)
        if (file := files[profile.id]) is not None:
            key = spec_of(profile.body)["kubelet"]["configuration"]["key"]
            yield from settings(*file, key, sight.settings[name], f"Node/{name}")


def judge(desired: Desired, sight: Sight, target: Minor | None = None) -> Preflight:
    """Return what differs from git; with a target also what stands in the way of an upgrade to it."""
    found = [*drift(desired, sight)]
    server = target or Minor.of(sight.version)
    if server is not None:
        found += upgrade.skew(sight, server)
        found += upgrade.deprecated(desired, sight, server)
    if target is not None:
        found += upgrade.budgets(sight)
        found += upgrade.capacity(sight)
    told = str(target) if target is not None else ""
    return Preflight(desired.environment, sight.version, told, len(sight.nodes), tuple(found), sight.unread)
