"""YAML to trees: the unusual documents by libyaml's events, the usual ones by `block`."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Any

import yaml as pyyaml

from reconciler.errors import ConfigError, Problem
from reconciler.limits import DEPTH, NODES
from reconciler.model.origin import Origin, Source
from reconciler.model.tree import Map, Seq, copy, extent
from reconciler.yaml import block, folding
from reconciler.yaml.scalars import canonical, resolve, resolve11

if TYPE_CHECKING:
    from collections.abc import Iterator


class Dialect(enum.Enum):
    """Whose YAML it is: resources are read by go-yaml 3, kustomization files by go-yaml 2 (`on` and `yes` are booleans).

    A key of a patch may be a number: it is compared with others as text.
    """

    RESOURCE = "resource"
    PATCH = "patch"
    KUSTOMIZATION = "kustomization"


def parse(text: bytes | str, source: Source, dialect: Dialect = Dialect.RESOURCE) -> list[Any]:
    """Return the documents of a file; an empty document is None. Raises ConfigError with file and line."""
    meaning = resolve11 if dialect is Dialect.KUSTOMIZATION else resolve
    try:
        return block.read(text, source, meaning)
    except block.Unusual:
        return read(text, source, dialect)


def read(text: bytes | str, source: Source, dialect: Dialect = Dialect.RESOURCE) -> list[Any]:
    """Return the documents of a file, all of it scanned by libyaml."""
    return [_Reader(source, dialect, strict=False).read(events) for events in _documents(text, source)]


def parse_strict(text: bytes | str, source: Source) -> tuple[list[Any], tuple[Problem, ...]]:
    """Return the documents of a file and each key that is given twice."""
    problems: list[Problem] = []
    documents = []
    for events in _documents(text, source):
        reader = _Reader(source, Dialect.RESOURCE, strict=True)
        documents.append(reader.read(events))
        problems.extend(reader.problems)
    return documents, tuple(problems)


def _documents(text: bytes | str, source: Source) -> Iterator[list[pyyaml.Event]]:
    """Yield the events of each document, scanned by libyaml."""
    events: list[pyyaml.Event] = []
    try:
        for event in pyyaml.parse(text, Loader=pyyaml.CSafeLoader):
            if isinstance(event, pyyaml.DocumentStartEvent):
                events = []
            elif isinstance(event, pyyaml.DocumentEndEvent):
                yield events
            elif not isinstance(event, pyyaml.StreamStartEvent | pyyaml.StreamEndEvent):
                events.append(event)
    except pyyaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 0
        told = " ".join(part for part in (error.context, error.problem) if part)
        raise ConfigError([Problem(source.file, line, f"not valid YAML: {told}")]) from error
    except (pyyaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError([Problem(source.file, 0, f"not valid YAML: {' '.join(str(error).split())}")]) from error


class _Reader:
    """Builds the tree of one document from its events."""

    def __init__(self, source: Source, dialect: Dialect, *, strict: bool) -> None:
        self._source = source
        self._dialect = dialect
        self._meaning = resolve11 if dialect is Dialect.KUSTOMIZATION else resolve
        self._strict = strict
        self._anchors: dict[str, Any] = {}
        self._events: Iterator[pyyaml.Event] = iter(())
        self._aliased = 0
        self.problems: list[Problem] = []

    def read(self, events: list[pyyaml.Event]) -> Any:
        self._events = iter(events)
        first = next(self._events, None)
        return None if first is None else self._value(first, 0)

    def _value(self, event: pyyaml.Event, depth: int) -> Any:
        if isinstance(event, pyyaml.ScalarEvent):
            value = self._scalar(event)
        elif isinstance(event, pyyaml.AliasEvent):
            return self._alias(event, depth)
        elif depth > DEPTH:
            raise self._error(event, f"nested more than {DEPTH} levels deep")
        elif isinstance(event, pyyaml.MappingStartEvent):
            value = self._mapping(depth)
        else:
            value = self._sequence(depth)
        anchor: str | None = getattr(event, "anchor", None)
        if anchor is not None:
            self._anchors[anchor] = value
        return value

    def _scalar(self, event: pyyaml.ScalarEvent) -> Any:
        tag = event.tag
        if tag is None or tag == "!":
            if event.style == ">" and self._meaning is resolve:
                return folding.rewritten(event.value)
            return self._meaning(event.value) if event.implicit[0] and not event.style else event.value
        if tag == "tag:yaml.org,2002:str" or not tag.startswith("tag:yaml.org,2002:"):
            return event.value
        value = self._meaning(event.value)
        if tag == "tag:yaml.org,2002:float" and isinstance(value, int):
            return float(value)
        return value if tag != "tag:yaml.org,2002:binary" else event.value

    def _alias(self, event: pyyaml.AliasEvent, depth: int) -> Any:
        if event.anchor not in self._anchors:
            raise self._error(event, f"alias *{event.anchor} has no anchor before it")
        target = self._anchors[event.anchor]
        nodes, deep = extent(target, NODES)
        self._aliased += nodes
        if self._aliased > NODES:
            raise self._error(event, f"aliases make more than {NODES} nodes")
        if depth + deep > DEPTH:
            raise self._error(event, f"nested more than {DEPTH} levels deep")
        return copy(target)

    def _sequence(self, depth: int) -> Seq:
        made = Seq()
        for event in self._events:
            if isinstance(event, pyyaml.SequenceEndEvent):
                break
            value = self._value(event, depth + 1)
            made.append(value)
            made.origins.append(self._origin(event, event, value))
        return made

    def _mapping(self, depth: int) -> Map:
        made = Map()
        merged: list[Any] = []
        for event in self._events:
            if isinstance(event, pyyaml.MappingEndEvent):
                break
            if not isinstance(event, pyyaml.ScalarEvent | pyyaml.AliasEvent):
                raise self._error(event, "a mapping or a sequence cannot be a key")
            is_merge = isinstance(event, pyyaml.ScalarEvent) and event.value == "<<" and not event.style
            key = self._value(event, depth)
            begin = next(self._events)
            value = self._value(begin, depth + 1)
            if is_merge:
                merged.append((event, value))
                continue
            text = self._key(event, key)
            if text in made and self._strict:
                self._told_twice(event, text, made)
            made[text] = value
            made.origins[text] = self._origin(event, begin, value)
        for event, value in merged:
            self._merge(event, made, value)
        return made

    def _key(self, event: pyyaml.Event, key: Any) -> str:
        if isinstance(key, str):
            return key
        if isinstance(key, bool) or key is None or isinstance(key, int | float):
            if self._dialect is Dialect.PATCH and isinstance(event, pyyaml.ScalarEvent):
                return str(event.value)
            raise self._error(event, f"the key {key} is no string", "put it in quotes")
        raise self._error(event, "a key has to be a string")

    def _merge(self, event: pyyaml.Event, made: Map, value: Any) -> None:
        """Carry out a merge key: what stands in the mapping itself wins, then the first of several."""
        parts = value if isinstance(value, list) else [value]
        if not all(isinstance(part, Map) for part in parts):
            raise self._error(event, "<< needs a mapping or a list of mappings")
        for part in parts:
            for key, item in part.items():
                if key not in made:
                    made[key] = item
                    made.origins[key] = part.origins[key]

    def _told_twice(self, event: pyyaml.Event, key: str, made: Map) -> None:
        first = made.origins[key].line
        line = _line(event)
        self.problems.append(
            Problem(self._source.file, line, f"the key {key} is given twice", f"first in line {first}")
        )

    def _origin(self, at: pyyaml.Event, event: pyyaml.Event, value: Any) -> Origin:
        """Return the origin of a value, with its text where that tells more."""
        text: str | None = None
        if isinstance(event, pyyaml.ScalarEvent) and not event.style and event.value != canonical(value):
            text = event.value
        return Origin(self._source, _line(at), text=text)

    def _error(self, event: pyyaml.Event, message: str, hint: str = "") -> ConfigError:
        return ConfigError([Problem(self._source.file, _line(event), message, hint)])


def _line(event: pyyaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark else 0
