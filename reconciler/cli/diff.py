"""`reconciler diff ENV`."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import click

from reconciler.cli.exits import Exit
from reconciler.cli.invocation import PATH, environment_argument, plan_output_option

if TYPE_CHECKING:
    from pathlib import Path

    from reconciler.cli.invocation import Invocation, PlanOutput
    from reconciler.pipeline import Checkout, Planned


@click.command
@environment_argument
@click.option("--exit-code", is_flag=True, help="Exit with 3 where there are changes.")
@click.option("--save", type=PATH, metavar="FILE", help="Keep the plan for `apply --plan FILE`; it holds no secret.")
@plan_output_option
@click.pass_obj
def diff(invocation: Invocation, environment: str, exit_code: bool, save: Path | None, output: PlanOutput) -> int:
    """Show the plan: what apply would change, field by field, and which line of git causes it."""
    from reconciler.cli.checkout import open_environment, open_workspace
    from reconciler.cli.planning import print_plan

    workspace = open_workspace(invocation)
    checkout = open_environment(workspace, environment)
    planned, requests, cluster = asyncio.run(_plan(checkout, identify=save is not None))
    if save is not None:
        from reconciler.cli.files import write
        from reconciler.report import saved

        write(save, saved.text(planned.plan, cluster))
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
