"""The clients against small forges behind real HTTP, one for each dialect."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, get_args

import aiohttp
import pytest

from reconciler.errors import ForgeError
from reconciler.forge import Kind, Target, hidden_line, open_forge, wire
from tests.unit.forge.servers import SHA, STRANGER, TOKEN, Fault, Pauses, Server, serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from reconciler.forge import Comment, State

LINE = "<!-- reconciler: preview -->"
EDIT: dict[Kind, str] = {"github": "PATCH", "gitlab": "PUT", "gitea": "PATCH"}


@pytest.fixture(autouse=True)
def direct(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing goes through a proxy that this machine may have."""
    monkeypatch.setenv("no_proxy", "*")


@pytest.fixture(params=get_args(Kind))
async def server(request: pytest.FixtureRequest) -> AsyncIterator[Server]:
    async with serving(Server(request.param)) as running:
        yield running


async def post(server: Server, body: str = "text", *, clock: Pauses | None = None) -> Comment:
    async with open_forge(server.target(), clock=clock or Pauses()) as forge:
        return await forge.upsert_comment("preview", body)


async def refused(server: Server, token: str = TOKEN, clock: Pauses | None = None) -> str:
    with pytest.raises(ForgeError) as raised:
        async with open_forge(server.target(token), clock=clock or Pauses()) as forge:
            await forge.upsert_comment("preview", "text")
    return str(raised.value)


async def test_the_first_comment_is_created_with_its_hidden_line(server: Server) -> None:
    made = await post(server)
    assert (made.id, made.change) == (1, "created")
    assert [comment["body"] for comment in server.comments] == [f"{LINE}\ntext"]


async def test_the_first_comment_asks_nobody_who_we_are(server: Server) -> None:
    await post(server)
    assert [request.split()[0] for request in server.requests] == ["GET", "POST"]


async def test_a_later_comment_is_edited_in_place(server: Server) -> None:
    first = await post(server, "one")
    second = await post(server, "two")
    assert (second.id, second.url, second.change) == (first.id, first.url, "edited")
    assert [comment["body"] for comment in server.comments] == [f"{LINE}\ntwo"]
    assert server.writes() == ["POST", EDIT[server.kind]]


async def test_the_same_text_writes_nothing(server: Server) -> None:
    """Forges may keep other line ends than they were given."""
    await post(server, "one\ntwo\n")
    server.comments[0]["body"] = f"{LINE}\r\none\r\ntwo"
    assert (await post(server, "one\ntwo\n")).change == "unchanged"
    assert server.writes() == ["POST"]


async def test_comments_are_looked_for_on_all_pages(server: Server) -> None:
    for number in range(5):
        server.add(f"talk {number}", STRANGER)
    server.add(f"{LINE}\nold")
    assert (await post(server)).id == 6
    assert len([request for request in server.requests if "page=" in request]) == 3


async def test_a_forge_that_does_not_page_is_asked_once() -> None:
    """Gitea gives all comments and does not know the query."""
    async with serving(Server("gitea", page=0)) as server:
        for number in range(60):
            server.add(f"talk {number}", STRANGER)
        await post(server)
        assert len(server.requests) == 2


async def test_a_strangers_comment_with_our_line_is_left_alone(server: Server) -> None:
    server.add(f"{LINE}\nthe cluster will be fine", STRANGER)
    assert (await post(server)).change == "created"
    assert server.comments[0]["body"] == f"{LINE}\nthe cluster will be fine"
    assert (await post(server)).change == "unchanged"


async def test_a_comment_that_only_quotes_our_line_is_not_ours(server: Server) -> None:
    server.add(f"> {LINE}")
    server.add(f"{LINE} and more")
    server.add("<!-- reconciler: preview-2 -->\ntext")
    assert (await post(server)).id == 4


async def test_notes_that_gitlab_wrote_are_left_out() -> None:
    async with serving(Server("gitlab")) as server:
        server.add(f"{LINE}\nadded 1 commit")["system"] = True
        assert (await post(server)).change == "created"


async def test_the_address_of_a_note_follows_from_the_projects_path() -> None:
    async with serving(Server("gitlab")) as server:
        assert (await post(server)).url == f"{server.url}/acme/deep/infra/-/merge_requests/5#note_1"


async def test_a_comment_of_a_deleted_account_is_a_strangers() -> None:
    async with serving(Server("github")) as server:
        server.add(f"{LINE}\ntext")["user"] = None
        assert (await post(server)).change == "created"


@pytest.mark.parametrize("state", ["success", "failure", "error", "pending"])
async def test_a_status_has_the_forges_words(server: Server, state: State) -> None:
    async with open_forge(server.target()) as forge:
        await forge.set_status(state, "3 objects change", url="https://ci.example/1")
    gitlab = server.kind == "gitlab"
    assert server.statuses == [
        {
            "state": "failed" if gitlab and state in ("failure", "error") else state,
            "name" if gitlab else "context": "reconciler/preview",
            "description": "3 objects change",
            "target_url": "https://ci.example/1",
        }
    ]


async def test_a_long_description_is_shortened(server: Server) -> None:
    async with open_forge(server.target()) as forge:
        await forge.set_status("success", "word " * 100, context="reconciler/other")
    assert len(server.statuses[0]["description"]) <= 140
    assert server.statuses[0]["description"].endswith("word…")
    assert "target_url" not in server.statuses[0]


async def test_what_is_pending_may_be_pending_again_at_gitlab() -> None:
    body = '{"message":"Cannot transition status via :enqueue from :pending (Reason(s): ...)"}'
    async with serving(Server("gitlab")) as server, open_forge(server.target()) as forge:
        server.faults = [Fault("POST", 400, body=body)]
        await forge.set_status("pending", "")
        server.faults = [Fault("POST", 400, body=body)]
        with pytest.raises(ForgeError, match="400: Cannot transition"):
            await forge.set_status("success", "")


async def test_a_refused_token_is_named_by_its_variable_and_not_shown(server: Server) -> None:
    """The forge's own words repeat the token, as a careless one may."""
    text = await refused(server, token="open-4712")
    variable = {"github": "GITHUB_TOKEN", "gitlab": "GITLAB_TOKEN", "gitea": "GITEA_TOKEN"}[server.kind]
    assert f"{server.url} answered 401: bad credentials: " in text
    assert "***" in text
    assert variable in text
    assert "open-4712" not in text
    assert text.startswith(f"GET /{'projects/acme%2Fdeep%2Finfra' if server.kind == 'gitlab' else 'repos/acme/infra'}/")


async def test_half_a_token_is_not_shown_either(server: Server) -> None:
    """The forge's words are cut off at a length, and the token may be where the cut is."""
    server.faults = [Fault("GET", 400, body=f'{{"message": "{"x" * 294}{TOKEN}"}}')]
    assert TOKEN[:3] not in await refused(server)


@pytest.mark.parametrize(("status", "word"), [(403, "needs the scope"), (404, "check the"), (422, "too long")])
async def test_a_refusal_says_what_to_do(server: Server, status: int, word: str) -> None:
    server.faults = [Fault("GET", status, body='{"message": {"body": ["too long"]}}')]
    text = await refused(server)
    assert word in text or "give the job `permissions" in text
    assert f"answered {status}: " in text
    assert server.writes() == []


async def test_a_redirect_is_not_followed(server: Server) -> None:
    server.faults = [Fault("GET", 301, {"Location": "https://elsewhere.example/"})]
    assert "redirects are not followed" in await refused(server)
    assert len(server.requests) == 1


@pytest.mark.parametrize("body", ["<html>", "{}", '[{"strange": 1}]', "[1]"])
async def test_what_is_no_api_is_named(server: Server, body: str) -> None:
    server.faults = [Fault("GET", 200, body=body)]
    assert "address" in (text := await refused(server)) or "expected" in text


async def test_who_we_are_has_to_be_told(server: Server) -> None:
    """GraphQL answers 200 also where it refuses."""
    server.add(f"{LINE}\ntext")
    server.user = ""
    assert "whose" in await refused(server)
    assert server.writes() == []


async def test_reading_is_repeated_after_a_bad_gateway(server: Server) -> None:
    clock = Pauses()
    server.faults = [Fault("GET", 502), Fault("GET", 500), Fault("GET", 503)]
    assert (await post(server, clock=clock)).change == "created"
    assert len(clock.asked) == 3
    assert 0.25 <= clock.asked[0] <= 0.5 <= clock.asked[1] <= 1.0 <= clock.asked[2] <= 2.0


async def test_reading_is_repeated_after_a_lost_connection(server: Server) -> None:
    """Twice in a row, because aiohttp hides the first loss of a request that changes nothing."""
    clock = Pauses()
    server.faults = [Fault("GET", 0), Fault("GET", 0)]
    assert (await post(server, clock=clock)).change == "created"
    assert len(clock.asked) == 1


async def test_four_tries_are_enough(server: Server) -> None:
    clock = Pauses()
    server.faults = [Fault("GET", 502)] * 4
    assert "answered 502" in await refused(server, clock=clock)
    assert (len(server.requests), len(clock.asked)) == (4, 3)


async def test_editing_is_repeated(server: Server) -> None:
    await post(server, "one")
    server.faults = [Fault(EDIT[server.kind], 500), Fault(EDIT[server.kind], 0)]
    assert (await post(server, "two")).change == "edited"
    assert server.writes() == ["POST", *[EDIT[server.kind]] * 3]


@pytest.mark.parametrize("status", [0, 500, 502, 504])
async def test_a_comment_that_may_have_arrived_is_not_sent_again(server: Server, status: int) -> None:
    server.faults = [Fault("POST", status)]
    assert TOKEN not in await refused(server)
    assert server.writes() == ["POST"]
    assert len(server.comments) == (status == 0)


async def test_a_comment_that_was_too_much_is_sent_again(server: Server) -> None:
    clock = Pauses()
    server.faults = [Fault("POST", 429, {"Retry-After": "7"}), Fault("POST", 403, {"Retry-After": "3"})]
    assert (await post(server, clock=clock)).change == "created"
    assert clock.asked == [7.0, 3.0]
    assert len(server.comments) == 1


async def test_a_status_is_sent_again(server: Server) -> None:
    server.faults = [Fault("POST", 502)]
    async with open_forge(server.target(), clock=Pauses()) as forge:
        await forge.set_status("success", "")
    assert len(server.statuses) == 1


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("3600", 30.0),
        ("Thu, 01 Jan 2026 00:00:09 GMT", 9.0),
        ("Thu, 01 Jan 2026 00:00:09 -0000", 9.0),
        ("Wed, 31 Dec 2025 00:00:00 GMT", 0.0),
    ],
)
async def test_the_forge_says_when_to_come_again(server: Server, value: str, seconds: float) -> None:
    """Up to half a minute, as seconds or as a date."""
    clock = Pauses()
    server.faults = [Fault("GET", 429, {"Retry-After": value})]
    await post(server, clock=clock)
    assert clock.asked == [seconds]


async def test_a_retry_after_that_is_none_is_passed_over(server: Server) -> None:
    clock = Pauses()
    server.faults = [Fault("GET", 503, {"Retry-After": "soon"})]
    await post(server, clock=clock)
    assert 0 < clock.asked[0] <= 0.5


def unused() -> str:
    """Return an address where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        return f"http://127.0.0.1:{free.getsockname()[1]}"


async def test_what_never_left_is_sent_again() -> None:
    """Also a POST that must not be doubled: nobody listens, so nothing can have arrived."""
    address, clock = unused(), Pauses()
    async with wire.session() as session:
        with pytest.raises(ForgeError) as raised:
            await wire.Wire(session, clock, address, {}, TOKEN, {}).send("POST", "/x", {}, repeatable=False)
    assert str(raised.value) == f"POST /x: {address} cannot be connected to: connection refused; is the address right?"
    assert (len(clock.asked), raised.value.status) == (3, 0)


async def test_a_certificate_that_is_not_trusted_is_not_tried_again() -> None:
    """A server that speaks no TLS at all is as hopeless."""
    clock = Pauses()
    async with serving(Server("github")) as server, wire.session() as session:
        address = server.url.replace("http:", "https:")
        with pytest.raises(ForgeError, match="is not trusted"):
            await wire.Wire(session, clock, address, {}, TOKEN, {}).get("/x")
    assert clock.asked == []


def test_no_picture_of_an_object_shows_the_token() -> None:
    target = Target("github", "https://api.github.com", "acme/infra", 5, SHA, TOKEN)
    assert TOKEN not in repr(target)
    assert "acme/infra" in repr(target)


async def test_a_proxy_is_asked_where_the_environment_names_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """The forge's own address is one that nobody has."""
    clock = Pauses()
    async with serving(Server("gitea")) as server, wire.session() as session:
        monkeypatch.setenv("no_proxy", "")
        monkeypatch.setenv("http_proxy", server.url)
        monkeypatch.setenv("https_proxy", server.url)
        headers = {"Authorization": f"token {TOKEN}"}
        told = await wire.Wire(session, clock, "http://forge.invalid/api/v1", headers, TOKEN, {}).get("/user")
        assert told["login"] == server.user
        with pytest.raises(ForgeError, match=r"https://forge\.invalid cannot be connected to: the proxy answered 401"):
            await wire.Wire(session, clock, "https://forge.invalid/api/v1", headers, TOKEN, {}).get("/user")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'{"message": "two\\nlines \\u001b[31m"}', "two lines [31m"),
        (b'{"message": {"base": ["is locked"]}}', '{"base":["is locked"]}'),
        (b'{"error": "invalid_token", "error_description": "Token was revoked"}', "Token was revoked"),
        (b'{"error": "404 Not Found"}', "404 Not Found"),
        (b'{"message": "sesame-4711 is bad"}', "*** is bad"),
        (b"<html>", ""),
        (b"[]", ""),
        (b"{}", ""),
    ],
)
def test_the_forges_own_words_are_told_on_one_line(body: bytes, words: str) -> None:
    assert wire.message(body, TOKEN) == words


@pytest.mark.parametrize(
    ("error", "reason", "unsent"),
    [
        (aiohttp.ConnectionTimeoutError(), "no answer within 10 s", True),
        (TimeoutError(), "did not answer within 30 s", False),
        (aiohttp.ServerDisconnectedError(), "the connection was lost (ServerDisconnectedError)", False),
        (aiohttp.ClientPayloadError("Authorization: secret"), "the connection was lost (ClientPayloadError)", False),
    ],
)
def test_silence_is_explained(error: Exception, reason: str, unsent: bool) -> None:
    found = wire.silence(error)
    assert reason in found.reason
    assert (found.unsent, found.hopeless) == (unsent, False)


def test_a_marker_cannot_end_its_comment() -> None:
    assert hidden_line("preview") == LINE
    for bad in ("", "a-->b", "a>b", "two\nlines", " padded"):
        with pytest.raises(ValueError, match="HTML comment"):
            hidden_line(bad)
