"""`helmCharts`, `helmGlobals`, the deprecated `helmChartInflationGenerator`, and the plugin: read as Kustomize 5.8 does."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from reconciler.model import remote
from reconciler.model.tree import Map, Seq
from reconciler.render import helmvalues
from reconciler.render.item import mapping

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from reconciler.errors import RenderError
    from reconciler.model.origin import Origin
    from reconciler.render.kustomization import Kustomization

PLUGIN: Final = "HelmChartInflationGenerator"
FIELDS: Final = ("helmCharts", "helmChartInflationGenerator")
HOME: Final = "charts"
_TEXTS: Final = (
    *("name", "version", "repo", "releaseName", "namespace", "valuesFile", "valuesMerge", "kubeVersion"),
    "nameTemplate",
)
_SWITCHES: Final = ("includeCRDs", "skipHooks", "skipTests", "debug", "devel")
_LISTS: Final = ("additionalValuesFiles", "apiVersions")
_GLOBALS: Final = ("chartHome", "configHome")
_OLD: Final = {
    "chartName": "name",
    "chartVersion": "version",
    "chartRepoUrl": "repo",
    "values": "valuesFile",
    "valuesLocal": "valuesInline",
    "valuesMerge": "valuesMerge",
    "releaseName": "releaseName",
}
_OLD_UNUSED: Final = ("chartHome", "helmHome", "chartRepoName", "helmBin", "releaseNamespace", "extraArgs")


@dataclass(frozen=True, slots=True)
class Chart:
    """One chart that a kustomization asks for. `steps` lead to it in its file; `entry` has the keys of `helmCharts`."""

    made: Kustomization
    steps: tuple[str | int, ...]
    entry: Map
    home: str
    namespace: tuple[str, Origin] | None

    def text(self, key: str) -> str:
        """Return a value that is a string; "" where it is not there."""
        value = self.entry.get(key)
        return value if isinstance(value, str) else ""

    def switch(self, key: str) -> bool:
        """Return a value that is a boolean."""
        return self.entry.get(key) is True

    def texts(self, key: str) -> tuple[str, ...]:
        """Return a value that is a list of strings."""
        return tuple(self.entry.get(key) or ())

    @property
    def inline(self) -> Map:
        """The values that stand in the kustomization itself."""
        return mapping(self.entry.get("valuesInline"))

    @property
    def directory(self) -> str:
        """Where the chart is looked for, a chart of a repository in one for each version; ".." where that leads out."""
        base = self.home
        if self.text("version") and self.text("repo"):
            base = posixpath.join(base, f"{self.text('name')}-{self.text('version')}")
        return remote.joined(self.made.directory, posixpath.join(base, self.text("name"))) or ".."

    @property
    def release(self) -> tuple[str, Origin] | None:
        """The namespace of the release, and what says so; None where nothing does."""
        own = self.text("namespace")
        return (own, self.made.caused("helm", *self.steps, "namespace")) if own else self.namespace

    @property
    def place(self) -> Origin:
        """Where the kustomization asks for it."""
        return self.made.caused("helm", *self.steps)

    def error(self, message: str, key: str = "", hint: str = "") -> RenderError:
        """Return a problem at the chart, or at one of its keys, as an error."""
        steps = (*self.steps, key) if key else self.steps
        where = "".join(f"[{step}]" if isinstance(step, int) else str(step) for step in self.steps)
        name = f" {self.text('name')}" if self.text("name") else ""
        return self.made.error(f"{where or PLUGIN}{name}: {message}", *steps, hint=hint)


def homes(documents: Iterable[Any]) -> frozenset[str]:
    """Return the directories that a kustomization and its plugins may mean by charts; none where they ask for none."""
    fields = {field.lower() for field in FIELDS}
    maps = [item for item in documents if isinstance(item, dict)]
    if not any(item.get("kind") == PLUGIN or fields & {key.lower() for key in item} for item in maps):
        return frozenset()
    return frozenset({HOME, *(home for item in maps for home in _homes(item))})


def _homes(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, item in value.items():
            if key.lower() == "charthome" and isinstance(item, str):
                yield item
            yield from _homes(item)
    elif isinstance(value, list):
        for item in value:
            yield from _homes(item)


def used(made: Kustomization) -> str:
    """Return the field of a kustomization that asks for charts; "" where there is none."""
    return next((field for field in FIELDS if made.entries(field)), "")


def of_kustomization(made: Kustomization, inherited: tuple[str, Origin] | None) -> Iterator[Chart]:
    """Yield the charts of a kustomization; `inherited` is the namespace that it or an overlay of it sets."""
    home = _home(made)
    for index, entry in made.maps("helmCharts"):
        yield _checked(Chart(made, ("helmCharts", index), _usual(entry), home, inherited))
    for index, entry in made.maps("helmChartInflationGenerator"):
        steps = ("helmChartInflationGenerator", index)
        unknown = set(entry) - {*_OLD, *_OLD_UNUSED}
        if unknown:
            raise made.error(f"{steps[0]}[{index}] has an unknown key {min(unknown)}", *steps, min(unknown))
        renamed = Map()
        for key, value in entry.items():
            if key in _OLD:
                renamed.put(_OLD[key], value, entry.origins.get(key))
        yield _checked(Chart(made, steps, renamed, home, inherited))


def of_plugin(config: Kustomization) -> Chart:
    """Return the chart of a plugin's configuration."""
    entry = Map()
    for key, value in config.body.items():
        if key not in ("apiVersion", "kind", "metadata", *_GLOBALS):
            entry.put(key, value, config.body.origins.get(key))
    return _checked(Chart(config, (), _usual(entry), config.text("chartHome") or HOME, None))


def _home(made: Kustomization) -> str:
    """Return the directory of charts; the deprecated field has a say only where there are no `helmGlobals`."""
    given = made.body.get("helmGlobals")
    if given is None:
        old = [item.get("chartHome") for _, item in made.maps("helmChartInflationGenerator") if item.get("chartHome")]
        return str(old[-1]) if old else HOME
    if not isinstance(given, Map) or set(given) - set(_GLOBALS):
        raise made.error(f"helmGlobals knows {' and '.join(_GLOBALS)}", "helmGlobals")
    home = given.get("chartHome") or HOME
    if not isinstance(home, str):
        raise made.error("chartHome has to be a string", "helmGlobals", "chartHome")
    return home


_KNOWN: Final = (*_TEXTS, *_SWITCHES, *_LISTS, "valuesInline")
_BY_LOWER: Final = {key.lower(): key for key in _KNOWN}


def _usual(entry: Map) -> Map:
    made = Map()
    for key, value in entry.items():
        made.put(_BY_LOWER.get(key.lower(), key), value, entry.origins.get(key))
    return made


def _checked(chart: Chart) -> Chart:
    """Return the chart; raises RenderError where a key is unknown, or has a value of another type."""
    for key, value in chart.entry.items():
        if key not in _KNOWN:
            raise chart.error(f"unknown key {key}", key, hint=f"there are {', '.join(sorted(_KNOWN))}")
        if value is not None and (expected := _expected(key, value)):
            raise chart.error(f"{key} has to be {expected}", key)
    if not chart.text("name"):
        raise chart.error("a chart needs a name")
    mode = chart.text("valuesMerge")
    if mode and mode not in helmvalues.MODES:
        raise chart.error(f"valuesMerge is {mode}", "valuesMerge", hint=f"expected {', '.join(helmvalues.MODES)}")
    return chart


def _expected(key: str, value: Any) -> str:
    """Return what a key has to be; "" where it is that."""
    if key in _TEXTS:
        return "" if isinstance(value, str) else "a string"
    if key in _SWITCHES:
        return "" if isinstance(value, bool) else "true or false"
    if key in _LISTS:
        fine = isinstance(value, Seq) and all(isinstance(item, str) for item in value)
        return "" if fine else "a list of strings"
    return "" if isinstance(value, Map) else "a mapping"
