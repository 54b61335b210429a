"""`reconciler skew ENV OTHER`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from reconciler.cli.exits import Exit
from reconciler.cli.invocation import environment_names, output_option

if TYPE_CHECKING:
    from reconciler.cli.invocation import Invocation, Output
    from reconciler.model.files import FileTree


@click.command
@click.argument("left", metavar="ENV", shell_complete=environment_names, help="An environment.")
@click.argument(
    "right", metavar="OTHER", shell_complete=environment_names, help="The environment that it is compared with."
)
@click.option("--component", help="Only this component.")
@click.option("--exit-code", is_flag=True, help="Exit with 3 where they differ.")
@output_option
@click.pass_obj
def skew(invocation: Invocation, left: str, right: str, component: str | None, exit_code: bool, output: Output) -> int:
    """Show what differs between two environments, field by field, and which layer makes it differ.

    Both are rendered from the same revision; no cluster is asked.
    """
    from reconciler import pipeline
    from reconciler import skew as compared
    from reconciler.cli.checkout import open_environment, open_workspace
    from reconciler.cli.printing import print_document, print_warnings
    from reconciler.errors import UsageError
    from reconciler.model.resource import Desired
    from reconciler.report.canvas import canvas
    from reconciler.report.skew import draw_skew, skew_document

    workspace = open_workspace(invocation)
    sides = []
    for name in (left, right):
        desired = pipeline.render(open_environment(workspace, name))
        print_warnings(desired.warnings)
        sides.append(desired)
    known = {name for desired in sides for name in desired.components}
    if component is not None:
        if component not in known:
            raise UsageError(f"neither environment has a component {component!r}; they have {', '.join(sorted(known))}")
        sides = [
            Desired(item.environment, item.revision, {component: item.components.get(component, ())}) for item in sides
        ]
    settings = (
        ({}, {}) if component is not None else (_settings(workspace.files, left), _settings(workspace.files, right))
    )
    made = compared.compare(sides[0], sides[1], settings)
    if output == "text":
        draw_skew(canvas(), made)
    else:
        print_document(skew_document(made), output)
    return Exit.CHANGES if exit_code and not made.empty else Exit.OK


def _settings(files: FileTree, name: str) -> Any:
    """Return the document of an environment.yaml, with origins."""
    from reconciler import yaml
    from reconciler.environment.load import FILE, ROOT
    from reconciler.model.origin import Source

    directory = f"{ROOT}/{name}"
    return yaml.parse(files.read(f"{directory}/{FILE}"), Source(f"{directory}/{FILE}", directory))[0]
