"""`patches`, `patchesStrategicMerge` and `patchesJson6902`: reading them and carrying them out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from reconciler import yaml
from reconciler.errors import ConfigError
from reconciler.model.identity import GroupVersionKind
from reconciler.model.origin import Origin, Source
from reconciler.model.tree import Map, Seq, copy
from reconciler.render import json6902, strategic
from reconciler.render.item import Item, mapping, name_of
from reconciler.render.selectors import Selector, SelectorInvalid, candidates

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from reconciler.errors import Problem
    from reconciler.render.kustomization import Kustomization
    from reconciler.render.loading import Loader
    from reconciler.render.openapi import MergeKeys

KEYS: Final = frozenset({"path", "patch", "target", "options"})
MOST_NAMED: Final = 3  # objects in a warning
OPTIONS: Final = frozenset({"allowNameChange", "allowKindChange"})


@dataclass(frozen=True, slots=True)
class Patch:
    """One patch: a strategic merge (a mapping) or JSON operations (a list), and whom it is for.

    Without a target a strategic merge patch names its object itself. `steps` is its place in the kustomization.
    """

    content: Map | Seq
    target: Selector | None
    steps: tuple[str | int, ...]
    rename: bool = False
    change_kind: bool = False


def read(
    made: Kustomization, field: str, load: Callable[[str, tuple[str | int, ...]], tuple[str, bytes]]
) -> list[Patch]:
    """Read the patches of one field; `load` returns the path and the content of a file that is named."""
    found: list[Patch] = []
    if field == "patchesStrategicMerge":
        for index, entry in enumerate(made.entries(field)):
            steps = (field, index)
            if not isinstance(entry, str):
                raise made.error(f"{field}[{index}] has to be a path or a patch", *steps)
            inline = "\n" in entry or entry.lstrip().startswith("{")
            contents = _inline(made, entry, steps) if inline else _file(made, entry, steps, load)
            if not contents:
                raise made.error(f"{field}[{index}] is an empty patch", *steps)
            found += [Patch(_map(made, content, steps), None, steps) for content in contents]
        return found
    for index, entry in made.maps(field):
        found += _entry(made, field, index, entry, load)
    return found


def _entry(
    made: Kustomization,
    field: str,
    index: int,
    entry: Map,
    load: Callable[[str, tuple[str | int, ...]], tuple[str, bytes]],
) -> Iterator[Patch]:
    steps = (field, index)
    unknown = set(entry) - KEYS
    if unknown:
        raise made.error(f"{field}[{index}] has an unknown key {min(unknown)}", *steps, min(unknown))
    if ("path" in entry) == ("patch" in entry):
        raise made.error(f"{field}[{index}] needs path or patch, one of them", *steps)
    options = mapping(entry.get("options"))
    if set(options) - OPTIONS:
        raise made.error(f"{field}[{index}].options knows {', '.join(sorted(OPTIONS))}", *steps, "options")
    try:
        target = Selector.of(entry["target"]) if isinstance(entry.get("target"), Map) else None
    except SelectorInvalid as error:
        raise made.error(f"{field}[{index}].target: {error}", *steps, "target") from error
    if "path" in entry:
        contents = _file(made, str(entry["path"]), (*steps, "path"), load)
    else:
        contents = _inline(made, str(entry["patch"]), (*steps, "patch"))
    if not contents:
        raise made.error(f"{field}[{index}] is an empty patch", *steps)
    _fits_target(made, steps, contents, target)
    for content in contents:
        if isinstance(content, Seq):
            content.origins = [_by(origin, "json6902") for origin in content.origins]
        yield Patch(
            content,
            target,
            steps,
            options.get("allowNameChange") is True,
            options.get("allowKindChange") is True,
        )


def _fits_target(
    made: Kustomization, steps: tuple[str, int], contents: list[Map | Seq], target: Selector | None
) -> None:
    field, index = steps
    if target is None and any(isinstance(content, Seq) for content in contents):
        raise made.error(f"{field}[{index}] is a JSON patch and needs a target", *steps)
    if target is not None and sum(isinstance(content, Map) for content in contents) > 1:
        hint = "give each an entry of its own, or let each name its object"
        raise made.error(f"{field}[{index}] has a target and several patches", *steps, hint=hint)


def _file(
    made: Kustomization, path: str, steps: tuple[str | int, ...], load: Callable[..., tuple[str, bytes]]
) -> list[Map | Seq]:
    where, content = load(path, steps)
    return _parsed(made, content.decode(errors="replace"), Source(where, made.directory), 0, steps)


def _inline(made: Kustomization, text: str, steps: tuple[str | int, ...]) -> list[Map | Seq]:
    """Parse a patch of the kustomization; one of several lines begins in the line below its key."""
    line = made.place(*steps).line
    return _parsed(made, text, Source(made.path, made.directory), line if "\n" in text else line - 1, steps)


def _parsed(
    made: Kustomization, text: str, source: Source, shift: int, steps: tuple[str | int, ...]
) -> list[Map | Seq]:
    """Parse a patch; the lines of one that stands in the kustomization are counted from its place there."""
    try:
        documents = yaml.parse(text, source, yaml.Dialect.PATCH)
        if any(isinstance(item, Seq) for item in documents):
            documents = yaml.parse(text, source, yaml.Dialect.KUSTOMIZATION)
    except ConfigError as error:
        raise made.error(f"the patch is {error.problems[0].message}", *steps) from error
    found = [item for item in documents if item is not None]
    for item in found:
        if not isinstance(item, Map | Seq):
            raise made.error("a patch has to be a mapping or a list of operations", *steps)
        relabel(item, "json6902" if isinstance(item, Seq) else "patch", shift)
    return found


def relabel(value: Any, by: str, shift: int = 0) -> None:
    """Say of every entry of a tree that a step set it, and move its lines."""
    if isinstance(value, Map):
        value.origins = {key: _moved(origin, by, shift) for key, origin in value.origins.items()}
        for item in value.values():
            relabel(item, by, shift)
    elif isinstance(value, Seq):
        value.origins = [_moved(origin, by, shift) if origin else None for origin in value.origins]
        for item in value:
            relabel(item, by, shift)


def _moved(origin: Origin, by: str, shift: int) -> Origin:
    return Origin(origin.source, origin.line + shift, by)


def _by(origin: Origin | None, by: str) -> Origin | None:
    return Origin(origin.source, origin.line, by) if origin is not None else None


def _map(made: Kustomization, content: Map | Seq, steps: tuple[str | int, ...]) -> Map:
    if not isinstance(content, Map):
        raise made.error("a strategic merge patch has to be a mapping", *steps)
    return content


def carry_out(made: Kustomization, patches: list[Patch], items: list[Item], load: Loader) -> list[Problem]:
    """Carry out patches in their order; objects that a patch deletes leave the list.

    A patch that names its object itself and does not find it is an error. One whose target fits nothing is returned as
    a warning, and so is, where the loader is thorough, one that changes nothing: Kustomize says nothing of them.
    """
    idle: list[Problem] = []
    for patch in patches:
        chosen = _chosen(made, patch, items)
        if not chosen:
            hint = candidates(str(patch.target), items)
            idle.append(made.problem(f"the patch's target fits no object: {patch.target}", *patch.steps, hint=hint))
        before = [copy(item.body) for item in chosen] if load.thorough else []
        for item in chosen:
            if isinstance(patch.content, Seq):
                item.remember()
                json6902.apply(item.body, patch.content, str(item))
            elif not _merged(made, patch, patch.content, item, load.schema):
                items.remove(item)
                before = []
        if before == [item.body for item in chosen] and before and not made.is_component:
            told = f"the patch changes nothing of {', '.join(map(str, chosen[:MOST_NAMED]))}"
            idle.append(made.problem(told, *patch.steps, hint="take it out: what it says is there already"))
    return idle


def _chosen(made: Kustomization, patch: Patch, items: list[Item]) -> list[Item]:
    if patch.target is not None:
        return [item for item in items if patch.target.matches(item)]
    wanted, found = _own_target(made, patch, items)
    if not found:
        hint = candidates(wanted, items)
        raise made.error(f"the patch is for {wanted}, and there is no such object", *patch.steps, hint=hint)
    return found


def _own_target(made: Kustomization, patch: Patch, items: list[Item]) -> tuple[str, list[Item]]:
    """Return the object that a patch without a target names itself."""
    content = mapping(patch.content)
    gvk, metadata = GroupVersionKind.of(content), mapping(content.get("metadata"))
    if not gvk.kind or not metadata.get("name"):
        raise made.error("the patch has no target, so it needs apiVersion, kind and metadata.name itself", *patch.steps)
    name = name_of(gvk, str(metadata.get("namespace") or ""), str(metadata["name"]))
    same = [item for item in items if item.gvk[:2] == gvk[:2] and name in item.names]
    if len(same) > 1:
        listed = ", ".join(str(item) for item in same)
        raise made.error(f"the patch for {gvk.kind}/{name.name} means several objects: {listed}", *patch.steps)
    space = metadata.get("namespace")
    return f"{gvk.kind}/{name.name}" + (f" -n {space}" if space else ""), same


def _merged(made: Kustomization, patch: Patch, content: Map, item: Item, schema: MergeKeys) -> bool:
    try:
        return _merge(patch, content, item, schema)
    except strategic.MergeFailed as error:
        raise made.error(f"the patch does not fit {item}: {error}", *patch.steps) from error


def _merge(patch: Patch, content: Map, item: Item, schema: MergeKeys) -> bool:
    """Merge a patch into an object; what it says of kind and name only counts where its options allow that."""
    keep_kind = not patch.change_kind
    shielded = Map()
    shielded.origins = dict(content.origins)
    for key, value in content.items():
        if key == "apiVersion" or (key == "kind" and keep_kind):
            continue
        shielded[key] = _without_name(value) if key == "metadata" and not patch.rename else value
    if patch.rename or patch.change_kind:
        item.remember()
    return strategic.merge(item.body, shielded, schema, item.gvk, GroupVersionKind.of(content))


def _without_name(metadata: Any) -> Any:
    if not isinstance(metadata, Map):
        return metadata
    made = Map((key, value) for key, value in metadata.items() if key not in ("name", "namespace"))
    made.origins = {key: origin for key, origin in metadata.origins.items() if key in made}
    return made
