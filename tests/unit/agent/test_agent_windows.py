"""An agent outside of its sync windows, and one whose environment is suspended."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.unit.agent.world import SPACE, until

if TYPE_CHECKING:
    from tests.unit.agent.world import Stage

NIGHT = "  policy: {windows: [{schedule: '0 1 * * *', duration: 1h, do: allow}]}\n"
HOUR = 3600.0


async def test_changes_wait_for_the_window_and_are_made_when_it_opens(stage: Stage) -> None:
    """It is midnight: nothing is written, that is told once, and the next run is at one o'clock."""
    stage.repository.environment("dev", NIGHT)
    stage.repository.commit()
    worker = stage.worker()
    async with stage.serving(worker):
        await until(lambda: stage.runs() == 1)
        assert (stage.runs("held"), stage.reasons(), stage.schedule.pauses) == (1, ["Held"], [HOUR])
        assert stage.cluster.find("ConfigMap", "shop", "a") is None
        assert b'reconciler_last_run_succeeded{environment="dev"} 1.0' in stage.metrics.text()
        stage.schedule.now("dev")
        await until(lambda: stage.runs() == 2)
        assert stage.reasons() == ["Held"], "the same is not told again"
        await stage.clock.advance(HOUR)
        stage.schedule.now("dev")
        await until(lambda: stage.runs() == 3)
        assert (stage.runs("applied"), stage.value("a")) == (1, "1")


async def test_a_suspended_environment_is_left_alone_and_says_so(stage: Stage) -> None:
    stage.repository.environment("dev", "  suspend: true\n")
    stage.repository.commit()
    worker = stage.worker()
    async with stage.serving(worker):
        await until(lambda: stage.runs() == 1)
        assert (stage.runs("held"), stage.schedule.pauses) == (1, [])
        found = stage.cluster.find("ConfigMap", SPACE, "dev")
        assert found is not None
        assert json.loads(found["data"]["agent.json"])["message"].startswith("environment dev is suspended")
        assert stage.cluster.find("ConfigMap", "shop", "a") is None
