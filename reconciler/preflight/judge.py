"""All checks over what was read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from reconciler.model.identity import GroupKind
from reconciler.model.preflight import Preflight
from reconciler.preflight import upgrade
from reconciler.preflight.facts import facts
from reconciler.preflight.nodes import nodes
from reconciler.preflight.version import Minor

if TYPE_CHECKING:
    from reconciler.model.preflight import Finding, Sight
    from reconciler.model.resource import Desired

GROUP: Final = "platform.reconciler.dev"
KINDS: Final = ("ClusterFacts", "NodeProfile")


def described(desired: Desired) -> bool:
    """Whether git says anything of the cluster or its nodes."""
    return any(item.id.group == GROUP and item.id.kind in KINDS for _, item in desired.resources)


def drift(desired: Desired, sight: Sight) -> tuple[Finding, ...]:
    """Return where cluster and nodes are not what git says of them."""
    profiles = [item for _, item in desired.resources if item.id.group_kind == GroupKind(GROUP, "NodeProfile")]
    found: list[Finding] = []
    for _, item in desired.resources:
        if item.id.group_kind == GroupKind(GROUP, "ClusterFacts"):
            found += facts(item, sight)
    return (*found, *nodes(profiles, sight))


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
