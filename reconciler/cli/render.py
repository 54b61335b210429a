"""`reconciler render ENV`."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from reconciler.cli.invocation import EnvironmentName, Output, OutputOption, invocation


def render(
    context: typer.Context,
    environment: EnvironmentName,
    component: Annotated[str | None, typer.Option(help="Only this component.")] = None,
    origins: Annotated[bool, typer.Option("--origins", help="Say beside each value where it comes from.")] = False,
    output: OutputOption = Output.TEXT,
) -> None:
    """Print an environment's objects, as git defines them."""
    from reconciler import pipeline, yaml
    from reconciler.cli.checkout import open_environment, open_workspace
    from reconciler.cli.printing import print_document, print_warnings
    from reconciler.errors import UsageError
    from reconciler.report import origins as annotated

    checkout = open_environment(open_workspace(invocation(context)), environment)
    desired = pipeline.render(checkout)
    if component is not None and component not in desired.components:
        names = ", ".join(desired.components)
        raise UsageError(f"environment {environment} has no component {component!r}; it has {names}")
    print_warnings(desired.warnings)
    chosen = [item for name, item in desired.resources if component in (None, name)]
    if output is not Output.TEXT:
        documents = [annotated.document(item) for item in chosen] if origins else [item.body for item in chosen]
        print_document(documents, output)
    elif origins:
        sys.stdout.write("---\n".join(annotated.text(item) for item in chosen))
    else:
        sys.stdout.write("---\n".join(yaml.dump(item.body) for item in chosen))
