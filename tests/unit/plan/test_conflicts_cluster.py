"""Conflicts are found locally by the server's own rule: both name the same managers for the same number of fields."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import pytest

from reconciler import yaml
from reconciler.cluster.kube import KubeCluster
from reconciler.environment import ManagerStance, Policy
from reconciler.errors import Conflict
from reconciler.model.applyset import FIELD_MANAGER
from reconciler.model.origin import Source
from reconciler.model.path import format_path
from reconciler.plan.compare import unchanged
from reconciler.plan.conflicts import find, settle
from reconciler.plan.openapi import Schemas
from tests.unit.plan.scene import plain, resource

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from reconciler.model.resource import Resource
    from reconciler.sandbox.control import Sandbox

pytestmark = pytest.mark.cluster

WEB = """
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  namespace: NAMESPACE
  labels: {example.com/owner.of: us, plain: us}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      tolerations: [{key: a, operator: Exists}]
      containers:
      - {name: web, image: "web:1", ports: [{containerPort: 80, name: http}], env: [{name: A, value: "1"}]}
      - {name: side, image: "side:1"}
"""


@pytest.fixture
async def cluster(control_plane: Sandbox, tmp_path: Path) -> AsyncIterator[KubeCluster]:
    """Return the sandbox's API server."""
    made = await KubeCluster.connect(kubeconfig=str(control_plane.kubeconfig), context=None, cache_dir=tmp_path)
    yield made
    await made.close()


def web(text: str = WEB, namespace: str = "") -> Resource:
    """Return the wanted Deployment."""
    (body,) = yaml.parse(text.replace("NAMESPACE", namespace), Source("web.yaml", ""))
    return resource(body)


async def test_the_server_names_what_was_found(cluster: KubeCluster) -> None:
    """A person, another applier and a scaler take fields; each clash is found, and yielding them leaves none."""
    namespace = f"plan-{uuid.uuid4().hex[:6]}"
    discovery = await cluster.discover()
    served = {item.kind: item for item in discovery.preferred.values() if item.group in ("", "apps")}
    space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
    await cluster.apply(served["Namespace"], space, field_manager=FIELD_MANAGER)
    wanted = web(namespace=namespace)
    await cluster.apply(served["Deployment"], plain(wanted.body), field_manager=FIELD_MANAGER)
    await others_change_it(cluster, served["Deployment"], namespace)
    live = await cluster.get(served["Deployment"], namespace, "web")
    schema = Schemas(await cluster.openapi(["apps/v1"])).of(wanted.gvk)
    found = find(wanted.body, live, schema, Policy())
    with pytest.raises(Conflict) as raised:
        await cluster.apply(served["Deployment"], plain(wanted.body), field_manager=FIELD_MANAGER, dry_run=True)
    causes: Any = raised.value.details["causes"]
    assert sorted(clash.entry.manager for clash in found) == sorted(cause["message"].split('"')[1] for cause in causes)
    assert {format_path(clash.path) for clash in found} == {
        'metadata.labels["example.com/owner.of"]',
        "spec.replicas",
        "spec.template.spec.containers[name=web].env[name=A].value",
        "spec.template.spec.containers[name=web].image",
        "spec.template.spec.tolerations",
    }
    assert {clash.entry.manager: clash.stance for clash in found} == {"kubectl-edit": "force", "tool": "fail"}
    policy = Policy(conflicts=(ManagerStance("*", "yield"),))
    settled = settle(wanted, live, schema, policy)
    await cluster.apply(served["Deployment"], plain(settled.body), field_manager=FIELD_MANAGER, dry_run=True)


DENY = """
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: deny, namespace: NAMESPACE}
spec: {podSelector: {}, policyTypes: [Ingress], ingress: []}
"""
VOLUME = """
apiVersion: v1
kind: PersistentVolume
metadata: {name: NAMESPACE}
spec:
  storageClassName: manual
  capacity: {storage: 1Gi}
  accessModes: [ReadWriteOnce]
  hostPath: {path: /data}
  claimRef: {namespace: NAMESPACE, name: data}
"""


async def test_an_empty_list_that_somebody_filled_is_drift(cluster: KubeCluster) -> None:
    """A policy that denies all and was opened by hand."""
    namespace = f"plan-{uuid.uuid4().hex[:6]}"
    served = {item.kind: item for item in (await cluster.discover()).preferred.values()}
    space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
    await cluster.apply(served["Namespace"], space, field_manager=FIELD_MANAGER)
    wanted, kind = web(DENY, namespace), served["NetworkPolicy"]
    schema = Schemas(await cluster.openapi(["networking.k8s.io/v1"])).of(wanted.gvk)
    live = await cluster.apply(kind, plain(wanted.body), field_manager=FIELD_MANAGER)
    assert unchanged(wanted.body, live, schema)
    opened: dict[str, Any] = {"spec": {"ingress": [{}]}}
    live = await cluster.patch(kind, namespace, "deny", opened, kind="merge", field_manager="kubectl-edit")
    assert not unchanged(wanted.body, live, schema)
    assert settle(wanted, live, schema, Policy()).force
    opened["spec"]["ingress"].append({"ports": [{"port": 80}]})
    live = await cluster.patch(kind, namespace, "deny", opened, kind="merge", field_manager="an-operator")
    settled = settle(wanted, live, schema, Policy())
    assert (settled.refused, "ingress" in settled.body["spec"]) == ((), False), "a program's, unless a rule names it"
    rule = ManagerStance(manager="an-operator", do="fail")
    assert [item.path for item in settle(wanted, live, schema, Policy(conflicts=(rule,))).refused] == ["spec.ingress"]


AGGREGATED = """
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: NAMESPACE}
aggregationRule: {clusterRoleSelectors: [{matchLabels: {kubernetes.io/bootstrapping: rbac-defaults}}]}
rules: []
"""
HOOK = """
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: NAMESPACE}
webhooks:
- name: hook.example.com
  clientConfig: {caBundle: null, service: {name: hook, namespace: default}}
  rules: []
  failurePolicy: Ignore
  sideEffects: None
  admissionReviewVersions: [v1]
"""


@pytest.mark.parametrize(
    ("text", "manager", "edit"),
    [
        (AGGREGATED, "a-controller", [{"op": "add", "path": "/rules", "value": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]}]),
        (HOOK, "cainjector", [{"op": "add", "path": "/webhooks/0/clientConfig/caBundle", "value": "TFMwdENnPT0="}]),
    ],
)  # fmt: skip
async def test_what_a_program_puts_where_git_has_nothing_is_left_to_it(
    cluster: KubeCluster, text: str, manager: str, edit: list[dict[str, Any]]
) -> None:
    """Both as charts and the documentation of Kubernetes write them: neither drift nor a conflict, whatever else changes."""
    name = f"plan-{uuid.uuid4().hex[:6]}"
    served = {item.kind: item for item in (await cluster.discover()).preferred.values()}
    wanted = web(text, name)
    kind = served[wanted.id.kind]
    schema = Schemas(await cluster.openapi([wanted.gvk.api_version])).of(wanted.gvk)
    await cluster.apply(kind, plain(wanted.body), field_manager=FIELD_MANAGER)
    live = await cluster.patch(kind, "", name, edit, kind="json", field_manager=manager)
    settled = settle(wanted, live, schema, Policy())
    assert (settled.refused, settled.force) == ((), False)
    assert unchanged(settled.body, live, schema)
    await cluster.apply(kind, plain(settled.body), field_manager=FIELD_MANAGER)
    await cluster.delete(kind, "", name, uid=live["metadata"]["uid"])


async def test_what_a_controller_adds_to_a_reference_is_no_conflict(cluster: KubeCluster) -> None:
    """A volume that git binds to a claim: the binder completes the reference, whose schema is atomic elsewhere."""
    name = f"plan-{uuid.uuid4().hex[:6]}"
    served = {item.kind: item for item in (await cluster.discover()).preferred.values()}
    wanted, kind = web(VOLUME, name), served["PersistentVolume"]
    schema = Schemas(await cluster.openapi(["v1"])).of(wanted.gvk)
    await cluster.apply(kind, plain(wanted.body), field_manager=FIELD_MANAGER)
    bound = {"spec": {"claimRef": {"uid": str(uuid.uuid4()), "kind": "PersistentVolumeClaim", "apiVersion": "v1"}}}
    live = await cluster.patch(kind, "", name, bound, kind="merge", field_manager="kube-controller-manager")
    assert unchanged(wanted.body, live, schema)
    assert find(wanted.body, live, schema, Policy()) == ()
    await cluster.delete(kind, "", name, uid=live["metadata"]["uid"])


async def others_change_it(cluster: KubeCluster, served: Any, namespace: str) -> None:
    """Let kubectl edit an image and a label, and another applier take the rest."""
    edit = {
        "metadata": {"labels": {"example.com/owner.of": "them"}},
        "spec": {"template": {"spec": {"tolerations": []}}},
    }
    await cluster.patch(served, namespace, "web", edit, kind="merge", field_manager="kubectl-edit")
    image = [{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": "web:9"}]
    await cluster.patch(served, namespace, "web", image, kind="json", field_manager="kubectl-edit")
    tolerations = {"spec": {"template": {"spec": {"tolerations": [{"key": "b", "operator": "Exists"}]}}}}
    await cluster.patch(served, namespace, "web", tolerations, kind="merge", field_manager="kubectl-edit")
    taken = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": namespace},
        "spec": {
            "replicas": 5,
            "template": {"spec": {"containers": [{"name": "web", "env": [{"name": "A", "value": "2"}]}]}},
        },
    }
    await cluster.apply(served, taken, field_manager="tool", force=True)
