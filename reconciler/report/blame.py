"""Where the fields of one object come from: value, place, layer, step, commit, and the chain of what they replaced."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson
from rich.text import Text

from reconciler.errors import UsageError
from reconciler.model import remote
from reconciler.model.path import format_path, parse_path, plain_steps, value_at
from reconciler.model.tree import origin_at
from reconciler.report.document import id_document
from reconciler.report.origins import leaves

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from rich.console import Console

    from reconciler.model.commit import Commit
    from reconciler.model.origin import Origin, Shadow
    from reconciler.model.resource import Desired, Resource

MASK = "(secret)"


@dataclass(frozen=True, slots=True)
class Row:
    """One leaf: its path as text, its value and its origin."""

    path: str
    value: Any
    origin: Origin | None
    secret: bool


def find(desired: Desired, target: str, namespace: str | None) -> Resource:
    """Return the one object that `KIND/NAME` and a namespace mean; raises UsageError with the candidates otherwise."""
    kind, _, name = target.partition("/")
    found = [
        item
        for _, item in desired.resources
        if item.id.kind.lower() == kind.lower() and item.id.name == name and namespace in (None, item.id.namespace)
    ]
    if len(found) == 1:
        return found[0]
    if found:
        named = ", ".join(str(item.id) for item in found)
        raise UsageError(
            f"{target} means {len(found)} objects of environment {desired.environment}: {named}; name its namespace"
        )
    everything = {f"{item.id.kind}/{item.id.name}": item.id for _, item in desired.resources}
    near = [str(everything[text]) for text in difflib.get_close_matches(target, everything, 3, 0.5)]
    hint = f"; near it: {', '.join(near)}" if near else ""
    where = f" in namespace {namespace}" if namespace else ""
    raise UsageError(f"environment {desired.environment} has no {target}{where}{hint}")


def rows(resource: Resource, field: str | None) -> tuple[Row, ...]:
    """Return the leaves of an object, or of one field of it; raises UsageError where it has no such field."""
    steps = plain_steps(resource.body, parse_path(field)) if field is not None else ()
    if steps is None:
        raise UsageError(f"{resource.id} has no field {field}")
    return tuple(
        Row(_path(resource.body, found), value, origin_at(resource.body, found), _is_secret(resource, found))
        for found, value in leaves(value_at(resource.body, steps), steps)
    )


def origins(found: Iterable[Row]) -> Iterator[Origin]:
    """Yield the origins of rows and of all that they replaced."""
    for row in found:
        for origin in (row.origin, *(shadow.origin for shadow in chain(row.origin))):
            if origin is not None:
                yield origin


def draw(
    console: Console, resource: Resource, found: tuple[Row, ...], commits: Mapping[tuple[str, int], Commit]
) -> None:
    """Draw rows: each leaf, then what set it, then the chain of what that replaced."""
    console.print(str(resource.id), style="bold")
    for row in found:
        console.print(Text.assemble(row.path, ": ", (_shown(row.value, row.secret), "green")))
        if row.origin is None:
            console.print("    not from git", style="dim")
            continue
        _draw_step(console, "set by", row.origin, commits)
        for shadow in chain(row.origin):
            given = shadow.origin is not None and shadow.origin.by == "values"
            replaced = f"{'which was given' if given else 'which replaced'} {_shown(shadow.value, row.secret)}"
            if shadow.origin is None:
                console.print(f"    {replaced}")
            else:
                _draw_step(console, f"{replaced} of", shadow.origin, commits)


def _draw_step(console: Console, lead: str, origin: Origin, commits: Mapping[tuple[str, int], Commit]) -> None:
    commit = commits.get((origin.source.file, origin.line))
    told = (
        "of another repository, at the commit after the @" if remote.split(origin.source.file)[0] else "not committed"
    )
    if commit:
        told = f"{commit.sha[:10]} {commit.author}, {commit.date:%Y-%m-%d}: {commit.summary}"
        if commit.boundary:
            told += " (or an earlier commit: the clone is shallow, `git fetch --unshallow` gets the rest)"
    console.print(f"    {lead} {origin} ({origin.by}, layer {origin.source.layer or '.'})")
    console.print(f"        {told}", style="dim")


def chain(origin: Origin | None) -> Iterator[Shadow]:
    """Yield what an origin replaced, and what that had replaced, and so on."""
    while origin is not None and origin.shadowed is not None:
        yield origin.shadowed
        origin = origin.shadowed.origin


def document(resource: Resource, found: tuple[Row, ...], commits: Mapping[tuple[str, int], Commit]) -> dict[str, Any]:
    """Return rows as a document; `shadowed` nests."""
    return {
        "id": id_document(resource.id),
        "fields": [
            {
                "path": row.path,
                "value": MASK if row.secret else row.value,
                "origin": _origin(row.origin, commits, row.secret),
            }
            for row in found
        ],
    }


def _origin(origin: Origin | None, commits: Mapping[tuple[str, int], Commit], secret: bool) -> dict[str, Any] | None:
    if origin is None:
        return None
    commit = commits.get((origin.source.file, origin.line))
    shadow = origin.shadowed
    return {
        "file": origin.source.file,
        "line": origin.line,
        "layer": origin.source.layer,
        "by": origin.by,
        "commit": commit.sha if commit else None,
        "author": commit.author if commit else None,
        "shadowed": {"value": MASK if secret else shadow.value, "origin": _origin(shadow.origin, commits, secret)}
        if shadow
        else None,
    }


def _path(body: Any, steps: tuple[str | int, ...]) -> str:
    """Write list elements by their name where they have one, as people refer to them."""
    from reconciler.model.path import Keyed

    text: list[str | int | Keyed] = []
    node = body
    for step in steps:
        node = node[step]
        named = isinstance(step, int) and isinstance(node, dict) and isinstance(node.get("name"), str)
        text.append(Keyed((("name", node["name"]),)) if named else step)
    return format_path(text)


def _is_secret(resource: Resource, steps: tuple[str | int, ...]) -> bool:
    return resource.id.kind == "Secret" and not resource.id.group and steps[:1] in (("data",), ("stringData",))


def _shown(value: Any, secret: bool) -> str:
    if secret:
        return MASK
    return (value if isinstance(value, str) else orjson.dumps(value).decode()).replace("\n", "\\n")
