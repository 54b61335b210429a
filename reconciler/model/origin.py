"""Where a value comes from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple


@dataclass(frozen=True, slots=True)
class Source:
    """One file of the repository; interned by the reader, so that a million origins share a few of these."""

    file: str  # relative to the repository root, with forward slashes
    layer: str  # the directory level that the file belongs to, e.g. overlays/tiers/dev


@dataclass(frozen=True, slots=True)
class Shadow:
    """A value that a later step overwrote; `origin` is where that value had come from."""

    value: Any
    origin: Origin | None


class Origin(NamedTuple):
    """The place and the step that set one value.

    `line` counts from 1 and is the line of the value's key. `by` names what did it: `resource`, `patch`, `json6902`,
    `images`, `replicas`, `labels`, `annotations`, `namespace`, `namePrefix`, `nameSuffix`, `generator`,
    `nameReference`, `hash`, `helm` (a template of a chart), `values` (a value that a chart was given). `text` is how a
    scalar of a file is written, where its value does not tell (`1.50`, `~`).
    """

    source: Source
    line: int
    by: str = "resource"
    shadowed: Shadow | None = None
    text: str | None = None

    @property
    def given(self) -> Origin | None:
        """The place of the value that a chart's template was given; None where it is of the template itself."""
        behind = self.shadowed.origin if self.shadowed is not None else None
        return behind if behind is not None and behind.by == "values" and self.by == "helm" else None

    def __str__(self) -> str:
        """Return `file:line`."""
        return f"{self.source.file}:{self.line}"
