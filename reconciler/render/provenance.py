"""`buildMetadata`: annotations that say where an object came from, and which transformers saw it.

The texts are Kustomize's (api/resource/origin.go); paths are relative to the directory that is built, or to
the root of a remote base. Every transformer
of a layer is listed for every object that it was given, also where it changed nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from reconciler import yaml
from reconciler.model.tree import Map
from reconciler.render.item import mapping

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from reconciler.model.origin import Origin
    from reconciler.render.item import Item
    from reconciler.render.kustomization import Kustomization
    from reconciler.render.remote import Root

OPTIONS: Final = ("originAnnotations", "transformerAnnotations", "managedByLabel")
ORIGIN: Final = "config.kubernetes.io/origin"
TRANSFORMATIONS: Final = "alpha.config.kubernetes.io/transformations"
MANAGED_BY: Final = ("app.kubernetes.io/managed-by", "kustomize-v5.8.1")
_BY_KIND: Final = {"ConfigMap": "ConfigMapGenerator", "Secret": "SecretGenerator"}
_ONCE: Final = {
    "patchesStrategicMerge": "PatchStrategicMergeTransformer",
    "namespace": "NamespaceTransformer",
    "namePrefix": "PrefixTransformer",
    "nameSuffix": "SuffixTransformer",
    "commonAnnotations": "AnnotationsTransformer",
    "replacements": "ReplacementTransformer",
}
_EACH: Final = {
    "patches": "PatchTransformer",
    "patchesJson6902": "PatchJson6902Transformer",
    "replicas": "ReplicaCountTransformer",
    "images": "ImageTagTransformer",
}
_ORDER: Final = (
    *("patchesStrategicMerge", "patches", "namespace", "namePrefix", "nameSuffix", "labels", "commonAnnotations"),
    *("patchesJson6902", "replicas", "images", "replacements"),
)


def options(made: Kustomization) -> frozenset[str]:
    """Return what a kustomization asks for; options that nobody knows do nothing, as in Kustomize."""
    return frozenset(str(entry) for entry in made.entries("buildMetadata")) & frozenset(OPTIONS)


def of_file(root: Root, path: str) -> str:
    """Return the origin of an object that stands in a file."""
    told, repository = root.told(path)
    return f"path: {told}\n{repository}"


def of_generator(root: Root, made: Kustomization, item: Item) -> str:
    """Return the origin of an object that a field of a kustomization generates."""
    kind = "HelmChartInflationGenerator" if item.inflated else _BY_KIND[item.gvk.kind]
    return _configured(root, made.path, {"kind": kind})


def of_plugin(root: Root, config: Kustomization) -> str:
    """Return the origin of what a plugin makes or changes."""
    metadata = mapping(config.body.get("metadata"))
    told = {key: str(metadata[key]) for key in ("name", "namespace") if metadata.get(key)}
    return _configured(root, config.path, {"kind": str(config.body.get("kind")), **told})


def transformers(root: Root, made: Kustomization) -> Iterator[str]:
    """Yield the transformers of a kustomization's fields, in their order."""
    for field in _ORDER:
        value = made.body.get(field)
        if field == "labels":
            count = len(made.entries(field)) + (1 if made.entries(field) or made.body.get("commonLabels") else 0)
            kind = "LabelTransformer"
        else:
            kind = _ONCE.get(field) or _EACH[field]
            count = (len(value) if field in _EACH else 1) if value else 0
        for _ in range(count):
            yield _configured(root, made.path, {"kind": kind})


def _configured(root: Root, path: str, by: dict[str, str]) -> str:
    lines = "".join(f"  {key}: {yaml.dump_flow(value)}\n" for key, value in {"apiVersion": "builtin", **by}.items())
    told, repository = root.told(path)
    return f"{repository}configuredIn: {told}\nconfiguredBy:\n{lines}"


def annotate(items: Iterable[Item], made: Kustomization, wanted: frozenset[str]) -> None:
    """Write what is asked for into the objects."""
    origin = made.caused("buildMetadata", "buildMetadata")
    for item in items:
        if "originAnnotations" in wanted and item.provenance:
            _put(item, "annotations", ORIGIN, item.provenance, origin)
        if "transformerAnnotations" in wanted and item.transformations:
            _put(item, "annotations", TRANSFORMATIONS, "".join(map(_entry, item.transformations)), origin)
        if "managedByLabel" in wanted:
            _put(item, "labels", *MANAGED_BY, origin)


def _entry(text: str) -> str:
    first, *rest = text.splitlines()
    return "\n".join((f"- {first}", *(f"  {line}" for line in rest))) + "\n"


def _put(item: Item, field: str, key: str, value: str, origin: Origin) -> None:
    if not isinstance(item.metadata.get(field), Map):
        item.metadata.put(field, Map(), origin)
    item.metadata[field].put(key, value, origin)
