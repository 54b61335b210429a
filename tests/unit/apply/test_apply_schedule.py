"""The schedule's laws: every edge is respected, everything ends, a failure spreads to what needs it and no further."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from reconciler.apply.schedule import Need, Schedule, State
from reconciler.model.identity import ObjectId

if TYPE_CHECKING:
    import random

COMPONENTS = ("a", "b", "c", "d")


def thing(number: int) -> ObjectId:
    return ObjectId("", "ConfigMap", "ns", str(number))


@st.composite
def graphs(
    draw: st.DrawFn,
) -> tuple[dict[ObjectId, str], list[Need], list[tuple[str, str]], frozenset[str]]:
    """Objects in components that are in order, edges that lead back, components that need earlier ones."""
    members = sorted(draw(st.lists(st.integers(0, 3), min_size=1, max_size=14)))
    objects = {thing(index): COMPONENTS[component] for index, component in enumerate(members)}
    pairs = st.tuples(st.integers(0, len(objects) - 1), st.integers(0, len(objects) - 1), st.booleans())
    drawn: list[tuple[int, int, bool]] = draw(st.lists(pairs, max_size=20))
    needs = [Need(thing(max(x, y)), thing(min(x, y)), awaited) for x, y, awaited in drawn if x != y]
    parts: list[tuple[int, int]] = draw(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), max_size=5))
    components = [(COMPONENTS[max(x, y)], COMPONENTS[min(x, y)]) for x, y in parts if x != y]
    awaited: frozenset[str] = draw(st.frozensets(st.sampled_from(COMPONENTS)))
    return objects, needs, components, awaited


@given(graphs(), st.randoms(use_true_random=False))
def test_every_edge_is_respected_whatever_finishes_first(
    graph: tuple[dict[ObjectId, str], list[Need], list[tuple[str, str]], frozenset[str]], chance: random.Random
) -> None:
    """An object is ready only once what it needs is applied, or settled where that is awaited, and so for components."""
    objects, needs, components, awaited = graph
    schedule = Schedule(objects, needs, components, awaited)
    applied: list[ObjectId] = []
    done: set[ObjectId] = set()
    settled: set[ObjectId] = set()
    ready: list[ObjectId] = []
    while not schedule.done:
        while schedule.ready:
            item = schedule.ready.popleft()
            for need in needs:
                if need.dependent == item:
                    assert need.needs in (settled if need.awaited else done)
            for dependent, needed in components:
                if objects[item] == dependent:
                    assert {member for member, name in objects.items() if name == needed} <= (
                        settled if needed in awaited else done
                    )
            ready.append(item)
        choices = [(item, True) for item in ready] + [(item, False) for item in applied]
        assert choices, "nothing is ready and nothing under way: the schedule hangs"
        item, fresh = chance.choice(choices)
        if fresh:
            ready.remove(item)
            applied.append(item)
            done.add(item)
            schedule.applied(item)
        else:
            applied.remove(item)
            settled.add(item)
            schedule.settled(item)
    assert settled == set(objects)
    assert not schedule.skipped


@given(graphs(), st.integers(0, 13))
def test_a_failure_reaches_what_needs_it_and_nothing_else(
    graph: tuple[dict[ObjectId, str], list[Need], list[tuple[str, str]], frozenset[str]], number: int
) -> None:
    """One object fails before it is applied: exactly what needs it, directly or not, is skipped; all else settles."""
    objects, needs, components, awaited = graph
    broken = thing(number % len(objects))
    schedule = Schedule(objects, needs, components, awaited)
    while schedule.ready:
        item = schedule.ready.popleft()
        if item == broken:
            schedule.failed(item)
        else:
            schedule.applied(item)
            schedule.settled(item)
    assert schedule.done
    expected = _reached(broken, objects, needs, components)
    assert {item for item in objects if schedule.state(item) is State.SKIPPED} == expected
    assert {item for item, _ in schedule.skipped} == expected


def _reached(
    broken: ObjectId, objects: dict[ObjectId, str], needs: list[Need], components: list[tuple[str, str]]
) -> set[ObjectId]:
    reached, parts = {broken}, {objects[broken]}
    before = (0, 0)
    while before != (len(reached), len(parts)):
        before = (len(reached), len(parts))
        reached |= {need.dependent for need in needs if need.needs in reached}
        parts |= {objects[item] for item in reached}
        held = {dependent for dependent, needed in components if needed in parts}
        parts |= held
        reached |= {item for item, name in objects.items() if name in held}
    return reached - {broken}


def test_a_failed_wait_reaches_only_what_awaits_it() -> None:
    """Applied but never healthy: what needed it to be there goes on, what needed it healthy does not."""
    one, there, healthy = thing(1), thing(2), thing(3)
    schedule = Schedule({one: "a", there: "a", healthy: "a"}, [Need(there, one), Need(healthy, one, awaited=True)])
    schedule.ready.clear()
    schedule.applied(one)
    assert list(schedule.ready) == [there]
    schedule.failed(one)
    assert list(schedule.skipped) == [(healthy, "needs ConfigMap/1 -n ns, which failed")]
    assert schedule.state(there) is State.READY


def test_a_skip_names_the_way_to_its_cause() -> None:
    schedule = Schedule(
        {thing(1): "a", thing(2): "b", thing(3): "c"}, [Need(thing(2), thing(1))], [("c", "b")], frozenset("abc")
    )
    schedule.failed(thing(1))
    assert list(schedule.skipped) == [
        (thing(2), "needs ConfigMap/1 -n ns, which failed"),
        (thing(3), "needs component b, in which ConfigMap/2 -n ns needs ConfigMap/1 -n ns, which failed"),
    ]


def test_a_component_without_objects_still_passes_order_on() -> None:
    """C needs b needs a, and b has nothing in it: c waits for a all the same."""
    schedule = Schedule({thing(1): "a", thing(3): "c"}, [], [("b", "a"), ("c", "b")], frozenset("abc"))
    assert list(schedule.ready) == [thing(1)]
    schedule.applied(thing(1))
    assert list(schedule.ready) == [thing(1)]
    schedule.settled(thing(1))
    assert list(schedule.ready) == [thing(1), thing(3)]


def test_twenty_thousand_objects_in_components_that_need_each_other_cost_little() -> None:
    """Edges between components are not spelled out: 100 components of 200 objects, each needing all before it."""
    objects = {thing(number): str(number // 200) for number in range(20_000)}
    needs = [Need(thing(number), thing(number - number % 200)) for number in range(20_000)]
    components = [(str(x), str(y)) for x in range(100) for y in range(x)]
    begun = time.process_time()
    schedule = Schedule(objects, needs, components, frozenset(map(str, range(100))))
    while schedule.ready:
        item = schedule.ready.popleft()
        schedule.applied(item)
        schedule.settled(item)
    assert schedule.done
    assert time.process_time() - begun < 2


def test_a_component_goes_on_with_what_is_not_held_back() -> None:
    """One of its objects was skipped before the component could begin: its other objects go out all the same."""
    schedule = Schedule(
        {thing(0): "a", thing(1): "b", thing(2): "c", thing(3): "c"}, [Need(thing(2), thing(0))], [("c", "b")]
    )
    schedule.failed(thing(0))
    schedule.applied(thing(1))
    assert schedule.state(thing(2)) is State.SKIPPED
    assert schedule.state(thing(3)) is State.READY
