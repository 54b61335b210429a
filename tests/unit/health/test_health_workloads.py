"""Workloads and their Pods: state and reason, as YAML of an object and the words expected of it."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from reconciler.health.assess import health
from reconciler.model.outcome import HealthState

DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop, generation: 2}
spec: {replicas: 3, selector: {matchLabels: {app: web}}}
"""
STATEFUL_SET = DEPLOYMENT.replace("Deployment", "StatefulSet")
DAEMON_SET = DEPLOYMENT.replace("Deployment", "DaemonSet")
REPLICA_SET = DEPLOYMENT.replace("Deployment", "ReplicaSet")
JOB = """
apiVersion: batch/v1
kind: Job
metadata: {name: migrate}
spec: {completions: 2}
"""
FULL = "observedGeneration: 2, replicas: 3, updatedReplicas: 3, readyReplicas: 3, availableReplicas: 3"
ALL_NODES = "desiredNumberScheduled: 3, currentNumberScheduled: 3, updatedNumberScheduled: 3, numberReady: 3"
CURRENT, IN_PROGRESS, FAILED = HealthState.CURRENT, HealthState.IN_PROGRESS, HealthState.FAILED

CASES = [
    (DEPLOYMENT, "{}", IN_PROGRESS, "not yet seen by its controller"),
    (DEPLOYMENT, "{observedGeneration: 1}", IN_PROGRESS, "its controller has seen generation 1, the latest is 2"),
    (DEPLOYMENT, f"{{{FULL}}}", CURRENT, ""),
    (DEPLOYMENT, f"{{{FULL}, readyReplicas: 2}}", IN_PROGRESS, "2 of 3 replicas ready"),
    (DEPLOYMENT, f"{{{FULL}, updatedReplicas: 1}}", IN_PROGRESS, "1 of 3 replicas updated"),
    (DEPLOYMENT, f"{{{FULL}, replicas: 4}}", IN_PROGRESS, "1 old replicas are to go"),
    (DEPLOYMENT, f"{{{FULL}, availableReplicas: 1}}", IN_PROGRESS, "1 of 3 replicas available"),
    (
        DEPLOYMENT,
        (
            f"{{{FULL}, readyReplicas: 0, conditions: [{{type: Progressing, status: 'False', "
            "reason: ProgressDeadlineExceeded, message: too slow}]}"
        ),
        FAILED,
        "0 of 3 replicas ready (ProgressDeadlineExceeded: too slow)",
    ),
    (
        DEPLOYMENT,
        (
            "{observedGeneration: 2, conditions: [{type: ReplicaFailure, status: 'True', reason: FailedCreate, "
            "message: exceeded quota}]}"
        ),
        IN_PROGRESS,
        "0 of 3 replicas updated: FailedCreate: exceeded quota",
    ),
    (DEPLOYMENT.replace("spec: {", "spec: {paused: true, "), "{observedGeneration: 2}", CURRENT, "paused"),
    (STATEFUL_SET, f"{{{FULL}, currentRevision: a, updateRevision: a}}", CURRENT, ""),
    (STATEFUL_SET, "{observedGeneration: 2, readyReplicas: 1}", IN_PROGRESS, "1 of 3 replicas ready"),
    (
        STATEFUL_SET,
        f"{{{FULL}, updatedReplicas: 1, currentRevision: a, updateRevision: b}}",
        IN_PROGRESS,
        "1 of 3 replicas updated",
    ),
    (
        STATEFUL_SET.replace("spec: {", "spec: {updateStrategy: {rollingUpdate: {partition: 2}}, "),
        f"{{{FULL}, updatedReplicas: 1, currentRevision: a, updateRevision: b}}",
        CURRENT,
        "",
    ),
    (DAEMON_SET, f"{{observedGeneration: 2, {ALL_NODES}, numberAvailable: 3}}", CURRENT, ""),
    (DAEMON_SET, f"{{observedGeneration: 2, {ALL_NODES}, numberAvailable: 1}}", IN_PROGRESS, "1 of 3 Pods available"),
    (REPLICA_SET, f"{{{FULL}}}", CURRENT, ""),
    (REPLICA_SET, "{observedGeneration: 2, readyReplicas: 1}", IN_PROGRESS, "1 of 3 replicas ready"),
    (JOB, "{}", IN_PROGRESS, "not started yet"),
    (JOB, "{startTime: t, succeeded: 1, active: 1}", IN_PROGRESS, "1 of 2 completions, 1 active, 0 failed"),
    (JOB, "{conditions: [{type: Complete, status: 'True'}]}", CURRENT, ""),
    (
        JOB,
        "{conditions: [{type: Failed, status: 'True', reason: BackoffLimitExceeded}]}",
        FAILED,
        "the Job failed: BackoffLimitExceeded",
    ),
    (JOB.replace("spec: {", "spec: {suspend: true, "), "{}", CURRENT, "suspended"),
]


@pytest.mark.parametrize(("body", "status", "state", "message"), CASES)
def test_a_workload_is_judged_by_its_counts(body: str, status: str, state: HealthState, message: str) -> None:
    found = health(yaml.safe_load(body) | {"status": loaded(status)})
    assert (found.state, found.message) == (state, message)


def loaded(text: str) -> dict[str, Any]:
    """Read a flow mapping in which a later key overrides an earlier one, as PyYAML does."""
    return dict(yaml.safe_load(text))


def pod(name: str, container: str, labels: str = "{app: web}", namespace: str = "shop") -> dict[str, Any]:
    text = f"""
apiVersion: v1
kind: Pod
metadata: {{name: {name}, namespace: {namespace}, labels: {labels}}}
spec: {{containers: [{{name: main, image: "example.com/web:1"}}]}}
status:
  phase: Running
  containerStatuses: [{{name: main, ready: false, restartCount: 2, {container}}}]
"""
    return dict(yaml.safe_load(text))


PULL = "state: {waiting: {reason: ImagePullBackOff, message: no such image}}"
CRASH = "state: {waiting: {reason: CrashLoopBackOff}}, lastState: {terminated: {exitCode: 137, reason: OOMKilled}}"


@pytest.mark.parametrize(
    ("container", "told"),
    [
        (PULL, "of image example.com/web:1: ImagePullBackOff: no such image"),
        (
            PULL.replace("no such image", "back-off pulling example.com/web:1"),
            ": ImagePullBackOff: back-off pulling example.com/web:1",
        ),
        (CRASH, "of image example.com/web:1: CrashLoopBackOff: exit code 137 (OOMKilled), 2 restarts"),
        ("state: {terminated: {exitCode: 1, reason: Error}}", "of image example.com/web:1: exit code 1"),
        ("started: true, state: {running: {}}", "of image example.com/web:1: runs but is not ready"),
    ],
)
def test_a_workload_names_container_and_image_at_fault(container: str, told: str) -> None:
    """The image is named once: not again where the kubelet's words hold it."""
    body = yaml.safe_load(DEPLOYMENT) | {"status": {"observedGeneration": 2, "replicas": 3, "updatedReplicas": 3}}
    found = health(body, related=[pod("web-1", container)]).message
    assert found == "0 of 3 replicas ready: Pod/web-1, container main" + (told if told[0] == ":" else f" {told}")


def test_the_pods_of_others_are_not_blamed() -> None:
    """Another app's Pod and a namesake in another namespace do not explain this workload."""
    body = yaml.safe_load(DEPLOYMENT) | {"status": {"observedGeneration": 2, "updatedReplicas": 3, "replicas": 3}}
    others = [pod("db-1", CRASH, "{app: db}"), pod("web-9", CRASH, namespace="other")]
    assert health(body, related=others).message == "0 of 3 replicas ready"


def test_a_crash_tells_more_than_a_wait() -> None:
    body = yaml.safe_load(DEPLOYMENT) | {"status": {"observedGeneration": 2, "updatedReplicas": 3, "replicas": 3}}
    assert "web-2" in health(body, related=[pod("web-1", PULL), pod("web-2", CRASH)]).message


@pytest.mark.parametrize(
    ("status", "state", "message"),
    [
        ("{phase: Succeeded}", CURRENT, ""),
        ("{phase: Running, conditions: [{type: Ready, status: 'True'}]}", CURRENT, ""),
        ("{phase: Failed, reason: Evicted, message: disk full}", FAILED, "Evicted: disk full"),
        (
            "{phase: Pending, conditions: [{type: PodScheduled, status: 'False', reason: Unschedulable, message: no node}]}",
            IN_PROGRESS,
            "Unschedulable: no node",
        ),
        (f"{{phase: Running, containerStatuses: [{{name: m, {CRASH}}}]}}", FAILED, None),
        (f"{{phase: Pending, containerStatuses: [{{name: m, {PULL}}}]}}", IN_PROGRESS, None),
        ("{phase: Pending}", IN_PROGRESS, "phase Pending"),
    ],
)
def test_a_pod_alone(status: str, state: HealthState, message: str | None) -> None:
    body = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "status": yaml.safe_load(status)}
    found = health(body)
    assert found.state is state
    assert message is None or found.message == message
