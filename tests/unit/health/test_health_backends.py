"""Webhooks that can be called, Ingresses that get an address, and that no built-in kind was forgotten."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.check.world import builtin
from reconciler.health.assess import CALLED, PASSIVE, RULES, health
from reconciler.health.backends import services
from reconciler.model.identity import GroupKind
from reconciler.model.outcome import HealthState

HOOK: dict[str, Any] = {
    "apiVersion": "admissionregistration.k8s.io/v1",
    "kind": "ValidatingWebhookConfiguration",
    "metadata": {"name": "guard"},
    "webhooks": [
        {
            "name": "a.example.com",
            "clientConfig": {"service": {"namespace": "shop", "name": "web"}, "caBundle": "AA=="},
        },
        {"name": "b.example.com", "clientConfig": {"url": "https://example.com"}},
    ],
}
INGRESS: dict[str, Any] = {
    "apiVersion": "networking.k8s.io/v1",
    "kind": "Ingress",
    "metadata": {"name": "web", "namespace": "shop"},
    "spec": {"ingressClassName": "edge"},
}
CLASS = {"apiVersion": "networking.k8s.io/v1", "kind": "IngressClass", "metadata": {"name": "edge"}}


BY_CONDITIONS = """
ClusterTrustBundle CSINode CSIStorageCapacity CertificateSigningRequest ComponentStatus ControllerRevision DeviceClass
DeviceTaintRule Event FlowSchema IPAddress Lease Node PodCertificateRequest PriorityLevelConfiguration ResourceClaim
ResourceClaimTemplate ResourceSlice ServiceCIDR StorageVersionMigration ValidatingAdmissionPolicy VolumeAttachment
VolumeAttributesClass
"""


def slice_of(service: str, *, ready: bool) -> dict[str, Any]:
    """Return an EndpointSlice with one endpoint."""
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": "x", "namespace": "shop", "labels": {"kubernetes.io/service-name": service}},
        "endpoints": [{"addresses": ["10.0.0.1"], "conditions": {"ready": ready}}],
    }


def served(ip: str) -> dict[str, Any]:
    """Return an Ingress of the same class that has an address."""
    return {**INGRESS, "metadata": {"name": "other"}, "status": {"loadBalancer": {"ingress": [{"ip": ip}]}}}


@pytest.mark.parametrize(
    ("related", "state", "told"),
    [
        (None, HealthState.CURRENT, ""),  # nobody may read them
        (
            [],
            HealthState.IN_PROGRESS,
            "webhook a.example.com cannot be called: Service/web -n shop has no ready endpoint",
        ),
        ([slice_of("web", ready=False)], HealthState.IN_PROGRESS, "no ready endpoint"),
        ([slice_of("other", ready=True)], HealthState.IN_PROGRESS, "no ready endpoint"),
        ([slice_of("web", ready=True)], HealthState.CURRENT, ""),
    ],
)
def test_a_webhook_is_healthy_once_its_service_answers(
    related: list[dict[str, Any]] | None, state: HealthState, told: str
) -> None:
    found = health(HOOK, related=related)
    assert found.state is state
    assert told in found.message
    assert services(HOOK) == (("shop", "web"),)


def test_a_webhook_waits_for_its_certificate() -> None:
    hook = {
        **HOOK,
        "webhooks": [{**HOOK["webhooks"][0], "clientConfig": {"service": {"namespace": "shop", "name": "web"}}}],
    }
    found = health(hook, related=[slice_of("web", ready=True)])
    assert (found.state, "caBundle is not set yet" in found.message) == (HealthState.IN_PROGRESS, True)


@pytest.mark.parametrize(
    ("related", "state", "told"),
    [
        ([], HealthState.CURRENT, ""),
        ([CLASS], HealthState.CURRENT, ""),
        ([CLASS, served("10.0.0.9")], HealthState.IN_PROGRESS, "others of its class have"),
        ([{**CLASS, "metadata": {"name": "x"}}], HealthState.CURRENT, "there is no IngressClass/edge"),
    ],
)
def test_an_ingress_waits_for_an_address_where_its_class_gives_any(
    related: list[dict[str, Any]], state: HealthState, told: str
) -> None:
    found = health(INGRESS, related=related)
    assert found.state is state
    assert told in found.message
    assert health(served("10.0.0.9"), related=related).state is HealthState.CURRENT


def test_every_kind_that_an_api_server_brings_has_a_rule_or_is_known_to_need_none() -> None:
    """What is left is judged by its conditions, and is Current where it has none."""
    kinds = {GroupKind(*name.rpartition("/")[::2]) for name in builtin()}
    rest = {kind.kind for kind in kinds - RULES.keys() - PASSIVE}
    assert rest == set(BY_CONDITIONS.split())
    assert not CALLED & PASSIVE
