"""What an agent is started with, and what it needs of the world around it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from reconciler.cluster.port import Cluster
from reconciler.environment import Environment
from reconciler.observe.memory import Memory

if TYPE_CHECKING:
    from pathlib import Path

    from reconciler.source.clones import Clones
    from reconciler.source.mirror import Remote

Connect = Callable[[Environment], AbstractAsyncContextManager[tuple[Cluster, Memory]]]
"""How an environment's cluster is reached; each call is a connection of its own."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of one agent.

    `holder` names this replica in Leases and Events and is unlike that of any other. `environments` empty: all that
    the repository defines. `poll` is how often git is asked where no webhook says more, `grace` how long a run may
    take to end once the agent is to stop; seconds both. `clones` is where remote bases are kept; None: there are none.
    """

    remote: Remote
    mirror: Path
    holder: str
    environments: tuple[str, ...] = ()
    poll: float = 60.0
    grace: float = 5.0
    host: str = "127.0.0.1"
    port: int = 8080
    webhook_secret: str = field(default="", repr=False)
    clones: Clones | None = None
