"""A namespace becomes a component, on a real API server: applied, nothing of it changes and nothing restarts."""

from __future__ import annotations

import json
import textwrap
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from reconciler.sandbox.control import Sandbox
    from tests.e2e.conftest import Platform

pytestmark = pytest.mark.cluster

ENVIRONMENT = """\
    apiVersion: reconciler.dev/v1alpha1
    kind: Environment
    metadata: {name: %N}
    spec:
      cluster: {context: %C, kubeconfig: "%K"}
      components: [{name: web, path: web}]
    """
APPLIED = """
    apiVersion: apps/v1
    kind: Deployment
    metadata: {name: web, labels: {app: web}}
    spec:
      replicas: 2
      selector: {matchLabels: {app: web}}
      template:
        metadata: {labels: {app: web}}
        spec:
          containers:
          - name: web
            image: example.com/web:1
            ports: [{containerPort: 80}]
            resources: {requests: {cpu: 100m}}
            readinessProbe: {httpGet: {path: /, port: 80}}
            volumeMounts: [{name: settings, mountPath: /etc/web}]
          volumes: [{name: settings, configMap: {name: settings}}]
    ---
    apiVersion: v1
    kind: ConfigMap
    metadata: {name: settings}
    data:
      web.conf: |
        listen 80
        root /srv
    ---
    apiVersion: v1
    kind: Service
    metadata: {name: ports}
    spec: {type: NodePort, selector: {app: web}, ports: [{name: a, port: 80}, {name: b, port: 81, nodePort: 31999}]}
    ---
    apiVersion: autoscaling/v2
    kind: HorizontalPodAutoscaler
    metadata: {name: web}
    spec:
      scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}
      minReplicas: 2
      maxReplicas: 4
      metrics: [{type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 80}}}]
    ---
    apiVersion: networking.k8s.io/v1
    kind: Ingress
    metadata: {name: web}
    spec:
      ingressClassName: edge
      rules: [{http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}]}}]
    """
CREATED = """
    apiVersion: v1
    kind: Service
    metadata: {name: web}
    spec: {selector: {app: web}, ports: [{port: 80}]}
    ---
    apiVersion: batch/v1
    kind: Job
    metadata: {name: once}
    spec: {template: {spec: {restartPolicy: Never, containers: [{name: job, image: "example.com/job:1"}]}}}
    ---
    apiVersion: v1
    kind: Pod
    metadata: {name: alone}
    spec: {containers: [{name: main, image: "example.com/main:1"}]}
    ---
    apiVersion: v1
    kind: PersistentVolumeClaim
    metadata: {name: data}
    spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}, storageClassName: none}
    ---
    apiVersion: batch/v1
    kind: CronJob
    metadata: {name: nightly}
    spec:
      schedule: "0 3 * * *"
      jobTemplate:
        spec: {template: {spec: {restartPolicy: Never, containers: [{name: job, image: "example.com/job:1"}]}}}
    ---
    apiVersion: v1
    kind: Secret
    metadata: {name: login}
    stringData: {password: canary-77}
    """
SERVER_SIDE = """
    apiVersion: rbac.authorization.k8s.io/v1
    kind: Role
    metadata: {name: "web:reader"}
    rules: [{apiGroups: [""], resources: [configmaps], verbs: [get]}]
    ---
    apiVersion: rbac.authorization.k8s.io/v1
    kind: RoleBinding
    metadata: {name: "web:reader"}
    roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: "web:reader"}
    subjects: [{kind: ServiceAccount, name: robot}]
    ---
    {apiVersion: v1, kind: ServiceAccount, metadata: {name: robot}}
    ---
    apiVersion: apps/v1
    kind: StatefulSet
    metadata: {name: db}
    spec:
      serviceName: db
      selector: {matchLabels: {app: db}}
      template:
        metadata: {labels: {app: db}}
        spec: {serviceAccountName: robot, containers: [{name: db, image: "example.com/db:1"}]}
      volumeClaimTemplates:
      - metadata: {name: data}
        spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
    """
EXPECTED = {
    "configmap-settings.yaml",
    "cronjob-nightly.yaml",
    "deployment-web.yaml",
    "horizontalpodautoscaler-web.yaml",
    "ingress-web.yaml",
    "job-once.yaml",
    "kustomization.yaml",
    "namespace-%N.yaml",
    "persistentvolumeclaim-data.yaml",
    "pod-alone.yaml",
    "role-web-reader.yaml",
    "rolebinding-web-reader.yaml",
    "service-ports.yaml",
    "service-web.yaml",
    "serviceaccount-robot.yaml",
    "statefulset-db.yaml",
}
DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  labels:
    app: web
  name: web
  namespace: %N
spec:
  replicas: 2
  selector:
    matchLabels:
      app: web
  template:
    metadata:
      labels:
        app: web
    spec:
      containers:
      - image: example.com/web:1
        name: web
        ports:
        - containerPort: 80
        readinessProbe:
          httpGet:
            path: /
            port: 80
        resources:
          requests:
            cpu: 100m
        volumeMounts:
        - mountPath: /etc/web
          name: settings
      volumes:
      - configMap:
          name: settings
        name: settings
"""

SMALL = {
    "job-once.yaml": """\
apiVersion: batch/v1
kind: Job
metadata:
  name: once
  namespace: %N
spec:
  template:
    spec:
      containers:
      - image: example.com/job:1
        name: job
      restartPolicy: Never
""",
    "pod-alone.yaml": """\
apiVersion: v1
kind: Pod
metadata:
  name: alone
  namespace: %N
spec:
  containers:
  - image: example.com/main:1
    name: main
""",
    "service-ports.yaml": """\
apiVersion: v1
kind: Service
metadata:
  name: ports
  namespace: %N
spec:
  ports:
  - name: a
    port: 80
  - name: b
    nodePort: 31999
    port: 81
  selector:
    app: web
  type: NodePort
""",
}


def test_a_namespace_becomes_a_component_and_nothing_changes(
    platform: Platform, control_plane: Sandbox, kubectl: Callable[..., str]
) -> None:
    name, context = platform.name, f"sandbox-{control_plane.name}"
    kubectl("create", "namespace", name)
    for text, how in ((APPLIED, ("apply",)), (CREATED, ("create",)), (SERVER_SIDE, ("apply", "--server-side"))):
        kubectl(*how, "-n", name, "-f", "-", stdin=textwrap.dedent(text))
    kubectl("wait", "deployment/web", "-n", name, "--for=condition=Available", "--timeout=60s")
    target = platform.root / "environments" / name / "web"
    told = platform.expect(0, "import", name, str(target), "--context", context, "-o", "json").json
    assert {path.name for path in target.iterdir()} == {item.replace("%N", name) for item in EXPECTED}
    assert told["unproven"] == []
    reasons = {
        item["id"]["name"]: item["reason"] for item in told["leftOut"] if item["id"]["kind"] in ("Secret", "Job")
    }
    assert reasons["login"].startswith("a Secret: its values do not belong in git")
    for file, text in {"deployment-web.yaml": DEPLOYMENT, **SMALL}.items():
        assert (target / file).read_text() == text.replace("%N", name)
    assert "serviceAccount:" not in (target / "statefulset-db.yaml").read_text()
    assert "web.conf: |" in (target / "configmap-settings.yaml").read_text()
    again = platform.expect(2, "import", name, str(target), "--context", context)
    assert "nothing is overwritten" in again.err

    def state() -> dict[str, object]:
        items = json.loads(kubectl("get", "all,configmaps,pvc,ingress", "-n", name, "-o", "json"))["items"]
        return {
            f"{item['kind']}/{item['metadata']['name']}": (
                item["metadata"]["uid"],
                None if item["kind"] == "Pod" else item.get("spec"),
            )
            for item in items
            if item["metadata"]["name"] != "kube-root-ca.crt"
        }

    before = state()
    platform.write({"environments/%N/environment.yaml": ENVIRONMENT.replace("%C", context)})
    plan = platform.expect(0, "diff", name, "-o", "json").json
    fields = {
        f"{item['id']['kind']}: {field['path']}"
        for item in plan["changes"]
        for field in item["fields"]
        if not field["path"].startswith("metadata.labels")
    }
    assert fields == set()
    assert {item["action"] for item in plan["changes"]} == {"update"}
    platform.expect(0, "apply", name, "--yes", "--no-wait")
    assert state() == before
    platform.expect(0, "diff", name, "--exit-code")


def test_secrets_and_kinds_are_chosen(platform: Platform, control_plane: Sandbox, kubectl: Callable[..., str]) -> None:
    name, context = platform.name, f"sandbox-{control_plane.name}"
    kubectl("create", "namespace", name)
    kubectl("create", "-n", name, "-f", "-", stdin=textwrap.dedent(CREATED))
    options = ("--context", context)
    platform.expect(0, "import", name, "some", *options, "--kind", "secrets", "--secrets")
    assert {path.name for path in (platform.root / "some").iterdir()} == {"kustomization.yaml", "secret-login.yaml"}
    assert (
        "no namespaced kind Depolyment" in platform.expect(2, "import", name, "x", *options, "--kind", "Depolyment").err
    )
    assert "there is no namespace nowhere" in platform.expect(2, "import", "nowhere", "x", *options).err
    assert not (platform.root / "x").exists()
