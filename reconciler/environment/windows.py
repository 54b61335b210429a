"""Sync windows: when an environment, or some of its components, may be changed.

A window is open from each time that its schedule names, for its duration. Where there are windows that allow, changes are
made only while one of them is open; one that denies wins over all of them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, NamedTuple
from zoneinfo import ZoneInfo

from reconciler.environment.models import cron, seconds

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from reconciler.environment.models import Environment, Window

HORIZON = timedelta(days=366)  # how far openings are looked for


class Closed(NamedTuple):
    """That nothing may be changed now: why, and when it may be again (None: not within a year)."""

    reason: str
    opens: datetime | None


@dataclass(frozen=True, slots=True)
class Windows:
    """What may not be changed now: the whole environment ("": it may), components by name; and when the first of them may."""

    environment: str = ""
    components: Mapping[str, str] = field(default_factory=dict)
    opens: datetime | None = None


OPEN: Final = Windows()
"""Where anything may be changed at any time."""


def look(environment: Environment, now: datetime) -> Windows:
    """Return what is outside of its windows at a moment."""
    windows = environment.policy.windows
    if not windows:
        return OPEN
    whole = closed((item for item in windows if not item.components), now)
    parts = {
        name: shut
        for name in dict.fromkeys(name for item in windows for name in item.components)
        if (shut := closed((item for item in windows if name in item.components), now)) is not None
    }
    opens = [shut.opens for shut in (whole, *parts.values()) if shut is not None and shut.opens is not None]
    reasons = {name: shut.reason for name, shut in parts.items()}
    return Windows(whole.reason if whole is not None else "", reasons, min(opens, default=None))


def closed(windows: Iterable[Window], now: datetime) -> Closed | None:
    """Return why changes have to wait; None where they may be made. `now` has a time zone."""
    known = tuple(windows)
    denying = [item for item in known if item.do == "deny" and _open(item, now)]
    allowing = [item for item in known if item.do == "allow"]
    if not denying and (not allowing or any(_open(item, now) for item in allowing)):
        return None
    opens = _opens(known, now)
    why = f"the window {_told(denying[0])} denies changes" if denying else "no window that allows changes is open"
    return Closed(f"{why}; {_next(opens, (denying or allowing)[0])}", opens)


def _open(window: Window, moment: datetime) -> bool:
    length = timedelta(seconds=seconds(window.duration))
    begun = _fires(window, moment - length)
    return begun is not None and moment - length < begun <= moment


def _fires(window: Window, after: datetime) -> datetime | None:
    """Return the first time that a schedule names after a moment."""
    found: datetime | None = cron(window).get_next_fire_time(None, after + timedelta(microseconds=1))
    return found


def _opens(windows: Sequence[Window], now: datetime) -> datetime | None:
    """Return the first moment from now on at which changes may be made: a window begins, or one that denies ends."""
    allowing = [item for item in windows if item.do == "allow"]
    moment = now
    while moment < now + HORIZON:
        moments = [_end(item, moment) for item in windows if item.do == "deny" and _open(item, moment)]
        if not moments and allowing and not any(_open(item, moment) for item in allowing):
            begins = [found for item in allowing if (found := _fires(item, moment)) is not None]
            moments = [min(begins)] if begins else [now + HORIZON]
        if not moments:
            return moment
        moment = max(moments)
    return None


def _end(window: Window, moment: datetime) -> datetime:
    """Return when a window that is open at a moment closes, as far as its last beginning before then tells."""
    length = timedelta(seconds=seconds(window.duration))
    begun = moment - length
    while (following := _fires(window, begun)) is not None and following <= moment:
        begun = following
    return begun + length


def _told(window: Window) -> str:
    return f"{window.schedule!r} ({window.time_zone}, {window.duration})"


def _next(opens: datetime | None, window: Window) -> str:
    if opens is None:
        return "none opens within a year"
    local = opens.astimezone(ZoneInfo(window.time_zone))
    return f"changes may be made from {local:%Y-%m-%d %H:%M} {window.time_zone} on"
