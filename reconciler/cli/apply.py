"""`reconciler apply ENV`."""

from __future__ import annotations

import asyncio
import gc
import getpass
import os
import signal
import socket
import sys
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import click

from reconciler.cli import streams
from reconciler.cli.exits import Exit
from reconciler.cli.invocation import PATH, Seconds, environment_argument, output_option
from reconciler.cli.signals import ending

if TYPE_CHECKING:
    from pathlib import Path

    from reconciler.apply.lease import Held
    from reconciler.cli.checkout import Workspace
    from reconciler.cli.invocation import Invocation, Output
    from reconciler.cluster.port import Cluster
    from reconciler.environment import Environment
    from reconciler.model.outcome import Report
    from reconciler.model.plan import Plan
    from reconciler.observe.memory import Memory
    from reconciler.pipeline import Checkout, Planned
    from reconciler.report.saved import SavedPlan

LOCK_TIMEOUT = 60.0


@dataclass(frozen=True, slots=True)
class Choices:
    """What the command line decided."""

    yes: bool
    wait: bool
    acknowledge: str | None
    kept: SavedPlan | None
    lock_timeout: float
    output: Output
    cluster: str = ""  # uid of the one that is spoken to, where a kept plan is to be compared


@click.command
@environment_argument
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@click.option("--plan", type=PATH, metavar="FILE", help="Apply exactly the plan that `diff --save` kept, or nothing.")
@click.option("--acknowledge", metavar="ID", help="Accept what the policy refuses, as the refusal says.")
@click.option("--wait/--no-wait", default=True, help="Wait until what was applied is healthy.")
@click.option(
    "--lock-timeout",
    type=Seconds(min=0),
    default=LOCK_TIMEOUT,
    metavar="SECONDS",
    help="How long to wait for another writer of the environment.",
)
@output_option
@click.pass_obj
def apply(
    invocation: Invocation,
    environment: str,
    yes: bool,
    plan: Path | None,
    acknowledge: str | None,
    wait: bool,
    lock_timeout: float,
    output: Output,
) -> int:
    """Show the plan, ask, apply it in dependency order, wait for health, prune, report."""
    from reconciler.cli.checkout import open_environment, open_workspace
    from reconciler.errors import UsageError

    kept = None
    if plan is not None:
        from reconciler.report import saved

        kept = saved.load(plan)
        if kept.environment != environment:
            raise UsageError(f"{plan} is a plan of environment {kept.environment}, not of {environment}")
        invocation = replace(invocation, revision=invocation.revision or kept.revision)
    workspace = open_workspace(invocation)
    checkout = open_environment(workspace, environment)
    decided = yes or acknowledge is not None or kept is not None
    if not decided and not sys.stdin.isatty():
        raise UsageError("there is no terminal to ask on: pass --yes, --plan FILE or --acknowledge ID")
    return asyncio.run(_apply(workspace, checkout, Choices(decided, wait, acknowledge, kept, lock_timeout, output)))


async def _apply(workspace: Workspace, checkout: Checkout, choices: Choices) -> int:
    from reconciler import pipeline
    from reconciler.apply import lease
    from reconciler.cli.connect import connected
    from reconciler.clock import SystemClock
    from reconciler.observe import read as observe
    from reconciler.plan.planid import content_id

    async with connected(checkout.environment) as (cluster, memory):
        planned = await pipeline.plan(checkout, cluster, memory)
        _show(workspace, planned.plan, cluster, choices)
        if choices.kept is not None:
            choices = replace(choices, cluster=await observe.cluster_uid(cluster))
        if (code := _verdict(workspace, planned.plan, cluster, choices)) is not None:
            return code
        if planned.plan.empty and not planned.plan.bookkeeping:  # nothing is written, so there is no writer to keep out
            return await _carry_out(planned, checkout.environment, (cluster, memory), None, choices)
        if not planned.plan.empty and (code := _declined(choices)) is not None:
            return code
        held = lease.hold(
            cluster,
            checkout.environment.name,
            holder=_holder(),
            patience=lease.Patience(choices.lock_timeout, _tell_wait, wanted=lambda: content_id(planned.desired)),
            clock=SystemClock(),
        )
        async with held as kept:
            shown = _essence(planned.plan)
            planned = await pipeline.plan(checkout, cluster, memory, again=planned)
            if (
                _essence(planned.plan) != shown
                and (code := _moved(workspace, planned.plan, cluster, choices)) is not None
            ):
                return code
            guarded = (cluster.guarded(kept.require), memory)
            return await _carry_out(planned, checkout.environment, guarded, kept, choices)


def _show(workspace: Workspace, plan: Plan, cluster: Cluster, choices: Choices) -> None:
    from reconciler.cli.planning import print_plan

    if choices.output == "text":
        print_plan(workspace, plan, cluster.requests.snapshot(), "text")
        sys.stdout.flush()


def _verdict(workspace: Workspace, plan: Plan, cluster: Cluster, choices: Choices) -> Exit | None:
    """Return the exit code of a plan that is not to be carried out; None for one that is."""
    from reconciler.errors import UnsafePlan

    if choices.kept is not None:
        from reconciler.report import saved

        saved.require_same(choices.kept, plan, choices.cluster)
    given = choices.acknowledge or ""
    identity = given.partition("+")[0]
    if choices.acknowledge is not None and identity != plan.id:
        raise UnsafePlan(
            f"the plan of now is {plan.id}, not {identity}: something that matters changed; "
            f"nothing was written, look again with: reconciler diff {plan.environment}"
        )
    if plan.accepted(given):
        return None
    if choices.output != "text":  # text was shown with the plan
        from reconciler.cli.planning import print_plan
        from reconciler.report.canvas import canvas
        from reconciler.report.text import draw_refusals

        print_plan(workspace, plan, cluster.requests.snapshot(), choices.output)
        draw_refusals(canvas(sys.stderr), plan)
    return Exit.REFUSED


def _essence(plan: Plan) -> tuple[str, frozenset[str]]:
    """Return what a person decides by: what is done, and what is refused, be it only by a window that has closed."""
    return plan.id, frozenset(item.rule for item in plan.refusals)


def _moved(workspace: Workspace, plan: Plan, cluster: Cluster, choices: Choices) -> Exit | None:
    """Look again at a plan that changed between being shown and the Lease being ours."""
    sys.stderr.write("the cluster or the time moved on since the plan was made; this is the plan of now:\n")
    _show(workspace, plan, cluster, choices)
    if (code := _verdict(workspace, plan, cluster, choices)) is not None:
        return code
    return _declined(choices)


def _declined(choices: Choices) -> Exit | None:
    """Ask whether the plan that was shown is to be applied, unless the command line said so; return the exit code of a no."""
    if choices.yes:
        return None
    if streams.lost() is not None:
        sys.stderr.write("nothing was written, because the plan could not be shown\n")
        return Exit.FAILED
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # asyncio's would wait for the answer
    try:
        if click.confirm("apply this plan?", err=True):
            return None
    except click.Abort:
        sys.stderr.write("\ninterrupted, nothing was written\n")
        return Exit.INTERRUPTED
    finally:
        signal.signal(signal.SIGINT, before)
    sys.stderr.write("nothing was written\n")
    return Exit.FAILED


async def _carry_out(
    planned: Planned,
    environment: Environment,
    connection: tuple[Cluster, Memory],
    held: Held | None,
    choices: Choices,
) -> int:
    from reconciler import pipeline
    from reconciler.apply import giveway, run
    from reconciler.cli.printing import print_warnings
    from reconciler.clock import SystemClock
    from reconciler.plan.planid import content_id
    from reconciler.report.progress import progress

    cluster, memory = connection
    gc.freeze()
    gc.enable()  # a run may wait for long; what it was planned from stays, and is not looked through again and again
    stop = asyncio.Event()
    interrupted = asyncio.Event()
    async with AsyncExitStack() as stack:
        loop = asyncio.get_running_loop()
        for number in ending():
            loop.add_signal_handler(number, _interrupt, stop, interrupted)
            stack.callback(loop.remove_signal_handler, number)
        give_way = None
        if held is not None:
            watcher = asyncio.create_task(_stop_when(held.lost, stop))
            stack.callback(watcher.cancel)
            give_way = await stack.enter_async_context(giveway.giving_way(held, lambda: content_id(planned.desired)))
        shown = stack.enter_context(progress(planned.plan))
        report = await run.apply(
            cluster,
            planned.plan,
            environment,
            planned.observation.discovery,
            clock=SystemClock(),
            stop=stop,
            emit=shown.emit,
            options=run.Options(choices.wait, _holder(), planned.spent, give_way),
        )
    print_warnings(report.warnings)
    pipeline.remember(memory, planned.plan, report)
    if report.interrupted and not report.reason:
        report = replace(report, reason=_why(held, give_way, interrupted))
    _report(report, planned.plan, choices)
    if interrupted.is_set():
        return Exit.INTERRUPTED
    return Exit.FAILED if report.failed or report.interrupted else Exit.OK


def _why(held: Held | None, give_way: asyncio.Event | None, interrupted: asyncio.Event) -> str:
    """Return why a run did not come to its end."""
    from reconciler.apply import giveway

    if held is not None and held.lost.is_set():
        return "the Lease was lost"
    if held is not None and give_way is not None and give_way.is_set() and not interrupted.is_set():
        return giveway.told(held)
    return "stopped on request"


def _interrupt(stop: asyncio.Event, interrupted: asyncio.Event) -> None:
    if interrupted.is_set():
        return
    interrupted.set()
    stop.set()
    sys.stderr.write("\nstopping after the requests in flight; the next apply continues\n")


async def _stop_when(lost: asyncio.Event, stop: asyncio.Event) -> None:
    await lost.wait()
    stop.set()


def _report(report: Report, plan: Plan, choices: Choices) -> None:
    if choices.output == "text":
        from reconciler.report.canvas import canvas
        from reconciler.report.text import draw_report

        console = canvas()
        console.print()
        draw_report(console, report)
    else:
        from reconciler.cli.printing import print_document
        from reconciler.report.document import report_document

        print_document(report_document(report, plan), choices.output)


def _tell_wait(holder: str) -> None:
    sys.stderr.write(f"waiting for {holder}, which holds the environment's Lease\n")


def _holder() -> str:
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a uid without a name, as containers have it
        user = f"uid-{os.getuid()}"
    return f"{user}@{socket.gethostname()}-{os.getpid()}"
