"""The agent's HTTP server: who is believed, what is answered, and that nobody holds it up."""

from __future__ import annotations

import asyncio
import hmac
import json
import socket
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import aiohttp
import pytest
import structlog

from reconciler.errors import ConfigError
from reconciler.web import site as web
from reconciler.web.site import LIMIT, Site, served

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

SECRET = "open-sesame-4711"
COMMIT = "0123456789abcdef0123456789abcdef01234567"


def push(branch: str = "main") -> bytes:
    told = {"ref": f"refs/heads/{branch}", "after": COMMIT}
    return json.dumps({**told, "repository": {"full_name": "a/b"}, "project": {"path_with_namespace": "a/b"}}).encode()


def signed(forge: str, body: bytes, secret: str = SECRET, event: str = "push") -> dict[str, str]:
    """Return the headers of a forge's delivery."""
    digest = hmac.new(secret.encode(), body, "sha256").hexdigest()
    return {
        "github": {"X-GitHub-Event": event, "X-Hub-Signature-256": f"sha256={digest}"},
        "gitea": {"X-Gitea-Event": event, "X-Gitea-Signature": digest},
        "gitlab": {"X-Gitlab-Event": "Push Hook" if event == "push" else event, "X-Gitlab-Token": secret},
    }[forge]


@dataclass
class Server:
    """A server that is asked, and what it has handed on."""

    root: str = ""
    pushes: list[str] = field(default_factory=list)
    counted: list[str] = field(default_factory=list)
    unready: str = ""

    async def ask(self, method: str, path: str, body: object = None, **headers: str) -> tuple[int, str]:
        """Return the status and the text of an answer."""
        async with (
            aiohttp.ClientSession() as session,
            session.request(method, self.root + path, data=body, headers=headers) as answer,
        ):
            return answer.status, await answer.text()

    async def deliver(self, body: bytes, headers: dict[str, str]) -> int:
        """Return the status that a delivery is answered with."""
        return (await self.ask("POST", "/webhook", body, **headers))[0]


@asynccontextmanager
async def serving(secret: str = SECRET) -> AsyncIterator[Server]:
    server = Server()

    def on_push(branch: str) -> bool:
        server.pushes.append(branch)
        return branch == "main"

    site = Site(lambda: b"a_metric 1\n", "text/plain", lambda: server.unready, on_push, server.counted.append, secret)
    async with served(site, "127.0.0.1", 0) as port:
        server.root = f"http://127.0.0.1:{port}"
        yield server


async def test_health_readiness_and_metrics() -> None:
    async with serving() as server:
        assert await server.ask("GET", "/healthz") == (200, "ok\n")
        assert await server.ask("GET", "/readyz") == (200, "ok\n")
        assert await server.ask("GET", "/metrics") == (200, "a_metric 1\n")
        server.unready = "git has not been fetched yet"
        assert await server.ask("GET", "/readyz") == (503, "git has not been fetched yet\n")
        assert await server.ask("GET", "/healthz") == (200, "ok\n"), "it lives all the same"
        assert (await server.ask("GET", "/nothing"))[0] == 404


@pytest.mark.parametrize("forge", ["github", "gitea", "gitlab"])
async def test_a_push_is_believed_with_the_right_secret_and_no_other(forge: str) -> None:
    body = push()
    with structlog.testing.capture_logs() as logs:
        async with serving() as server:
            assert await server.deliver(body, signed(forge, body, "wrong-secret-0815")) == 401
            assert await server.deliver(body, {}) == 401
            assert server.pushes == []
            assert await server.deliver(body, signed(forge, body)) == 202
            assert server.pushes == ["main"]
            assert server.counted == ["refused", "refused", "push"]
    assert [line["event"] for line in logs] == ["webhook.refused", "webhook.refused", "webhook.push"]
    assert SECRET not in repr(logs)
    assert "wrong-secret-0815" not in repr(logs)


async def test_what_is_no_push_to_our_branch_is_taken_and_starts_nothing() -> None:
    async with serving() as server:
        body = push("feature")
        assert await server.deliver(body, signed("github", body)) == 200
        ping = b"{}"
        assert await server.deliver(ping, signed("github", ping, event="ping")) == 200
        assert server.counted == ["other", "other"]
        assert server.pushes == ["feature"]
        assert await server.deliver(b"[", signed("github", b"[")) == 400
        assert (await server.ask("GET", "/webhook"))[0] == 405


async def test_without_a_secret_nobody_is_believed() -> None:
    body = push()
    async with serving(secret="") as server:
        assert await server.deliver(body, signed("github", body, "")) == 403
        assert await server.deliver(body, signed("gitlab", body, "")) == 403
        assert server.pushes == []


async def test_what_is_too_large_is_refused() -> None:
    """By its own word before it is read, and otherwise as soon as it is too much."""

    async def endless() -> AsyncIterator[bytes]:
        for _ in range((LIMIT >> 20) + 2):
            yield b" " * (1 << 20)

    async with serving() as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(server.root.rpartition(":")[2]))
        writer.write(f"POST /webhook HTTP/1.1\r\nHost: a\r\nContent-Length: {LIMIT + 1}\r\n\r\n".encode())
        async with asyncio.timeout(3):
            assert b" 413 " in await reader.readline()
        writer.close()
        assert (await server.ask("POST", "/webhook", endless()))[0] == 413
        assert server.counted == ["refused", "refused"]


async def test_a_slow_client_holds_nobody_up_and_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web, "READ_SECONDS", 0.3)
    async with serving() as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(server.root.rpartition(":")[2]))
        writer.write(b"POST /webhook HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n{")
        await writer.drain()
        async with asyncio.timeout(0.25):
            assert await server.ask("GET", "/healthz") == (200, "ok\n")
        async with asyncio.timeout(3):
            assert b" 408 " in await reader.readline()
        writer.close()


async def test_a_port_that_is_taken_is_named() -> None:
    site = Site(lambda: b"", "text/plain", lambda: "", lambda _: True, lambda _: None)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=f"127.0.0.1:{port} cannot be listened on: .*choose another --listen"):
            await served(site, "127.0.0.1", port).__aenter__()


def test_the_secret_is_not_shown() -> None:
    site = Site(lambda: b"", "", lambda: "", lambda _: True, lambda _: None, SECRET)
    assert SECRET not in repr(site)
