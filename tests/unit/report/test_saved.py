"""Plans kept in files."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from reconciler.errors import ConfigError, UnsafePlan
from reconciler.model.graph import Graph
from reconciler.model.identity import ObjectId
from reconciler.model.plan import Action, Change, Plan
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
    saved.save(path, PLAN)
    kept = saved.load(path)
    assert CANARY not in path.read_text()
    assert (kept.environment, kept.revision, kept.plan) == ("dev", "abc", "p-1")
    saved.require_same(kept, PLAN)
    assert [item.name for item in tmp_path.iterdir()] == ["plan.json"]


def test_a_stale_plan_says_what_moved(tmp_path: Path) -> None:
    """A plan of another id is refused, naming each object that is different."""
    path = tmp_path / "plan.json"
    saved.save(path, PLAN)
    other = replace(PLAN, id="p-2", changes=(replace(CHANGE, action=Action.UPDATE, uid="u"),))
    with pytest.raises(UnsafePlan, match=r"Secret web/password: was create, is update"):
        saved.require_same(saved.load(path), other)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"apiVersion": "v2", "kind": "Plan"}'])
def test_another_file_is_no_plan(tmp_path: Path, content: str) -> None:
    path = tmp_path / "plan.json"
    path.write_text(content)
    with pytest.raises(ConfigError, match=r"plan.json: expected a plan written by"):
        saved.load(path)


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be written"):
        saved.save(tmp_path / "missing" / "plan.json", PLAN)
