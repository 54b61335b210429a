"""Inventories as ApplySets (KEP-3659)."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from reconciler.model.applyset import (
    Inventory,
    applyset_id,
    member_labels,
    parent_body,
    parent_id,
    read_parent,
)
from reconciler.model.identity import GroupKind, ObjectId

words = st.from_regex(r"[a-z][a-z0-9]{0,9}", fullmatch=True)
kinds = st.builds(
    GroupKind, st.one_of(st.just(""), words.map(lambda text: f"{text}.example.com")), words.map(str.title)
)


def test_ids_follow_the_kep() -> None:
    """The id is the unpadded url-safe base64 of sha256 over `name.namespace.kind.group`, and fits a label value."""
    made = applyset_id(ObjectId("", "Secret", "default", "my-set"))
    assert made == "applyset-kdySOVBWs584aaOTmku9Ul1xDuN7LXBjs-R96jQcisk-v1"


@given(words, st.frozensets(kinds, max_size=5), st.frozensets(words, max_size=4))
def test_a_parent_says_what_its_inventory_holds(
    component: str, group_kinds: frozenset[GroupKind], namespaces: frozenset[str]
) -> None:
    """What is written to a parent is what is read from it."""
    kept = Inventory(component, applyset_id(parent_id("dev", component)), group_kinds, namespaces)
    assert read_parent(parent_body("dev", kept)) == kept


def test_members_point_to_their_parent() -> None:
    labels = member_labels("dev", "web")
    assert labels["applyset.kubernetes.io/part-of"] == applyset_id(parent_id("dev", "web"))
    assert labels["reconciler.dev/environment"] == "dev"


def test_a_union_forgets_nothing() -> None:
    """Widening an inventory keeps what it could hold before."""
    kept = Inventory("web", "id", frozenset({GroupKind("", "Secret")}), frozenset({"a"}), "7")
    wide = kept.union([ObjectId("apps", "Deployment", "b", "x"), ObjectId("", "Namespace", "", "b")])
    assert wide.group_kinds == {GroupKind("", "Secret"), GroupKind("apps", "Deployment"), GroupKind("", "Namespace")}
    assert sorted(wide.namespaces) == ["a", "b"]
    assert wide.resource_version == "7"
