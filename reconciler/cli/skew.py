"""`reconciler skew ENV OTHER`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from reconciler.cli.exits import Exit
from reconciler.cli.invocation import Output, OutputOption, invocation

if TYPE_CHECKING:
    from reconciler.model.files import FileTree


def skew(
    context: typer.Context,
    left: Annotated[str, typer.Argument(metavar="ENV", help="An environment.")],
    right: Annotated[str, typer.Argument(metavar="OTHER", help="The environment that it is compared with.")],
    component: Annotated[str | None, typer.Option(help="Only this component.")] = None,
    exit_code: Annotated[bool, typer.Option("--exit-code", help="Exit with 3 where they differ.")] = False,
    output: OutputOption = Output.TEXT,
) -> int:
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

    workspace = open_workspace(invocation(context))
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
    if output is Output.TEXT:
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
