"""Fields that git leaves to others."""

from __future__ import annotations

import msgspec

from reconciler.environment import Ignore
from reconciler.model.path import parse_path
from reconciler.plan.ignore import Ignored, remove, yielded
from tests.unit.plan.scene import objects, plain

WEB = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  replicas: 2
  template: {spec: {containers: [{name: side, image: "side:1"}, {name: web, image: "web:1"}]}}
"""
REPLICAS = parse_path("spec.replicas")


def live(replicas: int, *, ours: bool) -> dict[str, object]:
    """Return a live object, whose replicas are ours or not."""
    owned = "f:replicas" if ours else "f:paused"
    entry = {"manager": "reconciler", "operation": "Apply", "fieldsV1": {"f:spec": {owned: {}}}}
    return {"metadata": {"managedFields": [entry]}, "spec": {"replicas": replicas}}


def test_a_field_of_ours_keeps_its_live_value() -> None:
    """Leaving it out would reset it to its default."""
    (web,) = objects(WEB)
    assert yielded(web.body, live(7, ours=True), [REPLICAS])["spec"]["replicas"] == 7
    assert web.body["spec"]["replicas"] == 2


def test_a_field_of_others_is_left_out() -> None:
    (web,) = objects(WEB)
    assert "replicas" not in yielded(web.body, live(7, ours=False), [REPLICAS])["spec"]


def test_of_a_map_only_what_is_ours_is_sent_back() -> None:
    """Or whatever a controller adds to the annotations would be ours with the next apply, and differ with the one after it."""
    (web,) = objects(WEB.replace("namespace: shop", "namespace: shop, annotations: {mine: '2'}"))
    fields: dict[str, object] = {"f:metadata": {"f:annotations": {"f:mine": {}}}}
    entry = {"manager": "reconciler", "operation": "Apply", "fieldsV1": fields}
    there = {"metadata": {"annotations": {"mine": "1", "theirs": "x"}, "managedFields": [entry]}}
    assert yielded(web.body, there, [parse_path("metadata.annotations")])["metadata"]["annotations"] == {"mine": "1"}


def test_a_field_that_git_does_not_set_is_no_matter() -> None:
    (web,) = objects(WEB)
    assert yielded(web.body, live(7, ours=True), [parse_path("spec.paused")]) is web.body


def test_rules_choose_by_group_kind_namespace_and_name() -> None:
    """Each part that a rule gives has to fit."""
    (web,) = objects(WEB)
    fitting = Ignore(kind="Deployment", group="apps", namespace="shop", name="web", path="spec.replicas")
    others = [msgspec.structs.replace(fitting, **{key: "other"}) for key in ("group", "kind", "namespace", "name")]
    assert Ignored([fitting], ()).paths(web.id) == (REPLICAS,)
    assert Ignored(others, ()).paths(web.id) == ()


def test_an_element_of_a_list_can_be_taken_out_with_its_origin() -> None:
    """The origins of the elements behind it stay theirs."""
    (web,) = objects(WEB)
    containers = web.body["spec"]["template"]["spec"]["containers"]
    behind = containers.origins[1]
    remove(web.body, ("spec", "template", "spec", "containers", 0))
    assert plain(containers) == [{"name": "web", "image": "web:1"}]
    assert containers.origins == [behind]
