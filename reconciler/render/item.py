"""One object on its way through a build: its body, which steps change, and the names it had before."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from reconciler.model.identity import GroupVersionKind
from reconciler.model.tree import Map

if TYPE_CHECKING:
    from reconciler.model.origin import Origin

Scope = tuple[int, ...]


class Name(NamedTuple):
    """A name within a namespace ("" where none is given)."""

    namespace: str
    name: str


@dataclass(slots=True, eq=False)
class Item:
    """One object under construction.

    `scope` is the way of builds that led to it, outermost first: it tells which of two objects of one name a reference
    means. `earlier` are the names it had, oldest first. `hashed` says that its name gets a content hash in the end.
    """

    body: Map
    origin: Origin
    scope: Scope
    earlier: list[Name] = field(default_factory=list)
    hashed: bool = False

    @property
    def gvk(self) -> GroupVersionKind:
        """Group, version and kind."""
        return GroupVersionKind.of(self.body)

    @property
    def metadata(self) -> Map:
        """The object's metadata; made where it has none."""
        found = self.body.get("metadata")
        if not isinstance(found, Map):
            found = Map()
            self.body.put("metadata", found, self.origin)
        return found

    @property
    def name(self) -> Name:
        """Its name of now."""
        return Name(str(self.metadata.get("namespace") or ""), str(self.metadata.get("name") or ""))

    @property
    def names(self) -> tuple[Name, ...]:
        """All names that it had, the one of now last."""
        return (*self.earlier, self.name)

    @property
    def first(self) -> Name:
        """The name that its file gave it."""
        return self.earlier[0] if self.earlier else self.name

    def rename(self, key: str, value: str, origin: Origin) -> None:
        """Set `name` or `namespace`, and remember what it was."""
        before = self.name
        self.metadata.put(key, value, origin)
        self.renamed_from(before)

    def renamed_from(self, before: Name) -> None:
        """Remember a name that it had, where it has another one now."""
        if self.name != before and before not in self.earlier:
            self.earlier.append(before)

    def __str__(self) -> str:
        """Return `Kind/name -n namespace`."""
        kind, name = self.body.get("kind"), self.name
        return f"{kind}/{name.name}" + (f" -n {name.namespace}" if name.namespace else "")


def mapping(value: Any) -> Map:
    """Return a value that is a mapping, or an empty one."""
    return value if isinstance(value, Map) else Map()
