"""YAML as Kubernetes reads and writes it, with the line of every entry.

What enters is text; what leaves are `Map` and `Seq` trees whose entries know their origin, and text that every YAML
reader understands the same way. The scalar rules are those of sigs.k8s.io/yaml (go-yaml v3): `yes`, `on` and `y` are
strings, `0o17` and `017` are octal, `1e3` is a number. libyaml does the scanning.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any, Final

import yaml as pyyaml

from reconciler.errors import ConfigError, Problem
from reconciler.model.origin import Origin, Source
from reconciler.model.tree import Map, Seq, copy

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_DEPTH: Final = 200  # nesting, deep enough for any CRD
MAX_ALIASED: Final = 1_000_000  # nodes that aliases may add to a document: a guard against "billion laughs"

_NULLS: Final = frozenset({"", "~", "null", "Null", "NULL"})
_TRUE: Final = frozenset({"true", "True", "TRUE"})
_FALSE: Final = frozenset({"false", "False", "FALSE"})
_YAML11_WORDS: Final = frozenset(
    form
    for word in ("y", "n", "yes", "no", "on", "off", "true", "false", "null")
    for form in (word, word.capitalize(), word.upper())
) | {"~", "", "=", "<<"}
_INT: Final = re.compile(r"[-+]?(?:0b[01_]+|0o?[0-7_]+|0x[0-9a-fA-F_]+|[0-9][0-9_]*)")
_FLOAT: Final = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_SPECIAL_FLOATS: Final = {
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), math.inf),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), -math.inf),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), math.nan),
}
_DATE: Final = re.compile(
    r"\d{4}-\d{1,2}-\d{1,2}(?:[Tt ]\s*\d{1,2}:\d{2}:\d{2}(?:\.\d*)?\s*(?:Z|[-+]\d{1,2}(?::?\d{2})?)?)?"
)
_SEXAGESIMAL: Final = re.compile(r"[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?")


def parse(text: bytes | str, source: Source) -> list[Any]:
    """Return the documents of a file; an empty document is None. Raises ConfigError with file and line."""
    return [_Reader(source, strict=False).read(events) for events in _documents(text, source)]


def parse_strict(text: bytes | str, source: Source) -> tuple[list[Any], tuple[Problem, ...]]:
    """Return the documents of a file and each key that is given twice."""
    problems: list[Problem] = []
    documents = []
    for events in _documents(text, source):
        reader = _Reader(source, strict=True)
        documents.append(reader.read(events))
        problems.extend(reader.problems)
    return documents, tuple(problems)


def resolve(text: str) -> Any:
    """Return what a plain scalar means."""
    if text in _NULLS:
        return None
    first = text[0]
    if first in "tTfF" and text in _TRUE | _FALSE:
        return text in _TRUE
    if first in "0123456789+-.":
        return _number(text)
    return text


def _number(text: str) -> Any:
    if _INT.fullmatch(text):
        try:
            return _integer(text.replace("_", ""))
        except ValueError:
            pass
    if _FLOAT.fullmatch(text):
        value = float(text)
        return int(value) if value.is_integer() and abs(value) < 2**53 else value
    return _SPECIAL_FLOATS.get(text, text)


def _integer(text: str) -> int:
    sign = -1 if text.startswith("-") else 1
    digits = text.lstrip("+-")
    for prefix, base in (("0b", 2), ("0o", 8), ("0x", 16)):
        if digits.lower().startswith(prefix):
            return sign * int(digits[2:], base)
    if len(digits) > 1 and digits.startswith("0"):
        return sign * int(digits, 8)
    return sign * int(digits)


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

    def __init__(self, source: Source, *, strict: bool) -> None:
        self._source = source
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
            return self._alias(event)
        elif depth > MAX_DEPTH:
            raise self._error(event, f"nested more than {MAX_DEPTH} levels deep")
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
            return resolve(event.value) if event.implicit[0] and not event.style else event.value
        if tag == "tag:yaml.org,2002:str" or not tag.startswith("tag:yaml.org,2002:"):
            return event.value
        value = resolve(event.value)
        if tag == "tag:yaml.org,2002:float" and isinstance(value, int):
            return float(value)
        return value if tag != "tag:yaml.org,2002:binary" else event.value

    def _alias(self, event: pyyaml.AliasEvent) -> Any:
        if event.anchor not in self._anchors:
            raise self._error(event, f"alias *{event.anchor} has no anchor before it")
        target = self._anchors[event.anchor]
        self._aliased += _size(target, MAX_ALIASED)
        if self._aliased > MAX_ALIASED:
            raise self._error(event, f"aliases make more than {MAX_ALIASED} nodes")
        return copy(target)

    def _sequence(self, depth: int) -> Seq:
        made = Seq()
        for event in self._events:
            if isinstance(event, pyyaml.SequenceEndEvent):
                break
            made.append(self._value(event, depth + 1))
            made.origins.append(self._origin(event))
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
            value = self._value(next(self._events), depth + 1)
            if is_merge:
                merged.append((event, value))
                continue
            text = self._key(event, key)
            if text in made and self._strict:
                self._told_twice(event, text, made)
            made[text] = value
            made.origins[text] = self._origin(event)
        for event, value in merged:
            self._merge(event, made, value)
        return made

    def _key(self, event: pyyaml.Event, key: Any) -> str:
        if isinstance(key, str):
            return key
        if isinstance(key, bool) or key is None or isinstance(key, int | float):
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

    def _origin(self, event: pyyaml.Event) -> Origin:
        return Origin(self._source, _line(event))

    def _error(self, event: pyyaml.Event, message: str, hint: str = "") -> ConfigError:
        return ConfigError([Problem(self._source.file, _line(event), message, hint)])


def _line(event: pyyaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark else 0


def _size(value: Any, limit: int) -> int:
    """Return the number of nodes in a tree, or a number above the limit."""
    count, stack = 0, [value]
    while stack and count <= limit:
        node = stack.pop()
        count += 1
        if isinstance(node, dict):
            stack.extend(node.values())
        elif isinstance(node, list):
            stack.extend(node)
    return count


class _Dumper(pyyaml.CSafeDumper):
    """libyaml's emitter with go-yaml's choice of styles; no aliases."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - the signature is PyYAML's
        return True


def _ambiguous(text: str) -> bool:
    """Whether some YAML reader would take the plain text for something else than a string."""
    if text in _YAML11_WORDS:
        return True
    return not isinstance(resolve(text), str) or bool(_DATE.fullmatch(text) or _SEXAGESIMAL.fullmatch(text))


def _represent_str(dumper: pyyaml.SafeDumper, text: str) -> pyyaml.Node:
    style = "|" if "\n" in text else '"' if _ambiguous(text) else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


def _represent_float(dumper: pyyaml.SafeDumper, value: float) -> pyyaml.Node:
    text = str(int(value)) if value.is_integer() and abs(value) < 2**53 else repr(value)
    return dumper.represent_scalar("tag:yaml.org,2002:float", text)


def _represent_map(dumper: pyyaml.SafeDumper, value: dict[str, Any]) -> pyyaml.Node:
    return dumper.represent_mapping("tag:yaml.org,2002:map", sorted(value.items(), key=lambda item: natural(item[0])))


def _represent_seq(dumper: pyyaml.SafeDumper, value: list[Any]) -> pyyaml.Node:
    return dumper.represent_sequence("tag:yaml.org,2002:seq", value)


_REPRESENTERS: Final[dict[type, Any]] = {
    dict: _represent_map,
    Map: _represent_map,
    list: _represent_seq,
    Seq: _represent_seq,
    tuple: _represent_seq,
    str: _represent_str,
    float: _represent_float,
}
for _type, _representer in _REPRESENTERS.items():
    _Dumper.add_representer(_type, _representer)


def natural(text: str) -> tuple[tuple[bool, int, str], ...]:
    """Return a key that sorts as go-yaml does: runs of digits by their number, letters after everything else."""
    parts = re.findall(r"\d+|\D", text)
    return tuple((part.isalpha(), int(part), part) if part.isdigit() else (part.isalpha(), -1, part) for part in parts)


def dump(value: Any) -> str:
    """Return a value as YAML in block style, keys sorted, strings quoted where any reader could mistake them."""
    text: str = pyyaml.dump(value, Dumper=_Dumper, default_flow_style=False, allow_unicode=True, width=80)
    return text.removesuffix("...\n")


def dump_flow(value: Any) -> str:
    """Return a scalar or an empty container as YAML on one line."""
    text: str = pyyaml.dump(value, Dumper=_Dumper, default_flow_style=True, allow_unicode=True, width=1 << 30)
    return text.removesuffix("...\n").rstrip("\n")
