"""What Helm prints, as objects; and what it says where it fails, at the line that it says it of."""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from reconciler import yaml
from reconciler.errors import ChartError, ConfigError, Problem, RenderError
from reconciler.model.origin import Origin, Source
from reconciler.render import helmfiles, helmmarks, helmorigins
from reconciler.render.documents import flat

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.model.charts import Charts, Template
    from reconciler.model.tree import Map
    from reconciler.render.helmfields import Chart
    from reconciler.render.helmmarks import Place, Values

_SOURCE: Final = re.compile(r"# Source: (\S.*)")
_TOLD: Final = re.compile(r"(?P<file>[^\s:(\"]+/[^\s:(\"]+)(?::(?P<line>\d+))?")
_ADVICE: Final = "Use --debug flag to render out invalid YAML"
_RANDOM: Final = (
    "give the chart the value that it makes up, such as a password, or each machine renders another one: "
    "random numbers, dates and generated keys have no place in what git defines"
)


@dataclass(frozen=True, slots=True)
class Document:
    """One document of an output; `start` is the index of its first line. `file` is the path that Helm gives it."""

    file: str
    start: int
    text: str


@dataclass(frozen=True, slots=True)
class Setting:
    """From Helm's names of a chart's files to their places: in the repository, or in a pinned archive."""

    chart: Chart
    directory: str
    name: str
    paths: frozenset[str]

    def path(self, file: str) -> str:
        """Return the path in the chart of a file that Helm calls `chart/path`; "" where no such file is known."""
        top, _, path = file.partition("/")
        return path if top == self.name and path in self.paths else ""

    def place(self, path: str) -> str:
        """Return the place of a file of the chart."""
        if self.directory:
            return posixpath.join(self.directory, path)
        text = self.chart.text
        return f"{text('repo').rstrip('/')}/{text('name')}-{text('version')}/{path}"

    def source(self, path: str) -> Source:
        """Return a file of the chart as the source of values."""
        return Source(self.place(path), self.chart.made.directory)


def objects(
    chart: Chart, directory: str, request: Template, trees: tuple[Map, ...], charts: Charts
) -> tuple[list[Map], list[Problem]]:
    """Return the objects that a chart makes, and what is worth a warning; raises RenderError with what Helm says."""
    paths = frozenset(path for path, _ in request.files)
    try:
        setting = Setting(chart, directory, helmfiles.chart_name(request.files), paths)
    except ChartError as error:
        raise chart.error(f"{directory or 'the archive'} is no chart: {error}") from error
    try:
        plain = charts.template(request)
        places, steady = _places(charts, request, plain)
    except ChartError as error:
        raise RenderError([_problem(setting, str(error))]) from error
    documents = list(_documents(plain))
    values, marked = _with_marks(setting, charts, request, trees, plain)
    found: list[Map] = []
    for index, document in enumerate(documents):
        path = setting.path(document.file)
        whole = Origin(setting.source(path), 1, "helm") if path else chart.place
        for number, body in enumerate(_parsed(setting, document, whole)):
            helmorigins.place(body, whole, setting.source, places[document.start :] if places is not None else [])
            if values is not None and number < len(marked[index]):
                helmorigins.credit(body, marked[index][number], values, whole)
            found.extend(flat(body, whole.source.file))
    return found, [] if steady else [
        chart.made.problem(f"the chart {chart.text('name')} renders differently each time", *chart.steps, hint=_RANDOM)
    ]


def _documents(output: str) -> Iterator[Document]:
    """Yield the documents of an output; one without a name of its own is of the file of that before it."""
    file, start = "", 0
    kept: list[str] = []
    for number, line in enumerate([*output.split("\n"), "---"]):
        if line.rstrip() == "---":
            if any(text.strip() and not text.startswith("#") for text in kept):
                yield Document(file, start, "\n".join(kept))
            start, kept = number + 1, []
            continue
        if (told := _SOURCE.fullmatch(line.rstrip())) and not any(text.strip() for text in kept):
            file = told[1]
        kept.append(line)


def _parsed(setting: Setting, document: Document, whole: Origin) -> list[Any]:
    try:
        return yaml.parse(document.text, whole.source)
    except ConfigError as error:
        wrong = error.problems[0]
        lines = document.text.split("\n")
        shown = f": {lines[wrong.line - 1].strip()}" if 0 < wrong.line <= len(lines) else ""
        message = f"{document.file or 'the chart'} renders to what is {wrong.message}, in line {wrong.line}{shown}"
        raise setting.chart.error(message) from error


def _places(charts: Charts, request: Template, plain: str) -> tuple[list[Place | None] | None, bool]:
    """Return the place of each line of the output, and whether rendering again gives the same."""
    marks = helmmarks.with_lines(request)
    try:
        marked = charts.template(marks.request)
    except ChartError:
        return None, _again(charts, request) == plain  # a chart that cannot have comments: its lines stay unknown
    steady = marks.mark.sub("", marked) == plain or _again(charts, request) == plain
    return helmmarks.lines(plain, marked, marks), steady


def _again(charts: Charts, request: Template) -> str:
    return charts.template(replace(request, attempt=1))


def _with_marks(
    setting: Setting, charts: Charts, request: Template, trees: tuple[Map, ...], plain: str
) -> tuple[Values | None, list[list[Any]]]:
    """Return the documents again, rendered with marks on the values that the kustomization sets.

    A chart may do something else for another number, or refuse a string that has a tail: what it takes is what is known.
    """
    own = setting.place("values.yaml")
    files = [document.file for document in _documents(plain)]
    for numbers in (True, False):
        values = helmmarks.with_values(request, trees, lambda at: at.source.file != own, plain, numbers=numbers)
        if not values.found:
            break
        try:
            marked = list(_documents(charts.template(values.request)))
        except ChartError:
            continue
        if [document.file for document in marked] == files:
            return values, [_readable(document) for document in marked]
    return None, []


def _readable(document: Document) -> list[Any]:
    try:
        return yaml.parse(document.text, Source(document.file, ""))
    except ConfigError:
        return []  # a mark in a place where YAML cannot have it: nothing is claimed of this document


def _problem(setting: Setting, text: str) -> Problem:
    """Return what Helm says as a problem of the line that it names, else of the kustomization's."""
    message = " ".join(text.replace(_ADVICE, "").split()).removeprefix("Error: ")
    error = setting.chart.error(message).problems[0]
    if setting.directory:
        told = [(path, int(one["line"] or 0)) for one in _TOLD.finditer(message) if (path := setting.path(one["file"]))]
        if told:  # the innermost template is told last
            path, line = next((one for one in reversed(told) if one[1]), told[-1])
            return Problem(setting.place(path), line, message, f"rendered for {error.file}:{error.line}")
    return error
