"""“Am I on the list for this meeting?”: whoever asks is told by mail, and nobody else learns anything.

The page's answer is the same for every address; the work is done after it has left, and is of the same kind for members and strangers.
A stranger's address gets a mail too, so their number is limited: `STRANGERS` an hour for the whole site. Members are never counted
among them, so that nobody can use that limit up to keep a member from an answer.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import delete
from sqlmodel import Session, col, select

from ballot.errors import MalformedError
from ballot.models import ElectionState, Meeting, RateLimit, Roll, RollEntry
from ballot.services import lifecycle, mail, roll
from ballot.services.database import Database
from ballot.services.keys import Keys
from ballot.services.mail import Mailer

ONE_IN: Final = 15 * 60  # seconds; an address gets one answer in this time, however often somebody asks
STRANGERS: Final = 60  # answers an hour to addresses that are on no list of the meeting
_HOUR: Final = 3600


@dataclass(frozen=True)
class _Found:
    """What is said to an address. `reason` is why a line of the list was left out; only known until the list is frozen."""

    address: str
    name: str
    on_the_list: bool
    reason: str
    ballots: list[str]
    over: bool = False  # all voting of the meeting


def may_be_asked(session: Session, meeting: Meeting) -> bool:
    """There is a list, and it has not been deleted."""
    found = session.get(Roll, meeting.id)
    return found is not None and bool(found.salt)


def answer(database: Database, keys: Keys, mailer: Mailer, meeting_id: str, address: str, now: datetime) -> None:
    """A mail to this address says how it stands on the meeting's list. Too soon after the last one, nothing is sent."""
    try:
        typed = roll.clean_email(address)
    except MalformedError:
        return
    with database.write() as session:
        meeting = session.get(Meeting, meeting_id)
        if meeting is None or not may_be_asked(session, meeting):
            return
        session.execute(
            delete(RateLimit).where(col(RateLimit.key).startswith("on-the-list"), col(RateLimit.window) < _window(now, ONE_IN) - 8)
        )
        found = _find(session, meeting, typed)
        again = _count(session, f"on-the-list:{_name(keys, meeting_id, typed)}", _window(now, ONE_IN))
        strangers = _count(session, "on-the-list", _window(now, _HOUR) * (_HOUR // ONE_IN), by=0 if found.name else 1)
        if again > 1 or (not found.name and strangers > STRANGERS):
            return
        frozen = session.get_one(Roll, meeting_id).frozen_at
        mailer.put(
            session,
            mail.roll_answer(
                meeting_id=meeting_id,
                meeting=meeting.name,
                name=found.name,
                address=found.address,
                on_the_list=found.on_the_list,
                reason=found.reason,
                ballots=found.ballots,
                final=frozen is not None,
                over=found.over,
                practice=meeting.practice_of is not None,
            ),
            now,
        )


def _find(session: Session, meeting: Meeting, typed: str) -> _Found:
    lines: Sequence[RollEntry] = session.exec(
        select(RollEntry)
        .where(RollEntry.meeting_id == meeting.id, RollEntry.email_key == roll.fold_email(typed))
        .order_by(col(RollEntry.reason), col(RollEntry.row))
    ).all()
    shown = [e for e in lifecycle.elections_of(session, meeting.id) if e.state not in {ElectionState.DRAFT, ElectionState.VOID}]
    lines = lines or [line for line in roll.left_out(session, meeting.id) if _same(line.email, typed)]
    if not lines:
        return _Found(typed, "", on_the_list=False, reason="", ballots=[])
    line = lines[0]
    section = [e.name for e in shown if not e.config["electorate"] or e.config["electorate"] in line.sections]
    can = not line.reason and not line.withdrawn
    # to the address of the list, never to another spelling of it
    over = bool(shown) and all(e.state not in {ElectionState.LOCKED, ElectionState.OPEN} for e in shown)
    name, ballots = line.name or "member", section if can else []
    return _Found(line.email or typed, name, on_the_list=can, reason=line.reason, ballots=ballots, over=over)


def _same(written: str, typed: str) -> bool:
    """Whether a line that was left out has this address; its own need not be a good one."""
    try:
        return roll.fold_email(roll.clean_email(written)) == roll.fold_email(typed)
    except MalformedError:
        return False


def _name(keys: Keys, meeting_id: str, typed: str) -> str:
    """The counter's name tells nobody whose it is."""
    return hmac.new(keys.token, f"on-the-list|{meeting_id}|{roll.fold_email(typed)}".encode(), hashlib.sha256).hexdigest()


def _window(now: datetime, seconds: int) -> int:
    return int(now.timestamp()) // seconds


def _count(session: Session, key: str, window: int, by: int = 1) -> int:
    row = session.get(RateLimit, (key, window), with_for_update=True) or RateLimit(key=key, window=window, count=0)
    row.count += by
    session.add(row)
    session.flush()
    return row.count
