"""What the steps of one kustomization may use: the files within its reach, and which lists merge."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from reconciler.model import remote
from reconciler.render.remote import COPY

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
        if "://" in path:
            raise made.error(f"{remote.shown(path)} is a URL, and builds fetch no files", *steps, hint=COPY)
        where = remote.joined(made.directory, path)
        inside = where is not None and (not made.directory or where.startswith(f"{made.directory}/"))
        restricted = self.restrict or remote.split(made.directory)[0]  # a remote base always keeps to itself
        if where is None or (restricted and not inside):
            hint = "put the file there, or build with --load-restrictor LoadRestrictionsNone"
            raise made.error(f"{path} is not in or below {made.directory or 'the root'}", *steps, hint=hint)
        try:
            return where, self.files.read(where)
        except FileNotFoundError as error:
            raise made.error(f"there is no file {where}", *steps) from error
