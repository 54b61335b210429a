"""`reconciler preview --base REV --head REV`."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import TYPE_CHECKING, Literal, get_args

import click

from reconciler.cli.exits import Exit
from reconciler.cli.invocation import plan_output_option

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from reconciler.cli.invocation import Invocation, PlanOutput
    from reconciler.forge import Target
    from reconciler.model.origin import Origin
    from reconciler.model.preview import Folded, Preview
    from reconciler.source.repository import Repository

Forge = Literal["github", "gitlab", "gitea"]

MARKER = "preview"


@click.command
@click.option("--base", required=True, metavar="REV", help="What the change is to be merged into.")
@click.option("--head", required=True, metavar="REV", help="The change; compared with what both have in common.")
@click.option("--post", is_flag=True, help="Keep one comment on the pull request up to date, and set a commit status.")
@click.option("--forge", type=click.Choice(get_args(Forge)), help="Which forge; CI's variables say it by default.")
@click.option("--forge-url", metavar="URL", help="The forge's address.")
@click.option("--forge-repository", metavar="OWNER/NAME", help="The repository there.")
@click.option("--pull", type=int, metavar="N", help="The pull request's number.")
@plan_output_option
@click.pass_obj
def preview(
    invocation: Invocation,
    base: str,
    head: str,
    post: bool,
    forge: Forge | None,
    forge_url: str | None,
    forge_repository: str | None,
    pull: int | None,
    output: PlanOutput,
) -> int:
    """Show what a change does to every environment, from two commits alone: no cluster, no network.

    With --post, the token of the forge is read from GITHUB_TOKEN, GITLAB_TOKEN or GITEA_TOKEN. Exits with 2 where the
    head cannot be rendered; the comment says why.
    """
    from reconciler import forge as forges
    from reconciler.cli.checkout import open_repository
    from reconciler.cli.connect import open_clones
    from reconciler.preview.fold import fold
    from reconciler.preview.run import Side
    from reconciler.preview.run import preview as made_of

    repository = open_repository(invocation)
    first, last = repository.merge_base(base, head), repository.resolve(head)
    target: Target | None = None
    if post:
        target = forges.find(os.environ, kind=forge, url=forge_url, repository=forge_repository, pull=pull, sha=last)
    clones = open_clones()
    made = made_of(Side(first, repository.tree(first), clones), Side(last, repository.tree(last), clones))
    folded = fold(made.environments)
    _print(repository, made, folded, output)
    sys.stdout.flush()
    if target is not None:
        asyncio.run(_post(target, made, folded))
    return Exit.INVALID if made.failed else Exit.OK


async def _post(target: Target, made: Preview, folded: Sequence[Folded]) -> None:
    from reconciler import forge as forges
    from reconciler.report import preview as report

    limit = report.LIMIT - len(forges.hidden_line(MARKER)) - 1
    async with forges.open_forge(target) as forge:
        comment = await forge.upsert_comment(MARKER, report.markdown(made, folded, limit=limit))
        state: forges.State = "failure" if made.failed else "success"
        await forge.set_status(state, report.sentence(made), url=comment.url)
    sys.stderr.write(f"the preview is at {comment.url}\n")


def _print(repository: Repository, made: Preview, folded: Sequence[Folded], output: PlanOutput) -> None:
    from reconciler.report import preview as report

    if output == "text":
        from reconciler.report.canvas import canvas

        report.draw(canvas(), made, folded)
    elif output == "markdown":
        from reconciler.cli.printing import print_data

        print_data(report.markdown(made, folded))
    else:
        from reconciler.cli.checkout import certain, commits
        from reconciler.cli.printing import print_document

        gone = [item for item in folded if item.change.leaves]
        kept = [item for item in folded if not item.change.leaves]
        settings = [field.origin for environment in made.environments for field in environment.settings]
        head = commits(repository, (*_origins(kept), *settings), made.head)
        base = commits(repository, _origins(gone), made.base)
        shas = [{place: commit.sha for place, commit in certain(found).items()} for found in (head, base)]
        print_document(report.document(made, folded, *shas), output)


def _origins(folded: Sequence[Folded]) -> Iterator[Origin | None]:
    for item in folded:
        if item.change.resource is not None:
            yield item.change.resource.origin
        yield from (field.origin for field in item.change.fields)
