"""kustomization.yaml: found, read, and refused where it asks for what is not there."""

from __future__ import annotations

import difflib
import posixpath
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from reconciler import yaml
from reconciler.errors import ConfigError, Problem, RenderError
from reconciler.model.origin import Origin, Source
from reconciler.model.tree import Map, Seq, origin_at
from reconciler.render import shapes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from reconciler.model.files import FileTree

    Load = Callable[[str, tuple[str | int, ...]], tuple[str, bytes]]

NAMES: Final = ("kustomization.yaml", "kustomization.yml", "Kustomization")
FIELDS: Final = frozenset(
    {
        "apiVersion",
        "kind",
        "metadata",
        "resources",
        "bases",
        "components",
        "namespace",
        "namePrefix",
        "nameSuffix",
        "labels",
        "commonLabels",
        "commonAnnotations",
        "patches",
        "patchesStrategicMerge",
        "patchesJson6902",
        "images",
        "imageTags",
        "replicas",
        "replacements",
        "vars",
        "configurations",
        "configMapGenerator",
        "secretGenerator",
        "generatorOptions",
        "helmCharts",
        "helmGlobals",
        "helmChartInflationGenerator",
        "generators",
        "transformers",
        "validators",
        "sortOptions",
        "buildMetadata",
        "crds",
        "openapi",
    }
)
_NESTED: Final = (
    *("path", "patch", "target", "options", "group", "version", "kind", "name", "namespace", "labelSelector"),
    *("annotationSelector", "allowNameChange", "allowKindChange", "newName", "newTag", "digest", "tagSuffix", "count"),
    *(
        "source",
        "sourceValue",
        "targets",
        "select",
        "reject",
        "fieldPath",
        "fieldPaths",
        "delimiter",
        "index",
        "create",
    ),
    *("encoding", "pairs", "includeSelectors", "includeTemplates", "fields", "behavior", "files", "envs", "env"),
    *("literals", "type", "disableNameSuffixHash", "immutable", "labels", "annotations", "objref", "fieldref", "order"),
    *("apiVersion", "legacySortOptions", "orderFirst", "orderLast"),
)
_BY_LOWER: Final = {field.lower(): field for field in (*_NESTED, *FIELDS)}
_FREE: Final = frozenset(
    {"commonLabels", "commonAnnotations", "pairs", "annotations", "metadata", "openapi", "valuesInline"}
)
DEPRECATED: Final = {
    "bases": "resources",
    "commonLabels": "labels",
    "patchesStrategicMerge": "patches",
    "patchesJson6902": "patches",
    "vars": "replacements",
    "imageTags": "images",
    "helmChartInflationGenerator": "helmCharts",
}
VERSIONS: Final = {
    "Kustomization": "kustomize.config.k8s.io/v1beta1",
    "Component": "kustomize.config.k8s.io/v1alpha1",
}


@dataclass(frozen=True, slots=True)
class Kustomization:
    """One kustomization file."""

    directory: str
    path: str
    body: Map

    @property
    def is_component(self) -> bool:
        """Whether it is a Component."""
        return self.body.get("kind") == "Component"

    def place(self, *steps: str | int) -> Origin:
        """Return where a value of the file stands."""
        return origin_at(self.body, steps) or Origin(Source(self.path, self.directory), 1)

    def caused(self, by: str, *steps: str | int) -> Origin:
        """Return the origin of what a step does because of a value of the file."""
        at = self.place(*steps)
        return Origin(at.source, at.line, by)

    def problem(self, message: str, *steps: str | int, hint: str = "") -> Problem:
        """Return a problem at a value of the file."""
        return Problem(self.path, self.place(*steps).line, message, hint)

    def error(self, message: str, *steps: str | int, hint: str = "") -> RenderError:
        """Return a problem at a value of the file as an error."""
        return RenderError([self.problem(message, *steps, hint=hint)])

    def entries(self, field: str) -> list[Any]:
        """Return a field that is a list; raises RenderError where it is something else."""
        value = self.body.get(field)
        if value is None:
            return []
        if not isinstance(value, list):
            raise self.error(f"{field} has to be a list", field)
        return value

    def maps(self, field: str) -> Iterator[tuple[int, Map]]:
        """Yield the entries of a field that is a list of mappings."""
        for index, entry in enumerate(self.entries(field)):
            if not isinstance(entry, Map):
                raise self.error(f"{field}[{index}] has to be a mapping", field, index)
            yield index, entry

    def strings(self, field: str) -> dict[str, str]:
        """Return a field that maps strings to strings."""
        value = self.body.get(field)
        if value is None:
            return {}
        if not isinstance(value, Map) or not all(isinstance(item, str) for item in value.values()):
            raise self.error(f"{field} has to map names to strings; put numbers and booleans in quotes", field)
        return value

    def text(self, field: str) -> str:
        """Return a field that is a string; "" where it is not there."""
        value = self.body.get(field)
        if value is None:
            return ""
        if not isinstance(value, str):
            raise self.error(f"{field} has to be a string", field)
        return value


def find(files: FileTree, directory: str) -> str | None:
    """Return the path of a directory's kustomization file; raises RenderError where there are several."""
    found = [path for name in NAMES if files.is_file(path := posixpath.join(directory, name))]
    if len(found) > 1:
        raise RenderError([Problem(found[1], 0, f"is one kustomization file too many beside {found[0]}", "keep one")])
    return found[0] if found else None


def read(files: FileTree, directory: str) -> Kustomization:
    """Read a directory's kustomization file; raises RenderError with all that is wrong with its fields."""
    path = find(files, directory)
    if path is None:
        where = directory or "the root of the repository"
        raise RenderError([Problem(where, 0, f"has no kustomization file: expected {' or '.join(NAMES)}")])
    try:
        documents = yaml.parse(files.read(path), Source(path, directory), yaml.Dialect.KUSTOMIZATION)
    except ConfigError as error:
        raise RenderError(error.problems) from error
    bodies = [item for item in documents if item is not None]
    if len(bodies) > 1 or not all(isinstance(item, Map) for item in bodies):
        raise RenderError([Problem(path, 1, "expected one document, a mapping")])
    made = Kustomization(directory, path, _usual(bodies[0]) if bodies else Map())
    if not set(made.body) - {"apiVersion", "kind"}:
        raise RenderError([Problem(path, 0, "is empty", "name at least its resources, if only with resources: []")])
    problems = list(_wrong_fields(made))
    if problems:
        raise RenderError(problems)
    return made


def _usual(body: Map) -> Map:
    """Return a body with the usual spelling of its fields: their case does not matter to Kustomize."""
    made = Map()
    for key, value in body.items():
        usual = _BY_LOWER.get(key.lower(), key)
        free = usual in _FREE or (usual == "labels" and isinstance(value, Map))
        made.put(usual, value if free else usual_keys(value), body.origins.get(key))
    return made


def usual_keys(value: Any) -> Any:
    """Return a value with the usual spelling of the keys of its mappings."""
    if isinstance(value, Map):
        return _usual(value)
    if isinstance(value, Seq):
        return Seq((usual_keys(item) for item in value), value.origins)
    return value


def deprecations(made: Kustomization) -> Iterator[Problem]:
    """Yield a warning for each deprecated field."""
    for field, better in DEPRECATED.items():
        if field in made.body:
            yield made.problem(f"{field} is deprecated", field, hint=f"use {better}")


def _wrong_fields(made: Kustomization) -> Iterator[Problem]:
    kind = made.body.get("kind", "Kustomization")
    if str(kind) not in VERSIONS:
        yield made.problem(f"kind is {kind}", "kind", hint="expected Kustomization or Component")
    version = made.body.get("apiVersion")
    expected = VERSIONS.get(str(kind), VERSIONS["Kustomization"])
    if version is not None and version != expected:
        yield made.problem(f"apiVersion is {version}", "apiVersion", hint=f"expected {expected}")
    for field in made.body:
        if field not in FIELDS:
            near = difflib.get_close_matches(field, FIELDS, 1)
            yield made.problem(f"unknown field {field}", field, hint=f"did you mean {near[0]}?" if near else "")
    yield from shapes.wrong(made, shapes.KUSTOMIZATION)
