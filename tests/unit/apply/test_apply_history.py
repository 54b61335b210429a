"""The history of an environment: what it tells, what it never tells, and how much of it is kept."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from reconciler.apply import history
from reconciler.model.applyset import SYSTEM_NAMESPACE
from reconciler.model.history import Changed, Run, parse
from tests.unit.apply.world import World, config_map, namespace, writes

if TYPE_CHECKING:
    from reconciler.model.history import Run as _Run

RUN = Run("c0ffee", "1234", "ada", "2030-01-01T00:00:00Z", "2030-01-01T00:00:02Z", 2.0, "applied")
SECRET = "apiVersion: v1\nkind: Secret\nmetadata: {name: login, namespace: shop}\nstringData: {password: %s}\n---\n"


async def test_a_run_tells_what_changed_and_no_value() -> None:
    """The newest run comes first, with objects, the paths of their fields and where git says them."""
    world = World()
    await world.apply({"base": namespace() + config_map("a", v="1") + SECRET % "canary-1"})
    await world.apply({"base": namespace() + config_map("a", v="2") + SECRET % "canary-2"})
    found = await history.read(world.cluster, "dev")
    assert [run.count("applied") for run in found.runs] == [2, 3]
    newest = found.runs[0]
    assert {(item.action, item.object, item.result) for item in newest.changed} == {
        ("update", "ConfigMap/a -n shop", "applied"),
        ("update", "Secret/login -n shop", "applied"),
    }
    assert [item.fields[0].split(" ")[0] for item in newest.changed] == ["data.v", "data.password"]
    assert set(newest.phases) == {"apply", "prune"}
    body = world.cluster.find("ConfigMap", SYSTEM_NAMESPACE, "dev")
    assert "canary" not in json.dumps(body)
    assert "Y2FuYXJ5" not in json.dumps(body), "nor in base64"


async def test_a_run_without_changes_is_no_news() -> None:
    """It is noted once, as another plan than the one before, and then no more."""
    world = World()
    parts = {"base": namespace() + config_map("a")}
    await world.apply(parts)
    await world.apply(parts)
    world.cluster.calls.clear()
    await world.apply(parts)
    assert writes(world.cluster) == []
    assert [len(run.changed) for run in (await history.read(world.cluster, "dev")).runs] == [0, 2]


async def test_what_cannot_be_read_is_told_and_begun_anew() -> None:
    world = World()
    await world.apply({"base": namespace() + config_map("a")})
    world.cluster.edit("ConfigMap", SYSTEM_NAMESPACE, "dev", {"data": {"runs.json": "[{}]"}})
    found = await history.read(world.cluster, "dev")
    assert (found.runs, found.unreadable) == ((), history.UNREADABLE)
    await world.apply({"base": namespace() + config_map("a", v="2")})
    assert len((await history.read(world.cluster, "dev")).runs) == 1


def run(size: int) -> _Run:
    """Return a run that names so many objects."""
    item = Changed("update", "ConfigMap/" + "x" * 150, "web", "applied", ("data." + "y" * 190,) * history.MOST_FIELDS)
    return replace(RUN, changed=(item,) * size)


@given(st.lists(st.integers(0, history.MOST_OBJECTS), max_size=40))
def test_the_newest_runs_are_kept_and_there_is_a_bound(sizes: list[int]) -> None:
    """Whatever the runs are, what is kept is short enough, and it is the newest of them, whole."""
    runs = [run(size) for size in sizes]
    text = history.bounded(runs)
    kept = [parse(item) for item in json.loads(text)]
    assert len(text) <= history.MOST_BYTES + 2
    assert len(kept) <= history.MOST_RUNS
    assert kept == runs[: len(kept)]
    assert kept or not runs


def test_of_a_big_run_the_first_objects_are_named() -> None:
    assert parse(run(3).document()) == run(3)
