"""The stage that the agent's tests share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest_asyncio

from tests.unit.agent import world

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@pytest_asyncio.fixture
async def stage(tmp_path: Path) -> AsyncIterator[world.Stage]:
    """Return a repository with the environment `dev`, its mirror and an empty cluster."""
    async with world.staged(tmp_path) as found:
        yield found
