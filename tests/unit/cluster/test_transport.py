"""What a failed exchange means, and how a stream becomes lines."""

from __future__ import annotations

import errno
import ssl
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import RawTestServer, TestServer

from reconciler.cluster import transport
from reconciler.cluster.credentials import Access
from reconciler.cluster.requests import Request, Unsent
from reconciler.errors import ClusterError, Unavailable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

KEY: Any = SimpleNamespace(host="server", port=443, is_ssl=True, ssl=True)


def test_a_refused_connection_certainly_sent_nothing() -> None:
    refused = aiohttp.ClientConnectorError(KEY, ConnectionRefusedError(errno.ECONNREFUSED, "Connect call failed"))
    found = transport.failure(refused, "https://server")
    assert isinstance(found, Unsent)
    assert str(found).startswith("cannot connect to https://server: connection refused;")
    assert found.error.retryable


def test_a_certificate_that_is_not_trusted_will_not_be_so_at_the_next_try() -> None:
    inner = ssl.SSLCertVerificationError(1, "certificate verify failed")
    inner.verify_message = "self-signed certificate"
    found = transport.failure(aiohttp.ClientConnectorCertificateError(KEY, inner), "https://server")
    assert type(found) is ClusterError
    assert "self-signed certificate" in str(found)
    assert "certificate-authority-data" in str(found)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (TimeoutError(), "did not answer within"),
        (aiohttp.ServerDisconnectedError(), "was lost: Server disconnected"),
        (aiohttp.ClientPayloadError("cut off"), "was lost: cut off"),
    ],
)
def test_an_answer_that_did_not_come_may_have_been_on_its_way(error: Exception, words: str) -> None:
    found = transport.failure(error, "https://server")
    assert isinstance(found, Unavailable)
    assert words in str(found)


@pytest.mark.parametrize("server", ["http://server", "https://server"])
async def test_a_proxy_that_lets_nobody_through_is_named_without_its_password(server: str) -> None:
    async def nobody(_: bool) -> str:
        return ""

    async def refuse(_: web.BaseRequest) -> web.Response:
        return web.Response(status=403, reason="Not You")

    async with RawTestServer(refuse) as proxy:
        address = proxy.make_url("").with_user("ada").with_password("secret")
        wire = transport.Transport(Access("https://server", None, nobody, proxy=str(address)))
        with pytest.raises(
            Unsent, match=f"https://server by way of the proxy {proxy.make_url('')}.* answered 403 Not You"
        ):
            await wire.send(Request("get", "GET", "/version"), "")
        await wire.close()
    wire = transport.Transport(Access(server, None, nobody, proxy=str(address)))
    with pytest.raises(
        Unsent, match=f"{server} by way of the proxy {address.with_user(None)} .*: connection refused"
    ) as told:
        await wire.send(Request("get", "GET", "/version"), "")
    await wire.close()
    assert "secret" not in str(told.value)


def stream(*chunks: bytes | Exception) -> transport.Stream:
    """Return a stream that comes in these chunks."""

    async def iter_any() -> AsyncIterator[bytes]:
        for chunk in chunks:
            if isinstance(chunk, Exception):
                raise chunk
            yield chunk

    response: Any = SimpleNamespace(status=200, headers={}, content=SimpleNamespace(iter_any=iter_any))
    return transport.Stream(response, "https://server")


async def test_lines_do_not_depend_on_how_they_come() -> None:
    assert [line async for line in stream(b"on", b"e\ntwo\nth", b"ree").lines()] == [b"one", b"two", b"three"]


async def test_a_stream_that_breaks_off_gives_its_whole_lines_first() -> None:
    lines = stream(b"one\ntw", aiohttp.ClientPayloadError()).lines()
    assert await anext(lines) == b"one"
    with pytest.raises(Unavailable, match="the connection to https://server was lost"):
        await anext(lines)


@pytest.mark.parametrize(("compressed", "asked"), [(True, "gzip"), (False, "identity")])
async def test_answers_are_compressed_unless_the_kubeconfig_says_otherwise(compressed: bool, asked: str) -> None:
    seen: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        seen.append(request.headers["Accept-Encoding"])
        return web.json_response({})

    async def nobody(_: bool) -> str:
        return ""

    application = web.Application()
    application.router.add_get("/version", answer)
    async with TestServer(application) as server:
        wire = transport.Transport(Access(str(server.make_url("")).rstrip("/"), None, nobody, compressed=compressed))
        await wire.send(Request("get", "GET", "/version"), "")
        await wire.close()
    assert seen == [asked]
