"""One run of one environment at one commit: render, plan, and where something differs apply, under both Leases."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from reconciler import pipeline
from reconciler.apply import giveway, lease
from reconciler.apply import run as application
from reconciler.errors import ConfigError, LeaseHeld, LeaseLost, ReconcilerError, Unavailable
from reconciler.model.plan import WAITING
from reconciler.plan.planid import content_id
from reconciler.plan.words import counted
from reconciler.preview.changeid import change_id, digests
from reconciler.telemetry import logger

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from datetime import datetime

    from reconciler.apply.lease import Held
    from reconciler.clock import Clock
    from reconciler.cluster.port import Cluster
    from reconciler.model.outcome import Event, Outcome, Report
    from reconciler.model.plan import Plan
    from reconciler.observe.memory import Memory
    from reconciler.pipeline import Checkout, Planned
    from reconciler.preview.changeid import Digests
    from reconciler.source.clones import Clones
    from reconciler.source.mirror import Mirror
    from reconciler.source.repository import Repository

WRITER_PATIENCE: Final = 30.0  # seconds that an `apply` by hand is waited for
SHOWN: Final = 3  # failures that a message names


class Result(StrEnum):
    """What became of a run."""

    APPLIED = "applied"  # everything is as git wants it
    FAILED = "failed"  # some objects are not
    REFUSED = "refused"  # the policy refuses the plan; nothing was written
    HELD = "held"  # the rest, or all of it, waits: suspended, or outside of the sync windows
    INVALID = "invalid"  # the commit cannot be rendered; nothing was written
    INTERRUPTED = "interrupted"  # stopped, superseded or the Lease was lost; the next run continues
    ERROR = "error"  # the cluster or git did not answer


@dataclass(frozen=True, slots=True)
class Ran:
    """The end of a run. `wanted` are the digests of what git wants, None where it could not be rendered."""

    result: Result
    message: str = ""
    wanted: Digests | None = None
    change: str = ""
    drifted: int = 0
    changed: bool = False
    report: Report | None = None
    opens: datetime | None = None  # when a sync window opens for which changes wait
    silent: bool = False  # nobody to tell it to: the cluster does not answer, or is another replica's


@dataclass(frozen=True, slots=True)
class Task:
    """What one run is given.

    `applied` is the commit that was applied completely before, `before` the one that was rendered last, with its digests
    where they are still known.
    """

    environment: str
    revision: str
    mirror: Mirror
    leading: Held
    clock: Clock
    stop: asyncio.Event
    planning: asyncio.Semaphore  # how many runs may render and plan at once; each holds a whole environment in memory
    applied: str | None = None
    before: str | None = None
    digests: Mapping[str, Digests] = field(default_factory=dict)
    clones: Clones | None = None

    @property
    def fresh(self) -> bool:
        """Whether the commit has not been applied yet, so that what differs is its change and no drift."""
        return self.revision != self.applied


def open_checkout(repository: Repository, revision: str, name: str, clones: Clones | None = None) -> Checkout:
    """Read an environment at a commit; raises ConfigError, RevisionNotFound."""
    return pipeline.open_checkout(repository.tree(revision), name, revision, clones)


def rendered(mirror: Mirror, revision: str, name: str, clones: Clones | None = None) -> Digests:
    """Return the digests of what a commit wants; raises ConfigError, SourceError. Takes the processor for a while."""
    with closing(mirror.repository()) as repository:
        checkout = open_checkout(repository, revision, name, clones)
        desired = pipeline.wanted(checkout)
        pipeline.order(desired, checkout.environment)
        return digests(desired)


@asynccontextmanager
async def either(*events: asyncio.Event) -> AsyncIterator[asyncio.Event]:
    """Give an event that is set as soon as one of these is."""
    any_of = asyncio.Event()

    async def watch(event: asyncio.Event) -> None:
        await event.wait()
        any_of.set()

    watching = [asyncio.create_task(watch(event)) for event in events]
    try:
        yield any_of
    finally:
        for item in watching:
            item.cancel()


async def reconcile(task: Task, cluster: Cluster, memory: Memory) -> Ran:
    """Bring an environment to a commit; nothing is raised for what git or the cluster answer."""
    guarded = cluster.guarded(task.leading.require)
    try:
        with closing(task.mirror.repository()) as repository:
            checkout = await asyncio.to_thread(open_checkout, repository, task.revision, task.environment, task.clones)
            await asyncio.to_thread(pipeline.fetch, checkout)  # which may take long: before anything is held
            planned = None
            if not task.fresh:
                async with task.planning:
                    planned = await pipeline.plan(checkout, guarded, memory, task.clock)
                quiet = planned.plan.empty and not planned.plan.bookkeeping
                if quiet and not any(change.problem for change in planned.plan.changes):
                    told = _held(planned.plan)
                    result = Result.HELD if told else Result.APPLIED
                    return Ran(result, told, digests(planned.desired), opens=planned.opens)
            return await _under_lease(task, checkout, guarded, memory, planned)
    except ConfigError as error:
        return Ran(Result.INVALID, str(error))
    except (LeaseHeld, LeaseLost) as error:
        return Ran(Result.INTERRUPTED, str(error), silent=True)
    except ReconcilerError as error:
        return Ran(Result.ERROR, str(error), silent=isinstance(error, Unavailable))


async def _under_lease(task: Task, checkout: Checkout, cluster: Cluster, memory: Memory, before: Planned | None) -> Ran:
    """Plan and apply as the only writer; an `apply` by hand is waited for, a dead agent before us is not."""
    writing = lease.hold(
        cluster,
        task.environment,
        holder=task.leading.holder,
        patience=lease.Patience(WRITER_PATIENCE, tell_wait, task.stop, task.leading.predecessor),
        clock=task.clock,
    )
    async with writing as held, either(task.stop, task.leading.lost, held.lost) as stop:

        def require() -> None:
            task.leading.require()
            held.require()

        async with task.planning:
            planned = await pipeline.plan(checkout, cluster, memory, task.clock, before)
        wanted = digests(planned.desired)
        change = await asyncio.to_thread(_change, task, wanted)
        if planned.plan.refusals:
            waits = all(item.rule in WAITING for item in planned.plan.refusals)
            result = Result.HELD if waits else Result.REFUSED
            drifted = _drifted(task, planned.plan)
            return Ran(result, _refused(planned.plan), wanted, change, drifted, opens=planned.opens)
        async with giveway.giving_way(held, lambda: content_id(planned.desired)) as give_way:
            report = await application.apply(
                cluster.guarded(require),
                planned.plan,
                checkout.environment,
                planned.observation.discovery,
                clock=task.clock,
                stop=stop,
                emit=_logged,
                options=application.Options(
                    holder=f"agent {task.leading.holder}", spent=planned.spent, give_way=give_way
                ),
            )
        if give_way.is_set() and report.interrupted:
            logger().info("run.gave_way", to=held.wanted[0])
        for warning in report.warnings:
            logger().warning("run.warned", warning=warning)
        pipeline.remember(memory, planned.plan, report)
        require()  # where it is lost, that is what became of the run, and not that objects have failed
        return _ran(task, planned, report, wanted, change)


def _change(task: Task, wanted: Digests) -> str:
    """Return the id of the change that this commit is; "" where there is none, or where nobody knows what was before."""
    if not task.fresh or task.before is None:
        return ""
    try:
        before = task.digests.get(task.before) or rendered(task.mirror, task.before, task.environment, task.clones)
    except ReconcilerError:
        return ""  # history was rewritten, or what was before could not be rendered
    return change_id(task.environment, before, wanted)


def _ran(task: Task, planned: Planned, report: Report, wanted: Digests, change: str) -> Ran:
    told = _failures(report) if report.failed else _held(planned.plan)
    well = Result.HELD if told else Result.APPLIED
    result = Result.INTERRUPTED if report.interrupted else Result.FAILED if report.failed else well
    return Ran(
        result,
        told,
        wanted,
        change,
        drifted=_drifted(task, planned.plan),
        changed=any(item.result in ("applied", "pruned") for item in report.outcomes),
        report=report,
        opens=planned.opens,
    )


def _drifted(task: Task, plan: Plan) -> int:
    return 0 if task.fresh else sum(1 for item in plan.changes if item.acts)


def _refused(plan: Plan) -> str:
    told = "; ".join(f"{item.message}. {item.hint}" for item in plan.refusals)
    if plan.acknowledgement:
        told += (
            f"; or accept it as it is with: reconciler apply {plan.environment} --acknowledge {plan.acknowledgement}"
        )
    return told


def _held(plan: Plan) -> str:
    """Return which changes are held back and why; "" where none are."""
    counts = Counter(change.held for change in plan.changes if change.held)
    return "; ".join(f"{counted(count)} held back: {reason}" for reason, count in counts.items())


def _failures(report: Report) -> str:
    failed = [item for item in report.outcomes if item.failed]
    told = "; ".join(map(_told, failed[:SHOWN]))
    return told + (f"; and {len(failed) - SHOWN} more" if len(failed) > SHOWN else "")


def _told(outcome: Outcome) -> str:
    return f"{outcome.id}: {outcome.message or (outcome.health.message if outcome.health else outcome.result)}"


def tell_wait(holder: str) -> None:
    """Log that another holder of a Lease is waited for."""
    logger().info("lease.waited_for", holder=holder)


def _logged(event: Event) -> None:
    log = logger()
    write = log.warning if event.phase in ("failed", "skipped") else log.debug
    write(f"object.{event.phase}", component=event.component, object=str(event.id), message=event.message)
