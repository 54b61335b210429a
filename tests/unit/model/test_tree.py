"""Trees that know where their entries come from."""

from __future__ import annotations

from reconciler.model.origin import Origin, Source
from reconciler.model.tree import Map, Seq, copy, origin_at

BASE = Origin(Source("base/a.yaml", "base"), 3)
OVERLAY = Origin(Source("overlays/b.yaml", "overlays"), 7, "patch")


def test_keeps_what_a_value_replaced() -> None:
    """An overwritten value stays in the chain, with its own origin."""
    node = Map()
    node.put("replicas", 1, BASE)
    node.put("replicas", 3, OVERLAY)
    shadow = node.origins["replicas"].shadowed
    assert node == {"replicas": 3}
    assert shadow is not None
    assert (shadow.value, shadow.origin) == (1, BASE)


def test_writing_the_same_value_shadows_nothing() -> None:
    node = Map()
    node.put("replicas", 1, BASE)
    node.put("replicas", 1, OVERLAY)
    assert node.origins["replicas"] == OVERLAY


def test_entries_without_an_origin_inherit_the_nearest() -> None:
    """The origin of a leaf is its own, else that of the container around it."""
    root = Map()
    root.put("spec", Map({"items": Seq([Map({"a": 1})], [OVERLAY])}), BASE)
    assert origin_at(root, ("spec", "items", 0, "a")) == OVERLAY
    assert origin_at(root, ("spec", "items")) == BASE
    assert origin_at(root, ("nothing",)) is None


def test_copies_share_nothing() -> None:
    """Writing to a copy leaves the original and its origins alone."""
    root = Map()
    root.put("list", Seq([1], [BASE]), BASE)
    twin = copy(root)
    twin["list"].put(0, 2, OVERLAY)
    twin.put("more", 1, OVERLAY)
    assert root == {"list": [1]}
    assert root["list"].origins == [BASE]
    assert "more" not in root.origins


def test_dropping_a_key_drops_its_origin() -> None:
    node = Map()
    node.put("a", 1, BASE)
    node.drop("a")
    assert (node, node.origins) == ({}, {})
