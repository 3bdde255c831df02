"""How mails to members fare: by state, by reason, and member by member where something is to be put right."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import func
from sqlmodel import Session, col, select

from ballot.language import phrase
from ballot.models import Mailing, MailSender, Outbox, RollEntry
from ballot.services import mail
from ballot.services.mail import Mailer, State

ALIVE: Final = timedelta(minutes=2)  # a sender not seen for longer is not at work
_IN_VAIN: Final = (State.FAILED, State.BOUNCED, State.UNKNOWN)


def counts(session: Session, mailing_id: str) -> dict[State, int]:
    """How many mails of a mailing stand where; every state is present."""
    rows = session.exec(select(Outbox.state, func.count()).where(Outbox.mailing_id == mailing_id).group_by(Outbox.state)).all()
    found = {State(state): number for state, number in rows}
    return {state: found.get(state, 0) for state in State}


@dataclass(frozen=True)
class Problem:
    """A member whose newest mail did not arrive, or may not have."""

    entry: RollEntry
    letter: Outbox

    @property
    def lost(self) -> bool:
        """Whether another mail to the same address is in vain."""
        return is_lost(self.letter)

    @property
    def fault(self) -> mail.Fault:
        """Why, in words."""
        return mail.fault_of(self.letter.status, self.letter.detail)


def is_lost(row: Outbox) -> bool:
    """Whether another mail to the same address is in vain."""
    if row.state == State.BOUNCED:
        return row.bounce == "hard"
    return row.state == State.FAILED and bool(row.sealed or row.status) and mail.is_hard(row.status, row.detail)


def latest(rows: Iterable[Outbox]) -> list[Outbox]:
    """The newest mail to each member that matters here: their link, as invitation, reminder or sent again."""
    newest: dict[str, Outbox] = {}
    for row in rows:
        if row.kind == "invitation" and row.handle is not None:
            known = newest.get(row.handle)
            if known is None or _queued(row) >= _queued(known):
                newest[row.handle] = row
    return list(newest.values())


def _queued(row: Outbox) -> datetime:
    return row.queued_at or row.due_at


def problems(session: Session, meeting_id: str) -> list[Problem]:
    """The members whose newest mail with their link failed, bounced, or has an unknown fate, by name."""
    bad = session.exec(
        select(Outbox.handle).where(
            Outbox.meeting_id == meeting_id, Outbox.kind == "invitation", col(Outbox.state).in_(_IN_VAIN), col(Outbox.handle).is_not(None)
        )
    ).all()
    handles = sorted({handle for handle in bad if handle is not None})
    found = []
    for start in range(0, len(handles), 500):
        some = handles[start : start + 500]
        entries = {e.handle: e for e in session.exec(select(RollEntry).where(col(RollEntry.handle).in_(some), ~col(RollEntry.withdrawn)))}
        newest = latest(session.exec(select(Outbox).where(col(Outbox.handle).in_(some))).all())
        found += [Problem(entries[row.handle], row) for row in newest if row.state in _IN_VAIN and row.handle in entries]
    return sorted(found, key=lambda problem: (problem.entry.name.casefold(), problem.entry.handle))


def reasons(found: Iterable[Problem]) -> dict[str, int]:
    """How many did not arrive for each reason, without anybody's name: most first."""
    totals: dict[str, int] = {}
    for problem in found:
        words = phrase("not known whether it arrived") if problem.letter.state == State.UNKNOWN else str(problem.fault)
        totals[words] = totals.get(words, 0) + 1
    return dict(sorted(totals.items(), key=lambda item: (-item[1], item[0])))


@dataclass(frozen=True)
class Health:
    """How a meeting's mails with links fare, and whether anything sends them."""

    states: dict[State, int]
    problems: int
    oldest_waiting: datetime | None
    sender_seen: datetime | None
    trouble: str
    paused: bool
    alive: bool


def health(session: Session, mailer: Mailer, meeting_id: str, now: datetime) -> Health:
    """For the officers' pages while voting is open."""
    oldest = session.exec(select(func.min(Outbox.queued_at)).where(Outbox.state == State.WAITING, Outbox.meeting_id == meeting_id)).one()
    sender = session.exec(select(MailSender).order_by(col(MailSender.seen_at).desc())).first()
    paused = select(Mailing.id).where(Mailing.meeting_id == meeting_id, Mailing.stage != "done", col(Mailing.paused_at).is_not(None))
    return Health(
        states=mailer.counts(session, meeting_id),
        problems=len(problems(session, meeting_id)),
        oldest_waiting=oldest,
        sender_seen=sender.seen_at if sender else None,
        trouble=sender.trouble if sender else "",
        paused=session.exec(paused.limit(1)).first() is not None,
        alive=sender is not None and sender.seen_at >= now - ALIVE,
    )
