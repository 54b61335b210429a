"""Renames: an object that goes while one of the same kind and content comes by another name, or in another namespace.

Kubernetes has no rename. The pair is a delete and a create, and what the old object held beyond its content is lost.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from reconciler.model.plan import Action

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from reconciler.model.identity import ObjectId
    from reconciler.model.plan import Change

LIKENESS: Final = 0.8  # share of the new object's values that the old one has
MOST: Final = 200  # objects of one kind in one namespace that are compared with each other

Changes = dict["ObjectId", "Change"]


def told(
    applied: Mapping[ObjectId, Change], deleted: Mapping[ObjectId, Change], live: Mapping[ObjectId, Mapping[str, Any]]
) -> Changes:
    """Return the changes that are a rename, each with a note that says so and names the other."""
    gone = [change for change in deleted.values() if change.action is Action.DELETE]
    new = [change for change in applied.values() if change.action is Action.CREATE]
    noted: Changes = {}
    for same in (_in_one_namespace, _of_one_name):
        left = ([change for change in side if change.id not in noted] for side in (gone, new))
        for olds, news in _groups(same, *left):
            for old, made in _pairs(olds, news, live):
                there = f" in namespace {made.id.namespace}" if made.id.namespace != old.id.namespace else ""
                words = (
                    f"renamed to {made.id.name}{there}: it is deleted and that is created, nothing of it moves along"
                )
                before = f" in namespace {old.id.namespace}" if there else ""
                noted[old.id] = replace(old, notes=(words, *old.notes))
                noted[made.id] = replace(made, notes=(*made.notes, f"renamed, was {old.id.name}{before}"))
    return noted


def _in_one_namespace(identity: ObjectId) -> tuple[Any, ...]:
    return (identity.group_kind, identity.namespace)


def _of_one_name(identity: ObjectId) -> tuple[Any, ...]:
    return (identity.group_kind, identity.name)


def _groups(
    same: Callable[[ObjectId], tuple[Any, ...]], gone: Iterable[Change], new: Iterable[Change]
) -> Iterator[tuple[list[Change], list[Change]]]:
    """Yield what goes and what comes of each kind that may be a pair; too many of one kind are no renames."""
    groups: dict[tuple[Any, ...], tuple[list[Change], list[Change]]] = defaultdict(lambda: ([], []))
    for side, changes in enumerate((gone, new)):
        for change in changes:
            groups[same(change.id)][side].append(change)
    for olds, news in groups.values():
        if olds and news and max(len(olds), len(news)) <= MOST:
            yield olds, news


def _pairs(
    gone: list[Change], new: list[Change], live: Mapping[ObjectId, Mapping[str, Any]]
) -> Iterator[tuple[Change, Change]]:
    """Yield the most alike pairs, each object in one of them at most."""
    before = {old.id: dict(_values(live[old.id])) for old in gone}
    likeness = sorted(
        (
            (share, old.id, made.id)
            for made in new
            for old in gone
            if (share := _share(made, before[old.id], old.id.name)) >= LIKENESS
        ),
        key=lambda item: (-item[0], item[1], item[2]),
    )
    olds, news = {old.id: old for old in gone}, {made.id: made for made in new}
    for _, old, made in likeness:
        if old in olds and made in news:
            yield olds.pop(old), news.pop(made)


def _share(made: Change, before: Mapping[tuple[str | int, ...], Any], name: str) -> float:
    """Return how much of the new object the old one has; values that follow from the name count as the same."""
    body = made.resource.body if made.resource is not None else {}
    wanted = dict(_values(body))
    same = sum(
        path in before and (before[path] == value or str(before[path]).replace(name, made.id.name) == str(value))
        for path, value in wanted.items()
    )
    return same / len(wanted) if wanted else 0.0


def _values(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    """Yield every value of an object's content with its path."""
    if isinstance(value, dict):
        for key, item in value.items():
            if path or key not in ("apiVersion", "kind", "metadata", "status"):
                yield from _values(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _values(item, (*path, index))
    elif value is not None:
        yield path, value
