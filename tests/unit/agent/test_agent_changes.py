"""Change ids: what the agent applies is called by the name that the preview of it had."""

from __future__ import annotations

import asyncio
import json
import shutil
from contextlib import closing
from typing import TYPE_CHECKING, Any

from reconciler.agent import run
from reconciler.errors import Forbidden
from reconciler.preview.changeid import change_id
from reconciler.source.mirror import Mirror
from tests.unit.agent.world import SPACE, until

if TYPE_CHECKING:
    from tests.unit.agent.world import Stage


def expected(stage: Stage, before: str, after: str) -> str:
    found = change_id("dev", *(run.rendered(stage.mirror, revision, "dev") for revision in (before, after)))
    assert found
    return found


def record(stage: Stage) -> dict[str, Any]:
    found = stage.cluster.find("ConfigMap", SPACE, "dev")
    assert found is not None
    document: dict[str, Any] = json.loads(found["data"]["agent.json"])
    return document


def last_note(stage: Stage) -> str:
    return str(stage.events()[-1]["note"])


async def test_a_push_is_told_with_its_change_id(stage: Stage) -> None:
    worker = stage.worker()
    first = worker._revision or ""
    async with stage.serving(worker):
        await stage.ran(1, "applied")
        assert "(change" not in last_note(stage), "nobody knows what was before the first one"
        second = stage.push(worker, a="2")
        await stage.ran(2, "applied")
        wanted = expected(stage, first, second)
        assert f"(change {wanted})" in last_note(stage)
        assert record(stage)["change"] == wanted
        stage.schedule.now("dev")
        await stage.ran(3, "applied")
        assert record(stage)["change"] == wanted


async def test_a_restart_knows_from_the_record_what_was_before(stage: Stage) -> None:
    worker = stage.worker()
    first = worker._revision or ""
    async with stage.serving(worker):
        await stage.ran(1, "applied")
    stage.repository.values(a="2")
    again = stage.worker()
    second = again._revision or ""
    async with stage.serving(again):
        await stage.ran(2, "applied")
        assert record(stage)["change"] == expected(stage, first, second)
        assert f"(change {record(stage)['change']})" in last_note(stage)


async def test_a_change_that_is_tried_again_keeps_its_id(stage: Stage) -> None:
    """In the same process, and in the one after it."""
    worker = stage.worker()
    first = worker._revision or ""
    async with stage.serving(worker):
        await stage.ran(1, "applied")
        stage.cluster.fail("apply", kind="ConfigMap", name="a", error=Forbidden("no", status=403), times=2)
        second = stage.push(worker, a="2")
        wanted = expected(stage, first, second)
        for _ in range(2):
            await stage.ran(1, "failed")
            assert f"(change {wanted})" in last_note(stage)
            stage.schedule.now("dev")
        await stage.ran(2, "failed")
    again = stage.worker()
    async with stage.serving(again):
        await stage.ran(2, "applied")
        assert record(stage)["result"] == "applied"
        assert record(stage)["change"] == wanted
        assert f"(change {wanted})" in last_note(stage)


async def test_a_change_that_was_interrupted_keeps_its_id(stage: Stage) -> None:
    worker = stage.worker()
    first = worker._revision or ""
    async with stage.serving(worker):
        await stage.ran(1, "applied")
        before = stage.cluster.before

        def end(call: Any) -> None:
            if call.verb == "apply" and call.name == "m0":
                stage.cluster.before = before
                worker._ending.set()

        stage.cluster.before = end
        second = stage.push(worker, **{f"m{number}": "2" for number in range(40)})
        await stage.ran(1, "interrupted")
        await asyncio.sleep(0)
        stage.schedule.now("dev")
        await stage.ran(2, "applied")
        assert record(stage)["change"] == expected(stage, first, second)


async def test_after_a_bad_commit_the_change_is_from_the_last_good_one(stage: Stage) -> None:
    """Whether the agent was restarted in between or not."""
    worker = stage.worker()
    first = worker._revision or ""
    async with stage.serving(worker):
        await stage.ran(1, "applied")
        stage.repository.write("dev", "a: [")
        stage.repository.commit("bad")
        stage.moved(worker)
        await stage.ran(1, "invalid")
        assert not record(stage)["change"]
    stage.repository.values(a="3")
    again = stage.worker()
    async with stage.serving(again):
        await stage.ran(2, "applied")
        assert record(stage)["change"] == expected(stage, first, again._revision or "")


async def test_a_history_that_lost_what_was_before_has_no_id(stage: Stage) -> None:
    """It was rewritten, and the mirror made anew: the commit is applied all the same."""
    worker = stage.worker()
    async with stage.serving(worker):
        await stage.ran(1, "applied")
    stage.repository.git("checkout", "-q", "--orphan", "fresh")
    stage.repository.values(a="9")
    stage.repository.git("branch", "-q", "-D", "main")
    stage.repository.git("branch", "-q", "-m", "main")
    stage.repository.git("reflog", "expire", "--expire=now", "--all")
    stage.repository.git("gc", "-q", "--prune=now")
    stage.mirror.close()
    shutil.rmtree(stage.mirror.directory)
    with closing(Mirror.open(stage.settings.remote, stage.settings.mirror)) as stage.mirror:
        again = stage.worker()
        async with stage.serving(again):
            await stage.ran(2, "applied")
            assert not record(stage)["change"]
            assert "(change" not in last_note(stage)
            assert stage.value("a") == "9"
            await until(lambda: stage.holder() == "ada")
