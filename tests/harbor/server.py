"""A test Harbor on loopback: the HTTP side. It is not Harbor (see `state`); what it answers is held to Harbor's models.

Accounts by Basic or by a session with a token against forged requests, pages with Link and X-Total-Count, errors as
`{"errors": [{"code", "message"}]}`, 201 with Location. Faults on demand: `fail`, `slow`, `after_write`.
"""

from __future__ import annotations

import asyncio
import base64
import json
import secrets
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Self

from aiohttp import web
from harborapi.models import models

from tests.harbor import replication
from tests.harbor.schemas import problems
from tests.harbor.state import PREFIX, Refused, State, bad, missing

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from pydantic import BaseModel

Item = dict[str, Any]
TOKEN: Final = "X-Harbor-CSRF-Token"
SAFE: Final = frozenset(("GET", "HEAD"))


@dataclass(slots=True)
class Faults:
    """What goes wrong next."""

    answers: list[tuple[int, str, str]] = field(default_factory=list)  # status, the only method or "", Retry-After
    seconds: float = 0.0
    after_write: Callable[[str, str], None] | None = None  # called when a write is done and not answered yet


class TestHarbor:
    """One Harbor, served by a thread of its own."""

    __test__ = False

    def __init__(
        self, state: State | None = None, *, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None
    ) -> None:
        self.state, self.faults = state or State(), Faults()
        self.requests: list[tuple[str, str]] = []
        self.violations: list[str] = []
        self._host, self._tls, self.port = host, tls, 0
        self._sessions: dict[str, dict[str, str]] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://{self._host}:{self.port}"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Serve, on the same port as before where there was one."""
        ready = threading.Event()
        self._thread = threading.Thread(target=self._serve, args=(ready,), daemon=True)
        self._thread.start()
        assert ready.wait(10)

    def stop(self) -> None:
        """Serve no more; what it holds stays."""
        if self._loop is not None and self._thread is not None:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(10)
            self._loop = None

    def fail(self, status: int, times: int = 1, *, method: str = "", retry_after: str = "") -> None:
        """Answer the next requests with an error."""
        self.faults.answers += [(status, method, retry_after)] * times

    def writes(self) -> list[tuple[str, str]]:
        """Return the requests that were no reading."""
        return [item for item in self.requests if item[0] not in SAFE]

    def push(self, name: str, tag: str, manifest: bytes = b"{}") -> None:
        """Put an image into a project, as `docker push` does."""
        project, _, repository = name.partition("/")
        owner = self.state.project(project)["project_id"]
        self.state.repositories[owner].setdefault(repository, {})[tag] = manifest

    def tags(self, name: str) -> dict[str, bytes]:
        """Return the tags of a repository."""
        project, _, repository = name.partition("/")
        return self.state.repositories[self.state.project(project)["project_id"]].get(repository, {})

    def _serve(self, ready: threading.Event) -> None:
        self._loop = loop = asyncio.new_event_loop()
        runner = web.AppRunner(self._application(), access_log=None, shutdown_timeout=0.1)
        loop.run_until_complete(runner.setup())
        site = web.TCPSite(runner, self._host, self.port, ssl_context=self._tls, reuse_address=True)
        loop.run_until_complete(site.start())
        self.port = runner.addresses[0][1]
        ready.set()
        try:
            loop.run_forever()
        finally:
            loop.run_until_complete(runner.cleanup())
            loop.close()

    def _application(self) -> web.Application:
        app = web.Application(middlewares=[self._outer], client_max_size=2**24)
        api = "/api/v2.0"
        app.add_routes(
            [
                web.get(f"{api}/ping", _ping),
                web.get(f"{api}/health", _health),
                web.get(f"{api}/systeminfo", _systeminfo),
                web.post("/c/login", self._login),
                web.get(f"{api}/projects", self._projects),
                web.post(f"{api}/projects", self._create_project),
                web.get(api + "/projects/{key}", self._project),
                web.put(api + "/projects/{key}", self._update_project),
                web.delete(api + "/projects/{key}", self._delete_project),
                web.get(f"{api}/quotas", self._quotas),
                web.put(api + "/quotas/{id}", self._update_quota),
                web.get(f"{api}/registries", self._registries),
                web.post(f"{api}/registries", self._create_registry),
                web.get(api + "/registries/{id}", self._registry),
                web.put(api + "/registries/{id}", self._update_registry),
                web.delete(api + "/registries/{id}", self._delete_registry),
                web.get(f"{api}/replication/policies", self._policies),
                web.post(f"{api}/replication/policies", self._create_policy),
                web.get(api + "/replication/policies/{id}", self._policy),
                web.put(api + "/replication/policies/{id}", self._update_policy),
                web.delete(api + "/replication/policies/{id}", self._delete_policy),
                web.get(f"{api}/replication/executions", self._executions),
                web.post(f"{api}/replication/executions", self._execute),
                web.get(api + "/replication/executions/{id}", self._execution),
                web.get(api + "/replication/executions/{id}/tasks", self._tasks),
                web.get(f"{api}/robots", self._robots),
                web.post(f"{api}/robots", self._create_robot),
                web.get(api + "/robots/{id}", self._robot),
                web.put(api + "/robots/{id}", self._update_robot),
                web.patch(api + "/robots/{id}", self._refresh_robot),
                web.delete(api + "/robots/{id}", self._delete_robot),
                web.get("/v2/", _v2),
                web.put("/v2/{name:.+}/manifests/{tag}", self._put_manifest),
                web.get("/v2/{name:.+}/manifests/{tag}", self._get_manifest),
            ]
        )
        return app

    @web.middleware
    async def _outer(self, request: web.Request, handler: Any) -> web.StreamResponse:
        """Faults, accounts and errors, for every request."""
        self.requests.append((request.method, request.path))
        if self.faults.seconds:
            await asyncio.sleep(self.faults.seconds)
        session: str | None = None
        try:
            self._fault(request)
            session = self._session(request)
            response: web.StreamResponse = await handler(request)
            if request.method not in SAFE and self.faults.after_write is not None:
                self.faults.after_write(request.method, request.path)
        except Refused as error:
            response = self._answer(
                models.Errors, {"errors": [{"code": error.code, "message": error.message}]}, status=error.status
            )
            if error.status in (429, 503) and error.message.startswith("after "):
                response.headers["Retry-After"] = error.message.removeprefix("after ")
        if session is not None:
            response.headers[TOKEN] = self._sessions[session]["token"]
            response.set_cookie("sid", session, httponly=True)
            response.set_cookie("_gorilla_csrf", self._sessions[session]["token"], samesite="Strict")
        return response

    def _fault(self, request: web.Request) -> None:
        for index, (status, method, pause) in enumerate(self.faults.answers):
            if method in ("", request.method):
                del self.faults.answers[index]
                raise Refused(status, "UNKNOWN", f"after {pause}" if pause else "internal server error")

    def _session(self, request: web.Request) -> str | None:
        """Let a request in, or not; returns its session, where it is of one or begins one."""
        if not self.state.admin:
            raise Refused(503, "SERVICE_UNAVAILABLE", "after 1")
        open_paths = ("/api/v2.0/ping", "/api/v2.0/health", "/api/v2.0/systeminfo")
        given = request.headers.get("Authorization", "")
        if given.startswith("Basic "):
            name, _, password = base64.b64decode(given[6:]).decode().partition(":")
            if not self.state.account(name, password):
                raise Refused(401, "UNAUTHORIZED", "unauthorized")
            return None
        session = request.cookies.get("sid", "")
        if session not in self._sessions:
            if request.path not in open_paths:
                raise Refused(401, "UNAUTHORIZED", "unauthorized")
            session = secrets.token_hex(8)
            self._sessions[session] = {"token": secrets.token_hex(16)}
            return session
        if request.method not in SAFE and request.headers.get(TOKEN) != self._sessions[session]["token"]:
            raise Refused(403, "FORBIDDEN", "CSRF token invalid")
        if request.path not in (*open_paths, "/c/login") and "user" not in self._sessions[session]:
            raise Refused(401, "UNAUTHORIZED", "unauthorized")
        return session

    def forget_sessions(self) -> None:
        """End all sessions."""
        self._sessions.clear()

    async def _login(self, request: web.Request) -> web.Response:
        form = await request.post()
        if not self.state.account(str(form.get("principal")), str(form.get("password"))):
            raise Refused(401, "UNAUTHORIZED", "Invalid credentials")
        self._sessions[request.cookies["sid"]]["user"] = str(form["principal"])
        return web.Response()

    # What goes in and out

    async def _content(self, request: web.Request, model: type[BaseModel]) -> Item:
        try:
            content: Item = json.loads(await request.text())
        except json.JSONDecodeError as error:
            raise Refused(422, "UNPROCESSABLE_ENTITY", f"parsing body: {error}") from error
        self.violations += [f"{request.method} {request.path} sent {item}" for item in problems(model, content)]
        return content

    def _answer(self, model: type[BaseModel], content: Any, *, status: int = 200, **options: Any) -> web.Response:
        self.violations += [f"answered {item}" for item in problems(model, content)]
        return web.json_response(content, status=status, **options)

    def _page(self, request: web.Request, model: type[BaseModel], found: list[Item]) -> web.Response:
        for part in filter(None, request.query.get("q", "").split(",")):
            key, _, value = part.partition("=")
            if key in ("name", "Name"):
                found = [item for item in found if item["name"].removeprefix(PREFIX) == value]
        page, size = int(request.query.get("page", 1)), int(request.query.get("page_size", 10))
        if not 0 < size <= 100:
            raise Refused(422, "UNPROCESSABLE_ENTITY", "page_size in query should be less than or equal to 100")
        links = [
            f'<{request.path}?page={number}&page_size={size}> ; rel="{name}"'
            for number, name, there in ((page - 1, "prev", page > 1), (page + 1, "next", page * size < len(found)))
            if there
        ]
        headers = {"X-Total-Count": str(len(found)), **({"Link": " , ".join(links)} if links else {})}
        return self._answer(model, found[(page - 1) * size : page * size], headers=headers)

    @staticmethod
    def _made(request: web.Request, identity: int) -> dict[str, str]:
        return {"Location": f"{request.path}/{identity}"}

    # Projects and quotas

    async def _projects(self, request: web.Request) -> web.Response:
        return self._page(request, models.Project, [self.state.told_project(x) for x in self.state.projects.values()])

    async def _project(self, request: web.Request) -> web.Response:
        return self._answer(models.Project, self.state.told_project(self.state.project(request.match_info["key"])))

    async def _create_project(self, request: web.Request) -> web.Response:
        identity = self.state.create_project(await self._content(request, models.ProjectReq))
        return web.Response(status=201, headers=self._made(request, identity))

    async def _update_project(self, request: web.Request) -> web.Response:
        self.state.update_project(request.match_info["key"], await self._content(request, models.ProjectReq))
        return web.Response()

    async def _delete_project(self, request: web.Request) -> web.Response:
        self.state.delete_project(request.match_info["key"])
        return web.Response()

    async def _quotas(self, request: web.Request) -> web.Response:
        found = list(self.state.quotas.values())
        if reference := request.query.get("reference_id"):
            found = [item for item in found if str(item["ref"]["id"]) == reference]
        return self._page(request, models.Quota, found)

    async def _update_quota(self, request: web.Request) -> web.Response:
        content = await self._content(request, models.QuotaUpdateReq)
        if not content.get("hard"):
            raise bad("hard required in body")
        self.state.quotas[_id(request)]["hard"] = content["hard"]
        return web.Response()

    # Registries

    async def _registries(self, request: web.Request) -> web.Response:
        found = [self.state.told_registry(item) for item in self.state.registries.values()]
        return self._page(request, models.Registry, found)

    async def _registry(self, request: web.Request) -> web.Response:
        if _id(request) not in self.state.registries:
            raise missing(f"registry {_id(request)} not found")
        return self._answer(models.Registry, self.state.told_registry(self.state.registries[_id(request)]))

    async def _create_registry(self, request: web.Request) -> web.Response:
        content = self.state.checked_registry(await self._content(request, models.Registry))
        await replication.require_healthy(content)
        return web.Response(status=201, headers=self._made(request, self.state.create_registry(content)))

    async def _update_registry(self, request: web.Request) -> web.Response:
        content = await self._content(request, models.RegistryUpdate)
        if _id(request) not in self.state.registries:
            raise missing(f"registry {_id(request)} not found")
        item = self.state.registries[_id(request)]
        kept: Item = {key: content[key] for key in ("name", "description", "url", "insecure") if key in content}
        changed: Item = {**item, **kept}
        keys = {"credential_type": "type", "access_key": "access_key", "access_secret": "access_secret"}
        given: Item = {inner: content[key] for key, inner in keys.items() if key in content}
        if given or item.get("credential"):
            changed["credential"] = {**(item.get("credential") or {}), **given}
        await replication.require_healthy(self.state.checked_registry(changed))
        self.state.registries[_id(request)] = changed
        return web.Response()

    async def _delete_registry(self, request: web.Request) -> web.Response:
        self.state.delete_registry(_id(request))
        return web.Response()

    # Replication

    async def _policies(self, request: web.Request) -> web.Response:
        found = [self.state.told_policy(item) for item in self.state.policies.values()]
        return self._page(request, models.ReplicationPolicy, found)

    async def _policy(self, request: web.Request) -> web.Response:
        if _id(request) not in self.state.policies:
            raise missing(f"the replication policy {_id(request)} not found")
        return self._answer(models.ReplicationPolicy, self.state.told_policy(self.state.policies[_id(request)]))

    async def _create_policy(self, request: web.Request) -> web.Response:
        identity = self.state.create_policy(await self._content(request, models.ReplicationPolicy))
        return web.Response(status=201, headers=self._made(request, identity))

    async def _update_policy(self, request: web.Request) -> web.Response:
        self.state.update_policy(_id(request), await self._content(request, models.ReplicationPolicy))
        return web.Response()

    async def _delete_policy(self, request: web.Request) -> web.Response:
        if self.state.policies.pop(_id(request), None) is None:
            raise missing(f"the replication policy {_id(request)} not found")
        return web.Response()

    async def _execute(self, request: web.Request) -> web.Response:
        content = await self._content(request, models.StartReplicationExecution)
        if content.get("policy_id") not in self.state.policies:
            raise missing(f"the replication policy {content.get('policy_id')} not found")
        identity = await replication.execute(self.state, content["policy_id"], "manual")
        return web.Response(status=201, headers=self._made(request, identity))

    async def _executions(self, request: web.Request) -> web.Response:
        found = list(self.state.executions.values())
        if policy := request.query.get("policy_id"):
            found = [item for item in found if str(item["policy_id"]) == policy]
        return self._page(request, models.ReplicationExecution, found)

    async def _execution(self, request: web.Request) -> web.Response:
        return self._answer(models.ReplicationExecution, self.state.executions[_id(request)])

    async def _tasks(self, request: web.Request) -> web.Response:
        return self._page(request, models.ReplicationTask, self.state.tasks[_id(request)])

    # Robot accounts

    async def _robots(self, request: web.Request) -> web.Response:
        parts = (part.partition("=") for part in filter(None, request.query.get("q", "").split(",")))
        asked: dict[str, str] = {key: value for key, _, value in parts}
        owner = 0
        if asked.get("Level") == "project":
            if not asked.get("ProjectID", "").isdigit():
                raise bad("must with project ID when to query project robots")
            owner = int(asked["ProjectID"])
        found = [self.state.told_robot(item) for item in self.state.robots.values() if item["project_id"] == owner]
        return self._page(request, models.Robot, found)

    async def _robot(self, request: web.Request) -> web.Response:
        return self._answer(models.Robot, self.state.told_robot(self.state.robot(_id(request))))

    async def _create_robot(self, request: web.Request) -> web.Response:
        item = self.state.create_robot(await self._content(request, models.RobotCreate))
        told = {key: item[key] for key in ("id", "secret", "creation_time", "expires_at")}
        headers = self._made(request, item["id"])
        return self._answer(models.RobotCreated, {**told, "name": PREFIX + item["name"]}, status=201, headers=headers)

    async def _update_robot(self, request: web.Request) -> web.Response:
        self.state.update_robot(_id(request), await self._content(request, models.Robot))
        return web.Response()

    async def _refresh_robot(self, request: web.Request) -> web.Response:
        content = await self._content(request, models.RobotSec)
        return self._answer(models.RobotSec, self.state.refresh_robot(_id(request), content))

    async def _delete_robot(self, request: web.Request) -> web.Response:
        self.state.robot(_id(request))
        del self.state.robots[_id(request)]
        return web.Response()

    # Images

    async def _put_manifest(self, request: web.Request) -> web.Response:
        self.push(request.match_info["name"], request.match_info["tag"], await request.read())
        for policy in list(self.state.policies.values()):
            if (policy["trigger"] or {}).get("type") == "event_based" and policy["enabled"]:
                await replication.execute(self.state, policy["id"], "event_based")
        return web.Response(status=201)

    async def _get_manifest(self, request: web.Request) -> web.Response:
        found = self.tags(request.match_info["name"]).get(request.match_info["tag"])
        if found is None:
            raise missing("manifest unknown")
        return web.Response(body=found)


def _id(request: web.Request) -> int:
    return int(request.match_info["id"])


async def _ping(_: web.Request) -> web.Response:
    return web.Response(text="Pong")


async def _health(_: web.Request) -> web.Response:
    return web.json_response({"status": "healthy", "components": [{"name": "core", "status": "healthy"}]})


async def _systeminfo(_: web.Request) -> web.Response:
    return web.json_response({"harbor_version": "v2.15.1 (a test server, not Harbor)"})


async def _v2(_: web.Request) -> web.Response:
    return web.json_response({})
