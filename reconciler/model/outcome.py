"""What a run reports: health, outcomes, progress events, the final report."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconciler.model.identity import ObjectId
    from reconciler.model.plan import Action


class HealthState(StrEnum):
    """The words of kstatus (sigs.k8s.io/cli-utils/pkg/kstatus)."""

    CURRENT = "Current"
    IN_PROGRESS = "InProgress"
    FAILED = "Failed"
    TERMINATING = "Terminating"
    NOT_FOUND = "NotFound"
    UNKNOWN = "Unknown"


@dataclass(frozen=True, slots=True)
class Health:
    """The health of one object and, where it is not Current, the reason in words."""

    state: HealthState
    message: str = ""


class Result(StrEnum):
    """What became of one object in a run."""

    APPLIED = "applied"
    UNCHANGED = "unchanged"
    PRUNED = "pruned"
    RELEASED = "released"
    SKIPPED = "skipped"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one object. `health` is None where it was not waited for."""

    id: ObjectId
    component: str
    action: Action
    result: Result
    health: Health | None = None
    message: str = ""
    seconds: float = 0.0

    @property
    def failed(self) -> bool:
        """Whether this outcome makes the run a failure."""
        return self.result in (Result.FAILED, Result.SKIPPED)


class Phase(StrEnum):
    """What an event says of its object."""

    STARTED = "started"  # a request is under way
    APPLIED = "applied"
    WAITING = "waiting"  # applied, and not healthy yet; `health` says why
    HEALTHY = "healthy"
    PRUNED = "pruned"
    RELEASED = "released"  # no longer ours
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Event:
    """One fact of a run under way; printers, logs, metrics and progress displays read these and nothing else."""

    phase: Phase
    component: str
    id: ObjectId
    message: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """The end of an apply. `interrupted` is set where Ctrl-C or a lost Lease ended it early (`reason` says which).

    `phases` are the seconds of render, observe, plan, apply and prune; `warnings` what went wrong beside the objects.
    """

    environment: str
    revision: str | None
    plan_id: str
    outcomes: tuple[Outcome, ...]
    requests: Mapping[str, int]
    seconds: float
    interrupted: bool = False
    reason: str = ""
    component_seconds: Mapping[str, float] = field(default_factory=dict)
    phases: Mapping[str, float] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    @property
    def failed(self) -> bool:
        """Whether anything failed or was skipped."""
        return any(outcome.failed for outcome in self.outcomes)


@dataclass(frozen=True, slots=True)
class AgentRecord:
    """What the agent last did for an environment, as it is kept in the cluster (`apply.history`).

    `revision` is the commit that was tried last and `result` what became of it: applied, failed, refused, invalid (the
    commit cannot be rendered), interrupted, error. `applied` is the last commit that was applied completely, `change`
    the change id of what led to it. `since` is when this became so (RFC 3339, UTC).
    """

    holder: str
    revision: str
    result: str
    message: str
    since: str
    applied: str | None = None
    change: str = ""

    def document(self) -> dict[str, object]:
        """Return the record as a document."""
        return {
            "holder": self.holder,
            "revision": self.revision,
            "result": self.result,
            "message": self.message,
            "since": self.since,
            "applied": self.applied,
            "change": self.change or None,
        }
