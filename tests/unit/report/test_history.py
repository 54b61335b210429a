"""The runs of an environment as a table."""

from __future__ import annotations

import io

from reconciler.model.history import Run
from reconciler.report.canvas import canvas
from reconciler.report.history import draw

TIME = "2030-01-01T12:00:05Z"


def test_what_failed_and_what_was_skipped_are_told_apart() -> None:
    counts = {"web": {"applied": 4, "failed": 1}, "shop": {"skipped": 12, "pruned": 3}}
    page = io.StringIO()
    draw(canvas(page), [Run(None, "p-1", "ada", TIME, TIME, 2.0, "failed", counts)])
    headers, cells = page.getvalue().splitlines()
    assert headers.split() == [
        "RUN",
        "FINISHED",
        "REVISION",
        "BY",
        "RESULT",
        "APPLIED",
        "PRUNED",
        "FAILED",
        "SKIPPED",
        "SECONDS",
    ]
    assert cells.split()[-6:] == ["failed", "4", "3", "1", "12", "2.0"]
