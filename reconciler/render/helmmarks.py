"""Where rendered text comes from, found out by rendering again with marks.

A chart's output has no lines of its source. So the chart is rendered a second time with a comment behind the keys of
its templates, and a third time with marks on the values that the kustomization sets. A mark that comes out in a text that
is otherwise the same proves where the text comes from; what no mark proves is not claimed.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from reconciler import yaml
from reconciler.model.tree import Map, Seq

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from reconciler.model.charts import Template
    from reconciler.model.origin import Origin

_MARKED: Final = re.compile(r"(?:^|/)(?:templates|crds)/(?:[^/]+/)*[^/_][^/]*\.ya?ml$")
_KEY: Final = re.compile(r"^(?P<indent>[ ]*(?:- +)*)(?P<key>[A-Za-z0-9_./\"'-]+):(?P<rest>[ ].*|)$")
_ELEMENT: Final = re.compile(r"^ *- +(?!\{\{)\S")
_NUMBER: Final = re.compile(rb"(?<!\d)\d{4}(?!\d)")
_ACTION: Final = re.compile(r"\{\{.*?\}\}")
Place = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Marks:
    """A request whose templates carry marks, and what each mark stands for."""

    request: Template
    mark: re.Pattern[str]
    files: tuple[str, ...]

    def places(self, line: str) -> Place | None:
        """Return the file and line of the one mark in a line."""
        found = self.mark.findall(line)
        return (self.files[int(found[0][0])], int(found[0][1])) if len(found) == 1 else None


def with_lines(request: Template) -> Marks:
    """Return a request that renders the same, but for a comment behind each key that stands on a line of its own."""
    token = _token(request)
    files: list[str] = []
    changed: list[tuple[str, bytes]] = []
    for path, content in request.files:
        if _MARKED.search(path):
            changed.append((path, _marked(content, f" #{token}.{len(files)}.")))
            files.append(path)
        else:
            changed.append((path, content))
    pattern = re.compile(rf" #{token}\.(\d+)\.(\d+)#")
    return Marks(replace(request, files=tuple(changed)), pattern, tuple(files))


def _token(request: Template) -> str:
    """Return a word that stands nowhere in the chart or its values."""
    digest = hashlib.sha256(repr((request.files, request.values)).encode()).hexdigest()
    return f"zq{digest[:12]}"


def _marked(content: bytes, mark: str) -> bytes:
    try:
        lines = content.decode().split("\n")
    except UnicodeDecodeError:
        return content
    if any(line.count("{{") != line.count("}}") for line in lines):
        lines = _outside(lines, mark)
    else:
        lines = [_line(line, number, mark) for number, line in enumerate(lines, 1)]
    return "\n".join(lines).encode()


def _outside(lines: list[str], mark: str) -> list[str]:
    """Mark lines, but none that an action of several lines goes over."""
    made: list[str] = []
    within = False
    for number, line in enumerate(lines, 1):
        whole = not within and line.count("{{") == line.count("}}")
        made.append(_line(line, number, mark) if whole else line)
        opened, closed = line.rfind("{{"), line.rfind("}}")
        within = opened > closed or (within and closed < 0)
    return made


def _line(line: str, number: int, mark: str) -> str:
    """Put a mark behind a key with its value or an element, or right behind the key where its value is trimmed."""
    found = _KEY.match(line)
    if line.endswith("\r") or not (found or _ELEMENT.match(line)):
        return line
    rest = (found["rest"] if found else line).lstrip()
    text = f"{mark}{number}#"
    if found and rest.startswith("{{-"):
        return f"{found['indent']}{found['key']}:{text}{found['rest']}"
    if _ACTION.sub("", rest).count('"') % 2 or line.rstrip().endswith("-}}"):
        return line
    return line + text


def lines(plain: str, marked: str, marks: Marks) -> list[Place | None] | None:
    """Return the place of each line of an output; None where the marks changed it in some other way."""
    before, after = plain.split("\n"), marked.split("\n")
    if len(before) != len(after):
        return None
    found: list[Place | None] = []
    for old, new in zip(before, after, strict=True):
        same = marks.mark.sub("", new).rstrip() == old.rstrip()
        found.append(marks.places(new) if same else None)
    return found


def with_values(
    request: Template, trees: tuple[Any, ...], theirs: Callable[[Origin], bool], plain: str, *, numbers: bool
) -> Values:
    """Return a request whose values of a kustomization are marked: strings by a tail, whole numbers by being another one.

    `trees` are the values files as trees, `theirs` says which entries count, `plain` is the output without marks. The
    numbers stand nowhere else. A schema of values would refuse marks, so the request has none.
    """
    marker = _Marker(_token(request), theirs, _unused(request, plain) if numbers else iter(()))
    values = tuple(yaml.dump(marker.put(tree, None)).encode() for tree in trees)
    files = tuple((path, content) for path, content in request.files if not path.endswith("values.schema.json"))
    known = "|".join(marker.numbers) or "(?!)"
    pattern = re.compile(rf"{marker.token}n(?P<tail>\d+)z|(?<!\d)(?P<number>{known})(?!\d)")
    return Values(replace(request, files=files, values=values), pattern, tuple(marker.found), marker.numbers)


def _unused(request: Template, plain: str) -> Iterator[str]:
    """Yield numbers that stand nowhere: large enough to be told apart, small enough to count up to."""
    texts = (plain.encode(), *request.values, *(content for _, content in request.files))
    there = {found for text in texts for found in _NUMBER.findall(text)}
    yield from (str(number) for number in range(4001, 10000) if str(number).encode() not in there)


@dataclass(frozen=True, slots=True)
class Values:
    """A request whose values carry marks, and which value each of them stands for."""

    request: Template
    mark: re.Pattern[str]
    found: tuple[tuple[Any, Origin], ...]
    numbers: Mapping[str, int]

    def of(self, plain: Any, marked: Any) -> tuple[tuple[Any, Origin], ...]:
        """Return the values that a leaf was made of, with their places; none where that is not proved."""
        if isinstance(marked, bool) or not isinstance(marked, str | int):
            return ()
        used: list[int] = []

        def unmarked(found: re.Match[str]) -> str:
            used.append(int(found["tail"]) if found["tail"] else self.numbers[found["number"]])
            return "" if found["tail"] else str(self.found[used[-1]][0])

        text = self.mark.sub(unmarked, str(marked))
        same = text == plain if isinstance(plain, str) else not isinstance(plain, bool) and yaml.resolve(text) == plain
        return tuple(self.found[number] for number in dict.fromkeys(used)) if same else ()

    def bare(self, key: str) -> str:
        """Return a key without marks."""
        return self.mark.sub(lambda found: "" if found["tail"] else found[0], key)


class _Marker:
    """Puts marks on values, and remembers them."""

    def __init__(self, token: str, theirs: Callable[[Origin], bool], unused: Iterator[str]) -> None:
        self.token = token
        self.found: list[tuple[Any, Origin]] = []
        self.numbers: dict[str, int] = {}
        self._theirs = theirs
        self._unused = unused

    def put(self, value: Any, origin: Origin | None) -> Any:
        if isinstance(value, Map):
            return {key: self.put(item, value.origins.get(key, origin)) for key, item in value.items()}
        if isinstance(value, Seq):
            places = [*value.origins, *([None] * (len(value) - len(value.origins)))]
            return [self.put(item, place or origin) for item, place in zip(value, places, strict=True)]
        if not value or isinstance(value, bool) or origin is None or not self._theirs(origin):
            return value
        if isinstance(value, str):
            bare = value.rstrip("\n")
            self.found.append((value, origin))
            return f"{bare}{self.token}n{len(self.found) - 1}z{value[len(bare) :]}"
        number = next(self._unused, None) if isinstance(value, int) and value > 0 else None
        if number is None:
            return value
        self.numbers[number] = len(self.found)
        self.found.append((value, origin))
        return int(number)
