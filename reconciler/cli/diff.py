"""`reconciler diff ENV`."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from reconciler.cli.exits import Exit
from reconciler.cli.invocation import EnvironmentName, PlanOutput, invocation

if TYPE_CHECKING:
    from reconciler.pipeline import Checkout, Planned


def diff(
    context: typer.Context,
    environment: EnvironmentName,
    exit_code: Annotated[bool, typer.Option("--exit-code", help="Exit with 3 where there are changes.")] = False,
    save: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Keep the plan for `apply --plan FILE`; it holds no secret.")
    ] = None,
    output: Annotated[PlanOutput, typer.Option("--output", "-o", help="What to print.")] = PlanOutput.TEXT,
) -> int:
    """Show the plan: what apply would change, field by field, and which line of git causes it."""
    from reconciler.cli.checkout import open_environment, open_workspace
    from reconciler.cli.planning import print_plan
    from reconciler.report import saved

    workspace = open_workspace(invocation(context))
    checkout = open_environment(workspace, environment)
    planned, requests, cluster = asyncio.run(_plan(checkout, identify=save is not None))
    if save is not None:
        saved.save(save, planned.plan, cluster)
    print_plan(workspace, planned.plan, requests, output)
    if planned.plan.refusals:
        return Exit.REFUSED
    if any(change.problem for change in planned.plan.changes):
        return Exit.FAILED
    return Exit.CHANGES if exit_code and not planned.plan.empty else Exit.OK


async def _plan(checkout: Checkout, *, identify: bool) -> tuple[Planned, dict[str, int], str]:
    from reconciler import pipeline
    from reconciler.cli.connect import connected
    from reconciler.observe import read as observe

    async with connected(checkout.environment) as (cluster, memory):
        planned = await pipeline.plan(checkout, cluster, memory)
        uid = await observe.cluster_uid(cluster) if identify else ""
        return planned, cluster.requests.snapshot(), uid
