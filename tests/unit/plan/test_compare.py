"""The local comparison on what a server has recorded (the fake one here; `test_zoo_cluster` asks the real one)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler import yaml
from reconciler.model.identity import GroupVersionKind
from reconciler.model.origin import Source
from reconciler.plan.compare import unchanged
from reconciler.plan.openapi import Schemas
from tests.fakes.cluster import FakeCluster
from tests.unit.plan.scene import plain

DOCUMENTS = asyncio.run(FakeCluster().openapi(["v1", "apps/v1", "networking.k8s.io/v1"]))
SCHEMAS = Schemas(DOCUMENTS)

BEFORE = """
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: web, namespace: shop}
spec:
  podSelector: {matchLabels: {app: web}}
  ingress: [{from: [{podSelector: {matchLabels: {app: a}}, namespaceSelector: {}}], ports: [{port: 80, protocol: TCP}]}]
"""


def cluster() -> FakeCluster:
    """Return a cluster with the namespace that the tests use."""
    made = FakeCluster()
    made.seed({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}})
    return made


def body(text: str) -> Any:
    """Return one object from its text."""
    return plain(yaml.parse(text, Source("x.yaml", ""))[0])


def same(wanted: Any, live: Any) -> bool:
    """Compare under the kind's schema."""
    return unchanged(wanted, live, SCHEMAS.of(GroupVersionKind.of(wanted)))


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("protocol: TCP", "protocol: UDP", False),
        (", protocol: TCP", "", True),  # the default says the same
        (", namespaceSelector: {}", "", False),  # an empty selector selects all, none selects the own namespace
        ("app: a", "app: b", False),
        ("- {podSelector", "- {podSelector", True),
        ("port: 80", "port: '80'", False),  # a number and a name
        ("{name: web, namespace: shop}", "{name: web, namespace: shop, labels: {}}", False),  # becomes ours
    ],
)
def test_what_is_seen_inside_an_atomic_list(old: str, new: str, expected: bool) -> None:
    """What others cannot own is compared as a whole: defaults may be left out, meanings may not."""
    live = cluster().seed_apply(body(BEFORE))
    assert same(body(BEFORE.replace(old, new)), live) is expected


def test_what_somebody_took_is_seen_though_it_is_the_same_again() -> None:
    """A field whose ownership went to another is not ours any more, whatever its value."""
    made = cluster()
    wanted = body(
        "{apiVersion: v1, kind: ConfigMap, metadata: {name: a, namespace: shop}, data: {key: one, other: two}}"
    )
    live = made.seed_apply(wanted)
    assert same(wanted, live)
    made.edit("ConfigMap", "shop", "a", {"data": {"key": "changed"}})
    live = made.edit("ConfigMap", "shop", "a", {"data": {"key": "one"}})
    assert not same(wanted, live)


def test_what_others_add_is_theirs() -> None:
    """Fields, labels and list elements of others make no difference."""
    made = cluster()
    wanted = body("{apiVersion: v1, kind: ConfigMap, metadata: {name: a, namespace: shop}, data: {key: one}}")
    made.seed_apply(wanted)
    live = made.edit("ConfigMap", "shop", "a", {"data": {"more": "x"}, "metadata": {"labels": {"a": "b"}}})
    assert same(wanted, live)


@pytest.mark.parametrize(
    ("wanted", "edit", "expected"),
    [
        ("kind: NetworkPolicy, apiVersion: networking.k8s.io/v1, spec: {podSelector: {}, ingress: []}", {"spec": {"ingress": [{}]}}, False),
        ("kind: NetworkPolicy, apiVersion: networking.k8s.io/v1, spec: {podSelector: {}, ingress: []}", {}, True),
        ("kind: ServiceAccount, apiVersion: v1, secrets: []", {"secrets": [{"name": "a"}]}, True),
        ("kind: ConfigMap, apiVersion: v1, data: {a: null, b: ours}", {"data": {"a": "theirs"}}, True),
    ],
)  # fmt: skip
def test_what_others_put_where_git_has_nothing(wanted: str, edit: dict[str, Any], expected: bool) -> None:
    """It is drift where the empty value was ours, as in a policy that denies all; else it is theirs."""
    made = cluster()
    text = body(f"{{metadata: {{name: a, namespace: shop, labels: {{a: b}}}}, {wanted}}}")
    made.seed_apply(text)
    live = made.edit(text["kind"], "shop", "a", edit)
    assert same(text, live) is expected


def test_a_field_says_itself_whether_its_map_is_one_value() -> None:
    """`claimRef` refers to ObjectReference, which is atomic, and is granular: the controller adds to it what it knows."""
    volume = Schemas(DOCUMENTS).of(GroupVersionKind("", "v1", "PersistentVolume")).child("spec")
    assert not volume.child("claimRef").atomic


KEYS = st.text("abc./-", min_size=1, max_size=4)
VALUES = st.dictionaries(KEYS, st.text(max_size=4), max_size=4)


@settings(max_examples=60, deadline=None)
@given(labels=VALUES, first=VALUES, second=VALUES)
def test_unchanged_exactly_when_nothing_changed(
    labels: dict[str, str], first: dict[str, str], second: dict[str, str]
) -> None:
    """For maps of any content: the same when, and only when, git says the same as before."""
    base = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "a", "namespace": "shop", "annotations": labels},
    }
    live = cluster().seed_apply({**base, "data": first})
    assert same({**base, "data": second}, live) is (first == second)


def test_a_schema_that_contains_itself_can_be_read() -> None:
    """The definition of definitions is recursive; it is unfolded as far as somebody looks."""
    documents = asyncio.run(FakeCluster().openapi(["apiextensions.k8s.io/v1"]))
    schema = Schemas(documents).of(GroupVersionKind("apiextensions.k8s.io", "v1", "CustomResourceDefinition"))
    versions = schema.child("spec").child("versions").items
    assert versions is not None
    node = versions.child("schema").child("openAPIV3Schema")
    for _ in range(20):
        node = node.child("properties").child("anything")
    assert node.child("type").type == "string"
