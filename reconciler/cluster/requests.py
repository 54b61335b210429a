"""Requests to one API server: how many at a time, how often again, how they are counted.

The transport is a function, so that all of this can be tested without a socket.
"""

from __future__ import annotations

import asyncio
import random
import re
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NoReturn, Protocol, TypeVar

import orjson

from reconciler.cluster import failures
from reconciler.cluster.failures import Answer
from reconciler.errors import ClusterError, ConfigError, NotJson, Silent, Unauthorized
from reconciler.model.api import WRITES, RequestCount

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

    from reconciler.model.api import Verb

T = TypeVar("T")

IN_FLIGHT = 16  # where environment.yaml does not say
TRIES = 6  # of a request that the server has answered with an error
ABSENT_TRIES = 8  # of one that it did not answer, or has no time for: 11 to 22 s, as long as a restart may take
FIRST_TRIES = (
    3  # before the server has ever answered, it may just be the wrong address; and of a silent one, each try takes long
)
FIRST_PAUSE = 0.2  # seconds; doubled with each further try, and drawn between half and all of that
LONGEST_PAUSE = 10.0
LONGEST_RETRY_AFTER = 60.0

LEASES = "/apis/coordination.k8s.io/"

_WARNING = re.compile(r'299 \S+ "((?:[^"\\]|\\.)*)"')


@dataclass(frozen=True, slots=True)
class Request:
    """One request. `repeatable`: it may be sent again where nobody knows whether the last one arrived."""

    verb: Verb
    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    content_type: str = "application/json"
    accept: str = "application/json"
    repeatable: bool = True

    @property
    def urgent(self) -> bool:
        """Whether it goes out at once, however much else is under way: a Lease that is renewed late is lost."""
        return self.path.startswith(LEASES) and self.verb != "list"


class Unsent(Exception):
    """The transport's word for a request that certainly did not arrive: no connection was made."""

    def __init__(self, error: ClusterError) -> None:
        """Keep what is to be raised when all tries are used up."""
        super().__init__(str(error))
        self.error = error


class Stream(Protocol):
    """An answer that has not ended yet."""

    status: int
    headers: dict[str, str]

    async def read(self) -> bytes:
        """Read all that is left."""

    def lines(self) -> AsyncIterator[bytes]:
        """Yield the body's lines; raises Unavailable where the connection is lost."""

    def close(self) -> None:
        """Drop the connection."""


@dataclass(slots=True)
class Requests:
    """Sends requests, as many at a time as there are `slots` (and those that are urgent), and again where that helps.

    `send` and `open` send one request with an Authorization header; they raise ClusterError where no answer came, and Unsent
    where not even a connection was made. `authorize` gives that header's value, anew when asked with True.
    """

    server: str
    send: Callable[[Request, str], Awaitable[Answer]]
    open: Callable[[Request, str], Awaitable[Stream]]
    authorize: Callable[[bool], Awaitable[str]]
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    count: RequestCount = field(default_factory=RequestCount)
    warnings: list[str] = field(default_factory=list)
    guard: Callable[[], None] | None = None  # asked before every try of a write; may raise
    reached: bool = False  # whether the server has ever answered
    slots: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(IN_FLIGHT))

    async def json(self, request: Request) -> dict[str, Any]:
        """Send a request and return its answer's JSON, a mapping; raises the ClusterError tree."""
        answer = await self.answer(request)
        try:
            found = orjson.loads(answer.body)
        except orjson.JSONDecodeError as error:
            raise NotJson(f"{self.server} answered {request.path} with something that is not JSON") from error
        return found if isinstance(found, dict) else self._refuse(request)

    async def object(self, request: Request) -> dict[str, Any]:
        """Send a request and return the object, or the list of objects, of its answer; raises the ClusterError tree."""
        found = await self.json(request)
        return found if isinstance(found.get("kind"), str) else self._refuse(request)

    def _refuse(self, request: Request) -> NoReturn:
        raise ClusterError(
            f"{self.server} answered {request.path} with JSON that is nothing of Kubernetes: is the address right?"
        )

    async def answer(self, request: Request) -> Answer:
        """Send a request and return its answer; raises the ClusterError tree."""
        return await self._tried(request, self._answer)

    async def relay(self, once: Callable[[str], Awaitable[Answer]]) -> Answer:
        """Send what is not for the API server itself, once; `once` is given the Authorization header's value.

        It is counted, retried and guarded by whoever sends it. Raises ClusterError where no answer came.
        """
        async with self.slots:
            try:
                return await once(await self._authorized(refresh=False))
            except Unsent as unsent:
                raise unsent.error from unsent

    async def stream(self, request: Request) -> Stream:
        """Send a request and return its answer before it has ended; the caller closes it."""
        return await self._tried(request, self._stream)

    async def _tried(self, request: Request, once: Callable[[Request, str], Awaitable[T]]) -> T:
        """Send a request until it is answered well, may not be sent again, or has been tried enough."""
        refresh = False
        attempt = 0
        while True:
            attempt += 1
            try:
                async with nullcontext() if request.urgent else self.slots:
                    authorization = await self._authorized(refresh)
                    if self.guard is not None and request.verb in WRITES:
                        self.guard()
                    self.count.add(request.verb)
                    return await once(request, authorization)
            except Unauthorized:
                if refresh:
                    raise
                refresh = True
                continue
            except Unsent as unsent:
                failure, may_repeat = unsent.error, True
            except ClusterError as error:
                failure, may_repeat = error, request.repeatable or error.status == 429
            if not (failure.retryable and may_repeat) or attempt >= self._tries(failure):
                raise failure
            await self.sleep(pause(attempt, failure))

    async def _authorized(self, refresh: bool) -> str:
        """Return the Authorization header's value; once the server has answered, to have none is what a refusal is."""
        try:
            return await self.authorize(refresh)
        except ConfigError as error:
            if not self.reached:
                raise
            raise Unauthorized(str(error), status=401) from error

    def _tries(self, failure: ClusterError) -> int:
        """Return how often a request is sent that fails like this."""
        if not self.reached or isinstance(failure, Silent):
            return FIRST_TRIES
        return ABSENT_TRIES if failure.status in (0, 429, 503) else TRIES

    async def _answer(self, request: Request, authorization: str) -> Answer:
        answer = await self.send(request, authorization)
        self._heard(answer.headers)
        if answer.status >= 400:
            raise failures.of_answer(answer, self.server)
        return answer

    async def _stream(self, request: Request, authorization: str) -> Stream:
        stream = await self.open(request, authorization)
        self._heard(stream.headers)
        if stream.status < 400:
            return stream
        try:
            raise failures.of_answer(Answer(stream.status, await stream.read(), stream.headers), self.server)
        finally:
            stream.close()

    def _heard(self, headers: Mapping[str, str]) -> None:
        self.reached = True
        for found in _WARNING.findall(headers.get("warning", "")):
            text = re.sub(r"\\(.)", r"\1", found)
            if text not in self.warnings:
                self.warnings.append(text)


def pause(attempt: int, failure: ClusterError, first: float = FIRST_PAUSE, longest: float = LONGEST_PAUSE) -> float:
    """Return how long to wait before the next try, in seconds: what the server asks for, else longer each time."""
    if failure.retry_after is not None:
        return min(failure.retry_after, LONGEST_RETRY_AFTER) + random.uniform(0, first)  # noqa: S311 - no secret
    length = min(first * 2 ** (attempt - 1), longest)
    return random.uniform(length / 2, length)  # noqa: S311 - no secret
