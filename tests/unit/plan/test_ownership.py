"""Whose an existing object is, and what may be taken over."""

from __future__ import annotations

import pytest

from reconciler.model.api import Discovery
from reconciler.model.applyset import ENVIRONMENT_LABEL, PART_OF_LABEL, member_labels
from reconciler.model.observation import Observation
from reconciler.model.plan import Writer
from reconciler.plan.ownership import Owners
from reconciler.plan.takeover import remains, takeover
from tests.unit.plan.scene import environment_of

ENVIRONMENT = environment_of({"components": [{"name": "web"}, {"name": "other"}]}, {})
OWNERS = Owners(ENVIRONMENT, Observation(Discovery({}, {}), {}, {}, frozenset(), {}))

HELM = {"app.kubernetes.io/managed-by": "Helm"}
RELEASE = {"meta.helm.sh/release-name": "web", "meta.helm.sh/release-namespace": "shop"}
FLUX = "helm.toolkit.fluxcd.io"


def live(**metadata: object) -> dict[str, object]:
    """Return a live object."""
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "shop", **metadata}}


def written(manager: str, operation: str = "Update", subresource: str = "") -> dict[str, object]:
    """Return an entry of managedFields."""
    return {"manager": manager, "operation": operation, "subresource": subresource, "fieldsV1": {"f:data": {}}}


@pytest.mark.parametrize(
    ("metadata", "owner"),
    [
        ({"labels": member_labels("dev", "web")}, ""),
        ({"managedFields": [written("reconciler", "Apply")]}, ""),  # somebody took our labels off
        ({"labels": member_labels("prod", "web")}, "environment:prod"),
        ({"labels": {ENVIRONMENT_LABEL: "prod"}}, "environment:prod"),
        ({"labels": {PART_OF_LABEL: "applyset-x-v1"}}, "applyset"),
        ({"labels": HELM, "annotations": RELEASE}, "helm"),
        ({"labels": HELM}, "kubectl"),  # what `helm template` leaves is no release
        ({"managedFields": [written("helm")]}, "helm"),  # a CustomResourceDefinition, or a hook
        ({"annotations": {"argocd.argoproj.io/tracking-id": "x"}}, "argocd"),
        ({"annotations": {"argocd.argoproj.io/tracking-id": "x", **RELEASE}, "labels": HELM}, "argocd"),
        (
            {
                "labels": {
                    "app.kubernetes.io/instance": "shop"
                },  # all that Argo CD before 3.0 marks, as many others do
                "managedFields": [written("kubectl-client-side-apply"), written("argocd-controller")],
            },
            "argocd",
        ),
        ({"labels": {"kustomize.toolkit.fluxcd.io/name": "x"}}, "flux"),
        ({"labels": {"helm.toolkit.fluxcd.io/name": "x"}}, "flux"),
        ({"labels": {"helm.toolkit.fluxcd.io/name": "x", **HELM}, "annotations": RELEASE}, "flux"),  # a HelmRelease's
        ({"managedFields": [written("kubectl-create"), written("kubectl-edit")]}, "kubectl"),
        ({"managedFields": [written("kube-controller-manager")]}, "kubectl"),  # such as ServiceAccount/default
        ({"managedFields": [written("terraform")]}, "the field manager terraform"),
        ({"managedFields": [written("terraform"), written("kubectl-edit")]}, "the field manager terraform"),
        ({"managedFields": [written("kubectl-create"), written("cert-manager-cainjector")]}, "kubectl"),
        ({"managedFields": [written("kubectl", "Apply"), written("manager")]}, "kubectl"),  # an operator's finalizer
        ({"managedFields": [written("kubectl"), written("terraform", "Apply")]}, "the field manager terraform"),
        ({"managedFields": [written("kubectl-create"), written("some-controller", "Update", "status")]}, "kubectl"),
        ({"ownerReferences": [{"kind": "ReplicaSet", "name": "x", "controller": True}]}, "its controller ReplicaSet/x"),
        ({"ownerReferences": [{"kind": "ReplicaSet", "name": "x"}]}, "kubectl"),
        ({}, "kubectl"),
    ],
)
def test_whose_an_object_is(metadata: dict[str, object], owner: str) -> None:
    assert OWNERS.standing(live(**metadata), "web").owner == owner


def test_a_member_of_another_component_has_moved() -> None:
    standing = OWNERS.standing(live(labels=member_labels("dev", "other")), "web")
    assert (standing.owner, standing.moved_from) == ("", "other")


def test_somebody_else_can_hand_over() -> None:
    """Where no name of policy.adopt fits, the hint names the label that makes the object ours."""
    standing = OWNERS.standing(live(managedFields=[written("terraform")]), "web")
    label = f"{PART_OF_LABEL}={member_labels('dev', 'web')[PART_OF_LABEL]}"
    assert standing.hint.endswith(f"kubectl label Deployment.v1.apps web -n shop {label}")


def test_what_was_asked_for_is_merged_and_what_may_be_defaults_is_dropped() -> None:
    """Apply entries, and those of client-side apply, hold what was asked for; others hold the server's defaults as well."""
    annotations = {"kubectl.kubernetes.io/last-applied-configuration": "{}"}
    managed = [written("kubectl-client-side-apply"), written("kubectl-create"), written("kubectl", "Apply")]
    body = live(annotations=annotations, managedFields=managed)
    assert OWNERS.standing(body, "web").managers == ("kubectl-client-side-apply", "kubectl-create", "kubectl")
    taken = takeover("kubectl", body, {})
    assert taken.merged == (Writer("kubectl-client-side-apply", "Update"), Writer("kubectl", "Apply"))
    assert taken.dropped == (Writer("kubectl-create", "Update"),)
    assert taken.annotations == ("kubectl.kubernetes.io/last-applied-configuration",)


def test_marks_of_the_tool_go_unless_git_wants_them() -> None:
    labels = {"app.kubernetes.io/managed-by": "Helm", "helm.sh/chart": "web-1", "app": "web"}
    body = live(labels=labels, annotations={"meta.helm.sh/release-name": "web", "note": "x"})
    wanted = {"metadata": {"labels": {"helm.sh/chart": "web-1"}}}
    taken = takeover("helm", body, wanted)
    assert (taken.labels, taken.annotations) == (("app.kubernetes.io/managed-by",), ("meta.helm.sh/release-name",))


def test_what_was_set_by_hand_stays_without_an_owner() -> None:
    """The time of a `kubectl rollout restart` is in the template of Pods: taken away, they would all restart."""
    annotations = {"kubectl.kubernetes.io/last-applied-configuration": "{}"}
    managed = [written("kubectl-client-side-apply"), written("kubectl-rollout"), written("kubectl-edit")]
    taken = takeover("kubectl", live(annotations=annotations, managedFields=managed), {})
    assert taken.merged == (Writer("kubectl-client-side-apply", "Update"),)
    assert taken.dropped == (Writer("kubectl-rollout", "Update"), Writer("kubectl-edit", "Update"))


def test_what_a_tool_had_taken_over_goes_along() -> None:
    """Of an object that went from kubectl to a Helm release of Flux nothing of any of them is left."""
    labels = {**HELM, f"{FLUX}/name": "web", f"{FLUX}/namespace": "flux-system", "app": "web"}
    managed = [written(name) for name in ("kubectl-client-side-apply", "helm", "helm-controller", "some-controller")]
    body = live(labels=labels, annotations={**RELEASE, "helm.sh/resource-policy": "keep"}, managedFields=managed)
    taken = takeover("flux", body, {})
    assert [item.manager for item in (*taken.merged, *taken.dropped)] == [item["manager"] for item in managed[:-1]]
    assert taken.labels == tuple(key for key in labels if key != "app")
    assert taken.annotations == (*RELEASE, "helm.sh/resource-policy")
    told = " ".join(remains("flux", body))
    assert "flux suspend helmrelease web -n flux-system" in told
    assert "the Helm release web -n shop" in told


def test_another_value_of_a_label_that_many_use_is_no_mark() -> None:
    assert takeover("argocd", live(labels={"app.kubernetes.io/managed-by": "us"}), {}).labels == ()
    assert list(remains("helm", live())) == []
