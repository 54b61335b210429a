"""The adapter of the Harbor port: one Harbor over HTTP, by its address or through the API server's proxy for Services.

By its address every request carries the account (Basic). The API server takes that header for itself, so through its proxy
a session is begun as the web page does: a token against forged requests is asked for, then the account is logged in.
"""

from __future__ import annotations

import asyncio
import base64
import copy
import ssl
from email.utils import parsedate_to_datetime
from http.cookies import CookieError, SimpleCookie
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

import orjson
from yarl import URL

from reconciler.cluster.failures import Answer
from reconciler.cluster.requests import Unsent, pause
from reconciler.errors import ClusterError, NotJson, Silent, Unauthorized, Unavailable
from reconciler.harbor import failures
from reconciler.harbor.endpoint import ROOT
from reconciler.harbor.port import Created
from reconciler.https import aiohttp

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from reconciler.cluster.port import Cluster
    from reconciler.harbor.endpoint import Endpoint
    from reconciler.harbor.port import Item
    from reconciler.model.api import RequestCount

PAGE: Final = 100  # Harbor's own limit
TRIES: Final = 5
FIRST_PAUSE: Final = 0.25  # seconds; doubled with each further try
LONGEST_PAUSE: Final = 8.0
CONNECT_SECONDS: Final = 10.0
TOKEN: Final = "X-Harbor-CSRF-Token"  # noqa: S105 - the name of a header
SAFE: Final = frozenset(("GET", "HEAD"))
MOST: Final = 10_000  # pages of one collection


class Wire:
    """One Harbor, as one account."""

    def __init__(self, endpoint: Endpoint, cluster: Cluster, count: RequestCount) -> None:
        """Prepare; nothing is sent yet. Requests are counted in `count`."""
        self._endpoint, self._cluster, self._count = endpoint, cluster, count
        self._sessions: list[aiohttp.ClientSession] = []  # none or one; shared with guarded twins, as is what follows
        self._guard: Callable[[], None] | None = None
        self._state: dict[str, str] = {}  # cookies of a session; after a colon the token and the time
        self._login = asyncio.Lock()

    @property
    def name(self) -> str:
        """What to call it in messages."""
        return f"Harbor at {self._endpoint.url}"

    @property
    def now(self) -> str:
        """The time of its last answer by its own clock."""
        return self._state.get(":date", "")

    def guarded(self, guard: Callable[[], None] | None) -> Wire:
        """Return the same connection, with `guard` called before every try of a write."""
        twin = copy.copy(self)
        twin._guard = guard  # noqa: SLF001 - our own twin
        return twin

    async def list(self, path: str, query: Mapping[str, str] | None = None) -> list[Item]:
        """Read a whole collection, page by page: as long as the header Link names a next page."""
        found: list[Item] = []
        for page in range(1, MOST):
            asked = {**(query or {}), "page": str(page), "page_size": str(PAGE)}
            answer = await self._tried("GET", f"{path}?{urlencode(asked)}")
            items = self._content(answer, path)
            if not isinstance(items, list | None):
                raise NotJson(f"{self.name} answered {path} with something that is no list")
            found += items or []
            if not _more(answer.headers, len(found)):
                break
        return found

    async def get(self, path: str) -> Item:
        """Read one object."""
        content: Item = self._content(await self._tried("GET", path), path)
        return content

    async def create(self, path: str, content: Item) -> Created:
        """Make one object; sent again only where it certainly did not arrive."""
        answer = await self._tried("POST", path, content)
        last = answer.headers.get("location", "").rstrip("/").rpartition("/")[2]
        made = self._content(answer, path) if answer.body.strip() else {}
        if not last.isdigit() and "id" not in made:
            raise NotJson(f"{self.name} made an object of {path} and did not say which: it sent no Location")
        return Created(int(last) if last.isdigit() else int(made["id"]), made)

    async def replace(self, path: str, content: Item) -> None:
        """Write one object; may be repeated."""
        await self._tried("PUT", path, content)

    async def change(self, path: str, content: Item) -> Item:
        """Change one object and return the answer."""
        answer = await self._tried("PATCH", path, content)
        made: Item = self._content(answer, path) if answer.body.strip() else {}
        return made

    async def delete(self, path: str) -> None:
        """Delete one object."""
        await self._tried("DELETE", path)

    async def close(self) -> None:
        """Release connections."""
        while self._sessions:
            await self._sessions.pop().close()
            await asyncio.sleep(0)  # lets TLS connections go

    async def _tried(self, method: str, path: str, content: Item | None = None) -> Answer:
        """Send a request until it is answered well, may not be sent again, or has been tried enough."""
        body, what = orjson.dumps(content) if content is not None else None, f"{method} {path.partition('?')[0]}"
        for attempt in range(1, TRIES + 1):
            try:
                return await self._once(method, ROOT + path, body, what)
            except Unsent as unsent:
                failure, again = unsent.error, True
            except Unauthorized as error:
                failure, again = error, self._forget() and attempt == 1  # the session may have ended
            except ClusterError as error:
                failure, again = error, error.retryable and (method in (*SAFE, "PUT") or error.status == 429)
            if not again or attempt == TRIES:
                break
            await asyncio.sleep(pause(attempt, failure, FIRST_PAUSE, LONGEST_PAUSE))
        raise failure

    async def _once(self, method: str, path: str, body: bytes | None, what: str) -> Answer:
        headers = {"Accept": "application/json", **({"Content-Type": "application/json"} if body is not None else {})}
        if self._endpoint.proxied:
            await self._logged_in()
        else:
            account = self._endpoint.credentials
            pair = base64.b64encode(f"{account.username}:{account.password}".encode()).decode()
            headers["Authorization"] = f"Basic {pair}"
        if method not in SAFE and self._guard is not None:
            self._guard()
        answer = await self._send(method, path, headers, body)
        if answer.status >= 400:
            raise failures.of_answer(self.name, what, answer.status, answer.body, answer.headers)
        return answer

    async def _send(self, method: str, path: str, headers: Mapping[str, str], body: bytes | None) -> Answer:
        self._count.add("harbor_read" if method in SAFE else "harbor_write")
        if self._endpoint.proxied:
            cookies = "; ".join(f"{key}={value}" for key, value in self._state.items() if key[0] != ":")
            marks = {"Cookie": cookies} if cookies else {}
            if token := self._state.get(":token"):
                marks[TOKEN] = token
            answer = await self._cluster.relay(method, self._endpoint.url + path, {**headers, **marks}, body)
            self._keep_session(answer.headers)
        else:
            answer = await self._direct(method, path, headers, body)
        if date := answer.headers.get("date"):
            self._state[":date"] = parsedate_to_datetime(date).strftime("%Y-%m-%dT%H:%M:%SZ")
        return answer

    async def _direct(self, method: str, path: str, headers: Mapping[str, str], body: bytes | None) -> Answer:
        session = self._sessions[0] if self._sessions else self._open()
        try:
            url = URL(self._endpoint.url + path, encoded=True)
            async with session.request(method, url, headers=headers, data=body, allow_redirects=False) as response:
                found = {name.lower(): ", ".join(response.headers.getall(name)) for name in response.headers}
                return Answer(response.status, await response.read(), found)
        except (aiohttp.ClientError, TimeoutError, ssl.SSLError) as error:
            raise self._failure(error) from error

    def _open(self) -> aiohttp.ClientSession:
        trusted = ssl.create_default_context(cadata=self._endpoint.authority or None)
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS, sock_read=self._endpoint.seconds)
        session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=trusted),
            timeout=timeout,
            headers={"User-Agent": "reconciler"},
            cookie_jar=aiohttp.DummyCookieJar(),
        )
        self._sessions.append(session)
        return session

    def _failure(self, error: Exception) -> ClusterError | Unsent:
        told = str(getattr(error, "os_error", None) or getattr(error, "certificate_error", None) or error)
        told = told or type(error).__name__
        if isinstance(error, aiohttp.ClientSSLError | ssl.SSLError):
            return ClusterError(f"no trusted connection to {self.name}: {told}; look at its certificateAuthority")
        if isinstance(error, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError):
            return Unsent(Unavailable(f"cannot connect to {self.name}: {told}"))
        if isinstance(error, TimeoutError):
            return Silent(f"{self.name} did not answer within {self._endpoint.seconds:g} s")
        return Unavailable(f"the connection to {self.name} was lost: {told}")

    async def _logged_in(self) -> None:
        """Begin a session where there is none."""
        async with self._login:
            if ":logged" in self._state:
                return
            for _ in range(2):  # the first answer begins a session, the second one is of it and has the token
                answer = await self._send("GET", f"{ROOT}/systeminfo", {"Accept": "application/json"}, None)
                if answer.status >= 400:
                    what = f"GET {ROOT}/systeminfo"
                    raise failures.of_answer(self.name, what, answer.status, answer.body, answer.headers)
                if ":token" in self._state:
                    break
            account = self._endpoint.credentials
            form = urlencode({"principal": account.username, "password": account.password}).encode()
            kind = {"Content-Type": "application/x-www-form-urlencoded"}
            answer = await self._send("POST", "/c/login", kind, form)
            if answer.status >= 400:
                raise failures.of_answer(self.name, "POST /c/login", answer.status, answer.body, answer.headers)
            self._state[":logged"] = "yes"

    def _keep_session(self, headers: Mapping[str, str]) -> None:
        if token := headers.get(TOKEN.lower()):
            self._state[":token"] = token
        for line in headers.get("set-cookie", "").split("\n"):
            try:
                found = SimpleCookie(line)
            except CookieError:
                continue
            self._state |= {name: morsel.value for name, morsel in found.items()}

    def _forget(self) -> bool:
        """Forget a session; returns whether there was one."""
        for name in [name for name in self._state if name != ":date"]:
            del self._state[name]
        return self._endpoint.proxied

    def _content(self, answer: Answer, path: str) -> Item:
        try:
            content: Item = orjson.loads(answer.body)
        except orjson.JSONDecodeError as error:
            raise NotJson(f"{self.name} answered {path} with something that is not JSON") from error
        return content


def _more(headers: Mapping[str, str], so_far: int) -> bool:
    """Whether there is a next page: as Link says, or where it says nothing, by the total."""
    link, total = headers.get("link"), headers.get("x-total-count", "")
    if link:
        return 'rel="next"' in link
    return total.isdigit() and so_far < int(total) and so_far % PAGE == 0 and so_far > 0
