"""Where a step finds the fields that it changes, as Kustomize's field specs say it: `spec/template/metadata/labels`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from reconciler.limits import DEPTH
from reconciler.model.tree import Map, Seq

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from reconciler.model.identity import GroupVersionKind
    from reconciler.model.origin import Origin
    from reconciler.render.kustomization import Kustomization


_SLASH: Final = re.compile(r"(?<!\\)/")


@dataclass(frozen=True, slots=True)
class FieldSpec:
    """A path in the objects of a kind ("" for any); `create` makes what is missing of it.

    Lists are walked through; one that a step names with [] is never made.
    """

    path: str
    kind: str = ""
    group: str | None = None
    create: bool = False
    version: str | None = None

    def fits(self, gvk: GroupVersionKind) -> bool:
        """Whether objects of a kind have this field."""
        return self.kind in ("", gvk.kind) and self.group in (None, gvk.group) and self.version in (None, gvk.version)


def specs_of(config: Kustomization, field: str = "fieldSpecs") -> list[FieldSpec]:
    """Return the field specs of a configuration; raises RenderError where one has no path."""
    found = []
    for index, entry in config.maps(field):
        if not isinstance(entry.get("path"), str):
            raise config.error(f"{field}[{index}] needs a path", field, index)
        if len(steps(entry["path"])) > DEPTH:
            raise config.error(f"{field}[{index}].path has more than {DEPTH} steps", field, index)
        group, version = (str(entry[key]) if entry.get(key) else None for key in ("group", "version"))
        create = entry.get("create") is True
        found.append(FieldSpec(entry["path"], str(entry.get("kind") or ""), group, create, version))
    return found


def holders(root: Map, spec: FieldSpec, origin: Origin | None) -> Iterator[tuple[Map, str]]:
    """Yield each mapping that holds, or may hold, the last step of a path, with that step."""
    *way, last = steps(spec.path)
    nodes: Iterable[Map] = (root,)
    for step in way:
        nodes = [child for node in nodes for child in _children(node, step, spec.create, origin)]
    for node in nodes:
        if last in node or spec.create:
            yield node, last


@lru_cache(maxsize=1 << 10)
def steps(path: str) -> tuple[str, ...]:
    r"""Return the steps of a path; `\\/` is a slash within one."""
    return tuple(part.replace("\\/", "/") for part in _SLASH.split(path))


def _children(node: Map, step: str, create: bool, origin: Origin | None) -> Iterator[Map]:
    name = step.removesuffix("[]")
    value = node.get(name)
    if value is None and name != step and name in node:
        node.put(name, Seq(), origin)  # what Kustomize's filter makes of a null where it looks for a list
    elif value is None and create and name == step:
        value = Map()
        node.put(step, value, origin)
    if isinstance(value, Map):
        yield value
    elif isinstance(value, Seq):
        yield from (item for item in value if isinstance(item, Map))
