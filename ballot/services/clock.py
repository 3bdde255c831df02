"""The time, from one place, so that tests can hold it still. All times carry the zone UTC."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Protocol


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
