"""Which object needs which, and what a circle is told as."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.errors import ConfigError, DependencyCycle
from reconciler.model.identity import ObjectId
from reconciler.model.marks import GENERATE, KNOWN
from reconciler.model.resource import Desired, Resource
from reconciler.model.tree import Map
from reconciler.plan import graph
from reconciler.plan.order import ordered
from tests.unit.plan.scene import NAME, environment_of, objects

if TYPE_CHECKING:
    from reconciler.environment import Environment
    from reconciler.model.graph import Graph

SHOP = """
{apiVersion: v1, kind: Namespace, metadata: {name: shop}}
---
{apiVersion: v1, kind: ServiceAccount, metadata: {name: robot, namespace: shop}}
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: settings, namespace: shop}}
---
{apiVersion: v1, kind: Secret, metadata: {name: login, namespace: shop}}
---
{apiVersion: storage.k8s.io/v1, kind: StorageClass, metadata: {name: fast}, provisioner: x}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data, namespace: shop}
spec: {storageClassName: fast}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  template:
    metadata: {labels: {app: web}}
    spec:
      serviceAccountName: robot
      containers:
      - name: web
        env: [{name: A, valueFrom: {secretKeyRef: {name: login, key: a}}}]
      volumes:
      - {name: settings, projected: {sources: [{configMap: {name: settings}}]}}
      - {name: data, persistentVolumeClaim: {claimName: data}}
      - {name: maybe, configMap: {name: absent, optional: true}}
---
{apiVersion: v1, kind: Service, metadata: {name: web, namespace: shop}, spec: {selector: {app: web}}}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: guard}
webhooks: [{clientConfig: {service: {name: web, namespace: shop}}}]
---
{apiVersion: rbac.authorization.k8s.io/v1, kind: Role, metadata: {name: reader, namespace: shop}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: reader, namespace: shop}
roleRef: {kind: Role, name: reader}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: things.example.com}
spec: {group: example.com, names: {kind: Thing}}
---
apiVersion: example.com/v1
kind: Thing
metadata: {name: one, namespace: shop, annotations: {reconciler.dev/depends-on: "apps/Deployment/shop/web, Namespace/shop"}}
"""

NEEDS = """\
ConfigMap/settings needs Namespace/shop, healthy
Deployment/web needs ConfigMap/settings
Deployment/web needs Namespace/shop, healthy
Deployment/web needs PersistentVolumeClaim/data
Deployment/web needs Secret/login
Deployment/web needs ServiceAccount/robot
PersistentVolumeClaim/data needs Namespace/shop, healthy
PersistentVolumeClaim/data needs StorageClass/fast
Role/reader needs Namespace/shop, healthy
RoleBinding/reader needs Namespace/shop, healthy
RoleBinding/reader needs Role/reader
Secret/login needs Namespace/shop, healthy
Service/web needs Namespace/shop, healthy
ServiceAccount/robot needs Namespace/shop, healthy
Thing/one needs CustomResourceDefinition/things.example.com, healthy
Thing/one needs Deployment/web, healthy
Thing/one needs Namespace/shop, healthy
ValidatingWebhookConfiguration/guard needs Deployment/web, healthy
ValidatingWebhookConfiguration/guard needs Service/web
"""

MORE = """
{apiVersion: scheduling.k8s.io/v1, kind: PriorityClass, metadata: {name: high}, value: 1}
---
{apiVersion: storage.k8s.io/v1, kind: StorageClass, metadata: {name: fast}, provisioner: x}
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: settings, namespace: shop}}
---
{apiVersion: v1, kind: Secret, metadata: {name: pull, namespace: shop}}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db, namespace: shop, annotations: {reconciler.dev/depends-on: admissionregistration.k8s.io/ValidatingAdmissionPolicy/rules}}
spec:
  template:
    metadata: {labels: {app: db}}
    spec:
      priorityClassName: high
      runtimeClassName: sealed
      volumes: [{name: scratch, ephemeral: {volumeClaimTemplate: {spec: {storageClassName: quick}}}}]
      imagePullSecrets: [{name: pull}]
      initContainers: [{name: a, envFrom: [{configMapRef: {name: settings}}, {secretRef: {name: pull, optional: true}}]}]
  volumeClaimTemplates: [{metadata: {name: data}, spec: {storageClassName: fast}}]
---
{apiVersion: v1, kind: Service, metadata: {name: db, namespace: shop}, spec: {selector: {app: db}}}
---
apiVersion: apiregistration.k8s.io/v1
kind: APIService
metadata: {name: v1.example.com}
spec: {service: {name: db, namespace: shop}}
---
{apiVersion: apiregistration.k8s.io/v1, kind: APIService, metadata: {name: v2.example.com}, spec: {service: {name: other, namespace: x}}}
---
{apiVersion: admissionregistration.k8s.io/v1, kind: ValidatingAdmissionPolicy, metadata: {name: rules}}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: rules}
spec: {policyName: rules}
---
{apiVersion: node.k8s.io/v1, kind: RuntimeClass, metadata: {name: sealed}, handler: x}
---
{apiVersion: storage.k8s.io/v1, kind: StorageClass, metadata: {name: quick}, provisioner: x}
---
{apiVersion: v1, kind: PersistentVolume, metadata: {name: disk}}
---
{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: first, namespace: shop}, spec: {volumeName: disk}}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: clone, namespace: shop}
spec: {dataSource: {kind: PersistentVolumeClaim, name: first}}
---
{apiVersion: networking.k8s.io/v1, kind: IngressClass, metadata: {name: edge}}
---
{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: web, namespace: shop}, spec: {ingressClassName: edge}}
"""

NEEDED = """\
APIService/v1.example.com needs Service/db
APIService/v1.example.com needs StatefulSet/db, healthy
Ingress/web needs IngressClass/edge
PersistentVolumeClaim/clone needs PersistentVolumeClaim/first, healthy
PersistentVolumeClaim/first needs PersistentVolume/disk
StatefulSet/db needs ConfigMap/settings
StatefulSet/db needs PriorityClass/high
StatefulSet/db needs RuntimeClass/sealed
StatefulSet/db needs Secret/pull
StatefulSet/db needs StorageClass/fast
StatefulSet/db needs StorageClass/quick
StatefulSet/db needs ValidatingAdmissionPolicy/rules, healthy
ValidatingAdmissionPolicyBinding/rules needs ValidatingAdmissionPolicy/rules
"""


HARBOR = """
{apiVersion: v1, kind: Secret, metadata: {name: admin, namespace: registry}}
---
{apiVersion: v1, kind: Secret, metadata: {name: edge, namespace: registry}}
---
{apiVersion: v1, kind: Service, metadata: {name: harbor, namespace: registry}, spec: {selector: {app: harbor}}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: harbor, namespace: registry}
spec: {template: {metadata: {labels: {app: harbor}}, spec: {containers: []}}}
---
apiVersion: harbor.reconciler.dev/v1alpha1
kind: HarborServer
metadata: {name: harbor, namespace: registry}
spec: {service: {name: harbor}, credentials: {secret: admin}}
---
apiVersion: harbor.reconciler.dev/v1alpha1
kind: HarborRegistry
metadata: {name: edge, namespace: registry}
spec: {credentials: {secret: edge}}
---
apiVersion: harbor.reconciler.dev/v1alpha1
kind: HarborProject
metadata: {name: cache, namespace: registry}
spec: {proxyCache: {registry: edge}}
---
apiVersion: harbor.reconciler.dev/v1alpha1
kind: HarborReplicationPolicy
metadata: {name: copies, namespace: registry}
spec: {registry: edge}
---
apiVersion: harbor.reconciler.dev/v1alpha1
kind: HarborRobotAccount
metadata: {name: builder, namespace: registry}
spec: {permissions: [{kind: project, namespace: cache}, {kind: system, namespace: /}]}
"""

HARBOR_NEEDS = """\
HarborProject/cache needs HarborRegistry/edge
HarborProject/cache needs HarborServer/harbor
HarborRegistry/edge needs HarborServer/harbor
HarborRegistry/edge needs Secret/edge
HarborReplicationPolicy/copies needs HarborProject/cache
HarborReplicationPolicy/copies needs HarborRegistry/edge
HarborReplicationPolicy/copies needs HarborServer/harbor
HarborRobotAccount/builder needs HarborProject/cache
HarborRobotAccount/builder needs HarborServer/harbor
HarborServer/harbor needs Deployment/harbor, healthy
HarborServer/harbor needs Secret/admin
HarborServer/harbor needs Service/harbor
"""


def desired(**components: str) -> Desired:
    """Return what git wants from YAML text by component."""
    return Desired(NAME, None, {name: tuple(objects(text, f"{name}.yaml")) for name, text in components.items()})


def environment(**needs: list[str]) -> Environment:
    """Return an environment from what each component needs."""
    return environment_of({"components": [{"name": name, "dependsOn": found} for name, found in needs.items()]}, {})


def drawn(made: Graph) -> str:
    """Return the edges as text."""
    lines = {
        f"{edge.dependent.kind}/{edge.dependent.name} needs {edge.needs.kind}/{edge.needs.name}"
        + (", healthy" if edge.awaited else "")
        for edge in made.edges
    }
    return "\n".join(sorted(lines)) + "\n"


def test_edges_are_read_from_the_objects() -> None:
    made = graph.build(desired(shop=SHOP), environment(shop=[]))
    assert drawn(made) == NEEDS
    assert drawn(graph.build(desired(shop=MORE), environment(shop=[]))) == NEEDED


def test_what_harbor_holds_is_ordered_by_what_it_names() -> None:
    assert drawn(graph.build(desired(all=HARBOR), environment(all=[]))) == HARBOR_NEEDS


def test_the_order_respects_every_edge() -> None:
    made = graph.build(desired(shop=SHOP), environment(shop=[]))
    place = {identity: index for index, identity in enumerate(made.component_of)}
    assert all(place[edge.needs] < place[edge.dependent] for edge in made.edges)


def test_an_edge_names_the_line_that_asks_for_it() -> None:
    made = graph.build(desired(shop=SHOP), environment(shop=[]))
    places = {
        edge.needs.name: edge.place
        for edge in made.edges
        if edge.dependent.name == "web" and edge.needs.kind == "Secret"
    }
    assert places == {"login": "shop.yaml:27"}


def test_components_come_after_what_they_need() -> None:
    """The order of components follows dependsOn; where it says nothing, environment.yaml."""
    texts = {name: f"{{apiVersion: v1, kind: ConfigMap, metadata: {{name: {name}}}}}" for name in ("a", "b", "c")}
    made = graph.build(desired(**texts), environment(a=["c"], b=[], c=[]))
    assert made.order == ("c", "a", "b")
    assert [identity.name for identity in made.component_of] == ["c", "a", "b"]


def test_an_object_of_a_later_component_may_be_needed_earlier() -> None:
    """A namespace that another component makes comes first, though nothing is said of the components."""
    web = "{apiVersion: v1, kind: ConfigMap, metadata: {name: x, namespace: shop}}"
    made = graph.build(
        desired(web=web, base="{apiVersion: v1, kind: Namespace, metadata: {name: shop}}"), environment(web=[], base=[])
    )
    assert [identity.kind for identity in made.component_of] == ["Namespace", "ConfigMap"]


def test_a_circle_names_every_edge_with_its_places() -> None:
    """A component needs another whose object needs one of the first: both lines are told."""
    first = "{apiVersion: v1, kind: Namespace, metadata: {name: shop}}"
    second = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: x\n  namespace: shop\n"
    with pytest.raises(DependencyCycle) as raised:
        graph.build(desired(first=first, second=second), environment(first=["second"], second=[]))
    text = str(raised.value)
    assert "second.yaml:5: in a circle: ConfigMap/x -n shop (second.yaml:1) needs Namespace/shop (first.yaml:1)" in text
    assert "Namespace/shop (first.yaml:1) needs component second: dependsOn" in text
    assert "component second needs ConfigMap/x -n shop (second.yaml:1)" in text


def test_components_in_a_circle_are_named() -> None:
    with pytest.raises(DependencyCycle, match="a needs b needs a"):
        graph.build(desired(a="", b=""), environment(a=["b"], b=["a"]))


def test_a_mark_that_names_nothing_is_an_error_with_its_line() -> None:
    text = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: x\n  annotations:\n    reconciler.dev/depends-on: apps/Deployment/shop/gone\n"
    with pytest.raises(ConfigError, match=r"a\.yaml:6: ConfigMap/x: .* names apps/Deployment/shop/gone"):
        graph.build(desired(a=text), environment(a=[]))


def test_marks_and_values_that_nothing_reads_are_errors_with_their_lines_and_what_is_known() -> None:
    text = """\
apiVersion: v1
kind: ConfigMap
metadata:
  name: x
  annotations:
    reconciler.dev/prune: disable
    reconciler.dev/prun: disabled
    reconciler.dev/wait: keep
    reconciler.dev/replace: "yes"
    reconciler.dev/reconcile: Disabled
    platform.reconciler.dev/prune: as it likes
"""
    known = ", ".join(KNOWN)
    with pytest.raises(ConfigError) as raised:
        graph.build(desired(a=text), environment(a=[]))
    assert [*map(str, raised.value.problems)] == [
        "a.yaml:6: ConfigMap/x: reconciler.dev/prune is 'disable' (did you mean disabled? known: disabled, orphan)",
        f"a.yaml:7: ConfigMap/x: unknown annotation reconciler.dev/prun (did you mean reconciler.dev/prune? known: {known})",
        "a.yaml:8: ConfigMap/x: reconciler.dev/wait is 'keep' (known: disabled)",
        "a.yaml:9: ConfigMap/x: reconciler.dev/replace is 'yes' (known: allowed)",
        "a.yaml:10: ConfigMap/x: reconciler.dev/reconcile is 'Disabled' (did you mean disabled? known: disabled)",
    ]


def test_every_value_of_every_mark_is_taken() -> None:
    told = {name: values or ("ConfigMap/x",) for name, values in KNOWN.items() if name != GENERATE}
    for name, values in told.items():
        for value in values:
            text = f"{{apiVersion: v1, kind: ConfigMap, metadata: {{name: x, annotations: {{{name}: {value}}}}}}}"
            assert not graph.build(desired(a=text), environment(a=[])).edges


def test_what_goes_away_with_a_mark_that_is_not_known_is_ordered_all_the_same() -> None:
    text = "{apiVersion: v1, kind: ConfigMap, metadata: {name: a, annotations: {reconciler.dev/prun: disabled}}}"
    gone = {item.id: ("old", dict(item.body)) for item in objects(text)}
    made = graph.with_deletions(graph.build(desired(a=""), environment(a=[])), gone)
    assert [identity.name for identity in made.component_of] == ["a"]


def test_what_goes_away_is_ordered_too() -> None:
    """Deleted objects join the graph with the edges of their live bodies, of components that are no longer listed too."""
    gone = {item.id: ("old", dict(item.body)) for item in objects(SHOP)}
    made = graph.with_deletions(graph.build(desired(a=""), environment(a=[])), gone)
    assert made.order == ("a", "old")
    order = [identity.kind for identity in made.component_of]
    assert order.index("Namespace") < order.index("ConfigMap") < order.index("Deployment")


def test_a_mark_orders_what_goes_away_and_one_that_names_nothing_stops_nothing() -> None:
    text = """
{apiVersion: v1, kind: ConfigMap, metadata: {name: a, namespace: x, annotations: {reconciler.dev/depends-on: "ConfigMap/x/gone, ConfigMap/x/b"}}}
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: b, namespace: x}}
"""
    gone = {item.id: ("old", dict(item.body)) for item in objects(text)}
    made = graph.with_deletions(graph.build(desired(a=""), environment(a=[])), gone)
    assert drawn(made) == "ConfigMap/a needs ConfigMap/b, healthy\n"
    assert [identity.name for identity in made.component_of] == ["b", "a"]


def test_two_hundred_components_of_a_hundred_objects_are_ordered() -> None:
    """Each object is in its component's namespace and each component needs the one before; counts are exact."""
    names = [f"c{number:03}" for number in range(200)]
    made: dict[str, tuple[Resource, ...]] = {}
    for name in names:
        items = [Map({"apiVersion": "v1", "kind": "Namespace", "metadata": Map({"name": name})})]
        for number in range(99):
            metadata = Map({"name": f"o{number}", "namespace": name})
            items.append(Map({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}))
        made[name] = tuple(Resource(ObjectId.of(item), "v1", item) for item in items)
    needs = {name: [before] for before, name in itertools.pairwise(names)}
    needs[names[0]] = []
    found = graph.build(Desired(NAME, None, made), environment(**dict(reversed(needs.items()))))
    assert (len(found.component_of), len(found.edges), len(found.components)) == (20_000, 19_800, 199)
    assert found.order == tuple(names)


@given(st.dictionaries(st.integers(0, 12), st.lists(st.integers(0, 12), max_size=4), max_size=13))
def test_order_respects_needs_or_tells_the_circle(needs: dict[int, list[int]]) -> None:
    """Every node once; each after what it needs, but for needs that close a circle that was told."""
    order, circles = ordered(needs, lambda node: needs.get(node, ()))
    assert len(order) == len(set(order))
    closing = {(circle[-1], circle[0]) for circle in circles}
    place = {node: index for index, node in enumerate(order)}
    for node, found in needs.items():
        for needed in found:
            assert place[needed] < place[node] or (node, needed) in closing
    for circle in circles:
        assert all(following in needs[node] for node, following in zip(circle, [*circle[1:], circle[0]], strict=True))


def test_identities_are_what_edges_hold() -> None:
    made = graph.build(desired(shop=SHOP), environment(shop=[]))
    assert made.component_of[ObjectId("apps", "Deployment", "shop", "web")] == "shop"
