"""One environment: its Lease, its place in the schedule, its runs and what is told of them."""

from __future__ import annotations

import asyncio
import uuid
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final

import structlog

from reconciler.agent import announce, run, waiting
from reconciler.agent.memory import release
from reconciler.agent.run import Ran, Result
from reconciler.apply import history, lease
from reconciler.environment import seconds
from reconciler.errors import ClusterError, LeaseHeld, LeaseLost, ReconcilerError
from reconciler.telemetry import logger

if TYPE_CHECKING:
    from collections.abc import Callable

    from reconciler.agent.metrics import Metrics
    from reconciler.agent.schedule import Schedule
    from reconciler.agent.settings import Connect, Settings
    from reconciler.apply.lease import Held
    from reconciler.clock import Clock
    from reconciler.cluster.port import Body, Cluster
    from reconciler.environment import Environment
    from reconciler.model.outcome import AgentRecord
    from reconciler.preview.changeid import Digests
    from reconciler.source.mirror import Mirror

LONGEST_PAUSE: Final = 30.0  # seconds before another try to reach the Lease
RELEASE_SECONDS: Final = 2.0  # what giving the Lease back may take in the end
FOREVER: Final = float("inf")


class Worker:
    """Reconciles one environment for as long as this replica holds its Lease."""

    def __init__(
        self,
        environment: Environment,
        *,
        settings: Settings,
        mirror: Mirror,
        connect: Connect,
        schedule: Schedule,
        metrics: Metrics,
        clock: Clock,
        planning: asyncio.Semaphore,
    ) -> None:
        """Begin for an environment; nothing happens before `serve`."""
        self.environment = environment
        self.name = environment.name
        self._settings, self._mirror, self._connect = settings, mirror, connect
        self._schedule, self._metrics, self._clock = schedule, metrics, clock
        self._planning = planning
        self._stop = asyncio.Event()  # of this worker
        self._ending = asyncio.Event()  # of the run under way: it is to end after the requests in flight
        self._run: asyncio.Task[None] | None = None
        self._revision: str | None = None
        self._record: AgentRecord | None = None
        self._untold: Body | None = None  # an Event that the cluster has not taken yet
        self._wanted: dict[str, Digests] = {}  # of the last commit that could be rendered
        self._change = ("", "")  # a commit, and the id of the change that it is
        self._count: Callable[[], None] = lambda: None  # the requests of the Lease's connection
        self._leading = False
        self._deciding: asyncio.Task[None] | None = None
        self._failures = 0

    @property
    def interval(self) -> float:
        """Seconds between two runs."""
        return seconds(self.environment.spec.interval)

    @property
    def patience(self) -> float:
        """Seconds that this worker may take to end by itself."""
        return RELEASE_SECONDS + (self._settings.grace if self._leading else 0)

    def move(self, environment: Environment | None, revision: str) -> None:
        """Reconcile to a commit from now on; `environment` None: it cannot be read there, which the run will tell."""
        if environment is not None:
            rescheduled = environment.spec.interval != self.environment.spec.interval
            self.environment = environment
            if rescheduled and self._schedule.known(self.name):
                self._schedule.change(self.name, self.interval)
        self._revision, self._failures = revision, 0
        if self._schedule.running(self.name):
            self._supersede(revision)
        self._schedule.now(self.name)

    def stop(self) -> None:
        """Begin to end: the run under way sends nothing new, then the Lease is given back."""
        self._stop.set()
        self._ending.set()

    async def end(self, serving: asyncio.Task[None]) -> None:
        """Stop, and wait until nothing is under way any more; what does not end by itself is cut off."""
        self.stop()
        await waiting.ended(serving, self.patience)
        if self._run is not None:  # what waited for it was cut off
            await waiting.ended(self._run, 0)

    async def serve(self) -> None:
        """Hold the Lease and reconcile, again and again, until `stop`."""
        structlog.contextvars.bind_contextvars(environment=self.name)
        failures = 0
        while not self._stop.is_set():
            try:
                await self._lead()
                failures = 0
            except LeaseHeld:
                return  # stopped while another replica had it
            except ReconcilerError as error:
                failures += 1
                logger().error("lease.unreachable", error=str(error), failures=failures)
                await waiting.pause(self._clock, waiting.backoff(failures, LONGEST_PAUSE), self._stop)

    async def _lead(self) -> None:
        """Wait for the Lease, reconcile while it is ours, give it back."""
        self._metrics.lease_held.labels(self.name).set(0)
        async with self._connect(self.environment) as (cluster, _):
            self._count = partial(self._counted, cluster, {})
            holding = lease.hold(
                cluster,
                self.name,
                holder=self._settings.holder,
                patience=lease.Patience(FOREVER, run.tell_wait, self._stop),
                clock=self._clock,
                role=lease.Role.AGENT,
            )
            try:
                async with holding as held:
                    await self._while_held(held, cluster)
            finally:
                self._leading = False
                self._metrics.lease_held.labels(self.name).set(0)
                self._metrics.forget(self.name)
                self._count()

    async def _while_held(self, held: Held, cluster: Cluster) -> None:
        logger().info("lease.held", after=held.predecessor or None)
        self._leading = True
        self._metrics.lease_held.labels(self.name).set(1)
        self._record = record = (await history.read(cluster, self.name)).agent
        self._wanted, self._untold, self._change = {}, None, ("", "")
        if record is not None and record.result != Result.INVALID:
            self._change = (record.revision, record.change)
        await self._reconcile_while(held)
        logger().info("lease.given_up", lost=held.lost.is_set())

    async def _reconcile_while(self, held: Held) -> None:
        async with run.either(held.lost, self._stop) as over:
            if over.is_set():
                return
            self._schedule.put(self.name, self.interval, lambda: self._once(held))
            try:
                await over.wait()
            finally:
                self._schedule.remove(self.name)
                self._ending.set()
                await self._end()

    async def _end(self) -> None:
        """Wait for the run under way; one that does not end by itself is cut off."""
        if self._deciding is not None:
            self._deciding.cancel()
        if self._run is not None:
            await waiting.ended(self._run, self._settings.grace)

    async def _once(self, held: Held) -> None:
        """Run once, as a task of its own that can be cut off."""
        if self._revision is None or self._stop.is_set() or held.lost.is_set():
            return
        self._ending.clear()
        self._run = asyncio.create_task(self._told(held, self._revision))
        try:
            await asyncio.wait((self._run,))
            if not self._run.cancelled() and (error := self._run.exception()) is not None:
                logger().error("run.crashed", exc_info=error)
                self._again()
        finally:
            self._run = None
            self._count()
            release()

    async def _told(self, held: Held, revision: str) -> None:
        with structlog.contextvars.bound_contextvars(
            environment=self.name, run=uuid.uuid4().hex[:8], revision=revision
        ):
            begun = self._clock.monotonic()
            try:
                async with self._connect(self.environment) as (cluster, memory):
                    try:
                        task = self._task(held, revision)
                        ran = self._remembered(await run.reconcile(task, cluster, memory), task)
                        await self._announce(ran, revision, cluster.guarded(held.require))
                    finally:
                        self._counted(cluster, {})
            except ReconcilerError as error:  # not even a connection
                ran = Ran(Result.ERROR, str(error))
            self._measure(ran, self._clock.monotonic() - begun, revision)
            if ran.opens is not None:
                self._schedule.soon(self.name, max((ran.opens - self._clock.now()).total_seconds(), 0))
            if ran.result in (Result.APPLIED, Result.INVALID, Result.HELD):
                self._failures = 0  # of the same commit nothing else can be expected before the interval is over
            elif not self._ending.is_set():
                self._again()

    def _task(self, held: Held, revision: str) -> run.Task:
        record = self._record
        before = next(iter(self._wanted), None)
        if before is None and record is not None:
            before = record.applied if record.result == Result.INVALID else record.revision
        if self._change[0] == revision:
            before = None  # it is known already
        return run.Task(
            self.name,
            revision,
            self._mirror,
            held,
            self._clock,
            self._ending,
            self._planning,
            record.applied if record is not None and record.result == Result.APPLIED else None,
            before,
            self._wanted,
            self._settings.clones,
        )

    def _remembered(self, ran: Ran, task: run.Task) -> Ran:
        """Keep what the next run compares with; a commit that is tried again is the same change as at first."""
        wanted = ran.wanted
        if wanted is None:
            return ran
        if task.fresh:
            if self._change[0] == task.revision:
                ran = replace(ran, change=self._change[1])
            self._change = (task.revision, ran.change)
        self._wanted = {task.revision: wanted}
        return ran

    def _counted(self, cluster: Cluster, before: dict[str, int]) -> None:
        """Measure the requests that a connection has sent since it was looked at last."""
        after = cluster.requests.snapshot()
        self._metrics.count_requests(self.name, before, after)
        before.update(after)

    async def _announce(self, ran: Ran, revision: str, cluster: Cluster) -> None:
        """Tell the cluster what is new; a cluster that does not answer is told at the next run."""
        if ran.silent or ran.result is Result.INTERRUPTED:
            return
        now, holder = self._clock.now(), self._settings.holder
        made = announce.record(ran, revision, holder, self._record, now)
        if made is not self._record or ran.changed:
            self._untold = announce.event(ran, self.name, revision, holder, now)
        try:
            if made is not self._record:
                await history.record_agent(cluster, self.name, made)
                self._record = made
            if self._untold is not None:
                await announce.emit(cluster, self._untold)
                self._untold = None
        except LeaseLost:
            logger().warning("run.untold", reason="the Lease is no longer ours")
        except ClusterError as error:
            logger().warning("run.untold", error=str(error))

    def _measure(self, ran: Ran, spent: float, revision: str) -> None:
        well = ran.result in (Result.APPLIED, Result.HELD)
        self._metrics.runs.labels(self.name, str(ran.result)).inc()
        self._metrics.seconds.labels(self.name).observe(spent)
        if ran.result is not Result.INTERRUPTED:  # which says nothing of the environment
            self._metrics.succeeded.labels(self.name).set(well)
        if ran.result is Result.APPLIED:
            self._metrics.last_success.labels(self.name).set(self._clock.now().timestamp())
        if ran.wanted is not None:
            self._metrics.drifted.labels(self.name).set(ran.drifted)
        log = logger()
        write = log.info if well or ran.result is Result.INTERRUPTED else log.error
        write(
            "run.finished",
            result=str(ran.result),
            seconds=round(spent, 3),
            told=announce.sentence(ran, revision),
            change=ran.change or None,
            drifted=ran.drifted,
            requests=dict(ran.report.requests) if ran.report is not None else None,
        )

    def _again(self) -> None:
        """Try again soon, later each time, at the latest when the interval is over."""
        self._failures += 1
        self._schedule.soon(self.name, waiting.backoff(self._failures, self.interval))

    def _supersede(self, revision: str) -> None:
        """Let a run that waits for health give way to a newer commit, once that one is known to be fit to be applied."""
        under_way = self._run

        async def decide() -> None:
            with suppress(ReconcilerError):
                await asyncio.to_thread(run.rendered, self._mirror, revision, self.name, self._settings.clones)
                if (
                    self._revision == revision and self._run is under_way
                ):  # and not the next one, which is that commit's
                    logger().info("run.superseded", environment=self.name, by=revision)
                    self._ending.set()

        if self._deciding is not None:
            self._deciding.cancel()
        if under_way is not None:
            self._deciding = asyncio.create_task(decide())
