"""Field paths as people read and write them: `spec.containers[name=web].env[0]`, `metadata.labels["a.b/c"]`.

A path is a tuple of steps. A step is a map key (`str`), a list index (`int`), or the key fields of an element of a
keyed list (`Keyed`). The text form is used in reports, in `blame` and in `policy.ignore`; `parse` reads what `format`
writes.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from reconciler.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence


class Keyed(tuple[tuple[str, Any], ...]):
    """The step into a keyed list: the fields that single out one element, e.g. `(("name", "web"),)`."""

    __slots__ = ()

    def matches(self, element: Any) -> bool:
        """Whether a list element carries these key fields (compared as text where one side is text)."""
        return isinstance(element, dict) and all(
            element.get(key) == value or (key in element and _text(element[key]) == _text(value)) for key, value in self
        )


Step = str | int | Keyed
FieldPath = tuple[Step, ...]

_PLAIN = re.compile(r"[A-Za-z0-9_$-]+")
_STEP = re.compile(
    r"""\.?(?:
        (?P<plain>[A-Za-z0-9_$-]+)
      | \["(?P<quoted>(?:[^"\\]|\\.)*)"\]
      | \[(?P<index>\d+)\]
      | \[(?P<keyed>[A-Za-z0-9_.-]+=(?:"(?:[^"\\]|\\.)*"|[^\],]*)(?:,[A-Za-z0-9_.-]+=(?:"(?:[^"\\]|\\.)*"|[^\],]*))*)\]
    )""",
    re.VERBOSE,
)
_PAIR = re.compile(r'([A-Za-z0-9_.-]+)=("(?:[^"\\]|\\.)*"|[^,]*)(?:,|$)')


def format_path(path: Sequence[Step]) -> str:
    """Return the text form of a path."""
    text = ""
    for step in path:
        if isinstance(step, Keyed):
            text += "[" + ",".join(f"{key}={_quoted_value(value)}" for key, value in step) + "]"
        elif isinstance(step, int):
            text += f"[{step}]"
        elif _PLAIN.fullmatch(step):
            text += f".{step}" if text else step
        else:
            text += f'["{_escape(step)}"]'
    return text


def parse_path(text: str) -> FieldPath:
    """Read the text form of a path; raises UsageError naming the place that cannot be read."""
    steps: list[Step] = []
    at = 0
    while at < len(text):
        match = _STEP.match(text, at)
        if match is None:
            raise UsageError(
                f"field path {text!r} cannot be read from position {at + 1} on: expected a name, "
                '[index], [key=value] or ["quoted key"]'
            )
        if match["plain"] is not None:
            steps.append(match["plain"])
        elif match["quoted"] is not None:
            steps.append(_unescape(match["quoted"]))
        elif match["index"] is not None:
            steps.append(int(match["index"]))
        else:
            pairs = _PAIR.findall(match["keyed"])
            steps.append(
                Keyed((key, _unescape(value[1:-1]) if value.startswith('"') else value) for key, value in pairs)
            )
        at = match.end()
    return tuple(steps)


def plain_steps(root: Any, path: Sequence[Step]) -> tuple[str | int, ...] | None:
    """Translate keyed steps to indices within one value; None where the path leads nowhere."""
    steps: list[str | int] = []
    node = root
    for step in path:
        found: str | int | None = None
        if isinstance(step, Keyed):
            if isinstance(node, list):
                found = next((index for index, item in enumerate(node) if step.matches(item)), None)
        elif isinstance(step, int):
            found = step if isinstance(node, list) and step < len(node) else None
        else:
            found = step if isinstance(node, dict) and step in node else None
        if found is None:
            return None
        node = node[found]
        steps.append(found)
    return tuple(steps)


def value_at(root: Any, steps: Sequence[str | int]) -> Any:
    """Return what plain steps lead to; raises KeyError or IndexError where they lead nowhere."""
    for step in steps:
        root = root[step]
    return root


def _quoted_value(value: Any) -> str:
    text = _text(value)
    return text if re.fullmatch(r"[^\"\[\],=\s]+", text) else f'"{_escape(text)}"'


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


def _unescape(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text)
