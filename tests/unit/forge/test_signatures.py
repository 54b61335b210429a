"""Deliveries of each forge: what is believed, and what they tell."""

from __future__ import annotations

import hmac
import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.errors import BadDelivery, BadSignature, ForgeError
from reconciler.forge import Other, Push, delivery

if TYPE_CHECKING:
    from collections.abc import Callable

SECRET = "open sesame"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
PUSH = {"ref": "refs/heads/main", "after": COMMIT, "repository": {"full_name": "acme/infra"}}
GITLAB_PUSH = {
    "object_kind": "push",
    "ref": "refs/heads/main",
    "after": COMMIT,
    "project": {"path_with_namespace": "acme/deep/infra"},
    "repository": {"name": "infra"},
}


def digest(body: bytes, secret: str = SECRET) -> str:
    return hmac.new(secret.encode(), body, "sha256").hexdigest()


def github(body: bytes, secret: str = SECRET, event: str = "push") -> dict[str, str]:
    return {"X-Hub-Signature-256": f"sha256={digest(body, secret)}", "X-GitHub-Event": event}


def gitea(body: bytes, secret: str = SECRET, event: str = "push") -> dict[str, str]:
    own = {"X-Gitea-Signature": digest(body, secret), "X-Gitea-Event": event}
    return {**github(body, secret, event), **own}


def forgejo(body: bytes, secret: str = SECRET, event: str = "push") -> dict[str, str]:
    own = {"X-Forgejo-Signature": digest(body, secret), "X-Forgejo-Event": event}
    return {**gitea(body, secret, event), **own}


def gitlab(body: bytes, secret: str = SECRET, event: str = "Push Hook") -> dict[str, str]:
    return {"X-Gitlab-Token": secret, "X-Gitlab-Event": event}


SIGNED = [github, gitea, forgejo]
ALL = [*SIGNED, gitlab]


def dumped(content: Any) -> bytes:
    return json.dumps(content).encode()


@pytest.mark.parametrize("signed", SIGNED)
def test_a_push_tells_branch_commit_and_repository(signed: Callable[[bytes], dict[str, str]]) -> None:
    body = dumped(PUSH)
    assert delivery(signed(body), body, SECRET) == Push("main", COMMIT, "acme/infra")


def test_a_push_of_gitlab_tells_its_project() -> None:
    body = dumped(GITLAB_PUSH)
    assert delivery(gitlab(body), body, SECRET) == Push("main", COMMIT, "acme/deep/infra")


def test_the_published_example_of_github_verifies() -> None:
    """From "Validating webhook deliveries": its body is no JSON, so all that can be asked is what is wrong with it."""
    headers = {
        "X-Hub-Signature-256": "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17",
        "X-GitHub-Event": "push",
    }
    with pytest.raises(BadDelivery, match="not JSON"):
        delivery(headers, b"Hello, World!", "It's a Secret to Everybody")


@pytest.mark.parametrize("signed", ALL)
def test_header_names_have_no_case(signed: Callable[[bytes], dict[str, str]]) -> None:
    body = dumped({**PUSH, **GITLAB_PUSH})
    upper = {name.upper(): value for name, value in signed(body).items()}
    assert isinstance(delivery(upper, body, SECRET), Push)


@pytest.mark.parametrize("signed", ALL)
def test_a_wrong_secret_is_refused(signed: Callable[[bytes, str], dict[str, str]]) -> None:
    body = dumped(PUSH)
    with pytest.raises(BadSignature) as raised:
        delivery(signed(body, "guessed"), body, SECRET)
    assert SECRET not in str(raised.value)
    assert digest(body) not in str(raised.value)


@pytest.mark.parametrize("signed", ALL)
def test_an_empty_secret_vouches_for_nothing(signed: Callable[[bytes, str], dict[str, str]]) -> None:
    """Anybody can sign with it."""
    body = dumped(PUSH)
    with pytest.raises(BadSignature, match="no webhook secret is set"):
        delivery(signed(body, ""), body, "")


@pytest.mark.parametrize("headers", [{}, {"X-GitHub-Event": "push"}, {"X-Hub-Signature": "sha1=00"}])
def test_a_delivery_that_is_not_signed_is_refused(headers: dict[str, str]) -> None:
    with pytest.raises(BadSignature, match="not signed"):
        delivery(headers, dumped(PUSH), SECRET)


@pytest.mark.parametrize("value", ["", "sha256=", "sha1=00", "é", "\udcff"])
def test_a_signature_that_is_none_is_refused(value: str) -> None:
    """Also what no header should hold: bytes that are not UTF-8 come as lone surrogates."""
    for name in ("X-Hub-Signature-256", "X-Gitea-Signature", "X-Forgejo-Signature", "X-Gitlab-Token"):
        with pytest.raises(BadSignature):
            delivery({name: value, "X-GitHub-Event": "push"}, dumped(PUSH), SECRET)


def test_one_good_signature_does_not_make_up_for_a_bad_one() -> None:
    body = dumped(PUSH)
    with pytest.raises(BadSignature):
        delivery({**gitea(body), "X-Gitea-Signature": "0" * 64}, body, SECRET)
    with pytest.raises(BadSignature):
        delivery({**gitlab(body), "X-Hub-Signature-256": "sha256=" + "0" * 64}, body, SECRET)


@given(index=st.integers(0, len(dumped(PUSH)) - 1), change=st.integers(1, 255), signed=st.sampled_from(SIGNED))
def test_a_changed_byte_of_the_body_never_verifies(
    index: int, change: int, signed: Callable[[bytes], dict[str, str]]
) -> None:
    body = dumped(PUSH)
    tampered = body[:index] + bytes([body[index] ^ change]) + body[index + 1 :]
    with pytest.raises(BadSignature):
        delivery(signed(body), tampered, SECRET)


@given(name=st.sampled_from(["X-Hub-Signature-256", "X-Gitea-Signature", "X-Gitlab-Token"]), data=st.data())
def test_a_changed_character_of_the_signature_never_verifies(name: str, data: st.DataObject) -> None:
    body = dumped(PUSH)
    good = {**github(body), **gitea(body), **gitlab(body)}[name]
    index = data.draw(st.integers(0, len(good) - 1))
    other = data.draw(st.characters().filter(lambda sign: sign != good[index]))
    headers = {name: good[:index] + other + good[index + 1 :], "X-GitHub-Event": "push"}
    with pytest.raises(BadSignature):
        delivery(headers, body, SECRET)


@given(secret=st.text(min_size=1), body=st.binary())
def test_what_is_signed_with_our_secret_is_read(secret: str, body: bytes) -> None:
    """Whatever it holds: either it tells something, or it is a delivery that makes no sense."""
    try:
        told = delivery(github(body, secret, "ping"), body, secret)
    except BadDelivery:
        return
    assert told == Other("ping")


@pytest.mark.parametrize(
    "content",
    [
        {**PUSH, "ref": "refs/tags/v1"},
        {**PUSH, "after": "0" * 40},
        {**PUSH, "after": "0" * 64},
    ],
)
def test_tags_and_deleted_branches_are_something_else(content: dict[str, Any]) -> None:
    body = dumped(content)
    assert delivery(github(body), body, SECRET) == Other("push")


@pytest.mark.parametrize("event", ["ping", "pull_request", "issue_comment"])
def test_other_events_keep_the_forges_word(event: str) -> None:
    body = dumped({"zen": "..."})
    assert delivery(github(body, event=event), body, SECRET) == Other(event)


def test_a_tag_of_gitlab_is_something_else() -> None:
    body = dumped({**GITLAB_PUSH, "ref": "refs/tags/v1"})
    assert delivery(gitlab(body, event="Tag Push Hook"), body, SECRET) == Other("Tag Push Hook")


def test_branches_may_have_slashes() -> None:
    body = dumped({**PUSH, "ref": "refs/heads/feature/one"})
    assert delivery(github(body), body, SECRET) == Push("feature/one", COMMIT, "acme/infra")


@pytest.mark.parametrize("body", [b"", b"[]", b'"text"', b"null", b"payload=%7B%7D", b"\xff", b'{"a":'])
def test_a_body_that_is_no_object_makes_no_sense(body: bytes) -> None:
    with pytest.raises(BadDelivery, match="JSON"):
        delivery(github(body), body, SECRET)


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"ref": "refs/heads/main"},
        {**PUSH, "after": None},
        {**PUSH, "after": "--upload-pack=evil"},
        {**PUSH, "ref": 1},
        {**PUSH, "repository": None},
        {**PUSH, "repository": {"full_name": 1}},
    ],
)
def test_a_push_that_lacks_something_makes_no_sense(content: dict[str, Any]) -> None:
    body = dumped(content)
    with pytest.raises(BadDelivery, match="the push"):
        delivery(github(body), body, SECRET)


def test_a_delivery_without_an_event_makes_no_sense() -> None:
    body = dumped(PUSH)
    headers = github(body)
    del headers["X-GitHub-Event"]
    with pytest.raises(BadDelivery, match="does not name its event"):
        delivery(headers, body, SECRET)


def test_what_is_wrong_is_found_before_the_body_is_read() -> None:
    with pytest.raises(BadSignature):
        delivery(github(b"{}", "guessed"), b"no JSON", SECRET)


def test_both_are_errors_of_forges() -> None:
    assert issubclass(BadSignature, ForgeError)
    assert issubclass(BadDelivery, ForgeError)


def test_what_no_wire_could_carry_fits_nothing() -> None:
    with pytest.raises(BadSignature):
        delivery({"X-Gitlab-Token": "\ud800", "X-Gitlab-Event": "Push Hook"}, b"{}", SECRET)
