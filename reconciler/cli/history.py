"""`reconciler history ENV [RUN]`."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from reconciler.cli.invocation import EnvironmentName, Output, OutputOption, invocation

if TYPE_CHECKING:
    from reconciler.apply.history import History
    from reconciler.pipeline import Checkout


def history(
    context: typer.Context,
    environment: EnvironmentName,
    run: Annotated[
        str | None,
        typer.Argument(metavar="[RUN]", help="One run in full: its number (1 is the newest), plan id or revision."),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many runs are listed.")] = 20,
    output: OutputOption = Output.TEXT,
) -> None:
    """Tell the last runs: when, of which commit, by whom, what changed, how long each part took."""
    from reconciler.cli.checkout import open_environment, open_workspace
    from reconciler.cli.printing import print_document, print_warnings
    from reconciler.report import history as told
    from reconciler.report.canvas import canvas

    workspace = open_workspace(invocation(context))
    found = asyncio.run(_read(open_environment(workspace, environment)))
    print_warnings((found.unreadable,) if found.unreadable else ())
    runs = found.runs[:limit] if run is None else (told.find(found.runs, run),)
    if output is not Output.TEXT:
        print_document(told.document(environment, runs), output)
    elif run is None:
        told.draw(canvas(), runs)
    else:
        repository, revision = workspace.repository, runs[0].revision
        told.draw_run(canvas(), runs[0], repository.commit(revision) if repository and revision else None)


async def _read(checkout: Checkout) -> History:
    from reconciler.apply import history as records
    from reconciler.cli.connect import connected

    async with connected(checkout.environment) as (cluster, _):
        return await records.read(cluster, checkout.environment.name)
