"""The port to Helm: what the render stage asks of it, and what it gets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from pathlib import Path

ChartFiles = tuple[tuple[str, bytes], ...]
"""The files of a chart: paths within it, sorted, and what they hold."""


@dataclass(frozen=True, slots=True)
class Pin:
    """A chart of a repository (`https://…`, `http://…`, `oci://…`), pinned to the SHA-256 of its archive.

    `digest` is `sha256:` and 64 hexadecimal digits.
    """

    repo: str
    name: str
    version: str
    digest: str

    def __str__(self) -> str:
        """Return repository, name and version."""
        return f"{self.repo.rstrip('/')}/{self.name} {self.version}"

    def archive(self, cache: Path) -> Path:
        """Return where a cache keeps the archive."""
        return cache / "charts" / f"{self.digest.replace(':', '-')}.tgz"


@dataclass(frozen=True, slots=True)
class Template:
    """One `helm template`, as a value: equal ones give equal output.

    `values` are values files, the later over the earlier. `release` and `name_template` may be "". A chart may use random
    numbers or the clock; `attempt` tells two runs apart that are compared to find that out.
    """

    files: ChartFiles
    values: tuple[bytes, ...]
    release: str = ""
    name_template: str = ""
    namespace: str = ""
    kube_version: str = ""
    api_versions: tuple[str, ...] = ()
    include_crds: bool = False
    skip_tests: bool = False
    skip_hooks: bool = False
    attempt: int = 0


class Charts(Protocol):
    """Renders charts: without a cluster, without a network."""

    def template(self, request: Template) -> str:
        """Return what Helm prints; raises ChartError with what Helm says."""

    def archive(self, pin: Pin) -> bytes:
        """Return the archive that a pin names, its digest checked; raises ChartError where it cannot be had."""
