"""Small forges behind real HTTP: they keep comments and statuses in memory, page, and fail when told to."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from aiohttp import web
from aiohttp.test_utils import TestServer

from reconciler.forge import Target

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from reconciler.forge import Kind

TOKEN = "sesame-4711"
SHA = "a" * 40
US, STRANGER = "reconciler[bot]", "mallory"
USERS = {US: 7, STRANGER: 8}
AUTHORIZATION: dict[Kind, tuple[str, str]] = {
    "github": ("Authorization", f"Bearer {TOKEN}"),
    "gitlab": ("PRIVATE-TOKEN", TOKEN),
    "gitea": ("Authorization", f"token {TOKEN}"),
}
ROOT: dict[Kind, str] = {"github": "/api/v3", "gitlab": "/api/v4", "gitea": "/api/v1"}
REPOSITORY: dict[Kind, str] = {"github": "acme/infra", "gitlab": "acme/deep/infra", "gitea": "acme/infra"}


@dataclass
class Pauses:
    """A clock that does not wait, and remembers for how long it was asked to."""

    asked: list[float] = field(default_factory=list)

    def monotonic(self) -> float:
        """Return all seconds that were asked for."""
        return sum(self.asked)

    def now(self) -> datetime:
        """Return always the same moment."""
        return datetime(2026, 1, 1, tzinfo=UTC)

    async def sleep(self, seconds: float) -> None:
        """Remember, and go on at once."""
        self.asked.append(seconds)


@dataclass
class Fault:
    """What comes instead of the next answer to `method`; status 0 does what is asked and then drops the connection."""

    method: str
    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: str = "{}"


@dataclass
class Server:
    """A forge that speaks one dialect. It pages only where `page` is not 0, as Gitea does not."""

    kind: Kind
    page: int = 2
    user: str = US
    comments: list[dict[str, Any]] = field(default_factory=list)
    statuses: list[dict[str, Any]] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    url: str = ""

    def target(self, token: str = TOKEN) -> Target:
        """Return the forge's one pull request."""
        return Target(self.kind, self.url + ROOT[self.kind], REPOSITORY[self.kind], 5, SHA, token)

    def add(self, body: str, author: str = US) -> dict[str, Any]:
        """Keep a comment, as the dialect tells it."""
        user = {"id": USERS[author], "login": author, "username": author}
        number = len(self.comments) + 1
        self.comments.append(
            {"id": number, "body": body, "author": user, "system": False}
            if self.kind == "gitlab"
            else {"id": number, "body": body, "user": user, "html_url": f"{self.url}/5#{number}"}
        )
        return self.comments[-1]

    def writes(self) -> list[str]:
        """Return the methods of all requests that change something, in their order."""
        return [method for method, path in map(str.split, self.requests) if method != "GET" and "graphql" not in path]

    def app(self) -> web.Application:
        """Return the routes of the dialect."""
        app = web.Application(middlewares=[self._border()])
        repository = "/projects/{p}/merge_requests/5/notes" if self.kind == "gitlab" else "/repos/acme/infra/issues"
        root = ROOT[self.kind]
        thread = repository if self.kind == "gitlab" else f"{repository}/5/comments"
        one = f"{repository}/{{id}}" if self.kind == "gitlab" else f"{repository}/comments/{{id}}"
        statuses = f"/projects/{{p}}/statuses/{SHA}" if self.kind == "gitlab" else f"/repos/acme/infra/statuses/{SHA}"
        app.router.add_get(root + thread, self._list)
        app.router.add_post(root + thread, self._create)
        app.router.add_route("PUT" if self.kind == "gitlab" else "PATCH", root + one, self._edit)
        app.router.add_post(root + statuses, self._status)
        if self.kind == "github":
            app.router.add_post("/api/graphql", self._viewer)
        else:
            app.router.add_get(f"{root}/user", self._user)
        return app

    def _border(self) -> Any:
        """Record each request, check its token, fail where a fault waits."""

        @web.middleware
        async def border(
            request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
        ) -> web.StreamResponse:
            self.requests.append(f"{request.method} {request.raw_path}")
            name, value = AUTHORIZATION[self.kind]
            if request.headers.get(name) != value:
                text = json.dumps({"message": f"bad credentials: {request.headers.get(name)}"})
                return web.Response(status=401, text=text)
            if self.faults and self.faults[0].method == request.method:
                fault = self.faults.pop(0)
                if fault.status:
                    return web.Response(status=fault.status, headers=fault.headers, text=fault.body)
                await handler(request)
                assert request.transport is not None
                request.transport.abort()
                return web.Response()
            return await handler(request)

        return border

    async def _list(self, request: web.Request) -> web.Response:
        if not self.page:
            return web.json_response(self.comments)
        number = int(request.query["page"])
        first, last = (number - 1) * self.page, number * self.page
        link = f'<https://elsewhere.example/?page={number + 1}>; rel="next"' if last < len(self.comments) else ""
        return web.json_response(self.comments[first:last], headers={"Link": link} if link else {})

    async def _create(self, request: web.Request) -> web.Response:
        return web.json_response(self.add((await request.json())["body"], self.user), status=201)

    async def _edit(self, request: web.Request) -> web.Response:
        comment = self.comments[int(request.match_info["id"]) - 1]
        comment["body"] = (await request.json())["body"]
        return web.json_response(comment)

    async def _status(self, request: web.Request) -> web.Response:
        if self.kind == "gitlab":
            assert unquote(request.raw_path).startswith(f"/api/v4/projects/{REPOSITORY['gitlab']}/")
        self.statuses.append(await request.json())
        return web.json_response({}, status=201)

    async def _user(self, request: web.Request) -> web.Response:
        return web.json_response({"id": USERS.get(self.user), "login": self.user})

    async def _viewer(self, request: web.Request) -> web.Response:
        return web.json_response({"data": {"viewer": {"login": self.user}} if self.user else None})


@asynccontextmanager
async def serving(server: Server) -> AsyncIterator[Server]:
    """Let a forge answer on a port of its own."""
    async with TestServer(server.app()) as running:
        server.url = str(running.make_url("")).rstrip("/")
        yield server
