"""The plan: ordered changes of one environment against its live cluster."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconciler.model.applyset import Inventory
    from reconciler.model.graph import Graph
    from reconciler.model.identity import ObjectId
    from reconciler.model.origin import Origin
    from reconciler.model.resource import Resource


WAITING: Final = frozenset(("suspended", "window"))
"""The rules that refuse a plan for the time being, whatever is in it."""


class Action(StrEnum):
    """What a plan does to one object."""

    CREATE = "create"
    UPDATE = "update"
    REPLACE = "replace"
    DELETE = "delete"
    RELEASE = "release"  # git no longer wants it: it stays as it is, and is no longer ours
    MOVE = "move"  # to another component of the same environment; the object itself may change too
    UNCHANGED = "unchanged"


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One field of one object. Secret values are masked before they get here.

    `manager` is who set the live value last, where that was not us, and `when` the time of its last write (RFC 3339);
    `drift` says that the field was ours and somebody changed it. `origin` is None only where git has no say.
    """

    path: str
    op: Literal["add", "remove", "replace"]
    old: Any = None
    new: Any = None
    origin: Origin | None = None
    manager: str | None = None
    when: str = ""
    drift: bool = False


@dataclass(frozen=True, slots=True)
class FieldConflict:
    """A field that another manager owns with another value, and that the policy does not let us take.

    `when` is the time of the manager's last write (RFC 3339), which need not be the one that set this field.
    """

    path: str
    manager: str
    ours: Any
    theirs: Any
    origin: Origin | None = None
    when: str = ""


class Writer(NamedTuple):
    """A field manager with the way in which it wrote: `Apply` or `Update`."""

    manager: str
    operation: str


@dataclass(frozen=True, slots=True)
class Takeover:
    """What is done to an object of another tool before it is applied, so that nothing of the tool is left.

    What the writers in `merged` own was asked for by somebody, so it becomes ours and goes where git does not have it. What
    those in `dropped` own may be the server's defaults: they lose it, the values stay. `labels` and `annotations` are the
    tool's marks, which go.
    """

    merged: tuple[Writer, ...] = ()
    dropped: tuple[Writer, ...] = ()
    labels: tuple[str, ...] = ()
    annotations: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Change:
    """What happens to one object.

    `resource` is the desired object with our labels, as it will be sent (None for a delete and a release). `uid` and
    `resource_version` are the live object's, "" where there is none. `force` is set where every conflict was named and
    may be overridden. `problem` is a failure that is known before the first write; such an object is not sent and its
    dependents are skipped. `notes` tell a person what is special (adoption, prediction from schema, move).
    """

    action: Action
    component: str
    id: ObjectId
    resource: Resource | None = None
    fields: tuple[FieldChange, ...] = ()
    uid: str = ""
    resource_version: str = ""
    force: bool = False
    conflicts: tuple[FieldConflict, ...] = ()
    problem: str = ""
    notes: tuple[str, ...] = ()
    moved_from: str = ""
    takeover: Takeover | None = None  # what an adoption does beside the apply
    held: str = ""  # why it has to wait (suspended, outside of its window); it is shown and not carried out
    protected: bool = False  # of a delete: of a kind that policy.deletions.protect names
    terminating: bool = False  # the live object to delete is being deleted already
    shares: frozenset[tuple[str, ...]] = frozenset()  # where it takes fields: what others have (`model.managers`)
    settles: bool = True  # False: the server would not keep git's values, so that the object differs after an apply too

    @property
    def acts(self) -> bool:
        """Whether it asks for a request."""
        return self.action is not Action.UNCHANGED and not self.held

    @property
    def shown(self) -> bool:
        """Whether there is something to tell: it changes, it cannot, or a note explains why it stays."""
        return self.action is not Action.UNCHANGED or bool(self.problem or self.notes)

    @property
    def drifted(self) -> bool:
        """Whether somebody changed a field that is ours."""
        return any(change.drift for change in self.fields)

    @property
    def leaves(self) -> bool:
        """Whether git no longer wants the object: it is deleted, or released."""
        return self.action in (Action.DELETE, Action.RELEASE)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why the policy refuses the plan as a whole, and what to do about it."""

    rule: str  # budget, protected, empty-render, shrunken-source, foreign-owner, suspended, window
    message: str
    hint: str
    ids: tuple[ObjectId, ...] = ()
    acknowledgeable: bool = False  # `apply --acknowledge` lifts it


@dataclass(frozen=True, slots=True)
class Kept:
    """An object of ours that git no longer has and that stays in the cluster all the same, and why."""

    component: str
    id: ObjectId
    reason: str

    @property
    def note(self) -> str:
        """What to tell about it."""
        return f"stays though git no longer has it ({self.reason})"


@dataclass(frozen=True, slots=True)
class Plan:
    """The ordered changes of one environment. `id` is a digest bound to content: no commits, times or origins in it.

    `changes` holds every object, unchanged ones too: first those to apply in graph order, then those to delete or
    to release in reverse graph order. `inventories` are the live ones by component. `kept` is what git no longer has and
    nothing happens to.
    """

    environment: str
    revision: str | None
    id: str
    changes: tuple[Change, ...]
    graph: Graph
    refusals: tuple[Refusal, ...] = ()
    inventories: Mapping[str, Inventory] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    kept: tuple[Kept, ...] = ()
    bookkeeping: frozenset[str] = frozenset()  # components whose inventory has to be written, whatever changes

    @property
    def summary(self) -> dict[str, int]:
        """The number of objects by action, and of changes that are held back."""
        counts = Counter("held" if change.held else str(change.action) for change in self.changes)
        return {name: counts[name] for name in (*map(str, Action), "held")}

    @property
    def acknowledgement(self) -> str:
        """What `apply --acknowledge` takes to accept all that is refused; "" where nothing is, or something cannot be.

        It is the id, and by name what the time of day or a switch refuses, which the id says nothing of: who accepted a
        deletion inside of a sync window has not said that it may be made outside.
        """
        if not self.refusals or not all(item.acknowledgeable for item in self.refusals):
            return ""
        return "+".join((self.id, *sorted({item.rule for item in self.refusals} & WAITING)))

    def accepted(self, acknowledgement: str) -> bool:
        """Whether an acknowledgement of this plan lifts all that is refused."""
        needed = self.acknowledgement
        return not self.refusals or (needed != "" and set(needed.split("+")) <= set(acknowledgement.split("+")))

    @property
    def empty(self) -> bool:
        """Whether applying the plan would write no object; an inventory may have to be written all the same."""
        return not any(change.acts for change in self.changes)
