"""Trees to YAML in block style: sorted keys, sequences at their key's depth, plain strings folded behind column 80.

The styles are go-yaml's, and so is what libyaml's emitter does with them; strings of unusual characters are left to it.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from reconciler.yaml import libyaml
from reconciler.yaml.libyaml import WIDTH
from reconciler.yaml.scalars import ambiguous, canonical, natural

if TYPE_CHECKING:
    from collections.abc import Callable

_USUAL: Final = re.compile(r"[ -~\n]*")
_PLAIN: Final = re.compile(
    r"(?:[^\-?:,\[\]{}#&*!|>'\"%@` ]|[\-?:](?=[^ ]))(?:[^:# ]|:(?=[^ ])|(?<=[^ ])#| (?=[^ ])| (?= ))*"
)
_LETTERS: Final = re.compile(r"[A-Za-z]*")
_KEY_LENGTH: Final = 128  # libyaml writes longer keys in another way


class _Unusual(Exception):
    """A string for libyaml's emitter."""


def dump(value: Any) -> str:
    """Return a value as YAML, strings quoted where a reader could take them for something else."""
    if not isinstance(value, dict | list | tuple) or not value:
        return libyaml.dump(value)
    made: list[str] = []
    try:
        if isinstance(value, dict):
            _mapping(value, "", "", made.append)
        else:
            _sequence(value, "", "", made.append)
    except _Unusual:
        return libyaml.dump(value)
    return "".join(made)


def _mapping(value: dict[str, Any], indent: str, first: str, write: Callable[[str], object]) -> None:
    """Write a mapping; its first line begins with `first` instead of the indentation."""
    lead = first or indent
    for key in _sorted(value):
        head = f"{lead}{_key(key)}:"
        item = value[key]
        if isinstance(item, str):
            write(f"{head} {_string(item, indent, len(head) + 1)}\n")
        elif isinstance(item, dict):
            if item:
                write(f"{head}\n")
                _mapping(item, indent + "  ", "", write)
            else:
                write(f"{head} {{}}\n")
        elif isinstance(item, list | tuple):
            if item:
                write(f"{head}\n")
                _sequence(item, indent, "", write)
            else:
                write(f"{head} []\n")
        else:
            write(f"{head} {canonical(item)}\n")
        lead = indent


def _sequence(value: list[Any] | tuple[Any, ...], indent: str, first: str, write: Callable[[str], object]) -> None:
    lead = first or indent
    for item in value:
        if isinstance(item, str):
            write(f"{lead}- {_string(item, indent, len(lead) + 2)}\n")
        elif isinstance(item, dict):
            if item:
                _mapping(item, indent + "  ", lead + "- ", write)
            else:
                write(f"{lead}- {{}}\n")
        elif isinstance(item, list | tuple):
            if item:
                _sequence(item, indent + "  ", lead + "- ", write)
            else:
                write(f"{lead}- []\n")
        else:
            write(f"{lead}- {canonical(item)}\n")
        lead = indent


def _sorted(value: dict[str, Any]) -> list[str]:
    if all(map(_LETTERS.fullmatch, value)):
        return sorted(value)
    return sorted(value, key=natural)


@lru_cache(maxsize=1 << 14)
def _key(text: str) -> str:
    if len(text) > _KEY_LENGTH or "\n" in text or not _USUAL.fullmatch(text):
        raise _Unusual
    return '"<<"' if text == "<<" else _short(text)  # or it would merge when it is read


@lru_cache(maxsize=1 << 14)
def _short(text: str) -> str:
    """Return a string of one line, in the style that it needs."""
    if not _USUAL.fullmatch(text):
        raise _Unusual
    if ambiguous(text):
        return f'"{text}"'
    if _PLAIN.fullmatch(text) and text[-1] != " " and not text.startswith(("---", "...")):
        return text
    return "'" + text.replace("'", "''") + "'"


def _string(text: str, indent: str, column: int) -> str:
    """Return a string as it stands behind a key or dash that ends in some column."""
    if len(text) + column < WIDTH:
        return _short(text) if "\n" not in text else _literal(text, indent)
    if "\n" in text:
        return _literal(text, indent)
    made = _short(text)
    if made[0] == '"':
        raise _Unusual
    if " " not in made or len(made) + column <= WIDTH:
        return made
    return _folded(made, indent, column, quoted=made[0] == "'" and made != text)


def _folded(text: str, indent: str, column: int, *, quoted: bool) -> str:
    """Break a line at the first single blank behind each 80th column."""
    made: list[str] = []
    start = 0
    at = text.find(" ", max(WIDTH + 1 - column, 1))
    while at > 0:
        edge = quoted and at in (1, len(text) - 2)
        if text[at - 1] == " " or text[at + 1 : at + 2] in ("", " ") or edge:
            at = text.find(" ", at + 1)
            continue
        made.append(text[start:at])
        start = at + 1
        at = text.find(" ", start + max(WIDTH - 1 - len(indent), 1))
    made.append(text[start:])
    return f"\n{indent}  ".join(made)


def _literal(text: str, indent: str) -> str:
    """Return a string of several lines as a literal block; those that cannot be one are libyaml's."""
    if text[0] in " \n" or text[-1] == " " or " \n" in text or not _USUAL.fullmatch(text):
        raise _Unusual
    if text.endswith("\n"):
        chomping, body = ("+" if text.endswith("\n\n") else ""), text[:-1]
    else:
        chomping, body = "-", text
    lead = f"\n{indent}  "
    return f"|{chomping}" + "".join(lead + line if line else "\n" for line in body.split("\n"))
