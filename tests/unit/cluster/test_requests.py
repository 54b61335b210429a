"""When a request is sent again, and what its failure is called."""

from __future__ import annotations

import asyncio
import re
from collections import deque
from typing import TYPE_CHECKING

import pytest

from reconciler.cluster import requests
from reconciler.cluster.failures import Answer
from reconciler.cluster.requests import Request, Requests, Unsent
from reconciler.errors import (
    ClusterError,
    ConfigError,
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    Unauthorized,
    Unavailable,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

READ = Request("get", "GET", "/api/v1/namespaces/x")
CREATE = Request("create", "POST", "/api/v1/namespaces", repeatable=False)
OK = Answer(200, b'{"kind": "Namespace"}')
BUSY = Answer(503, b"busy")
BROKEN = Answer(500, b"broken")
LOST = Unavailable("the connection was lost")
REFUSED = Unsent(Unavailable("cannot connect"))


class Script:
    """A server that gives the answers of a script, one after the other."""

    def __init__(self, answers: Iterable[Answer | Exception]) -> None:
        """Begin with the first answer."""
        self.answers = deque(answers)
        self.authorizations: list[str] = []
        self.pauses: list[float] = []
        self.requests = Requests("https://server", self.send, self.open, self.authorize, self.sleep)
        self.fresh = 0

    async def send(self, _request: Request, authorization: str) -> Answer:
        """Answer."""
        self.authorizations.append(authorization)
        answer = self.answers.popleft()
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def open(self, request: Request, authorization: str) -> requests.Stream:
        """Never called here."""
        raise NotImplementedError

    async def authorize(self, refresh: bool) -> str:
        """Number the credentials."""
        self.fresh += refresh
        return f"Bearer {self.fresh}"

    async def sleep(self, seconds: float) -> None:
        """Note the pause, without one."""
        self.pauses.append(seconds)


async def test_an_answer_is_counted_and_read() -> None:
    script = Script([OK])
    assert await script.requests.json(READ) == {"kind": "Namespace"}
    assert script.requests.count.snapshot() == {"get": 1}


async def test_what_is_unavailable_is_asked_again_after_longer_and_longer_pauses() -> None:
    script = Script([LOST, BUSY, Answer(500, b"{}"), OK])
    await script.requests.answer(READ)
    assert script.requests.count.snapshot() == {"get": 4}, "each try is a request"
    first, second, third = script.pauses
    assert 0.1 <= first <= 0.2 <= second <= 0.4 <= third <= 0.8


@pytest.mark.parametrize(("answer", "tries"), [(BUSY, requests.ABSENT_TRIES), (BROKEN, requests.TRIES)])
async def test_it_gives_up_in_the_end(answer: Answer, tries: int) -> None:
    """A server that is away may come back; one that answers with an error is not asked for as long."""
    script = Script([answer] * tries)
    with pytest.raises(Unavailable) as caught:
        await script.requests.answer(READ)
    assert caught.value.status == answer.status
    assert not script.answers


async def test_a_restart_of_the_server_is_outlasted() -> None:
    """Ten seconds of it, at the least."""
    script = Script([OK, *([REFUSED] * (requests.ABSENT_TRIES - 1)), OK])
    await script.requests.answer(READ)
    await script.requests.answer(READ)
    assert sum(script.pauses) >= 10


async def test_a_server_that_never_answered_is_not_tried_for_long() -> None:
    script = Script([REFUSED] * requests.TRIES)
    with pytest.raises(Unavailable, match="cannot connect"):
        await script.requests.answer(READ)
    assert len(script.pauses) == requests.FIRST_TRIES - 1


async def test_the_server_says_how_long_to_wait() -> None:
    script = Script([Answer(429, b"{}", {"retry-after": "3"}), OK])
    await script.requests.answer(READ)
    assert 3 <= script.pauses[0] <= 3.5


@pytest.mark.parametrize("answer", [LOST, BUSY])
async def test_what_may_not_happen_twice_is_not_sent_twice(answer: Answer | Exception) -> None:
    script = Script([answer, OK])
    with pytest.raises(Unavailable):
        await script.requests.answer(CREATE)
    assert len(script.answers) == 1


@pytest.mark.parametrize("answer", [Answer(429, b"{}"), REFUSED])
async def test_what_certainly_did_not_happen_is_sent_again(answer: Answer | Exception) -> None:
    script = Script([answer, OK])
    await script.requests.answer(CREATE)
    assert not script.answers


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (400, b"{}", Invalid),
        (403, b"{}", Forbidden),
        (404, b"404 page not found", NotFound),
        (404, b"", NotFound),
        (404, b'{"kind": "Status"}', NotFound),
        (404, b'{"message": "no Route matched with those values"}', ClusterError),
        (404, b"<html><h1>Not Found</h1></html>", ClusterError),
        (409, b'{"reason": "Conflict"}', Conflict),
        (410, b"{}", NotFound),
        (422, b"{}", Invalid),
        (405, b"{}", ClusterError),
        (
            500,
            b'{"kind": "Status", "message": "failed to create typed patch object (x): .a: field not declared in schema"}',
            Invalid,
        ),
    ],
)
async def test_what_is_refused_is_not_sent_again(status: int, body: bytes, kind: type[ClusterError]) -> None:
    script = Script([Answer(status, body), OK])
    with pytest.raises(kind) as caught:
        await script.requests.answer(READ)
    assert (type(caught.value), caught.value.status) == (kind, status)
    assert not script.pauses


async def test_credentials_that_cannot_be_renewed_are_what_the_server_refuses() -> None:
    """In the middle of a run that is an outcome; before the first answer it is a configuration that does not work."""

    async def authorize(refresh: bool) -> str:
        if refresh:
            raise ConfigError("context dev: the id-token has expired")
        return "Bearer old"

    script = Script([OK, Answer(401, b"{}")])
    script.requests.authorize = authorize
    await script.requests.answer(READ)
    with pytest.raises(Unauthorized, match="context dev: the id-token has expired"):
        await script.requests.answer(READ)
    with pytest.raises(ConfigError):
        await Requests("https://server", script.send, script.open, lambda _: authorize(True)).answer(READ)


async def test_credentials_are_renewed_once() -> None:
    script = Script([Answer(401, b"{}"), OK])
    await script.requests.answer(READ)
    assert script.authorizations == ["Bearer 0", "Bearer 1"]
    script = Script([Answer(401, b"{}"), Answer(401, b'{"message": "Unauthorized"}')])
    with pytest.raises(Unauthorized, match="https://server does not accept the credentials: Unauthorized"):
        await script.requests.answer(READ)


async def test_an_answer_without_a_status_object_is_quoted() -> None:
    script = Script([Answer(404, b"404 page not found\n")])
    with pytest.raises(NotFound, match=r"^https://server answered 404: 404 page not found$"):
        await script.requests.answer(READ)


@pytest.mark.parametrize(
    ("status", "body", "told"),
    [
        (503, b"<html><style>h1 {color: red}</style>\n<h1>Bad gateway</h1></html>", "https://server answered 503: Bad gateway"),
        (503, b"<html", "https://server answered 503 without a reason"),
        (502, b'{"message": "no upstream"}', "https://server answered 502: no upstream"),
        (500, b"", "https://server answered 500 without a reason"),
        (404, b'{"error": "x"}', "https://server answered 404 without a reason; this is no answer of Kubernetes: is the address right?"),
        (401, b"<p>log in</p>", "https://server does not accept the credentials: log in; renew them or name another context"),
    ],
)  # fmt: skip
async def test_an_error_that_is_not_the_api_servers_names_who_answered_and_how(
    status: int, body: bytes, told: str
) -> None:
    script = Script([Answer(status, body)] * 9)
    with pytest.raises(ClusterError, match=f"^{re.escape(told)}$"):
        await script.requests.answer(READ)


@pytest.mark.parametrize(
    ("body", "an_object"), [(b"[1]", False), (b'"x"', False), (b'{"hello": "world"}', True), (b"{}", True)]
)
async def test_json_that_is_nothing_of_kubernetes_is_told(body: bytes, an_object: bool) -> None:
    script = Script([Answer(200, body)] * 2)
    ask = script.requests.object if an_object else script.requests.json
    with pytest.raises(
        ClusterError, match="server answered /api/v1/namespaces/x with JSON that is nothing of Kubernetes"
    ):
        await ask(READ)


async def test_an_answer_that_is_not_json_names_its_path() -> None:
    script = Script([Answer(200, b"<html>")])
    with pytest.raises(ClusterError, match="answered /api/v1/namespaces/x with something that is not JSON"):
        await script.requests.json(READ)


async def test_warnings_are_kept_once() -> None:
    header = {"warning": '299 - "v1beta1 is \\"old\\"", 299 - "unknown"'}
    script = Script([Answer(200, b"{}", header), Answer(200, b"{}", header)])
    for _ in range(2):
        await script.requests.answer(READ)
    assert script.requests.warnings == ['v1beta1 is "old"', "unknown"]


async def test_sixteen_requests_are_in_flight_at_most() -> None:
    now, most = 0, 0

    async def send(_request: Request, _authorization: str) -> Answer:
        nonlocal now, most
        now += 1
        most = max(most, now)
        await asyncio.sleep(0)
        now -= 1
        return OK

    script = Script([])
    script.requests.send = send
    await asyncio.gather(*(script.requests.answer(READ) for _ in range(100)))
    assert most == requests.IN_FLIGHT


async def test_a_lease_is_renewed_however_much_else_is_to_be_sent() -> None:
    """A run that deletes much looks at everything first; its Lease must not run out in the queue."""
    script = Script([OK])
    for _ in range(requests.IN_FLIGHT):
        await script.requests.slots.acquire()
    renewal = Request(
        "update", "PUT", "/apis/coordination.k8s.io/v1/namespaces/reconciler-system/leases/reconciler-dev"
    )
    await asyncio.wait_for(script.requests.answer(renewal), 5)
    assert not Request("list", "GET", "/apis/coordination.k8s.io/v1/leases").urgent
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(script.requests.answer(READ), 0.01)
