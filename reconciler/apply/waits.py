"""Waits of a run: for applied objects to become healthy, for deleted ones to be gone. By watch, never by polling."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING

from reconciler.apply.feed import Feed, Scope, cancelled, earlier, older, slim
from reconciler.health import assess
from reconciler.health.backends import ENDPOINT_SLICES, SERVICE_NAME, services
from reconciler.model.applyset import ENVIRONMENT_LABEL
from reconciler.model.outcome import Health, HealthState

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Sequence

    from reconciler.apply.feed import News
    from reconciler.apply.ledger import Ledger
    from reconciler.clock import Clock
    from reconciler.cluster.port import Bodies, Body, Cluster
    from reconciler.environment import HealthCheck
    from reconciler.errors import ClusterError
    from reconciler.model.api import ApiResource
    from reconciler.model.identity import ObjectId
    from reconciler.model.plan import Change

TICK = 1.0  # seconds between looks at the deadlines; what is over before the first one is not told as a wait
HEARTBEAT = 10.0  # seconds between two events of an object that still waits


UNSEEN = Health(HealthState.UNKNOWN, "nothing is known of it yet")
GOING = Health(HealthState.TERMINATING, "is being deleted")


class Goal(Enum):
    """What is waited for."""

    HEALTHY = auto()
    GONE = auto()


@dataclass(slots=True)
class Wait:
    """One wait under way. `since` is the answer to the write that it follows; older news do not count.

    `done` is called once: with the last health, and whether the goal was reached.
    """

    change: Change
    goal: Goal
    deadline: float
    done: Callable[[Wait, Health, bool], None]
    since: Body | None = None
    uid: str = ""
    checks: Sequence[HealthCheck] = ()
    last: Health = UNSEEN
    body: Body | None = None
    told_at: float = float("-inf")
    feed: Feed | None = None
    beside: tuple[Feed, ...] = ()  # what health is judged with too, as it is now


class Waits:
    """All waits of a run, and the feeds that they live on."""

    def __init__(
        self, cluster: Cluster, environment: str, clock: Clock, *, ledger: Ledger, group: asyncio.TaskGroup
    ) -> None:
        """Begin with none; feeds run as tasks of `group` until `close`."""
        self._cluster, self._clock, self._ledger, self._group = cluster, clock, ledger, group
        self.selector = f"{ENVIRONMENT_LABEL}={environment}"
        self.related: Bodies = []  # what health is judged with beside the object itself, as it was when the run began
        self._pending: dict[ObjectId, Wait] = {}
        self._feeds: dict[Scope, Feed] = {}
        self._tasks: list[asyncio.Task[None]] = [group.create_task(self._watch_deadlines())]

    @property
    def pending(self) -> list[Wait]:
        """The waits that are not over."""
        return list(self._pending.values())

    def follow(self, scope: Scope, start: tuple[Bodies, str] | None = None) -> Feed:
        """Return the feed of a scope, started where it was not."""
        if scope not in self._feeds:
            feed = Feed(
                self._cluster,
                scope,
                self._clock,
                on_news=self._news,
                on_listed=self._listed,
                on_error=self._broken,
            )
            self._feeds[scope] = feed
            self._tasks.append(self._group.create_task(feed.follow(start)))
        return self._feeds[scope]

    def healthy(self, wait: Wait, resource: ApiResource) -> None:
        """Wait for an object to become healthy; over at once where the answer to its write says so already."""
        if wait.change.id.group_kind in assess.CALLED:
            body = wait.since or (wait.change.resource.body if wait.change.resource is not None else {})
            wait.beside = tuple(
                self.follow(Scope(ENDPOINT_SLICES, namespace, f"{SERVICE_NAME}={name}"))
                for namespace, name in services(body)
            )
        if wait.since is not None:
            wait.since = slim(wait.since)
            health = self._judge(wait, wait.since)
            if health.state in (HealthState.CURRENT, HealthState.FAILED):
                wait.done(wait, health, health.state is HealthState.CURRENT)
                return
        self._begin(wait, self.follow(Scope(resource, "", self.selector)))

    def gone(self, wait: Wait, scope: Scope) -> None:
        """Wait for a deleted object to be gone."""
        wait.last = GOING
        self._begin(wait, self.follow(scope))

    async def close(self) -> None:
        """End all feeds; what is pending stays as it is."""
        await cancelled(self._tasks)

    def _begin(self, wait: Wait, feed: Feed) -> None:
        item, wait.feed = wait.change.id, feed
        self._pending[item] = wait
        if feed.error is not None:
            self._broken(feed, feed.error)
        elif item in feed.bodies:
            self._look(wait, feed.bodies[item])
        elif feed.version:
            self._missing(wait, feed)

    def _listed(self, feed: Feed) -> None:
        self._judge_again(feed)
        for wait in self.pending:
            if wait.feed is feed and wait.change.id not in feed.bodies:
                self._missing(wait, feed)

    def _missing(self, wait: Wait, feed: Feed) -> None:
        """Deal with an object that the last LIST did not hold; one that was made after it will be in the watch."""
        version = wait.since["metadata"].get("resourceVersion", "") if wait.since is not None else ""
        if wait.goal is Goal.GONE or not earlier(feed.version, version):
            self._lost(wait)

    def _judge_again(self, feed: Feed) -> None:
        """Look again at what is judged with the objects of a feed."""
        for wait in self.pending:
            if feed in wait.beside and wait.body is not None:
                self._look(wait, wait.body)

    def _news(self, feed: Feed, news: News) -> None:
        self._judge_again(feed)
        wait = self._pending.get(news.item)
        if wait is None or wait.feed is not feed:
            return
        uid = news.body["metadata"].get("uid")
        if not news.gone:
            self._look(wait, news.body)
        elif wait.since is None or uid == wait.since["metadata"].get("uid"):
            self._lost(wait)

    def _look(self, wait: Wait, body: Body) -> None:
        if wait.goal is Goal.GONE:
            if body["metadata"].get("uid") != wait.uid:
                self._lost(wait)
                return
            health = assess.health(body)
            self._progress(wait, health if health.state is HealthState.TERMINATING else wait.last)
        elif wait.since is None or not older(body, wait.since):
            health = self._judge(wait, body)
            if health.state in (HealthState.CURRENT, HealthState.FAILED):
                self._finish(wait, health, reached=health.state is HealthState.CURRENT)
            else:
                self._progress(wait, health)

    def _lost(self, wait: Wait) -> None:
        gone = wait.goal is Goal.GONE
        missing = Health(HealthState.NOT_FOUND, "" if gone else "somebody deleted it while it was waited for")
        self._finish(wait, missing, reached=gone)

    def _judge(self, wait: Wait, body: Body) -> Health:
        wait.body = body
        unread = any(feed.error is not None for feed in wait.beside)
        related = None if unread else [*self.related, *(item for feed in wait.beside for item in feed.bodies.values())]
        wait.last = assess.health(body, checks=wait.checks, related=related)
        return wait.last

    def _progress(self, wait: Wait, health: Health) -> None:
        told, wait.last = wait.last.message, health
        if told != health.message and wait.told_at >= 0:
            self._tell(wait)

    def _tell(self, wait: Wait) -> None:
        wait.told_at = self._clock.monotonic()
        self._ledger.waiting(wait.change, wait.last)

    def _finish(self, wait: Wait, health: Health, *, reached: bool) -> None:
        del self._pending[wait.change.id]
        wait.last = health
        wait.done(wait, health, reached)

    def _broken(self, feed: Feed, error: ClusterError) -> None:
        self._judge_again(feed)
        for wait in self.pending:
            if wait.feed is not feed:
                continue
            if error.status == 404:  # the kind is gone, and all its objects with it
                self._lost(wait)
            else:
                unknown = Health(HealthState.UNKNOWN, f"cannot be watched: {error}")
                self._finish(wait, unknown, reached=False)

    async def _watch_deadlines(self) -> None:
        while True:
            await self._clock.sleep(TICK)
            now = self._clock.monotonic()
            for wait in self.pending:
                if wait.change.id not in self._pending:
                    continue
                if now >= wait.deadline:
                    self._finish(wait, wait.last, reached=False)
                elif now - wait.told_at >= HEARTBEAT:
                    self._tell(wait)
