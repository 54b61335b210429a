"""A stand-in for Helm that knows one kind of action, `{{ .Values.a.b }}`, and prints documents as Helm does."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from reconciler import yaml
from reconciler.errors import ChartError
from reconciler.model.origin import Source

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from reconciler.model.charts import Pin, Template

ACTION = re.compile(r"\{\{ \.(Values|Release)\.([\w.]+) \}\}")


@dataclass
class FakeCharts:
    """Renders every template of a chart in the order of their names; `change` is the last to touch what is printed."""

    archives: Mapping[str, bytes] = field(default_factory=dict)
    change: Callable[[Template, str], str] = lambda _, output: output
    asked: list[Template] = field(default_factory=list)

    def template(self, request: Template) -> str:
        """Return what the templates say, with values put in."""
        self.asked.append(request)
        files = dict(request.files)
        name = yaml.parse(files["Chart.yaml"], Source("", ""))[0]["name"]
        values: dict[str, Any] = {}
        for content in (files.get("values.yaml", b""), *request.values):
            values = _over(values, (yaml.parse(content, Source("", "")) or [None])[0] or {})
        release = {"Name": request.release or "release-name", "Namespace": request.namespace or "default"}

        def put(found: re.Match[str]) -> str:
            value: Any = {"Values": values, "Release": release}[found[1]]
            for step in found[2].split("."):
                if not isinstance(value, dict):
                    raise ChartError(f"Error: {name}/templates/a.yaml:3:9 executing at <.{found[2]}>: nil pointer")
                value = value.get(step, "")
            return str(value)

        printed = [
            f"---\n# Source: {name}/{path}\n{ACTION.sub(put, part.strip())}\n"
            for path, content in request.files
            if "templates/" in path
            for part in content.decode().split("---\n")
        ]
        return self.change(request, "".join(printed))

    def archive(self, pin: Pin) -> bytes:
        """Return an archive that was put here."""
        if pin.digest not in self.archives:
            raise ChartError("it is not in the cache")
        return self.archives[pin.digest]


def _over(below: Any, above: Any) -> Any:
    if isinstance(below, dict) and isinstance(above, dict):
        return {key: _over(below.get(key), above.get(key, below.get(key))) for key in {**below, **above}}
    return above
