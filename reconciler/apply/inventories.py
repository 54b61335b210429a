"""The inventories of a run: wide enough for old and new before the first object is written, as small as can be after.

Whatever happens in between, each object's kind is in the inventory that it belongs to, so nothing is ever orphaned.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING

from reconciler.apply import system
from reconciler.apply.work import acts
from reconciler.errors import ClusterError, Conflict, NotFound
from reconciler.model.applyset import (
    FIELD_MANAGER,
    PART_OF_LABEL,
    SYSTEM_NAMESPACE,
    Inventory,
    applyset_id,
    parent_body,
    parent_id,
)
from reconciler.model.identity import ObjectId

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from reconciler.apply.work import Work
    from reconciler.model.identity import GroupKind
    from reconciler.model.plan import Change


async def widen(work: Work) -> tuple[dict[str, Inventory], dict[str, str]]:
    """Make every touched inventory the union of old and new; only those that differ are written.

    Returns the inventories as they are now, and why those that could not be written could not.
    """
    current = dict(work.plan.inventories)
    problems: dict[str, str] = {}
    by_component = _by_component(work.plan.changes)

    async def widen_one(component: str, changes: list[Change]) -> None:
        old = work.plan.inventories.get(component)
        set_id = applyset_id(parent_id(work.plan.environment, component))
        new = (old or Inventory(component, set_id, frozenset(), frozenset())).union(change.id for change in changes)
        new = replace(new, prune=_prunes(work, component))
        if old is not None and old.resource_version and _same(old, new):
            return
        try:
            await _write(work, new)
        except ClusterError as error:
            problems[component] = f"the inventory of component {component} cannot be written: {error}"
        else:
            current[component] = new

    touched = {name for name, changes in by_component.items() if any(map(_writes, changes))} | work.plan.bookkeeping
    await asyncio.gather(*(widen_one(name, by_component.get(name, [])) for name in sorted(touched)))
    return current, problems


async def shrink(work: Work, current: Mapping[str, Inventory]) -> None:
    """Make every inventory of which all went well what is there now; delete the empty parents of vanished components.

    Before a kind is taken out, its objects are listed once more: members that were left alone stay known.
    """
    wanted: dict[str, list[Change]] = _by_component(work.applies)
    doubtful: dict[str, frozenset[GroupKind]] = {}
    for name, inventory in current.items():
        kinds = inventory.group_kinds - {change.id.group_kind for change in wanted.get(name, ())}
        if name not in work.ledger.broken and (kinds or name not in work.components):
            doubtful[name] = kinds
    try:
        left = await _left(work, frozenset().union(*doubtful.values()))
        for name in doubtful:
            await _shrink_one(work, current[name], wanted.get(name, []), frozenset(left[current[name].set_id]))
    except ClusterError:
        return  # too wide an inventory costs a LIST; the next run tries again


async def _shrink_one(work: Work, old: Inventory, wanted: list[Change], left: frozenset[GroupKind]) -> None:
    if not wanted and not left and old.component not in work.components:
        await _delete_parent(work, old)
        return
    kinds = frozenset(change.id.group_kind for change in wanted) | left
    namespaces = frozenset(change.id.namespace for change in wanted if change.id.namespace)
    new = replace(old, group_kinds=kinds, namespaces=old.namespaces if left else namespaces)
    if not _same(old, new):
        await _write(work, new)


async def _left(work: Work, kinds: Iterable[GroupKind]) -> dict[str, set[GroupKind]]:
    """Return, by ApplySet, the kinds of which there still are members that git does not want."""
    environment, selector = work.plan.environment, work.waits.selector
    wanted = {
        change.id: applyset_id(parent_id(environment, change.component)) for change in work.applies if not change.held
    }
    found: dict[str, set[GroupKind]] = defaultdict(set)

    async def look(kind: GroupKind) -> None:
        resource = work.kinds.preferred(kind)
        if resource is None:
            if work.kinds.unknown(kind):
                raise NotFound(f"{kind} cannot be listed: its backend did not answer discovery")
            return
        try:
            listed = [body async for body in work.cluster.list(resource, selector=selector, metadata_only=True)]
        except NotFound:
            return  # its CustomResourceDefinition is gone, and its objects with it
        for body in listed:
            metadata = body["metadata"]
            item = ObjectId(kind.group, kind.kind, metadata.get("namespace") or "", metadata["name"])
            set_id = (metadata.get("labels") or {}).get(PART_OF_LABEL, "")
            if wanted.get(item) != set_id:  # one that did not move after all is still its old component's
                found[set_id].add(kind)

    await asyncio.gather(*(look(kind) for kind in kinds))
    return found


async def _write(work: Work, inventory: Inventory) -> None:
    """Write a parent; one that was not known to be ours is never taken from whom it belongs to."""
    body, known = parent_body(work.plan.environment, inventory), bool(inventory.resource_version)
    await system.in_namespace(
        work.cluster,
        lambda: work.cluster.apply(system.CONFIG_MAPS, body, field_manager=FIELD_MANAGER, force=known),
    )


async def _delete_parent(work: Work, inventory: Inventory) -> None:
    parent = parent_id(work.plan.environment, inventory.component)
    try:
        body = await work.cluster.get(system.CONFIG_MAPS, parent.namespace, parent.name)
        metadata = body["metadata"]
        await work.cluster.delete(
            system.CONFIG_MAPS,
            parent.namespace,
            parent.name,
            uid=metadata["uid"],
            resource_version=metadata["resourceVersion"],
        )
    except (NotFound, Conflict):
        return  # gone, or changed just now: the next run looks again


def _prunes(work: Work, component: str) -> bool:
    """Whether a component lets its objects be deleted; one that git no longer has as it did when git had it."""
    listed, old = work.components.get(component), work.plan.inventories.get(component)
    return listed.prune if listed is not None else old is None or old.prune


def _writes(change: Change) -> bool:
    return acts(change) and not change.problem


def _same(one: Inventory, other: Inventory) -> bool:
    own = {SYSTEM_NAMESPACE}
    kinds = one.group_kinds == other.group_kinds
    return kinds and one.namespaces - own == other.namespaces - own and one.prune == other.prune


def _by_component(changes: Iterable[Change]) -> dict[str, list[Change]]:
    grouped: dict[str, list[Change]] = defaultdict(list)
    for change in changes:
        grouped[change.component].append(change)
    return grouped
