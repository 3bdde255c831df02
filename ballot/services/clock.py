"""The time, from one place, so that tests can hold it still. All times carry the zone UTC."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Final, Protocol
from zoneinfo import ZoneInfo

from ballot.language import N_, phrase

LONDON = ZoneInfo("Europe/London")
WEEKDAYS: Final = (  # Translators: as it stands before the day of the month, such as "on Monday 9 March"
    phrase("Monday"),
    phrase("Tuesday"),
    phrase("Wednesday"),
    phrase("Thursday"),
    phrase("Friday"),
    phrase("Saturday"),
    phrase("Sunday"),
)
MONTHS: Final = (
    phrase("January"),
    phrase("February"),
    phrase("March"),
    phrase("April"),
    phrase("May"),
    phrase("June"),
    phrase("July"),
    phrase("August"),
    phrase("September"),
    phrase("October"),
    phrase("November"),
    phrase("December"),
)


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
    return phrase("{weekday} {day} {month} {year} at {hour} (UK time)", **_names(local), hour=spoken_hour(moment))


def spoken_day(day: date) -> str:
    """A day as members read it, such as `Friday 20 March 2026`."""
    return phrase("{weekday} {day} {month} {year}", **_names(day))


def _names(day: date) -> dict[str, object]:
    return {"weekday": WEEKDAYS[day.weekday()], "day": day.day, "month": MONTHS[day.month - 1], "year": day.year}


def spoken_hour(moment: datetime) -> str:
    """The time of day alone, such as `5pm`, `9.30am`, `noon` or `midnight`, in UK time."""
    local = moment.astimezone(LONDON)
    if local.minute == 0 and local.hour in {0, 12}:
        return phrase("noon") if local.hour else phrase("midnight")
    minutes = f".{local.minute:02}" if local.minute else ""
    clock = f"{local.hour}.{local.minute:02}"  # for languages that count 24 hours
    half = N_("{hour}am") if local.hour < 12 else N_("{hour}pm")
    return phrase(half, hour=f"{local.hour % 12 or 12}{minutes}", clock=clock)
