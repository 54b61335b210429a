"""`apply` beside what happens while it runs."""

from __future__ import annotations

import json
import signal
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from reconciler import pipeline
from reconciler.cli import connect
from reconciler.cli.main import main
from reconciler.cli.signals import ending
from reconciler.model.applyset import SYSTEM_NAMESPACE as SPACE
from reconciler.observe.memory import Memory
from tests.fakes.cluster import FakeCluster
from tests.unit.test_pipeline import OBJECTS, repository

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from reconciler.environment import Environment
    from reconciler.model.resource import Desired


def connected_to(cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch) -> FakeCluster:
    """Let commands find a cluster where they connect."""

    @asynccontextmanager
    async def connected(_: Environment) -> AsyncIterator[tuple[FakeCluster, Memory]]:
        yield cluster, Memory(None, {})

    monkeypatch.setattr(connect, "connected", connected)
    return cluster


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_a_run_in_order(
    number: signal.Signals, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is not begun is left, the report says so, the Lease is given back, a record is kept."""
    repository(tmp_path, monkeypatch)
    cluster = connected_to(FakeCluster(), monkeypatch)
    cluster.before = lambda call: (
        signal.raise_signal(number) if (call.verb, call.name) == ("apply", "dev.web") else None
    )
    before = signal.signal(number, lambda *_: None)
    try:
        assert main(["--repo", str(tmp_path), "apply", "dev", "--yes"]) == 130
    finally:
        signal.signal(number, before)
    told = capsys.readouterr()
    assert "interrupted: stopped on request; the next apply continues\n1 applied, 1 skipped" in told.out
    lease, record = cluster.find("Lease", SPACE, "reconciler-dev"), cluster.find("ConfigMap", SPACE, "dev")
    assert lease is not None
    assert record is not None
    assert lease["spec"]["holderIdentity"] == ""
    assert json.loads(record["data"]["runs.json"])[0]["result"] == "interrupted"


def test_a_terminal_that_is_closed_ends_nothing_that_ignores_it() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert ending() == (signal.SIGINT, signal.SIGTERM)
    finally:
        signal.signal(signal.SIGHUP, before)


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

    monkeypatch.setattr(pipeline, "render", edited)
    connected_to(cluster, monkeypatch)
    assert main(["--repo", str(tmp_path), "apply", "dev", "--yes"]) == 0
    settings = cluster.find("ConfigMap", "web", "settings")
    assert settings is not None
    assert (len(rendered), settings["data"]) == (1, {"colour": "blue"})
