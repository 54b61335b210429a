"""One object on its way through a build: its body, which steps change, and the names it had before."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from reconciler import yaml
from reconciler.model.identity import GroupVersionKind
from reconciler.model.tree import Map, Seq
from reconciler.render.kinds import cluster_scoped

if TYPE_CHECKING:
    from reconciler.model.origin import Origin


class Name(NamedTuple):
    """What an object is called at one time. `namespace` is `default` where none is given, "" for kinds without one."""

    namespace: str
    name: str
    kind: str


@dataclass(slots=True, eq=False)
class Item:
    """One object under construction.

    `earlier` are the names that it had before a step that may change them, oldest first: references are looked up among
    them, so an object that no such step has seen is referred to by nothing that would have to follow. `prefixes` and
    `suffixes` were put around its name, innermost first. `hashed` says that its name gets a content hash in the end.
    `inflated` says that a chart made it: Kustomize leaves its namespace to Helm. `release` is the namespace that Helm would
    install it to, and what says so. `provenance` and `transformations` are what `buildMetadata` tells, where it is asked.
    """

    body: Map
    origin: Origin
    earlier: list[Name] = field(default_factory=list)
    prefixes: list[str] = field(default_factory=list)
    suffixes: list[str] = field(default_factory=list)
    hashed: bool = False
    provenance: str = ""
    transformations: tuple[str, ...] = ()
    inflated: bool = False
    release: tuple[str, Origin] | None = None

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
    def namespace(self) -> str:
        """The namespace that it names; "" where it names none."""
        return str(self.metadata.get("namespace") or "")

    @property
    def name(self) -> Name:
        """Its name of now."""
        gvk = self.gvk
        return name_of(gvk, self.namespace, str(self.metadata.get("name") or ""))

    @property
    def names(self) -> tuple[Name, ...]:
        """All names that it had, the one of now last."""
        return (*self.earlier, self.name)

    @property
    def first(self) -> Name:
        """The name that its file gave it."""
        return self.earlier[0] if self.earlier else self.name

    def remember(self) -> None:
        """Remember the name of now, before a step that may change it."""
        name = self.name
        if not self.earlier or self.earlier[-1] != name:
            self.earlier.append(name)

    def __str__(self) -> str:
        """Return `Kind/name -n namespace`."""
        name = f"{self.body.get('kind')}/{self.metadata.get('name') or ''}"
        return f"{name} -n {self.namespace}" if self.namespace else name


def name_of(gvk: GroupVersionKind, namespace: str, name: str) -> Name:
    """Return the name of an object of a kind."""
    return Name("" if cluster_scoped(gvk) else namespace or "default", name, gvk.kind)


def text_at(holder: Map, key: str) -> str:
    """Return how the scalar of an entry is written, `1.50` or `~`; its usual text where nothing else is known."""
    origin = holder.origins.get(key)
    return origin.text if origin is not None and origin.text is not None else yaml.canonical(holder.get(key))


def mapping(value: Any) -> Map:
    """Return a value that is a mapping, or an empty one."""
    return value if isinstance(value, Map) else Map()


def sequence(value: Any) -> Seq:
    """Return a value that is a list, or an empty one."""
    return value if isinstance(value, Seq) else Seq()
