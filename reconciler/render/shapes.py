"""Of which type each value of a kustomization file, and of a plugin's configuration, has to be.

Kustomize reads these files into Go structs, which refuse a number where a string is meant and a mapping where a list is.
The steps that use the values rely on it. Null is allowed everywhere, and means that nothing is given.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from reconciler.model.path import format_path
from reconciler.model.tree import Map, Seq

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from reconciler.errors import Problem
    from reconciler.render.kustomization import Kustomization

Steps = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Shape:
    """A type in words, the Python types that it is read as, and the shapes of what is within."""

    words: str = ""
    types: tuple[type, ...] = (object,)
    fields: Mapping[str, Shape] = field(default_factory=dict)  # of a mapping, where they are known
    each: Shape | None = None  # of every element, or of every value that has no shape of its own

    def fits(self, value: Any) -> bool:
        """Whether a value is of this type, whatever is in it."""
        return isinstance(value, self.types) and not (isinstance(value, bool) and self.types == (int,))


ANY: Final = Shape()
TEXT: Final = Shape("a string", (str,))
TRUTH: Final = Shape("true or false", (bool,))
NUMBER: Final = Shape("a whole number", (int,))
SCALAR: Final = Shape("a plain value", (str, int, float))


def _list(each: Shape) -> Shape:
    return Shape("a list", (Seq,), each=each)


def _map(each: Shape) -> Shape:
    return Shape("a mapping", (Map,), each=each)


def _struct(**fields: Shape) -> Shape:
    return Shape("a mapping", (Map,), fields)


def _texts(*names: str) -> dict[str, Shape]:
    return dict.fromkeys(names, TEXT)


TEXTS: Final = _list(TEXT)
PAIRS: Final = _map(TEXT)
_SELECTOR: Final = _struct(
    **_texts("group", "version", "kind", "name", "namespace", "labelSelector", "annotationSelector")
)
_FIELD_SPECS: Final = _list(_struct(**_texts("path", "group", "version", "kind"), create=TRUTH))
_PATCH_OPTIONS: Final = _struct(allowNameChange=TRUTH, allowKindChange=TRUTH)
_PATCHES: Final = _list(_struct(**_texts("path", "patch"), target=_SELECTOR, options=_PATCH_OPTIONS))
_FIELD_OPTIONS: Final = _struct(**_texts("delimiter", "encoding"), index=NUMBER, create=TRUTH)
REPLACEMENT: Final = _struct(
    path=TEXT,
    source=_struct(**_texts("group", "version", "kind", "name", "namespace", "fieldPath"), options=_FIELD_OPTIONS),
    sourceValue=TEXT,
    targets=_list(_struct(select=_SELECTOR, reject=_list(_SELECTOR), fieldPaths=TEXTS, options=_FIELD_OPTIONS)),
)
_GENERATOR_OPTIONS: Final = _struct(labels=PAIRS, annotations=PAIRS, disableNameSuffixHash=TRUTH, immutable=TRUTH)
_GENERATED: Final = {
    **_texts("name", "namespace", "behavior", "type", "env"),
    **dict.fromkeys(("files", "envs", "literals"), TEXTS),
    "options": _GENERATOR_OPTIONS,
}
_IMAGE: Final = _struct(**_texts("name", "newName", "newTag", "digest", "tagSuffix"))
_REPLICA: Final = _struct(name=TEXT, count=NUMBER)
_VARIABLE: Final = _struct(
    name=TEXT,
    objref=_struct(**_texts("apiVersion", "group", "version", "kind", "name", "namespace")),
    fieldref=_struct(fieldPath=TEXT),
)
_LABELS: Final = _struct(pairs=PAIRS, includeSelectors=TRUTH, includeTemplates=TRUTH, fields=_FIELD_SPECS)
KUSTOMIZATION: Final = _struct(
    **_texts("apiVersion", "kind", "namespace", "namePrefix", "nameSuffix"),
    **dict.fromkeys(("resources", "bases", "components", "generators", "transformers", "validators", "crds"), TEXTS),
    **dict.fromkeys(("configurations", "patchesStrategicMerge", "buildMetadata"), TEXTS),
    **dict.fromkeys(("patches", "patchesJson6902"), _PATCHES),
    **dict.fromkeys(("configMapGenerator", "secretGenerator"), _list(_struct(**_GENERATED))),
    metadata=_map(ANY),
    commonLabels=PAIRS,
    commonAnnotations=PAIRS,
    labels=_list(_LABELS),
    **dict.fromkeys(("images", "imageTags"), _list(_IMAGE)),
    replicas=_list(_REPLICA),
    replacements=_list(REPLACEMENT),
    vars=_list(_VARIABLE),
    generatorOptions=_GENERATOR_OPTIONS,
    openapi=PAIRS,
    sortOptions=_struct(order=TEXT, legacySortOptions=_struct(orderFirst=TEXTS, orderLast=TEXTS)),
)
PLUGIN: Final = _struct(
    **_texts("apiVersion", "kind", "prefix", "suffix", "setRoleBindingSubjects", "path", "patch", "jsonOp"),
    **_texts("behavior", "type", "env", "targetFilePath", "value", "patches"),
    **dict.fromkeys(("paths", "literals", "files", "envs"), TEXTS),
    metadata=_struct(**_texts("name", "namespace")),
    labels=_map(SCALAR),
    annotations=_map(SCALAR),
    fieldSpecs=_FIELD_SPECS,
    imageTag=_IMAGE,
    replica=_REPLICA,
    unsetOnly=TRUTH,
    target=_SELECTOR,
    options=Shape("a mapping", (Map,), {**_GENERATOR_OPTIONS.fields, **_PATCH_OPTIONS.fields}),
    replacements=_list(REPLACEMENT),
    targets=_list(
        _struct(selector=_SELECTOR, notSelector=_SELECTOR, fieldPath=TEXT, filePathPosition=NUMBER),
    ),
)


def wrong(made: Kustomization, shape: Shape) -> Iterator[Problem]:
    """Yield a problem for each value of a file that is of another type than it has to be."""
    for steps, expected in unfit(made.body, shape):
        hint = "put it in quotes" if expected is TEXT and SCALAR.fits(_at(made.body, steps)) else ""
        yield made.problem(f"{format_path(steps)} has to be {expected.words}", *steps, hint=hint)


def unfit(value: Any, shape: Shape, steps: Steps = ()) -> Iterator[tuple[Steps, Shape]]:
    """Yield the place of each value that is of another type, with the shape that it has to have."""
    if value is None:
        return
    if not shape.fits(value):
        yield steps, shape
    elif isinstance(value, Map):
        for key, item in value.items():
            yield from unfit(item, shape.fields.get(key, shape.each or ANY), (*steps, key))
    elif isinstance(value, Seq) and shape.each is not None:
        for index, item in enumerate(value):
            yield from unfit(item, shape.each, (*steps, index))


def _at(value: Any, steps: Steps) -> Any:
    for step in steps:
        value = value[step]
    return value
