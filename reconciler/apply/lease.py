"""One writer per environment: a Lease `reconciler-<environment>` (coordination.k8s.io/v1) in the reconciler's namespace.

A Lease of another holder has run out when it was not renewed for its duration by our own clock, from when we first saw
it so: clocks of different machines are never compared.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from reconciler.apply import system
from reconciler.errors import AlreadyExists, ClusterError, Conflict, LeaseHeld, NotFound
from reconciler.model.applyset import SYSTEM_NAMESPACE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from datetime import datetime

    from reconciler.clock import Clock
    from reconciler.cluster.port import Body, Cluster

DURATION: Final = 15.0  # seconds
RENEW_EVERY: Final = 5.0
RETRY_EVERY: Final = 1.0


@dataclass(slots=True)
class Held:
    """A Lease that is ours. `lost` is set once it no longer is: stop writing then."""

    holder: str
    lost: asyncio.Event = field(default_factory=asyncio.Event)


@asynccontextmanager
async def hold(
    cluster: Cluster,
    environment_name: str,
    *,
    holder: str,
    timeout: float,  # noqa: ASYNC109 - how long to wait for another holder, by the given clock
    clock: Clock,
    on_wait: Callable[[str], None],
) -> AsyncIterator[Held]:
    """Hold the environment's Lease; waits up to `timeout` seconds for another holder.

    Raises LeaseHeld naming the other holder, or ClusterError. `on_wait` is called once with the holder waited for.
    """
    kept = _Lease(cluster, f"reconciler-{environment_name}", holder, clock)
    await kept.acquire(timeout, on_wait)
    held = Held(holder)
    renewing = asyncio.create_task(kept.renew(held.lost))
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

    async def acquire(self, patience: float, on_wait: Callable[[str], None]) -> None:
        deadline = self._clock.monotonic() + patience
        seen, since, told = "", self._clock.monotonic(), False
        while True:
            body = await self._read()
            if body is None:
                if await self._create():
                    return
                continue
            now, version = self._clock.monotonic(), body["metadata"]["resourceVersion"]
            if version != seen:
                seen, since = version, now
            spec = body.get("spec") or {}
            other = spec.get("holderIdentity") or ""
            over = now - since >= float(spec.get("leaseDurationSeconds") or DURATION)
            if not other or other == self._holder or over:
                if await self._take(body):
                    return
                continue
            if now >= deadline:
                raise LeaseHeld(
                    f"Lease/{self._name} -n {SYSTEM_NAMESPACE} is held by {other}, which was waited for "
                    f"for {patience:.0f} s: let it finish, or wait longer with --lock-timeout"
                )
            if not told:
                on_wait(other)
                told = True
            await self._clock.sleep(min(RETRY_EVERY, max(deadline - now, 0.01)))

    async def renew(self, lost: asyncio.Event) -> None:
        """Renew until cancelled; sets `lost` where another holder has it, or where renewing fails for too long."""
        renewed = self._clock.monotonic()
        while not lost.is_set():
            await self._clock.sleep(RENEW_EVERY)
            begun = self._clock.monotonic()
            try:
                async with asyncio.timeout(RENEW_EVERY):
                    kept = await self._renew_once()
            except (ClusterError, TimeoutError):
                kept = begun - renewed < DURATION - RENEW_EVERY
            else:
                renewed = begun
            if not kept:
                lost.set()

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


def _micro(when: datetime) -> str:
    return when.strftime("%Y-%m-%dT%H:%M:%S.%fZ")  # metav1.MicroTime
