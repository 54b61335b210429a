"""The records of an environment: one ConfigMap `<environment>` in the reconciler's namespace.

It holds the last run, and what the agent last did, each under its own key and field manager. It carries none of the
labels of members, so no run takes it for one of its objects.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from reconciler.apply import system
from reconciler.errors import NotFound
from reconciler.model.applyset import FIELD_MANAGER, SYSTEM_NAMESPACE
from reconciler.model.outcome import AgentRecord, LastRun

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from reconciler.cluster.port import Cluster
    from reconciler.model.outcome import Report

KEY = "run.json"
AGENT_KEY = "agent.json"
AGENT_MANAGER = f"{FIELD_MANAGER}-agent"
HISTORY_LABEL = "reconciler.dev/history"

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class History:
    """What is known of an environment's past; None where there is no record, or none that is ours to understand."""

    run: LastRun | None = None
    agent: AgentRecord | None = None


async def read(cluster: Cluster, environment: str) -> History:
    """Return the records of an environment; raises ClusterError."""
    try:
        body = await cluster.get(system.CONFIG_MAPS, SYSTEM_NAMESPACE, environment)
    except NotFound:
        return History()
    data = body.get("data") or {}
    return History(_parsed(data.get(KEY), _run), _parsed(data.get(AGENT_KEY), _agent))


async def record(cluster: Cluster, environment: str, run: LastRun) -> None:
    """Write the record of a run over that of the one before; raises ClusterError."""
    await _write(cluster, environment, KEY, run.document(), FIELD_MANAGER)


async def record_agent(cluster: Cluster, environment: str, done: AgentRecord) -> None:
    """Write what the agent did over what it did before; raises ClusterError."""
    await _write(cluster, environment, AGENT_KEY, done.document(), AGENT_MANAGER)


async def _write(cluster: Cluster, environment: str, key: str, document: Mapping[str, object], manager: str) -> None:
    body = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": environment, "namespace": SYSTEM_NAMESPACE, "labels": {HISTORY_LABEL: environment}},
        "data": {key: json.dumps(document, sort_keys=True)},
    }
    await system.in_namespace(
        cluster, lambda: cluster.apply(system.CONFIG_MAPS, body, field_manager=manager, force=True)
    )


def of(report: Report, finished: datetime) -> LastRun:
    """Return the record of a run that has just ended."""
    components: dict[str, Counter[str]] = defaultdict(Counter)
    for outcome in report.outcomes:
        components[outcome.component][str(outcome.result)] += 1
    result = "interrupted" if report.interrupted else "failed" if report.failed else "applied"
    when = finished.strftime("%Y-%m-%dT%H:%M:%SZ")
    return LastRun(report.revision, report.plan_id, when, report.seconds, result, components)


def _parsed(text: str | None, parse: Callable[[Any], T]) -> T | None:
    try:
        return parse(json.loads(text)) if text is not None else None
    except (KeyError, TypeError, ValueError):
        return None


def _run(document: dict[str, Any]) -> LastRun:
    return LastRun(
        document["revision"],
        str(document["plan"]),
        str(document["finished"]),
        float(document["seconds"]),
        str(document["result"]),
        {name: dict(counts) for name, counts in document["components"].items()},
    )


def _agent(document: dict[str, Any]) -> AgentRecord:
    return AgentRecord(
        str(document["holder"]),
        str(document["revision"]),
        str(document["result"]),
        str(document["message"]),
        str(document["since"]),
        document["applied"],
        document["change"] or "",
    )
