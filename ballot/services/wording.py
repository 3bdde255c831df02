"""The officers' own words in mails to members, and how a mail looks with them before anybody gets it."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

from sqlmodel import Session

from ballot.config import Config
from ballot.language import phrase
from ballot.models import Election, ElectionState, MailText, Meeting
from ballot.services import lifecycle, mail
from ballot.services.clock import spoken
from ballot.services.journal import Actor
from ballot.services.rights import Move, require

NEVER: Final = datetime(2000, 1, 1, tzinfo=UTC)


class Kind(StrEnum):
    """What a mailing is about."""

    INVITATION = "invitation"
    REMINDER = "reminder"
    RESULT = "result"


MOVE: Final = {Kind.INVITATION: Move.OPEN, Kind.REMINDER: Move.OPEN, Kind.RESULT: Move.PUBLISH}


def words_of(session: Session, meeting_id: str, kind: Kind) -> MailText:
    """What an officer wrote for this kind of mail; empty where nobody did."""
    found = session.get(MailText, (meeting_id, str(kind)))
    return found or MailText(meeting_id=meeting_id, kind=str(kind), changed_at=NEVER)


def write_words(
    session: Session, config: Config, meeting_id: str, kind: Kind, *, subject: str, introduction: str, actor: Actor, now: datetime
) -> MailText:
    """These words stand in every mail of this kind that is queued from now on.

    Raises: NotAllowedError; MalformedError: too long, or they hold what a member could take for the voting link.
    """
    require(actor, MOVE[kind])
    text = MailText(
        meeting_id=meeting_id,
        kind=str(kind),
        subject=mail.checked_subject(subject),
        introduction=mail.checked_introduction(introduction, config.public_url),
        changed_at=now,
    )
    return session.merge(text)


def specimen(session: Session, config: Config, meeting_id: str, kind: Kind, name: str, now: datetime, text: MailText) -> mail.Letter:
    """The letter as a member would get it, with these words, and with a link and a code that open nothing."""
    meeting = session.get_one(Meeting, meeting_id)
    elections = [e for e in lifecycle.elections_of(session, meeting_id) if e.state is not ElectionState.VOID]
    if kind is Kind.RESULT:
        shown = [
            mail.Decided(
                e.name, closed(e), (phrase("Here stands the result, in a sentence."),), *pages(config, e.uuid), mark(e), e.practice
            )
            for e in elections
        ] or [
            mail.Decided(
                phrase("Name of the ballot"), spoken(now), (phrase("Here stands the result, in a sentence."),), *pages(config, "…"), "…"
            )
        ]
        return mail.result(
            meeting_id=meeting_id,
            meeting=meeting.name,
            number=0,
            handle="",
            name=name,
            address="member@example.org",
            results=shown,
            introduction=text.introduction,
            subject=text.subject,
        )
    return mail.invitation(
        meeting_id=meeting_id,
        meeting=meeting.name,
        handle="",
        generation=0,
        name=name,
        address="member@example.org",
        link=f"{config.public_url}/vote#each-member-has-a-link-of-their-own-here",
        code=None if meeting.split_trust else "XXXXX-XXXXXX-XXXXX-XXXXXX",
        opens=min((e.opens_at for e in elections), default=now),
        closes=max((e.closes_at for e in elections), default=now),
        elections=[mail.Asked(e.name, mark(e)) for e in elections] or [mail.Asked(phrase("Name of the ballot"), "…")],
        introduction=text.introduction,
        subject=text.subject,
        practice=bool(elections) and all(e.practice for e in elections),
        reminder=int(kind is Kind.REMINDER),
    )


def mark(election: Election) -> str:
    """The fingerprint, or when there will be one."""
    return election.fingerprint or phrase("made when the ballot is locked")


def closed(election: Election) -> str:
    """When voting closed, or will."""
    return spoken(election.closed_at or election.closes_at)


def pages(config: Config, uuid: str) -> tuple[str, str]:
    """The addresses of the result and of "Check my vote"."""
    return f"{config.public_url}/e/{uuid}/result", f"{config.public_url}/e/{uuid}/check"
