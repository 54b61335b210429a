"""Requests to one forge: sent, repeated where that does no harm, and what their failures mean.

No text that leaves this module holds the token, not even where the forge repeats it. Redirects are not followed: they
could carry the token to another host.
"""

from __future__ import annotations

import os
import random
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Final
from urllib.request import getproxies, proxy_bypass

import orjson
from yarl import URL

from reconciler.errors import ForgeError
from reconciler.https import aiohttp, system_trust

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from reconciler.clock import Clock

TIMEOUT: Final = 30.0  # seconds, of a whole request
CONNECT_SECONDS: Final = 10.0
TRIES: Final = 4
FIRST_PAUSE: Final = 0.5  # seconds; doubled with each further try, and drawn between half and all of that
LONGEST_PAUSE: Final = 30.0  # also where the forge asks for more
WORDS: Final = 300  # characters of the forge's own message
FAILURES: Final = (aiohttp.ClientError, TimeoutError, OSError)


@dataclass(frozen=True, slots=True)
class Answer:
    """What the forge answered; header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def throttled(self) -> bool:
        """Whether it was too much at once, and nothing was done; GitHub may say 403 for it and when to come again.

        https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api
        """
        return self.status == 429 or (self.status == 403 and "retry-after" in self.headers)


@dataclass(frozen=True, slots=True)
class Silence:
    """There was no answer. `unsent`: no connection was made, so the request certainly did not arrive."""

    reason: str
    unsent: bool = False
    hopeless: bool = False


@dataclass(frozen=True, slots=True)
class Wire:
    """The way to one forge: `api` is the root of its API, `headers` go with each request and hold the token.

    `hints` tell what to do about a status code.
    """

    session: aiohttp.ClientSession
    clock: Clock
    api: str
    headers: Mapping[str, str] = field(repr=False)
    token: str = field(repr=False)
    hints: Mapping[int, str]

    async def get(self, path: str) -> Any:
        """Return the JSON of a path below the API's root; raises ForgeError."""
        return _json(await self.answer("GET", path), f"GET {path}")

    async def pages(self, path: str, size: str) -> AsyncIterator[Any]:
        """Yield the items of a list through all its pages; `size` is the query that asks for long ones.

        The next page is asked for by number where a Link header says that there is one (RFC 8288). The address in that
        header is not used: behind a proxy forges name hosts that are not theirs.
        """
        page = 1
        while True:
            where = f"{path}?{size}&page={page}"
            answer = await self.answer("GET", where)
            items = _json(answer, f"GET {where}")
            if not isinstance(items, list):
                raise ForgeError(
                    f"GET {where}: expected a list; is {self._place} the forge's API?", status=answer.status
                )
            for item in items:
                yield item
            if not items or 'rel="next"' not in answer.headers.get("link", ""):
                return
            page += 1

    async def send(self, method: str, path: str, content: Mapping[str, Any], *, repeatable: bool) -> Any:
        """Send JSON and return the answer's; `repeatable`: doing it twice is as good as once. Raises ForgeError."""
        return _json(await self.answer(method, path, content, repeatable=repeatable), f"{method} {path}")

    async def answer(
        self, method: str, path: str, content: Mapping[str, Any] | None = None, *, repeatable: bool = True
    ) -> Answer:
        """Return the answer to a request that went well, at the latest at the fourth try; raises ForgeError."""
        attempt = 0
        while True:
            attempt += 1
            answer = await self._once(method, path, content)
            if isinstance(answer, Answer) and answer.status < 300:
                return answer
            if attempt >= TRIES or not _worth_another(answer, repeatable):
                raise self._error(f"{method} {path}", answer)
            await self.clock.sleep(_pause(attempt, answer, self.clock.now()))

    async def _once(self, method: str, path: str, content: Mapping[str, Any] | None) -> Answer | Silence:
        url = URL(self.api + path, encoded=True)
        data = None if content is None else orjson.dumps(content)
        headers = dict(self.headers) | ({} if data is None else {"Content-Type": "application/json"})
        try:
            async with self.session.request(
                method, url, data=data, headers=headers, proxy=_proxy(url), allow_redirects=False
            ) as response:
                names = {name.lower(): value for name, value in response.headers.items()}
                return Answer(response.status, names, await response.read())
        except FAILURES as error:
            return silence(error)

    @property
    def _place(self) -> str:
        return str(URL(self.api).origin())

    def _error(self, asked: str, answer: Answer | Silence) -> ForgeError:
        """Return what went wrong. The cause is left out on purpose: aiohttp's errors hold the request's headers."""
        if isinstance(answer, Silence):
            return ForgeError(f"{asked}: {self._place} {answer.reason}")
        told = f": {words}" if (words := message(answer.body, self.token)) else ""
        hint = f"; {self.hints[answer.status]}" if answer.status in self.hints else ""
        if 300 <= answer.status < 400:
            hint = "; it has moved, and redirects are not followed with a token: give its present address and name"
        return ForgeError(f"{asked}: {self._place} answered {answer.status}{told}{hint}", status=answer.status)


def session() -> aiohttp.ClientSession:
    """Return a session with its limits.

    Each request has a connection of its own: on one that the forge is about to close a POST would be lost, and nobody
    would know whether it had arrived.
    """
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(force_close=True, ssl=system_trust()),
        timeout=aiohttp.ClientTimeout(total=TIMEOUT, sock_connect=CONNECT_SECONDS),
        headers={"User-Agent": "reconciler"},
        cookie_jar=aiohttp.DummyCookieJar(),
    )


def silence(error: Exception) -> Silence:
    """Return what a failed exchange means. A certificate that is not trusted will not be so at the next try either."""
    inner = getattr(error, "os_error", None) or getattr(error, "certificate_error", None) or error
    number = getattr(inner, "errno", None)
    known = os.strerror(number).lower() if isinstance(number, int) and number > 0 else ""
    reason = getattr(inner, "verify_message", "") or known or getattr(inner, "strerror", "") or type(inner).__name__
    if isinstance(error, aiohttp.ClientSSLError):
        return Silence(f"is not trusted: {reason}; check its address and SSL_CERT_FILE", unsent=True, hopeless=True)
    if isinstance(error, aiohttp.ClientConnectorError):
        return Silence(f"cannot be connected to: {reason}; is the address right?", unsent=True)
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return Silence(f"cannot be connected to: the proxy answered {error.status}", unsent=True)
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return Silence(f"cannot be connected to: no answer within {CONNECT_SECONDS:g} s", unsent=True)
    if isinstance(error, TimeoutError):
        return Silence(f"did not answer within {TIMEOUT:g} s")
    return Silence(f"did not answer: the connection was lost ({reason})")


def message(body: bytes, token: str) -> str:
    """Return the forge's own words in an answer, on one line and without the token, "" where there are none.

    They are in `message` (GitLab: a text, a list or an object), or in `error`, or `error_description`.
    """
    try:
        content = orjson.loads(body)
    except orjson.JSONDecodeError:
        return ""
    if not isinstance(content, dict):
        return ""
    told = next((content[key] for key in ("message", "error_description", "error") if content.get(key)), "")
    text = told if isinstance(told, str) else orjson.dumps(told).decode()
    masked = text.replace(token, "***") if token else text  # before anything is cut off: half a token is a secret too
    line = " ".join("".join(sign if sign.isprintable() else " " for sign in masked).split())
    return line if len(line) <= WORDS else line[: WORDS - 1] + "…"


def _worth_another(answer: Answer | Silence, repeatable: bool) -> bool:
    if isinstance(answer, Silence):
        return not answer.hopeless and (answer.unsent or repeatable)
    return answer.throttled or (answer.status >= 500 and repeatable)


def _pause(attempt: int, answer: Answer | Silence, now: datetime) -> float:
    """Return how long to wait before the next try, in seconds: what the forge asks for, else longer each time."""
    asked = _retry_after(answer.headers.get("retry-after", ""), now) if isinstance(answer, Answer) else None
    if asked is not None:
        return min(max(asked, 0.0), LONGEST_PAUSE)
    pause = min(FIRST_PAUSE * 2 ** (attempt - 1), LONGEST_PAUSE)
    return random.uniform(pause / 2, pause)  # noqa: S311 - no secret


def _retry_after(value: str, now: datetime) -> float | None:
    """Return the seconds of a Retry-After header, which are told as such or as a date (RFC 9110, 10.2.3)."""
    if value.isascii() and value.isdigit():
        return float(value)
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    return (moment.replace(tzinfo=moment.tzinfo or UTC) - now).total_seconds()


def _json(answer: Answer, asked: str) -> Any:
    try:
        return orjson.loads(answer.body) if answer.body else None
    except orjson.JSONDecodeError:
        raise ForgeError(
            f"{asked}: the answer is not JSON; is the address that of the forge's API?", status=answer.status
        ) from None


def _proxy(url: URL) -> str | None:
    """Return the proxy that the environment names. aiohttp's own way would also read passwords from ~/.netrc."""
    if url.host is None or proxy_bypass(url.host):
        return None
    return getproxies().get(url.scheme)
