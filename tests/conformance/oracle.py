"""Whether an origin is right, told from the files' text alone.

Nothing here asks the renderer or its reader how it came to an origin: the line that an origin names is looked up, and
the value has to stand there, or what made it (a prefix, a tag, the source of a replacement).
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import re
from typing import TYPE_CHECKING, Any, Final

from reconciler import yaml
from reconciler.model.tree import origin_at

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from reconciler.model.files import FileTree
    from reconciler.model.origin import Origin
    from reconciler.model.resource import Resource

Steps = tuple[str | int, ...]
_NOISE: Final = re.compile(r"""[\s'"\\]+""")
_CONTINUED: Final = re.compile(r"\\n|\\t|\\$|\n\s*#.*")
_KEY: Final = re.compile(r"[- ]*[^\s#]+:( |$)")
_OPEN: Final = re.compile(r"""(^|[:-]\s+|[:-]$|\s)([|>][-+0-9]*\s*(#.*)?|"[^"]*|'[^']*|[\[{][^\]}]*)?$""")
_DASHES: Final = re.compile(r"[- ]*")
_WORDS: Final = re.compile(r"[A-Za-z0-9]+")
_ALIAS: Final = re.compile(r"\*[A-Za-z0-9_-]+|<<")
_HASH: Final = re.compile(r".*-[a-z0-9]{10}")
_FIXED: Final = frozenset({("apiVersion",), ("kind",), ("type",), ("immutable",)})  # what a generator puts in unasked


def leaves(value: Any, steps: Steps = ()) -> Iterator[tuple[Steps, Any]]:
    """Yield every scalar and every empty collection of a tree with its place."""
    if isinstance(value, dict) and value:
        for key, item in value.items():
            yield from leaves(item, (*steps, key))
    elif isinstance(value, list) and value:
        for index, item in enumerate(value):
            yield from leaves(item, (*steps, index))
    else:
        yield steps, value


def wrong(files: FileTree, resources: Sequence[Resource]) -> Iterator[str]:
    """Yield what is wrong with the origins of a build, one line for each leaf."""
    oracle = _Oracle(files, resources)
    for resource in resources:
        for steps, value in leaves(resource.body):
            origin = origin_at(resource.body, steps)
            place = f"{resource.id} {'.'.join(map(str, steps))} = {value!r}"
            if origin is None:
                yield f"{place}: has no origin"
                continue
            told = oracle.complaint(origin, steps, value)
            if told:
                yield f"{place}: {told}"
            behind = origin.shadowed
            while behind is not None and behind.origin is not None:
                told = oracle.complaint(behind.origin, steps, behind.value)
                if told:
                    yield f"{place}, which shadows {behind.value!r}: {told}"
                behind = behind.origin.shadowed


class _Oracle:
    """The files of one build, and its objects."""

    def __init__(self, files: FileTree, resources: Sequence[Resource]) -> None:
        self._files = files
        self._names = {
            (str(resource.body.get("metadata", {}).get(key)), str(origin))
            for resource in resources
            for key in ("name", "namespace")
            if (origin := origin_at(resource.body, ("metadata", key))) is not None
        }

    def complaint(self, origin: Origin, steps: Steps, value: Any) -> str:
        """Return what is wrong with an origin of a value, "" where it is right."""
        place = f"by {origin.by} at {origin}"
        lost = self._lost(origin)
        if lost:
            return f"{place}, and {lost}"
        content = self._files.read(origin.source.file)
        lines = content.decode(errors="replace").splitlines()
        text = _entry(lines, origin.line)
        if origin.by == "generator":
            right = _generated(value, content, text, steps)
        elif origin.by == "nameReference":
            right = (str(value), str(origin)) in self._names or _part(text, value, origin)
        else:
            right = (origin.by not in _KEYED or _keyed(text, steps[-1])) and _CHECKS[origin.by](text, value, origin)
        return "" if right else f"{place}, where {text[:100]!r} stands"

    def _lost(self, origin: Origin) -> str:
        """Return what is not there of the place that an origin names; "" where all is."""
        if not self._files.is_file(origin.source.file):
            return "there is no such file"
        if not self._files.is_dir(origin.source.layer):
            return f"there is no layer {origin.source.layer}"
        count = len(self._files.read(origin.source.file).decode(errors="replace").splitlines())
        return "" if 0 < origin.line <= max(count, 1) else f"the file has {count} lines"


def _entry(lines: list[str], line: int) -> str:
    """Return a line with those below it that belong to its entry: deeper ones, and blank ones between them."""
    first = lines[line - 1] if lines else ""
    depth = len(_indent(first)) if _KEY.match(first) else len(_blanks(first))
    end = line
    while end < len(lines) and (not lines[end].strip() or len(_blanks(lines[end])) > depth or _same(lines, end, depth)):
        end += 1
    return "\n".join(lines[line - 1 : end])


def _same(lines: list[str], at: int, depth: int) -> bool:
    """Whether a line is a dash at its key's own depth, as Kubernetes' files often have them."""
    return len(_blanks(lines[at])) == depth and lines[at].strip().startswith("-")


def _indent(text: str) -> str:
    found = _DASHES.match(text)
    return found[0] if found is not None else ""


def _blanks(text: str) -> str:
    return text[: len(text) - len(text.lstrip(" "))]


def _bare(text: str) -> str:
    """Return a text without what YAML may add to it or take from it: blanks, quotes, line breaks, escapes."""
    return _NOISE.sub("", _CONTINUED.sub("", text))


def _texts(value: Any, origin: Origin) -> set[str]:
    """Return the ways in which a value may be written."""
    if isinstance(value, dict):
        return {"{}", ""}
    if isinstance(value, list):
        return {"[]", ""}
    found = {origin.text if origin.text is not None else yaml.canonical(value)}
    found.add(str(value))
    if value is None:
        found |= {"", "~"}
    if isinstance(value, bool):
        found |= {str(value).lower(), "yes" if value else "no", "on" if value else "off"}
    return found


def _keyed(text: str, step: str | int) -> bool:
    """Whether the first line of an entry has its key; an element of a list has none."""
    first = text.split("\n", 1)[0]
    return isinstance(step, int) or _bare(step) in _bare(first) or _ALIAS.search(first) is not None


def _written(text: str, value: Any, origin: Origin) -> bool:
    """Whether a value stands in an entry, or an alias of something does.

    It has to stand in the first line, but where that leaves its value to those below it.
    """
    first = text.split("\n", 1)[0]
    goes_on = _OPEN.search(first) or (isinstance(value, str) and len(value.split()) > 1)
    bare = _bare(text if goes_on else first)
    return any(_bare(one) in bare for one in _texts(value, origin)) or _ALIAS.search(text) is not None


def _operation(text: str, value: Any, origin: Origin) -> bool:
    return _written(text, value, origin) or "from" in text.splitlines()[0]


def _part(text: str, value: Any, origin: Origin) -> bool:
    """Whether what a line says is a part of the value."""
    told = _scalar(text.splitlines()[0])
    return bool(told) and (told in str(value) or str(value) in told)


def _scalar(line: str) -> str:
    """Return what stands behind the key of a line."""
    return line.split(": ", 1)[-1].lstrip("- ").split(" #")[0].strip(" '\"")


def _common(text: str, value: Any, origin: Origin) -> bool:
    """Whether the line of a value's source and the value have a word in common."""
    return _written(text, value, origin) or bool(set(_WORDS.findall(text)) & set(_WORDS.findall(str(value))))


def _hashed(text: str, value: Any, origin: Origin) -> bool:
    return _HASH.fullmatch(str(value)) is not None


def _named(word: str) -> Callable[[str, Any, Origin], bool]:
    return lambda text, value, origin: word in text


def _generated(value: Any, content: bytes, text: str, steps: Steps) -> bool:
    """Whether a file's content is the value, or an entry has it, as it is or in base64."""
    if steps in _FIXED or value in ({}, []):
        return True
    forms = {str(value).encode()}
    with contextlib.suppress(binascii.Error, ValueError):
        forms.add(base64.b64decode(str(value)))
    return content in forms or any(_bare(form.decode(errors="replace")) in _bare(text) for form in forms)


_CHECKS: Final[dict[str, Callable[[str, Any, Origin], bool]]] = {
    "resource": _written,
    "patch": _written,
    "json6902": _operation,
    "images": _part,
    "replicas": _written,
    "namespace": _written,
    "labels": _written,
    "annotations": _written,
    "namePrefix": _part,
    "nameSuffix": _part,
    "replacement": _common,
    "var": _common,
    "valueAdd": _part,
    "hash": _hashed,
    "buildMetadata": _named("buildMetadata"),
}
_KEYED: Final = ("resource", "patch", "labels", "annotations")
