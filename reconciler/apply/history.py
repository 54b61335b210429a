"""The record of an environment's last run: one ConfigMap `<environment>` in the reconciler's namespace.

It carries none of the labels of members, so no run takes it for one of its objects.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

from reconciler.apply import system
from reconciler.errors import NotFound
from reconciler.model.applyset import FIELD_MANAGER, SYSTEM_NAMESPACE
from reconciler.model.outcome import LastRun

if TYPE_CHECKING:
    from datetime import datetime

    from reconciler.cluster.port import Cluster
    from reconciler.model.outcome import Report

KEY = "run.json"
HISTORY_LABEL = "reconciler.dev/history"


async def read(cluster: Cluster, environment: str) -> LastRun | None:
    """Return the last run; None where there was none, or where its record is not ours to understand."""
    try:
        body = await cluster.get(system.CONFIG_MAPS, SYSTEM_NAMESPACE, environment)
    except NotFound:
        return None
    try:
        return _parse(json.loads(body["data"][KEY]))
    except (KeyError, TypeError, ValueError):
        return None


async def record(cluster: Cluster, environment: str, run: LastRun) -> None:
    """Write the record of a run over that of the one before; raises ClusterError."""
    body = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": environment, "namespace": SYSTEM_NAMESPACE, "labels": {HISTORY_LABEL: environment}},
        "data": {KEY: json.dumps(run.document(), sort_keys=True)},
    }
    await system.in_namespace(
        cluster, lambda: cluster.apply(system.CONFIG_MAPS, body, field_manager=FIELD_MANAGER, force=True)
    )


def of(report: Report, finished: datetime) -> LastRun:
    """Return the record of a run that has just ended."""
    components: dict[str, Counter[str]] = defaultdict(Counter)
    for outcome in report.outcomes:
        components[outcome.component][str(outcome.result)] += 1
    result = "interrupted" if report.interrupted else "failed" if report.failed else "applied"
    when = finished.strftime("%Y-%m-%dT%H:%M:%SZ")
    return LastRun(report.revision, report.plan_id, when, report.seconds, result, components)


def _parse(document: dict[str, Any]) -> LastRun:
    return LastRun(
        document["revision"],
        str(document["plan"]),
        str(document["finished"]),
        float(document["seconds"]),
        str(document["result"]),
        {name: dict(counts) for name, counts in document["components"].items()},
    )
