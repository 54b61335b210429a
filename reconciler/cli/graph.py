"""`reconciler graph ENV`."""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import Annotated

import typer

from reconciler.cli.invocation import EnvironmentName, invocation


class GraphOutput(StrEnum):
    """What `graph` prints."""

    TEXT = "text"
    MERMAID = "mermaid"
    DOT = "dot"
    JSON = "json"
    YAML = "yaml"


def graph(
    context: typer.Context,
    environment: EnvironmentName,
    why: Annotated[
        tuple[str, str] | None,
        typer.Option(
            metavar="A B", help="Explain why A needs B: components, or objects as KIND/NAME or KIND/NAMESPACE/NAME."
        ),
    ] = None,
    objects: Annotated[bool, typer.Option("--objects", help="Draw objects too, not only components.")] = False,
    output: Annotated[GraphOutput, typer.Option("--output", "-o", help="What to print.")] = GraphOutput.TEXT,
) -> None:
    """Print the dependency graph: what needs what, and so what is applied before what."""
    from reconciler import pipeline
    from reconciler.cli.checkout import open_environment, open_workspace
    from reconciler.cli.printing import print_document
    from reconciler.errors import UsageError
    from reconciler.report import graph as drawing
    from reconciler.report.why import explain

    checkout = open_environment(open_workspace(invocation(context)), environment)
    made = pipeline.order(pipeline.render(checkout), checkout.environment)
    if why is not None:
        path = explain(made, *why)
        if path is None:
            raise UsageError(f"{why[0]} does not need {why[1]}, neither by itself nor by way of others")
        sys.stdout.write(path)
    elif output in (GraphOutput.JSON, GraphOutput.YAML):
        print_document(drawing.document(made), output)
    else:
        draw = {"text": drawing.text, "mermaid": drawing.mermaid, "dot": drawing.dot}[output]
        sys.stdout.write(draw(made, objects))
