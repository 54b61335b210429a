"""The whole agent: git on one side, a worker for each environment, a server for whoever asks."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, closing, suppress
from typing import TYPE_CHECKING, Final

from reconciler import environment as environments
from reconciler.agent.follow import Follower
from reconciler.agent.metrics import CONTENT_TYPE, Metrics
from reconciler.agent.run import open_checkout
from reconciler.agent.schedule import Schedule
from reconciler.agent.worker import Worker
from reconciler.errors import ConfigError, SourceError
from reconciler.source.mirror import Mirror
from reconciler.telemetry import logger
from reconciler.web.site import Site, served

if TYPE_CHECKING:
    from reconciler.agent.settings import Connect, Settings
    from reconciler.clock import Clock
    from reconciler.environment import Environment

PLANNING: Final = 2  # runs that render and plan at once
CLOSE_SECONDS: Final = 2.0


class Agent:
    """One replica."""

    def __init__(self, settings: Settings, connect: Connect, clock: Clock) -> None:
        """Begin; nothing happens before `serve`."""
        self._settings, self._connect, self._clock = settings, connect, clock
        self._metrics = Metrics()
        self._schedule = Schedule()
        self._planning = asyncio.Semaphore(PLANNING)
        self._workers: dict[str, Worker] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._crashed: BaseException | None = None

    async def serve(self, stop: asyncio.Event) -> None:
        """Follow git and reconcile until `stop` is set; then end runs, give Leases back and close.

        Raises ConfigError where the agent cannot even begin, and whatever a defect has raised.
        """
        settings, self._stop = self._settings, stop
        try:
            mirror = await asyncio.to_thread(Mirror.open, settings.remote, settings.mirror)
        except SourceError as error:
            raise ConfigError(str(error)) from error
        follower = Follower(mirror, settings.poll, self._clock, self._metrics)

        def on_push(branch: str) -> bool:
            if branch == settings.remote.branch:
                follower.nudge()
            return branch == settings.remote.branch

        site = Site(
            self._metrics.text,
            CONTENT_TYPE,
            lambda: "" if follower.revision else "git has not been fetched yet",
            on_push,
            lambda what: self._metrics.webhooks.labels(what).inc(),
            settings.webhook_secret,
        )
        async with AsyncExitStack() as stack:
            stack.push_async_callback(_close, mirror)
            port = await stack.enter_async_context(served(site, settings.host, settings.port))
            self._schedule.start()
            stack.callback(self._schedule.close)
            logger().info("agent.started", holder=settings.holder, source=settings.remote.shown, port=port)
            following = asyncio.create_task(follower.follow(lambda revision: self._moved(mirror, revision)))
            following.add_done_callback(self._ended)
            try:
                await stop.wait()
            finally:
                following.cancel()
                await asyncio.gather(following, return_exceptions=True)
                await self._end()
            logger().info("agent.stopped")
        if self._crashed is not None:
            raise self._crashed

    async def _moved(self, mirror: Mirror, revision: str) -> None:
        """Tell every environment of a new commit; begin new ones, end those that are gone."""
        try:
            found = await asyncio.to_thread(_read, mirror, revision, self._settings.environments)
        except ConfigError as error:
            logger().error("commit.invalid", revision=revision, error=str(error), environments="stay at their commit")
            self._metrics.read(dict.fromkeys((*self._workers, *self._settings.environments), False))
            return
        unknown = dict.fromkeys(self._settings.environments, False)
        self._metrics.read(unknown | {name: not isinstance(one, ConfigError) for name, one in found.items()})
        for name in self._workers:
            if name not in found:
                logger().warning("environment.gone", environment=name, revision=revision, objects="stay as they are")
        leaving = [name for name, worker in self._workers.items() if _leaves(worker, found.get(name))]
        await asyncio.gather(*map(self._drop, leaving))
        for name, environment in found.items():
            if isinstance(environment, ConfigError):
                logger().error("environment.invalid", environment=name, revision=revision, error=str(environment))
                if name not in self._workers:
                    self._metrics.runs.labels(name, "invalid").inc()
            if name in self._workers:
                self._workers[name].move(None if isinstance(environment, ConfigError) else environment, revision)
            elif not isinstance(environment, ConfigError):
                self._begin(environment, mirror, revision)

    def _begin(self, environment: Environment, mirror: Mirror, revision: str) -> None:
        worker = Worker(
            environment,
            settings=self._settings,
            mirror=mirror,
            connect=self._connect,
            schedule=self._schedule,
            metrics=self._metrics,
            clock=self._clock,
            planning=self._planning,
        )
        worker.move(environment, revision)
        self._workers[worker.name] = worker
        self._tasks[worker.name] = task = asyncio.create_task(worker.serve())
        task.add_done_callback(self._ended)

    async def _drop(self, name: str) -> None:
        await self._finish(name)
        del self._workers[name], self._tasks[name]
        self._metrics.remove(name)

    async def _end(self) -> None:
        """End every worker; one whose cluster does not answer is cut off."""
        await asyncio.gather(*map(self._finish, self._tasks))

    async def _finish(self, name: str) -> None:
        await self._workers[name].end(self._tasks[name])

    def _ended(self, task: asyncio.Task[None]) -> None:
        """End the agent where a part of it has crashed: what restarts it can be trusted more than what is left."""
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._crashed = error
            self._stop.set()


async def _close(mirror: Mirror) -> None:
    """Close the mirror and end its git; a disk that does not answer is not waited for."""
    with suppress(TimeoutError):
        async with asyncio.timeout(CLOSE_SECONDS):
            await asyncio.to_thread(mirror.close)


def _leaves(worker: Worker, found: Environment | ConfigError | None) -> bool:
    """Whether a worker has to end: its environment is gone, or has moved to another cluster."""
    if found is None or isinstance(found, ConfigError):
        return found is None
    return worker.environment.spec.cluster != found.spec.cluster


def _read(mirror: Mirror, revision: str, wanted: tuple[str, ...]) -> dict[str, Environment | ConfigError]:
    """Read the environments of a commit; one that cannot be read is its error."""
    with closing(mirror.repository()) as repository:
        there = environments.discover(repository.tree(revision))
        found: dict[str, Environment | ConfigError] = {}
        for name in wanted or there:
            if name not in there:
                logger().error("environment.unknown", environment=name, revision=revision, there=list(there))
                continue
            try:
                found[name] = open_checkout(repository, revision, name).environment
            except ConfigError as error:
                found[name] = error
        return found
