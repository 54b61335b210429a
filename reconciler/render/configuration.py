"""`configurations`: where the steps of a kustomization find the fields that they change.

Kustomize's own table with what a kustomization adds. The merge has a rule of its own (types.FsSlice and
ResAccumulator.MergeConfig of Kustomize): of two specs with one path the more general one goes where it comes later in
the order of kinds, so that a spec for one kind takes the place of the one for all.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from reconciler import yaml
from reconciler.errors import ConfigError, Problem, RenderError
from reconciler.model.identity import GroupVersionKind
from reconciler.model.origin import Source
from reconciler.model.tree import Map
from reconciler.render.fieldspec import FieldSpec, specs_of
from reconciler.render.kinds import rank
from reconciler.render.kustomization import Kustomization
from reconciler.render.tables import field_specs

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reconciler.render.kustomization import Load


@dataclass(frozen=True, slots=True)
class NameReference:
    """Fields that hold the name of an object of a kind ("" and None are any)."""

    kind: str
    group: str | None
    version: str | None
    specs: tuple[FieldSpec, ...]


@dataclass(frozen=True, slots=True)
class Configuration:
    """Field specs by step."""

    name_prefix: tuple[FieldSpec, ...] = ()
    name_suffix: tuple[FieldSpec, ...] = ()
    namespace: tuple[FieldSpec, ...] = ()
    common_labels: tuple[FieldSpec, ...] = ()
    labels: tuple[FieldSpec, ...] = ()
    template_labels: tuple[FieldSpec, ...] = ()
    common_annotations: tuple[FieldSpec, ...] = ()
    var_reference: tuple[FieldSpec, ...] = ()
    images: tuple[FieldSpec, ...] = ()
    replicas: tuple[FieldSpec, ...] = ()
    name_reference: tuple[NameReference, ...] = ()


_KEYS: Final = {
    "namePrefix": "name_prefix",
    "nameSuffix": "name_suffix",
    "namespace": "namespace",
    "commonLabels": "common_labels",
    "labels": "labels",
    "templateLabels": "template_labels",
    "commonAnnotations": "common_annotations",
    "varReference": "var_reference",
    "images": "images",
    "replicas": "replicas",
}


_NOTHING: Final = Configuration()


@cache
def default() -> Configuration:
    """Return Kustomize's own configuration."""
    table = field_specs()
    found = {attribute: tuple(_spec(entry) for entry in table.get(key) or ()) for key, attribute in _KEYS.items()}
    found["labels"] = (FieldSpec("metadata/labels", create=True),)
    references = tuple(
        NameReference(entry["kind"], entry.get("group"), entry.get("version"), tuple(map(_spec, entry["fieldSpecs"])))
        for entry in table["nameReference"]
    )
    return Configuration(**found, name_reference=references)


def _spec(entry: dict[str, Any]) -> FieldSpec:
    return FieldSpec(
        entry["path"], entry.get("kind", ""), entry.get("group"), entry.get("create", False), entry.get("version")
    )


def read(made: Kustomization, load: Load) -> Configuration:
    """Return what a kustomization configures beside the defaults; empty where it has no configurations."""
    found: dict[str, list[Any]] = {}
    for index, entry in enumerate(made.entries("configurations")):
        if not isinstance(entry, str):
            raise made.error(f"configurations[{index}] has to be a path", "configurations", index)
        where, content = load(entry, ("configurations", index))
        try:
            documents = yaml.parse(content, Source(where, made.directory))
        except ConfigError as error:
            raise RenderError(error.problems) from error
        for document in documents:
            if document is not None and not isinstance(document, Map):
                raise RenderError([Problem(where, 1, "expected a mapping of field specs")])
            _collect(Kustomization(made.directory, where, document or Map()), found)
    references = tuple(found.pop("name_reference", ()))
    return Configuration(**{key: tuple(specs) for key, specs in found.items()}, name_reference=references)


def _collect(config: Kustomization, found: dict[str, list[Any]]) -> None:
    for key in config.body:
        if key == "nameReference":
            found.setdefault("name_reference", []).extend(_references(config))
        elif key in _KEYS:
            found.setdefault(_KEYS[key], []).extend(specs_of(config, key))
        else:
            hint = f"there are {', '.join((*_KEYS, 'nameReference'))}"
            raise config.error(f"there is no step {key} to configure", key, hint=hint)


def _references(config: Kustomization) -> Iterable[NameReference]:
    for _, entry in config.maps("nameReference"):
        group, version = (str(entry[key]) if entry.get(key) else None for key in ("group", "version"))
        inner = Kustomization(config.directory, config.path, entry)
        yield NameReference(str(entry.get("kind") or ""), group, version, tuple(specs_of(inner)))


def merged(base: Configuration, more: Configuration, made: Kustomization) -> Configuration:
    """Return two configurations as one; raises RenderError where specs of one path disagree on `create`."""
    if more is base or more == _NOTHING or (base is default() and more is default()):
        return base
    together: dict[str, Any] = {}
    for item in fields(Configuration):
        one, other = getattr(base, item.name), getattr(more, item.name)
        if item.name == "name_reference":
            together[item.name] = (*one, *(entry for entry in other if entry not in one))
        elif not other:
            together[item.name] = one
        else:
            together[item.name] = _merged(item.name, one, other, made)
    return Configuration(**together)


def _merged(
    name: str, one: tuple[FieldSpec, ...], other: tuple[FieldSpec, ...], made: Kustomization
) -> tuple[FieldSpec, ...]:
    listed = sorted(_added(name, one, other, made), key=_order)
    return _added(name, (), listed, made)


def _added(
    name: str, specs: tuple[FieldSpec, ...], more: Iterable[FieldSpec], made: Kustomization
) -> tuple[FieldSpec, ...]:
    found = list(specs)
    for spec in more:
        known = next((one for one in found if one.path == spec.path and _selected(one, spec)), None)
        if known is None:
            found.append(spec)
        elif known.create != spec.create:
            told = f"the field specs of {name} for {spec.path} disagree on create"
            raise made.error(told, "configurations", hint="say the same as the one that is there")
    return tuple(found)


def _selected(one: FieldSpec, by: FieldSpec) -> bool:
    """Whether a spec is for what another one names, or for less than that."""
    return by.kind in ("", one.kind) and by.group in (None, one.group) and by.version in (None, one.version)


def _order(spec: FieldSpec) -> tuple[int, str]:
    gvk = GroupVersionKind(spec.group or "~G", spec.version or "~V", spec.kind or "~K")
    return rank(spec.kind), f"{gvk.group}_{gvk.version}_{gvk.kind}"
