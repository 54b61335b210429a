"""A Kustomize directory to its objects, in memory, each leaf with its origin.

What was built before from files that are the same is not built again, and what builds is not loaded then (`building`). Nothing is
run and nothing is fetched; charts are given to Helm behind a port, where that is enabled.
"""

from __future__ import annotations

import posixpath
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reconciler.render.memory import Memory, Watched, Whole
from reconciler.render.remote import Mounted, Root

if TYPE_CHECKING:
    from reconciler.errors import Problem
    from reconciler.model.charts import Charts
    from reconciler.model.files import FileTree
    from reconciler.model.remote import Remotes
    from reconciler.model.resource import Resource


@dataclass(frozen=True, slots=True)
class Build:
    """The objects of a directory, in the order of output, and what is worth a warning."""

    resources: tuple[Resource, ...]
    warnings: tuple[Problem, ...]


def build(
    files: FileTree,
    directory: str,
    *,
    restrict_loads: bool = True,
    charts: Charts | None = None,
    remotes: Remotes | None = None,
    settled: bool = False,
    thorough: bool = False,
    memory: Memory | None = None,
) -> Build:
    """Build a directory; raises RenderError with all that is wrong with it.

    Without `charts` Helm is not enabled, without `remotes`, which gives their files, remote bases are refused.
    `settled`: namespaces are as an API server takes them, where Kustomize's own output is not (`settling`). `thorough`:
    warnings tell of patches and replacements that change nothing. `memory`: what is there already is not built again.
    """
    root = posixpath.normpath(directory) if directory not in ("", ".") else ""
    memory = memory or Memory(most=0)
    mounted = Mounted(files, remotes)
    watched = Watched(mounted)
    key = f"{root} {restrict_loads} {settled} {thorough} {charts is not None}"
    found: Build | None = memory.whole(key, watched)
    if found is None:
        from reconciler.render import building, helm

        inflator = helm.Inflator(watched, charts)
        found = building.built(
            watched,
            Root(root, mounted),
            root,
            memory,
            restrict_loads=restrict_loads,
            inflator=inflator,
            settled=settled,
            thorough=thorough,
        )
        if not inflator.used:
            memory.keep_whole(key, Whole(watched.seen, found))
    return found
