"""Strategic merge patches as Kustomize carries them out (merge2 and walk of its kyaml).

Mappings merge, lists with merge keys merge by them with the patch's elements first, everything else is replaced. Kustomize
goes through the whole object, not only through what the patch names: a field that is left empty (`selector:`) vanishes,
one that says `null` stays, and elements with equal merge keys become one. Which lists merge is for `openapi` to say: those
of kinds that are not known are replaced whole.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from reconciler.model.identity import GroupVersionKind
from reconciler.model.tree import Map, Seq, copy
from reconciler.render.item import text_at

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconciler.model.origin import Origin
    from reconciler.render.openapi import MergeKeys

DIRECTIVE: Final = "$patch"
DIRECTIVES: Final = ("delete", "merge", "replace")


class MergeFailed(Exception):
    """A patch that does not fit; its text says why."""


def merge(target: Map, patch: Map, schema: MergeKeys, *kinds: GroupVersionKind) -> bool:
    """Merge a patch into an object; return False where the patch asks for the object to go. Raises MergeFailed.

    `kinds` are those that the object and the patch say they are: the first that is known tells which lists merge.
    """
    directive = _directive(patch)
    if directive == "delete":
        return False
    if directive == "replace":
        for key in list(target):
            target.drop(key)
    kind = next((found for gvk in kinds if (found := schema.type_of(gvk)) is not None), None)
    _Merge(schema).fields(target, patch, kind)
    return True


class _Merge:
    """Merging by what a schema says of lists."""

    def __init__(self, schema: MergeKeys) -> None:
        self._schema = schema

    def fields(self, target: Map, patch: Map, kind: str | None) -> None:
        """Merge the fields of a mapping into one that is there."""
        if kind is None:
            kind = self._embedded(target) or self._embedded(patch)
        marks = self._schema.fields_of(kind)
        below = None if kind is None else ""
        for key in list(target):
            if key not in patch:
                self._settle(target, key, marks.get(key, {}), below)
        for key, value in patch.items():
            if key != DIRECTIVE:
                self._field(target, key, value, patch.origins.get(key), marks.get(key, {}), below)

    def _embedded(self, value: Map) -> str | None:
        """Return the type of a mapping that says itself what it is, within an object of a kind that is not known."""
        if "kind" not in value or "apiVersion" not in value:
            return None
        return self._schema.type_of(GroupVersionKind.of(value))

    def _settle(self, target: Map, key: str, mark: Mapping[str, Any], below: str | None) -> None:
        """Go through a field that the patch does not name."""
        value = target[key]
        if value is None:
            if text_at(target, key) == "":
                target.drop(key)
        elif isinstance(value, Map):
            self.fields(value, _NOTHING, mark.get("type", below))
        elif isinstance(value, Seq) and mark.get("merge"):
            _replace(target, key, self._merged(value, Seq(), mark))

    def _field(
        self, target: Map, key: str, value: Any, origin: Origin | None, mark: Mapping[str, Any], below: str | None
    ) -> None:
        old = target.get(key)
        if value is None:
            if key in target:
                target.drop(key)
        elif isinstance(value, Map):
            self._mapping(target, key, value, origin, mark.get("type", below))
        elif isinstance(value, Seq):
            if old is not None and not isinstance(old, Seq):
                raise _other_kind(key, old, value)
            if mark.get("merge"):
                self._sequence(target, key, value, origin, mark)
            else:
                target.put(key, copy(value), origin)
        else:
            if isinstance(old, Map | Seq):
                raise _other_kind(key, old, value)
            target.put(key, value, origin)

    def _mapping(self, target: Map, key: str, value: Map, origin: Origin | None, kind: str | None) -> None:
        old = target.get(key)
        directive = _directive(value)
        if old is not None and not isinstance(old, Map):
            raise _other_kind(key, old, value)
        if directive == "delete":
            if key in target:
                target.drop(key)
        elif old is None or directive == "replace":
            fresh = Map()
            self.fields(fresh, value, kind)
            target.put(key, fresh, origin)
        else:
            self.fields(old, value, kind)

    def _sequence(self, target: Map, key: str, value: Seq, origin: Origin | None, mark: Mapping[str, Any]) -> None:
        directive, value = _list_directive(value)
        if directive == "delete":
            if key in target:
                target.drop(key)
            return
        old = target.get(key)
        if old is None or directive == "replace":
            fresh = self._merged(Seq(), value, mark)
            if fresh or not value:
                target.put(key, fresh, origin)
        else:
            _replace(target, key, self._merged(old, value, mark))

    def _merged(self, old: Seq, patch: Seq, mark: Mapping[str, Any]) -> Seq:
        """Return two lists as one: the patch's elements first, and those of one identity together."""
        keys = mark.get("keys", [])
        if not keys:
            return _primitives(old, patch)
        known = _identities(old, patch, keys)
        fits = [index for index in range(len(keys)) if any(values[index] for values in known)] or list(range(len(keys)))
        made = Seq()
        gone: list[tuple[str, ...]] = []
        for values in known:
            element, origin = self._element(old, patch, keys, values, mark)
            if element is None or element == {}:
                gone.append(values)
                continue
            for index in fits:
                if values[index] and keys[index] not in element:
                    element.put(keys[index], values[index], origin)
            _set(made, element, origin, keys, fits, values)
        for position, element in enumerate(old):
            if not any(_is(element, keys, fits, values) for values in gone):
                _keep(made, element, _origin(old, position), keys, fits)
        return made

    def _element(
        self, old: Seq, patch: Seq, keys: list[str], values: tuple[str, ...], mark: Mapping[str, Any]
    ) -> tuple[Map | None, Origin | None]:
        """Return the element of an identity, merged; None where the patch deletes it."""
        named = [index for index, value in enumerate(values) if value] or list(range(len(keys)))
        before, after = (_find(elements, keys, named, values) for elements in (old, patch))
        kind = mark.get("type", "")
        if after is None:
            if before is None:
                return None, None
            body: Map = old[before]
            self.fields(body, _NOTHING, kind)
            return body, _origin(old, before)
        content: Map = patch[after]
        directive = _directive(content)
        if directive == "delete":
            return None, None
        if before is None or directive == "replace":
            body = Map()
            self.fields(body, content, kind)
            return body, _origin(patch, after)
        body = old[before]
        self.fields(body, content, kind)
        return body, _origin(old, before)


def _replace(target: Map, key: str, value: Seq) -> None:
    """Set a list whose elements have origins of their own, so that the field's stays."""
    target[key] = value


def _find(elements: Seq, keys: list[str], named: list[int], values: tuple[str, ...]) -> int | None:
    return next((position for position, element in enumerate(elements) if _is(element, keys, named, values)), None)


def _is(element: Any, keys: list[str], named: list[int], values: tuple[str, ...]) -> bool:
    """Whether an element has the values of an identity; where it has none any value will do, but there has to be one."""
    return isinstance(element, Map) and all(
        keys[index] in element and (not values[index] or text_at(element, keys[index]) == values[index])
        for index in named
    )


def _identities(old: Seq, patch: Seq, keys: list[str]) -> list[tuple[str, ...]]:
    """Return the identities of all elements once, those of the patch first.

    With several keys an element that leaves one out is the one that has the others in common.
    """
    found = list(dict.fromkeys(_values(element, keys) for element in (*patch, *old)))
    if len(keys) > 1:
        for first in range(len(found)):
            for second in range(len(found)):
                together = _together(found[first], found[second])
                if together is not None:
                    found[first] = found[second] = together
    return found


def _together(one: tuple[str, ...], other: tuple[str, ...]) -> tuple[str, ...] | None:
    if any(left != right and left and right for left, right in zip(one, other, strict=True)):
        return None
    if not any(left == right for left, right in zip(one, other, strict=True)):
        return None
    return tuple(left or right for left, right in zip(one, other, strict=True))


def _values(element: Any, keys: list[str]) -> tuple[str, ...]:
    if not isinstance(element, Map):
        return ("",) * len(keys)
    return tuple("" if element.get(key) in (None, "", {}, []) else text_at(element, key) for key in keys)


def _set(
    made: Seq, element: Map, origin: Origin | None, keys: list[str], fits: list[int], values: tuple[str, ...]
) -> None:
    """Put an element where one of its identity stands, else at the end."""
    position = _find(made, keys, fits, values)
    if position is None:
        made.add(element, origin)
    else:
        made[position] = element
        made.origins[position] = origin


def _keep(made: Seq, element: Any, origin: Origin | None, keys: list[str], fits: list[int]) -> None:
    """Put an element of the object in its place: with several keys behind what is new, else where its identity is."""
    values = _values(element, keys)
    if not isinstance(element, Map) or not any(values[index] for index in fits):
        made.add(element, origin)
        return
    if len(fits) > 1:
        given = [text_at(element, keys[index]) for index in fits if keys[index] in element]
        for position in range(len(made) - 1, -1, -1):
            other = made[position]
            if all(
                keys[index] in other and text_at(other, keys[index]) == text
                for index, text in zip(fits, given, strict=False)
            ):
                del made[position]
                del made.origins[position]
        made.add(element, origin)
    else:
        _set(made, element, origin, keys, fits, values)


def _primitives(old: Seq, patch: Seq) -> Seq:
    made = Seq()
    for elements in (patch, old):
        for position, element in enumerate(elements):
            if element not in made:
                made.add(element, _origin(elements, position))
    return made


def _origin(elements: Seq, position: int) -> Origin | None:
    return elements.origins[position] if position < len(elements.origins) else None


def _directive(patch: Map) -> str:
    """Return a mapping's directive, which is taken out of what is merged; raises MergeFailed for one that is not known."""
    directive = patch.get(DIRECTIVE)
    if directive is None:
        return "merge"
    if directive not in DIRECTIVES:
        raise MergeFailed(f"{DIRECTIVE} is {directive}: expected {', '.join(DIRECTIVES)}")
    return str(directive)


def _list_directive(patch: Seq) -> tuple[str, Seq]:
    """Return a list's directive, an element of its own, and the list without it."""
    for element in patch:
        if isinstance(element, Map) and DIRECTIVE in element:
            if len(element) > 1:
                break  # it is for the element
            kept = [position for position, other in enumerate(patch) if other is not element]
            rest = Seq((patch[position] for position in kept), (_origin(patch, position) for position in kept))
            return _directive(element), rest
    return "merge", patch


def _other_kind(key: str, old: Any, value: Any) -> MergeFailed:
    return MergeFailed(f"{key} is {_kind(old)} in the object, and {_kind(value)} in the patch")


def _kind(value: Any) -> str:
    return "a mapping" if isinstance(value, Map) else "a list" if isinstance(value, Seq) else "a plain value"


_NOTHING: Final = Map()
