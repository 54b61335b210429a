"""`reconciler render ENV`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from reconciler.cli.invocation import environment_argument, output_option

if TYPE_CHECKING:
    from reconciler.cli.invocation import Invocation, Output


@click.command
@environment_argument
@click.option("--component", help="Only this component.")
@click.option("--origins", is_flag=True, help="Say beside each value where it comes from.")
@output_option
@click.pass_obj
def render(invocation: Invocation, environment: str, component: str | None, origins: bool, output: Output) -> None:
    """Print an environment's objects, as git defines them."""
    from reconciler import pipeline, yaml
    from reconciler.cli.checkout import open_environment, open_workspace
    from reconciler.cli.printing import print_data, print_document, print_warnings
    from reconciler.errors import UsageError
    from reconciler.report import origins as annotated

    checkout = open_environment(open_workspace(invocation), environment)
    desired = pipeline.render(checkout)
    if component is not None and component not in desired.components:
        names = ", ".join(desired.components)
        raise UsageError(f"environment {environment} has no component {component!r}; it has {names}")
    print_warnings(desired.warnings)
    chosen = [item for name, item in desired.resources if component in (None, name)]
    if output != "text":
        documents = [annotated.document(item) for item in chosen] if origins else [item.body for item in chosen]
        print_document(documents, output)
    elif origins:
        print_data("---\n".join(annotated.text(item) for item in chosen))
    else:
        print_data("---\n".join(yaml.dump(item.body) for item in chosen))
