"""A preview as Markdown for a pull request's comment, as a document, and as text.

A comment holds 65,536 characters at GitHub, the least of the three forges. What does not fit is left out in whole
objects, the least risky first, and counted.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import orjson
from rich.text import Text

from reconciler.model.plan import Action
from reconciler.report.canvas import table
from reconciler.report.document import change_document, field_document
from reconciler.report.markdown import code
from reconciler.report.text import SIGNS, draw_change

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from rich.console import Console

    from reconciler.errors import Problem
    from reconciler.model.plan import Change, FieldChange
    from reconciler.model.preview import ChangeSet, Folded, Preview

LIMIT: Final = 65_536  # characters, as GitHub counts them (UTF-16)
FIELDS: Final = 40  # of one object
FOOTER: Final = 400  # characters kept free for what was left out
ACTIONS: Final = tuple(action for action in Action if action is not Action.UNCHANGED)
HEADINGS: Final = {
    Action.DELETE: "Deleted",
    Action.RELEASE: "Released: they stay in the cluster",
    Action.REPLACE: "Deleted and made anew",
    Action.MOVE: "Moved to another component",
    Action.UPDATE: "Changed",
    Action.CREATE: "Created",
}


@dataclass(frozen=True, slots=True)
class _Block:
    """A part that is shown whole or not at all; `counted` is what is said of it where it is left out."""

    text: str
    counted: str
    heading: str = ""


def markdown(preview: Preview, folded: Sequence[Folded], *, limit: int = LIMIT) -> str:
    """Return a preview as Markdown of at most `limit` characters."""
    footer = f"\n<sub>{preview.base[:12]} → {preview.head[:12]}; desired state only, no cluster was asked</sub>\n"
    written = "### What this change does\n\n"
    if not preview.environments:
        written += "No environment changes.\n"
    room = limit - FOOTER - _length(footer)
    left: Counter[str] = Counter()
    heading = ""
    for block in _blocks(preview, folded):
        text = (f"\n{block.heading}\n\n" if block.heading != heading else "") + block.text
        if left or _length(written) + _length(text) > room:
            left[block.counted] += 1
            continue
        written, heading = written + text, block.heading
    if left:
        told = ", ".join(f"{count} {what}" for what, count in left.items())
        written += f"\n**Left out, because a comment has its limit:** {told}. `reconciler preview -o text` shows all.\n"
    return written + footer


def _length(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-16-le")) // 2


def _blocks(preview: Preview, folded: Sequence[Folded]) -> Iterator[_Block]:
    columns = [action for action in ACTIONS if any(item.summary[action] for item in preview.environments)]
    for index, item in enumerate(preview.environments):
        head = "" if index else _table_head(columns)
        yield _Block(head + _row(item, columns), "environments of the table")
    if preview.untouched:
        names = ", ".join(code(name) for name in preview.untouched)
        yield _Block(f"\nUnchanged: {names}\n", "list of unchanged environments")
    for item in preview.environments:
        for problem in item.problems:
            yield _Block(_problem(item, problem), "errors", "#### Errors")
    for item in preview.environments:
        yield from _warnings(item)
    for change in folded:
        heading = f"#### {HEADINGS[change.change.action]}"
        yield _Block(_change(change, len(preview.environments)), f"to {change.change.action}", heading)


def _table_head(columns: Iterable[Action]) -> str:
    names = ["environment", *map(str, columns), "change id"]
    return f"| {' | '.join(names)} |\n|{'---|' * len(names)}\n"


def _row(item: ChangeSet, columns: Iterable[Action]) -> str:
    cells = [code(item.environment), *(str(item.summary[action] or "") for action in columns)]
    told = "**cannot be rendered**" if item.problems else code(item.id) if item.id else "no object changes"
    return f"| {' | '.join([*cells, told])} |\n"


def _problem(item: ChangeSet, problem: Problem) -> str:
    return f"- {code(item.environment)}: {code(str(problem), width=1000)}\n"


def _warnings(item: ChangeSet) -> Iterator[_Block]:
    heading = "#### To know before this is merged"
    for note in item.notes:
        yield _Block(f"- {code(item.environment)} {note}\n", "notes", heading)
    for refusal in item.expected:
        told = f"applying this will be **refused** ({refusal.rule}): {code(refusal.message, width=400)}; {code(refusal.hint, width=400)}"
        yield _Block(f"- {code(item.environment)}: {told}\n", "warnings", heading)
    for field in item.settings:
        yield _Block(f"- {code(item.environment)}: {_field(field)}", "settings", heading)


def _change(folded: Folded, environments: int) -> str:
    change = folded.change
    where = "" if environments == 1 else f" in {', '.join(code(name) for name in folded.environments)}"
    moved = f", from component {code(change.moved_from)}" if change.moved_from else ""
    lines = [f"- {code(str(change.id))} ({change.component}{moved}){where}{_origin(change)}\n"]
    if change.problem:
        lines.append(f"  - **the server will reject this**: {code(change.problem, width=400)}\n")
    lines += [f"  - {code(note, width=400)}\n" for note in change.notes]
    lines += [f"  - {_field(field)}" for field in change.fields[:FIELDS]]
    if len(change.fields) > FIELDS:
        lines.append(f"  - and {len(change.fields) - FIELDS} more fields\n")
    return "".join(lines)


def _origin(change: Change) -> str:
    if change.resource is None or change.resource.origin is None or change.fields:
        return ""
    return f" {'was ' if change.leaves else ''}{code(str(change.resource.origin))}"


def _field(field: FieldChange) -> str:
    old = "" if field.op == "add" else f"{code(field.old)} "
    new = "*removed*" if field.op == "remove" else code(field.new)
    place = f" {code(str(field.origin.given or field.origin))}" if field.origin is not None else ""
    return f"{code(field.path)}: {old}→ {new}{place}\n"


def sentence(preview: Preview) -> str:
    """Return a preview in one line, for a commit status."""
    broken = [item.environment for item in preview.environments if item.problems]
    if broken:
        return f"cannot be rendered: {', '.join(broken)}"
    counts = Counter({action: sum(item.summary[action] for item in preview.environments) for action in ACTIONS})
    told = ", ".join(f"{counts[action]} to {action}" for action in ACTIONS if counts[action])
    names = ", ".join(item.environment for item in preview.environments)
    return f"{told or 'no object changes'} in {names}" if names else "no environment changes"


def document(
    preview: Preview,
    folded: Sequence[Folded],
    commits: Mapping[tuple[str, int], str],
    before: Mapping[tuple[str, int], str],
) -> dict[str, Any]:
    """Return a preview as a document.

    `commits` holds the commit of each origin's file and line in the head, `before` in the base, where deleted objects were.
    """
    return {
        "base": preview.base,
        "head": preview.head,
        "environments": [
            {
                "name": item.environment,
                "change": item.id or None,
                "summary": item.summary,
                "settings": [field_document(field, commits) for field in item.settings],
                "expected": [
                    {"rule": refusal.rule, "message": refusal.message, "hint": refusal.hint}
                    for refusal in item.expected
                ],
                "problems": [
                    {"file": problem.file, "line": problem.line, "message": problem.message, "hint": problem.hint}
                    for problem in item.problems
                ],
                "notes": list(item.notes),
            }
            for item in preview.environments
        ],
        "unchanged": list(preview.untouched),
        "changes": [
            {
                "environments": list(item.environments),
                **change_document(item.change, before if item.change.leaves else commits),
            }
            for item in folded
        ],
    }


def draw(console: Console, preview: Preview, folded: Sequence[Folded]) -> None:
    """Draw a preview."""
    console.print(f"{preview.base[:12]} → {preview.head[:12]}")
    console.print()
    made = table(
        "ENVIRONMENT",
        *(str(action).upper() for action in ACTIONS),
        "CHANGE ID",
        right=tuple(range(1, len(ACTIONS) + 1)),
    )
    for item in preview.environments:
        cells = [
            Text(str(item.summary[action]), style=SIGNS[action][1]) if item.summary[action] else ""
            for action in ACTIONS
        ]
        told = Text("cannot be rendered", style="bold red") if item.problems else item.id or "no object changes"
        made.add_row(item.environment, *cells, told)
    for name in preview.untouched:
        made.add_row(Text(name, style="dim"), *("" for _ in ACTIONS), Text("unchanged", style="dim"))
    console.print(made)
    for item in preview.environments:
        for problem in item.problems:
            console.print(Text.assemble((f"{item.environment}: ", "bold red"), str(problem)))
        for note in item.notes:
            console.print(f"{item.environment} {note}")
        for refusal in item.expected:
            told = Text.assemble((f"{item.environment}: applying this will be refused: ", "yellow"), refusal.message)
            console.print(told)
        for field in item.settings:
            place = f"  {field.origin}" if field.origin is not None else ""
            told = f"{field.path}: {orjson.dumps(field.old).decode()} → {orjson.dumps(field.new).decode()}"
            console.print(f"{item.environment}: {told}{place}")
    names: tuple[str, ...] = ()
    for change in folded:
        if change.environments != names:
            names = change.environments
            console.print(f"\n{', '.join(names)}", style="bold")
        draw_change(console, change.change)
