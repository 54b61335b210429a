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
    enable_helm: Annotated[bool, typer.Option("--enable-helm", help="Render Helm charts (`helmCharts`).")] = False,
    helm_command: Annotated[
        str | None, typer.Option(metavar="PROGRAM", help="The helm to use; else RECONCILER_HELM, else that on PATH.")
    ] = None,
) -> None:
    """Render one Kustomize directory to YAML on stdout, as `kustomize build` does."""
    from reconciler import pipeline, yaml
    from reconciler.cli.checkout import open_build
    from reconciler.cli.printing import print_warnings
    from reconciler.render.build import build as render

    files, path = open_build(invocation(context), directory)
    charts = pipeline.helm(command=helm_command) if enable_helm else None
    built = render(files, path, restrict_loads=load_restrictor != "LoadRestrictionsNone", charts=charts)
    print_warnings(tuple(str(warning) for warning in built.warnings))
    sys.stdout.write("---\n".join(yaml.dump(resource.body) for resource in built.resources))
