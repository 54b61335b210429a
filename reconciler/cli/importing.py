"""`reconciler import`."""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from reconciler.cli.invocation import Output, OutputOption

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconciler.importing.run import Choice, Imported
    from reconciler.model.identity import ObjectId


def import_(
    namespace: Annotated[str, typer.Argument(metavar="NAMESPACE", help="The namespace to read.")],
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="A directory that does not exist yet.")],
    cluster_context: Annotated[
        str | None, typer.Option("--context", help="A context of the kubeconfig; the current one where none is named.")
    ] = None,
    kubeconfig: Annotated[str | None, typer.Option(metavar="FILE", help="The kubeconfig; else KUBECONFIG.")] = None,
    selector: Annotated[str, typer.Option("--selector", "-l", metavar="LABELS", help="Only objects with labels.")] = "",
    kind: Annotated[
        list[str] | None, typer.Option(metavar="KIND", help="Only objects of a kind, e.g. Deployment; repeatable.")
    ] = None,
    secrets: Annotated[bool, typer.Option("--secrets", help="Write Secrets too, with their values.")] = False,
    output: OutputOption = Output.TEXT,
) -> None:
    """Write the live objects of a namespace as a component, without what the server filled in.

    Reads only: what is in the cluster stays as it is. Applied as a component, the objects are adopted and do not change.
    """
    from reconciler.cli.printing import print_document
    from reconciler.importing import component
    from reconciler.importing.run import Choice

    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        component.write(directory, {})  # tells it before anything is read
    choice = Choice(namespace, selector, tuple(kind or ()), secrets)
    found = asyncio.run(_read(cluster_context, kubeconfig, choice))
    texts = component.files(found.objects)
    component.write(directory, texts)
    if output is Output.TEXT:
        _tell(found, directory)
    else:
        print_document(_document(found, directory, sorted(texts)), output)


async def _read(context: str | None, kubeconfig: str | None, choice: Choice) -> Imported:
    from reconciler.cli.connect import connected_to
    from reconciler.importing.run import read

    async with connected_to(kubeconfig, context) as cluster:
        return await read(cluster, choice)


def _tell(found: Imported, directory: Path) -> None:
    lines = [f"{directory}: {len(found.objects)} objects"]
    lines += [f"left out: {count} {why}" for why, count in sorted(Counter(found.left.values()).items())]
    lines += [
        f"kept with defaults: {identity}, the server would not try it: {why}"
        for identity, why in found.unproven.items()
    ]
    for owner, count in sorted(Counter(found.owners.values()).items()):
        lines.append(f"belongs to {owner}: {count}; add {owner} to policy.adopt in environment.yaml to take them over")
    lines.append("next: name the directory as a component in environment.yaml, then look with: reconciler diff ENV")
    sys.stdout.write("\n".join(lines) + "\n")


def _document(found: Imported, directory: Path, files: list[str]) -> dict[str, Any]:
    return {
        "directory": str(directory),
        "files": files,
        "leftOut": _by_object(found.left, "reason"),
        "owners": _by_object(found.owners, "owner"),
        "unproven": _by_object(found.unproven, "reason"),
    }


def _by_object(found: Mapping[ObjectId, str], key: str) -> list[dict[str, Any]]:
    from reconciler.report.document import id_document

    return [{"id": id_document(identity), key: text} for identity, text in found.items()]
