"""`configMapGenerator` and `secretGenerator`: ConfigMaps and Secrets from files, env files and literals."""

from __future__ import annotations

import base64
import posixpath
import re
import textwrap
from typing import TYPE_CHECKING, Any, Final

from reconciler.model.origin import Origin, Source
from reconciler.model.tree import Map
from reconciler.render.item import Item, mapping

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from reconciler.render.kustomization import Kustomization

KEYS: Final = frozenset({"name", "namespace", "behavior", "files", "envs", "env", "literals", "options", "type"})
OPTIONS: Final = frozenset({"labels", "annotations", "disableNameSuffixHash", "immutable"})
KEY: Final = re.compile(r"[-._a-zA-Z0-9]{1,253}")
WIDTH: Final = 70  # columns of base64
FIELDS: Final = {"configMapGenerator": "ConfigMap", "secretGenerator": "Secret"}

Pair = tuple[str, bytes, Origin]


def generate(made: Kustomization, items: list[Item], load: Callable[..., tuple[str, bytes]]) -> None:
    """Add what a kustomization generates to the objects, or merge it into what is there."""
    options = made.body.get("generatorOptions")
    if options is not None and (not isinstance(options, Map) or set(options) - OPTIONS):
        raise made.error(f"generatorOptions knows {', '.join(sorted(OPTIONS))}", "generatorOptions")
    for field in FIELDS:
        for index, entry in made.maps(field):
            _one(made, field, index, entry, items, load)


def _one(
    made: Kustomization,
    field: str,
    index: int,
    entry: Map,
    items: list[Item],
    load: Callable[..., tuple[str, bytes]],
) -> None:
    steps = (field, index)
    unknown = set(entry) - KEYS
    if unknown:
        raise made.error(f"{field}[{index}] has an unknown key {min(unknown)}", *steps, min(unknown))
    name = entry.get("name")
    if not isinstance(name, str):
        raise made.error(f"{field}[{index}] needs a name", *steps)
    pairs: dict[str, Pair] = {}
    for pair in _pairs(made, steps, entry, load):
        if not KEY.fullmatch(pair[0]):
            hint = "expected letters, digits, dashes, underscores and dots"
            raise made.error(f"{field}[{index}]: {pair[0]!r} is no key", *steps, hint=hint)
        if pair[0] in pairs:
            raise made.error(f"{field}[{index}]: the key {pair[0]} is given twice", *steps)
        pairs[pair[0]] = pair
    item = _item(made, field, steps, entry, pairs)
    behavior = entry.get("behavior") or "create"
    same = [one for one in items if one.gvk == item.gvk and _same_name(one, item)]
    if behavior == "create":
        if same:
            hint = "use behavior: merge or replace"
            raise made.error(f"{item} is already there, from {same[0].origin}", *steps, hint=hint)
        items.append(item)
    elif behavior in ("merge", "replace"):
        if not same:
            raise made.error(f"behavior is {behavior}, and there is no {item} to {behavior}", *steps)
        _combine(same[0], item, replace=behavior == "replace")
    else:
        raise made.error(f"behavior is {behavior}", *steps, "behavior", hint="expected create, merge or replace")


def _same_name(one: Item, item: Item) -> bool:
    return item.name in one.names


def _item(made: Kustomization, field: str, steps: tuple[str, int], entry: Map, pairs: dict[str, Pair]) -> Item:
    origin = made.caused("generator", *steps)
    body, metadata = Map(), Map()
    body.put("apiVersion", "v1", origin)
    body.put("kind", FIELDS[field], origin)
    metadata.put("name", entry["name"], made.caused("generator", *steps, "name"))
    if isinstance(entry.get("namespace"), str):
        metadata.put("namespace", entry["namespace"], made.caused("generator", *steps, "namespace"))
    body.put("metadata", metadata, origin)
    if FIELDS[field] == "Secret":
        body.put("type", entry.get("type") or "Opaque", made.caused("generator", *steps, "type"))
    if FIELDS[field] == "Secret":
        body.put("data", Map(), origin)
    for key, content, place in pairs.values():
        _put(body, key, content, place)
    settings = _settings(made, steps, entry)
    for key in ("labels", "annotations"):
        if settings[key]:
            metadata.put(key, settings[key], origin)
    if settings["immutable"]:
        body.put("immutable", True, origin)
    return Item(body, origin, hashed=not settings["disableNameSuffixHash"])


def _settings(made: Kustomization, steps: tuple[str, int], entry: Map) -> dict[str, Any]:
    """Return the options of an entry over those of the whole kustomization."""
    own, shared = mapping(entry.get("options")), mapping(made.body.get("generatorOptions"))
    if set(own) - OPTIONS:
        raise made.error(f"{steps[0]}[{steps[1]}].options knows {', '.join(sorted(OPTIONS))}", *steps, "options")
    settings: dict[str, Any] = {}
    for key in ("labels", "annotations"):
        merged = Map()
        for place, found in ((("generatorOptions",), shared), ((*steps, "options"), own)):
            for name, value in mapping(found.get(key)).items():
                merged.put(name, str(value), made.caused("generator", *place, key, name))
        settings[key] = merged
    for key in ("disableNameSuffixHash", "immutable"):
        settings[key] = own.get(key) is True or (key not in own and shared.get(key) is True)
    return settings


def _put(body: Map, key: str, content: bytes, place: Origin) -> None:
    field, value = "data", ""
    if body["kind"] == "Secret":
        value = wrapped(content)
    else:
        try:
            value = content.decode()
        except UnicodeDecodeError:
            field, value = "binaryData", wrapped(content)
    if field not in body:
        body.put(field, Map(), place)
    body[field].put(key, value, place)


def wrapped(content: bytes) -> str:
    """Return content as base64, in lines where it is long."""
    text = base64.b64encode(content).decode()
    return text if len(text) <= WIDTH else "".join(f"{line}\n" for line in textwrap.wrap(text, WIDTH))


def _combine(target: Item, item: Item, *, replace: bool) -> None:
    """Put generated content into an object that is there: beside its own, or instead of it."""
    for field in ("data", "binaryData"):
        fresh = item.body.get(field)
        if replace and field in target.body:
            target.body.drop(field)
        if fresh is not None:
            kept = target.body.get(field)
            if not isinstance(kept, Map):
                target.body.put(field, Map(), item.origin)
            for key, value in fresh.items():
                target.body[field].put(key, value, fresh.origins.get(key))
    for field in ("labels", "annotations"):
        for key, value in mapping(item.metadata.get(field)).items():
            if not isinstance(target.metadata.get(field), Map):
                target.metadata.put(field, Map(), item.origin)
            target.metadata[field].put(key, value, item.metadata[field].origins.get(key))
    if "immutable" in item.body:
        target.body.put("immutable", item.body["immutable"], item.origin)
    target.hashed = target.hashed and item.hashed


def _pairs(
    made: Kustomization, steps: tuple[str, int], entry: Map, load: Callable[..., tuple[str, bytes]]
) -> Iterator[Pair]:
    envs = list(entry.get("envs") or ()) + ([entry["env"]] if entry.get("env") else [])
    for path in envs:
        where, content = load(str(path), (*steps, "envs"))
        yield from _env_file(made, steps, where, content)
    for number, literal in enumerate(entry.get("literals") or ()):
        key, found, value = str(literal).partition("=")
        if not found:
            raise made.error(f"literals[{number}] has no =: expected key=value", *steps, "literals", number)
        yield key, _unquoted(value).encode(), made.caused("generator", *steps, "literals", number)
    for number, text in enumerate(entry.get("files") or ()):
        key, found, path = str(text).rpartition("=")
        where, content = load(path, (*steps, "files", number))
        yield (
            (key if found else posixpath.basename(path)),
            content,
            Origin(Source(where, made.directory), 1, "generator"),
        )


def _env_file(made: Kustomization, steps: tuple[str, int], where: str, content: bytes) -> Iterator[Pair]:
    source = Source(where, made.directory)
    for number, line in enumerate(content.decode("utf-8-sig", "replace").splitlines(), 1):
        text = line.lstrip()
        if not text or text.startswith("#"):
            continue
        key, found, value = text.partition("=")
        if not found:
            raise made.error(f"{where}:{number} has no =: expected KEY=value", *steps)
        yield key, value.encode(), Origin(source, number, "generator")


def _unquoted(value: str) -> str:
    quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "\"'"
    return value[1:-1] if quoted else value
