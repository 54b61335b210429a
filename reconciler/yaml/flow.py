"""Flow collections on one line, `{app: web}` and `[a, "b"]`, for `block`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from reconciler.model.origin import Origin, Source
from reconciler.model.tree import Map, Seq
from reconciler.yaml.scalars import canonical

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_DEPTH: Final = 20
_WORD: Final = r"[A-Za-z0-9_./$+<=^~()*-]"
_TOKEN: Final = re.compile(
    rf"""[ ]*(?:(?P<mark>[\[\]{{}},])
        |"(?P<double>[^"\\]*)"|'(?P<single>[^']*)'
        |(?P<plain>(?:[A-Za-z0-9_./$+<=^~(]|-(?={_WORD}))(?:{_WORD}|:(?={_WORD})|[ ]+(?={_WORD}))*))
        [ ]*(?P<colon>:(?=[ ]))?""",
    re.VERBOSE,
)
_COMMENT: Final = re.compile(r"[ ]*(?:(?<=[ ])#.*)?$")


class NotFlow(Exception):
    """Text that is no flow collection of the plain kind."""


def read(text: str, source: Source, line: int, meaning: Callable[[str], Any]) -> Map | Seq:
    """Return the collection that a text is; raises NotFlow."""
    reader = _Flow(text, source, line, meaning)
    value, _ = reader.value(reader.token(), 0)
    if not isinstance(value, Map | Seq) or not _COMMENT.match(text, reader.at):
        raise NotFlow
    return value


class _Flow:
    def __init__(self, text: str, source: Source, line: int, meaning: Callable[[str], Any]) -> None:
        self.at = 0
        self._text = text
        self._source = source
        self._line = line
        self._meaning = meaning

    def token(self) -> re.Match[str]:
        found = _TOKEN.match(self._text, self.at)
        if found is None:
            raise NotFlow
        self.at = found.end()
        return found

    def value(self, token: re.Match[str], depth: int) -> tuple[Any, str | None]:
        """Return the value that a token begins, with its text if that tells more."""
        if depth > MAX_DEPTH or token["colon"]:
            raise NotFlow
        if token["mark"] == "[":
            return self._sequence(depth), None
        if token["mark"] == "{":
            return self._mapping(depth), None
        if token["mark"]:
            raise NotFlow
        if token["plain"] is None:
            return token["double"] if token["double"] is not None else token["single"], None
        value = self._meaning(token["plain"])
        return value, None if canonical(value) == token["plain"] else token["plain"]

    def _sequence(self, depth: int) -> Seq:
        made = Seq()
        token = self.token()
        while token["mark"] != "]":
            value, text = self.value(token, depth + 1)
            made.append(value)
            made.origins.append(self._origin(text))
            token = self._next("]")
        return made

    def _mapping(self, depth: int) -> Map:
        made = Map()
        token = self.token()
        while token["mark"] != "}":
            key = token["plain"] or token["double"] or token["single"]
            if not token["colon"] or not key or (token["plain"] and self._meaning(key) != key):
                raise NotFlow
            made[key], text = self.value(self.token(), depth + 1)
            made.origins[key] = self._origin(text)
            token = self._next("}")
        return made

    def _next(self, end: str) -> re.Match[str]:
        """Return the token behind a comma, or the end."""
        token = self.token()
        if token["mark"] == end:
            return token
        if token["mark"] != ",":
            raise NotFlow
        return self.token()

    def _origin(self, text: str | None) -> Origin:
        return Origin(self._source, self._line, text=text)
