"""`crds`: definitions that say which fields of custom kinds are references, labels, annotations or identities.

The files are OpenAPI documents as Kustomize wants them (api/internal/accumulator/loadconfigfromcrds.go): a mapping of type
names to schemas, with marks like `x-kubernetes-object-ref-kind`. Where they say what, the steps go there, too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from reconciler import yaml
from reconciler.errors import ConfigError, RenderError
from reconciler.limits import DEPTH
from reconciler.model.origin import Source
from reconciler.render.configuration import Configuration, NameReference
from reconciler.render.fieldspec import FieldSpec
from reconciler.render.item import mapping

if TYPE_CHECKING:
    from reconciler.model.tree import Map
    from reconciler.render.kustomization import Kustomization, Load

OBJECT: Final = frozenset({"kind", "apiVersion", "metadata"})


def read(made: Kustomization, load: Load) -> Configuration:
    """Return the fields that the definitions of a kustomization mark."""
    found: dict[str, list[Any]] = {}
    for index, entry in enumerate(made.entries("crds")):
        if not isinstance(entry, str):
            raise made.error(f"crds[{index}] has to be a path", "crds", index)
        where, content = load(entry, ("crds", index))
        try:
            documents = yaml.parse(content, Source(where, made.directory), yaml.Dialect.KUSTOMIZATION)
        except ConfigError as error:
            raise RenderError(error.problems) from error
        types = mapping(documents[0]) if documents else mapping(None)
        for name in types:
            if _properties(types, name).keys() >= OBJECT:
                _collect(types, name, name.rsplit(".", 1)[-1], (), found)
    return Configuration(**{step: tuple(specs) for step, specs in found.items()})


def _properties(types: Map, name: str) -> Map:
    body = mapping(types.get(name))
    return mapping(mapping(body.get("Schema") or body.get("schema") or body).get("properties"))


def _collect(types: Map, name: str, kind: str, path: tuple[str, ...], found: dict[str, list[Any]]) -> None:
    """Collect the marked fields of a type; a type within itself is looked at once."""
    for field, value in _properties(types, name).items():
        marks, way = mapping(value), (*path, field)
        spec = FieldSpec("/".join(way), kind)
        for mark, step in (
            ("x-kubernetes-annotation", "common_annotations"),
            ("x-kubernetes-label-selector", "common_labels"),
            ("x-kubernetes-identity", "name_prefix"),
        ):
            if mark in marks:
                found.setdefault(step, []).append(spec)
        version, target = (marks.get(f"x-kubernetes-object-ref-{key}") for key in ("api-version", "kind"))
        if isinstance(version, str) and isinstance(target, str):
            key = str(marks.get("x-kubernetes-object-ref-name-key") or "name")
            reference = NameReference(target, None, version, (FieldSpec("/".join((*way, key)), kind),))
            found.setdefault("name_reference", []).append(reference)
        if isinstance(marks.get("$ref"), str) and field not in path and len(path) < DEPTH:
            _collect(types, marks["$ref"], kind, way, found)
