"""A member's own "Send me my link again"."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from sqlmodel import Session, col, select

from ballot.models import Election, ElectionState, Outbox, RollEntry
from ballot.services import invitations, roll

if TYPE_CHECKING:
    from ballot.app import Site

ONE_IN: Final = timedelta(minutes=15)  # a member gets one mail in this time, however often somebody asks


def send_again(services: Site, address: str, only: str = "") -> None:
    """Queue the newest link once more for each meeting under way (or this one) in which this address was sent one. Else do nothing."""
    now = services.clock.now()
    under_way = select(Election.meeting_id).where(col(Election.state).in_([ElectionState.LOCKED, ElectionState.OPEN])).distinct()
    with services.database.write() as db:
        for meeting_id in db.exec(under_way).all():
            entry = roll.find(db, meeting_id, address) if only in {"", meeting_id} else None
            if entry is not None and _may_have_another(db, entry, now):
                invitations.send_one(db, services.config, services.keys, services.mailer, entry, now)


def _may_have_another(db: Session, entry: RollEntry, now: datetime) -> bool:
    """Nobody gets a link before the officer has sent them all, and nobody gets many."""
    sent = select(Outbox.due_at).where(Outbox.meeting_id == entry.meeting_id, Outbox.kind == "invitation", Outbox.handle == entry.handle)
    last = db.exec(sent.order_by(col(Outbox.due_at).desc())).first()
    return last is not None and last <= now - ONE_IN
