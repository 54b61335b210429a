"""One at a time: Leases (coordination.k8s.io/v1) in the reconciler's namespace.

`reconciler-<environment>` is held while an environment is written to, by `apply` as by the agent. The agents of an
environment hold `reconciler-<environment>.agent` besides, for as long as they live: who has it is the one that
reconciles, and `apply` still gets its turn between two runs.

One that waits for a Lease may leave a word in it: what it is about to apply. A holder that only waits for health gives way to
something else than it applies itself (`giveway.py`).

A Lease of another holder has run out when it was not renewed for its duration by our own clock, from when we first saw
it so: clocks of different machines are never compared.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from reconciler.apply import system
from reconciler.errors import AlreadyExists, ClusterError, Conflict, LeaseHeld, LeaseLost, NotFound
from reconciler.model.applyset import SYSTEM_NAMESPACE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
    from datetime import datetime

    from reconciler.clock import Clock
    from reconciler.cluster.port import Body, Cluster

DURATION: Final = 15.0  # seconds
KEPT: Final = (
    10.0  # how long after a renewal it is relied on; what was sent before then arrives before DURATION is over
)
RENEW_EVERY: Final = 5.0
RETRY_EVERY: Final = 1.0
TRIES: Final = 3  # of taking a word back
WANTED: Final = "reconciler.dev/wanted"  # annotation: who waits, and the digest of what that one is about to apply


class Role(StrEnum):
    """What is held; the value follows the environment in the Lease's name."""

    WRITER = ""
    AGENT = ".agent"


@dataclass(frozen=True, slots=True)
class Patience:
    """How another holder is waited for: for so many seconds, or until `stop` is set.

    `on_wait` is called once with the holder waited for. `dead` is a holder that is known to write no more: its Lease is
    not waited for. `wanted` gives the digest of what is to be applied, so that a holder that only waits gives way.
    """

    seconds: float
    on_wait: Callable[[str], None] = lambda _: None
    stop: asyncio.Event | None = None
    dead: str = ""
    wanted: Callable[[], str] | None = None


@dataclass(slots=True)
class Held:
    """A Lease that is ours. `lost` is set once it no longer is: stop writing then.

    `asked` is set whenever another one that waits for it has left a word: `wanted` (holder and digest).

    `until` is the monotonic second up to which it certainly is ours; `predecessor` the dead holder that it was taken
    from, "" where there was none.
    """

    name: str
    holder: str
    clock: Clock
    until: float
    predecessor: str = ""
    lost: asyncio.Event = field(default_factory=asyncio.Event)
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    wanted: tuple[str, str] = ("", "")

    def require(self) -> None:
        """Raise LeaseLost unless the Lease certainly still is ours; `cluster.guarded` asks before every write."""
        if self.lost.is_set() or self.clock.monotonic() >= self.until:
            raise LeaseLost(f"Lease/{self.name} -n {SYSTEM_NAMESPACE} is no longer ours: nothing more is written")


@asynccontextmanager
async def hold(
    cluster: Cluster,
    environment_name: str,
    *,
    holder: str,
    patience: Patience,
    clock: Clock,
    role: Role = Role.WRITER,
) -> AsyncIterator[Held]:
    """Hold a Lease of the environment; raises LeaseHeld naming the other holder, or ClusterError."""
    kept = _Lease(cluster, f"reconciler-{environment_name}{role}", holder, clock)
    held = await kept.acquire(patience)
    renewing = asyncio.create_task(kept.renew(held))
    try:
        yield held
    finally:
        renewing.cancel()
        with suppress(asyncio.CancelledError):
            await renewing
        if not held.lost.is_set():
            await kept.release()


class _Lease:
    def __init__(self, cluster: Cluster, name: str, holder: str, clock: Clock) -> None:
        self._cluster, self._name, self._holder, self._clock = cluster, name, holder, clock
        self._body: Body = {}

    async def acquire(self, patience: Patience) -> Held:
        begun = self._clock.monotonic()
        deadline = begun + patience.seconds
        stop = patience.stop or asyncio.Event()
        seen, since, told = "", begun, False
        word = ""  # that we have left in the Lease
        renewed = ""  # when we came
        while True:
            now = self._clock.monotonic()
            body = await self._read()
            if body is None:
                if await self._create():
                    return self._held(now, "")
                continue
            version = body["metadata"]["resourceVersion"]
            if version != seen:
                seen, since = version, self._clock.monotonic()
            spec = body.get("spec") or {}
            other = spec.get("holderIdentity") or ""
            renewed = renewed or _renewal(spec)
            over = now - since >= float(spec.get("leaseDurationSeconds") or DURATION)
            if other in ("", self._holder, patience.dead) or over:
                if await self._take(body):
                    return self._held(now, "" if other == self._holder else other)
                continue
            if now >= deadline or stop.is_set():
                await self._take_back(body, word)
                raise LeaseHeld(
                    f"Lease/{self._name} -n {SYSTEM_NAMESPACE} is held by {other}, which was waited for "
                    f"for {now - begun:.0f} s: let it finish, or wait longer with --lock-timeout"
                )
            if not told:
                patience.on_wait(other)
                told = True
            if patience.wanted is not None and not word:
                over_others = now - begun >= DURATION and renewed != _renewal(spec)  # heard, and not acted on
                word = await self._ask(body, f"{self._holder} {patience.wanted()}", over_others=over_others)
            await self._within(min(RETRY_EVERY, max(deadline - now, 0.01)), stop.wait())

    async def renew(self, held: Held) -> None:
        """Renew until cancelled; ends, with `lost` set, where another holder has it or renewing failed for too long."""
        pause = RENEW_EVERY
        while True:
            await self._clock.sleep(min(pause, max(held.until - self._clock.monotonic(), 0)))
            begun = self._clock.monotonic()
            if begun >= held.until:
                break
            renewed = await self._within(held.until - begun, self._renew_once())
            self._listen(held)
            if renewed is False:
                break
            pause = RETRY_EVERY
            if renewed:
                held.until, pause = begun + KEPT, RENEW_EVERY
        held.lost.set()

    async def _within(self, seconds: float, work: Coroutine[Any, Any, bool]) -> bool | None:
        """Return what some work says, None where it came to no end in time or could not be sent."""
        attempt = asyncio.ensure_future(work)
        alarm = asyncio.ensure_future(self._clock.sleep(seconds))
        try:
            await asyncio.wait((attempt, alarm), return_when=asyncio.FIRST_COMPLETED)
            return attempt.result() if attempt.done() else None
        except ClusterError:
            return None
        finally:
            attempt.cancel()
            alarm.cancel()

    async def _ask(self, body: Body, word: str, *, over_others: bool) -> str:
        """Leave a word in the Lease, where nobody else has left one; returns it, "" where that was not possible now."""
        annotations = body["metadata"].setdefault("annotations", {})
        if WANTED in annotations and not over_others:
            return ""
        annotations[WANTED] = word
        with suppress(ClusterError):
            await self._cluster.update(system.LEASES, body)
            return word
        return ""

    async def _take_back(self, body: Body, word: str) -> None:
        """Take our word out of a Lease that we wait for no longer; best effort."""
        for _ in range(TRIES if word else 0):
            annotations = body["metadata"].get("annotations") or {}
            if annotations.get(WANTED) != word:
                return
            del annotations[WANTED]
            try:
                await self._cluster.update(system.LEASES, body)
            except Conflict:  # it was renewed just now
                body = await self._read() or {"metadata": {}}
            except ClusterError:
                return

    def _listen(self, held: Held) -> None:
        """Hear what another one has left in the Lease."""
        who, _, digest = (self._body["metadata"].get("annotations") or {}).get(WANTED, "").rpartition(" ")
        if digest and held.wanted != (who, digest):
            held.wanted = (who, digest)
            held.asked.set()

    def _held(self, since: float, predecessor: str) -> Held:
        return Held(self._name, self._holder, self._clock, since + KEPT, predecessor)

    async def release(self) -> None:
        """Give the Lease up; a failure to do so costs the next writer its duration, nothing else."""
        with suppress(ClusterError):
            body = await self._cluster.get(system.LEASES, SYSTEM_NAMESPACE, self._name)
            if body["spec"].get("holderIdentity") == self._holder:
                body["spec"] |= {"holderIdentity": "", "renewTime": _micro(self._clock.now())}
                await self._cluster.update(system.LEASES, body)

    async def _renew_once(self) -> bool:
        body = self._body
        body["spec"]["renewTime"] = _micro(self._clock.now())
        try:
            self._body = await self._cluster.update(system.LEASES, body)
        except Conflict:
            found = await self._read()
            if found is None or (found.get("spec") or {}).get("holderIdentity") != self._holder:
                return False
            self._body = found
        except NotFound:
            return False
        return True

    async def _read(self) -> Body | None:
        try:
            return await self._cluster.get(system.LEASES, SYSTEM_NAMESPACE, self._name)
        except NotFound:
            return None

    async def _create(self) -> bool:
        body = {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"name": self._name, "namespace": SYSTEM_NAMESPACE},
            "spec": self._spec(0),
        }
        try:
            self._body = await system.in_namespace(self._cluster, lambda: self._cluster.create(system.LEASES, body))
        except AlreadyExists:
            return False
        return True

    async def _take(self, body: Body) -> bool:
        (body["metadata"].get("annotations") or {}).pop(WANTED, None)
        body["spec"] = self._spec(int((body.get("spec") or {}).get("leaseTransitions") or 0) + 1)
        try:
            self._body = await self._cluster.update(system.LEASES, body)
        except (Conflict, NotFound):
            return False
        return True

    def _spec(self, transitions: int) -> Body:
        now = _micro(self._clock.now())
        return {
            "holderIdentity": self._holder,
            "leaseDurationSeconds": int(DURATION),
            "acquireTime": now,
            "renewTime": now,
            "leaseTransitions": transitions,
        }


def _renewal(spec: Mapping[str, Any]) -> str:
    return str(spec.get("renewTime") or "never")


def _micro(when: datetime) -> str:
    return when.strftime("%Y-%m-%dT%H:%M:%S.%fZ")  # metav1.MicroTime
