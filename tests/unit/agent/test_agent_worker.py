"""One environment: what is written when, what is told of it, what is tried again."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
import structlog

from reconciler import pipeline
from reconciler.agent import run
from reconciler.apply import lease
from reconciler.errors import Forbidden, Invalid, SourceError, Unavailable
from tests.fakes import rules
from tests.fakes.cluster import FakeCluster
from tests.unit.agent.world import EVENTS, SPACE, until
from tests.unit.apply.world import config_map, deployment, namespace, writes

if TYPE_CHECKING:
    from reconciler.model.resource import Desired
    from tests.fakes.cluster import Call
    from tests.unit.agent.world import Stage


def record(stage: Stage) -> dict[str, Any]:
    """Return the agent's record in the cluster."""
    found = stage.cluster.find("ConfigMap", SPACE, "dev")
    assert found is not None
    document: dict[str, Any] = json.loads(found["data"]["agent.json"])
    return document


def of_objects(stage: Stage) -> list[tuple[str, str, str]]:
    """Return the writes of what git defines."""
    return [item for item in writes(stage.cluster) if item[1] in ("Namespace", "ConfigMap") and item[2] in "abcdef"]


async def test_a_revision_is_applied_and_a_run_without_news_only_reads(stage: Stage) -> None:
    """No write at all, the Lease's renewals aside; the Lease itself is held all along."""
    worker = stage.worker()
    async with stage.serving(worker):
        await until(lambda: stage.runs() == 1)
        assert stage.value("a") == "1"
        assert stage.reasons() == ["Applied"]
        assert stage.holder() == "ada"
        assert stage.holder("reconciler-dev") == "", "the writer's Lease is free between runs"
        stage.cluster.calls.clear()
        stage.schedule.now("dev")
        await until(lambda: stage.runs() == 2)
        assert {call.verb for call in stage.cluster.calls} <= {"list", "discovery", "openapi"}
        await stage.clock.advance(20)
        assert {(verb, kind) for verb, kind, _ in writes(stage.cluster)} == {("update", "Lease")}
        stage.schedule.now("dev")
        await until(lambda: stage.runs() == 3)
    assert stage.holder() == ""
    assert (stage.runs("applied"), stage.reasons()) == (3, [])


async def test_a_run_that_plans_twice_renders_once(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the writer's Lease and under it; the first run of a commit plans under it alone."""
    rendered: list[str] = []
    render = pipeline.render

    def counted(checkout: pipeline.Checkout) -> Desired:
        rendered.append(checkout.environment.name)
        return render(checkout)

    monkeypatch.setattr(pipeline, "render", counted)
    worker = stage.worker()
    async with stage.serving(worker):
        await until(lambda: stage.runs() == 1)
        rendered.clear()
        stage.cluster.edit("ConfigMap", "shop", "a", {"data": {"v": "by hand"}})
        stage.schedule.now("dev")
        await until(lambda: stage.runs() == 2)
        assert (stage.value("a"), rendered) == ("1", ["dev"])


async def test_drift_is_counted_and_repaired_and_told(stage: Stage) -> None:
    worker = stage.worker()
    async with stage.serving(worker):
        await until(lambda: stage.runs() == 1)
        before = record(stage)
        stage.cluster.edit("ConfigMap", "shop", "a", {"data": {"v": "by hand"}})
        stage.schedule.now("dev")
        await until(lambda: stage.runs() == 2)
        assert stage.value("a") == "1"
        assert stage.reasons() == ["Applied", "DriftRepaired"]
        assert b'reconciler_drifted_objects{environment="dev"} 1.0' in stage.metrics.text()
        assert record(stage) == before, "nothing new is to be recorded"
        stage.schedule.now("dev")
        await until(lambda: stage.runs() == 3)
        assert b'reconciler_drifted_objects{environment="dev"} 0.0' in stage.metrics.text()
    assert b'reconciler_drifted_objects{environment="dev"}' not in stage.metrics.text(), (
        "it is another replica's to tell"
    )


@pytest.mark.parametrize("broken", ["objects", "environment", "circle"])
async def test_a_revision_that_cannot_be_rendered_is_told_and_changes_nothing(stage: Stage, broken: str) -> None:
    worker = stage.worker()
    async with stage.serving(worker):
        await until(lambda: stage.runs() == 1)
        first = worker._revision
        stage.cluster.calls.clear()
        if broken == "objects":
            stage.repository.write("dev", "a: [")
        elif broken == "circle":
            circle = config_map("a", needs="b") + config_map("b", needs="a")
            stage.repository.write("dev", namespace() + circle)
        else:
            stage.repository.environment("dev", more="  nonsense: 1\n")
        bad = stage.repository.commit("bad")
        stage.moved(worker)
        await until(lambda: stage.runs("invalid"))
        assert not of_objects(stage)
        assert stage.reasons() == ["InvalidRevision"]
        kept = record(stage)
        assert (kept["revision"], kept["result"], kept["applied"]) == (bad, "invalid", first)
        assert stage.schedule.pauses == [], "the same commit is as bad in a while"
        stage.schedule.now("dev")
        await until(lambda: stage.runs("invalid") == 2)
        assert stage.reasons() == ["InvalidRevision"], "it is told once"
        stage.repository.environment("dev")
        good = stage.push(worker, a="3")
        await until(lambda: stage.value("a") == "3")
        await until(lambda: stage.reasons() == ["InvalidRevision", "Applied"])
        assert (record(stage)["applied"], record(stage)["result"]) == (good, "applied")


async def test_failures_are_tried_again_later_each_time_and_never_beyond_the_interval(stage: Stage) -> None:
    """And told once, as long as nothing else goes wrong."""
    stage.cluster.fail("apply", kind="ConfigMap", name="a", error=Forbidden("no right", status=403), times=-1)
    worker = stage.worker()
    async with stage.serving(worker):
        for number in range(1, 12):
            await stage.ran(number, "failed")
            stage.schedule.now("dev")
        assert stage.schedule.pauses[:9] == [2, 4, 8, 16, 32, 64, 128, 256, 300]
        worker._failures = 5000
        before = len(stage.schedule.pauses)
        stage.schedule.now("dev")
        await until(lambda: len(stage.schedule.pauses) > before)
        assert stage.schedule.pauses[-1] == worker.interval == 300
        assert stage.reasons() == ["ApplyFailed"]
        assert record(stage)["message"] == "ConfigMap/a -n shop: no right"
        before = len(stage.schedule.pauses)
        stage.push(worker, a="2")
        await until(lambda: len(stage.schedule.pauses) > before)
        assert stage.schedule.pauses[before] == 2, "another commit begins anew"


async def test_a_refused_plan_writes_nothing_and_says_how_to_accept_it(stage: Stage) -> None:
    stage.repository.environment("dev", more="  policy: {deletions: {max: 1}}\n")
    stage.repository.values(a="1", b="1", c="1", d="1")
    worker = stage.worker()
    async with stage.serving(worker):
        await until(lambda: stage.runs("applied") == 1)
        stage.cluster.calls.clear()
        stage.push(worker, a="1")
        await until(lambda: stage.runs("refused"))
        assert not of_objects(stage)
        assert stage.reasons() == ["PlanRefused"]
        assert "reconciler apply dev --acknowledge " in stage.events()[0]["note"]
        assert stage.value("d") == "1"


def waits_for_health(stage: Stage) -> bool:
    return any(call.verb == "watch" and call.kind == "Deployment" for call in stage.cluster.calls)


async def test_a_wait_for_health_gives_way_to_a_commit_that_renders_and_not_to_another(stage: Stage) -> None:
    stage.repository.write("dev", namespace() + deployment("web"))
    stage.repository.commit("never healthy")
    stage.cluster = slow_cluster()
    worker = stage.worker()
    async with stage.serving(worker):
        await until(lambda: waits_for_health(stage))
        stage.repository.write("dev", "a: [")
        stage.repository.commit("bad")
        stage.moved(worker)
        assert worker._deciding is not None
        await asyncio.wait((worker._deciding,))
        await asyncio.sleep(0.05)
        assert stage.runs() == 0, "it still waits"
        stage.push(worker, a="2")
        await until(lambda: stage.runs("applied"))
        assert stage.runs("interrupted") == 1
        assert stage.value("a") == "2"
        assert stage.schedule.pauses == []


async def test_a_decision_that_comes_late_does_not_end_the_run_of_its_own_commit(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rendering to decide may take longer than the run that was to give way."""
    ready, go = asyncio.Event(), asyncio.Event()
    worker = stage.worker()

    def hold(call: Call) -> None:
        if call.kind == "ConfigMap" and call.verb == "apply" and call.name == "a" and not ready.is_set():
            ready.set()
            stage.repository.values(a="2")
            worker.move(worker.environment, stage.mirror.fetch())

    async def decided(*_: object) -> None:
        await go.wait()

    monkeypatch.setattr(asyncio, "to_thread", only_for(run.rendered, decided))
    stage.cluster.before = hold
    async with stage.serving(worker):
        await until(lambda: stage.runs() == 1)

        def decide(call: Call) -> None:
            if call.kind == "ConfigMap" and call.verb == "apply" and call.name == "a":
                go.set()

        stage.cluster.before = decide
        await until(lambda: stage.runs() == 2)
        assert stage.runs("applied") == 2
        assert stage.value("a") == "2"


def only_for(function: object, instead: Any) -> Any:
    """Return `to_thread` with something else for one function."""
    real = asyncio.to_thread

    async def chosen(called: Any, *arguments: Any, **named: Any) -> Any:
        if called is function:
            return await instead(*arguments)
        return await real(called, *arguments, **named)

    return chosen


def slow_cluster() -> FakeCluster:
    """Return a cluster whose workloads never become healthy."""
    cluster = FakeCluster(settle=lambda body: rules.settled(body) if body["kind"] != "Deployment" else None)
    cluster.seed(EVENTS)
    return cluster


async def test_a_lost_lease_ends_the_run_at_once_and_nothing_is_written_afterwards(stage: Stage) -> None:
    """Another one has taken it in mid-run: of forty objects most are left, and our Leases are not touched."""
    stage.repository.values(**{f"m{number}": "1" for number in range(40)})
    worker = stage.worker()
    stolen: list[int] = []

    def steal(call: Call) -> None:
        if call.verb == "apply" and call.name.startswith("m") and not stolen:
            stage.cluster.edit("Lease", SPACE, "reconciler-dev.agent", {"spec": {"holderIdentity": "thief"}})
            stage.clock.seconds += lease.KEPT
            stolen.append(len(stage.cluster.calls))

    stage.cluster.before = steal
    async with stage.serving(worker):
        await until(lambda: stage.runs() == 1)
        after = [
            call for call in stage.cluster.calls[stolen[0] :] if call.verb in ("apply", "create", "delete", "patch")
        ]
        assert len([call for call in after if call.name.startswith("m")]) == 0
        assert stage.runs("interrupted") == 1
        assert stage.events() == []
        assert stage.holder() == "thief"
        await stage.clock.advance(6)
        await until(lambda: b'reconciler_lease_held{environment="dev"} 0.0' in stage.metrics.text())


async def test_a_lease_that_is_told_to_be_lost_ends_a_wait(stage: Stage) -> None:
    """The renewal finds another holder while the run waits for health."""
    stage.repository.write("dev", namespace() + deployment("web"))
    stage.repository.commit("never healthy")
    stage.cluster = slow_cluster()
    worker = stage.worker()
    async with stage.serving(worker):
        await until(lambda: waits_for_health(stage))
        stage.cluster.edit("Lease", SPACE, "reconciler-dev.agent", {"spec": {"holderIdentity": "thief"}})
        before = len(stage.cluster.calls)
        await stage.clock.advance(6)
        await until(lambda: stage.runs("interrupted") == 1)
        assert [item.kind for item in stage.cluster.calls[before:] if item.verb in ("apply", "create", "delete")] == []


async def test_a_fix_is_applied_while_the_commit_before_it_is_waited_for(stage: Stage) -> None:
    """No time passes by the clock: the run that waits gives way, and one that cannot be rendered ends nothing."""
    stage.repository.write("dev", namespace() + deployment("web"))
    stage.repository.commit("never healthy")
    stage.cluster = slow_cluster()
    worker = stage.worker()
    async with stage.serving(worker):
        await until(lambda: waits_for_health(stage))
        begun = stage.clock.seconds
        stage.repository.write("dev", "no: object")
        stage.repository.commit("broken")
        stage.moved(worker)
        stage.repository.write("dev", namespace() + config_map("a", data="fix"))
        stage.repository.commit("fix")
        stage.moved(worker)
        await until(lambda: stage.runs("interrupted") == 1 and stage.cluster.find("ConfigMap", "shop", "a") is not None)
        assert stage.clock.seconds == begun


async def test_an_apply_by_hand_gets_its_turn_while_the_agent_waits_for_health(stage: Stage) -> None:
    """It has left a word in the writer's Lease; with the next renewal the run that only waits gives it back."""
    stage.repository.write("dev", namespace() + deployment("web"))
    stage.repository.commit("never healthy")
    stage.cluster = slow_cluster()
    worker = stage.worker()
    async with stage.serving(worker):
        await until(lambda: waits_for_health(stage))
        words = {"metadata": {"annotations": {lease.WANTED: "ada@laptop 0123456789abcdef"}}}
        stage.cluster.edit("Lease", "reconciler-system", "reconciler-dev", words)
        await stage.clock.advance(lease.RENEW_EVERY + 1)
        await until(lambda: stage.runs("interrupted") == 1)
        assert stage.holder("reconciler-dev") == ""


async def test_a_cluster_that_is_away_is_survived(stage: Stage) -> None:
    """Before the Lease is held, with pauses by the clock that grow to half a minute; and days of it do not break it."""
    attempts: list[float] = []

    def away() -> None:
        attempts.append(stage.clock.seconds)
        raise Unavailable("no route to host")

    stage.on_connect = away
    worker = stage.worker()
    async with stage.serving(worker) as task:
        await until(lambda: attempts)
        await stage.clock.advance(200)
        pauses = [later - sooner for sooner, later in pairwise(attempts)]
        assert pauses[:7] == [2, 4, 8, 16, 30, 30, 30]
        assert not task.done()
        stage.on_connect = lambda: None
        await stage.clock.advance(31)
        await until(lambda: stage.runs("applied") == 1)


@pytest.mark.parametrize("error", [Unavailable("away"), SourceError("damaged"), Invalid("no")])
async def test_a_run_without_a_connection_is_an_error_and_tried_again(stage: Stage, error: Exception) -> None:
    worker = stage.worker()
    async with stage.serving(worker):
        await until(lambda: stage.runs("applied") == 1)

        def away() -> None:
            raise error

        stage.on_connect = away
        stage.schedule.now("dev")
        await until(lambda: stage.runs("error") == 1)
        assert stage.schedule.pauses == [2]


async def test_a_mirror_that_cannot_be_read_is_an_error_and_no_bad_commit(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = stage.worker()

    def damaged() -> None:
        raise SourceError("the mirror is damaged")

    async with stage.serving(worker):
        await until(lambda: stage.runs("applied") == 1)
        with monkeypatch.context() as patched:
            patched.setattr(stage.mirror, "repository", damaged)
            stage.schedule.now("dev")
            await until(lambda: stage.runs("error") == 1)
        stage.moved(worker)
        await until(lambda: stage.runs("applied") == 2)


async def test_a_defect_in_a_run_is_not_the_end_of_its_environment(stage: Stage) -> None:
    worker = stage.worker()
    with structlog.testing.capture_logs() as logs:
        async with stage.serving(worker):
            await until(lambda: stage.runs("applied") == 1)

            def broken() -> None:
                raise RuntimeError

            stage.on_connect = broken
            stage.schedule.now("dev")
            await until(lambda: "run.crashed" in [line["event"] for line in logs])
            assert stage.schedule.pauses == [2]
            stage.on_connect = lambda: None
            stage.schedule.now("dev")
            await until(lambda: stage.runs("applied") == 2)


async def test_an_event_that_was_not_taken_is_sent_by_the_next_run(stage: Stage) -> None:
    """A cluster that does not take it now does no harm to the run."""
    stage.cluster.fail("create", kind="Event", error=Unavailable("away", status=503))
    worker = stage.worker()
    async with stage.serving(worker):
        await until(lambda: stage.runs("applied") == 1)
        stage.schedule.now("dev")
        await until(lambda: stage.runs("applied") == 2)
        stage.schedule.now("dev")
        await until(lambda: stage.runs("applied") == 3)
    names = [event["metadata"]["name"] for event in stage.events()]
    assert len(names) == 2, "once more, and then no more"
    assert len(set(names)) == 1


async def test_secrets_are_in_no_event_record_or_log(stage: Stage) -> None:
    """Not even where the server's refusal repeats what it was sent."""
    canary = "c4n4ry-value"
    secret = f"apiVersion: v1\nkind: Secret\nmetadata: {{name: s, namespace: shop}}\nstringData: {{key: {canary}}}\n"
    stage.repository.write("dev", namespace() + secret)
    stage.repository.commit("a secret")
    refusal = Invalid(f'Secret "s" is invalid: data: {canary}', status=422)
    stage.cluster.fail("apply", kind="Secret", error=refusal, times=1)
    worker = stage.worker()
    with structlog.testing.capture_logs() as logs:
        async with stage.serving(worker):
            await until(lambda: stage.runs("failed") == 1)
            stage.schedule.now("dev")
            await until(lambda: stage.runs("applied") == 1)
            stage.cluster.edit("Secret", "shop", "s", {"data": {"key": "b3RoZXI="}})
            stage.schedule.now("dev")
            await until(lambda: stage.runs("applied") == 2)
    assert stage.reasons() == ["ApplyFailed", "Applied", "DriftRepaired"]
    told = [call.details.get("body") for call in stage.cluster.calls if call.kind in ("ConfigMap", "Event", "Lease")]
    assert canary not in json.dumps(told)
    assert canary not in repr(logs)
    assert canary.encode() not in stage.metrics.text()


async def test_an_environment_at_another_interval_is_rescheduled(stage: Stage) -> None:
    worker = stage.worker()
    async with stage.serving(worker):
        await until(lambda: stage.runs() == 1)
        stage.repository.environment("dev", interval="100ms")
        stage.repository.commit("more often")
        changed = msgspec.structs.replace(worker.environment.spec, interval="100ms")
        worker.move(replace(worker.environment, spec=changed), stage.mirror.fetch())
        await until(lambda: stage.runs() == 3, 3)
