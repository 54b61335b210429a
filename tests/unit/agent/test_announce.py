"""What is told of a run: Events that an API server takes, records that say something new."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest

from reconciler.agent import announce
from reconciler.agent.run import Ran, Result
from reconciler.errors import AlreadyExists
from tests.unit.agent.world import platform

NOW = datetime(2030, 1, 2, 3, 4, 5, 678, tzinfo=UTC)
REVISION = "0123456789abcdef0123456789abcdef01234567"


@pytest.mark.parametrize("result", Result)
@pytest.mark.parametrize("message", ["", "short", "ü" * 3000], ids=["none", "short", "long"])
def test_an_event_is_within_the_api_servers_limits(result: Result, message: str) -> None:
    """See ValidateEventCreate in k8s.io/kubernetes/pkg/apis/core/validation/events.go."""
    ran = Ran(result, message, change="c" * 16, changed=True)
    body = announce.event(ran, "e" * 63, REVISION, "h" * 300, NOW)
    assert len(body["note"].encode()) <= 1024
    assert len(body["metadata"]["name"]) <= 253
    assert re.fullmatch(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?", body["metadata"]["name"])
    assert body["metadata"]["namespace"] == body["regarding"]["namespace"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", body["eventTime"])
    assert body["type"] in ("Normal", "Warning")
    for key in ("reportingInstance", "action", "reason"):
        assert 1 <= len(body[key]) <= 128
    assert re.fullmatch(r"[a-z0-9.-]+/[A-Za-z0-9._-]+", body["reportingController"])
    assert REVISION[:12] in body["note"]


def test_events_of_one_environment_do_not_have_one_name() -> None:
    names = {announce.event(Ran(Result.APPLIED), "dev", REVISION, "ada", NOW)["metadata"]["name"] for _ in range(50)}
    assert len(names) == 50


async def test_an_event_that_is_there_already_was_sent_before() -> None:
    """The answer to the first try was lost."""
    cluster = platform()
    cluster.fail("create", kind="Event", error=AlreadyExists("it exists", status=409))
    await announce.emit(cluster, announce.event(Ran(Result.APPLIED), "dev", REVISION, "ada", NOW))


def test_a_record_that_says_nothing_new_is_the_one_before() -> None:
    first = announce.record(Ran(Result.APPLIED, change="abc"), REVISION, "ada", None, NOW)
    assert (first.applied, first.change, first.since) == (REVISION, "abc", "2030-01-02T03:04:05Z")
    assert announce.record(Ran(Result.APPLIED, drifted=3), REVISION, "bob", first, NOW.replace(year=2031)) is first
    bad = announce.record(Ran(Result.INVALID, "line 3"), "f" * 40, "bob", first, NOW)
    assert (bad.applied, bad.change, bad.result, bad.holder) == (REVISION, "", "invalid", "bob")
    worse = announce.record(Ran(Result.INVALID, "line 4"), "f" * 40, "bob", bad, NOW)
    assert worse is not bad


def test_a_message_of_any_size_fits_into_a_record() -> None:
    """A ConfigMap takes a mebibyte; the same endless message is still the same."""
    ran = Ran(Result.INVALID, "ü" * (2 << 20))
    made = announce.record(ran, REVISION, "ada", None, NOW)
    assert len(made.message.encode()) <= announce.MESSAGE
    assert announce.record(ran, REVISION, "ada", made, NOW) is made
