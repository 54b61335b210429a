"""`reconciler preview --base REV --head REV`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from reconciler.cli.exits import Exit
from reconciler.cli.invocation import PlanOutput, invocation

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from reconciler.model.origin import Origin
    from reconciler.model.preview import Folded, Preview
    from reconciler.source.repository import Repository


def preview(
    context: typer.Context,
    base: Annotated[str, typer.Option(metavar="REV", help="What the change is to be merged into.")],
    head: Annotated[str, typer.Option(metavar="REV", help="The change; compared with what both have in common.")],
    output: Annotated[PlanOutput, typer.Option("--output", "-o", help="What to print.")] = PlanOutput.TEXT,
) -> int:
    """Show what a change does to every environment, from two commits alone: no cluster, no network."""
    from reconciler.cli.checkout import open_repository
    from reconciler.preview.fold import fold
    from reconciler.preview.run import Side
    from reconciler.preview.run import preview as made_of

    repository = open_repository(invocation(context))
    first, last = repository.merge_base(base, head), repository.resolve(head)
    made = made_of(Side(first, repository.tree(first)), Side(last, repository.tree(last)))
    folded = fold(made.environments)
    _print(repository, made, folded, output)
    return Exit.INVALID if made.failed else Exit.OK


def _print(repository: Repository, made: Preview, folded: Sequence[Folded], output: PlanOutput) -> None:
    from reconciler.report import preview as report

    if output is PlanOutput.TEXT:
        from reconciler.report.canvas import canvas

        report.draw(canvas(), made, folded)
    elif output is PlanOutput.MARKDOWN:
        sys.stdout.write(report.markdown(made, folded))
    else:
        from reconciler.cli.checkout import commits
        from reconciler.cli.printing import print_document

        found = commits(repository, _origins(made, folded), made.head)
        shas = {place: commit.sha for place, commit in found.items()}
        print_document(report.document(made, folded, shas), output)


def _origins(made: Preview, folded: Sequence[Folded]) -> Iterator[Origin | None]:
    for item in folded:
        if item.change.resource is not None:
            yield item.change.resource.origin
        yield from (field.origin for field in item.change.fields)
    for environment in made.environments:
        yield from (field.origin for field in environment.settings)
