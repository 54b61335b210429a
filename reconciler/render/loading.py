"""What the steps of one kustomization may use: the files within its reach, and which lists merge."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reconciler.model.files import FileTree
    from reconciler.render.kustomization import Kustomization
    from reconciler.render.openapi import MergeKeys


@dataclass(frozen=True, slots=True)
class Loader:
    """Reads files for a kustomization. `restrict`: only those in or below its directory, as Kustomize's default is.

    `thorough`: steps also tell where they change nothing, which takes a comparison of all that they touch.
    """

    made: Kustomization
    files: FileTree
    restrict: bool
    schema: MergeKeys
    thorough: bool = False

    def __call__(self, path: str, steps: tuple[str | int, ...]) -> tuple[str, bytes]:
        """Return the place and content of a file that the kustomization names at some steps; raises RenderError."""
        made = self.made
        where = posixpath.normpath(posixpath.join(made.directory, path))
        inside = not made.directory or where.startswith(f"{made.directory}/")
        if where.startswith(("../", "/")) or (self.restrict and not inside):
            hint = "put the file there, or build with --load-restrictor LoadRestrictionsNone"
            raise made.error(f"{path} is not in or below {made.directory or 'the root'}", *steps, hint=hint)
        try:
            return where, self.files.read(where)
        except FileNotFoundError as error:
            raise made.error(f"there is no file {where}", *steps) from error
