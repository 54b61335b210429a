"""Why an object is not healthy: its Pods, their logs, its events. Best effort: what may not be read is left out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler.errors import ClusterError
from reconciler.health import assess, pods
from reconciler.model.api import ApiResource
from reconciler.model.outcome import HealthState

if TYPE_CHECKING:
    from reconciler.cluster.port import Bodies, Body, Cluster
    from reconciler.model.outcome import Health

PODS = ApiResource("", "v1", "Pod", "pods", namespaced=True)
CLAIMS = ApiResource("", "v1", "PersistentVolumeClaim", "persistentvolumeclaims", namespaced=True)
EVENTS = ApiResource("", "v1", "Event", "events", namespaced=True)
LOG_LENGTH = 200  # characters
MAX_EVENTS = 2000  # of one namespace; more are not read


async def explain(cluster: Cluster, body: Body | None, health: Health) -> str:
    """Return the reason of a wait that failed, with what Pods, their logs and events add to it."""
    if body is None:
        return health.message
    found = await _pods(cluster, body)
    told = assess.health(body, related=found).message if found and health.state is not HealthState.UNKNOWN else ""
    parts = [told or health.message]
    crashed = next((item for item in pods.faults(found) if item.crashed), None)
    if crashed is not None:
        parts.append(await _last_words(cluster, body, crashed))
    elif not pods.faults(found):
        parts.append(await _warning(cluster, body, found) or await _unbound(cluster, found))
    return "; ".join(part for part in parts if part)


async def _pods(cluster: Cluster, body: Body) -> Bodies:
    metadata = body["metadata"]
    if body.get("kind") == "Pod":
        return [body]
    selector = (body.get("spec") or {}).get("selector")
    labels = selector.get("matchLabels") if isinstance(selector, dict) else None
    if not labels or not isinstance(labels, dict):
        return []
    text = ",".join(f"{key}={value}" for key, value in sorted(labels.items()))
    try:
        listed = [item async for item in cluster.list(PODS, namespace=metadata.get("namespace", ""), selector=text)]
    except ClusterError:
        return []
    return pods.selected(body, listed)


async def _last_words(cluster: Cluster, body: Body, crashed: pods.Fault) -> str:
    namespace = body["metadata"].get("namespace", "")
    for previous in (True, False):
        try:
            tail = await cluster.log_tail(namespace, crashed.pod, crashed.container, previous=previous)
        except ClusterError:
            continue
        if tail.strip():
            return f"its last log line: {tail.strip().splitlines()[-1][:LOG_LENGTH]}"
    return ""


async def _warning(cluster: Cluster, body: Body, found: Bodies) -> str:
    """Return the latest warning about the object, its Pods, or what lies between them (a ReplicaSet)."""
    metadata = body["metadata"]
    uids = {item["metadata"].get("uid") for item in (body, *found)}
    latest: dict[str, Any] = {}
    seen = 0
    try:
        async for event in cluster.list(EVENTS, namespace=metadata.get("namespace", "")):
            seen += 1
            about = event.get("involvedObject") or {}
            related = about.get("uid") in uids or str(about.get("name", "")).startswith(f"{metadata['name']}-")
            if event.get("type") == "Warning" and related and _time(event) >= _time(latest):
                latest = event
            if seen >= MAX_EVENTS:
                break
    except ClusterError:
        return ""
    if not latest:
        return ""
    about = latest["involvedObject"]
    return f"event of {about.get('kind')}/{about.get('name')}: {latest.get('reason')}: {latest.get('message')}"


async def _unbound(cluster: Cluster, found: Bodies) -> str:
    """Return the claim that the first pending Pod waits for: the scheduler tells of it only where it gave up."""
    pending = next((item for item in found if (item.get("status") or {}).get("phase") == "Pending"), None)
    if pending is None:
        return ""
    metadata = pending["metadata"]
    names = [
        volume["persistentVolumeClaim"]["claimName"]
        for volume in (pending.get("spec") or {}).get("volumes") or ()
        if "persistentVolumeClaim" in volume
    ]
    for name in names:
        try:
            claim = await cluster.get(CLAIMS, metadata.get("namespace", ""), name)
        except ClusterError:
            continue
        if (claim.get("status") or {}).get("phase") != "Bound":
            storage = (claim.get("spec") or {}).get("storageClassName") or "no class"
            return f"Pod/{metadata['name']} waits for PersistentVolumeClaim/{name} ({storage}), which is not bound"
    return f"Pod/{metadata['name']} is pending"


def _time(event: Body) -> str:
    return str(event.get("lastTimestamp") or event.get("eventTime") or "")
