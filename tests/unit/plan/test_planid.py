"""The plan id is bound to content and to nothing else."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.model.identity import ObjectId
from reconciler.model.origin import Origin, Source
from reconciler.model.plan import Action, Change, FieldChange
from reconciler.model.resource import Resource
from reconciler.model.tree import Map
from reconciler.plan.planid import plan_id

WEB = ObjectId("apps", "Deployment", "shop", "web")
LOGIN = ObjectId("", "Secret", "shop", "login")
ORIGIN = Origin(Source("a.yaml", ""), 7)


def change(identity: ObjectId = WEB, value: str = "web:1", old: str = "web:0") -> Change:
    """Return an update of one field."""
    body = Map({"spec": value})
    field = FieldChange("spec", "replace", old, value, ORIGIN)
    return Change(Action.UPDATE, "web", identity, Resource(identity, "v1", body, ORIGIN), (field,), "uid-1", "41")


@given(st.permutations([change(), change(LOGIN), Change(Action.DELETE, "web", WEB._replace(name="old"), uid="uid-2")]))
def test_the_order_of_changes_does_not_matter(changes: list[Change]) -> None:
    assert plan_id("dev", changes) == plan_id("dev", sorted(changes, key=lambda item: item.id))


def test_origins_unchanged_objects_and_versions_do_not_matter() -> None:
    """Another line, another commit and what stays as it is leave the id alone."""
    before = change()
    assert before.resource is not None
    moved = replace(before.fields[0], origin=Origin(Source("b.yaml", ""), 9))
    after = replace(before, resource=replace(before.resource, origin=None), fields=(moved,), resource_version="99")
    assert plan_id("dev", [before]) == plan_id("dev", [after, Change(Action.UNCHANGED, "web", LOGIN)])


@pytest.mark.parametrize(
    "other",
    [
        change(value="web:2"),
        change(old="web:00"),
        replace(change(), uid="uid-9"),
        replace(change(), action=Action.REPLACE),
        replace(change(), id=LOGIN),
        replace(change(), force=True),
    ],
)
def test_content_matters(other: Change) -> None:
    """A desired value, a live value of a changed field, a uid, an action, an identity: each makes another plan."""
    assert plan_id("dev", [change()]) != plan_id("dev", [other])


def test_the_environment_matters() -> None:
    assert plan_id("dev", [change()]) != plan_id("prod", [change()])


def test_a_secret_is_bound_by_its_version() -> None:
    """The live value of a Secret is not in the id, its resourceVersion is."""
    before = change(LOGIN)
    assert plan_id("dev", [before]) != plan_id("dev", [replace(before, resource_version="42")])
    hidden = (replace(before.fields[0], old="(secret)"),)
    assert plan_id("dev", [before]) == plan_id("dev", [replace(before, fields=hidden)])
