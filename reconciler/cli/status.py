"""`reconciler status ENV`."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import click

from reconciler.cli.invocation import environment_argument, output_option

if TYPE_CHECKING:
    from reconciler.cli.invocation import Invocation, Output
    from reconciler.pipeline import Checkout
    from reconciler.report.status import Status


@click.command
@environment_argument
@output_option
@click.pass_obj
def status(invocation: Invocation, environment: str, output: Output) -> None:
    """Tell health, drift and the last run of each component."""
    from reconciler.cli.checkout import open_environment, open_workspace
    from reconciler.cli.printing import print_document
    from reconciler.report import status as told
    from reconciler.report.canvas import canvas

    found, requests = asyncio.run(_read(open_environment(open_workspace(invocation), environment)))
    if output == "text":
        told.draw(canvas(), found, requests)
    else:
        print_document(told.document(found, requests), output)


async def _read(checkout: Checkout) -> tuple[Status, dict[str, int]]:
    from reconciler import pipeline, preflight
    from reconciler.apply import history
    from reconciler.cli.connect import connected
    from reconciler.observe.beside import beside
    from reconciler.report import status as told

    async with connected(checkout.environment) as (cluster, memory):
        planned = await pipeline.plan(checkout, cluster, memory)
        past = await history.read(cluster, checkout.environment.name)
        related = await beside(cluster, planned.observation.live)
        differs = (
            preflight.drift(planned.desired, await preflight.glance(cluster))
            if preflight.described(planned.desired)
            else ()
        )
        found = told.assess(
            planned.plan, planned.observation, checkout.environment, past.last, past.agent, related, differs
        )
        return found, cluster.requests.snapshot()
