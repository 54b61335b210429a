"""What was built before: a directory whose files are what they were then gives the same objects.

Every look at a file while something is built is noted with what was seen. What was built is given again where every one
of these looks would see the same now, so there is no list of inputs that somebody could forget to extend. Layers within a
build are copied, because the layers around them change their objects; whole builds are shared, because nobody does.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, replace
from threading import Lock
from typing import TYPE_CHECKING, Any, Final, Protocol

from reconciler.errors import ConfigError, Problem, RenderError
from reconciler.limits import BUILD_BYTES, BUILD_READS
from reconciler.model.tree import copy

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping, Sequence

    from reconciler.render.configuration import Configuration
    from reconciler.render.item import Item
    from reconciler.render.kustomization import Kustomization
    from reconciler.render.remote import Mounted

MOST_OBJECTS: Final = 20_000  # in memory; some 10 KiB each
VERSIONS: Final = 2  # of one directory: the two sides of a preview
Look = tuple[str, str]  # what was asked ("read", "file", "dir", "entries", "base"), and of which path or URL
MISSING: Final = ""


class Watched:
    """A tree of files that notes what is seen of it."""

    def __init__(self, files: Mounted) -> None:
        """Watch a tree."""
        self._files = files
        self._noted: list[dict[Look, Any]] = [{}]
        self._reads = self._bytes = 0

    @property
    def seen(self) -> Mapping[Look, Any]:
        """What was seen since the innermost `begin`; that a file was read also says that it is one."""
        noted = self._noted[-1]
        read = {path for (what, path), seen in noted.items() if what == "read" and seen != MISSING}
        return {look: seen for look, seen in noted.items() if look[0] not in ("dir", "file") or look[1] not in read}

    def begin(self) -> None:
        """Begin to note apart what is seen."""
        self._noted.append({})

    def end(self, also: Mapping[Look, Any] | None = None) -> None:
        """Add what was noted apart, and what was seen at another time, to what is noted around it."""
        noted = self._noted.pop()
        self._noted[-1].update(noted)
        self._noted[-1].update(also or {})

    def is_dir(self, path: str) -> bool:
        """Whether a directory stands there."""
        found = self._files.is_dir(path)
        self._noted[-1]["dir", path] = found
        return found

    def is_file(self, path: str) -> bool:
        """Whether a regular file stands there."""
        found = self._files.is_file(path)
        self._noted[-1]["file", path] = found
        return found

    def entries(self, path: str) -> Sequence[str]:
        """Return the names in a directory, sorted."""
        found = tuple(self._files.entries(path))
        self._noted[-1]["entries", path] = found
        return found

    def read(self, path: str) -> bytes:
        """Return a file's content."""
        try:
            content = self._files.read(path)
        except FileNotFoundError:
            self._noted[-1]["read", path] = MISSING
            raise
        self._count(path, content)
        self.digest(path)
        return content

    def _count(self, path: str, content: bytes) -> None:
        """Refuse what reads more than any platform needs."""
        self._reads += 1
        self._bytes += len(content)
        if self._reads > BUILD_READS or self._bytes > BUILD_BYTES:
            told = (
                f"a build reads at most {BUILD_READS} files and {BUILD_BYTES >> 20} MiB, and this one goes beyond that"
            )
            raise RenderError([Problem(path, 0, told, "are layers included again and again?")])

    def digest(self, path: str) -> str:
        """Return the git blob id of a file."""
        found = self._files.digest(path)
        self._noted[-1]["read", path] = found
        return found

    def base(self, entry: str) -> str:
        """Return the directory of a remote base; see `Mounted.base`."""
        found = self._files.base(entry)
        self._noted[-1]["base", entry] = found
        return found

    def same(self, looks: Mapping[Look, Any]) -> bool:
        """Whether all that was seen at another time would be seen now."""
        bases = [(path, seen) for (what, path), seen in looks.items() if what == "base"]
        if not all(self._look("base", path) == seen for path, seen in bases):
            return False  # what was seen below their mounts cannot be looked at
        return all(self._look(what, path) == seen for (what, path), seen in looks.items())

    def _look(self, what: str, path: str) -> Any:
        try:
            if what == "base":
                return self._files.base(path)
            if what == "read":
                return self._files.digest(path)
            if what == "entries":
                return tuple(self._files.entries(path))
        except FileNotFoundError:
            return MISSING
        except ConfigError:
            if what != "base":
                raise
            return MISSING  # of which another commit is pinned, or none may be used any more
        return self._files.is_dir(path) if what == "dir" else self._files.is_file(path)


@dataclass(frozen=True, slots=True)
class Layer:
    """A directory as it was built, before the steps of the layers around it; none of it is ever changed."""

    seen: Mapping[Look, Any]
    made: Kustomization
    items: tuple[Item, ...]
    configured: Configuration
    warnings: tuple[Problem, ...]

    @property
    def objects(self) -> int:
        """How many objects it keeps."""
        return len(self.items)

    def copied(self) -> list[Item]:
        """Return its objects, to be changed."""
        return [twin(item) for item in self.items]


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole build."""

    seen: Mapping[Look, Any]
    build: Any  # a build.Build

    @property
    def objects(self) -> int:
        """How many objects it keeps."""
        return len(self.build.resources)


def twin(item: Item) -> Item:
    """Return an independent copy of an object."""
    return replace(
        item,
        body=copy(item.body),
        earlier=list(item.earlier),
        prefixes=list(item.prefixes),
        suffixes=list(item.suffixes),
    )


class Shelf(Protocol):
    """Where whole builds are kept from one process to the next."""

    def get(self, key: str) -> Whole | None:
        """Return what was put there last, if it is still there."""

    def put(self, key: str, whole: Whole) -> None:
        """Keep a build."""


class Memory:
    """Layers and whole builds of one process, and of earlier ones where there is a shelf.

    Of each directory a few versions: a preview goes to and fro between two commits. Bounded by objects: what was not used
    for longest goes first. Used from several threads.
    """

    def __init__(self, shelf: Shelf | None = None, most: int = MOST_OBJECTS) -> None:
        """Remember up to some number of objects."""
        self._shelf = shelf
        self._most = most
        self._kept: OrderedDict[Hashable, tuple[Layer | Whole, ...]] = OrderedDict()
        self._lock = Lock()

    @property
    def keeps(self) -> bool:
        """Whether anything is remembered in memory."""
        return self._most > 0

    def layer(self, key: Hashable, files: Watched) -> Layer | None:
        """Return a layer that would be built like this now."""
        found = self._get(("layer", key), files)
        return found if isinstance(found, Layer) else None

    def whole(self, key: str, files: Watched) -> Any:
        """Return a whole build that would be built like this now; None where there is none."""
        found = self._get(("whole", key), files)
        if isinstance(found, Whole):
            return found.build
        kept = self._shelf.get(key) if self._shelf is not None else None
        if kept is None or not files.same(kept.seen):
            return None
        self._put(("whole", key), kept)
        return kept.build

    def keep_layer(self, key: Hashable, layer: Layer) -> None:
        """Remember a layer."""
        self._put(("layer", key), layer)

    def keep_whole(self, key: str, whole: Whole) -> None:
        """Remember a whole build."""
        self._put(("whole", key), whole)
        if self._shelf is not None:
            self._shelf.put(key, whole)

    def _get(self, key: Hashable, files: Watched) -> Layer | Whole | None:
        with self._lock:
            known = self._kept.get(key, ())
            if known:
                self._kept.move_to_end(key)
        return next((kept for kept in known if files.same(kept.seen)), None)

    def _put(self, key: Hashable, kept: Layer | Whole) -> None:
        if kept.objects > self._most:
            return
        with self._lock:
            self._kept[key] = (kept, *self._kept.pop(key, ())[: VERSIONS - 1])
            while sum(one.objects for versions in self._kept.values() for one in versions) > self._most:
                self._kept.popitem(last=False)
