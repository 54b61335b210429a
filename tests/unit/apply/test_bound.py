"""What changes between the plan and the write: nothing is written into what the plan did not see."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from reconciler.model.identity import GroupKind
from reconciler.model.outcome import Result
from tests.unit.apply.world import World, config_map, namespace

if TYPE_CHECKING:
    from collections.abc import Callable

    from reconciler.model.outcome import Report

BY_HELM = {
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


async def test_an_object_that_somebody_made_meanwhile_is_left_as_it_was() -> None:
    world = World()
    seeded: list[Any] = []

    def install() -> None:
        world.cluster.seed(BY_HELM, "helm")
        made = world.cluster.store.objects[GroupKind("", "ConfigMap")]["shop", "x"]
        made["metadata"]["creationTimestamp"] = "2025-12-31T23:59:00Z"
        seeded.append(made)

    meanwhile(world, install)
    result, told = outcome(await world.apply({"base": namespace() + config_map("x", ours="2")}))
    assert result is Result.FAILED
    assert told.startswith("helm has made it since the plan: it is left as it was")
    left = world.cluster.find("ConfigMap", "shop", "x")
    assert left is not None
    changing = ("resourceVersion", "generation")
    assert {**left["metadata"], **dict.fromkeys(changing)} == {**seeded[0]["metadata"], **dict.fromkeys(changing)}
    assert left["data"] == BY_HELM["data"]


async def test_our_own_object_is_not_taken_for_somebody_elses() -> None:
    """The answer to the first try was lost, and a controller has completed the object before the second."""
    world = World()
    await world.apply({"base": namespace()})
    lost = [True]

    def answer(call: Any) -> None:
        if call.verb == "apply" and call.name == "x" and lost:
            lost.pop()
            world.cluster.store.apply(world.cluster.resource("ConfigMap"), call.details["body"], "reconciler")
            world.cluster.edit("ConfigMap", "shop", "x", {"data": {"theirs": "1"}}, manager="an-injector")

    world.cluster.before = answer
    assert outcome(await world.apply({"base": namespace() + config_map("x", ours="2")}))[0] is Result.APPLIED
    left = world.cluster.find("ConfigMap", "shop", "x")
    assert left is not None
    assert left["data"] == {"ours": "2", "theirs": "1"}


async def test_what_the_control_plane_makes_meanwhile_is_completed() -> None:
    """The ServiceAccount `default` of a Namespace that the same run makes."""
    world = World()
    account = "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: default, namespace: shop}\nautomountServiceAccountToken: false\n---\n"
    made = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default", "namespace": "shop"}}
    meanwhile(world, lambda: world.cluster.seed(made, "kube-controller-manager"), "ServiceAccount", "default")
    assert outcome(await world.apply({"base": namespace() + account}), "default")[0] is Result.APPLIED


async def test_another_object_of_the_same_name_is_not_written_to() -> None:
    world = World()
    await world.apply({"base": namespace() + config_map("x", ours="1")})

    def anew() -> None:
        world.cluster.remove("ConfigMap", "shop", "x")
        world.cluster.seed({**BY_HELM, "metadata": {"name": "x", "namespace": "shop"}}, "kubectl-create")

    meanwhile(world, anew)
    result, told = outcome(await world.apply({"base": namespace() + config_map("x", ours="2")}))
    assert result is Result.FAILED
    assert told.startswith("somebody deleted it and made another of its name since the plan: nothing was written to it")
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
    ("manager", "subresource", "expected"),
    [("an-operator", "", Result.FAILED), ("kube-controller-manager", "status", Result.APPLIED)],
)
async def test_fields_are_taken_from_those_alone_who_had_them(manager: str, subresource: str, expected: Result) -> None:
    """A person's edit is drift, and repaired by force; who comes after the plan is not overruled with it."""
    world = World()
    await world.apply({"base": namespace() + config_map("x", ours="1")})
    world.cluster.edit("ConfigMap", "shop", "x", {"data": {"ours": "edited"}})
    status = {"metadata": {"annotations": {"seen": "1"}}}
    change = status if subresource else {"data": {"ours": "operated"}}
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
        assert told.startswith("others (an-operator) have written to it since the plan: nothing was written to it")


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
