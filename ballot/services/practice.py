"""A practice of a whole meeting: every ballot copied into a meeting of its own, with its own roll, links, codes and key.

It is run like the real one, by the same pages, and says PRACTICE on each of them and in each mail. What a member does there shows
nothing of and changes nothing in the real meeting, since no handle, code or credential is shared.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import insert
from sqlmodel import Session, col, select

from ballot.errors import MalformedError, PreconditionError
from ballot.language import phrase
from ballot.models import Election, ElectionState, MailText, Meeting, Roll, RollEntry, table
from ballot.services import lifecycle, roll
from ballot.services.identifiers import new_handle
from ballot.services.journal import Act, Actor, append
from ballot.services.rights import Move, require
from ballot.services.trustees import Person


@dataclass(frozen=True)
class _Voter:
    name: str
    email: str
    number: str
    sections: list[str]


def copyable(session: Session, meeting_id: str) -> list[Election]:
    """The meeting's real ballots that are still to be opened."""
    before = {ElectionState.DRAFT, ElectionState.LOCKED}
    return [e for e in lifecycle.elections_of(session, meeting_id) if not e.practice and e.state in before]


def practices_of(session: Session, meeting_id: str) -> list[Meeting]:
    """The practices of a meeting, newest first."""
    found = select(Meeting).where(Meeting.practice_of == meeting_id).order_by(col(Meeting.created_at).desc(), col(Meeting.id))
    return list(session.exec(found).all())


def make(session: Session, meeting_id: str, people: Sequence[Person] | None, closes_at: datetime, actor: Actor, now: datetime) -> Meeting:
    """A practice of every ballot that is not open yet, for these people (each may vote in all of it) or, with None, for the whole roll.

    It opens as soon as an officer opens it, and closes at `closes_at`. Questions, rules, quota places, electorates and the officer's
    own words for the mails are those of the real one; the key is the service's. No second person is needed in a practice.

    Raises:
        NotAllowedError, NotFoundError.
        PreconditionError: nothing to practise, nobody to practise with, or the close is not to come.
        MalformedError: a name or address cannot be used.
    """
    require(actor, Move.MAKE)
    real = session.get_one(Meeting, meeting_id)
    if real.practice_of is not None:
        raise PreconditionError(phrase("This is a practice itself."))
    elections = copyable(session, meeting_id)
    if not elections:
        raise PreconditionError(phrase("There is no ballot to practise: each one is open already, or finished."))
    voters = _named(people, elections) if people is not None else _everybody(session, meeting_id)
    if not voters:
        raise PreconditionError(phrase("Nobody is on this list yet. Load the list of members first, or name some people."))
    meeting = lifecycle.make_meeting(session, f"{real.name} (practice)", actor, now, two_people=False)
    meeting.practice_of = real.id
    session.add(meeting)
    _freeze(session, meeting, voters, actor, now)
    for place, election in enumerate(elections):
        moment = now + timedelta(microseconds=place)  # the order of the agenda
        lifecycle.copy_election(session, election.uuid, actor, moment, into=meeting.id, opens_at=now, closes_at=closes_at, practice=True)
    for words in session.exec(select(MailText).where(MailText.meeting_id == real.id)).all():
        copied = MailText(meeting_id=meeting.id, kind=words.kind, subject=words.subject, introduction=words.introduction, changed_at=now)
        session.add(copied)
    details = {"ballots": [e.uuid for e in elections], "for": "everybody on the list" if people is None else "people named by an officer"}
    append(session, real.id, Act.PRACTICE_MADE, actor, now, details={**details, "people": len(voters)})
    return meeting


def _named(people: Iterable[Person], elections: Sequence[Election]) -> list[_Voter]:
    """People whom the officer named; each belongs to every electorate, so that all of it can be tried."""
    sections = sorted({str(e.config["electorate"]) for e in elections} - {""})
    voters: dict[str, _Voter] = {}
    for person in people:
        name, email = " ".join(person.name.split()), roll.clean_email(person.email)
        if not name or not name.isprintable() or len(name) > 200:
            raise MalformedError(phrase("Each person needs a name of one line."))
        voters.setdefault(roll.fold_email(email), _Voter(name, email, "", sections))
    return list(voters.values())


def _everybody(session: Session, meeting_id: str) -> list[_Voter]:
    return [_Voter(e.name, e.email, e.number, list(e.sections)) for e in roll.members(session, meeting_id) if not e.withdrawn]


def _freeze(session: Session, meeting: Meeting, voters: Sequence[_Voter], actor: Actor, now: datetime) -> None:
    """The practice's own roll, frozen at once."""
    rows = [
        {
            "handle": new_handle(),
            "meeting_id": meeting.id,
            "row": row,
            "number": voter.number,
            "name": voter.name,
            "email": voter.email,
            "email_key": roll.fold_email(voter.email),
            "sections": voter.sections,
            "reason": "",
            "detail": "",
            "generation": 0,
            "typed_code": True,
            "withdrawn": False,
        }
        for row, voter in enumerate(voters, start=1)
    ]
    session.execute(insert(table(RollEntry)), rows)
    made = Roll(
        meeting_id=meeting.id,
        file_hash="",
        cut_off=now.date().isoformat(),
        salt=secrets.token_bytes(32),
        loaded_at=now,
        frozen_at=now,
        included=len(voters),
    )
    made.commitment = roll.commitment(meeting.id, roll.leaves(session, made))
    session.add(made)
    append(session, meeting.id, Act.ROLL_FROZEN, actor, now, details={"included": len(voters), "commitment": made.commitment})
