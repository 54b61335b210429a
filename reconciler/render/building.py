"""The work of a build: a Kustomize directory to its objects. Loaded only where what is wanted was not built before.

The order of a directory is Kustomize's: resources, generators, components, then the transformers in a fixed order. Name
hashes and name references come once, at the root, at the end. Nothing is run and nothing is
fetched; charts are given to Helm behind a port, where that is enabled.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from reconciler import yaml
from reconciler.errors import ConfigError, Problem, RenderError
from reconciler.limits import BUILD_OBJECTS, LAYERS
from reconciler.model import remote
from reconciler.model.identity import ObjectId
from reconciler.model.origin import Origin, Source
from reconciler.model.resource import Resource
from reconciler.model.tree import Map
from reconciler.render import (
    configuration,
    crds,
    generators,
    hashing,
    helm,
    images,
    kustomization,
    openapi,
    ordering,
    patches,
    plugins,
    provenance,
    references,
    replacements,
    settling,
    transformers,
    variables,
)
from reconciler.render.build import Build
from reconciler.render.documents import begin, flat
from reconciler.render.item import Item, mapping, text_at
from reconciler.render.loading import Loader
from reconciler.render.memory import Layer, Memory, Watched, twin
from reconciler.render.remote import Place, Root, specification

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from reconciler.render.configuration import Configuration
    from reconciler.render.kustomization import Kustomization
    from reconciler.render.openapi import MergeKeys
    from reconciler.render.variables import Variable

LOCAL: Final = "config.kubernetes.io/local-config"


def built(
    files: Watched,
    root: Root,
    directory: str,
    memory: Memory,
    *,
    restrict_loads: bool,
    inflator: helm.Inflator,
    settled: bool,
    thorough: bool,
) -> Build:
    """Build a directory; the parameters are those of `build.build`. Raises RenderError."""
    run = _Run(files, root, restrict_loads, thorough, inflator, memory)
    items: list[Item] = []
    made, configured = run.accumulate(directory, items, _Way())
    for item in items:
        hashing.rename(item)
    references.follow(items, configured.name_reference)
    variables.resolve(run.variables, items, configured.var_reference)
    kept = [item for item in items if mapping(item.metadata.get("annotations")).get(LOCAL) not in ("true", True)]
    if settled:
        settling.settle(kept)
    provenance.annotate(kept, made, run.metadata or frozenset())
    _once(kept)
    return Build(tuple(_resource(item) for item in ordering.ordered(made, kept)), tuple(run.warnings))


@dataclass(frozen=True, slots=True)
class _Way:
    """The directories that lead to one, outermost first, and the namespace that the innermost to name one gives."""

    directories: tuple[str, ...] = ()
    namespace: tuple[str, Origin] | None = None

    def into(self, made: Kustomization) -> _Way:
        """Return the way that goes on into a directory; raises RenderError where it has been there."""
        if made.directory in self.directories:
            circle = " → ".join((*self.directories[self.directories.index(made.directory) :], made.directory))
            raise made.error(f"the directories include each other in a circle: {circle}")
        if len(self.directories) >= LAYERS:
            raise made.error(f"more than {LAYERS} directories include each other in a row")
        name = made.text("namespace")
        namespace = (name, made.caused("namespace", "namespace")) if name else self.namespace
        return _Way((*self.directories, made.directory), namespace)


@dataclass(slots=True)
class _Run:
    """What one build carries along."""

    files: Watched
    root: Root
    restrict_loads: bool
    thorough: bool
    inflator: helm.Inflator
    memory: Memory
    schema: MergeKeys | None = None
    metadata: frozenset[str] | None = None  # what the root's buildMetadata asks for
    warnings: list[Problem] = field(default_factory=list)
    variables: list[Variable] = field(default_factory=list)

    def accumulate(self, directory: str, items: list[Item], around: _Way) -> tuple[Kustomization, Configuration]:
        """Add what a directory makes to the objects; a component also changes those that are there."""
        key = (directory, self.restrict_loads, self.thorough)  # what charts make, which hangs on more, is not kept
        inner = self.memory.keeps and bool(around.directories)
        plain = inner and self.metadata == frozenset() and self.schema is None and not self.variables
        known = self.memory.layer(key, self.files) if plain and directory not in around.directories else None
        if known is not None:
            self.files.begin()
            self.files.end(known.seen)
            items.extend(known.copied())
            _bounded(known.made, items)
            self.warnings.extend(known.warnings)
            return known.made, known.configured
        told, used, begun = len(self.warnings), self.inflator.used, len(items)
        self.files.begin()
        try:
            made, configured = self._accumulate(directory, items, around)
            same = self.schema is None and not self.variables and used == self.inflator.used
            if plain and same and not made.is_component:
                kept = tuple(map(twin, items[begun:]))
                layer = Layer(self.files.seen, made, kept, configured, tuple(self.warnings[told:]))
                self.memory.keep_layer(key, layer)
        finally:
            self.files.end()
        return made, configured

    def _accumulate(self, directory: str, items: list[Item], around: _Way) -> tuple[Kustomization, Configuration]:
        made = kustomization.read(self.files, directory)
        self.warnings.extend(kustomization.deprecations(made))
        way = around.into(made)
        if self.metadata is None:
            self.metadata = provenance.options(made)
        own = items if made.is_component else []
        load = self._loader(made)
        if self.schema is None:
            self.schema = openapi.read(made, load)
        configured = self._resources(made, own, way)
        load = self._loader(made)
        for more in (configuration.read(made, load), crds.read(made, load)):
            configured = configuration.merged(configured, more, made)
        generators.generate(made, own, load)
        self.warnings.extend(self.inflator.field(made, own, load, way.namespace))
        self._came(own, lambda item: provenance.of_generator(self.root, made, item))
        for config in self._plugins(made, "generators", way):
            self.warnings.extend(plugins.generate(config, own, load, self.inflator))
            self._came(own, _constant(provenance.of_plugin(self.root, config)))
        for index, entry in enumerate(made.entries("components")):
            more = self._component(made, index, entry, own, way)
            configured = configuration.merged(configured, more, made)
        variables.together(made, self.variables, variables.collect(made, own))
        self.warnings.extend(_transform(made, own, load, configured))
        self._saw(own, provenance.transformers(self.root, made))
        for config in self._plugins(made, "transformers", way):
            self.warnings.extend(plugins.transform(config, own, load))
            self._saw(own, (provenance.of_plugin(self.root, config),))
        for config in self._plugins(made, "validators", way):
            plugins.unchanged(config, own, load)
        if own is not items:
            items.extend(own)
        _bounded(made, items)
        return made, configured

    def _inner(
        self, made: Kustomization, steps: tuple[str, int], path: str, items: list[Item], way: _Way
    ) -> tuple[Kustomization, Configuration]:
        """Build a directory that an entry names; its problems tell the way to it."""
        try:
            return self.accumulate(path, items, way)
        except RenderError as error:
            here = str(made.place(*steps))
            problems = [replace(problem, via=(*problem.via, here)) for problem in error.problems]
            raise RenderError(problems) from error

    def _loader(self, made: Kustomization) -> Loader:
        return Loader(made, self.files, self.restrict_loads, self.schema or openapi.built_in(), self.thorough)

    def _came(self, items: Iterable[Item], told: Callable[[Item], str]) -> None:
        """Note where objects came from that nothing is noted of yet."""
        if self.metadata:
            for item in items:
                item.provenance = item.provenance or told(item)

    def _saw(self, items: Iterable[Item], told: Iterable[str]) -> None:
        """Note which transformers objects were given to."""
        if self.metadata:
            texts = tuple(told)
            for item in items:
                item.transformations += texts

    def _component(self, made: Kustomization, index: int, entry: object, items: list[Item], way: _Way) -> Configuration:
        path = self._directory(made, "components", index, entry)
        inner, configured = self._inner(made, ("components", index), path, items, way)
        if not inner.is_component:
            hint = "list it under resources"
            raise made.error(f"components[{index}] {path} is no Component", "components", index, hint=hint)
        return configured

    def _plugins(self, made: Kustomization, name: str, way: _Way) -> Iterator[Kustomization]:
        """Yield the plugins of a field: each entry is YAML itself, a file, or a directory that is built."""
        for index, entry in enumerate(made.entries(name)):
            if isinstance(entry, str) and "\n" in entry:
                yield from plugins.read_inline(made, name, index, entry)
                continue
            configs: list[Item] = []
            self._resource(made, name, index, entry, configs, way)
            yield from (plugins.plugin(made, item.body, item.origin.source.file) for item in configs)

    def _resources(self, made: Kustomization, items: list[Item], way: _Way) -> Configuration:
        """Read resources and bases; the problems of all of them are raised together."""
        problems: list[Problem] = []
        configured = configuration.default()
        for name in ("resources", "bases"):
            for index, entry in enumerate(made.entries(name)):
                try:
                    more = self._resource(made, name, index, entry, items, way)
                    configured = configuration.merged(configured, more, made)
                except RenderError as error:
                    problems.extend(error.problems)
        if problems:
            raise RenderError(dict.fromkeys(problems))
        return configured

    def _resource(
        self,
        made: Kustomization,
        name: str,
        index: int,
        entry: object,
        items: list[Item],
        way: _Way,
    ) -> Configuration:
        path = self._path(made, name, index, entry)
        if self.files.is_dir(path):
            inner, configured = self._inner(made, (name, index), path, items, way)
            if inner.is_component:
                hint = "list it under components"
                raise made.error(f"{name}[{index}] {path} is a Component", name, index, hint=hint)
            return configured
        where, content = self._loader(made)(str(entry), (name, index))
        try:
            documents = yaml.parse(content, Source(where, made.directory))
        except ConfigError as error:
            raise RenderError(error.problems) from error
        for document in documents:
            items.extend(
                Item(body, begin(body, Origin(Source(where, made.directory), 1))) for body in flat(document, where)
            )
        self._came(items, _constant(provenance.of_file(self.root, where)))
        return configuration.default()

    def _directory(self, made: Kustomization, name: str, index: int, entry: object) -> str:
        path = self._path(made, name, index, entry)
        if not self.files.is_dir(path):
            raise made.error(f"{name}[{index}]: there is no directory {path}", name, index)
        return path

    def _path(self, made: Kustomization, name: str, index: int, entry: object) -> str:
        if not isinstance(entry, str) or not entry.strip():
            raise made.error(f"{name}[{index}] has to be a path", name, index)
        place = Place(made, name, index)
        spec = specification(self.files, place, entry)
        if spec is not None:
            try:
                return self.files.base(entry)
            except ConfigError as error:
                raise place.errors(error, spec) from error
        local = remote.joined(made.directory, entry)
        if local is None:
            raise made.error(f"{name}[{index}]: {entry} leads out of the repository", name, index)
        if not self.files.is_dir(local) and not self.files.is_file(local):
            raise made.error(f"{name}[{index}]: there is no {local}", name, index)
        return local


def _constant(text: str) -> Callable[[Item], str]:
    return lambda _: text


def _transform(made: Kustomization, items: list[Item], load: Loader, configured: Configuration) -> list[Problem]:
    """Carry out a kustomization's transformers, in Kustomize's order; return what is worth a warning."""
    idle: list[Problem] = []
    for name in ("patchesStrategicMerge", "patches"):
        idle += patches.carry_out(made, patches.read(made, name, load), items, load)
    transformers.namespace(made, items, configured.namespace)
    transformers.affixes(made, items, configured.name_prefix, configured.name_suffix)
    transformers.labels(made, items, configured.common_labels, configured.template_labels, configured.labels)
    transformers.common_annotations(made, items, configured.common_annotations)
    idle += patches.carry_out(made, patches.read(made, "patchesJson6902", load), items, load)
    transformers.replicas(made, items, configured.replicas)
    images.carry_out(made, items, configured.images)
    return idle + replacements.carry_out(made, items, load)


def _bounded(made: Kustomization, items: list[Item]) -> None:
    if len(items) > BUILD_OBJECTS:
        raise made.error(f"a build makes at most {BUILD_OBJECTS} objects", hint="are layers included again and again?")


def _once(items: list[Item]) -> None:
    """Refuse two objects of one identity."""
    counts = Counter((ObjectId.of(item.body), item.gvk.version) for item in items)
    problems = [
        Problem(item.origin.source.file, item.origin.line, f"{item} is there {counts[key]} times", "keep one of them")
        for item in items
        if counts[key := (ObjectId.of(item.body), item.gvk.version)] > 1
    ]
    if problems:
        raise RenderError(problems)


def _resource(item: Item) -> Resource:
    annotations = item.metadata.get("annotations")
    if not annotations:
        if annotations is not None or "annotations" in item.metadata:
            item.metadata.drop("annotations")
    elif isinstance(annotations, Map):
        for key, value in annotations.items():
            if not isinstance(value, str | dict | list) or text_at(annotations, key) != value:
                annotations[key] = text_at(annotations, key)
    return Resource(ObjectId.of(item.body), item.gvk.version, item.body, item.origin)
