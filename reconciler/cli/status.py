"""`reconciler status ENV`."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import typer

from reconciler.cli.invocation import EnvironmentName, Output, OutputOption, invocation

if TYPE_CHECKING:
    from reconciler.pipeline import Checkout
    from reconciler.report.status import Status


def status(context: typer.Context, environment: EnvironmentName, output: OutputOption = Output.TEXT) -> None:
    """Tell health, drift and the last run of each component."""
    from reconciler.cli.checkout import open_environment, open_workspace
    from reconciler.cli.printing import print_document
    from reconciler.report import status as told
    from reconciler.report.canvas import canvas

    found, requests = asyncio.run(_read(open_environment(open_workspace(invocation(context)), environment)))
    if output is Output.TEXT:
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
