"""Which requests the adapter sends, and what it makes of the answers; the wire itself is in tests/contract."""

from __future__ import annotations

import json
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from reconciler.cluster.credentials import Access
from reconciler.cluster.failures import Answer
from reconciler.cluster.kube import KubeCluster
from reconciler.cluster.requests import Request, Requests
from reconciler.errors import ClusterError, NotFound, Unavailable
from reconciler.model.api import ApiResource

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

CONFIG_MAPS = ApiResource("", "v1", "ConfigMap", "configmaps", namespaced=True)
BODY = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "namespace": "shop"}}


class Lines:
    """A stream of watch events that may break off."""

    status = 200

    def __init__(self, events: list[Any], lost: bool) -> None:
        """Hold the events to come."""
        self.headers: dict[str, str] = {}
        self.events, self.lost, self.closed = events, lost, False

    async def read(self) -> bytes:
        """Return nothing: a watch is never read as a whole."""
        return b""

    async def lines(self) -> AsyncIterator[bytes]:
        """Yield the events."""
        for event in self.events:
            yield json.dumps(event).encode()
        if self.lost:
            raise Unavailable("the connection was lost")

    def close(self) -> None:
        """Note it."""
        self.closed = True


class Server:
    """A scripted server and the adapter in front of it."""

    def __init__(self, *answers: Any, status: int = 200, stream: Lines | None = None) -> None:
        """Answer these JSON values in turn; an Answer is given as it is."""
        self.answers = deque(item if isinstance(item, Answer) else answer(item, status) for item in answers)
        self.sent: list[Request] = []
        self.stream = stream
        access = Access("https://server", None, self.authorize)
        self.cluster = KubeCluster(access, Path("/nowhere"))
        self.cluster._requests = Requests("https://server", self.send, self.open, self.authorize, self.sleep)

    async def authorize(self, _refresh: bool) -> str:
        """Return no credentials."""
        return ""

    async def sleep(self, _seconds: float) -> None:
        """Return at once."""

    async def send(self, request: Request, _authorization: str) -> Answer:
        """Answer the next one."""
        self.sent.append(request)
        return self.answers.popleft()

    async def open(self, request: Request, _authorization: str) -> Lines:
        """Hand over the stream."""
        self.sent.append(request)
        assert self.stream is not None
        return self.stream


def answer(content: Any, status: int = 200) -> Answer:
    """Return an answer of JSON."""
    return Answer(status, json.dumps(content).encode())


def page(names: list[str], following: str = "") -> dict[str, Any]:
    """Return one page of a list."""
    metadata = {"resourceVersion": f"v-{names[0]}", "continue": following}
    return {"kind": "ConfigMapList", "metadata": metadata, "items": [{"metadata": {"name": name}} for name in names]}


async def test_pages_follow_each_other_and_items_get_their_kind() -> None:
    server = Server(page(["a", "b"], "token"), page(["c"]))
    found = [body async for body in server.cluster.list(CONFIG_MAPS, namespace="shop", selector="x=y")]
    assert [(body["kind"], body["apiVersion"], body["metadata"]["name"]) for body in found] == [
        ("ConfigMap", "v1", "a"),
        ("ConfigMap", "v1", "b"),
        ("ConfigMap", "v1", "c"),
    ]
    first, second = server.sent
    assert first.path == "/api/v1/namespaces/shop/configmaps"
    assert first.query == {"limit": "500", "labelSelector": "x=y"}
    assert second.query["continue"] == "token"


async def test_an_expired_page_goes_on_with_the_token_that_the_server_gives() -> None:
    expired = answer({"reason": "Expired", "message": "too old", "metadata": {"continue": "fresh"}}, 410)
    server = Server(page(["a"], "old"), expired, page(["b"]))
    found = [body["metadata"]["name"] async for body in server.cluster.list(CONFIG_MAPS)]
    assert found == ["a", "b"]
    assert [request.query.get("continue") for request in server.sent] == [None, "old", "fresh"]


async def test_an_expired_page_without_a_token_is_an_error() -> None:
    server = Server(page(["a"], "old"), answer({"reason": "Expired"}, 410))
    with pytest.raises(NotFound):
        _ = [body async for body in server.cluster.list(CONFIG_MAPS)]


async def test_a_watch_goes_on_from_the_first_page() -> None:
    server = Server(page(["a"], "token"), page(["b"]))
    bodies, version = await server.cluster.list_version(CONFIG_MAPS)
    assert (len(bodies), version) == (2, "v-a"), "what changed between the pages is seen again"


async def test_a_null_list_is_empty() -> None:
    server = Server({"kind": "ConfigMapList", "metadata": {}, "items": None})
    assert [body async for body in server.cluster.list(CONFIG_MAPS)] == []


async def test_an_apply_says_who_how_and_how_strictly() -> None:
    server = Server(BODY, BODY)
    await server.cluster.apply(CONFIG_MAPS, BODY, field_manager="reconciler")
    await server.cluster.apply(CONFIG_MAPS, BODY, field_manager="reconciler", force=True, dry_run=True)
    first, second = server.sent
    assert (first.method, first.path, first.verb) == ("PATCH", "/api/v1/namespaces/shop/configmaps/c", "apply")
    assert first.query == {"fieldManager": "reconciler", "force": "false", "fieldValidation": "Ignore"}
    assert first.content_type == "application/apply-patch+yaml"
    assert (second.verb, second.query["force"], second.query["dryRun"]) == ("dry_run", "true", "All")
    assert second.query["fieldValidation"] == "Strict"
    assert server.cluster.requests.snapshot() == {"apply": 1, "dry_run": 1}


async def test_writes_that_must_not_happen_twice_are_marked() -> None:
    server = Server(BODY, BODY, BODY, BODY, {})
    await server.cluster.create(CONFIG_MAPS, BODY)
    await server.cluster.update(CONFIG_MAPS, BODY)
    await server.cluster.patch(CONFIG_MAPS, "shop", "c", [], kind="json", field_manager="x")
    await server.cluster.patch(CONFIG_MAPS, "shop", "c", {}, kind="merge", field_manager="x")
    await server.cluster.delete(CONFIG_MAPS, "shop", "c", uid="u", resource_version="7")
    assert [request.repeatable for request in server.sent] == [False, False, False, True, True]
    options = json.loads(server.sent[-1].body or b"")
    assert options["preconditions"] == {"uid": "u", "resourceVersion": "7"}


async def test_a_log_is_text() -> None:
    server = Server(Answer(200, b"panic: no\n"))
    assert await server.cluster.log_tail("shop", "web-1", "web", previous=True) == "panic: no"
    assert server.sent[0].query == {"container": "web", "tailLines": "1", "previous": "true"}


async def test_a_watch_ends_where_its_connection_is_lost() -> None:
    event = {"type": "ADDED", "object": BODY}
    stream = Lines([event], lost=True)
    server = Server(stream=stream)
    found = [item async for item in server.cluster.watch(CONFIG_MAPS, resource_version="7")]
    assert [(item.type, item.object) for item in found] == [("ADDED", BODY)]
    assert stream.closed
    assert server.sent[0].query["resourceVersion"] == "7"


async def test_a_watch_that_gives_no_events_is_told() -> None:
    stream = Lines([{"hello": "world"}], lost=False)
    with pytest.raises(
        ClusterError, match=r"https://server answered a watch of /api/v1/configmaps with something that"
    ):
        _ = [item async for item in Server(stream=stream).cluster.watch(CONFIG_MAPS)]
    assert stream.closed


@pytest.mark.parametrize(("code", "kind"), [(410, NotFound), (500, Unavailable), (403, ClusterError)])
async def test_a_watch_that_fails_says_so(code: int, kind: type[ClusterError]) -> None:
    stream = Lines([{"type": "ERROR", "object": {"kind": "Status", "code": code, "message": "too old"}}], lost=False)
    with pytest.raises(kind, match="too old") as caught:
        _ = [item async for item in Server(stream=stream).cluster.watch(CONFIG_MAPS, resource_version="7")]
    assert caught.value.status == code
    assert stream.closed
