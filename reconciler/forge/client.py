"""A forge as the product sees it: one comment that is kept up to date, and a status of a commit."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final, Protocol

from reconciler.clock import SystemClock
from reconciler.forge import gitea, github, gitlab, wire

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from reconciler.clock import Clock
    from reconciler.forge.comments import Comment
    from reconciler.forge.states import State
    from reconciler.forge.targets import Kind, Target
    from reconciler.forge.wire import Wire


class Forge(Protocol):
    """One pull request at one forge. All methods raise ForgeError, whose text holds no token."""

    async def upsert_comment(self, marker: str, body: str) -> Comment:
        """Make the comment of ours that has this marker say `body`: edited in place, created, or left as it is.

        `marker` is a name, such as "preview"; it becomes a hidden line at the comment's start (`hidden_line`), whose
        characters count against the forge's limit.
        """

    async def set_status(
        self, state: State, description: str, *, context: str = "reconciler/preview", url: str = ""
    ) -> None:
        """Set the commit's status under the name `context`; a description over 140 characters is shortened.

        `url` is where details are, "" for nowhere.
        """


DIALECTS: Final[
    dict[Kind, tuple[Callable[[Wire, Target], Forge], Callable[[str], dict[str, str]], Mapping[int, str]]]
] = {
    "github": (github.GitHub, github.headers, github.HINTS),
    "gitlab": (gitlab.GitLab, gitlab.headers, gitlab.HINTS),
    "gitea": (gitea.Gitea, gitea.headers, gitea.HINTS),
}


@asynccontextmanager
async def open_forge(target: Target, *, clock: Clock | None = None) -> AsyncIterator[Forge]:
    """Open the way to a forge; nothing is sent until something is asked."""
    make, headers, hints = DIALECTS[target.kind]
    async with wire.session() as session:
        yield make(
            wire.Wire(session, clock or SystemClock(), target.api, headers(target.token), target.token, hints), target
        )
