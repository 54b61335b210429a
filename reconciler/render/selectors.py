"""Which objects a patch, a replacement or a list of replicas means."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from reconciler.render.item import Item, mapping

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reconciler.model.tree import Map

_IN = re.compile(r"\s*([^\s!=,]+)\s+(in|notin)\s+\(([^)]*)\)\s*")


class SelectorInvalid(Exception):
    """A selector that cannot be read; its text says why."""


@dataclass(frozen=True, slots=True)
class Selector:
    """A selector as Kustomize's `target` has it; names and kinds are anchored regular expressions, "" is any."""

    group: str = ""
    version: str = ""
    kind: str = ""
    name: str = ""
    namespace: str = ""
    labels: str = ""
    annotations: str = ""

    @classmethod
    def of(cls, target: Map) -> Selector:
        """Read a `target`."""
        keys = {"group", "version", "kind", "name", "namespace", "labelSelector", "annotationSelector"}
        unknown = set(target) - keys
        if unknown:
            raise SelectorInvalid(f"unknown key {min(unknown)}: expected {', '.join(sorted(keys))}")
        text = {key: "" if target.get(key) is None else str(target[key]) for key in keys}
        for key in ("group", "version", "kind", "name", "namespace"):
            try:
                re.compile(text[key])
            except re.error as error:
                raise SelectorInvalid(f"{key} {text[key]!r} is no regular expression: {error}") from error
        return cls(
            text["group"],
            text["version"],
            text["kind"],
            text["name"],
            text["namespace"],
            text["labelSelector"],
            text["annotationSelector"],
        )

    def matches(self, item: Item) -> bool:
        """Whether an object is meant, by the name that it has or the one that it had first."""
        ends = (item.first, item.name)
        return (
            self._matches_but_names(item)
            and any(_fits(self.name, name.name) for name in ends)
            and any(_fits(self.namespace, name.namespace) for name in ends)
        )

    def matches_any(self, item: Item) -> bool:
        """Whether an object is meant by a replacement: by any name that it had, namespace and name of one time."""
        return self._matches_but_names(item) and any(
            _fits(self.name, name.name) and _fits(self.namespace, name.namespace) for name in item.names
        )

    def _matches_but_names(self, item: Item) -> bool:
        gvk, metadata = item.gvk, item.metadata
        return (
            _fits(self.group, gvk.group)
            and _fits(self.version, gvk.version)
            and _fits(self.kind, gvk.kind)
            and labels_match(self.labels, mapping(metadata.get("labels")))
            and labels_match(self.annotations, mapping(metadata.get("annotations")))
        )

    def __str__(self) -> str:
        """Return what is selected in words."""
        parts = {
            "group": self.group,
            "version": self.version,
            "kind": self.kind,
            "name": self.name,
            "namespace": self.namespace,
            "labelSelector": self.labels,
            "annotationSelector": self.annotations,
        }
        return ", ".join(f"{key} {value}" for key, value in parts.items() if value) or "everything"


def _fits(pattern: str, text: str) -> bool:
    return not pattern or re.fullmatch(pattern, text) is not None


def labels_match(selector: str, labels: dict[str, Any]) -> bool:
    """Whether labels fit a label selector: `a=b`, `a!=b`, `a`, `!a`, `a in (b, c)`, `a notin (b, c)`, comma-separated."""
    rest = selector
    while match := _IN.search(rest):
        key, operator, values = match.groups()
        chosen = {value.strip() for value in values.split(",")}
        if (str(labels.get(key, "")) in chosen) != (operator == "in") or (operator == "in" and key not in labels):
            return False
        rest = rest[: match.start()] + rest[match.end() :]
    return all(_requirement(part.strip(), labels) for part in rest.split(",") if part.strip())


def _requirement(part: str, labels: dict[str, Any]) -> bool:
    if "!=" in part:
        key, value = part.split("!=", 1)
        return labels.get(key.strip()) != value.strip()
    if "=" in part:
        key, value = re.split("==?", part, maxsplit=1)
        return labels.get(key.strip()) == value.strip()
    return part[1:].strip() not in labels if part.startswith("!") else part in labels


def candidates(wanted: str, items: Iterable[Item], most: int = 3) -> str:
    """Return the objects whose text, or whose name, is nearest to what was looked for, as a hint."""
    texts = {known: str(item) for item in items for known in (str(item), item.name.name)}
    near = dict.fromkeys(texts[known] for known in difflib.get_close_matches(wanted, texts, most, 0.5))
    return f"near it: {', '.join(near)}" if near else ""
