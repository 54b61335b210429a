"""A plan as Markdown, for where people paste it: an issue, a chat, a pull request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from reconciler.model.plan import Action
from reconciler.report.canvas import CONTROL
from reconciler.report.text import kept_lines, plan_line, request_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from reconciler.model.plan import Change, Plan

VALUE_WIDTH = 120
NOTE_WIDTH = 400


def plan_markdown(plan: Plan, requests: Mapping[str, int]) -> str:
    """Return a plan as Markdown, deletions and replacements first."""
    return "\n".join(_lines(plan, requests)) + "\n"


def _lines(plan: Plan, requests: Mapping[str, int]) -> Iterator[str]:
    yield f"### {plan.environment}: {plan_line(plan)}"
    yield ""
    for refusal in plan.refusals:
        yield f"> **Refused** ({refusal.rule}): {refusal.message}. {refusal.hint}"
        yield ""
    risk = (Action.DELETE, Action.REPLACE, Action.RELEASE, Action.MOVE, Action.UPDATE, Action.CREATE)
    for action in risk:
        changes = [change for change in plan.changes if change.action is action]
        if changes:
            yield f"**{action} {len(changes)}**"
            yield ""
            for change in changes:
                yield from _change(change)
            yield ""
    for change in plan.changes:
        if change.shown and change.action is Action.UNCHANGED:
            yield from _change(change)
            yield from (f"  - {note}" for note in change.notes)
    yield from (f"- {line}" for line in kept_lines(plan))
    yield f"<sub>{request_line(requests)}</sub>"


def _change(change: Change) -> Iterator[str]:
    where = f" from `{change.moved_from}`" if change.moved_from else ""
    yield f"- `{change.id}` ({change.component}{where})"
    if change.held:
        yield f"  - held back: {change.held}"
    if change.problem:
        yield f"  - **cannot be applied**: {change.problem}"
    for note in change.notes:
        yield f"  - {code(note, NOTE_WIDTH)}"
    for field in change.fields:
        place = f" `{field.origin.given or field.origin}`" if field.origin is not None else ""
        old = "" if field.op == "add" else code(field.old)
        new = "" if field.op == "remove" else code(field.new)
        drift = f" (drift, set by {field.manager} at {field.when})" if field.drift else ""
        yield f"  - `{field.path}`: {old} → {new}{place}{drift}"


def code(value: Any, width: int = VALUE_WIDTH) -> str:
    """Return a value as a code span of one line, in which nothing of it means anything to Markdown or to a table."""
    text = value if isinstance(value, str) else orjson.dumps(value).decode()
    text = text.replace("\n", "\\n").replace("\r", "\\r").replace("`", "'").replace("|", "\u00a6")
    text = CONTROL.sub("\ufffd", text)
    return f"`{text if len(text) <= width else text[:width] + '…'}`"
