"""The stage that the agent's tests share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from tests.unit.agent import world

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@pytest.fixture(autouse=True)
def _in_a_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the garbage of runs alone, which takes longer than these runs do, and cut off quickly."""
    monkeypatch.setattr("reconciler.agent.worker.release", lambda: None)
    monkeypatch.setattr("reconciler.agent.waiting.CUT_SECONDS", 0.05)


@pytest_asyncio.fixture
async def stage(tmp_path: Path) -> AsyncIterator[world.Stage]:
    """Return a repository with the environment `dev`, its mirror and an empty cluster."""
    async with world.staged(tmp_path) as found:
        yield found
