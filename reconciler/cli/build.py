"""`reconciler build DIR`."""

from __future__ import annotations

from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

import click

from reconciler.cli.invocation import PATH

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from reconciler.cli.invocation import Invocation
    from reconciler.helm import Helm
    from reconciler.model.files import FileTree
    from reconciler.model.resource import Resource
    from reconciler.source.bases import Bases

Restrictor = Literal["LoadRestrictionsRootOnly", "LoadRestrictionsNone"]


@click.command
@click.argument(
    "directory",
    type=PATH,
    default=Path(),
    metavar="[DIR]",
    help="A directory with a kustomization file; the current one where none is named.",
)
@click.option(
    "--load-restrictor",
    type=click.Choice(get_args(Restrictor)),
    default="LoadRestrictionsRootOnly",
    help="Whether files outside of the kustomization's directory may be read.",
)
@click.option("--enable-helm", is_flag=True, help="Render Helm charts (`helmCharts`).")
@click.option("--helm-command", metavar="PROGRAM", help="The helm to use; else RECONCILER_HELM, else that on PATH.")
@click.option(
    "--output", "-o", type=PATH, metavar="PATH", help="Write to a file, or one file an object to a directory."
)
@click.option(
    "--allow-remote", multiple=True, metavar="HOST", help="A host that remote bases may come from; repeatable."
)
@click.pass_obj
def build(
    invocation: Invocation,
    directory: Path,
    load_restrictor: Restrictor,
    enable_helm: bool,
    helm_command: str | None,
    output: Path | None,
    allow_remote: tuple[str, ...],
) -> None:
    """Render one Kustomize directory to YAML, as `kubectl kustomize` does."""
    from reconciler import yaml
    from reconciler.cli.checkout import open_build
    from reconciler.cli.files import write
    from reconciler.cli.printing import print_data, print_warnings
    from reconciler.render.build import build as render

    files, path = open_build(invocation, directory)
    with ExitStack() as stack:
        built = render(
            files,
            path,
            restrict_loads=load_restrictor != "LoadRestrictionsNone",
            charts=_charts(helm_command) if enable_helm else None,
            remotes=stack.enter_context(_bases(files, path, allow_remote)) if allow_remote else None,
        )
    print_warnings(tuple(str(warning) for warning in built.warnings))
    if output is not None and output.is_dir():
        for name, text in _named(built.resources):
            write(output / name, text)
        return
    text = "---\n".join(yaml.dump(resource.body) for resource in built.resources)
    if output is not None:
        write(output, text)
    else:
        print_data(text)


def _charts(command: str | None) -> Helm:
    from reconciler import pipeline  # as late as the next one: a build that needs neither begins in half the time

    return pipeline.helm(command=command)


@contextmanager
def _bases(files: FileTree, path: str, hosts: Sequence[str]) -> Iterator[Bases]:
    from reconciler import vendor
    from reconciler.cli.connect import open_clones
    from reconciler.source.bases import Bases

    with closing(Bases.open(open_clones(), files, hosts)) as bases:
        vendor.fetch(files, [path], bases)
        yield bases


def _named(resources: Sequence[Resource]) -> Iterator[tuple[str, str]]:
    """Yield the name of a file for each object, as Kustomize names it, and its text.

    The namespace is part of the name where there are several.
    """
    from reconciler import yaml
    from reconciler.render.kinds import cluster_scoped

    spaces = {item.id: "" if cluster_scoped(item.gvk) else item.id.namespace or "default" for item in resources}
    several = len(set(filter(None, spaces.values()))) > 1
    for item in resources:
        group, version, kind = item.gvk
        parts = (spaces[item.id] if several else "", group, version, kind, item.id.name)
        yield "_".join(part.lower() for part in parts if part) + ".yaml", yaml.dump(item.body)
