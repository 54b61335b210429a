"""The one comment of ours on a pull request: which it is, and what becomes of it.

It begins with a line that readers do not see and that names what the comment is for, so that a second run edits it in
place. Anybody may write such a line, so a comment is ours only where the forge says that our token's own user wrote it:
a stranger whose comment we took for ours could edit a preview after it was posted, under our eyes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

Change = Literal["created", "edited", "unchanged"]


@dataclass(frozen=True, slots=True)
class Comment:
    """A comment of ours as it is now; `url` shows it to people ("" where the forge does not tell), `change` is ours."""

    id: int
    url: str
    change: Change


@dataclass(frozen=True, slots=True)
class Found:
    """A comment as the forge tells it; `author` is whatever the forge knows its users by."""

    id: int
    url: str
    author: str
    body: str


class Thread(Protocol):
    """The comments of one pull request."""

    def comments(self) -> AsyncIterator[Found]:
        """Yield all comments, the oldest first."""

    async def author(self) -> str:
        """Return the token's own user, as `Found.author` tells it."""

    async def create(self, body: str) -> Found:
        """Add a comment."""

    async def edit(self, comment: Found, body: str) -> Found:
        """Replace a comment's text."""


def hidden_line(marker: str) -> str:
    """Return the line that a comment begins with; `marker` is a name, such as "preview"."""
    if not marker or marker != marker.strip() or not marker.isprintable() or "--" in marker or ">" in marker:
        raise ValueError(f"{marker!r} cannot stand in an HTML comment")
    return f"<!-- reconciler: {marker} -->"


async def upsert(thread: Thread, marker: str, body: str) -> Comment:
    """Make our comment with this marker say `body`: edit the oldest there is, or create one."""
    line = hidden_line(marker)
    text = f"{line}\n{body}"
    found = await _ours(thread, line)
    if found is None:
        made = await thread.create(text)
        return Comment(made.id, made.url, "created")
    if _plain(found.body) == _plain(text):
        return Comment(found.id, found.url, "unchanged")
    edited = await thread.edit(found, text)
    return Comment(edited.id, edited.url, "edited")


async def _ours(thread: Thread, line: str) -> Found | None:
    """Return the oldest comment of ours; who we are is asked only where a comment has the line."""
    author: str | None = None
    async for comment in thread.comments():
        if _plain(comment.body).partition("\n")[0] != line:
            continue
        if author is None:
            author = await thread.author()
        if comment.author == author:
            return comment
    return None


def _plain(body: str) -> str:
    """Return a text as forges may keep it: line ends of one kind, none of them at the end."""
    return body.replace("\r\n", "\n").rstrip()
