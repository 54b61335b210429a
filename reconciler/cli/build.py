"""`reconciler build DIR`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from reconciler.cli.invocation import invocation

Restrictor = Literal["LoadRestrictionsRootOnly", "LoadRestrictionsNone"]


def build(
    context: typer.Context,
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="A directory with a kustomization file.")] = Path(),
    load_restrictor: Annotated[
        Restrictor, typer.Option(help="Whether files outside of the kustomization's directory may be read.")
    ] = "LoadRestrictionsRootOnly",
) -> None:
    """Render one Kustomize directory to YAML on stdout, as `kustomize build` does."""
    from reconciler import yaml
    from reconciler.cli.checkout import open_build
    from reconciler.cli.printing import print_warnings
    from reconciler.render.build import build as render

    files, path = open_build(invocation(context), directory)
    built = render(files, path, restrict_loads=load_restrictor != "LoadRestrictionsNone")
    print_warnings(tuple(str(warning) for warning in built.warnings))
    sys.stdout.write("---\n".join(yaml.dump(resource.body) for resource in built.resources))
