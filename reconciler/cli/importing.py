"""`reconciler import`."""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from typing import TYPE_CHECKING, Any

import click

from reconciler.cli.invocation import PATH, output_option

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from reconciler.cli.invocation import Output
    from reconciler.importing.run import Choice, Imported
    from reconciler.model.identity import ObjectId


@click.command("import")
@click.argument("namespace", metavar="NAMESPACE", help="The namespace to read.")
@click.argument("directory", type=PATH, metavar="DIR", help="A directory that does not exist yet.")
@click.option("--context", "cluster_context", help="A context of the kubeconfig; the current one where none is named.")
@click.option("--kubeconfig", metavar="FILE", help="The kubeconfig; else KUBECONFIG.")
@click.option("--selector", "-l", default="", show_default=False, metavar="LABELS", help="Only objects with labels.")
@click.option("--kind", multiple=True, metavar="KIND", help="Only objects of a kind, e.g. Deployment; repeatable.")
@click.option("--secrets", is_flag=True, help="Write Secrets too, with their values.")
@output_option
def import_(
    namespace: str,
    directory: Path,
    cluster_context: str | None,
    kubeconfig: str | None,
    selector: str,
    kind: tuple[str, ...],
    secrets: bool,
    output: Output,
) -> None:
    """Write the live objects of a namespace as a component, without what the server filled in.

    Reads only: what is in the cluster stays as it is. Applied as a component, the objects are adopted and do not change.
    """
    from reconciler.cli.printing import print_document
    from reconciler.importing import component
    from reconciler.importing.run import Choice

    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        component.write(directory, {})  # tells it before anything is read
    choice = Choice(namespace, selector, kind, secrets)
    found = asyncio.run(_read(cluster_context, kubeconfig, choice))
    texts = component.files(found.objects)
    component.write(directory, texts)
    if output == "text":
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
    lines += [f"left out: Secrets, unread: {found.unread}"] if found.unread else []
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
        "unread": found.unread or None,
    }


def _by_object(found: Mapping[ObjectId, str], key: str) -> list[dict[str, Any]]:
    from reconciler.report.document import id_document

    return [{"id": id_document(identity), key: text} for identity, text in found.items()]
