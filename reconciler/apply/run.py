"""Carries out a plan: inventories widen, objects go out in order, health is awaited, prune, inventories shrink.

A run that is killed at any point is continued by the next one: inventories are never too narrow, objects carry their
membership themselves, and every step is one that may be done again.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from reconciler.apply import history, inventories, secrecy
from reconciler.apply.applying import Applying
from reconciler.apply.kinds import Kinds
from reconciler.apply.ledger import Ledger
from reconciler.apply.pruning import Pruning
from reconciler.apply.waits import Waits
from reconciler.apply.work import Work
from reconciler.errors import ClusterError
from reconciler.health import custom
from reconciler.model.outcome import Report

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from reconciler.clock import Clock
    from reconciler.cluster.port import Cluster
    from reconciler.environment import Environment
    from reconciler.model.api import Discovery
    from reconciler.model.outcome import Event
    from reconciler.model.plan import Plan


@dataclass(frozen=True, slots=True)
class Options:
    """How a plan is carried out, and what the record says of it beside what happens.

    `wait` False: health is awaited only where the next object could not be accepted without it. `holder` is who runs it,
    `spent` the seconds of render, observe and plan. `give_way`: once set, the run ends as soon as it only waits.
    """

    wait: bool = True
    holder: str = ""
    spent: Mapping[str, float] = field(default_factory=dict)
    give_way: asyncio.Event | None = None


async def apply(
    cluster: Cluster,
    plan: Plan,
    environment: Environment,
    discovery: Discovery,
    *,
    clock: Clock,
    stop: asyncio.Event,
    emit: Callable[[Event], None],
    options: Options = Options(),
) -> Report:
    """Carry out a plan and return what became of every object; what goes wrong with one of them is never raised.

    `discovery` is that of the plan's observation. Once `stop` is set no new request is sent, and the report says that
    the run was interrupted.
    Raises ConfigError, before anything is written, where a health check is no CEL.
    """
    for component in environment.spec.components:
        custom.require_valid(component.health_checks)
    begun, ledger = clock.monotonic(), Ledger(clock, emit, secrecy.redactor(plan))
    async with asyncio.TaskGroup() as group:
        waits = Waits(cluster, plan.environment, clock, ledger=ledger, group=group)
        work = Work(
            cluster=cluster,
            plan=plan,
            environment=environment,
            components={item.name: item for item in environment.spec.components},
            kinds=Kinds(cluster, discovery, clock, stop),
            clock=clock,
            stop=stop,
            ledger=ledger,
            waits=waits,
            group=group,
            wait=options.wait,
            give_way=options.give_way or asyncio.Event(),
        )
        try:
            finished, phases = await _phases(work)
        finally:
            await waits.close()
    report = Report(
        plan.environment,
        plan.revision,
        plan.id,
        tuple(ledger.outcomes[change.id] for change in plan.changes),
        cluster.requests.snapshot(),
        clock.monotonic() - begun,
        interrupted=not finished,
        component_seconds=ledger.component_seconds,
        phases={**options.spent, **phases},
    )
    report = await _recorded(cluster, report, plan, options.holder, clock)
    return replace(report, requests=cluster.requests.snapshot())


async def _phases(work: Work) -> tuple[bool, dict[str, float]]:
    """Apply, prune, shrink; returns whether the run came to its end, and the seconds of applying and of pruning."""
    begun = work.clock.monotonic()
    current = dict(work.plan.inventories)
    problems: dict[str, str] = {}
    if not work.stop.is_set():
        current, problems = await inventories.widen(work)
    for change in work.plan.changes:
        if change.held and change.leaves:
            work.ledger.unchanged(change, f"held back: {change.held}")
    applied = await Applying(work, problems).run()
    then = work.clock.monotonic()
    unapplied = frozenset(work.ledger.broken)
    pruned = await Pruning(work).run() and await Pruning(work, unapplied=unapplied, protected=True).run()
    if applied and pruned and not work.stop.is_set():
        await inventories.shrink(work, current)
    return applied and pruned, {"apply": then - begun, "prune": work.clock.monotonic() - then}


async def _recorded(cluster: Cluster, report: Report, plan: Plan, holder: str, clock: Clock) -> Report:
    """Keep the record of the run; one that changed nothing is kept only where it says something new."""
    try:
        made = history.of(report, plan, holder, clock.now())
        await history.record(cluster, report.environment, made)
    except ClusterError as error:  # a run is not undone because it could not be noted down
        return replace(report, warnings=(*report.warnings, f"the run is not in the history: {error}"))
    return report
