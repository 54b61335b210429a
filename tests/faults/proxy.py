"""A proxy in front of an API server that misbehaves as a test tells it, and keeps a log of what passed."""

from __future__ import annotations

import asyncio
import base64
import json
import ssl
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import aiohttp
import yaml
from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from reconciler.sandbox.control import Sandbox


@dataclass(frozen=True, slots=True)
class Seen:
    """One request: `nth` counts those of the same method, path and query."""

    method: str
    path: str
    query: dict[str, str]
    nth: int
    begun: float

    @property
    def writes(self) -> bool:
        """Whether it changes an object."""
        return self.method != "GET" and "dryRun" not in self.query


@dataclass(frozen=True, slots=True)
class Fault:
    """What the client gets instead of the server's answer: a status and body, nothing (`hang`), or half of it (`drop`)."""

    status: int = 0
    reason: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    lines: tuple[dict[str, Any], ...] = ()
    hang: bool = False
    drop: bool = False
    delay: float = 0.0
    token: str = ""  # with which an expired list goes on


@dataclass(slots=True)
class Proxy:
    """A proxy that runs in a thread; `rule` says what to do with a request, None lets it pass."""

    plane: Sandbox
    rule: Callable[[Seen], Fault | None] = lambda _: None
    log: list[tuple[Seen, int]] = field(default_factory=list)
    port: int = 0
    _counts: dict[tuple[str, str], int] = field(default_factory=dict)
    _session: aiohttp.ClientSession | None = None
    _server: str = ""
    _done: asyncio.Event = field(default_factory=asyncio.Event)
    _loop: asyncio.AbstractEventLoop | None = None

    def kubeconfig(self, folder: Path) -> Path:
        """Write a kubeconfig that leads here, with the context of the sandbox."""
        name = f"sandbox-{self.plane.name}"
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": name,
            "clusters": [{"name": name, "cluster": {"server": f"http://127.0.0.1:{self.port}"}}],
            "users": [{"name": name, "user": {"token": "of-nobody"}}],
            "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        }
        path = folder / f"proxy-{self.port}.yaml"
        path.write_text(yaml.safe_dump(document))
        return path

    def written(self) -> list[str]:
        """Return the paths of the objects that were written, as often as the server said yes."""
        return [seen.path for seen, status in self.log if seen.writes and 200 <= status < 300]

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        query = dict(request.query)
        key = (request.method, str(request.rel_url))
        self._counts[key] = self._counts.get(key, 0) + 1
        seen = Seen(request.method, request.path, query, self._counts[key], time.monotonic())
        fault = self.rule(seen)
        body = await request.read()
        if fault is not None:
            await asyncio.sleep(fault.delay)
            if fault.hang:
                self.log.append((seen, 0))
                await self._done.wait()
                return web.Response(status=503)
            if fault.status:
                self.log.append((seen, fault.status))
                return self._told(fault)
        return await self._passed(request, seen, body, drop=fault is not None and fault.drop)

    def _told(self, fault: Fault) -> web.Response:
        metadata = {"continue": fault.token} if fault.token else {}
        status = {"kind": "Status", "apiVersion": "v1", "metadata": metadata, "code": fault.status}
        documents = fault.lines or ({**status, "reason": fault.reason, "message": f"the proxy says {fault.status}"},)
        text = "".join(json.dumps(item) + "\n" for item in documents)
        return web.Response(status=fault.status, text=text, headers=fault.headers, content_type="application/json")

    async def _passed(self, request: web.Request, seen: Seen, body: bytes, *, drop: bool) -> web.StreamResponse:
        assert self._session is not None
        headers = {name: request.headers[name] for name in ("Accept", "Content-Type") if name in request.headers}
        url = f"{self._server}{request.raw_path}"
        async with self._session.request(request.method, url, data=body or None, headers=headers) as found:
            self.log.append((seen, found.status))
            kept = {
                name: found.headers[name]
                for name in ("Content-Type", "Retry-After", "Warning")
                if name in found.headers
            }
            answer = web.StreamResponse(status=found.status, headers=kept)
            if drop:
                assert request.transport is not None
                request.transport.close()
                return answer
            await answer.prepare(request)
            async for chunk in found.content.iter_any():
                await answer.write(chunk)
            await answer.write_eof()
            return answer

    async def _serve(self, ready: threading.Event) -> None:
        config = yaml.safe_load(self.plane.kubeconfig.read_text())
        user, cluster = config["users"][0]["user"], config["clusters"][0]["cluster"]
        self._server = cluster["server"]
        self._loop = asyncio.get_running_loop()
        secure = ssl.create_default_context(cadata=base64.b64decode(cluster["certificate-authority-data"]).decode())
        for name in ("crt", "key"):
            data = user["client-certificate-data" if name == "crt" else "client-key-data"]
            (self.plane.directory / f"proxy.{name}").write_bytes(base64.b64decode(data))
        secure.load_cert_chain(self.plane.directory / "proxy.crt", self.plane.directory / "proxy.key")
        connector = aiohttp.TCPConnector(limit=0, ssl=secure)
        timeout = aiohttp.ClientTimeout(total=None)
        async with aiohttp.ClientSession(connector=connector, timeout=timeout, auto_decompress=True) as self._session:
            application = web.Application(client_max_size=64 << 20)
            application.router.add_route("*", "/{path:.*}", self._answer)
            runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
            await runner.setup()
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            self.port = runner.addresses[0][1]
            ready.set()
            await self._done.wait()
            await runner.cleanup()
        await asyncio.sleep(0.1)  # connections are let go in the next turns of the loop


@contextmanager
def proxy(plane: Sandbox) -> Iterator[Proxy]:
    """Run a proxy in front of a sandbox's API server."""
    made, ready = Proxy(plane), threading.Event()
    thread = threading.Thread(target=lambda: asyncio.run(made._serve(ready)), daemon=True)
    thread.start()
    assert ready.wait(30)
    try:
        yield made
    finally:
        assert made._loop is not None
        made._loop.call_soon_threadsafe(made._done.set)
        thread.join(30)
