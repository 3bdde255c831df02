"""A member's own "Send me my link again"."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from sqlmodel import Session, col, select

from ballot.models import Election, ElectionState, Meeting, Outbox, RollEntry
from ballot.services import mail, registrar, roll
from ballot.web import site

if TYPE_CHECKING:
    from ballot.app import Site

ONE_IN: Final = timedelta(minutes=15)  # a member gets one mail in this time, however often somebody asks


def link_ends(now: datetime) -> datetime:
    """Until when a link made now is good."""
    return now + timedelta(days=site().config.token_days)


def send_again(services: Site, address: str) -> None:
    """Queue the newest link once more for each meeting under way in which this address has been sent one. Else do nothing."""
    now = services.clock.now()
    with services.database.write() as db:
        meetings = db.exec(
            select(Meeting).where(
                col(Meeting.id).in_(
                    select(Election.meeting_id).where(col(Election.state).in_([ElectionState.LOCKED, ElectionState.OPEN]))
                )
            )
        ).all()
        for meeting in meetings:
            entry = roll.find(db, meeting.id, address)
            if entry is not None and not entry.withdrawn and _was_sent(db, entry):
                _queue(services, db, meeting, entry, now)


def _was_sent(db: Session, entry: RollEntry) -> bool:
    """Nobody gets a link before the officer has sent them all."""
    mine = select(Outbox.id).where(Outbox.meeting_id == entry.meeting_id, Outbox.kind == "invitation", Outbox.handle == entry.handle)
    return db.exec(mine).first() is not None


def _queue(services: Site, db: Session, meeting: Meeting, entry: RollEntry, now: datetime) -> None:
    elections = db.exec(
        select(Election)
        .where(Election.meeting_id == meeting.id, col(Election.state).in_([ElectionState.LOCKED, ElectionState.OPEN]))
        .order_by(col(Election.closes_at), col(Election.name))
    ).all()
    expires = now + timedelta(days=services.config.token_days)
    link = registrar.voting_link(db, services.config, services.keys, entry, expires)
    letter = mail.invitation(
        meeting_id=meeting.id,
        meeting=meeting.name,
        handle=entry.handle,
        generation=entry.generation,
        name=entry.name,
        address=entry.email,
        link=link.url,
        code=link.code,
        opens=min(election.opens_at for election in elections),
        closes=max(election.closes_at for election in elections),
        elections=[mail.Asked(election.name, election.fingerprint) for election in elections],
        practice=all(election.practice for election in elections),
    )
    window = int(now.timestamp() // ONE_IN.total_seconds())
    services.mailer.put(db, replace(letter, key=f"{letter.key}/again/{window}"), now)
