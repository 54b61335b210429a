"""Helm charts: what a kustomization asks for, given to Helm behind a port, and what Helm prints, as objects.

Fields and values are those of Kustomize 5.8 (`HelmChartInflationGenerator.go`), and so is the outcome: charts are
inflated after the other generators, their objects keep the namespace that Helm gave them. Unlike there nothing is ever
pulled here: a chart stands in the repository, or is pinned by the digest of its archive.
"""

from __future__ import annotations

import posixpath
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from reconciler import yaml
from reconciler.errors import ChartError, ConfigError, Problem, RenderError
from reconciler.model.charts import Template
from reconciler.model.origin import Source
from reconciler.model.tree import Map
from reconciler.render import helmfields, helmfiles, helmoutput, helmvalues
from reconciler.render.documents import begin
from reconciler.render.item import Item

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.model.charts import ChartFiles, Charts
    from reconciler.model.files import FileTree
    from reconciler.model.origin import Origin
    from reconciler.render.helmfields import Chart
    from reconciler.render.kustomization import Kustomization, Load

SWITCH: Final = "set spec.render.helm: true in environment.yaml, or build with --enable-helm"
NO_VALUES: Final = "Kustomize wants a values.yaml in every chart: add one that holds {}, or name a valuesFile"
EMPTY: Final = "Kustomize merges nothing into an empty file: write {} into it, or set valuesMerge: replace"


@dataclass(slots=True)
class Inflator:
    """What inflating charts takes: the files, and Helm (None where it is not enabled). `used`: how many were inflated."""

    files: FileTree
    charts: Charts | None
    used: int = 0

    def field(
        self, made: Kustomization, items: list[Item], load: Load, namespace: tuple[str, Origin] | None
    ) -> Iterator[Problem]:
        """Add what the charts of a kustomization make; yield what is worth a warning."""
        if (field := helmfields.used(made)) and self.charts is None:
            raise made.error(f"{field}: rendering Helm charts is not enabled", field, hint=SWITCH)
        for chart in helmfields.of_kustomization(made, namespace):
            yield from self._inflate(chart, items, load)

    def plugin(self, config: Kustomization, items: list[Item], load: Load) -> Iterator[Problem]:
        """Add what the chart of a plugin makes; yield what is worth a warning."""
        yield from self._inflate(helmfields.of_plugin(config), items, load)

    def _inflate(self, chart: Chart, items: list[Item], load: Load) -> Iterator[Problem]:
        if self.charts is None:
            raise chart.error("rendering Helm charts is not enabled", hint=SWITCH)
        self.used += 1
        files, directory = self._files(chart)
        trees, values = _values(chart, files, directory, load)
        release = chart.release
        request = Template(
            files=files,
            values=values,
            release=chart.text("releaseName"),
            name_template=chart.text("nameTemplate"),
            namespace=release[0] if release else "",
            kube_version=chart.text("kubeVersion"),
            api_versions=chart.texts("apiVersions"),
            include_crds=chart.switch("includeCRDs"),
            skip_tests=chart.switch("skipTests"),
            skip_hooks=chart.switch("skipHooks"),
        )
        made, warnings = helmoutput.objects(chart, directory, request, trees, self.charts)
        _add(chart, items, [Item(body, begin(body, chart.place), inflated=True, release=release) for body in made])
        yield from warnings

    def _files(self, chart: Chart) -> tuple[ChartFiles, str]:
        """Return the files of a chart, and the directory of the repository that they stand in ("" for an archive)."""
        directory = chart.directory
        if directory.startswith(("../", "/")) or directory == "..":
            raise chart.error(f"{chart.home} leads out of the repository")
        if self.files.is_dir(directory):
            return helmfiles.of_directory(self.files, directory), directory
        repo, name, version = (chart.text(key) for key in ("repo", "name", "version"))
        if not repo:
            hint = "put the chart there, or give repo and version"
            raise chart.error(f"there is no chart {directory}", "name", hint=hint)
        pin = helmfiles.pinned(self.files, repo, name, version) if version else None
        if pin is None:
            key = "repo" if version else "name"
            command = f"`reconciler pin-chart {repo} {name} {version or 'VERSION'}`"
            hint = f"{command} prints its entry for {helmfiles.LOCK}; or put its files into {directory}"
            raise chart.error("a chart of a repository has to be pinned by version and digest", key, hint=hint)
        assert self.charts is not None  # noqa: S101 - checked by the caller
        try:
            return helmfiles.of_archive(self.charts.archive(pin), posixpath.basename(name)), ""
        except ChartError as error:
            raise chart.error(f"the archive of {pin}: {error}") from error


def _values(chart: Chart, files: ChartFiles, directory: str, load: Load) -> tuple[tuple[Map, ...], tuple[bytes, ...]]:
    """Return the values files that Helm is given, as trees with their lines and as bytes."""
    mode = chart.text("valuesMerge") or "override"
    if chart.inline and mode == "replace":
        first, content = chart.inline, yaml.dump(chart.inline).encode()
    else:
        where, content = _values_file(chart, files, directory, load)
        first = _tree(chart, where, content)
        if chart.inline:
            if next(iter(yaml.parse(content, Source(where, ""))), None) is None:
                raise chart.error(f"{where} is empty", "valuesInline", hint=EMPTY)
            try:
                first = helmvalues.merged(first, chart.inline, mode)
            except helmvalues.KindsDiffer as error:
                message = f"valuesInline.{error} is of another kind (mapping, list, scalar) than in {where}"
                raise chart.error(message, "valuesInline") from error
            content = yaml.dump(first).encode()
    more = []
    for index, path in enumerate(chart.texts("additionalValuesFiles")):
        more.append(load(path, (*chart.steps, "additionalValuesFiles", index)))
    return (first, *(_tree(chart, *item) for item in more)), (content, *(item[1] for item in more))


def _values_file(chart: Chart, files: ChartFiles, directory: str, load: Load) -> tuple[str, bytes]:
    """Return the values file that a kustomization names, else that of the chart."""
    named = chart.text("valuesFile")
    if named:
        return load(named, (*chart.steps, "valuesFile"))
    content = dict(files).get("values.yaml")
    if content is None:
        raise chart.error("the chart has no values.yaml", hint=NO_VALUES)
    if not directory:
        return f"{chart.text('name')}/values.yaml", content
    path = posixpath.relpath(posixpath.join(directory, "values.yaml"), chart.made.directory or ".")
    return load(path, chart.steps)


def _tree(chart: Chart, where: str, content: bytes) -> Map:
    try:
        documents = yaml.parse(content, Source(where, chart.made.directory))
    except ConfigError as error:
        raise RenderError(error.problems) from error
    tree = documents[0] if documents else None
    if tree is not None and not isinstance(tree, Map):
        raise RenderError([Problem(where, 1, "values have to be a mapping")])
    return tree if tree is not None else Map()


def _add(chart: Chart, items: list[Item], fresh: list[Item]) -> None:
    """Add objects; raises RenderError where one of a name is there already, as Kustomize does."""
    there = {(one.gvk, name.namespace or "default", name.name): one for one in items for name in one.names}
    for item in fresh:
        key = (item.gvk, item.name.namespace or "default", item.name.name)
        if key in there:
            raise chart.error(f"{item} is already there, from {there[key].origin}")
        there[key] = item
        items.append(item)
