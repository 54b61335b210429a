"""`vars`: values of fields put where `$(NAME)` stands (deprecated by Kustomize in favour of replacements)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from reconciler.errors import Problem, RenderError
from reconciler.model.identity import GroupVersionKind
from reconciler.model.origin import Origin
from reconciler.model.tree import Map, Seq
from reconciler.render import fieldpath
from reconciler.render.fieldspec import FieldSpec, holders
from reconciler.render.item import mapping

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reconciler.render.item import Item
    from reconciler.render.kustomization import Kustomization

_USE: Final = re.compile(r"\$(?:\$|\(([^()$\s]*)\))")
_INDEX: Final = re.compile(r"\[(\d+)\]")


@dataclass(frozen=True, slots=True)
class Variable:
    """One variable: where it is declared, and the object and field that it is read from in the end."""

    name: str
    path: str
    origin: Origin
    item: Item | None
    wanted: str  # the reference in words


def collect(made: Kustomization, items: list[Item]) -> list[Variable]:
    """Return the variables that a kustomization declares; each means an object that is there by now."""
    found: list[Variable] = []
    for index, entry in made.maps("vars"):
        name, reference = entry.get("name"), entry.get("objref")
        if not isinstance(name, str) or not isinstance(reference, Map):
            raise made.error(f"vars[{index}] needs a name and an objref", "vars", index)
        field = mapping(entry.get("fieldref"))
        path = field.get("fieldpath") or field.get("fieldPath") or "metadata.name"
        same = [item for item in items if _meant(reference, item)]
        if len(same) > 1:
            told = ", ".join(map(str, same))
            raise made.error(f"vars[{index}] {name} means several objects: {told}", "vars", index)
        wanted = f"{reference.get('kind')}/{reference.get('name')}"
        found.append(Variable(name, str(path), made.caused("var", "vars", index), same[0] if same else None, wanted))
    return found


def together(made: Kustomization, known: list[Variable], more: Iterable[Variable]) -> None:
    """Add variables to those that are known; the same one may come twice, on two ways through the layers."""
    for one in more:
        twin = next((item for item in known if item.name == one.name), None)
        if twin is None:
            known.append(one)
        elif (twin.path, twin.wanted) != (one.path, one.wanted):
            raise made.error(f"the variable {one.name} is declared twice: at {twin.origin} and at {one.origin}", "vars")


def resolve(variables: list[Variable], items: Iterable[Item], specs: Iterable[FieldSpec]) -> None:
    """Put every variable's value where it is used; raises RenderError for one that has no value."""
    if not variables:
        return
    values: dict[str, tuple[Any, Origin]] = {}
    problems: list[Problem] = []
    for one in variables:
        place = _place(one)
        if place is None or isinstance(place.value, dict | list):
            told = f"the variable {one.name}: {one.wanted} has no field {one.path} with a plain value"
            problems.append(Problem(one.origin.source.file, one.origin.line, told))
        else:
            at = place.origin or (one.item.origin if one.item is not None else one.origin)
            values[one.name] = (place.value, Origin(at.source, at.line, "var"))
    if problems:
        raise RenderError(problems)
    specs = tuple(specs)
    for item in items:
        gvk = item.gvk
        for spec in specs:
            if spec.fits(gvk):
                for node, key in holders(item.body, spec, None):
                    _fill(node, key, values)


def _meant(reference: Map, item: Item) -> bool:
    gvk = item.gvk
    given = str(reference.get("apiVersion") or "")
    wanted = GroupVersionKind.of({"apiVersion": given, "kind": ""}) if given else None
    group = str(reference.get("group") or (wanted.group if wanted else ""))
    version = str(reference.get("version") or (wanted.version if wanted else ""))
    if reference.get("kind") not in (None, "", gvk.kind) or group not in ("", gvk.group):
        return False
    if version not in ("", gvk.version) or (wanted is not None and wanted.group != gvk.group):
        return False
    space = reference.get("namespace")
    return any(name.name == reference.get("name") and space in (None, "", name.namespace) for name in item.names)


def _place(one: Variable) -> fieldpath.Place | None:
    if one.item is None:
        return None
    steps = fieldpath.split(_INDEX.sub(r".\1", one.path))
    found = fieldpath.places(one.item.body, steps, create=False, origin=None)
    return found[0] if found else None


def _fill(node: Map, key: str, values: dict[str, tuple[Any, Origin]]) -> None:
    value = node.get(key)
    if isinstance(value, str):
        fresh, origin = _expanded(value, values)
        if origin is not None:
            node.put(key, fresh, origin)
    elif isinstance(value, Map):
        for inner, text in list(value.items()):
            if isinstance(text, str):
                _fill(value, inner, values)
    elif isinstance(value, Seq):
        for index, text in enumerate(value):
            if isinstance(text, str):
                fresh, origin = _expanded(text, values)
                if origin is not None:
                    value.put(index, fresh, origin)


def _expanded(text: str, values: dict[str, tuple[Any, Origin]]) -> tuple[Any, Origin | None]:
    """Return a text with its variables filled in, and the line of the last; a text that is one keeps its type.

    `$$` stands for `$` where something is filled in, and what is no variable stays.
    """
    whole = _USE.fullmatch(text)
    if whole is not None and whole[1] in values:
        return values[whole[1]]
    used: list[Origin] = []

    def fill(found: re.Match[str]) -> str:
        if found[0] == "$$":
            return "$"
        if found[1] not in values:
            return found[0]
        value, origin = values[found[1]]
        used.append(origin)
        return str(value).lower() if isinstance(value, bool) else str(value)

    fresh = _USE.sub(fill, text)
    return (fresh, used[-1]) if used else (text, None)
