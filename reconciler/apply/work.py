"""What all phases of one run share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import asyncio

    from reconciler.apply.kinds import Kinds
    from reconciler.apply.ledger import Ledger
    from reconciler.apply.waits import Waits
    from reconciler.clock import Clock
    from reconciler.cluster.port import Cluster
    from reconciler.environment import Component, Environment
    from reconciler.model.plan import Change, Plan

DEFAULT_TIMEOUT: Final = 300.0  # seconds, of components that environment.yaml no longer lists


@dataclass(frozen=True, slots=True)
class Work:
    """One run: what it is to do, and with what."""

    cluster: Cluster
    plan: Plan
    environment: Environment
    components: dict[str, Component]
    kinds: Kinds
    clock: Clock
    stop: asyncio.Event
    ledger: Ledger
    waits: Waits
    group: asyncio.TaskGroup
    wait: bool
    give_way: asyncio.Event

    def timeout(self, component: str) -> float:
        """Return how long an object of a component may take, in seconds."""
        known = self.components.get(component)
        return known.timeout_seconds if known is not None else DEFAULT_TIMEOUT

    def deadline(self, component: str) -> float:
        """Return when a wait that begins now has to end, by the monotonic clock."""
        return self.clock.monotonic() + self.timeout(component)

    @property
    def leaving(self) -> list[Change]:
        """The changes that delete or release, in the plan's order."""
        return [change for change in self.plan.changes if change.leaves and not change.held]

    @property
    def applies(self) -> list[Change]:
        """All other changes, unchanged objects included, in the plan's order."""
        return [change for change in self.plan.changes if not change.leaves]


def acts(change: Change) -> bool:
    """Whether a change asks for a request."""
    return change.acts
