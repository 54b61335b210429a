"""What git no longer wants: the members of our inventories that are to be deleted, to be released, or to be kept.

A label alone is no proof, controllers copy labels (EndpointSlices carry those of their Service). A member is what
carries the label of one of our ApplySets, was applied by us, and has no controller for an owner.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from reconciler.model.applyset import ENVIRONMENT_LABEL
from reconciler.model.harbor import held
from reconciler.model.identity import GroupKind
from reconciler.model.marks import DISABLED, ORPHAN, PRUNE, RECONCILE
from reconciler.model.plan import Action, Change, Kept
from reconciler.plan.cases import DEFINITION
from reconciler.plan.losses import losses
from reconciler.plan.managed import own_fields
from reconciler.plan.ownership import Owners
from reconciler.plan.words import listed

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Mapping

    from reconciler.environment import Environment
    from reconciler.model.identity import ObjectId
    from reconciler.model.observation import Observation
    from reconciler.model.resource import Desired


def members(observation: Observation, environment: Environment) -> dict[ObjectId, str]:
    """Return the live objects that we own, with their component."""
    owners = Owners(environment, observation)
    return {
        identity: component
        for identity, live in observation.live.items()
        if (live["metadata"].get("labels") or {}).get(ENVIRONMENT_LABEL) == environment.name
        and (component := owners.component(live))
        and own_fields(live) is not None
        and not _controlled(live)
    }


def unwanted(
    desired: Desired,
    observation: Observation,
    environment: Environment,
    owned: Mapping[ObjectId, str],
    *,
    waiting: Container[str] = (),
) -> tuple[tuple[Change, ...], tuple[Kept, ...]]:
    """Return what becomes of the members that git no longer wants, in no order yet.

    Each is deleted, or released where it is marked as an orphan, or kept where its own mark or its component says so. Of
    components that are `waiting` nothing is to go now, not with its Namespace either.
    """
    wanted = dict.fromkeys(resource.id for _, resource in desired.resources)
    unpruned = _unpruned(environment, observation)
    left = {identity: component for identity, component in owned.items() if identity not in wanted}
    kept = tuple(
        Kept(component, identity, reason)
        for identity, component in left.items()
        if (reason := _reason_to_keep(component, observation.live[identity], unpruned))
    )
    stays = dict.fromkeys(item.id for item in kept)
    released = dict.fromkeys(
        identity for identity in left if identity not in stays and _mark(observation.live[identity], PRUNE) == ORPHAN
    )
    waits = [identity for identity, component in left.items() if component in waiting]
    holders = _Holders([*wanted, *stays, *released, *waits], observation)
    protect = environment.policy.deletions.protect
    going = tuple(
        _release(identity, component, observation.live[identity])
        if identity in released
        else _delete(identity, component, observation.live[identity], holders, protected=identity.kind in protect)
        for identity, component in left.items()
        if identity not in stays
    )
    return going, kept


class _Holders:
    """Objects that stay, by what they cannot be without: their namespace and their kind."""

    def __init__(self, staying: Iterable[ObjectId], observation: Observation) -> None:
        self._namespaces: dict[str, list[ObjectId]] = defaultdict(list)
        self._kinds: dict[GroupKind, list[ObjectId]] = defaultdict(list)
        for identity in dict.fromkeys(staying):
            self._namespaces[identity.namespace].append(identity)
            self._kinds[identity.group_kind].append(identity)
        self._observation = observation

    def problem(self, identity: ObjectId) -> str:
        """Return why something cannot be deleted without taking along what is to stay."""
        held = self._namespaces.get(identity.name, ()) if identity.group_kind == ("", "Namespace") else ()
        if identity.group_kind == DEFINITION:
            spec = self._observation.live[identity].get("spec") or {}
            held = self._kinds.get(GroupKind(spec.get("group", ""), (spec.get("names") or {}).get("kind", "")), ())
        if not held:
            return ""
        return f"deleting it would take along what is to stay ({listed(held)}): move or remove that first, or keep it"


def _delete(
    identity: ObjectId, component: str, live: Mapping[str, Any], holders: _Holders, *, protected: bool
) -> Change:
    metadata = live["metadata"]
    terminating = "deletionTimestamp" in metadata
    problem = holders.problem(identity) or held(live)
    lost = "" if problem else ", ".join(losses(live))
    notes = [*(("is being deleted already",) if terminating else ()), *((f"lost with it: {lost}",) if lost else ())]
    return Change(
        Action.DELETE,
        component,
        identity,
        uid=metadata.get("uid", ""),
        resource_version=metadata.get("resourceVersion", ""),
        problem=problem,
        notes=tuple(notes),
        protected=protected,
        terminating=terminating,
    )


def _release(identity: ObjectId, component: str, live: Mapping[str, Any]) -> Change:
    metadata = live["metadata"]
    note = f"stays in the cluster as it is, and is ours no more ({PRUNE}: {ORPHAN})"
    uid, version = metadata.get("uid", ""), metadata.get("resourceVersion", "")
    return Change(Action.RELEASE, component, identity, uid=uid, resource_version=version, notes=(note,))


def _controlled(live: Mapping[str, Any]) -> bool:
    return any(owner.get("controller") for owner in live["metadata"].get("ownerReferences") or ())


def _unpruned(environment: Environment, observation: Observation) -> dict[str, str]:
    """Return the components of which nothing is deleted, and why; those that git no longer has said so while it had them."""
    listed = {component.name: component.prune for component in environment.spec.components}
    told = {name: f"component {name} has prune: false" for name, prune in listed.items() if not prune}
    for name, inventory in observation.inventories.items():
        if name not in listed and not inventory.prune:
            told[name] = f"component {name}, which git no longer has, had prune: false"
    return told


def _reason_to_keep(component: str, live: Mapping[str, Any], unpruned: Mapping[str, str]) -> str:
    return unpruned.get(component) or next(
        (f"{mark}: {DISABLED}" for mark in (PRUNE, RECONCILE) if _mark(live, mark) == DISABLED), ""
    )


def _mark(live: Mapping[str, Any], name: str) -> str:
    value: str = (live["metadata"].get("annotations") or {}).get(name, "")
    return value
