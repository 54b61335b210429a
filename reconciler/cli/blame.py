"""`reconciler blame ENV KIND/NAME [FIELD]`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from reconciler.cli.invocation import environment_argument, output_option

if TYPE_CHECKING:
    from reconciler.cli.invocation import Invocation, Output


@click.command
@environment_argument
@click.argument("target", metavar="KIND/NAME", help="The object, e.g. Deployment/grafana.")
@click.argument(
    "field",
    required=False,
    metavar="[FIELD]",
    help="A field path, e.g. spec.template.spec.containers[name=web].image.",
)
@click.option("--namespace", "-n", help="The object's namespace.")
@output_option
@click.pass_obj
def blame(
    invocation: Invocation, environment: str, target: str, field: str | None, namespace: str | None, output: Output
) -> None:
    """Tell where each field of an object comes from: value, file and line, layer, step, commit, what it replaced."""
    from reconciler import pipeline
    from reconciler.cli.checkout import certain, open_environment, open_workspace
    from reconciler.cli.printing import print_document
    from reconciler.report import blame as told
    from reconciler.report.canvas import canvas

    workspace = open_workspace(invocation)
    desired = pipeline.render(open_environment(workspace, environment))
    resource = told.find(desired, target, namespace)
    rows = told.rows(resource, field)
    commits = workspace.commits(told.origins(rows))
    if output == "text":
        told.draw(canvas(), resource, rows, commits)
    else:
        print_document(told.document(resource, rows, certain(commits)), output)
