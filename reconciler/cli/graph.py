"""`reconciler graph ENV`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Literal, get_args

import click

from reconciler.cli.invocation import environment_argument

if TYPE_CHECKING:
    from reconciler.cli.invocation import Invocation

GraphOutput = Literal["text", "mermaid", "dot", "json", "yaml"]


@click.command
@environment_argument
@click.option(
    "--why",
    nargs=2,
    metavar="A B",
    help="Explain why A needs B: components, or objects as KIND/NAME or KIND/NAMESPACE/NAME.",
)
@click.option("--objects", is_flag=True, help="Draw objects too, not only components.")
@click.option("--output", "-o", type=click.Choice(get_args(GraphOutput)), default="text", help="What to print.")
@click.pass_obj
def graph(
    invocation: Invocation, environment: str, why: tuple[str, str] | None, objects: bool, output: GraphOutput
) -> None:
    """Print the dependency graph: what needs what, and so what is applied before what."""
    from reconciler import pipeline
    from reconciler.cli.checkout import open_environment, open_workspace
    from reconciler.cli.printing import print_document
    from reconciler.errors import UsageError
    from reconciler.report import graph as drawing
    from reconciler.report import why as chains

    if why is not None and output in ("mermaid", "dot"):
        raise UsageError(f"--why is told as text, json or yaml, not drawn as {output}")
    checkout = open_environment(open_workspace(invocation), environment)
    made = pipeline.order(pipeline.render(checkout), checkout.environment)
    if why is not None:
        chain = chains.explain(made, *why)
        if chain is None:
            raise UsageError(f"{why[0]} does not need {why[1]}, neither by itself nor by way of others")
        if output == "text":
            sys.stdout.write(chains.text(chain))
        else:
            print_document(chains.document(made, chain), output)
    elif output in ("json", "yaml"):
        print_document(drawing.document(made), output)
    else:
        draw = {"text": drawing.text, "mermaid": drawing.mermaid, "dot": drawing.dot}[output]
        sys.stdout.write(draw(made, objects))
