"""What a run came to, told in the cluster: Kubernetes Events and the record that `status` reads."""

from __future__ import annotations

import secrets
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from reconciler.agent.run import Ran, Result
from reconciler.errors import AlreadyExists
from reconciler.model.api import ApiResource
from reconciler.model.applyset import SYSTEM_NAMESPACE
from reconciler.model.outcome import AgentRecord

if TYPE_CHECKING:
    from datetime import datetime

    from reconciler.cluster.port import Body, Cluster

EVENTS: Final = ApiResource("events.k8s.io", "v1", "Event", "events", namespaced=True)
CONTROLLER: Final = "reconciler.dev/agent"
NOTE: Final = 1024  # bytes that a note may have (k8s.io/kubernetes/pkg/apis/core/validation, events.go)
MESSAGE: Final = 16 << 10  # bytes of a record's message: a ConfigMap takes no more than 1 MiB

REASONS: Final = {
    Result.APPLIED: "Applied",
    Result.FAILED: "ApplyFailed",
    Result.REFUSED: "PlanRefused",
    Result.HELD: "Held",
    Result.INVALID: "InvalidRevision",
    Result.INTERRUPTED: "Interrupted",
    Result.ERROR: "Error",
}


def record(ran: Ran, revision: str, holder: str, before: AgentRecord | None, now: datetime) -> AgentRecord:
    """Return the record of a run; the one before it where that says the same already."""
    message = _shortened(ran.message, MESSAGE)
    applied = revision if ran.result is Result.APPLIED else before.applied if before is not None else None
    same = before is not None and (before.revision, before.result, before.message, before.applied) == (
        revision,
        str(ran.result),
        message,
        applied,
    )
    if same and before is not None:
        return before
    change = ran.change
    if not change and before is not None and before.revision == revision:
        change = before.change
    when = now.strftime("%Y-%m-%dT%H:%M:%SZ")
    return AgentRecord(holder, revision, str(ran.result), message, when, applied, change)


def sentence(ran: Ran, revision: str) -> str:
    """Return what a person is told of a run."""
    at = f"revision {revision[:12]}" + (f" (change {ran.change})" if ran.change else "")
    if ran.result is Result.APPLIED:
        counts = _counts(ran)
        return f"repaired drift at {at}: {counts}" if ran.drifted else f"applied {at}: {counts}"
    words = {
        Result.FAILED: "was not applied completely",
        Result.REFUSED: "was refused, nothing was written",
        Result.HELD: "waits",
        Result.INVALID: "cannot be rendered, nothing was written",
        Result.INTERRUPTED: "was interrupted, the next run continues",
        Result.ERROR: "could not be applied",
    }
    return f"{at} {words[ran.result]}" + (f": {ran.message}" if ran.message else "")


def event(ran: Ran, environment: str, revision: str, holder: str, now: datetime) -> Body:
    """Return the Kubernetes Event of a run (events.k8s.io/v1), about the environment's record."""
    drift = ran.result is Result.APPLIED and ran.drifted
    return {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"name": f"{environment}.{secrets.token_hex(8)}", "namespace": SYSTEM_NAMESPACE},
        "eventTime": now.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "reportingController": CONTROLLER,
        "reportingInstance": holder[:128],
        "action": "Reconcile",
        "reason": "DriftRepaired" if drift else REASONS[ran.result],
        "type": "Normal" if ran.result in (Result.APPLIED, Result.HELD) else "Warning",
        "regarding": {"apiVersion": "v1", "kind": "ConfigMap", "namespace": SYSTEM_NAMESPACE, "name": environment},
        "note": _shortened(sentence(ran, revision), NOTE),
    }


async def emit(cluster: Cluster, body: Body) -> None:
    """Send an Event; raises ClusterError. One whose answer was lost may be there already."""
    with suppress(AlreadyExists):
        await cluster.create(EVENTS, body)


def _counts(ran: Ran) -> str:
    if ran.report is None:
        return "nothing to do"
    tally: dict[str, int] = {}
    for outcome in ran.report.outcomes:
        tally[str(outcome.result)] = tally.get(str(outcome.result), 0) + 1
    told = ", ".join(f"{count} {result}" for result, count in tally.items())
    return f"{told or 'nothing to do'} in {ran.report.seconds:.1f} s"


def _shortened(text: str, most: int) -> str:
    data = text.encode()
    return text if len(data) <= most else data[: most - 3].decode(errors="ignore") + "…"
