"""The block style that nearly all manifests are written in, read line by line.

A scanner for the whole of YAML looks at every character; a line of a manifest is mostly `key: value` at some depth. What
this cannot be sure of (anchors, tags, tabs, flow style over several lines, anything odd) is `Unusual`, and the document
goes to libyaml instead. The two agree on every document that this reads; tests hold them to it.
"""

from __future__ import annotations

import re
import sys
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from reconciler.model.origin import Origin, Source
from reconciler.model.tree import Map, Seq
from reconciler.yaml import flow
from reconciler.yaml.scalars import canonical, resolve

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_DEPTH: Final = 100
_ODD: Final = re.compile("[^\t\n\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")
_KEY: Final = re.compile(
    r"""(?:(?P<plain>[A-Za-z0-9_./$][A-Za-z0-9_./$+-]*(?:\ [A-Za-z0-9_./+-]+)*)|"(?P<double>[^"\\]*)"|'(?P<single>[^']*)')
        [ ]*:(?:[ ]+(?P<rest>.*\S)?)?[ ]*$""",
    re.VERBOSE | re.ASCII,
)
_LINE: Final = re.compile(
    r"^( *)((?:- +)*)(?:([A-Za-z0-9_./$][A-Za-z0-9_./$+-]*):(?: +(.*))?|(.*))$", re.MULTILINE
)  # indentation, dashes, a key and what follows it, or else all of the rest
_tuple: Final = tuple.__new__  # quicker than Origin(...), for as many as there are lines
_MARKERS: Final = re.compile(r"^(?:---|\.\.\.|%).*$", re.MULTILINE)
_MARKER: Final = re.compile(r"---(?: +#.*| *)")
_HEADER: Final = re.compile(r"([|>])([-+]?)(?: +#.*)?$")
_SINGLE: Final = re.compile(r"((?:[^']|'')*)'(?: +#.*)?$")
_DOUBLE: Final = re.compile(r"""((?:[^"\\]|\\.)*)"(?: +\#.*)?$""")
_IN_SINGLE: Final = re.compile(r"(?:[^']|'')*")
_IN_DOUBLE: Final = re.compile(r"""(?:[^"\\]|\\.)*""")
_ESCAPE: Final = re.compile(r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|(.))")
_ESCAPED: Final = dict(zip('0abtnvfre "/\\N_LP', '\0\a\b\t\n\v\f\r\x1b "/\\\x85\xa0\u2028\u2029', strict=True))
_INDICATORS: Final = frozenset("?:,[]{}#&*!|>'\"%@`")
_MEANT: Final = frozenset("0123456789+-.~tTfFnNyYoO")  # first characters of plain scalars that may be no strings
_NUMERIC: Final = frozenset("0123456789+-.")
_END: Final = -2  # the indentation of what is behind the last line
_LONGEST: Final = 48  # no plain scalar that is longer means anything but its text, numbers and times apart


class Unusual(Exception):
    """A document for the other reader."""


def read(text: bytes | str, source: Source, meaning: Callable[[str], Any] = resolve) -> list[Any]:
    """Return the documents of a file; raises Unusual. `meaning` says what a plain scalar is."""
    if isinstance(text, bytes):
        try:
            text = text.decode()
        except UnicodeDecodeError:
            raise Unusual from None
    if _ODD.search(text):
        raise Unusual
    found: list[Any] = []
    start, line, marked = 0, 1, False
    for marker in _MARKERS.finditer(text):
        if not _MARKER.fullmatch(marker[0]):
            raise Unusual
        if start < marker.start():
            part = text[start : marker.start() - 1]
            found += _document(_Lines(part, line, source, meaning), marked)
            line += part.count("\n") + 1
        elif marked:
            found.append(None)
        start, line, marked = marker.end() + 1, line + 1, True
    return found + _document(_Lines(text[start:], line, source, meaning), marked)


def _document(reader: _Lines, marked: bool) -> list[Any]:
    """Return the document of some lines; nothing where there is none, and None for one that a marker began."""
    reader.skip()
    if reader.ended:
        return [None] if marked else []
    value, _ = reader.node(reader.indents[reader.at], -1, 0)
    reader.skip()
    if not reader.ended:
        raise Unusual
    return [value]


@lru_cache(maxsize=1 << 14)
def _interned(key: str, meaning: Callable[[str], Any]) -> str:
    """Return a plain key, one string for all its uses; raises Unusual for one that means something else."""
    if meaning(key) != key:
        raise Unusual
    return sys.intern(key)


def _unescaped(found: re.Match[str]) -> str:
    """Return what an escape in double quotes stands for."""
    short, long, single = found.groups()
    if single is not None:
        if single not in _ESCAPED:
            raise Unusual
        return _ESCAPED[single]
    text = chr(int(short or long, 16))
    if "\ud800" <= text <= "\udfff":
        raise Unusual
    return text


class _Lines:
    """The lines of one document, and where the reading stands."""

    def __init__(self, text: str, start: int, source: Source, meaning: Callable[[str], Any]) -> None:
        self.lines = text.split("\n")
        self.tokens: list[tuple[str, str, str, str, str]] = _LINE.findall(text)
        self.indents = [len(blank) if key or other or dashes else -1 for blank, dashes, key, _, other in self.tokens]
        self.indents.append(_END)
        self.at = 0
        self._start = start
        self._source = source
        self._meaning = meaning
        self._tabs = "\t" in text
        self._known: dict[str, tuple[Any, str | None]] = {}

    @property
    def ended(self) -> bool:
        """Whether there is nothing more."""
        return self.indents[self.at] == _END

    def skip(self) -> None:
        """Go on to the next line that is neither empty nor a comment."""
        at, indents, tokens = self.at, self.indents, self.tokens
        while (indent := indents[at]) == -1 or (indent >= 0 and tokens[at][4][:1] == "#" and not tokens[at][1]):
            at += 1
        self.at = at

    def _line(self, at: int) -> str:
        """Return what stands in a line between its blanks."""
        return self.lines[at].strip(" ")

    def node(self, indent: int, parent: int, depth: int) -> tuple[Any, str | None]:
        """Read what begins in the line of now, with its text if that tells more."""
        _, dashes, key, _, other = self.tokens[self.at]
        if dashes or other[:2] in ("-", "- "):
            return self._sequence(indent, depth + 1, 0), None
        return self._entry(indent, parent, depth, key, other)

    def _entry(self, indent: int, parent: int, depth: int, key: str, other: str) -> tuple[Any, str | None]:
        """Read a mapping or a scalar that begins in the line of now, behind its dashes."""
        if key or _KEY.match(other):
            return self._mapping(indent, depth + 1), None
        return self._scalar(other.rstrip(" "), parent)

    def _key(self, other: str) -> tuple[str, str]:
        """Return an unusual key and what follows it."""
        found = _KEY.match(other)
        if found is None:
            raise Unusual
        plain, double, single, rest = found.groups()
        if plain is not None:
            return plain, rest or ""
        return "\0" + (double if double is not None else single), rest or ""

    def _mapping(self, indent: int, depth: int) -> Map:
        if depth > MAX_DEPTH:
            raise Unusual
        made = Map()
        tokens, indents, origins, source, start = self.tokens, self.indents, made.origins, self._source, self._start
        known, tabs, at = self._known, self._tabs, self.at
        while True:
            _, _, key, rest, other = tokens[at]
            if not key:
                key, rest = self._key(other)
            if tabs and ("\t" in rest or "\t" in key):
                raise Unusual
            key = key[1:] if key[0] == "\0" else _interned(key, self._meaning)
            following = indents[at + 1]
            found = known.get(rest) if following <= indent and following != -1 else None
            if found is not None:
                value, text = found
                self.at = at + 1
            else:
                self.at = at
                value, text = (
                    self._scalar(rest, indent) if rest and rest[0] != "#" else self._below(indent, indent, depth)
                )
                following = indents[self.at]
            made[key] = value
            origins[key] = _tuple(Origin, (source, start + at, "resource", None, text))
            at = self.at
            if following == -1 or (following >= 0 and tokens[at][4][:1] == "#"):
                self.skip()
                at = self.at
                following = indents[at]
            if following < indent:
                return made
            if following > indent or tokens[at][1]:
                raise Unusual

    def _sequence(self, indent: int, depth: int, within: int) -> Seq:
        """Read a sequence; `within` dashes of its first line belong to sequences around it."""
        if depth > MAX_DEPTH:
            raise Unusual
        made = Seq()
        while self._begins(self.at, within):
            at = self._first(indent, within)
            value, text = self._element(indent, depth, within)
            made.append(value)
            made.origins.append(Origin(self._source, self._start + at, "resource", None, text))
            self.skip()
            within = 0
            following = self.indents[self.at]
            if following > indent:
                raise Unusual
            if following < indent:
                break
        return made

    def _begins(self, at: int, within: int) -> bool:
        """Whether a line begins an element, behind some dashes that are not its own."""
        _, dashes, _, _, other = self.tokens[at]
        return len(dashes) > within or other.rstrip(" ") == "-"

    def _first(self, indent: int, within: int) -> int:
        """Return the line in which an element begins: of a dash alone, that of what stands below it."""
        _, dashes, key, _, other = self.tokens[self.at]
        if key or (other[:1] not in ("", "#") and (other.rstrip(" ") != "-" or len(dashes) > within)):
            return self.at
        if "-" in dashes[within + 1 :]:
            return self.at  # another sequence begins behind the dash
        at = self.at + 1
        while self.indents[at] == -1 or (self.indents[at] >= 0 and self._line(at)[0] == "#"):
            at += 1
        return at if self.indents[at] > indent else self.at

    def _element(self, indent: int, depth: int, within: int) -> tuple[Any, str | None]:
        _, dashes, key, _, other = self.tokens[self.at]
        mine = dashes[within:]
        if not mine:
            return self._below(indent, -1, depth)
        column = indent + len(mine)
        inner = mine.lstrip("-").lstrip(" ")
        if inner:
            return self._sequence(column - len(inner), depth + 1, within + len(mine) - len(inner)), None
        if other.rstrip(" ") == "-":
            return self._sequence(column, depth + 1, within + len(mine)), None
        if other[:1] == "#" or not (key or other):
            return self._below(indent, -1, depth)
        if self._tabs and "\t" in other:
            raise Unusual
        return self._entry(column, indent, depth, key, other)

    def _below(self, indent: int, same: int, depth: int) -> tuple[Any, str | None]:
        """Read what stands in the lines below an entry; a sequence may stand at `same`, not deeper than its key."""
        self.at += 1
        self.skip()
        following = self.indents[self.at]
        if following > indent:
            return self.node(following, indent, depth)
        if following == same >= 0:
            _, dashes, _, _, other = self.tokens[self.at]
            if dashes or other.rstrip(" ") == "-":
                return self._sequence(same, depth + 1, 0), None
        return None, ""

    def _scalar(self, rest: str, parent: int) -> tuple[Any, str | None]:
        """Read a scalar that begins with some text in the line of now; `parent` is how deep its collection stands."""
        whole = rest
        rest = rest.rstrip(" ")
        first = rest[0]
        if first in _INDICATORS or (first == "-" and rest[1:2] in ("", " ")):
            return self._marked(rest, parent), None
        if ": " in rest or rest[-1] == ":" or (self._tabs and "\t" in rest):
            raise Unusual
        comment = rest.find(" #")
        self.at += 1
        following = self.indents[self.at]
        if comment >= 0:
            rest = rest[:comment].rstrip(" ")
        elif following > parent or following == -1:
            rest = self._continued(rest, parent)
            whole = ""
        value, text = rest, None
        if first in _MEANT and (len(rest) <= _LONGEST or first in _NUMERIC):
            value = self._meaning(rest)
            text = None if canonical(value) == rest else rest
        if whole and len(whole) <= _LONGEST:
            self._known[whole] = value, text
        return value, text

    def _continued(self, rest: str, parent: int) -> str:
        """Return a plain scalar with the lines that it goes on in."""
        made = rest
        while True:
            at = self.at
            while self.indents[at] == -1:
                at += 1
            if self.indents[at] <= parent:
                return made
            line = self._line(at)
            if line[0] == "#":
                return made  # what comes below the comment is either less deep, or refused there
            if ": " in line or line[-1] == ":" or " #" in line or "\t" in line:
                raise Unusual
            made += ("\n" * (at - self.at) or " ") + line
            self.at = at + 1

    def _marked(self, rest: str, parent: int) -> Any:
        """Read a scalar with an indicator before it: quoted, a block, or an empty collection."""
        first = rest[0]
        if first in "'\"":
            return self._quoted(rest, parent)
        header = _HEADER.match(rest)
        if header is not None:
            return self._block(header[1] == ">", header[2], parent)
        if first not in "[{":
            raise Unusual
        try:
            value = flow.read(rest, self._source, self._start + self.at, self._meaning)
        except flow.NotFlow:
            raise Unusual from None
        self.at += 1
        return value

    def _quoted(self, rest: str, parent: int) -> str:
        closing, inside = (_SINGLE, _IN_SINGLE) if rest[0] == "'" else (_DOUBLE, _IN_DOUBLE)
        piece, made = rest[1:], ""
        while (found := closing.match(piece)) is None:
            piece = piece.rstrip(" ")
            if (len(piece) - len(piece.rstrip("\\"))) % 2:
                raise Unusual  # an escaped line break, or an escaped blank before it
            if not inside.fullmatch(piece):
                raise Unusual  # it ends, and something follows
            made += piece
            at = self.at + 1
            while self.indents[at] == -1:
                at += 1
            if self.indents[at] <= parent or (self._tabs and "\t" in self._line(at)):
                raise Unusual
            made += "\n" * (at - self.at - 1) or " "
            self.at = at
            piece = self._line(at)
        self.at += 1
        made += found[1]
        if rest[0] == "'":
            return made.replace("''", "'")
        if "\\" not in made:
            return made
        return _ESCAPE.sub(_unescaped, made)

    def _block(self, folded: bool, chomping: str, parent: int) -> str:
        """Read a literal or folded scalar."""
        indents = self.indents
        first = at = self.at + 1
        while indents[at] == -1:
            at += 1
        indent = indents[at]
        if indent <= max(parent, 0):
            raise Unusual  # an empty one, or at the margin of the document
        while indents[at] >= indent or indents[at] == -1:
            at += 1
        self.at = at
        kept = [line[indent:] for line in self.lines[first:at]]
        unended = self.indents[at] == _END and bool(kept[-1])  # perhaps the file ends without a line break
        if chomping == "+" or (chomping != "-" and unended) or any(line and not line.strip(" ") for line in kept):
            raise Unusual
        end = len(kept)
        while end and not kept[end - 1]:
            end -= 1
        if folded:
            return self._folded(kept[:end], chomping)
        text = "\n".join(kept[:end])
        return text if chomping == "-" else text + "\n"

    def _folded(self, kept: list[str], chomping: str) -> str:
        if not kept[0] or any(line[:1] in (" ", "\t") for line in kept):
            raise Unusual
        made, breaks = kept[0], 0
        for line in kept[1:]:
            if not line:
                breaks += 1
                continue
            made += ("\n" * breaks or " ") + line
            breaks = 0
        return made if chomping == "-" else made + "\n"
