"""`generators`, `transformers` and `validators`: Kustomize's built-in plugins as objects of `apiVersion: builtin`.

Each is an object of its own, in a file, in a directory that is built, or inline. Most are what a field of
kustomization.yaml does, with field specs of their own. Plugins that run programs are refused: nothing is ever run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from reconciler import yaml
from reconciler.errors import ConfigError, RenderError
from reconciler.model.origin import Source
from reconciler.model.tree import Map, Seq, copy
from reconciler.render import (
    configuration,
    generators,
    hashing,
    helmfields,
    images,
    ordering,
    patches,
    replacements,
    shapes,
    transformers,
    valueadd,
)
from reconciler.render.fieldspec import specs_of
from reconciler.render.item import mapping
from reconciler.render.kustomization import Kustomization

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from reconciler.errors import Problem
    from reconciler.render.helm import Inflator
    from reconciler.render.item import Item
    from reconciler.render.kustomization import Load
    from reconciler.render.loading import Loader

BUILTIN: Final = "builtin"
_KNOWN: Final = (
    *("prefix", "suffix", "labels", "annotations", "fieldSpecs", "imageTag", "replica", "namespace", "unsetOnly"),
    *("setRoleBindingSubjects", "path", "patch", "target", "options", "jsonOp", "patches", "paths", "replacements"),
    *("value", "targets", "targetFilePath", "literals", "files", "envs", "env", "behavior", "type"),
)
_BY_LOWER: Final = {key.lower(): key for key in _KNOWN}
_IMAGE_KEYS: Final = {key.lower(): key for key in ("name", "newName", "newTag", "digest", "tagSuffix")}


def read_inline(made: Kustomization, field: str, index: int, text: str) -> list[Kustomization]:
    """Return the plugins of an entry that is YAML itself; their lines are counted from the entry's."""
    line = made.place(field, index).line
    try:
        documents = yaml.parse(text, Source(made.path, made.directory))
    except ConfigError as error:
        raise made.error(f"{field}[{index}] is {error.problems[0].message}", field, index) from error
    found = [item for item in documents if item is not None]
    for item in found:
        patches.relabel(item, "resource", line)
    return [plugin(made, item, made.path) for item in found]


def plugin(made: Kustomization, body: Any, path: str) -> Kustomization:
    """Return a plugin's configuration; raises RenderError where it is none that is built in.

    Files that it names are looked for from the kustomization's directory, as Kustomize does.
    """
    config = Kustomization(made.directory, path, _normal(body) if isinstance(body, Map) else Map())
    kind, version = config.body.get("kind"), config.body.get("apiVersion")
    if version != BUILTIN:
        hint = "plugins that run programs are not supported: commit what they make"
        raise config.error(f"{version}/{kind} is no built-in plugin", "apiVersion", hint=hint)
    if kind not in (known := (*GENERATORS, *TRANSFORMERS, helmfields.PLUGIN)):
        raise config.error(f"there is no built-in plugin {kind}", "kind", hint=f"there are {', '.join(sorted(known))}")
    problems = tuple(shapes.wrong(config, shapes.PLUGIN)) if kind != helmfields.PLUGIN else ()
    if problems:
        raise RenderError(problems)
    return config


def generate(config: Kustomization, items: list[Item], load: Load, inflator: Inflator) -> Iterable[Problem]:
    """Add what a generator makes; return what is worth a warning."""
    if config.body["kind"] == helmfields.PLUGIN:
        return inflator.plugin(config, items, load)
    make = GENERATORS.get(str(config.body["kind"]))
    if make is None:
        raise config.error(f"{config.body['kind']} is no generator", "kind", hint="list it under transformers")
    make(config, items, load)
    return ()


def transform(config: Kustomization, items: list[Item], load: Loader) -> list[Problem]:
    """Carry out a transformer; return what is worth a warning."""
    change = TRANSFORMERS.get(str(config.body["kind"]))
    if change is None:
        raise config.error(f"{config.body['kind']} is no transformer", "kind", hint="list it under generators")
    return change(config, items, load) or []


def _normal(body: Map) -> Map:
    """Return a configuration with the usual spelling of its keys, whose case does not matter to Kustomize."""
    made = Map()
    for key, value in body.items():
        made.put(_BY_LOWER.get(key.lower(), key), value, body.origins.get(key))
    return made


def _field(config: Kustomization, field: str, entry: Map | list[Any], key: str = "kind") -> Kustomization:
    """Return a kustomization that has one field, with the configuration's lines; a list has that of a key."""
    body = Map()
    origin = config.place(key)
    if isinstance(entry, Map):
        body.put(field, Seq([entry], [origin]), origin)
    else:
        body.put(field, Seq(entry, [origin] * len(entry)), origin)
    return Kustomization(config.directory, config.path, body)


def _picked(config: Kustomization, *keys: str) -> Map:
    made = Map()
    for key in keys:
        if key in config.body:
            made.put(key, config.body[key], config.body.origins.get(key))
    return made


def _generated(field: str) -> Callable[[Kustomization, list[Item], Load], None]:
    def make(config: Kustomization, items: list[Item], load: Load) -> None:
        entry = _picked(config, "literals", "files", "envs", "env", "behavior", "type", "options")
        metadata = mapping(config.body.get("metadata"))
        for key in ("name", "namespace"):
            if key in metadata:
                entry.put(key, metadata[key], metadata.origins.get(key))
        generators.generate(_field(config, field, entry), items, load)

    return make


def _pairs(config: Kustomization, items: list[Item], _: Load) -> None:
    field = "labels" if config.body["kind"] == "LabelTransformer" else "annotations"
    specs = specs_of(config)
    for key, value in mapping(config.body.get(field)).items():
        text = str(value).lower() if isinstance(value, bool) else str(value)
        origin = config.caused(field, field, key)
        for item in items:
            for spec in specs:
                if spec.fits(item.gvk):
                    transformers.set_pair(item, spec, key, text, origin)


def _namespace(config: Kustomization, items: list[Item], _: Load) -> None:
    value = mapping(config.body.get("metadata")).get("namespace") or config.body.get("namespace")
    if not isinstance(value, str) or not value:
        return
    mode = str(config.body.get("setRoleBindingSubjects") or "defaultOnly")
    if mode not in transformers.SUBJECT_MODES:
        hint = f"expected {', '.join(transformers.SUBJECT_MODES)}"
        raise config.error(f"setRoleBindingSubjects is {mode}", "setRoleBindingSubjects", hint=hint)
    origin = config.caused("namespace", "metadata", "namespace")
    only_unset = config.body.get("unsetOnly") is True
    transformers.set_namespace(items, value, specs_of(config), origin, only_unset=only_unset, mode=mode)


def _affixes(config: Kustomization, items: list[Item], _: Load) -> None:
    for field in ("prefix", "suffix"):
        text = config.body.get(field)
        if isinstance(text, str) and text:
            origin = config.caused("namePrefix" if field == "prefix" else "nameSuffix", field)
            transformers.affix(items, text, specs_of(config), origin, before=field == "prefix")


def _images(config: Kustomization, items: list[Item], _: Load) -> None:
    given = mapping(config.body.get("imageTag"))
    rule = Map()
    for key, value in given.items():
        rule.put(_IMAGE_KEYS.get(key.lower(), key), value, given.origins.get(key))
    made = _field(config, "images", rule)
    images.carry_out(made, items, specs_of(config))


def _replicas(config: Kustomization, items: list[Item], _: Load) -> None:
    specs = specs_of(config) or list(configuration.default().replicas)
    transformers.replicas(_field(config, "replicas", mapping(config.body.get("replica"))), items, specs)


def _patch(config: Kustomization, items: list[Item], load: Loader) -> list[Problem]:
    made = _field(config, "patches", _picked(config, "path", "patch", "target", "options"))
    return patches.carry_out(made, patches.read(made, "patches", load), items, load)


def _json_patch(config: Kustomization, items: list[Item], load: Loader) -> list[Problem]:
    entry = _picked(config, "path", "target")
    if "jsonOp" in config.body:
        entry.put("patch", config.body["jsonOp"], config.body.origins.get("jsonOp"))
    made = _field(config, "patchesJson6902", entry)
    return patches.carry_out(made, patches.read(made, "patchesJson6902", load), items, load)


def _merge_patches(config: Kustomization, items: list[Item], load: Loader) -> list[Problem]:
    inline = config.body.get("patches")
    entries = list(config.entries("paths")) + ([inline if inline.endswith("\n") else f"{inline}\n"] if inline else [])
    made = _field(config, "patchesStrategicMerge", entries, "patches" if inline else "paths")
    return patches.carry_out(made, patches.read(made, "patchesStrategicMerge", load), items, load)


def _replace(config: Kustomization, items: list[Item], load: Loader) -> list[Problem]:
    return replacements.carry_out(config, items, load)


def _hashes(_: Kustomization, items: list[Item], __: Load) -> None:
    for item in items:
        hashing.rename(item)


def _order(config: Kustomization, items: list[Item], _: Load) -> None:
    items[:] = ordering.ordered(Kustomization(config.directory, config.path, Map()), items)


def unchanged(config: Kustomization, items: list[Item], load: Loader) -> None:
    """Carry out a validator: a transformer that must not change anything."""
    before = [copy(item.body) for item in items]
    transform(config, items, load)
    if [item.body for item in items] != before:
        raise RenderError([config.problem(f"the validator {config.body['kind']} changes objects", "kind")])


GENERATORS: Final[dict[str, Callable[[Kustomization, list[Item], Load], None]]] = {
    "ConfigMapGenerator": _generated("configMapGenerator"),
    "SecretGenerator": _generated("secretGenerator"),
}
TRANSFORMERS: Final[dict[str, Callable[[Kustomization, list[Item], Loader], list[Problem] | None]]] = {
    "AnnotationsTransformer": _pairs,
    "HashTransformer": _hashes,
    "ImageTagTransformer": _images,
    "LabelTransformer": _pairs,
    "LegacyOrderTransformer": _order,
    "NamespaceTransformer": _namespace,
    "PatchJson6902Transformer": _json_patch,
    "PatchStrategicMergeTransformer": _merge_patches,
    "PatchTransformer": _patch,
    "PrefixSuffixTransformer": _affixes,
    "PrefixTransformer": _affixes,
    "ReplacementTransformer": _replace,
    "ReplicaCountTransformer": _replicas,
    "SuffixTransformer": _affixes,
    "ValueAddTransformer": valueadd.carry_out,
}
