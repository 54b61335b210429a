"""GitHub: comments of an issue (a pull request is one), commit statuses, and whose the token is.

- https://docs.github.com/en/rest/issues/comments
- https://docs.github.com/en/rest/commits/statuses
- https://docs.github.com/en/graphql/reference/queries#user (viewer)
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from reconciler.errors import ForgeError
from reconciler.forge import comments
from reconciler.forge.comments import Found
from reconciler.forge.states import shortened

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from reconciler.forge.comments import Comment
    from reconciler.forge.states import State
    from reconciler.forge.targets import Target
    from reconciler.forge.wire import Wire

HINTS: Final = {
    401: "GITHUB_TOKEN is not accepted: it has expired, was revoked, or belongs to another forge",
    403: "GITHUB_TOKEN may not do this: give the job `permissions: {pull-requests: write, statuses: write}`, or use a "
    "token with these rights; a pull request from a fork gets a token that only reads",
    404: "check the repository, the pull request and the commit; GITHUB_TOKEN gets this answer too where it may not "
    "read the repository, and needs `pull-requests: write` and `statuses: write`",
}


def headers(token: str) -> dict[str, str]:
    """Return what goes with each request."""
    return {
        "Accept": "application/vnd.github+json",
        "Authorization": f"Bearer {token}",
        "X-GitHub-Api-Version": "2022-11-28",
    }


class GitHub:
    """One pull request at GitHub, or at a forge that speaks like it."""

    page_size = "per_page=100"

    def __init__(self, wire: Wire, target: Target) -> None:
        """Prepare; nothing is sent yet."""
        self._wire = wire
        self._repository = f"/repos/{target.repository}"
        self._comments = f"{self._repository}/issues/{target.pull}/comments"
        self._statuses = f"{self._repository}/statuses/{target.sha}"

    async def upsert_comment(self, marker: str, body: str) -> Comment:
        """Make our comment with this marker say `body`; see `Forge`."""
        return await comments.upsert(self, marker, body)

    async def set_status(
        self, state: State, description: str, *, context: str = "reconciler/preview", url: str = ""
    ) -> None:
        """Set the commit's status; see `Forge`."""
        content = {"state": state, "context": context, "description": shortened(description)}
        await self._wire.send("POST", self._statuses, content | ({"target_url": url} if url else {}), repeatable=True)

    async def comments(self) -> AsyncIterator[Found]:
        """Yield all comments, the oldest first."""
        async for item in self._wire.pages(self._comments, self.page_size):
            yield _found(item)

    async def author(self) -> str:
        """Return the token's own user.

        `GET /user` is refused to the tokens of apps, and the GITHUB_TOKEN of a workflow is one; `viewer` answers all,
        an app with "NAME[bot]". Nobody can take such a name, so the login alone is proof. Comments of all workflows of
        a repository have the same author, github-actions[bot]: to tell these apart would be no gain, because who can
        change a workflow can post whatever they want.
        """
        # GraphQL is at https://api.github.com/graphql, and at https://HOST/api/graphql beside https://HOST/api/v3.
        beside = replace(self._wire, api=self._wire.api.removesuffix("/v3"))
        told = await beside.send("POST", "/graphql", {"query": "query { viewer { login } }"}, repeatable=True)
        try:
            return str(told["data"]["viewer"]["login"])
        except (KeyError, TypeError):
            raise ForgeError("POST /graphql: GitHub does not tell whose GITHUB_TOKEN is") from None

    async def create(self, body: str) -> Found:
        """Add a comment. It is not repeated where nobody knows whether it arrived: two of them would stay."""
        return _found(await self._wire.send("POST", self._comments, {"body": body}, repeatable=False))

    async def edit(self, comment: Found, body: str) -> Found:
        """Replace a comment's text."""
        path = f"{self._repository}/issues/comments/{comment.id}"
        return _found(await self._wire.send("PATCH", path, {"body": body}, repeatable=True))


def _found(item: Any) -> Found:
    """Return a comment; the user of a deleted account is null."""
    try:
        return Found(
            int(item["id"]), item.get("html_url") or "", (item["user"] or {}).get("login", ""), item["body"] or ""
        )
    except (AttributeError, KeyError, TypeError, ValueError):
        raise ForgeError("expected a comment, and the forge answered with something else") from None
