"""Names that refer to other objects: when an object's name changed, whoever refers to it follows.

Which fields refer to which kinds is Kustomize's own table (`tables/field_specs.json`) with what `configurations` add. Which
of several objects is meant follows its nameref filter: one that had the name before, of the kind, within reach of the
referrer's namespace, and of those one whose prefixes and suffixes agree with the referrer's.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reconciler.errors import Problem, RenderError
from reconciler.model.origin import Origin
from reconciler.model.tree import Map, Seq
from reconciler.render.fieldspec import FieldSpec, holders
from reconciler.render.item import sequence
from reconciler.render.kinds import cluster_scoped

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from reconciler.render.configuration import NameReference
    from reconciler.render.item import Item


@dataclass(frozen=True, slots=True)
class _Place:
    """A field that refers: who has it, the kind that it means, and where it stands."""

    referrer: Item
    target: NameReference
    path: str
    holder: Map


def follow(items: Iterable[Item], references: Sequence[NameReference]) -> None:
    """Let every reference follow the renames of what it refers to; raises RenderError where that is not clear."""
    items = list(items)
    known: dict[str, list[Item]] = defaultdict(list)
    for item in items:
        for name in dict.fromkeys(one.name for one in item.earlier):
            known[name].append(item)
    if not known:
        return
    by_kind = _by_kind(items, references)
    for item in items:
        gvk = item.gvk
        for target, spec in (*by_kind.get(gvk.kind, ()), *by_kind.get("", ())):
            if spec.fits(gvk):
                for holder, key in holders(item.body, spec, None):
                    _follow(known, _Place(item, target, spec.path, holder), key)


def _by_kind(
    items: list[Item], references: Sequence[NameReference]
) -> dict[str, list[tuple[NameReference, FieldSpec]]]:
    """Return the fields that refer to something that was renamed, by the kind that has them."""
    renamed = {name.kind for item in items for name in item.earlier}
    found: dict[str, list[tuple[NameReference, FieldSpec]]] = defaultdict(list)
    for reference in references:
        if not reference.kind or reference.kind in renamed:
            for spec in reference.specs:
                found[spec.kind].append((reference, spec))
    return found


def _follow(known: dict[str, list[Item]], place: _Place, key: str) -> None:
    value = place.holder[key]
    if isinstance(value, str):
        found = _meant(known.get(value, ()), place)
        if found is not None and found.name.name != value:
            place.holder.put(key, found.name.name, _cause(found))
    elif isinstance(value, Map):
        _whole(known, place, value)
    elif isinstance(value, Seq):
        for position, one in enumerate(value):
            if isinstance(one, Map):
                _whole(known, place, one)
            elif isinstance(one, str):
                found = _meant(known.get(one, ()), place)
                if found is not None and found.name.name != one:
                    value.put(position, found.name.name, _cause(found))


def _whole(known: dict[str, list[Item]], place: _Place, value: Map) -> None:
    """Follow a reference that may name a namespace, too: it gets the one of the object that is meant."""
    name, space = value.get("name"), value.get("namespace")
    if not isinstance(name, str):
        return
    candidates = known.get(name, [])
    if isinstance(space, str):
        before = [item for item in candidates if item.first.namespace == space]
        candidates = before or [item for item in candidates if item.name.namespace == space]
    found = _meant(candidates, place, both=True)
    if found is None or (found.name.name == name and not found.namespace):
        return
    if found.name.name != name:
        value.put("name", found.name.name, _cause(found))
    if found.namespace and found.namespace != space:
        value.put("namespace", found.namespace, _cause(found, "namespace"))


def _meant(candidates: Sequence[Item], place: _Place, *, both: bool = False) -> Item | None:
    """Return the object that a name means; `both`: its namespace matters, too."""
    found = [item for item in candidates if _is_kind(item, place) and _in_reach(place.referrer, item)]
    if len(found) > 1:
        found = [item for item in found if _agree(item, place.referrer, allow_empty=True)]
    if len(found) > 1:
        found = [item for item in found if _agree(item, place.referrer, allow_empty=False)]
    if not found:
        return None
    if len({(item.name.name, item.namespace if both else "") for item in found}) > 1:
        origin = place.referrer.origin
        told = f"{place.path} of {place.referrer} may mean several objects: {', '.join(map(str, found))}"
        raise RenderError([Problem(origin.source.file, origin.line, told, "name the namespace that is meant")])
    return found[0]


def _is_kind(item: Item, place: _Place) -> bool:
    """Whether an object is, or was, of the kind that is meant; a roleRef says itself which kind that is."""
    target, gvk = place.target, item.gvk
    if target.group not in (None, gvk.group) or target.version not in (None, gvk.version):
        return False
    kinds = {name.kind for name in item.earlier}
    if target.kind and target.kind not in kinds:
        return False
    if place.path.endswith("roleRef/name"):
        role = place.holder
        return role.get("kind") in kinds and role.get("apiGroup", gvk.group) == gvk.group
    return True


def _in_reach(referrer: Item, item: Item) -> bool:
    """Whether an object can refer to another one by name."""
    if cluster_scoped(referrer.gvk) or cluster_scoped(item.gvk) or referrer.name.namespace == item.name.namespace:
        return True
    return item.gvk.kind == "ServiceAccount" and item.namespace in _spaces(referrer)


def _spaces(referrer: Item) -> Iterator[str]:
    """Yield the namespaces of the ServiceAccounts that a RoleBinding names."""
    if referrer.gvk.kind == "RoleBinding":
        for subject in sequence(referrer.body.get("subjects")):
            if isinstance(subject, Map) and subject.get("kind") == "ServiceAccount":
                yield str(subject.get("namespace") or "")


def _agree(one: Item, other: Item, *, allow_empty: bool) -> bool:
    """Whether two objects were given their prefixes and suffixes by the same layers, as far as that can be seen."""
    return all(
        (allow_empty and (not left or not right)) or _same_end(left, right)
        for left, right in ((one.prefixes, other.prefixes), (one.suffixes, other.suffixes))
    )


def _same_end(one: list[str], other: list[str]) -> bool:
    short, long = sorted((one, other), key=len)
    return long[len(long) - len(short) :] == short if short else not long


def _cause(found: Item, key: str = "name") -> Origin:
    at = found.metadata.origins.get(key, found.origin)
    return Origin(at.source, at.line, "nameReference")
