"""Gitea and Forgejo: as GitHub, below /api/v1.

https://docs.gitea.com/api/ (issue: comments, repository: statuses, user: the authenticated user). Comments come all at
once today, and with a Link header where a forge pages them.
"""

from __future__ import annotations

from typing import Final

from reconciler.errors import ForgeError
from reconciler.forge.github import GitHub

HINTS: Final = {
    401: "the token in GITEA_TOKEN (in Gitea Actions also GITHUB_TOKEN) is not accepted: it has expired, was revoked, or "
    "belongs to another forge",
    403: "the token in GITEA_TOKEN (in Gitea Actions also GITHUB_TOKEN) may not do this: it needs the scopes write:issue, "
    "write:repository and read:user, and its user must be allowed to write to the repository",
    404: "check the repository, the pull request and the commit; the token in GITEA_TOKEN (in Gitea Actions also "
    "GITHUB_TOKEN) gets this answer too where its user may not see the repository, and needs the scopes write:issue and "
    "write:repository",
}


def headers(token: str) -> dict[str, str]:
    """Return what goes with each request."""
    return {"Accept": "application/json", "Authorization": f"token {token}"}


class Gitea(GitHub):
    """One pull request at Gitea or Forgejo."""

    page_size = "limit=50"

    async def author(self) -> str:
        """Return the token's own user, as its login, which is unique: also "gitea-actions" for the token of a job."""
        told = await self._wire.get("/user")
        if not isinstance(told, dict) or not told.get("login"):
            raise ForgeError("GET /user: the forge does not tell whose the token is")
        return str(told["login"])
