"""Printing a plan in the form that the command asks for, with the commit of each line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.model.plan import Action

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from reconciler.cli.checkout import Workspace
    from reconciler.model.commit import Commit
    from reconciler.model.origin import Origin
    from reconciler.model.plan import Plan


def print_plan(workspace: Workspace, plan: Plan, requests: Mapping[str, int], output: str) -> None:
    """Print a plan to stdout."""
    if output == "text":
        from reconciler.report.canvas import canvas
        from reconciler.report.text import draw_plan

        draw_plan(canvas(), plan, requests)
    elif output == "markdown":
        from reconciler.cli.printing import print_data
        from reconciler.report.markdown import plan_markdown

        print_data(plan_markdown(plan, requests))
    else:
        from reconciler.cli.printing import print_document
        from reconciler.report.document import plan_document

        commits = {place: commit.sha for place, commit in _commits(workspace, plan).items()}
        print_document(plan_document(plan, requests, commits), output)


def _commits(workspace: Workspace, plan: Plan) -> Mapping[tuple[str, int], Commit]:
    """Return the commit of each line; none, with a warning, where git does not tell: the plan is right without."""
    from reconciler.cli.checkout import certain
    from reconciler.cli.printing import print_warnings
    from reconciler.errors import GitUnusable

    try:
        return certain(workspace.commits(_origins(plan)))
    except GitUnusable as error:
        print_warnings((f"the commits of lines are left out: {error}",))
        return {}


def _origins(plan: Plan) -> Iterator[Origin | None]:
    for change in plan.changes:
        if change.action is not Action.UNCHANGED and change.resource is not None:
            yield change.resource.origin
        yield from (field.origin for field in change.fields)
        yield from (conflict.origin for conflict in change.conflicts)
