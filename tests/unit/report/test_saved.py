"""Plans kept in files."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis.strategies import DataObject, binary, data, integers, just, one_of

from reconciler.errors import ConfigError, UnsafePlan
from reconciler.model.graph import Graph
from reconciler.model.identity import ObjectId
from reconciler.model.plan import Action, Change, FieldChange, Plan
from reconciler.model.resource import Resource
from reconciler.model.tree import Map
from reconciler.report import saved

if TYPE_CHECKING:
    from pathlib import Path

CANARY = "canary-5e1f"
ID = ObjectId("", "Secret", "web", "password")
CHANGE = Change(Action.CREATE, "web", ID, Resource(ID, "v1", Map({"data": Map({"password": CANARY})})))
PLAN = Plan("dev", "abc", "p-1", (CHANGE,), Graph({}, (), (), ("web",)))


def test_a_kept_plan_fits_itself_and_holds_no_value(tmp_path: Path) -> None:
    """The file says nothing of any field's value, and the same plan passes."""
    path = tmp_path / "plan.json"
    path.write_text(saved.text(PLAN, "cluster-1"))
    kept = saved.load(path)
    assert CANARY not in path.read_text()
    assert (kept.environment, kept.revision, kept.plan) == ("dev", "abc", "p-1")
    saved.require_same(kept, PLAN, "cluster-1")


def test_a_stale_plan_says_what_moved(tmp_path: Path) -> None:
    """A plan of another id is refused, naming each object that is different."""
    path = tmp_path / "plan.json"
    path.write_text(saved.text(PLAN, "cluster-1"))
    other = replace(PLAN, id="p-2", changes=(replace(CHANGE, action=Action.UPDATE, uid="u"),))
    with pytest.raises(UnsafePlan, match=r"Secret web/password: was create, is update"):
        saved.require_same(saved.load(path), other, "cluster-1")


def test_a_stale_plan_names_each_field_and_the_side_that_moved(tmp_path: Path) -> None:
    fields = (
        FieldChange("spec.a", "replace", 1, 2),
        FieldChange("spec.b", "replace", 1, 2),
        FieldChange("spec.c", "add"),
    )
    before = replace(PLAN, changes=(replace(CHANGE, action=Action.UPDATE, fields=fields),))
    path = tmp_path / "plan.json"
    path.write_text(saved.text(before, "cluster-1"))
    moved = (replace(fields[0], old=3), replace(fields[1], old=0, new=3), FieldChange("spec.d", "add", None, 1))
    after = replace(before, id="p-2", changes=(replace(before.changes[0], fields=moved),))
    with pytest.raises(UnsafePlan) as caught:
        saved.require_same(saved.load(path), after, "cluster-1")
    told = [line.strip() for line in str(caught.value).splitlines()[1:-1]]
    assert told == [
        "Secret web/password: spec.a: the live value changed",
        "Secret web/password: spec.b: the live value and git's value changed",
        "Secret web/password: spec.c changes no more",
        "Secret web/password: spec.d changes too",
    ]


def test_a_plan_of_another_cluster_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    path.write_text(saved.text(PLAN, "cluster-1"))
    with pytest.raises(UnsafePlan, match="made for another cluster"):
        saved.require_same(saved.load(path), PLAN, "cluster-2")


@given(data())
def test_a_file_that_was_cut_or_edited_is_never_taken(
    tmp_path_factory: pytest.TempPathFactory, drawn: DataObject
) -> None:
    """Whatever happens to one of its bytes, or wherever it ends it is the same plan, or an error that names the file."""
    path = tmp_path_factory.mktemp("plans") / "plan.json"
    path.write_text(saved.text(PLAN, "cluster-1"))
    kept, content = saved.load(path), path.read_bytes()
    place = drawn.draw(integers(0, len(content) - 2))
    other = drawn.draw(one_of(just(b""), binary(min_size=1, max_size=1)))
    path.write_bytes(content[:place] + (other + content[place + 1 :] if other else b""))
    told = ""
    try:
        again = saved.load(path)
    except ConfigError as error:
        told = str(error)
    else:
        assert again == kept
    assert not told or "plan.json" in told


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"apiVersion": "v2", "kind": "Plan"}'])
def test_another_file_is_no_plan(tmp_path: Path, content: str) -> None:
    path = tmp_path / "plan.json"
    path.write_text(content)
    with pytest.raises(ConfigError, match=r"plan.json: expected a plan written by"):
        saved.load(path)
