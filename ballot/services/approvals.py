"""Two people for the acts that matter: one asks, another agrees, and the act itself uses the agreement up, once.

What is agreed to is the act with its particulars: a reason, and below it a new address or a new hour where there is one. An act with
others than those that were agreed to is refused, and a draft that changes has no agreement to its lock any more.

A meeting may be made without (`Meeting.two_people` false); practice elections never need a second person.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from sqlalchemy import update
from sqlmodel import Session, col, select

from ballot.errors import ApprovalNeededError, NotAllowedError, NotFoundError, PreconditionError
from ballot.language import phrase
from ballot.models import Approval, Meeting
from ballot.services.identifiers import new_id
from ballot.services.journal import Act, Actor, append
from ballot.services.rights import Move, require

LIFE: Final = timedelta(days=2)


class Need(StrEnum):
    """The acts that need two people. The subject is an election's uuid, or a member's handle for the last three."""

    LOCK = "lock"
    OPEN = "open"
    CLOSE_EARLY = "close early"
    POSTPONE = "close later"
    VOID = "void"
    PUBLISH = "publish"
    REISSUE = "reissue"
    WITHDRAW = "withdraw"
    CARD = "paper card"


_RIGHT: Final[Mapping[Need, Move]] = {
    Need.LOCK: Move.LOCK,
    Need.OPEN: Move.OPEN,
    Need.CLOSE_EARLY: Move.CLOSE,
    Need.POSTPONE: Move.CLOSE,
    Need.VOID: Move.VOID,
    Need.PUBLISH: Move.PUBLISH,
    Need.REISSUE: Move.HELP_MEMBER,
    Need.WITHDRAW: Move.HELP_MEMBER,
    Need.CARD: Move.HELP_MEMBER,
}

ALWAYS_TWO: Final = frozenset({Need.CARD})  # whatever the meeting says: one person alone must never hold a whole card


def right_for(need: Need) -> Move:
    """The right without which nobody asks for this act or agrees to it."""
    return _RIGHT[need]


def ask(session: Session, meeting_id: str, need: Need, subject: str, reason: str, actor: Actor, now: datetime) -> Approval:
    """The act waits for a second person. Raises: NotAllowedError: no right to the act itself; NotFoundError: no such meeting."""
    require(actor, _RIGHT[need])
    if session.get(Meeting, meeting_id) is None:
        raise NotFoundError(phrase("There is no such meeting."))
    approval = Approval(
        id=new_id(),
        meeting_id=meeting_id,
        act=str(need),
        subject=subject,
        reason=reason,
        asked_by=actor.id,
        asked_at=now,
        expires_at=now + LIFE,
    )
    session.add(approval)
    append(session, meeting_id, Act.APPROVAL_ASKED, actor, now, election=_public(need, subject), details={"act": str(need)})
    return approval


def give(session: Session, approval_id: str, actor: Actor, now: datetime) -> Approval:
    """A second person agrees.

    Raises:
        NotFoundError: no such question, or it is too old.
        NotAllowedError: the same person asked, or has no right to the act itself.
        PreconditionError: it was answered or used already.
    """
    approval = session.get(Approval, approval_id, with_for_update=True)
    if approval is None or approval.expires_at <= now:
        raise NotFoundError(phrase("There is nothing to agree to any more; ask for it again."))
    require(actor, _RIGHT[Need(approval.act)])
    if approval.asked_by == actor.id:
        raise NotAllowedError(phrase("A second person has to agree: you asked for this yourself."))
    if approval.given_at is not None:
        raise PreconditionError(phrase("Somebody agreed to this already."))
    approval.given_by, approval.given_at = actor.id, now
    session.add(approval)
    need = Need(approval.act)
    append(
        session, approval.meeting_id, Act.APPROVAL_GIVEN, actor, now, election=_public(need, approval.subject), details={"act": str(need)}
    )
    return approval


def pending(session: Session, meeting_id: str, now: datetime) -> list[Approval]:
    """What was asked and not used, oldest first."""
    rows = select(Approval).where(Approval.meeting_id == meeting_id, col(Approval.used_at).is_(None), Approval.expires_at > now)
    return list(session.exec(rows.order_by(col(Approval.asked_at), col(Approval.id))).all())


def drop(session: Session, need: Need, subject: str, now: datetime) -> None:
    """What was asked or agreed about this act is over: its subject has changed since."""
    rows = (col(Approval.act) == str(need), col(Approval.subject) == subject, col(Approval.expires_at) > now)
    session.execute(update(Approval).where(*rows).values(expires_at=now))


def use(
    session: Session,
    meeting_id: str,
    need: Need,
    subject: str,
    actor: Actor,
    approval_id: str | None,
    now: datetime,
    *,
    practice: bool = False,
    wording: str | None = None,
) -> str | None:
    """The other person of the two, whose agreement is used up now; None where none is needed.

    Whoever of the two does the act, the agreement is to this act on this subject, in this `wording` where the act has one.

    Raises: ApprovalNeededError: there is no such agreement.
    """
    approval = find(session, meeting_id, need, subject, actor, approval_id, now, practice=practice, wording=wording)
    if approval is None:
        return None
    approval.used_at = now
    session.add(approval)
    return approval.given_by if actor.id == approval.asked_by else approval.asked_by


def find(
    session: Session,
    meeting_id: str,
    need: Need,
    subject: str,
    actor: Actor,
    approval_id: str | None,
    now: datetime,
    *,
    practice: bool = False,
    wording: str | None = None,
) -> Approval | None:
    """The agreement that `use` would use up, for acts that do much before they come to that. Raises: as `use`."""
    if practice or not (session.get_one(Meeting, meeting_id).two_people or need in ALWAYS_TWO):
        return None
    approval = session.get(Approval, approval_id, with_for_update=True) if approval_id else None
    if (
        approval is None
        or (approval.meeting_id, approval.act, approval.subject) != (meeting_id, str(need), subject)
        or approval.used_at is not None
        or approval.given_by is None
        or approval.expires_at <= now
        or actor.id not in {approval.asked_by, approval.given_by}
    ):
        raise ApprovalNeededError(phrase("A second person has to agree to this first."))
    if wording is not None and approval.reason != wording:
        raise ApprovalNeededError(phrase("This is not what was agreed to. Ask a second person again."))
    return approval


def _public(need: Need, subject: str) -> str | None:
    """The election for the journal; a member's handle stays out of it."""
    return None if need in {Need.REISSUE, Need.WITHDRAW, Need.CARD} else subject
