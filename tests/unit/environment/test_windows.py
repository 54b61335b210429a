"""Sync windows: when changes may be made."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.environment.models import Window
from reconciler.environment.windows import closed

BERLIN = ZoneInfo("Europe/Berlin")


def window(schedule: str, duration: str = "4h", do: str = "allow", zone: str = "Europe/Berlin") -> Window:
    return msgspec.convert({"schedule": schedule, "duration": duration, "do": do, "timeZone": zone}, Window)


def at(text: str) -> datetime:
    """Return a moment in Berlin."""
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN)


NIGHT = window("0 22 * * 1-5")  # Monday to Friday, 22:00 to 2:00
FREEZE = window("0 0 20 12 *", "336h", "deny")  # two weeks from December 20th


@pytest.mark.parametrize(
    ("moment", "is_open"),
    [
        ("2026-11-23T22:00", True),  # a Monday
        ("2026-11-23T21:59", False),
        ("2026-11-24T01:59", True),
        ("2026-11-24T02:00", False),
        ("2026-11-28T01:00", True),  # Friday's, on Saturday
        ("2026-11-28T23:00", False),
        ("2026-11-29T22:30", False),  # a Sunday
    ],
)
def test_a_window_is_open_from_its_beginning_for_its_duration(moment: str, *, is_open: bool) -> None:
    assert (closed([NIGHT], at(moment)) is None) is is_open


def test_without_windows_or_with_a_closed_deny_anything_may_be_changed() -> None:
    assert closed([], at("2026-11-24T12:00")) is None
    assert closed([FREEZE], at("2026-11-24T12:00")) is None


def test_deny_wins_and_its_end_is_told() -> None:
    """The freeze ends on January 3rd, a Sunday; the next night in which changes may be made is Monday's."""
    found = closed([NIGHT, FREEZE], at("2026-12-22T23:00"))
    assert found is not None
    assert found.reason == (
        "the window '0 0 20 12 *' (Europe/Berlin, 336h) denies changes; "
        "changes may be made from 2027-01-04 22:00 Europe/Berlin on"
    )
    assert found.opens == at("2027-01-04T22:00")


def test_windows_that_overlap_are_denied_to_the_end_of_the_last() -> None:
    one, other = window("0 8 * * *", "3h", "deny"), window("0 10 * * *", "2h", "deny")
    found = closed([one, other], at("2026-11-24T09:00"))
    assert found is not None
    assert found.opens == at("2026-11-24T12:00")


def test_the_hour_of_a_schedule_is_local_in_summer_and_in_winter() -> None:
    """22:00 in Berlin is 20:00 UTC in July and 21:00 UTC in November."""
    assert closed([NIGHT], datetime(2026, 7, 6, 20, 0, tzinfo=UTC)) is None
    assert closed([NIGHT], datetime(2026, 7, 6, 19, 59, tzinfo=UTC)) is not None
    assert closed([NIGHT], datetime(2026, 11, 23, 21, 0, tzinfo=UTC)) is None
    assert closed([NIGHT], datetime(2026, 11, 23, 20, 0, tzinfo=UTC)) is not None


@pytest.mark.parametrize(
    ("field", "day"),
    [("0", "2026-11-29"), ("7", "2026-11-29"), ("sun", "2026-11-29"), ("1", "2026-11-30"), ("5-7", "2026-11-29")],
)
def test_days_of_the_week_are_those_of_cron(field: str, day: str) -> None:
    """0 and 7 are Sunday, 1 is Monday (crontab(5))."""
    found = window(f"0 12 * * {field}", "1h")
    assert closed([found], at(f"{day}T12:30")) is None
    assert closed([found], at("2026-12-02T12:30")) is not None  # a Wednesday


@pytest.mark.parametrize(
    ("given_", "told"),
    [
        ({"schedule": "0 22 * *"}, "expected five fields"),
        ({"schedule": "61 22 * * *"}, "no cron expression"),
        ({"schedule": "0 22 * * 8"}, "'8' is no day of the week"),
        ({"schedule": "0 22 * * fri-mon"}, "ends before it begins"),
        ({"schedule": "0 22 1 * 1"}, "give one of them"),
        ({"timeZone": "Mars/Olympus"}, "there is no time zone 'Mars/Olympus'"),
        ({"duration": "0s"}, "duration is nothing"),
    ],
)
def test_what_cannot_be_read_is_told(given_: dict[str, Any], told: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=told.replace("(", r"\(")):
        msgspec.convert({"schedule": "0 22 * * *", "duration": "1h", "do": "allow", **given_}, Window)


@given(
    st.lists(
        st.sampled_from([NIGHT, FREEZE, window("30 6 * * *", "90m", "deny"), window("0 0 1 * *", "20h")]), max_size=4
    ),
    st.integers(0, 700 * 24 * 60).map(lambda minutes: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)),
)
def test_at_the_time_that_is_told_changes_may_be_made_and_not_before(windows: list[Window], now: datetime) -> None:
    """The law of `opens`: it is open then, and closed one second before."""
    found = closed(windows, now)
    if found is None:
        return
    assert found.opens is not None
    assert found.opens > now
    assert closed(windows, found.opens) is None
    assert closed(windows, found.opens - timedelta(seconds=1)) is not None
