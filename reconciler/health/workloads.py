"""The health of workloads, by the rules of kstatus (sigs.k8s.io/cli-utils/pkg/kstatus/status/core.go).

One rule differs: a Job is Current when it is complete, not when it has started, so that what needs it waits for its work.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.health import pods
from reconciler.health.status import CURRENT, Body, count, failed, in_progress, section, status_conditions
from reconciler.model.outcome import Health, HealthState

if TYPE_CHECKING:
    from collections.abc import Sequence

UNSEEN = "not yet seen by its controller"


def deployment(body: Body, related: Sequence[Body] = ()) -> Health:
    """Judge a Deployment: rolled out and available, or past its progress deadline."""
    spec, status, known = section(body, "spec"), section(body, "status"), status_conditions(body)
    if "observedGeneration" not in status:
        return in_progress(UNSEEN)
    progressing = known.get("Progressing")
    if progressing is not None and progressing.reason == "ProgressDeadlineExceeded":
        return failed(_because(_ready(body), body, related) + f" (ProgressDeadlineExceeded: {progressing.message})")
    if spec.get("paused"):
        return Health(HealthState.CURRENT, "paused")
    available = known.get("Available")
    if available is not None and available.status != "True":
        return _rollout(body, related) or in_progress(available.text)
    return _rollout(body, related) or CURRENT


def _rollout(body: Body, related: Sequence[Body]) -> Health | None:
    """Return how far a Deployment's rollout is; None where it is through."""
    status, wanted = section(body, "status"), count(section(body, "spec"), "replicas", 1)
    updated, available = count(status, "updatedReplicas"), count(status, "availableReplicas")
    if updated < wanted:
        told = f"{updated} of {wanted} replicas updated"
        failure = status_conditions(body).get("ReplicaFailure")
        if failure is not None and failure.status == "True":
            return in_progress(f"{told}: {failure.text}")
        return in_progress(_because(told, body, related))
    if count(status, "replicas") > updated:
        return in_progress(_because(f"{count(status, 'replicas') - updated} old replicas are to go", body, related))
    if count(status, "readyReplicas") < wanted:
        return in_progress(_because(_ready(body), body, related))
    return in_progress(f"{available} of {wanted} replicas available") if available < wanted else None


def replica_set(body: Body, related: Sequence[Body] = ()) -> Health:
    """Judge a ReplicaSet: all replicas there, ready and available."""
    status, wanted = section(body, "status"), count(section(body, "spec"), "replicas", 1)
    if "observedGeneration" not in status:
        return in_progress(UNSEEN)
    failure = status_conditions(body).get("ReplicaFailure")
    if failure is not None and failure.status == "True":
        return in_progress(f"{_ready(body)}: {failure.text}")
    if count(status, "readyReplicas") < wanted:
        return in_progress(_because(_ready(body), body, related))
    if count(status, "availableReplicas") < wanted:
        return in_progress(f"{count(status, 'availableReplicas')} of {wanted} replicas available")
    if count(status, "replicas") > wanted:
        return in_progress(f"{count(status, 'replicas') - wanted} replicas too many are to go")
    return CURRENT


def stateful_set(body: Body, related: Sequence[Body] = ()) -> Health:
    """Judge a StatefulSet: all replicas ready and, with rolling updates, of the update revision down to the partition."""
    spec, status = section(body, "spec"), section(body, "status")
    if "observedGeneration" not in status:
        return in_progress(UNSEEN)
    strategy = section(spec, "updateStrategy")
    wanted = count(spec, "replicas", 1)
    if count(status, "readyReplicas") < wanted:
        return in_progress(_because(_ready(body), body, related))
    if count(status, "replicas") > wanted:
        return in_progress(f"{count(status, 'replicas') - wanted} replicas too many are to go")
    updated = status.get("currentRevision") == status.get("updateRevision")
    return CURRENT if updated or strategy.get("type") == "OnDelete" else _update(body, related)


def _update(body: Body, related: Sequence[Body]) -> Health:
    """Judge a StatefulSet whose update is under way, down to its partition."""
    spec, status = section(body, "spec"), section(body, "status")
    partition = count(section(spec, "updateStrategy", "rollingUpdate"), "partition")
    wanted = max(count(spec, "replicas", 1) - partition, 0)
    if count(status, "updatedReplicas") < wanted:
        told = f"{count(status, 'updatedReplicas')} of {wanted} replicas updated"
        return in_progress(_because(told, body, related))
    return CURRENT if partition else in_progress("waits for its update to be recorded")


def daemon_set(body: Body, related: Sequence[Body] = ()) -> Health:
    """Judge a DaemonSet: on every node that it wants, updated, ready and available."""
    status = section(body, "status")
    if "observedGeneration" not in status:
        return in_progress(UNSEEN)
    wanted = count(status, "desiredNumberScheduled")
    on_delete = section(body, "spec", "updateStrategy").get("type") == "OnDelete"
    steps = (
        ("currentNumberScheduled", "scheduled"),
        ("updatedNumberScheduled", "updated"),
        ("numberReady", "ready"),
        ("numberAvailable", "available"),
    )
    for key, word in steps:
        if on_delete and word == "updated":
            continue
        if count(status, key) < wanted:
            return in_progress(_because(f"{count(status, key)} of {wanted} Pods {word}", body, related))
    return CURRENT


def job(body: Body, related: Sequence[Body] = ()) -> Health:
    """Judge a Job: Current when complete or suspended, Failed when it has given up."""
    spec, status, known = section(body, "spec"), section(body, "status"), status_conditions(body)
    complete, broken = known.get("Complete"), known.get("Failed") or known.get("FailureTarget")
    if complete is not None and complete.status == "True":
        return CURRENT
    if broken is not None and broken.status == "True":
        return failed(_because(f"the Job failed: {broken.text}", body, related))
    if spec.get("suspend"):
        return Health(HealthState.CURRENT, "suspended")
    if not status.get("startTime"):
        return in_progress("not started yet")
    done, wanted = count(status, "succeeded"), count(spec, "completions", 1)
    told = f"{done} of {wanted} completions, {count(status, 'active')} active, {count(status, 'failed')} failed"
    return in_progress(_because(told, body, related))


def _ready(body: Body) -> str:
    wanted = count(section(body, "spec"), "replicas", 1)
    return f"{count(section(body, 'status'), 'readyReplicas')} of {wanted} replicas ready"


def _because(told: str, body: Body, related: Sequence[Body]) -> str:
    found = pods.faults(pods.selected(body, related)) if related else ()
    return f"{told}: {found[0]}" if found else told
