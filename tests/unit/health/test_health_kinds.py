"""Built-in kinds, custom kinds by their conditions, and health checks in CEL."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from reconciler.environment import HealthCheck
from reconciler.errors import ConfigError
from reconciler.health.assess import PASSIVE, RULES, health
from reconciler.health.custom import require_valid
from reconciler.model.identity import GroupVersionKind
from reconciler.model.outcome import HealthState

CURRENT, IN_PROGRESS, FAILED = HealthState.CURRENT, HealthState.IN_PROGRESS, HealthState.FAILED


def body(api_version: str, kind: str, rest: str = "{}") -> dict[str, Any]:
    made = {"apiVersion": api_version, "kind": kind, "metadata": {"name": "x", "namespace": "shop"}}
    return made | dict(yaml.safe_load(rest))


def conditions(**known: str) -> str:
    entries = [{"type": name, "status": status, "message": f"{name} says so"} for name, status in known.items()]
    return yaml.safe_dump({"status": {"conditions": entries}})


CRD = ("apiextensions.k8s.io/v1", "CustomResourceDefinition")
CASES = [
    ("v1", "ConfigMap", "{}", CURRENT),
    ("v1", "Namespace", "{status: {phase: Active}}", CURRENT),
    ("v1", "Namespace", "{status: {phase: Terminating}}", HealthState.TERMINATING),
    ("v1", "PersistentVolumeClaim", "{status: {phase: Bound}}", CURRENT),
    ("v1", "PersistentVolumeClaim", "{status: {phase: Lost}}", FAILED),
    ("v1", "PersistentVolume", "{status: {phase: Released}}", CURRENT),
    ("v1", "PersistentVolume", "{status: {phase: Failed}}", FAILED),
    ("v1", "Service", "{spec: {type: ClusterIP}}", CURRENT),
    ("v1", "Service", "{spec: {type: LoadBalancer}}", IN_PROGRESS),
    ("v1", "Service", "{spec: {type: LoadBalancer}, status: {loadBalancer: {ingress: [{ip: 10.0.0.1}]}}}", CURRENT),
    (*CRD, conditions(NamesAccepted="True", Established="True"), CURRENT),
    (*CRD, conditions(NamesAccepted="True"), IN_PROGRESS),
    (*CRD, conditions(NamesAccepted="False"), FAILED),
    ("apiregistration.k8s.io/v1", "APIService", conditions(Available="False"), IN_PROGRESS),
    ("apiregistration.k8s.io/v1", "APIService", conditions(Available="True"), CURRENT),
    (
        "policy/v1",
        "PodDisruptionBudget",
        "{status: {observedGeneration: 1, currentHealthy: 1, desiredHealthy: 2}}",
        IN_PROGRESS,
    ),
    (
        "policy/v1",
        "PodDisruptionBudget",
        "{status: {observedGeneration: 1, currentHealthy: 2, desiredHealthy: 2}}",
        CURRENT,
    ),
    ("autoscaling/v2", "HorizontalPodAutoscaler", conditions(AbleToScale="False"), IN_PROGRESS),
    ("autoscaling/v2", "HorizontalPodAutoscaler", conditions(AbleToScale="True", ScalingActive="False"), CURRENT),
    ("batch/v1", "CronJob", "{}", CURRENT),
    ("networking.k8s.io/v1", "Ingress", "{}", CURRENT),
    ("gateway.networking.k8s.io/v1", "Gateway", conditions(Accepted="True"), IN_PROGRESS),
    ("gateway.networking.k8s.io/v1", "Gateway", conditions(Accepted="True", Programmed="True"), CURRENT),
    ("gateway.networking.k8s.io/v1", "HTTPRoute", "{spec: {parentRefs: [{name: g}]}}", IN_PROGRESS),
    ("example.com/v1", "Widget", "{}", CURRENT),
    ("example.com/v1", "Widget", conditions(Ready="True"), CURRENT),
    ("example.com/v1", "Widget", conditions(Ready="Unknown"), IN_PROGRESS),
    ("example.com/v1", "Widget", conditions(Available="False"), IN_PROGRESS),
    ("example.com/v1", "Widget", conditions(Reconciling="True", Ready="True"), IN_PROGRESS),
    ("example.com/v1", "Widget", conditions(Stalled="True", Ready="True"), FAILED),
    ("example.com/v1", "Widget", conditions(Failed="True"), FAILED),
]


@pytest.mark.parametrize(("api_version", "kind", "rest", "state"), CASES)
def test_a_kind_is_judged_by_its_rule(api_version: str, kind: str, rest: str, state: HealthState) -> None:
    found = health(body(api_version, kind, rest))
    assert found.state is state
    assert found.message or state is CURRENT, "what is not well says why"


def test_a_pending_claim_is_well_until_something_consumes_it() -> None:
    claim = body("v1", "PersistentVolumeClaim", "{spec: {storageClassName: fast}, status: {phase: Pending}}")
    pod = body("v1", "Pod", "{spec: {volumes: [{persistentVolumeClaim: {claimName: x}}]}}")
    late = {"kind": "StorageClass", "metadata": {"name": "fast"}, "volumeBindingMode": "WaitForFirstConsumer"}
    assert health(claim).state is CURRENT
    assert health(claim, related=[late]).state is CURRENT
    assert health(claim, related=[late, pod]).state is IN_PROGRESS
    assert health(claim, related=[late | {"volumeBindingMode": "Immediate"}]).state is IN_PROGRESS


def test_what_is_being_deleted_names_its_finalizers() -> None:
    dying = body("v1", "ConfigMap", "{metadata: {deletionTimestamp: now, finalizers: [a/b]}}")
    assert health(dying).message == "is being deleted, held by a/b"


def test_a_health_check_decides_for_its_kind_only() -> None:
    check = HealthCheck(
        group="example.com", kind="Widget", current="status.phase == 'Ready'", failed="status.phase == 'Dead'"
    )
    for phase, state in (("Ready", CURRENT), ("Dead", FAILED), ("Busy", IN_PROGRESS)):
        assert (
            health(body("example.com/v1", "Widget", f"{{status: {{phase: {phase}}}}}"), checks=[check]).state is state
        )
    assert health(body("example.com/v1", "Gadget"), checks=[check]).state is CURRENT


def test_a_check_that_cannot_be_evaluated_yet_is_in_progress() -> None:
    check = HealthCheck(group="example.com", kind="Widget", current="self.status.ready > 0")
    found = health(body("example.com/v1", "Widget"), checks=[check])
    assert found.state is IN_PROGRESS
    assert "self.status.ready > 0" in found.message


def test_a_check_is_not_asked_before_the_latest_generation_is_seen() -> None:
    check = HealthCheck(group="example.com", kind="Widget", current="true")
    old = body("example.com/v1", "Widget", "{metadata: {generation: 2}, status: {observedGeneration: 1}}")
    assert health(old, checks=[check]).state is IN_PROGRESS


@pytest.mark.parametrize(
    ("api_version", "kind", "name"),
    [
        ("gateway.networking.k8s.io/v1", "GatewayClass", "Accepted"),
        ("example.com/v1", "Widget", "Ready"),
        ("example.com/v1", "Widget", "Stalled"),
    ],
)
def test_a_condition_of_an_earlier_generation_says_nothing_of_the_latest(
    api_version: str, kind: str, name: str
) -> None:
    """Neither that it is well nor that it failed: a Gateway and many custom kinds tell the generation there only."""
    condition = {"type": name, "status": "True", "observedGeneration": 1}
    told = {"metadata": {"generation": 2}, "status": {"conditions": [condition]}}
    found = health(body(api_version, kind) | told)
    assert (found.state, found.message) == (IN_PROGRESS, f"{name} is told of generation 1, the latest is 2")
    condition["observedGeneration"] = 2
    assert health(body(api_version, kind) | told).state is not IN_PROGRESS


def test_a_route_waits_until_its_parent_has_seen_the_latest_generation() -> None:
    seen = [{"type": name, "status": "True", "observedGeneration": 3} for name in ("Accepted", "ResolvedRefs")]
    route = body("gateway.networking.k8s.io/v1", "HTTPRoute") | {
        "metadata": {"generation": 4},
        "spec": {"parentRefs": [{"name": "g"}]},
        "status": {"parents": [{"parentRef": {"name": "g"}, "conditions": seen}]},
    }
    assert health(route).message == "Gateway/g: Accepted is told of generation 3, the latest is 4"


def test_what_is_no_cel_is_an_error_that_shows_it() -> None:
    with pytest.raises(ConfigError, match=r"status\.phase = 'Ready'"):
        require_valid([HealthCheck(kind="Widget", current="status.phase = 'Ready'")])


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)
KINDS = sorted([*RULES, *PASSIVE])


@given(st.sampled_from(KINDS), st.sampled_from(["status", "spec"]), st.data())
def test_no_status_however_odd_is_a_crash(kind: tuple[str, str], section: str, data: st.DataObject) -> None:
    """A controller may write what it likes: the answer is a health, never an exception."""
    keys = [
        "conditions",
        "containerStatuses",
        "phase",
        "replicas",
        "readyReplicas",
        "parents",
        "loadBalancer",
        "volumes",
    ]
    odd = data.draw(JSON | st.dictionaries(st.sampled_from([*keys, "observedGeneration", "selector"]), JSON))
    api_version = GroupVersionKind(kind[0], "v1", kind[1]).api_version
    assert health(body(api_version, kind[1]) | {section: odd}).state in HealthState
