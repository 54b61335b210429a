"""GitLab: notes of a merge request, commit statuses, and whose the token is.

- https://docs.gitlab.com/api/notes/ (merge requests)
- https://docs.gitlab.com/api/commits/ (set the pipeline status of a commit)
- https://docs.gitlab.com/api/users/ (get the current user)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

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

STATES: Final = {"success": "success", "failure": "failed", "error": "failed", "pending": "pending"}
HINTS: Final = {
    401: "GITLAB_TOKEN is not accepted: it has expired, was revoked, or is a CI_JOB_TOKEN, which may not write comments",
    403: "GITLAB_TOKEN may not do this: it needs the scope `api` and the role Developer in the project",
    404: "check the project, the merge request and the commit; GITLAB_TOKEN gets this answer too where it may not see "
    "the project, and needs the scope `api` and the role Developer in it",
}
AS_IT_WAS: Final = "Cannot transition status"


def headers(token: str) -> dict[str, str]:
    """Return what goes with each request."""
    return {"Accept": "application/json", "PRIVATE-TOKEN": token}


class GitLab:
    """One merge request at GitLab."""

    def __init__(self, wire: Wire, target: Target) -> None:
        """Prepare; nothing is sent yet."""
        self._wire = wire
        project = f"/projects/{quote(target.repository, safe='')}"
        self._notes = f"{project}/merge_requests/{target.pull}/notes"
        self._statuses = f"{project}/statuses/{target.sha}"
        self._page = "" if target.repository.isdigit() else _page(target)

    async def upsert_comment(self, marker: str, body: str) -> Comment:
        """Make our note with this marker say `body`; see `Forge`."""
        return await comments.upsert(self, marker, body)

    async def set_status(
        self, state: State, description: str, *, context: str = "reconciler/preview", url: str = ""
    ) -> None:
        """Set the commit's status; see `Forge`. GitLab knows no difference between failure and error."""
        content = {"state": STATES[state], "name": context, "description": shortened(description)}
        try:
            await self._wire.send(
                "POST", self._statuses, content | ({"target_url": url} if url else {}), repeatable=True
            )
        except ForgeError as error:
            # A status that is pending cannot be made pending again: https://gitlab.com/gitlab-org/gitlab-foss/-/issues/25807
            if not (state == "pending" and error.status == 400 and AS_IT_WAS in str(error)):
                raise

    async def comments(self) -> AsyncIterator[Found]:
        """Yield what people and programs wrote, the oldest first; GitLab's own notes are left out."""
        async for item in self._wire.pages(self._notes, "sort=asc&order_by=created_at&per_page=100"):
            if not (isinstance(item, dict) and item.get("system")):
                yield self._found(item)

    async def author(self) -> str:
        """Return the token's own user, as its id; a project's token has a user of its own, and a job's has none."""
        told = await self._wire.get("/user")
        if not isinstance(told, dict) or not told.get("id"):
            raise ForgeError("GET /user: GitLab does not tell whose GITLAB_TOKEN is")
        return str(told["id"])

    async def create(self, body: str) -> Found:
        """Add a note. It is not repeated where nobody knows whether it arrived: two of them would stay."""
        return self._found(await self._wire.send("POST", self._notes, {"body": body}, repeatable=False))

    async def edit(self, comment: Found, body: str) -> Found:
        """Replace a note's text."""
        path = f"{self._notes}/{comment.id}"
        return self._found(await self._wire.send("PUT", path, {"body": body}, repeatable=True))

    def _found(self, item: Any) -> Found:
        """Return a note; its address is not told, and follows from the project's path where that is known."""
        try:
            url = f"{self._page}#note_{item['id']}" if self._page else ""
            return Found(int(item["id"]), url, str((item["author"] or {}).get("id", "")), item["body"] or "")
        except (AttributeError, KeyError, TypeError, ValueError):
            raise ForgeError("expected a note, and GitLab answered with something else") from None


def _page(target: Target) -> str:
    return f"{target.api.removesuffix('/api/v4')}/{target.repository}/-/merge_requests/{target.pull}"
