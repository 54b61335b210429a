"""`reconciler blame ENV KIND/NAME [FIELD]`."""

from __future__ import annotations

from typing import Annotated

import typer

from reconciler.cli.invocation import EnvironmentName, Output, OutputOption, invocation


def blame(
    context: typer.Context,
    environment: EnvironmentName,
    target: Annotated[str, typer.Argument(metavar="KIND/NAME", help="The object, e.g. Deployment/grafana.")],
    field: Annotated[
        str | None,
        typer.Argument(metavar="[FIELD]", help="A field path, e.g. spec.template.spec.containers[name=web].image."),
    ] = None,
    namespace: Annotated[str | None, typer.Option("--namespace", "-n", help="The object's namespace.")] = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Tell where each field of an object comes from: value, file and line, layer, step, commit, what it replaced."""
    from reconciler import pipeline
    from reconciler.cli.checkout import open_environment, open_workspace
    from reconciler.cli.printing import print_document
    from reconciler.report import blame as told
    from reconciler.report.canvas import canvas

    workspace = open_workspace(invocation(context))
    desired = pipeline.render(open_environment(workspace, environment))
    resource = told.find(desired, target, namespace)
    rows = told.rows(resource, field)
    commits = workspace.commits(told.origins(rows))
    if output is Output.TEXT:
        told.draw(canvas(), resource, rows, commits)
    else:
        print_document(told.document(resource, rows, commits), output)
