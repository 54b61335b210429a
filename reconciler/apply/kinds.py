"""Which kinds the server serves, read again when a run has just made new ones."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from reconciler.errors import NotFound

if TYPE_CHECKING:
    from reconciler.clock import Clock
    from reconciler.cluster.port import Cluster
    from reconciler.model.api import ApiResource, Discovery
    from reconciler.model.identity import GroupKind, GroupVersionKind

PATIENCE = 10.0  # seconds: a CRD is served a moment after it is established
PAUSE = 0.25


class Kinds:
    """The server's kinds, as far as this run knows them."""

    def __init__(self, cluster: Cluster, discovery: Discovery, clock: Clock, stop: asyncio.Event) -> None:
        """Begin with what was discovered when the plan was made."""
        self._cluster, self._discovery, self._clock, self._stop = cluster, discovery, clock, stop
        self._known_before = frozenset(discovery.resources)
        self._reading = asyncio.Lock()
        self._read_at = clock.monotonic()

    def preferred(self, kind: GroupKind) -> ApiResource | None:
        """Return a kind at its preferred version; None where the server does not serve it."""
        return self._discovery.preferred.get(kind)

    @property
    def namespaced(self) -> tuple[ApiResource, ...]:
        """All kinds of objects in namespaces that can be listed, each at its preferred version."""
        return tuple(item for item in self._discovery.preferred.values() if item.namespaced and "list" in item.verbs)

    def unknown(self, kind: GroupKind) -> bool:
        """Whether a kind may well exist, but its backend did not answer discovery."""
        return kind not in self._discovery.preferred and any(
            item.partition("/")[0] == kind.group for item in self._discovery.failed
        )

    def known(self, kind: GroupVersionKind) -> ApiResource | None:
        """Return a kind at one version as known so far."""
        return self._discovery.resources.get(kind)

    def fresh(self, kind: GroupVersionKind) -> bool:
        """Whether a kind was not served yet when the plan was made."""
        return kind not in self._known_before

    async def find(self, kind: GroupVersionKind) -> ApiResource:
        """Return a kind at one version, waiting a moment for one that is being made; raises NotFound.

        Once the run is to stop it waits no more.
        """
        deadline = self._clock.monotonic() + PATIENCE
        while (found := self.known(kind)) is None:
            asked = self._clock.monotonic()
            async with self._reading:
                if self._read_at <= asked and self.known(kind) is None:
                    self._discovery = await self._cluster.discover()
                    self._read_at = self._clock.monotonic()
            if (found := self.known(kind)) is not None:
                break
            if self._stop.is_set() or self._clock.monotonic() >= deadline:
                raise NotFound(
                    f"the server does not serve {kind.kind} in {kind.api_version}: expected its "
                    "CustomResourceDefinition in the same environment, or the operator that brings it"
                )
            await self._clock.sleep(PAUSE)
        return found
