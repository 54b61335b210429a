"""Whole builds on disk, for the next process.

Trees are written by `marshal`, which is the quickest reader that Python has, with the origins beside the values: most are
the line of a file and nothing more. A digest in front tells what is whole from what is not, and what was written by another
version of this code or of Python is not looked for.
"""

from __future__ import annotations

import hashlib
import marshal
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from reconciler.errors import Problem
from reconciler.model.identity import ObjectId
from reconciler.model.origin import Origin, Shadow, Source
from reconciler.model.resource import Resource
from reconciler.model.tree import Map, Seq
from reconciler.render.build import Build
from reconciler.render.memory import Whole

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reconciler.store import Store

_DIGEST: Final = hashlib.sha256().digest_size
_ROOMS: Final = ("model", "render", "yaml")
_tuple: Final = tuple.__new__  # quicker than Origin(...), for as many as there are entries


class BuildShelf:
    """The adapter of `render.memory.Shelf`."""

    def __init__(self, store: Store) -> None:
        """Keep builds in a store."""
        self._store = store

    def get(self, key: str) -> Whole | None:
        """Return the build that was put there last; None where there is none that is whole."""
        content = self._store.get(_name(key))
        if content is None or hashlib.sha256(content[_DIGEST:]).digest() != content[:_DIGEST]:
            return None
        return _Decoder().whole(marshal.loads(content[_DIGEST:]))  # noqa: S302 - written by `put`, as the digest says

    def put(self, key: str, whole: Whole) -> None:
        """Keep a build."""
        content = marshal.dumps(_Encoder().whole(whole))
        self._store.put(_name(key), hashlib.sha256(content).digest() + content)


def _name(key: str) -> str:
    return hashlib.sha256(f"{sys.version}\n{_code()}\n{key}".encode()).hexdigest()


@cache
def _code() -> str:
    """Return a digest of the code that builds: of the names, sizes and times of its files."""
    root = Path(__file__).parent
    files = sorted(path for room in _ROOMS for path in (root / room).rglob("*") if path.suffix in (".py", ".json"))
    told = [f"{path.relative_to(root)} {path.stat().st_size} {path.stat().st_mtime_ns}" for path in files]
    return hashlib.sha256("\n".join(told).encode()).hexdigest()


class _Encoder:
    """Mappings become tuples and sequences lists, each with its values and origins; an origin is a line where it can be."""

    def __init__(self) -> None:
        self._sources: dict[Source, int] = {}

    def whole(self, whole: Whole) -> Any:
        build: Build = whole.build
        resources = [
            (tuple(item.id), item.version, self._origin(item.origin, None), self.value(item.body, None))
            for item in build.resources
        ]
        warnings = [(item.file, item.line, item.message, item.hint) for item in build.warnings]
        seen = [(*look, value) for look, value in whole.seen.items()]
        return seen, warnings, resources, [(source.file, source.layer) for source in self._sources]

    def value(self, value: Any, source: Source | None) -> Any:
        """Encode a value; `source` is the one that lines alone mean."""
        if isinstance(value, Map):
            inner = next(iter(value.origins.values())).source if value.origins else source
            return (
                tuple(value),
                [self.value(item, inner) for item in value.values()],
                [self._origin(value.origins.get(key), inner) for key in value],
                self._number(inner),
            )
        if isinstance(value, Seq):
            inner = next((origin.source for origin in value.origins if origin is not None), source)
            return [
                [self.value(item, inner) for item in value],
                [self._origin(origin, inner) for origin in value.origins],
                self._number(inner),
            ]
        return value

    def _number(self, source: Source | None) -> int | None:
        return None if source is None else self._sources.setdefault(source, len(self._sources))

    def _origin(self, origin: Origin | None, source: Source | None) -> Any:
        if origin is None:
            return None
        if origin.source is source and origin.by == "resource" and origin.shadowed is None and origin.text is None:
            return origin.line
        shadowed = origin.shadowed
        under = None if shadowed is None else (self.value(shadowed.value, None), self._origin(shadowed.origin, None))
        return self._number(origin.source), origin.line, origin.by, under, origin.text


class _Decoder:
    """Makes trees again."""

    def __init__(self) -> None:
        self._sources: list[Source] = []

    def whole(self, told: Any) -> Whole:
        seen, warnings, resources, sources = told
        self._sources = [Source(*source) for source in sources]
        made = tuple(
            Resource(ObjectId(*identity), version, self.value(body), self._origin(origin, None))
            for identity, version, origin, body in resources
        )
        looks = {(what, path): value for what, path, value in seen}
        return Whole(looks, Build(made, tuple(Problem(*warning) for warning in warnings)))

    def value(self, told: Any) -> Any:
        """Decode a value."""
        kind = told.__class__
        if kind is tuple:
            keys, values, origins, number = told
            source = None if number is None else self._sources[number]
            made: Map = Map.__new__(Map)
            made.update(zip(keys, map(self.value, values), strict=True))
            made.origins = {
                key: _tuple(Origin, (source, at, "resource", None, None)) if at.__class__ is int else self._whole(at)
                for key, at in zip(keys, origins, strict=True)
                if at is not None
            }
            return made
        if kind is list:
            values, origins, number = told
            return Seq(map(self.value, values), self._origins(origins, number))
        return told

    def _origins(self, origins: Sequence[Any], number: int | None) -> list[Origin | None]:
        source = None if number is None else self._sources[number]
        return [self._origin(at, source) for at in origins]

    def _origin(self, told: Any, source: Source | None) -> Origin | None:
        if told is None:
            return None
        if isinstance(told, int):
            made: Origin = _tuple(Origin, (source, told, "resource", None, None))
            return made
        return self._whole(told)

    def _whole(self, told: Any) -> Origin:
        number, line, by, under, text = told
        shadowed = None if under is None else Shadow(self.value(under[0]), self._origin(under[1], None))
        return Origin(self._sources[number], line, by, shadowed, text)
