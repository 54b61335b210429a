"""The history of an environment: what it tells, what it never tells, and how much of it is kept."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from reconciler.apply import history
from reconciler.errors import Forbidden
from reconciler.model.applyset import SYSTEM_NAMESPACE
from reconciler.model.history import Changed, Run, parse
from tests.fakes.cluster import FakeCluster
from tests.unit.apply.world import World, config_map, deployment, namespace, writes

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


async def kept(*runs: _Run) -> list[str]:
    """Return the plan ids that are kept of runs that were recorded one after the other, newest first."""
    cluster = FakeCluster()
    for item in runs:
        await history.record(cluster, "dev", item)
    return [item.plan_id for item in (await history.read(cluster, "dev")).runs]


async def test_what_changes_nothing_pushes_out_nothing_that_did() -> None:
    """Commits that do not concern the environment leave one record, and so does a failure that is met again and again."""
    change, failure = replace(RUN, plan_id="change"), replace(RUN, result="failed", wrote=False)
    idle = [replace(RUN, revision=f"other-{number}", plan_id=f"idle-{number}", wrote=False) for number in range(30)]
    assert await kept(change, replace(RUN, plan_id="idle", wrote=False)) == ["change"], "the same commit, and no news"
    assert await kept(change, *idle) == ["idle-29", "change"]
    failing = [replace(failure, plan_id=f"failed-{number}") for number in range(30)]
    assert await kept(change, *failing, replace(change, plan_id="mended")) == ["mended", "failed-0", "change"]


async def test_without_a_commit_a_run_is_told_by_its_plan() -> None:
    runs = [replace(RUN, revision=None, plan_id=name, result="failed", wrote=False) for name in ("a", "b", "b")]
    assert await kept(replace(RUN, revision=None), *runs) == ["b", "1234"]


async def test_an_object_that_is_refused_each_time_was_not_written_and_one_that_is_not_healthy_was() -> None:
    world = World(FakeCluster(settle=lambda body: {"phase": "Active"} if body["kind"] == "Namespace" else None))
    world.cluster.fail("apply", name="a", error=Forbidden("no", status=403), times=-1)
    for _ in range(3):
        await world.apply({"base": namespace() + config_map("a")})
    await world.apply({"base": namespace() + deployment("web")})
    runs = (await history.read(world.cluster, "dev")).runs
    assert [(item.result, item.wrote) for item in runs] == [("failed", True), ("failed", False), ("failed", True)]


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
