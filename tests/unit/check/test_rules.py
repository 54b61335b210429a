"""One broken example for each rule, and one that breaks none."""

from __future__ import annotations

import textwrap

import pytest

from reconciler import yaml
from reconciler.check import check
from reconciler.check.run import RULES
from reconciler.model.identity import GroupVersionKind, ObjectId
from reconciler.model.origin import Origin, Source
from reconciler.model.resource import Desired, Resource

GOOD = """\
apiVersion: v1
kind: Namespace
metadata:
  name: web
  labels: {pod-security.kubernetes.io/enforce: restricted}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: server, namespace: web}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: settings, namespace: web}
data: {mode: fast}
---
apiVersion: v1
kind: Secret
metadata: {name: password, namespace: web}
stringData: {password: x}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data, namespace: web}
spec:
  storageClassName: block
---
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: block}
provisioner: example.com/block
---
apiVersion: scheduling.k8s.io/v1
kind: PriorityClass
metadata: {name: high}
value: 10
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: server, namespace: web}
spec:
  selector:
    matchLabels: {app: server}
  template:
    metadata:
      labels: {app: server}
    spec:
      serviceAccountName: server
      priorityClassName: high
      securityContext:
        runAsNonRoot: true
        seccompProfile: {type: RuntimeDefault}
      containers:
        - name: server
          image: example.com/server:1.0
          ports:
            - {name: http, containerPort: 8080}
          readinessProbe:
            httpGet: {path: /, port: http}
          env:
            - name: MODE
              valueFrom:
                configMapKeyRef: {name: settings, key: mode}
            - name: PASSWORD
              valueFrom:
                secretKeyRef: {name: password, key: password}
          securityContext:
            allowPrivilegeEscalation: false
            capabilities: {drop: [ALL]}
          volumeMounts:
            - {name: data, mountPath: /data}
      volumes:
        - name: data
          persistentVolumeClaim: {claimName: data}
---
apiVersion: v1
kind: Service
metadata: {name: server, namespace: web}
spec:
  selector: {app: server}
  ports:
    - {name: http, port: 80, targetPort: http}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: reader, namespace: web}
rules: []
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: reader, namespace: web}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: reader}
subjects:
  - {kind: ServiceAccount, name: server, namespace: web}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: server, namespace: web}
spec:
  rules:
    - http:
        paths:
          - path: /
            backend:
              service:
                name: server
                port: {number: 80}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: server, namespace: web}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: server}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: server, namespace: web}
spec:
  selector:
    matchLabels: {app: server}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: server, namespace: web}
spec:
  podSelector:
    matchLabels: {app: server}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: store, namespace: default}
spec:
  serviceName: store
  selector:
    matchLabels: {app: store}
  template:
    metadata:
      labels: {app: store}
    spec:
      containers:
        - name: store
          image: example.com/store@sha256:0123
          volumeMounts:
            - {name: disk, mountPath: /disk}
  volumeClaimTemplates:
    - metadata: {name: disk}
      spec: {storageClassName: block}
---
apiVersion: v1
kind: Service
metadata: {name: store, namespace: default}
spec:
  clusterIP: None
  selector: {app: store}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: rule}
spec: {}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: rule}
spec: {policyName: rule}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: hook}
webhooks:
  - name: hook.example.com
    clientConfig:
      service: {name: server, namespace: web, port: 80}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: harborservers.harbor.reconciler.dev}
spec: {group: harbor.reconciler.dev, names: {kind: HarborServer, plural: harborservers}, scope: Namespaced, versions: [{name: v1alpha1, served: true}]}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: harborregistries.harbor.reconciler.dev}
spec: {group: harbor.reconciler.dev, names: {kind: HarborRegistry, plural: harborregistries}, scope: Namespaced, versions: [{name: v1alpha1, served: true}]}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: harborprojects.harbor.reconciler.dev}
spec: {group: harbor.reconciler.dev, names: {kind: HarborProject, plural: harborprojects}, scope: Namespaced, versions: [{name: v1alpha1, served: true}]}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: harborreplicationpolicies.harbor.reconciler.dev}
spec: {group: harbor.reconciler.dev, names: {kind: HarborReplicationPolicy, plural: harborreplicationpolicies}, scope: Namespaced, versions: [{name: v1alpha1, served: true}]}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: harborrobotaccounts.harbor.reconciler.dev}
spec: {group: harbor.reconciler.dev, names: {kind: HarborRobotAccount, plural: harborrobotaccounts}, scope: Namespaced, versions: [{name: v1alpha1, served: true}]}
---
apiVersion: harbor.reconciler.dev/v1alpha1
kind: HarborServer
metadata: {name: harbor, namespace: web}
spec: {url: "https://harbor.example.com", credentials: {secret: password}}
---
apiVersion: harbor.reconciler.dev/v1alpha1
kind: HarborRegistry
metadata: {name: edge, namespace: web}
spec: {type: harbor, url: "https://edge.example.com"}
---
apiVersion: harbor.reconciler.dev/v1alpha1
kind: HarborProject
metadata: {name: team, namespace: web}
spec: {proxyCache: {registry: edge}}
---
apiVersion: harbor.reconciler.dev/v1alpha1
kind: HarborReplicationPolicy
metadata: {name: copies, namespace: web}
spec: {mode: pull, registry: edge}
---
apiVersion: harbor.reconciler.dev/v1alpha1
kind: HarborRobotAccount
metadata: {name: builder, namespace: web}
spec:
  level: system
  permissions:
    - {kind: project, namespace: team, access: [{resource: repository, action: push}]}
    - {kind: project, namespace: "*", access: [{resource: repository, action: pull}]}
    - {kind: system, namespace: /, access: [{resource: registry, action: list}]}
"""

BROKEN = [
    ("object-twice", "kind: Role\n", "kind: Role\nmetadata: {name: reader, namespace: web}\n---\napiVersion: rbac.authorization.k8s.io/v1\nkind: Role\n", "Role/reader -n web: is rendered twice"),
    ("unknown-kind", "kind: Ingress", "kind: Ingres", "the kind networking.k8s.io/Ingres is not known [unknown-kind] (did you mean networking.k8s.io/Ingress?)"),
    ("unknown-kind", "autoscaling/v2", "autoscaling/v3", "autoscaling/HorizontalPodAutoscaler has no version v3 [unknown-kind] (it has v2, v1)"),
    ("scope", "metadata: {name: reader, namespace: web}\nrules", "metadata: {name: reader}\nrules", "Role/reader: has no namespace"),
    ("scope", "metadata: {name: block}", "metadata: {name: block, namespace: web}", "is of a kind that is in no namespace, and names one"),
    ("namespace", "metadata: {name: server, namespace: web}\nspec:\n  podSelector", "metadata: {name: server, namespace: wob}\nspec:\n  podSelector", "its namespace wob does not exist [namespace] (did you mean web?)"),
    ("service-selector", "  selector: {app: server}", "  selector: {app: sever}", "selects no Pod: app=sever [service-selector] (Deployment/server has app=server)"),
    ("workload-selector", "    matchLabels: {app: server}\n  template", "    matchLabels: {app: other}\n  template", "its selector does not fit the labels of its own Pods"),
    ("budget-selector", "spec:\n  selector:\n    matchLabels: {app: server}\n---", "spec:\n  selector:\n    matchLabels: {app: other}\n---", "PodDisruptionBudget/server -n web: selects no Pod"),
    ("policy-selector", "  podSelector:\n    matchLabels: {app: server}", "  podSelector:\n    matchLabels: {app: other}", "NetworkPolicy/server -n web: is for no Pod"),
    ("service-port", "targetPort: http", "targetPort: web", "port 80 leads to web (TCP), which Deployment/server does not listen on [service-port] (ports are http 8080)"),
    ("probe-port", "port: http}\n          env", "port: 9090}\n          env", "the readinessProbe of container server asks port 9090, which it does not have [probe-port] (ports are http 8080)"),
    ("port-names", "            - {name: http, containerPort: 8080}", "            - {name: http, containerPort: 8080}\n            - {name: http, containerPort: 8081}", "2 of its ports are named http"),
    ("volume-mount", "            - {name: data, mountPath: /data}", "            - {name: data, mountPath: /data}\n            - {name: temp, mountPath: /tmp}", "container server mounts the volume temp, which is not there [volume-mount] (volumes are data)"),
    ("volume-unused", "      volumes:\n", "      volumes:\n        - name: temp\n          emptyDir: {}\n", "the volume temp is mounted by no container"),
    ("volume-claim", "claimName: data", "claimName: date", "the claim date does not exist [volume-claim] (did you mean data?)"),
    ("storage-class", "  storageClassName: block", "  storageClassName: file", "the StorageClass file does not exist [storage-class] (nothing makes it)"),
    ("storage-class", "spec: {storageClassName: block}", "spec: {storageClassName: blocks}", "the StorageClass blocks does not exist [storage-class] (did you mean block?)"),
    ("config-reference", "{name: settings, key: mode}", "{name: setting, key: mode}", "the ConfigMap setting does not exist [config-reference] (did you mean settings?)"),
    ("config-reference", "{name: password, key: password}", "{name: password, key: pasword}", "the Secret password has no key pasword [config-reference] (did you mean password?)"),
    ("service-account", "serviceAccountName: server", "serviceAccountName: servers", "the ServiceAccount servers does not exist [service-account] (did you mean server?)"),
    ("role", "kind: Role, name: reader}", "kind: Role, name: writer}", "the Role writer does not exist"),
    ("binding-subject", "name: server, namespace: web}\n---\napiVersion: networking", "name: sever, namespace: web}\n---\napiVersion: networking", "the ServiceAccount sever of namespace web does not exist [binding-subject] (did you mean server?)"),
    ("backend", "port: {number: 80}", "port: {number: 8080}", "the Service server has no port 8080 [backend] (its ports are http 80)"),
    ("stateful-service", "serviceName: store", "serviceName: stores", "the Service stores does not exist [stateful-service] (did you mean store?)"),
    ("scale-target", "kind: Deployment, name: server}", "kind: Deployment, name: serve}", "the Deployment serve does not exist [scale-target] (did you mean server?)"),
    ("webhook-service", "service: {name: server, namespace: web, port: 80}", "service: {name: hook, namespace: web}", "the Service hook does not exist"),
    ("admission-policy", "{policyName: rule}", "{policyName: rules}", "the ValidatingAdmissionPolicy rules does not exist [admission-policy] (did you mean rule?)"),
    ("priority-class", "priorityClassName: high", "priorityClassName: higher", "the PriorityClass higher does not exist [priority-class] (did you mean high?)"),
    ("harbor-server", "kind: HarborServer\nmetadata: {name: harbor, namespace: web}", "kind: HarborServer\nmetadata: {name: harbor, namespace: other}", "namespace web has no HarborServer [harbor-server] (add one: it says which Harbor is meant)"),
    ("harbor-server", "kind: HarborRegistry\n", "kind: HarborServer\nmetadata: {name: second, namespace: web}\nspec: {url: 'https://b'}\n---\napiVersion: harbor.reconciler.dev/v1alpha1\nkind: HarborRegistry\n", "its namespace has more than one HarborServer"),
    ("harbor-reference", "mode: pull, registry: edge", "mode: pull, registry: egde", "the HarborRegistry egde is not declared [harbor-reference] (did you mean edge?)"),
    ("harbor-reference", "proxyCache: {registry: edge}", "proxyCache: {registry: hub}", "the HarborRegistry hub is not declared"),
    ("harbor-reference", "kind: project, namespace: team", "kind: project, namespace: teams", "the HarborProject teams is not declared [harbor-reference] (did you mean team?)"),
    ("image-tag", "example.com/server:1.0", "example.com:5000/server", "the image example.com:5000/server has no tag"),
    ("image-tag", "example.com/server:1.0", "example.com/server:latest", "the tag of example.com/server:latest says nothing of what is run"),
    ("pod-security", "allowPrivilegeEscalation: false", "privileged: true", "container server is privileged, which namespace web (restricted) refuses"),
    ("pod-security", "runAsNonRoot: true", "fsGroup: 1", "container server does not set runAsNonRoot: true, which namespace web (restricted) refuses"),
]  # fmt: skip


def desired(text: str) -> Desired:
    """Return the objects of a YAML text as one component."""
    source = Source("objects.yaml", "")
    resources = []
    for body in yaml.parse(textwrap.dedent(text), source):
        line = min(origin.line for origin in body.origins.values())
        resources.append(Resource(ObjectId.of(body), GroupVersionKind.of(body).version, body, Origin(source, line)))
    return Desired("dev", None, {"all": tuple(resources)})


def test_a_good_environment_has_no_problems() -> None:
    assert [str(problem) for problem in check(desired(GOOD))] == []


@pytest.mark.parametrize(
    ("rule", "old", "new", "expected"), BROKEN, ids=[item[0] + "-" + item[2][:20] for item in BROKEN]
)
def test_each_rule_finds_its_mistake(rule: str, old: str, new: str, expected: str) -> None:
    """The broken example is told by its rule, with the line that is at fault and what would help."""
    assert GOOD.count(old) >= 1
    broken = GOOD.replace(old, new, 1)
    found = [problem for problem in check(desired(broken)) if f"[{rule}]" in problem.message]
    assert any(expected in str(problem) for problem in found), [str(problem) for problem in check(desired(broken))]
    assert all(problem.file == "objects.yaml" and problem.line > 0 for problem in found)


def test_every_rule_has_a_broken_example() -> None:
    assert {item[0] for item in BROKEN} == set(RULES)


def test_the_line_is_that_of_the_field() -> None:
    """A problem points at the field that is wrong, not at the object that holds it."""
    broken = GOOD.replace("serviceAccountName: server", "serviceAccountName: nobody")
    problem = next(item for item in check(desired(broken)) if "service-account" in item.message)
    assert broken.splitlines()[problem.line - 1].strip() == "serviceAccountName: nobody"


def test_an_object_may_know_better() -> None:
    """The annotation silences the named rule for its object, and no other."""
    broken = GOOD.replace("  selector: {app: server}", "  selector: {app: elsewhere}").replace(
        "kind: Service\nmetadata: {name: server, namespace: web}",
        "kind: Service\nmetadata: {name: server, namespace: web, annotations: {reconciler.dev/ignore-checks: service-selector}}",
    )
    assert [str(problem) for problem in check(desired(broken))] == []
