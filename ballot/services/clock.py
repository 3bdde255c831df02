"""The time, from one place, so that tests can hold it still. All times carry the zone UTC."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo

LONDON = ZoneInfo("Europe/London")


class Clock(Protocol):
    """Tells the time."""

    def now(self) -> datetime:
        """The present moment, zone UTC."""
        ...


class SystemClock:
    """The computer's clock."""

    def now(self) -> datetime:
        """The present moment, zone UTC."""
        return datetime.now(UTC)


class FixedClock:
    """A clock that moves only when told, for tests."""

    def __init__(self, moment: datetime) -> None:
        self.moment = moment.astimezone(UTC)

    def now(self) -> datetime:
        """The moment it was set to, zone UTC."""
        return self.moment

    def advance(self, **duration: float) -> datetime:
        """The moment after `timedelta(**duration)`, which it shows from now on."""
        self.moment += timedelta(**duration)
        return self.moment


def iso(moment: datetime) -> str:
    """A moment as text in whole seconds, such as `2026-03-20T17:00:00Z`."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def spoken(moment: datetime) -> str:
    """A moment as members read it, such as `Friday 20 March 2026 at 5pm (UK time)`."""
    local = moment.astimezone(LONDON)
    return f"{local:%A} {local.day} {local:%B} {local.year} at {spoken_hour(moment)} (UK time)"


def spoken_hour(moment: datetime) -> str:
    """The time of day alone, such as `5pm`, `9.30am`, `noon` or `midnight`, in UK time."""
    local = moment.astimezone(LONDON)
    if local.minute == 0 and local.hour in {0, 12}:
        return "noon" if local.hour else "midnight"
    minutes = f".{local.minute:02}" if local.minute else ""
    return f"{local.hour % 12 or 12}{minutes}{'am' if local.hour < 12 else 'pm'}"
