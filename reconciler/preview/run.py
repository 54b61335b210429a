"""A preview: two trees of the config repository, every environment that differs between them.

Nothing is asked of a cluster or the network, nothing is checked out and nothing of the change is run, so a stranger's
pull request is as safe to preview as one's own.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from reconciler import environment as environments
from reconciler import pipeline, yaml
from reconciler.environment.load import FILE, ROOT
from reconciler.errors import ConfigError
from reconciler.model import tree
from reconciler.model.origin import Source
from reconciler.model.plan import Action
from reconciler.model.preview import ChangeSet, Preview
from reconciler.model.resource import Desired
from reconciler.model.schema import ANYTHING
from reconciler.plan import policy
from reconciler.plan.differences import differences, indexed
from reconciler.preview.changeid import change_id, digests
from reconciler.preview.closure import Closures
from reconciler.preview.compare import compare, field_change
from reconciler.render.memory import Memory as Builds

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.environment import Environment
    from reconciler.model.files import FileTree
    from reconciler.model.plan import Change, FieldChange, Refusal
    from reconciler.pipeline import Checkout
    from reconciler.source.clones import Clones

NEW: Final = "is a new environment"
GONE: Final = (
    "is no longer defined: nobody reconciles it any more, and its objects stay as they are; "
    "to delete them, empty its components first and let that be applied"
)


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two commits: its full id, its files, and the cache that its remote bases are read from."""

    revision: str
    files: FileTree
    clones: Clones | None = None


def preview(base: Side, head: Side) -> Preview:
    """Return what the head does that the base did not; errors of the head are part of it, none is raised for them."""
    before = environments.discover(base.files)
    try:
        after = environments.discover(head.files)
    except ConfigError as error:
        return Preview(base.revision, head.revision, (ChangeSet(ROOT, "", problems=error.problems),), ())
    closures = Closures(base.files), Closures(head.files)
    memory = Builds()
    found: list[ChangeSet] = []
    untouched: list[str] = []
    for name in sorted({*before, *after}):
        if name not in after:
            found.append(ChangeSet(name, "", notes=(GONE,)))
        elif (made := _environment(name, base, head, closures, memory, new=name not in before)) is None:
            untouched.append(name)
        else:
            found.append(made)
    return Preview(base.revision, head.revision, tuple(found), tuple(untouched))


def _environment(
    name: str, base: Side, head: Side, closures: tuple[Closures, Closures], memory: Builds, *, new: bool
) -> ChangeSet | None:
    """Return what happens to one environment; None where nothing that it is made of differs."""
    try:
        after = _checkout(name, head)
    except ConfigError as error:
        return None if not new and _same_file(name, base, head) else ChangeSet(name, "", problems=error.problems)
    before, notes = None, (NEW,) if new else ()
    if not new:
        try:
            before = _checkout(name, base)
        except ConfigError:
            notes = ("could not be read before this change, so all that it holds counts as new",)
    touched = _touched(before, after, closures)
    settings = tuple(_settings(name, base, head)) if before is not None else ()
    if before is not None and not touched and not settings:
        return None
    made = _compared(before, after, touched, notes, memory)
    return made if made.problems else replace(made, settings=settings)


def _same_file(name: str, base: Side, head: Side) -> bool:
    """Whether an environment.yaml that cannot be read is what it was: that is nothing that this change does."""
    try:
        return _digest(name, base) == _digest(name, head)
    except ConfigError:
        return False


def _digest(name: str, side: Side) -> str:
    """Return the digest of an environment.yaml; "" where it is none that could be read."""
    try:
        return side.files.digest(f"{ROOT}/{name}/{FILE}")
    except FileNotFoundError:
        return ""


def _checkout(name: str, side: Side) -> Checkout:
    return pipeline.open_checkout(side.files, name, side.revision, side.clones, offline=True)


def _touched(before: Checkout | None, after: Checkout, closures: tuple[Closures, Closures]) -> frozenset[str]:
    """Return the components, of either side, that may render something else than they did."""
    new = {item.name: after.directory_of(item) for item in after.environment.spec.components}
    if before is None:
        return frozenset(new)
    old = {item.name: before.directory_of(item) for item in before.environment.spec.components}
    if before.environment.spec.render != after.environment.spec.render:
        return frozenset({*old, *new})
    return frozenset(
        name
        for name in {*old, *new}
        if old.get(name) != new.get(name) or closures[0].content(old[name]) != closures[1].content(new[name])
    )


def _compared(
    before: Checkout | None, after: Checkout, touched: frozenset[str], notes: tuple[str, ...], memory: Builds
) -> ChangeSet:
    name, environment = after.environment.name, after.environment
    try:
        head = pipeline.wanted(after, memory=memory)
        pipeline.order(head, environment)
    except ConfigError as error:
        return ChangeSet(name, "", problems=error.problems, notes=notes)
    base, known = Desired(name, None, {}), True
    if before is not None:
        try:
            rendered = pipeline.wanted(before, touched, memory)
        except ConfigError:
            notes, known = (
                (*notes, "could not be rendered before this change, so all that it holds counts as new"),
                False,
            )
        else:
            base = _whole(before, rendered, head)
    kept = frozenset(item.name for item in environment.spec.components if not item.prune)
    changes = compare(base, head, kept)
    identity = change_id(name, digests(base), digests(head)) if known else ""
    return ChangeSet(name, identity, changes, expected=_expected(base, head, environment, changes), notes=notes)


def _whole(before: Checkout, rendered: Desired, head: Desired) -> Desired:
    """Return the base's objects: of components that cannot differ, those of the head are the same."""
    components = {
        item.name: rendered.components[item.name] if item.name in rendered.components else head.components[item.name]
        for item in before.environment.spec.components
    }
    return Desired(head.environment, before.revision, components)


def _expected(
    base: Desired, head: Desired, environment: Environment, changes: tuple[Change, ...]
) -> tuple[Refusal, ...]:
    """Return what the policy will refuse if the cluster is as the base says."""
    owned = {item.id: component for component, item in base.resources}
    deletions = tuple(item for item in changes if item.action is Action.DELETE and not item.notes)
    replaced = tuple(item for item in changes if item.action is Action.REPLACE)
    return policy.refusals(head, environment, (), deletions, replaced, owned)


def _settings(name: str, base: Side, head: Side) -> Iterator[FieldChange]:
    """Yield what differs in environment.yaml itself."""
    path = f"{ROOT}/{name}/{FILE}"
    if base.files.digest(path) == head.files.digest(path):
        return
    old, new = (_document(side.files, path) for side in (base, head))
    for item in differences(old, new, ANYTHING):
        yield field_change(item, tree.origin_at(new, indexed(new, item.path, ANYTHING)))


def _document(files: FileTree, path: str) -> Any:
    return yaml.parse(files.read(path), Source(path, f"{ROOT}/{path.split('/')[1]}"))[0]
