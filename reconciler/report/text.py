"""A plan and a report as text that people read: a table of components, then each changed object with its fields."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any, Final

import orjson
from rich.text import Text

from reconciler.model.outcome import Result
from reconciler.model.plan import Action
from reconciler.plan.words import listed
from reconciler.report.canvas import one_line, table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from rich.console import Console

    from reconciler.model.identity import ObjectId
    from reconciler.model.origin import Origin
    from reconciler.model.outcome import Report
    from reconciler.model.plan import Change, FieldChange, FieldConflict, Plan

SIGNS: Final = {
    Action.CREATE: ("+", "green"),
    Action.UPDATE: ("~", "yellow"),
    Action.REPLACE: ("±", "red"),
    Action.DELETE: ("-", "red"),
    Action.RELEASE: ("o", "cyan"),
    Action.MOVE: (">", "cyan"),
    Action.UNCHANGED: ("!", "red"),
}
_COLUMNS: Final = (
    Result.APPLIED,
    Result.UNCHANGED,
    Result.PRUNED,
    Result.RELEASED,
    Result.FAILED,
    Result.SKIPPED,
)
VALUE_WIDTH: Final = 200  # characters of a value that a line of text shows


def draw_plan(console: Console, plan: Plan, requests: Mapping[str, int]) -> None:
    """Draw a plan: components, changed objects with their fields, refusals, the closing line."""
    at = plan.revision[:12] if plan.revision else "the working tree"
    console.print(Text.assemble(("environment ", ""), (plan.environment, "bold"), f" at {at}"))
    console.print()
    _draw_components(console, plan)
    by_component: dict[str, list[Change]] = defaultdict(list)
    for change in plan.changes:
        if change.shown:
            by_component[change.component].append(change)
    for component, changes in by_component.items():
        console.print(f"\n{component}", style="bold")
        for change in changes:
            draw_change(console, change)
    for line in kept_lines(plan):
        console.print(f"\n{line}", style="dim", end="")
    if plan.kept:
        console.print()
    for warning in plan.warnings:
        console.print(Text.assemble(("\nwarning: ", "yellow"), warning), end="")
    if plan.warnings:
        console.print()
    draw_refusals(console, plan)
    console.print()
    console.print(plan_line(plan))
    console.print(request_line(requests), style="dim")


def draw_refusals(console: Console, plan: Plan) -> None:
    """Draw why the policy refuses a plan and what to do."""
    for refusal in plan.refusals:
        console.print()
        console.print(Text.assemble(("refused: ", "bold red"), refusal.message))
        console.print(f"  {refusal.hint}")
        if plan.acknowledgement:
            told = f"reconciler apply {plan.environment} --acknowledge {plan.acknowledgement}"
            console.print(f"  or accept it as it is with: {told}")


def plan_line(plan: Plan) -> str:
    """Return the sum of a plan in one line."""
    counts = plan.summary
    parts = [f"{counts[action]} to {action}" for action in Action if action is not Action.UNCHANGED and counts[action]]
    problems = sum(1 for change in plan.changes if change.problem)
    parts += [f"{problems} that cannot be applied"] if problems else []
    parts += [f"{counts['held']} held back"] if counts["held"] else []
    rest = f"{counts[Action.UNCHANGED]} unchanged"
    if not parts:
        return f"no changes: {rest}"
    return f"plan {plan.id}: " + ", ".join([*parts, rest])


def kept_lines(plan: Plan) -> Iterator[str]:
    """Yield what git no longer has and stays all the same, a line for each reason."""
    by_note: dict[str, list[ObjectId]] = defaultdict(list)
    for item in plan.kept:
        by_note[item.note].append(item.id)
    for note, ids in by_note.items():
        yield f"{note}: {listed(ids)}"


def request_line(requests: Mapping[str, int]) -> str:
    """Return the requests of a run in one line."""
    told = ", ".join(f"{count} {verb}" for verb, count in sorted(requests.items()) if count)
    return f"{sum(requests.values())} API requests ({told})" if told else "no API requests"


def draw_report(console: Console, report: Report) -> None:
    """Draw the end of an apply: a table of components, what failed, the closing line."""
    headers = ("COMPONENT", *(str(item).upper() for item in _COLUMNS), "SECONDS")
    made = table(*headers, right=tuple(range(1, len(headers))))
    results: dict[str, Counter[Result]] = defaultdict(Counter)
    for outcome in report.outcomes:
        results[outcome.component][outcome.result] += 1
    for component, counts in results.items():
        spent = report.component_seconds.get(component)
        cells = [str(counts[item] or "") for item in _COLUMNS]
        made.add_row(component, *cells, f"{spent:.1f}" if spent is not None else "")
    console.print(made)
    for outcome in report.outcomes:
        if outcome.result is Result.FAILED:
            told = outcome.message or (outcome.health.message if outcome.health else "")
            console.print(Text.assemble(("failed: ", "bold red"), f"{outcome.component}  {outcome.id}: {told}"))
    _draw_skipped(console, report)
    total = Counter(outcome.result for outcome in report.outcomes)
    told = ", ".join(f"{total[item]} {item}" for item in Result if total[item]) or "nothing to do"
    console.print()
    if report.interrupted:
        console.print(Text.assemble(("interrupted: ", "bold red"), f"{report.reason}; the next apply continues"))
    console.print(f"{told} in {report.seconds:.1f} s", style="bold")
    console.print(request_line(report.requests), style="dim")


def _draw_skipped(console: Console, report: Report) -> None:
    reasons: dict[tuple[str, str], int] = Counter(
        (outcome.component, outcome.message) for outcome in report.outcomes if outcome.result is Result.SKIPPED
    )
    for (component, message), count in reasons.items():
        many = f"{count} objects" if count > 1 else "1 object"
        console.print(Text.assemble(("skipped: ", "yellow"), f"{component}  {many}: {message}"))


def _draw_components(console: Console, plan: Plan) -> None:
    shown = [action for action in Action if action is not Action.UNCHANGED]
    headers = ("COMPONENT", "OBJECTS", *(str(action).upper() for action in shown), "UNCHANGED", "NEEDS")
    made = table(*headers, right=tuple(range(1, len(headers) - 1)))
    counts: dict[str, Counter[Action]] = {name: Counter() for name in plan.graph.order}
    for change in plan.changes:
        counts.setdefault(change.component, Counter())[change.action] += 1
    needs: dict[str, list[str]] = defaultdict(list)
    for edge in plan.graph.components:
        if edge.needs not in needs[edge.dependent]:
            needs[edge.dependent].append(edge.needs)
    for name, count in counts.items():
        cells: list[str | Text] = [
            Text(str(count[action]), style=SIGNS[action][1]) if count[action] else "" for action in shown
        ]
        made.add_row(name, str(sum(count.values())), *cells, str(count[Action.UNCHANGED]), ", ".join(needs[name]))
    console.print(made)


def draw_change(console: Console, change: Change) -> None:
    """Draw one change with its fields."""
    sign, style = SIGNS[change.action] if change.action is not Action.UNCHANGED or change.problem else ("=", "dim")
    line = Text.assemble("  ", (f"{sign} {one_line(str(change.id))}", style))
    if change.moved_from:
        line.append(f"  moved from component {change.moved_from}")
    if change.resource is not None and change.resource.origin is not None and change.action is Action.CREATE:
        line.append(f"  {change.resource.origin}", style="dim")
    console.print(line)
    if change.held:
        console.print(f"      held back: {change.held}", style="yellow")
    for note in change.notes:
        console.print(f"      {note}", style="dim")
    for field in change.fields:
        _draw_field(console, field)
    for conflict in change.conflicts:
        _draw_conflict(console, conflict)
    if change.problem:
        console.print(Text.assemble("      ", ("cannot be applied: ", "bold red"), change.problem))


def _draw_field(console: Console, field: FieldChange) -> None:
    console.print(f"      {one_line(field.path)}")
    if field.op != "add":
        who = f"  {'drift, ' if field.drift else ''}set by {field.manager}{_when(field.when)}" if field.manager else ""
        console.print(Text.assemble("        ", (f"- {shown(field.old)}", "red"), (who, "dim")))
    if field.op != "remove":
        console.print(Text.assemble("        ", (f"+ {shown(field.new)}", "green"), (place(field.origin), "dim")))


def _draw_conflict(console: Console, conflict: FieldConflict) -> None:
    console.print(Text.assemble("      ", ("conflict ", "bold red"), f"{conflict.path} is owned by {conflict.manager}"))
    last = f"  last wrote{_when(conflict.when)}" if conflict.when else ""
    console.print(Text.assemble(f"        theirs {shown(conflict.theirs)}", (last, "dim")))
    console.print(Text.assemble(f"        ours   {shown(conflict.ours)}", (place(conflict.origin), "dim")))


def _when(time: str) -> str:
    return f" at {time}" if time else ""


def place(origin: Origin | None) -> str:
    """Return where a value comes from, as it stands behind it; "" where git has no say."""
    if origin is None:
        return ""
    return f"  {origin} ({origin.by})" + (f", given by {origin.given}" if origin.given is not None else "")


def shown(value: Any) -> str:
    """Return a value in one line of bearable length."""
    text = value if isinstance(value, str) and value else orjson.dumps(value).decode()
    text = text.replace("\n", "\\n")
    return text if len(text) <= VALUE_WIDTH else f"{text[:VALUE_WIDTH]}… ({len(text)} characters)"
