"""A world for the agent: a repository in git, a cluster in memory, time that passes when a test says so."""

from __future__ import annotations

import asyncio
import heapq
import os
import subprocess
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import TYPE_CHECKING, Any

from reconciler.agent.metrics import Metrics
from reconciler.agent.run import open_checkout
from reconciler.agent.schedule import Schedule
from reconciler.agent.settings import Settings
from reconciler.agent.worker import Worker
from reconciler.observe.memory import Memory
from reconciler.source.mirror import Mirror, Remote
from tests.fakes.cluster import FakeCluster
from tests.unit.apply.world import config_map, namespace

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from reconciler.agent.settings import Connect
    from reconciler.cluster.port import Cluster
    from reconciler.environment import Environment

IDENTITY = {f"GIT_{who}_{what}": "ada@example.com" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
SPACE = "reconciler-system"


class HandClock:
    """Time that passes when it is told to."""

    def __init__(self) -> None:
        """Begin at second 0."""
        self.seconds = 0.0
        self._number = count()
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []

    def monotonic(self) -> float:
        """Return the seconds passed."""
        return self.seconds

    def now(self) -> datetime:
        """Return a time of day that goes with them."""
        return datetime(2030, 1, 1, tzinfo=UTC) + timedelta(seconds=self.seconds)

    async def sleep(self, seconds: float) -> None:
        """Wait until that much has passed."""
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self.seconds + seconds, next(self._number), woken))
        await woken

    async def advance(self, seconds: float) -> None:
        """Let time pass, a second at a time, and everybody do what they have waited for."""
        end = self.seconds + seconds
        while self.seconds < end:
            self.seconds = min(self.seconds + 1, end)
            while self._sleepers and self._sleepers[0][0] <= self.seconds:
                woken = heapq.heappop(self._sleepers)[2]
                if not woken.done():
                    woken.set_result(None)
            for _ in range(30):
                await asyncio.sleep(0)


async def until(true: Callable[[], Any], seconds: float = 5) -> None:
    """Wait until something is true."""
    async with asyncio.timeout(seconds):
        while not true():  # noqa: ASYNC110 - anything may be waited for
            await asyncio.sleep(0.002)


@dataclass
class Repository:
    """The remote: one environment or more, each of one component of ConfigMaps or whatever else is written."""

    root: Path

    @classmethod
    def make(cls, root: Path) -> Repository:
        """Make it with the environment `dev`, which is one ConfigMap, and commit that."""
        root.mkdir()
        made = cls(root)
        made.git("init", "-q", "-b", "main")
        made.environment("dev")
        made.write("dev", namespace() + config_map("a", v="1"))
        made.commit("one")
        return made

    def git(self, *arguments: str) -> str:
        """Run git; return what it prints."""
        variables = {**os.environ, **IDENTITY, "GIT_CONFIG_GLOBAL": os.devnull}
        return subprocess.check_output(("git", *arguments), cwd=self.root, env=variables, text=True).strip()

    def environment(self, name: str, more: str = "", cluster: str = "{sandbox: true}", interval: str = "5m") -> None:
        """Write an environment.yaml; `more` are lines of its spec."""
        folder = self.root / "environments" / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "environment.yaml").write_text(
            f"apiVersion: reconciler.dev/v1alpha1\nkind: Environment\nmetadata: {{name: {name}}}\nspec:\n"
            f"  cluster: {cluster}\n  interval: {interval}\n  components: [{{name: base, path: base}}]\n{more}"
        )

    def write(self, name: str, text: str) -> None:
        """Write the objects of an environment."""
        folder = self.root / "environments" / name / "base"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "kustomization.yaml").write_text("resources: [all.yaml]\n")
        (folder / "all.yaml").write_text(text)

    def commit(self, message: str = "next") -> str:
        """Commit everything; return the commit."""
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", message)
        return self.git("rev-parse", "HEAD")

    def values(self, name: str = "dev", **maps: str) -> str:
        """Write ConfigMaps by name with their value, and commit them; return the commit."""
        self.write(name, namespace() + "".join(config_map(key, v=value) for key, value in maps.items()))
        return self.commit(str(maps))


EVENTS = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "events.events.k8s.io"},
    "spec": {
        "group": "events.k8s.io",
        "scope": "Namespaced",
        "names": {"kind": "Event", "plural": "events", "singular": "event", "listKind": "EventList"},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
            }
        ],
    },
}


def platform() -> FakeCluster:
    """Return an empty cluster that takes Events, too."""
    cluster = FakeCluster()
    cluster.seed(EVENTS)
    return cluster


class Quiet(Schedule):
    """The schedule, with runs that are to come soon noted down and left out."""

    def __init__(self) -> None:
        """Begin empty."""
        super().__init__()
        self.pauses: list[float] = []

    def soon(self, name: str, seconds: float) -> None:
        """Note it."""
        self.pauses.append(seconds)


@dataclass
class Stage:
    """What workers need; `connects` are called before each connection."""

    repository: Repository
    mirror: Mirror
    settings: Settings
    cluster: FakeCluster = field(default_factory=platform)
    clock: HandClock = field(default_factory=HandClock)
    schedule: Quiet = field(default_factory=Quiet)
    metrics: Metrics = field(default_factory=Metrics)
    on_connect: Callable[[], None] = lambda: None

    @asynccontextmanager
    async def connect(self, _: Environment) -> AsyncIterator[tuple[Cluster, Memory]]:
        """Connect to the one cluster that there is."""
        self.on_connect()
        yield self.cluster, Memory(None, {})

    def worker(
        self,
        name: str = "dev",
        holder: str = "",
        schedule: Quiet | None = None,
        connect: Connect | None = None,
    ) -> Worker:
        """Make a worker at the newest commit."""
        settings = Settings(self.settings.remote, self.settings.mirror, holder or self.settings.holder, grace=0.5)
        revision = self.mirror.fetch()
        repository = self.mirror.repository()
        environment = open_checkout(repository, revision, name).environment
        repository.close()
        made = Worker(
            environment,
            settings=settings,
            mirror=self.mirror,
            connect=connect or self.connect,
            schedule=schedule or self.schedule,
            metrics=self.metrics,
            clock=self.clock,
            planning=asyncio.Semaphore(2),
        )
        made.move(environment, revision)
        return made

    def push(self, worker: Worker, **maps: str) -> str:
        """Commit ConfigMaps, and tell the worker as the agent does."""
        self.repository.values(worker.name, **maps)
        return self.moved(worker)

    def moved(self, worker: Worker) -> str:
        """Fetch, and tell the worker as the agent does."""
        revision = self.mirror.fetch()
        worker.move(worker.environment, revision)
        return revision

    def value(self, name: str) -> str | None:
        """Return what a ConfigMap says; None where there is none."""
        found = self.cluster.find("ConfigMap", "shop", name)
        return str(found["data"]["v"]) if found else None

    def events(self) -> list[dict[str, Any]]:
        """Return the Events sent so far."""
        return [call.details["body"] for call in self.cluster.calls if (call.verb, call.kind) == ("create", "Event")]

    def reasons(self) -> list[str]:
        """Return why the Events were sent."""
        return [str(event["reason"]) for event in self.events()]

    def runs(self, result: str = "", name: str = "dev") -> float:
        """Return how many runs have ended, or how many with a result."""
        return sum(
            item.value
            for metric in self.metrics.runs.collect()
            for item in metric.samples
            if item.name.endswith("_total")
            and item.labels["environment"] == name
            and result in ("", item.labels["result"])
        )

    async def passing(self, true: Callable[[], Any], most: int) -> float:
        """Let time pass until something is true, for so many seconds at most; return how many it took."""
        since = self.clock.seconds
        while not true():
            assert self.clock.seconds - since < most
            await self.clock.advance(1)
            await asyncio.sleep(0.01)
        return self.clock.seconds - since

    async def ran(self, times: int, result: str) -> None:
        """Wait until so many runs have ended with a result, and none is under way."""
        await until(lambda: self.runs(result) >= times and not self.schedule.running("dev"))

    def holder(self, name: str = "reconciler-dev.agent") -> str:
        """Return who holds a Lease."""
        found = self.cluster.find("Lease", SPACE, name)
        return str(found["spec"]["holderIdentity"]) if found else ""

    @asynccontextmanager
    async def serving(self, worker: Worker) -> AsyncIterator[asyncio.Task[None]]:
        """Let a worker serve; stop it in the end."""
        task = asyncio.create_task(worker.serve())
        try:
            yield task
        finally:
            worker.stop()
            await asyncio.wait((task,), timeout=5)
            assert task.done(), "the worker does not end"


@asynccontextmanager
async def staged(tmp_path: Path, repository: Repository | None = None) -> AsyncIterator[Stage]:
    """Set the stage."""
    repository = repository or Repository.make(tmp_path / "remote")
    remote = Remote(str(repository.root), "main")
    settings = Settings(remote, tmp_path / "mirror", "ada")
    mirror = Mirror.open(remote, settings.mirror)
    stage = Stage(repository, mirror, settings)
    stage.schedule.start()
    try:
        yield stage
    finally:
        stage.schedule.close()
        mirror.close()
