"""`reconciler history ENV [RUN]`."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import click

from reconciler.cli.invocation import environment_argument, output_option

if TYPE_CHECKING:
    from reconciler.apply.history import History
    from reconciler.cli.invocation import Invocation, Output
    from reconciler.pipeline import Checkout


@click.command
@environment_argument
@click.argument(
    "run",
    required=False,
    metavar="[RUN]",
    help="One run in full: its number (1 is the newest), plan id or revision.",
)
@click.option("--limit", type=click.IntRange(min=1), default=20, help="How many runs are listed.")
@output_option
@click.pass_obj
def history(invocation: Invocation, environment: str, run: str | None, limit: int, output: Output) -> None:
    """Tell the last runs: when, of which commit, by whom, what changed, how long each part took."""
    from reconciler.cli.checkout import open_environment, open_workspace
    from reconciler.cli.printing import print_document, print_warnings
    from reconciler.report import history as told
    from reconciler.report.canvas import canvas

    workspace = open_workspace(invocation)
    found = asyncio.run(_read(open_environment(workspace, environment)))
    print_warnings((found.unreadable,) if found.unreadable else ())
    runs = found.runs[:limit] if run is None else (told.find(found.runs, run),)
    if output != "text":
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
