"""The wire: one aiohttp session to one API server, and what its failures mean."""

from __future__ import annotations

import asyncio
import os
import ssl
from typing import TYPE_CHECKING, Any

from yarl import URL

from reconciler.cluster.failures import Answer
from reconciler.cluster.requests import Unsent
from reconciler.errors import ClusterError, Silent, Unavailable
from reconciler.https import aiohttp

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from aiohttp.client import _RequestContextManager

    from reconciler.cluster.credentials import Access
    from reconciler.cluster.requests import Request

CONNECT_SECONDS = 10.0
READ_SECONDS = 60.0  # where environment.yaml does not say: the API server's own limit for a request that is no watch
STREAM_SILENCE = 320.0  # a watch is told to end before; bookmarks come about once a minute
AGENT = "reconciler"
FAILURES = (aiohttp.ClientError, TimeoutError, ssl.SSLError)


class Transport:
    """Sends requests as they are, once each."""

    def __init__(self, access: Access, read_seconds: float = READ_SECONDS) -> None:
        """Prepare a session; nothing is sent yet. The server may be silent for `read_seconds` during one request."""
        self._access, self._read_seconds = access, read_seconds
        self._place = _place(access)
        self._session: aiohttp.ClientSession | None = None

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            connector = aiohttp.TCPConnector(limit=0, ssl=self._access.tls or False, keepalive_timeout=60)
            timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS, sock_read=self._read_seconds)
            encoding = "gzip" if self._access.compressed else "identity"
            self._session = aiohttp.ClientSession(
                connector=connector,
                timeout=timeout,
                headers={"User-Agent": AGENT, "Accept-Encoding": encoding},
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        return self._session

    async def send(self, request: Request, authorization: str) -> Answer:
        """Send one request and read its whole answer; raises ClusterError, or Unsent where no connection was made."""
        try:
            async with self._exchange(request, authorization) as response:
                return Answer(response.status, await response.read(), _headers(response))
        except FAILURES as error:
            raise failure(error, self._place, self._read_seconds) from error

    async def relay(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes | None, authorization: str
    ) -> Answer:
        """Send one request to what the API server leads to; the lines of Set-Cookie stay apart."""
        access, marks = self._access, {"Authorization": authorization} if authorization else {}
        try:
            async with self._opened().request(
                method,
                URL(access.server + path, encoded=True),
                data=body,
                headers={**headers, **marks},
                proxy=access.proxy,
                server_hostname=access.server_name,
                allow_redirects=False,
            ) as response:
                cookies = "\n".join(response.headers.getall("Set-Cookie", ()))
                return Answer(response.status, await response.read(), {**_headers(response), "set-cookie": cookies})
        except FAILURES as error:
            raise failure(error, self._place, self._read_seconds) from error

    async def open(self, request: Request, authorization: str) -> Stream:
        """Send one request whose answer goes on for a while; raises as `send` does."""
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS, sock_read=STREAM_SILENCE)
        try:
            response = await self._exchange(request, authorization, timeout=timeout)
        except FAILURES as error:
            raise failure(error, self._place, self._read_seconds) from error
        return Stream(response, self._place)

    async def close(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()
            await asyncio.sleep(0)  # lets TLS connections go

    def _exchange(self, request: Request, authorization: str, **options: Any) -> _RequestContextManager:
        access = self._access
        headers = {"Accept": request.accept}
        if authorization:
            headers["Authorization"] = authorization
        if request.body is not None:
            headers["Content-Type"] = request.content_type
        return self._opened().request(
            request.method,
            URL(access.server + request.path, encoded=True).update_query(request.query),
            data=request.body,
            headers=headers,
            proxy=access.proxy,
            server_hostname=access.server_name,
            allow_redirects=False,
            **options,
        )


class Stream:
    """An answer that has not ended yet."""

    def __init__(self, response: aiohttp.ClientResponse, server: str) -> None:
        """Hold the answer's head; its body is still to come."""
        self._response, self._server = response, server
        self.status, self.headers = response.status, _headers(response)

    async def read(self) -> bytes:
        """Read all that is left."""
        return b"\n".join([line async for line in self.lines()])

    async def lines(self) -> AsyncIterator[bytes]:
        """Yield the body's lines, of whatever length; raises Unavailable where the connection is lost."""
        rest = b""
        try:
            async for chunk in self._response.content.iter_any():
                *whole, rest = (rest + chunk).split(b"\n")
                for line in whole:
                    yield line
        except FAILURES as error:
            raise Unavailable(f"the connection to {self._server} was lost: {_reason(error)}") from error
        if rest:
            yield rest

    def close(self) -> None:
        """Drop the connection."""
        self._response.close()


def _place(access: Access) -> str:
    """Return what is told of where requests go; not with whom the proxy knows us as."""
    if not access.proxy:
        return access.server
    proxy = URL(access.proxy).with_user(None)
    return f"{access.server} by way of the proxy {proxy} (proxy-url of the kubeconfig, or HTTPS_PROXY)"


def _headers(response: aiohttp.ClientResponse) -> dict[str, str]:
    return {name.lower(): ", ".join(response.headers.getall(name)) for name in response.headers}


def failure(error: Exception, server: str, read_seconds: float = READ_SECONDS) -> ClusterError | Unsent:
    """Return what a failed exchange means. A certificate that is not trusted will not be so at the next try either."""
    if isinstance(error, aiohttp.ClientSSLError | ssl.SSLError):
        reason = _reason(error)
        return ClusterError(
            f"no trusted connection to {server}: {reason}; check certificate-authority-data and the server's name in the "
            "kubeconfig"
        )
    if isinstance(error, aiohttp.ClientConnectorError):
        return Unsent(
            Unavailable(f"cannot connect to {server}: {_reason(error)}; is it running, and is the address right?")
        )
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return Unsent(Unavailable(f"cannot connect to {server}: the proxy answered {error.status} {error.message}"))
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return Unsent(Unavailable(f"cannot connect to {server}: no answer within {CONNECT_SECONDS:g} s"))
    if isinstance(error, TimeoutError):
        return Silent(f"{server} did not answer within {read_seconds:g} s")
    return Unavailable(f"the connection to {server} was lost: {_reason(error)}")


def _reason(error: Exception) -> str:
    inner = getattr(error, "os_error", None) or getattr(error, "certificate_error", None) or error
    if message := getattr(inner, "verify_message", ""):
        return str(message)
    number = getattr(inner, "errno", None)
    if isinstance(inner, OSError) and isinstance(number, int) and number > 0:
        return os.strerror(number).lower()  # asyncio's own text tells the address once more
    return str(inner) or type(inner).__name__
