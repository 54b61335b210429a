"""`apply` beside what happens while it runs."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from reconciler import pipeline
from reconciler.cli import connect
from reconciler.cli.main import main
from reconciler.observe.memory import Memory
from tests.fakes.cluster import FakeCluster
from tests.unit.test_pipeline import OBJECTS, repository

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    import pytest

    from reconciler.environment import Environment
    from reconciler.model.resource import Desired


def test_what_was_shown_is_applied_whatever_is_written_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It plans twice and renders once."""
    files, cluster, rendered = repository(tmp_path, monkeypatch), FakeCluster(), []
    render = pipeline.render

    def edited(checkout: pipeline.Checkout) -> Desired:
        found = render(checkout)
        rendered.append(found)
        (files / "objects.yaml").write_text(OBJECTS.replace("blue", "red"))
        return found

    @asynccontextmanager
    async def connected(_: Environment) -> AsyncIterator[tuple[FakeCluster, Memory]]:
        yield cluster, Memory(None, {})

    monkeypatch.setattr(pipeline, "render", edited)
    monkeypatch.setattr(connect, "connected", connected)
    assert main(["--repo", str(tmp_path), "apply", "dev", "--yes"]) == 0
    settings = cluster.find("ConfigMap", "web", "settings")
    assert settings is not None
    assert (len(rendered), settings["data"]) == (1, {"colour": "blue"})
