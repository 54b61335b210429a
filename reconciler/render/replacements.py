"""`replacements`: the value of one field copied into others (api/filters/replacement of Kustomize)."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from reconciler import yaml
from reconciler.errors import ConfigError, Problem, RenderError
from reconciler.limits import DEPTH, NODES, TEXT
from reconciler.model.origin import Origin, Source
from reconciler.model.path import format_path
from reconciler.model.tree import Map, copy, extent
from reconciler.render import fieldpath, shapes
from reconciler.render.kustomization import usual_keys
from reconciler.render.selectors import Selector, SelectorInvalid, candidates

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.render.item import Item
    from reconciler.render.kustomization import Kustomization, Load
    from reconciler.render.loading import Loader

DEFAULT_PATH: Final = "metadata.name"
IDENTITY: Final = ("group", "version", "kind", "name", "namespace")


class _Unfit(Exception):
    """A replacement that cannot be carried out; its text says why."""


@dataclass(frozen=True, slots=True)
class _Options:
    delimiter: str = ""
    index: int = 0
    create: bool = False


@dataclass(frozen=True, slots=True)
class _Rule:
    """One replacement, where it stands, and what to say it is."""

    body: Map
    origin: Origin

    def problem(self, message: str, hint: str = "") -> Problem:
        return Problem(self.origin.source.file, self.origin.line, message, hint)


def carry_out(made: Kustomization, items: list[Item], load: Loader) -> list[Problem]:
    """Carry out a kustomization's replacements in their order; the problems of all of them are raised together.

    Return, where the loader is thorough, a warning for each that changes nothing.
    """
    problems: list[Problem] = []
    idle: list[Problem] = []
    for rule in _rules(made, load):
        before = [copy(item.body) for item in items] if load.thorough else []
        try:
            _replace(rule, items)
            if before and before == [item.body for item in items] and not made.is_component:
                idle.append(rule.problem("the replacement changes nothing", "take it out, or the value that it sets"))
        except _Unfit as error:
            problems.append(rule.problem(str(error)))
        except SelectorInvalid as error:
            problems.append(rule.problem(f"a selector of the replacement is wrong: {error}"))
    if problems:
        raise RenderError(problems)
    return idle


def _rules(made: Kustomization, load: Load) -> Iterator[_Rule]:
    for index, entry in made.maps("replacements"):
        path = entry.get("path")
        if path is None:
            yield _Rule(entry, made.caused("replacement", "replacements", index))
            continue
        if set(entry) != {"path"} or not isinstance(path, str):
            hint = "a replacement is either a path or a source and targets"
            raise made.error(f"replacements[{index}] has other keys beside path", "replacements", index, hint=hint)
        where, content = load(path, ("replacements", index, "path"))
        yield from _of_file(where, content, posixpath.dirname(where))


def _of_file(where: str, content: bytes, layer: str) -> Iterator[_Rule]:
    """Yield the replacements of a file: one, a list of them, or several documents."""
    try:
        documents = yaml.parse(content, Source(where, layer))
    except ConfigError as error:
        raise RenderError(error.problems) from error
    for document in documents:
        bodies = document if isinstance(document, list) else [document]
        for body in bodies:
            if body is None:
                continue
            if not isinstance(body, Map):
                raise RenderError([Problem(where, 1, "expected a replacement, with source and targets, or a list")])
            line = min((origin.line for origin in body.origins.values()), default=1)
            yield _Rule(usual_keys(body), Origin(Source(where, layer), line, "replacement"))


def _replace(rule: _Rule, items: list[Item]) -> None:
    for steps, expected in shapes.unfit(rule.body, shapes.REPLACEMENT):
        raise _Unfit(f"{format_path(steps)} has to be {expected.words}")
    source, value, targets = rule.body.get("source"), rule.body.get("sourceValue"), rule.body.get("targets")
    if not isinstance(targets, list) or not targets or (source is None and value is None):
        raise _Unfit("a replacement needs a source and at least one target")
    if source is not None and value is not None:
        raise _Unfit("a replacement has a source or a sourceValue, not both")
    origin: Origin | None
    if value is not None:
        origin = rule.body.origins.get("sourceValue", rule.origin)
    else:
        value, origin = _source(source, items)
    caused = Origin(origin.source, origin.line, "replacement", None, origin.text) if origin else rule.origin
    for target in targets:
        if not isinstance(target, Map) or not isinstance(target.get("select"), Map):
            raise _Unfit("a target must specify what to select")
        _target(target, items, value, caused)


def _source(source: Any, items: list[Item]) -> tuple[Any, Origin | None]:
    if not isinstance(source, Map):
        raise _Unfit("source has to be a mapping")
    found = [item for item in items if _is_source(source, item)]
    told = ", ".join(f"{key} {source[key]}" for key in IDENTITY if source.get(key)) or "everything"
    if not found:
        near = candidates(str(source.get("name") or source.get("kind") or ""), items)
        raise _Unfit(f"nothing is selected by the source ({told})" + (f"; {near}" if near else ""))
    if len(found) > 1:
        raise _Unfit(f"the source ({told}) selects several objects: {', '.join(map(str, found))}")
    path = source.get("fieldPath") or DEFAULT_PATH
    places = fieldpath.places(found[0].body, fieldpath.split(str(path)), create=False, origin=None)
    if not places or places[0].value in (None, "", {}, []):
        raise _Unfit(f"field {path} is missing in the source {found[0]}")
    value, options = places[0].value, _options(source)
    if options.delimiter:
        parts = _parts(value, options.delimiter)
        if not 0 <= options.index < len(parts):
            raise _Unfit(
                f"options.index {options.index} is out of bounds: the value of {found[0]} has {len(parts)} parts"
            )
        return parts[options.index], (places[0].origin or found[0].origin)._replace(text=None)
    return value, places[0].origin or found[0].origin


def _is_source(source: Map, item: Item) -> bool:
    """Whether an object is the source; unlike in a target, names are no patterns."""
    gvk = item.gvk
    wanted = {key: str(source[key]) for key in IDENTITY if source.get(key)}
    if any(wanted.get(key, known) != known for key, known in (("group", gvk.group), ("version", gvk.version))):
        return False
    return any(
        wanted.get("name", name.name) == name.name
        and wanted.get("kind", name.kind) == name.kind
        and wanted.get("namespace", name.namespace) == name.namespace
        for name in item.names
    )


def _target(target: Map, items: list[Item], value: Any, origin: Origin) -> None:
    options = _options(target)
    select = Selector.of(target["select"])
    rejects = [Selector.of(entry) for entry in target.get("reject") or () if isinstance(entry, Map)]
    paths = target.get("fieldPaths") or [DEFAULT_PATH]
    for item in items:
        if not select.matches_any(item) or any(reject.matches_any(item) for reject in rejects):
            continue
        for path in paths:
            leaf = copy(value)
            found = fieldpath.places(
                item.body, fieldpath.split(str(path)), create=options.create, origin=origin, leaf=leaf
            )
            if not found:
                raise _Unfit(f"there is no field {path} in the target {item} (options.create: true makes it)")
            for place in found:
                _set(place, value, options, origin)
            if isinstance(value, dict | list) or options.create:
                _bounded(item)


def _bounded(item: Item) -> None:
    """Refuse an object that replacements have made too large: each of a part within itself may double it."""
    nodes, depth = extent(item.body, NODES)
    if nodes > NODES or depth > DEPTH:
        raise _Unfit(f"{item} gets more than {NODES} nodes, or is nested more than {DEPTH} levels deep")


def _set(place: fieldpath.Place, value: Any, options: _Options, origin: Origin) -> None:
    old, fresh = place.value, copy(value)
    if options.delimiter:
        parts, text = _parts(old, options.delimiter), _text(value, origin)
        origin = origin._replace(text=None)
        if options.index < 0:
            parts.insert(0, text)
        elif options.index >= len(parts):
            parts.append(text)
        else:
            parts[options.index] = text
        fresh = options.delimiter.join(parts)
        if len(fresh) > TEXT:
            raise _Unfit(f"the value gets longer than {TEXT >> 20} Mi characters")
    if not isinstance(old, dict | list) and old is not None and not isinstance(fresh, dict | list):
        fresh = _like(old, _text(fresh, origin))
    place.put(fresh, origin)


def _like(old: Any, text: str) -> Any:
    """Return a scalar as the type of the one that it replaces, as far as its text can be read as such."""
    if isinstance(old, str):
        return text
    read = yaml.resolve(text)
    return read if not isinstance(read, str) else text


def _parts(value: Any, delimiter: str) -> list[str]:
    if isinstance(value, dict | list):
        raise _Unfit("the delimiter option can only be used with scalar nodes")
    return _text(value, None).split(delimiter)


def _text(value: Any, origin: Origin | None) -> str:
    """Return the text of a scalar, as it is written where that is known."""
    if origin is not None and origin.text is not None:
        return origin.text
    return "" if value is None else yaml.canonical(value) if not isinstance(value, str) else value


def _options(holder: Map) -> _Options:
    options = holder.get("options")
    if options is None:
        return _Options()
    if not isinstance(options, Map):
        raise _Unfit("options has to be a mapping")
    unknown = set(options) - {"delimiter", "index", "create", "encoding"}
    if unknown:
        raise _Unfit(f"unknown option {min(unknown)}: expected delimiter, index, create")
    index = options.get("index") or 0
    if not isinstance(index, int) or isinstance(index, bool):
        raise _Unfit("options.index has to be a number")
    return _Options(str(options.get("delimiter") or ""), index, options.get("create") is True)
