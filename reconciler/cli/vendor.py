"""`reconciler vendor [ENV|DIR…]`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

import click

from reconciler.cli.exits import Exit
from reconciler.cli.invocation import output_option

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from reconciler.cli.checkout import Workspace
    from reconciler.cli.invocation import Invocation, Output
    from reconciler.vendor import Base, Vendored

    Target = tuple[str, Collection[str]]

_SIGNS: Final = {"added": "+", "updated": "~", "removed": "-", "unchanged": " "}


@click.command
@click.argument(
    "names", nargs=-1, metavar="[ENV|DIR]...", help="Environments or directories; all environments by default."
)
@click.option("--check", is_flag=True, help="Write nothing; exit with 2 where the lock file is not up to date.")
@click.option("--update", is_flag=True, help="Resolve branches and tags anew.")
@click.option("--allow-remote", multiple=True, metavar="HOST", help="A host that bases of directories may come from.")
@output_option
@click.pass_obj
def vendor(
    invocation: Invocation,
    names: tuple[str, ...],
    check: bool,
    update: bool,
    allow_remote: tuple[str, ...],
    output: Output,
) -> int:
    """Pin remote bases: resolve their branches and tags to commits in vendor.lock.yaml, and fetch them.

    Bases that remote bases name in turn are found, too. What is locked already stays, unless --update. Where
    environments or directories are named, entries of others are kept.
    """
    from reconciler.cli.checkout import open_workspace, root_of
    from reconciler.cli.connect import open_clones
    from reconciler.cli.files import write
    from reconciler.environment import lockfile
    from reconciler.errors import UsageError
    from reconciler.vendor import vendor as vendored

    if invocation.revision is not None and not check:
        raise UsageError(f"a commit cannot be written to: add --check, or leave out --revision {invocation.revision}")
    workspace = open_workspace(invocation)
    targets = _targets(workspace, invocation, names, allow_remote)
    made = vendored(workspace.files, targets, open_clones(), update=update, everything=not names)
    written = made.stale and not check
    if written:
        path, text = root_of(workspace, invocation) / lockfile.PATH, lockfile.write(made.lock)
        if text:
            write(path, text)
        else:
            path.unlink(missing_ok=True)
    _print(made, output, written=written, update=update)
    return Exit.INVALID if check and made.stale else Exit.OK


def _targets(workspace: Workspace, given: Invocation, names: Sequence[str], allowed: Sequence[str]) -> list[Target]:
    """Return the directories that are meant, each with the hosts that it allows."""
    from reconciler import environment as environments
    from reconciler.errors import UsageError

    known = environments.discover(workspace.files)
    if not names and not known:
        raise UsageError("there is no environments/<name>/environment.yaml in this repository: name directories")
    targets: list[Target] = []
    for name in names or known:
        if name in known:
            targets.extend(_components(workspace, name))
        else:
            targets.append((_directory(workspace, given, name), allowed))
    return targets


def _components(workspace: Workspace, name: str) -> list[Target]:
    from reconciler import pipeline

    checkout = pipeline.open_checkout(workspace.files, name, workspace.revision)
    environment = checkout.environment
    hosts = environment.spec.render.remotes
    return [(checkout.directory_of(component), hosts) for component in environment.spec.components]


def _directory(workspace: Workspace, given: Invocation, name: str) -> str:
    from reconciler.cli.checkout import root_of
    from reconciler.errors import UsageError

    root, target = root_of(workspace, given), (given.repo / name).resolve()
    path = target.relative_to(root).as_posix() if target.is_relative_to(root) else None
    if path is None or not workspace.files.is_dir(path):
        raise UsageError(f"{name} is neither an environment nor a directory of this repository")
    return "" if path == "." else path


def _print(made: Vendored, output: Output, *, written: bool, update: bool) -> None:
    from reconciler.cli.printing import print_document
    from reconciler.environment import lockfile

    if output != "text":
        document = {
            "file": lockfile.PATH,
            "stale": made.stale,
            "written": written,
            "bases": [_document(base) for base in made.bases],
        }
        print_document(document, output)
        return
    for base in made.bases:
        sys.stdout.write(f"{_SIGNS[base.change]} {_told(base)}\n")
    state = "written" if written else "not up to date: run `reconciler vendor`" if made.stale else "up to date"
    if made.stale and update:
        state = state.replace("vendor`", "vendor --update`")
    sys.stdout.write(f"{lockfile.PATH}: {len(made.lock.bases)} pinned, {state}\n")


def _told(base: Base) -> str:
    shown = f"{base.url} at {base.ref}: "
    if base.change == "updated":
        shown += f"{base.before} → {base.commit}"
    else:
        shown += f"{base.commit or base.before}"
    return shown + (f"  ({', '.join(base.named)})" if base.named else "")


def _document(base: Base) -> dict[str, object]:
    return {
        "url": base.url,
        "ref": base.ref,
        "commit": base.commit,
        "before": base.before,
        "change": base.change,
        "named": list(base.named),
    }
