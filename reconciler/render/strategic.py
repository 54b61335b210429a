"""Strategic merge patches: mappings merge, lists with a merge key merge by it, everything else is replaced.

Which list has which key comes from the API server's own marks (`merge_keys.json`, written by hack/merge-keys). Kinds that
are not built in have none: their lists are replaced whole.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from reconciler.model.tree import Map, Seq, copy

if TYPE_CHECKING:
    from reconciler.model.identity import GroupVersionKind
    from reconciler.model.origin import Origin

DIRECTIVE: Final = "$patch"
PRIMITIVE_DELETE: Final = "$deleteFromPrimitiveList/"
ORDER: Final = "$setElementOrder/"
RETAIN: Final = "$retainKeys"
PORT_KEYS: Final = ("port", "containerPort")  # these lists tell their elements apart by protocol, too

_FILE: Final = Path(__file__).with_name("merge_keys.json")


@cache
def _marks() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(_FILE.read_text())
    return found


def type_of(gvk: GroupVersionKind) -> str:
    """Return the name of a built-in kind's type, for `fields_of`; "" for any other kind."""
    found: str = _marks()["kinds"].get(f"{gvk.group}/{gvk.version}/{gvk.kind}", "")
    return found


def fields_of(name: str) -> dict[str, dict[str, str]]:
    """Return the marked fields of a type: each with its merge `key`, its `strategy` and the `type` below it, if any."""
    found: dict[str, dict[str, str]] = _marks()["types"].get(name, {})
    return found


def merge(target: Map, patch: Map, gvk: GroupVersionKind) -> bool:
    """Merge a patch into an object; return False where the patch asks for the object to go."""
    return _merge_map(target, patch, type_of(gvk))


def _merge_map(target: Map, patch: Map, kind: str) -> bool:
    directive = patch.get(DIRECTIVE)
    if directive == "delete":
        return False
    if directive == "replace":
        for key in list(target):
            target.drop(key)
    fields = fields_of(kind)
    for key, value in patch.items():
        if key.startswith(PRIMITIVE_DELETE):
            _delete_primitives(target, key.removeprefix(PRIMITIVE_DELETE), value)
        elif key != DIRECTIVE and not key.startswith(ORDER) and key != RETAIN:
            _merge_field(target, key, value, patch.origins.get(key), fields.get(key, {}))
    return True


def _merge_field(target: Map, key: str, value: Any, origin: Origin | None, mark: dict[str, str]) -> None:
    old = target.get(key)
    if value is None:
        if key in target:
            target.drop(key)
    elif isinstance(value, Map):
        _merge_child(target, key, value, origin, mark)
    elif isinstance(value, Seq):
        if isinstance(old, Seq) and mark.get("key"):
            _merge_keyed(target, key, old, value, origin, mark)
        elif isinstance(old, Seq) and mark.get("strategy") == "merge":
            _merge_primitives(old, value, origin)
        else:
            target.put(key, _cleaned(value), origin)
    else:
        target.put(key, value, origin)


def _merge_child(target: Map, key: str, value: Map, origin: Origin | None, mark: dict[str, str]) -> None:
    old = target.get(key)
    if isinstance(old, Map):
        if not _merge_map(old, value, mark.get("type", "")):
            target.drop(key)
    elif value.get(DIRECTIVE) != "delete":
        fresh = Map()
        _merge_map(fresh, value, mark.get("type", ""))
        target.put(key, fresh, origin)


def _merge_primitives(old: Seq, value: Seq, origin: Origin | None) -> None:
    for index, element in enumerate(value):
        if element not in old:
            old.add(element, value.origins[index] if index < len(value.origins) else origin)


def _merge_keyed(target: Map, key: str, old: Seq, patch: Seq, origin: Origin | None, mark: dict[str, str]) -> None:
    """Merge a list by its merge key: the patch's elements come first, in its order, then the rest."""
    if any(isinstance(item, Map) and item.get(DIRECTIVE) == "replace" for item in patch):
        target.put(key, _cleaned(patch), origin)
        return
    rest = list(zip(old, [*old.origins, *[None] * (len(old) - len(old.origins))], strict=True))
    merged = Seq()
    for index, element in enumerate(patch):
        place = patch.origins[index] if index < len(patch.origins) else origin
        found = next((pair for pair in rest if _same(pair[0], element, mark["key"])), None)
        deletes = isinstance(element, Map) and element.get(DIRECTIVE) == "delete"
        if found is not None:
            rest.remove(found)
            if not deletes and isinstance(found[0], Map) and _merge_map(found[0], element, mark.get("type", "")):
                merged.add(found[0], found[1])
        elif not deletes:
            fresh = element
            if isinstance(element, Map):
                fresh = Map()
                _merge_map(fresh, element, mark.get("type", ""))
            merged.add(fresh, place)
    for item, place in rest:
        merged.add(item, place)
    keep = target.origins.get(key)
    target[key] = merged
    if keep is not None:
        target.origins[key] = keep


def _same(one: Any, other: Any, key: str) -> bool:
    if not isinstance(one, Map) or not isinstance(other, Map) or key not in one or one.get(key) != other.get(key):
        return False
    return key not in PORT_KEYS or one.get("protocol", "TCP") == other.get("protocol", "TCP")


def _delete_primitives(target: Map, key: str, values: Any) -> None:
    old = target.get(key)
    if isinstance(old, Seq) and isinstance(values, Seq):
        kept = [(item, place) for item, place in zip(old, old.origins, strict=True) if item not in values]
        target[key] = Seq((item for item, _ in kept), (place for _, place in kept))


def _cleaned(value: Any) -> Any:
    """Return a copy of a patch's value without directives."""
    if isinstance(value, Map):
        made = Map()
        for key, item in value.items():
            if key != DIRECTIVE:
                made.put(key, _cleaned(item), value.origins.get(key))
        return made
    if isinstance(value, Seq):
        kept = [(item, index) for index, item in enumerate(value) if not _only_directive(item)]
        return Seq(
            (_cleaned(item) for item, _ in kept),
            (value.origins[index] if index < len(value.origins) else None for _, index in kept),
        )
    return copy(value)


def _only_directive(item: Any) -> bool:
    return isinstance(item, Map) and set(item) == {DIRECTIVE}
