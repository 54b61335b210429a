"""A run under way, told line by line where there is no terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.model.graph import Graph
from reconciler.model.identity import ObjectId
from reconciler.model.outcome import Event, Phase
from reconciler.model.plan import Action, Change, Plan
from reconciler.report.progress import LineProgress, Row, progress

if TYPE_CHECKING:
    import pytest

WEB = ObjectId("apps", "Deployment", "web", "web")
SPACE = ObjectId("", "Namespace", "", "web")
PLAN = Plan("dev", None, "p", (Change(Action.CREATE, "web", WEB),), Graph({}, (), (), ("data", "web")))


def test_each_fact_is_told_once(capsys: pytest.CaptureFixture[str]) -> None:
    """The begin of a component, the first wait for an object, each failure; nothing on stdout."""
    shown = progress(PLAN)
    assert isinstance(shown, LineProgress)
    with shown:
        for phase, message in (
            (Phase.STARTED, ""),
            (Phase.APPLIED, ""),
            (Phase.WAITING, "0 of 1 replicas ready"),
            (Phase.WAITING, "0 of 1 replicas ready"),
            (Phase.FAILED, "exit code 1"),
        ):
            shown.emit(Event(phase, "web", WEB, message))
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.splitlines() == [
        "web: 1 to change",
        "web: waiting for Deployment/web -n web: 0 of 1 replicas ready",
        "web: Deployment/web -n web failed: exit code 1",
    ]


def test_only_what_changes_counts_as_done() -> None:
    """Health is awaited of objects that stay as they are, too."""
    row = Row({WEB})
    for identity in (SPACE, WEB):
        row.take(Event(Phase.HEALTHY, "web", identity))
    assert (len(row.done), row.total, row.finished) == (1, 1, True)
