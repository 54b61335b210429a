"""`reconciler preflight ENV`."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import click

from reconciler.cli.exits import Exit
from reconciler.cli.invocation import environment_argument, output_option

if TYPE_CHECKING:
    from reconciler.cli.invocation import Invocation, Output
    from reconciler.model.preflight import Preflight
    from reconciler.pipeline import Checkout
    from reconciler.preflight.version import Minor


@click.command
@environment_argument
@click.option("--to", metavar="VERSION", help="Check also what blocks an upgrade to this minor, e.g. 1.37.")
@output_option
@click.pass_obj
def preflight(invocation: Invocation, environment: str, to: str | None, output: Output) -> int:
    """Compare cluster and nodes with what git says of them, and find what blocks an upgrade.

    Looks at versions and skew, at every node's runtime and kubelet, at API versions that go; with --to also at budgets
    that block drains and at the room that a drained node's Pods need. Exits with 1 where something blocks.
    """
    from reconciler.cli.checkout import open_environment, open_workspace
    from reconciler.cli.printing import print_document
    from reconciler.errors import UsageError
    from reconciler.preflight.version import Minor
    from reconciler.report.canvas import canvas
    from reconciler.report.preflight import draw_preflight, preflight_document

    target = Minor.of(to) if to is not None else None
    if to is not None and target is None:
        raise UsageError(f"--to {to} is no version: expected major and minor, e.g. 1.37")
    found, requests = asyncio.run(_look(open_environment(open_workspace(invocation), environment), target))
    if output == "text":
        draw_preflight(canvas(), found, requests)
    else:
        print_document(preflight_document(found, requests), output)
    return Exit.FAILED if found.blocked else Exit.OK


async def _look(checkout: Checkout, target: Minor | None) -> tuple[Preflight, dict[str, int]]:
    from reconciler import pipeline
    from reconciler import preflight as checks
    from reconciler.cli.connect import connected

    async with connected(checkout.environment) as (cluster, _):
        desired = await asyncio.to_thread(pipeline.render, checkout)
        sight = await checks.read(cluster, kubelets=checks.asks_kubelets(desired))
        return checks.judge(desired, sight, target), cluster.requests.snapshot()
