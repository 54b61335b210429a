"""`openapi`: which lists strategic merge patches merge, and by what.

Kustomize knows one document itself, that of Kubernetes 1.21.2; a kustomization may put another in its place, for the whole
build: the root's, or else that of the first layer that has one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from reconciler import yaml
from reconciler.errors import ConfigError, RenderError
from reconciler.model.origin import Source
from reconciler.render.item import mapping, sequence
from reconciler.render.tables import merge_keys

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconciler.model.identity import GroupVersionKind
    from reconciler.model.tree import Map
    from reconciler.render.kustomization import Kustomization, Load

BUILT_IN: Final = "v1.21.2"
_REF: Final = "#/definitions/"


@dataclass(frozen=True, slots=True)
class MergeKeys:
    """The types of kinds, and the fields of types: each with its merge `keys`, whether it does `merge`, the `type` below."""

    kinds: Mapping[str, str]
    types: Mapping[str, Mapping[str, Mapping[str, Any]]]

    def type_of(self, gvk: GroupVersionKind) -> str | None:
        """Return the name of a kind's type; None for a kind that is not known."""
        return self.kinds.get("/".join(filter(None, gvk)))

    def fields_of(self, name: str | None) -> Mapping[str, Mapping[str, Any]]:
        """Return the marked fields of a type."""
        return self.types.get(name or "", {})


def built_in() -> MergeKeys:
    """Return what Kustomize knows itself."""
    table = merge_keys()
    return MergeKeys(table["kinds"], table["types"])


def read(made: Kustomization, load: Load) -> MergeKeys | None:
    """Return what a kustomization puts in the place of it; None where it says nothing."""
    wanted = made.body.get("openapi")
    if wanted is None:
        return None
    path, version = (mapping(wanted).get(key) for key in ("path", "version"))
    if path and version:
        raise made.error("openapi has a path and a version: give one of them", "openapi")
    if not path:
        if version not in (None, "", BUILT_IN):
            raise made.error(f"openapi.version {version} is not built in", "openapi", hint=f"there is {BUILT_IN}")
        return built_in() if version else None
    where, content = load(str(path), ("openapi", "path"))
    try:
        documents = yaml.parse(content, Source(where, made.directory), yaml.Dialect.KUSTOMIZATION)
    except ConfigError as error:
        raise RenderError(error.problems) from error
    return _keys(mapping(mapping(documents[0] if documents else None).get("definitions")))


def _keys(definitions: Map) -> MergeKeys:
    kinds: dict[str, str] = {}
    types: dict[str, dict[str, dict[str, Any]]] = {}
    for name, definition in definitions.items():
        body = mapping(definition)
        _type(name, body, types)
        for mark in sequence(body.get("x-kubernetes-group-version-kind")):
            gvk = mapping(mark)
            kinds["/".join(str(gvk[key]) for key in ("group", "version", "kind") if gvk.get(key))] = name
    return MergeKeys(kinds, types)


def _type(name: str, body: Map, types: dict[str, dict[str, dict[str, Any]]]) -> None:
    """Collect the marked fields of a definition, and of those that stand within it."""
    found: dict[str, dict[str, Any]] = {}
    for field, value in mapping(body.get("properties")).items():
        schema = mapping(value)
        inner = mapping(schema.get("items")) or schema
        strategy = str(schema.get("x-kubernetes-patch-strategy") or "")
        single = schema.get("x-kubernetes-patch-merge-key")
        keys = sequence(schema.get("x-kubernetes-list-map-keys")) or ([single] if single else [])
        below = str(inner.get("$ref") or "").removeprefix(_REF)
        if not below and inner.get("properties"):
            below = f"{name}/{field}"
            _type(below, inner, types)
        entry = {
            "type": below,
            "keys": list(map(str, keys)) if strategy else [],
            "merge": "merge" in strategy.split(","),
        }
        if any(entry.values()):
            found[field] = {key: item for key, item in entry.items() if item}
    types[name] = found
