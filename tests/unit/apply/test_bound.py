"""What changes between the plan and the write: nothing is written into what the plan did not see."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from reconciler.model.outcome import Result
from tests.unit.apply.world import World, config_map, deployment, namespace, planned

if TYPE_CHECKING:
    from collections.abc import Callable

    from reconciler.model.outcome import Report

BY_HELM: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {
        "name": "x",
        "namespace": "shop",
        "labels": {"app.kubernetes.io/managed-by": "Helm"},
        "annotations": {"meta.helm.sh/release-name": "x"},
    },
    "data": {"theirs": "1"},
}


def meanwhile(world: World, act: Callable[[], object], kind: str = "ConfigMap", name: str = "x") -> None:
    """Do something right before an object is sent for the first time."""
    waiting = [act]

    def before(call: Any) -> None:
        if call.verb == "apply" and (call.kind, call.name) == (kind, name) and waiting:
            waiting.pop()()

    world.cluster.before = before


def outcome(report: Report, name: str = "x") -> tuple[Result, str]:
    """Return what became of an object."""
    (found,) = (item for item in report.outcomes if item.id.name == name)
    return found.result, found.message


async def after_a_wait(world: World, act: Callable[[], object], text: str) -> Report:
    """Apply something that needs a Deployment; while that one is waited for ten seconds go by, and something is done."""

    def wait() -> None:
        world.clock.seconds += 10
        act()

    meanwhile(world, wait, "Deployment", "gate")
    parts = {"base": namespace() + deployment("gate"), "web": text}
    return await world.apply(parts, {"web": {"dependsOn": ["base"]}})


@pytest.mark.parametrize(
    ("manager", "labels", "told"),
    [
        ("helm", {}, "helm has made it since the plan"),
        ("reconciler", {"reconciler.dev/environment": "other"}, "environment other has made it since the plan"),
    ],
)
async def test_an_object_that_somebody_made_meanwhile_is_left_as_it_is(
    manager: str, labels: dict[str, str], told: str
) -> None:
    world = World()
    theirs = {**BY_HELM, "metadata": {**BY_HELM["metadata"], "labels": labels}}
    seeded: list[Any] = []
    report = await after_a_wait(
        world, lambda: seeded.append(world.cluster.seed(theirs, manager)), config_map("x", a="2")
    )
    result, message = outcome(report)
    assert result is Result.FAILED
    assert message.startswith(told)
    assert world.cluster.find("ConfigMap", "shop", "x") == seeded[0]


@pytest.mark.parametrize("manager", ["kube-controller-manager", "before-first-apply"])
async def test_what_the_control_plane_makes_meanwhile_is_completed(manager: str) -> None:
    """Such as the ServiceAccount `default` of a Namespace that the same run makes."""
    world = World()
    account = "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: x, namespace: shop}\nautomountServiceAccountToken: false\n---\n"
    made = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "x", "namespace": "shop"}}
    report = await after_a_wait(world, lambda: world.cluster.seed(made, manager), account)
    assert outcome(report)[0] is Result.APPLIED


async def test_a_run_that_did_not_wait_asks_for_nothing_twice() -> None:
    world = World()
    report = await world.apply({"base": namespace() + config_map("x", a="1")})
    assert outcome(report)[0] is Result.APPLIED
    assert [call for call in world.cluster.calls if call.verb == "get" and call.name == "x"] == []


async def test_what_was_left_of_a_lost_answer_is_ours() -> None:
    """The server made it, the answer was lost, and a controller has changed it before it is sent again."""
    world = World()
    await world.apply({"base": namespace()})
    lost = [True]

    def answer(call: Any) -> None:
        if call.verb == "apply" and call.name == "x" and lost:
            lost.pop()
            world.cluster.store.apply(world.cluster.resource("ConfigMap"), call.details["body"], "reconciler")
            world.cluster.edit("ConfigMap", "shop", "x", {"data": {"ours": None, "theirs": "1"}}, manager="an-operator")

    world.cluster.before = answer
    assert outcome(await world.apply({"base": namespace() + config_map("x", ours="2")}))[0] is Result.APPLIED
    left = world.cluster.find("ConfigMap", "shop", "x")
    assert left is not None
    assert left["data"] == {"ours": "2", "theirs": "1"}


async def test_another_object_of_the_same_name_is_not_written_to() -> None:
    world = World()
    await world.apply({"base": namespace() + config_map("x", ours="1")})

    def anew() -> None:
        world.cluster.remove("ConfigMap", "shop", "x")
        world.cluster.seed({**BY_HELM, "metadata": {"name": "x", "namespace": "shop"}}, "kubectl-create")

    meanwhile(world, anew)
    result, told = outcome(await world.apply({"base": namespace() + config_map("x", ours="2")}))
    assert result is Result.FAILED
    assert told.startswith("somebody deleted it and made another of its name since the plan: run again")
    left = world.cluster.find("ConfigMap", "shop", "x")
    assert left is not None
    assert left["data"] == {"theirs": "1"}


async def test_an_object_that_is_gone_is_made_again() -> None:
    world = World()
    await world.apply({"base": namespace() + config_map("x", ours="1")})
    meanwhile(world, lambda: world.cluster.remove("ConfigMap", "shop", "x"))
    assert outcome(await world.apply({"base": namespace() + config_map("x", ours="2")}))[0] is Result.APPLIED
    assert "ConfigMap/x" in world.members()


@pytest.mark.parametrize(
    ("manager", "where", "expected"),
    [
        ("an-operator", "data", Result.FAILED),
        ("a-reloader", "annotations", Result.APPLIED),
        ("kube-controller-manager", "status", Result.APPLIED),
    ],
)
async def test_fields_are_taken_from_those_alone_who_had_them(manager: str, where: str, expected: Result) -> None:
    """A person's edit is drift, and repaired by force; who comes after the plan is not overruled with it."""
    world = World()
    await world.apply({"base": namespace() + config_map("x", ours="1")})
    world.cluster.edit("ConfigMap", "shop", "x", {"data": {"ours": "edited"}})
    noted = {"metadata": {"annotations": {"seen": "1"}}}
    change = {"data": {"ours": "operated"}} if where == "data" else noted
    subresource = "status" if where == "status" else ""
    meanwhile(
        world,
        lambda: world.cluster.edit("ConfigMap", "shop", "x", change, manager=manager, subresource=subresource),
    )
    result, told = outcome(await world.apply({"base": namespace() + config_map("x", ours="1")}))
    assert result is expected, told
    left = world.cluster.find("ConfigMap", "shop", "x")
    assert left is not None
    assert left["data"] == {"ours": "operated" if expected is Result.FAILED else "1"}
    if expected is Result.FAILED:
        assert told.startswith("an-operator came to have fields of it since the plan: run again")


async def test_fields_that_our_own_first_try_took_are_ours() -> None:
    """The answer to it was lost; others have less of the object than when it was planned for, and nobody has more."""
    world = World()
    await world.apply({"base": namespace() + config_map("x", ours="1", more="1")})
    world.cluster.edit("ConfigMap", "shop", "x", {"data": {"ours": "edited", "theirs": "1"}})
    lost = [True]

    def answer(call: Any) -> None:
        if call.verb == "apply" and call.name == "x" and lost:
            lost.pop()
            body = call.details["body"]
            world.cluster.store.apply(world.cluster.resource("ConfigMap"), body, "reconciler", force=True)

    world.cluster.before = answer
    report = await world.apply({"base": namespace() + config_map("x", ours="2", more="1")})
    assert outcome(report)[0] is Result.APPLIED
    left = world.cluster.find("ConfigMap", "shop", "x")
    assert left is not None
    assert left["data"] == {"ours": "2", "more": "1", "theirs": "1"}


@pytest.mark.parametrize("late", ["anew", "operated"])
async def test_an_adoption_is_bound_too(late: str) -> None:
    """Neither another object of the same name is taken over, nor a field of somebody who had none then."""
    world = World(policy={"adopt": ["helm"]})
    await world.apply({"base": namespace()})
    world.cluster.seed({**BY_HELM, "data": {"ours": "0"}}, "helm")
    waiting = [True]

    def before(call: Any) -> None:
        if call.verb == "get" and call.name == "x" and waiting:
            waiting.pop()
            if late == "anew":
                world.cluster.remove("ConfigMap", "shop", "x")
                world.cluster.seed({**BY_HELM, "data": {"ours": "0"}}, "helm")
            else:
                world.cluster.edit("ConfigMap", "shop", "x", {"data": {"ours": "9"}}, manager="an-operator")

    made = await planned(world.cluster, world.name, {"base": namespace() + config_map("x", ours="1")}, {}, world.policy)
    world.cluster.before = before
    report = await world.carry_out(made)
    result, told = outcome(report)
    assert result is Result.FAILED
    assert "since the plan" in told
    left = world.cluster.find("ConfigMap", "shop", "x")
    assert left is not None
    assert left["metadata"]["annotations"] == {"meta.helm.sh/release-name": "x"}
    assert left["data"] == {"ours": "0" if late == "anew" else "9"}
