"""Turnout while voting is open and after: how many, never who or when.

The line by day is made of whole days in UK time. A day on which fewer than `LEAST` voted is joined with its neighbours, so that the
record of a quiet day cannot be put beside what somebody remembers of their own or of another's day.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final

from sqlalchemy import String, func, select, type_coerce
from sqlmodel import Session, col

from ballot.language import phrase, phrases
from ballot.models import Cast, Election
from ballot.services import board
from ballot.services.clock import LONDON

LEAST: Final = 5


@dataclass(frozen=True)
class Days:
    """From one day to another, both included: how many voted in them, and how many had voted by the end of the last."""

    first: date
    last: date
    votes: int
    total: int


@dataclass(frozen=True)
class Turnout:
    """`quorum` is the highest number of voters that a question asks for, 0 for none. `opens` and `closes` are days in UK time."""

    voted: int
    electorate: int
    quorum: int
    opens: date
    closes: date
    days: tuple[Days, ...]

    @property
    def percent(self) -> int:
        """In whole per cent, cut, so that 100 means everybody."""
        return 100 * self.voted // self.electorate if self.electorate else 0


def turnout_of(session: Session, election: Election) -> Turnout:
    """How many have voted so far, by days. A vote that replaced another is not counted again."""
    voted, electorate = board.turnout(session, election.uuid)
    opens = election.opens_at.astimezone(LONDON).date()
    counts: Counter[date] = Counter()
    for hour, number in session.execute(_by_hour(session, election.uuid)):  # never shown as such: hours only make days of UK time
        counts[max(datetime.fromisoformat(f"{hour}:00+00:00").astimezone(LONDON).date(), opens)] += number
    return Turnout(
        voted=voted,
        electorate=electorate,
        quorum=max([int(rule.get("quorum", 0)) for rule in election.config["rules"]], default=0),
        opens=opens,
        closes=min(election.closes_at, election.closed_at or election.closes_at).astimezone(LONDON).date(),
        days=joined(counts),
    )


def _by_hour(session: Session, election_uuid: str) -> Any:
    """How many first votes came in each hour (UTC), counted by the database, since there may be very many."""
    if session.get_bind().dialect.name == "sqlite":
        hour = func.substr(type_coerce(Cast.cast_at, String), 1, 13)  # stored as text, in UTC
    else:
        hour = func.to_char(func.timezone("UTC", Cast.cast_at), "YYYY-MM-DD HH24")
    return select(hour, func.count()).where(col(Cast.election_uuid) == election_uuid, col(Cast.ordinal) == 0).group_by(hour)


def joined(counts: Counter[date]) -> tuple[Days, ...]:
    """Days in order, each with at least `LEAST` votes: quiet ones are put together, and a quiet end goes with the days before it."""
    if not counts:
        return ()
    day, last, first, votes = min(counts), max(counts), min(counts), 0
    spans: list[tuple[date, date, int]] = []
    while day <= last:
        votes += counts[day]
        if votes >= LEAST:
            spans.append((first, day, votes))
            first, votes = day + timedelta(days=1), 0
        day += timedelta(days=1)
    if votes or first <= last:
        before = spans.pop() if spans else (first, last, 0)
        spans.append((before[0], last, before[2] + votes))
    total, found = 0, []
    for start, end, number in spans:
        total += number
        found.append(Days(start, end, number, total))
    return tuple(found)


def left_words(closes_at: datetime, now: datetime) -> str:
    """How long voting is still open, in words; "" once it is over."""
    left = closes_at - now
    if left <= timedelta():
        return ""
    minutes = int(left.total_seconds() // 60)
    days, hours = minutes // 1440, minutes // 60 % 24
    if days >= 2:
        return phrases("{count} day", "{count} days", days)
    if minutes >= 120:
        if days == 0:
            return phrases("{count} hour", "{count} hours", minutes // 60)
        return phrases("1 day and {count} hour", "1 day and {count} hours", hours)
    return phrases("{count} minute", "{count} minutes", minutes) if minutes else phrase("less than a minute")
