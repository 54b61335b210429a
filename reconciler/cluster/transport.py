"""Requests to one API server: a few in flight, counted, tried again where that makes sense."""

from __future__ import annotations

import asyncio
import random
import ssl
from typing import TYPE_CHECKING, Any, Final

import aiohttp
import orjson

from reconciler.cluster.answers import error_of
from reconciler.errors import ClusterError, Unavailable
from reconciler.model.api import RequestCount, Verb

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from reconciler.cluster.credentials import Credentials

IN_FLIGHT: Final = 16
ATTEMPTS: Final = 5
FIRST_PAUSE: Final = 0.2  # seconds, doubled with each attempt
LONGEST_PAUSE: Final = 10.0
CONNECT_SECONDS: Final = 10.0
ANSWER_SECONDS: Final = 60.0
WATCH_SILENCE_SECONDS: Final = 330.0  # the server ends a watch earlier
JSON: Final = "application/json"


class Transport:
    """One API server's HTTP side."""

    def __init__(self, credentials: Credentials) -> None:
        """Open nothing yet; the first request connects."""
        self.server = credentials.server
        self.requests = RequestCount()
        self._credentials = credentials
        self._gate = asyncio.Semaphore(IN_FLIGHT)
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ssl=credentials.tls),
            timeout=aiohttp.ClientTimeout(total=None, connect=CONNECT_SECONDS, sock_read=ANSWER_SECONDS),
            read_bufsize=2**21,
            trust_env=True,
        )

    async def send(
        self,
        verb: Verb,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Any = None,
        content_type: str = JSON,
        accept: str = JSON,
        retry: bool = True,
    ) -> bytes:
        """Send one request and return the answer's content; raises the ClusterError tree.

        Unavailable answers are tried again unless `retry` is off, which is for what must not happen twice.
        """
        data = orjson.dumps(body) if body is not None else None
        attempt = 0
        while True:
            attempt += 1
            try:
                async with self._gate:
                    return await self._once(verb, method, path, query, data, content_type, accept)
            except Unavailable as error:
                if attempt == ATTEMPTS or (not retry and error.status != 429):
                    raise
                await asyncio.sleep(_pause(attempt, error.retry_after))

    async def lines(self, path: str, query: Mapping[str, str]) -> AsyncIterator[bytes]:
        """Yield the lines of a streamed answer; a watch does not count against what is in flight."""
        self.requests.add("watch")
        timeout = aiohttp.ClientTimeout(total=None, connect=CONNECT_SECONDS, sock_read=WATCH_SILENCE_SECONDS)
        try:
            async with self._session.get(
                self.server + path,
                params=query,
                headers=await self._headers(JSON),
                timeout=timeout,
                proxy=self._credentials.proxy,
            ) as answer:
                if answer.status >= 400:
                    raise error_of(
                        answer.status, await answer.read(), answer.headers.get("Retry-After"), f"watch {path}"
                    )
                rest = b""
                async for chunk in answer.content.iter_any():
                    *whole, rest = (rest + chunk).split(b"\n")
                    for line in whole:
                        if line:
                            yield line
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise self._lost(error, f"watch {path}") from error

    async def close(self) -> None:
        """Close all connections."""
        await self._session.close()

    async def _once(
        self,
        verb: Verb,
        method: str,
        path: str,
        query: Mapping[str, str] | None,
        data: bytes | None,
        content_type: str,
        accept: str,
    ) -> bytes:
        self.requests.add(verb)
        headers = await self._headers(accept)
        if data is not None:
            headers["Content-Type"] = content_type
        try:
            async with self._session.request(
                method, self.server + path, params=query, data=data, headers=headers, proxy=self._credentials.proxy
            ) as answer:
                content = await answer.read()
                if answer.status < 400:
                    return content
                raise error_of(answer.status, content, answer.headers.get("Retry-After"), f"{method} {path}")
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise self._lost(error, f"{method} {path}") from error

    async def _headers(self, accept: str) -> dict[str, str]:
        return {"Accept": accept, "User-Agent": "reconciler", **await self._credentials.headers()}

    def _lost(self, error: Exception, what: str) -> ClusterError:
        certificate = getattr(error, "certificate_error", None)
        if certificate is not None or isinstance(error, ssl.SSLError | aiohttp.ClientSSLError):
            return ClusterError(f"{self.server} cannot be trusted: {certificate or error}; {what} was not sent")
        told = "no answer in time" if isinstance(error, TimeoutError) else str(error) or type(error).__name__
        return Unavailable(f"{self.server} does not answer: {told} ({what})")


def _pause(attempt: int, retry_after: float | None) -> float:
    """Return how many seconds to wait before the next attempt: what the server asked for, else doubling with jitter."""
    if retry_after is not None:
        return min(retry_after, LONGEST_PAUSE)
    return min(FIRST_PAUSE * 2.0 ** (attempt - 1), LONGEST_PAUSE) * random.uniform(0.5, 1.5)  # noqa: S311 - no secret
