"""Changes that wait, and plans that are refused for the time being."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec
import pytest

from reconciler.environment import Deletions
from reconciler.environment.windows import OPEN, Windows
from reconciler.plan import graph, mark, planner
from tests.unit.plan.scene import scene

if TYPE_CHECKING:
    from reconciler.model.plan import Plan
    from tests.unit.plan.scene import Scene


def config_map(name: str, value: str = "1") -> str:
    return f"{{apiVersion: v1, kind: ConfigMap, metadata: {{name: {name}, namespace: shop}}, data: {{v: '{value}'}}}}"


def plan(text: str, closed: Windows = OPEN) -> Plan:
    return planned(scene(text), closed)


def planned(made: Scene, closed: Windows = OPEN, **deletions: object) -> Plan:
    """Plan a scene, with another policy for deletions where there is one."""
    if deletions:
        policy = msgspec.structs.replace(made.environment.policy, deletions=msgspec.convert(deletions, Deletions))
        spec = msgspec.structs.replace(made.environment.spec, policy=policy)
        made = replace(made, environment=replace(made.environment, spec=spec))
    desired = mark.marked(made.desired)
    edges = graph.build(desired, made.environment)
    observation = asyncio.run(made.observation())
    return planner.make(desired, observation, made.environment, {}, edges, closed=closed)


CHANGES = f"""
environment: {{components: [{{name: web, suspend: %s}}, {{name: data}}]}}
before: {{web: [{config_map("a")}, {config_map("gone")}, {config_map("leaves")}], data: [{config_map("arrives")}]}}
git:
  web: [{config_map("a", "2")}, {config_map("new")}, {config_map("arrives")}]
  data: [{config_map("leaves")}, {config_map("other")}]
"""


def told(made: Plan) -> dict[str, str]:
    return {change.id.name: f"{change.action}{' held' if change.held else ''}" for change in made.changes}


def test_a_suspended_component_is_left_as_it_is() -> None:
    """What it would change, delete, give away or take is shown and held back; the rest goes on."""
    made = plan(CHANGES % "true")
    assert told(made) == {
        "a": "update held",
        "new": "create held",
        "gone": "delete held",
        "arrives": "move held",
        "leaves": "move held",
        "other": "create",
    }
    assert {change.held for change in made.changes if change.held} == {"component web is suspended"}
    assert (made.summary["held"], made.summary["create"], made.summary["delete"]) == (5, 1, 0)
    assert plan(CHANGES % "false").summary["held"] == 0


def test_a_component_outside_of_its_window_waits() -> None:
    made = plan(CHANGES % "false", Windows(components={"web": "no window is open"}))
    assert told(made)["a"] == "update held"
    assert told(made)["other"] == "create"


def test_a_plan_with_nothing_but_held_changes_writes_nothing() -> None:
    text = f"""
environment: {{components: [{{name: web, suspend: true}}]}}
before: {{web: [{config_map("a")}]}}
git: {{web: [{config_map("a", "2")}]}}
"""
    assert plan(text).empty
    assert plan(text.replace("true", "false")).summary["update"] == 1


def test_deletes_that_wait_are_not_counted_in_the_budget() -> None:
    text = f"""
environment: {{components: [{{name: web, suspend: true}}], policy: {{deletions: {{max: 0}}}}}}
before: {{web: [{config_map("a")}, {config_map("b")}]}}
git: {{web: [{config_map("a")}]}}
"""
    assert plan(text).refusals == ()
    assert [item.rule for item in plan(text.replace("true", "false")).refusals] == ["budget"]


@pytest.mark.parametrize(("value", "rules"), [("1", []), ("2", ["window"])])
def test_outside_of_the_windows_only_a_plan_that_changes_something_is_refused(value: str, rules: list[str]) -> None:
    text = f"before: {{web: [{config_map('a')}]}}\ngit: {{web: [{config_map('a', value)}]}}"
    made = scene(text)
    found = planned(made, Windows("no window that allows changes is open"))
    assert [item.rule for item in found.refusals] == rules
    assert all(item.acknowledgeable for item in found.refusals)
    assert found.id == planned(made).id, "the time of day is not content"


def test_a_component_that_loses_most_of_its_objects_is_refused() -> None:
    """Three of five are more than half; one that is taken out of environment.yaml is another thing."""
    many = ", ".join(config_map(name) for name in "abcde")
    text = f"before: {{web: [{many}]}}\ngit: {{web: [{config_map('a')}, {config_map('b')}]}}"
    (refusal,) = plan(text).refusals
    assert (refusal.rule, len(refusal.ids), refusal.acknowledgeable) == ("shrunken-source", 3, True)
    assert refusal.message.startswith("component web would lose 3 of the 5 objects that it owns")
    half = f"before: {{web: [{many}]}}\ngit: {{web: [{config_map('a')}, {config_map('b')}, {config_map('c')}]}}"
    assert plan(half).refusals == ()
    listed = "environment: {components: [{name: other}]}\n"
    assert plan(f"{listed}before: {{web: [{many}]}}\ngit: {{other: [{config_map('z')}]}}").refusals == ()
    allowed = "environment: {components: [{name: web}], policy: {deletions: {shrink: 60}}}\n"
    assert plan(allowed + text).refusals == ()


def test_what_waits_is_not_deleted_with_its_namespace() -> None:
    """The Namespace of another component: its delete would take along what the suspended one still has."""
    text = f"""
environment: {{components: [{{name: web, suspend: true}}, {{name: spaces}}], policy: {{deletions: {{protect: []}}}}}}
before:
  web: [{config_map("a")}, {config_map("gone")}]
  spaces: [{{apiVersion: v1, kind: Namespace, metadata: {{name: shop}}}}]
git: {{web: []}}
"""
    made = plan(text)
    assert told(made) == {"a": "delete held", "gone": "delete held", "shop": "delete"}
    (space,) = (change for change in made.changes if change.id.kind == "Namespace")
    assert "would take along what is to stay (ConfigMap/a -n shop, ConfigMap/gone -n shop)" in space.problem


def test_an_acknowledgement_of_deletions_is_none_of_a_window_that_has_closed() -> None:
    """The id says nothing of the time of day, so that a window is accepted by name, and only where it is closed."""
    made = scene(f"before: {{web: [{config_map('a')}, {config_map('b')}]}}\ngit: {{web: [{config_map('a')}]}}")
    opened, closed = planned(made, max=0), planned(made, Windows("no window is open"), max=0)
    assert (opened.acknowledgement, closed.acknowledgement) == (opened.id, f"{opened.id}+window")
    assert opened.accepted(opened.acknowledgement)
    assert opened.accepted(closed.acknowledgement), "the window has opened meanwhile"
    assert closed.accepted(closed.acknowledgement)
    assert not any(closed.accepted(given) for given in ("", opened.id, "window", f"{opened.id}+suspended"))


def test_what_is_refused_is_part_of_the_id() -> None:
    """An acknowledgement of a budget is none of a protected kind."""
    made = scene(f"before: {{web: [{config_map('a')}, {config_map('b')}]}}\ngit: {{web: [{config_map('a')}]}}")
    budget = planned(made, max=0).id
    assert budget == planned(made, max=0).id
    assert budget != planned(made, max=1).id
    assert budget != planned(made, max=0, protect=["ConfigMap"]).id
