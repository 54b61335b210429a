"""The records of an environment: one ConfigMap `<environment>` in the reconciler's namespace.

It holds the last runs, newest first, and what the agent last did, each under its own key and field manager. It carries none
of the labels of members, so no run takes it for one of its objects.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from reconciler.apply import system
from reconciler.errors import NotFound
from reconciler.model.applyset import FIELD_MANAGER, SYSTEM_NAMESPACE
from reconciler.model.history import Changed, Run, parse
from reconciler.model.outcome import AgentRecord, Result
from reconciler.model.plan import Action

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from reconciler.cluster.port import Cluster
    from reconciler.model.outcome import Outcome, Report
    from reconciler.model.plan import Change, Plan

KEY = "runs.json"
AGENT_KEY = "agent.json"
AGENT_MANAGER = f"{FIELD_MANAGER}-agent"
HISTORY_LABEL = "reconciler.dev/history"

MOST_RUNS: Final = 20
MOST_BYTES: Final = 256 << 10  # of all runs together: a ConfigMap takes no more than 1 MiB
MOST_OBJECTS: Final = 50  # of one run that are named
MOST_FIELDS: Final = 5  # of one object that are named
MOST_TEXT: Final = 200  # characters of a name or path
WRITTEN: Final = (Result.APPLIED, Result.PRUNED, Result.RELEASED)
UNREADABLE: Final = (
    "the runs that are kept cannot be read: another version of reconciler wrote them, or somebody changed them"
)


@dataclass(frozen=True, slots=True)
class History:
    """What is known of an environment's past: its runs, newest first, and the agent's record (None: there is none).

    `unreadable` says what is there and cannot be understood.
    """

    runs: tuple[Run, ...] = ()
    agent: AgentRecord | None = None
    unreadable: str = ""

    @property
    def last(self) -> Run | None:
        """The newest run."""
        return self.runs[0] if self.runs else None


async def read(cluster: Cluster, environment: str) -> History:
    """Return the records of an environment; raises ClusterError."""
    try:
        body = await cluster.get(system.CONFIG_MAPS, SYSTEM_NAMESPACE, environment)
    except NotFound:
        return History()
    data = body.get("data") or {}
    runs = _runs(data.get(KEY, "[]"))
    return History(runs or (), _agent(data.get(AGENT_KEY)), UNREADABLE if runs is None else "")


async def record(cluster: Cluster, environment: str, run: Run) -> None:
    """Put a run before those that are kept, the oldest of which go; raises ClusterError.

    One that wrote no object is kept only where it came to another end than the one before it, and takes the place of
    one that wrote none either: commits that do not concern the environment, and failures that are met again at each
    interval, push out nothing that says what changed.
    """
    before = (await read(cluster, environment)).runs
    if before and not run.wrote:
        if run.same_end(before[0]):
            return
        if not before[0].wrote and run.result == before[0].result:
            before = before[1:]
    await _write(cluster, environment, KEY, bounded((run, *before)), FIELD_MANAGER)


def bounded(runs: Sequence[Run]) -> str:
    """Return the newest runs as text, so many as there is room for."""
    kept: list[str] = []
    room = MOST_BYTES
    for run in runs[:MOST_RUNS]:
        text = json.dumps(run.document())
        room -= len(text) + 1
        if room < 0:
            break
        kept.append(text)
    return f"[{','.join(kept)}]"


async def record_agent(cluster: Cluster, environment: str, done: AgentRecord) -> None:
    """Write what the agent did over what it did before; raises ClusterError."""
    await _write(cluster, environment, AGENT_KEY, json.dumps(done.document(), sort_keys=True), AGENT_MANAGER)


async def _write(cluster: Cluster, environment: str, key: str, text: str, manager: str) -> None:
    body = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": environment, "namespace": SYSTEM_NAMESPACE, "labels": {HISTORY_LABEL: environment}},
        "data": {key: text},
    }
    await system.in_namespace(
        cluster, lambda: cluster.apply(system.CONFIG_MAPS, body, field_manager=manager, force=True)
    )


def of(report: Report, plan: Plan, holder: str, finished: datetime) -> Run:
    """Return the record of a run that has just ended."""
    components: dict[str, Counter[str]] = defaultdict(Counter)
    for outcome in report.outcomes:
        components[outcome.component][str(outcome.result)] += 1
    results = {outcome.id: str(outcome.result) for outcome in report.outcomes}
    acting = [change for change in plan.changes if change.acts or change.problem]
    return Run(
        report.revision,
        report.plan_id,
        holder,
        _time(finished - timedelta(seconds=report.seconds)),
        _time(finished),
        report.seconds,
        "interrupted" if report.interrupted else "failed" if report.failed else "applied",
        components,
        report.component_seconds,
        report.phases,
        report.requests,
        tuple(_changed(change, results[change.id]) for change in acting[:MOST_OBJECTS]),
        max(len(acting) - MOST_OBJECTS, 0),
        any(map(_wrote, report.outcomes)),
    )


def _wrote(outcome: Outcome) -> bool:
    """Whether an object was written; one that failed was, where its health or its end was waited for."""
    waited = outcome.result is Result.FAILED and outcome.health is not None
    return outcome.action is not Action.UNCHANGED and (outcome.result in WRITTEN or waited)


def _changed(change: Change, result: str) -> Changed:
    fields = tuple(
        _cut(item.path + (f" ({item.origin})" if item.origin is not None else ""))
        for item in change.fields[:MOST_FIELDS]
    )
    more = max(len(change.fields) - MOST_FIELDS, 0)
    return Changed(str(change.action), _cut(str(change.id)), change.component, result, fields, more)


def _cut(text: str) -> str:
    return text if len(text) <= MOST_TEXT else text[: MOST_TEXT - 1] + "…"


def _time(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _runs(text: str) -> tuple[Run, ...] | None:
    try:
        return tuple(map(parse, json.loads(text)))
    except (AttributeError, KeyError, TypeError, ValueError):
        return None


def _agent(text: str | None) -> AgentRecord | None:
    try:
        document = json.loads(text or "null")
        return AgentRecord(
            str(document["holder"]),
            str(document["revision"]),
            str(document["result"]),
            str(document["message"]),
            str(document["since"]),
            document["applied"],
            document["change"] or "",
        )
    except (KeyError, TypeError, ValueError):
        return None
