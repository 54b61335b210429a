"""The runs of an environment: a table of them, or one in full."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.text import Text

from reconciler.errors import UsageError
from reconciler.report.canvas import table
from reconciler.report.text import request_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from reconciler.model.commit import Commit
    from reconciler.model.history import Changed, Run

STYLES = {"applied": "green", "interrupted": "yellow"}
COUNTED = ("applied", "pruned", "failed", "skipped")
SIGNS = {"create": "+", "update": "~", "replace": "±", "delete": "-", "move": ">", "release": "o"}


def find(runs: Sequence[Run], wanted: str) -> Run:
    """Return a run by its number (1: the newest), or by the beginning of its plan id or revision: the newest such one."""
    if wanted.isdecimal() and 0 < int(wanted) <= len(runs):
        return runs[int(wanted) - 1]
    fits = (run for run in runs if run.plan_id.startswith(wanted) or (run.revision or "").startswith(wanted))
    found = next(fits, None)
    if found is None:
        raise UsageError(
            f"there is no run {wanted!r} among the {len(runs)} that are kept: expected a number, a plan id or a revision"
        )
    return found


def draw(console: Console, runs: Sequence[Run]) -> None:
    """Draw the runs, newest first."""
    if not runs:
        console.print("never applied")
        return
    headers = ("RUN", "FINISHED", "REVISION", "BY", "RESULT", *(name.upper() for name in COUNTED), "SECONDS")
    made = table(*headers, right=(0, *range(5, len(headers))))
    for number, run in enumerate(runs, 1):
        made.add_row(
            str(number),
            run.finished,
            _revision(run),
            run.holder,
            Text(run.result, style=STYLES.get(run.result, "red")),
            *(str(run.count(name) or "") for name in COUNTED),
            f"{run.seconds:.1f}",
        )
    console.print(made)


def draw_run(console: Console, run: Run, commit: Commit | None) -> None:
    """Draw one run in full; `commit` is what the repository knows of its revision."""
    console.print(Text.assemble(f"plan {run.plan_id}: ", (run.result, STYLES.get(run.result, "red"))))
    about = f"  {commit.summary} ({commit.author}, {commit.date:%Y-%m-%d})" if commit is not None else ""
    console.print(f"revision {run.revision or 'the working tree'}{about}")
    console.print(f"by {run.holder}, from {run.started} to {run.finished}, {run.seconds:.1f} s to apply")
    console.print("phases: " + ", ".join(f"{name} {seconds:.2f} s" for name, seconds in run.phases.items()))
    console.print(request_line(run.requests))
    console.print()
    made = table("COMPONENT", "OBJECTS", "SECONDS", right=(2,))
    for name, counts in run.components.items():
        told = ", ".join(f"{count} {result}" for result, count in counts.items())
        made.add_row(name, told, f"{run.spent[name]:.1f}" if name in run.spent else "")
    console.print(made)
    if run.changed:
        console.print()
    for item in run.changed:
        _draw_changed(console, item)
    if run.more:
        console.print(f"and {run.more} more objects")


def _draw_changed(console: Console, item: Changed) -> None:
    failed = "" if item.result in ("applied", "pruned") else f"  {item.result}"
    console.print(f"{SIGNS.get(item.action, '!')} {item.component}  {item.object}{failed}")
    for path in item.fields:
        console.print(f"    {path}", style="dim")
    if item.more:
        console.print(f"    and {item.more} more fields", style="dim")


def document(environment: str, runs: Sequence[Run]) -> dict[str, Any]:
    """Return runs as a document."""
    return {"environment": environment, "runs": [run.document() for run in runs]}


def _revision(run: Run) -> str:
    return run.revision[:12] if run.revision else "working tree"
