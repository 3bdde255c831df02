"""Deleting, for good and by itself, who has which public credential, and after a meeting's last election its whole roll.

The date stands on the public pages from the moment the election ends. It can be put off with a reason that members read, until it
has come; the deletion itself cannot be taken back. What is deleted is overwritten in the database's files; backups, and the
write-ahead log of a PostgreSQL server, are the host's to let go.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Table, delete, update
from sqlmodel import Session, SQLModel, col, select

from ballot.errors import BallotError, PreconditionError
from ballot.language import phrase
from ballot.models import CaughtMail, Election, ElectionState, Electorate, Roll, Trustee, table
from ballot.services.clock import iso, spoken
from ballot.services.database import Database
from ballot.services.journal import CLOCK, Act, Actor, append
from ballot.services.lifecycle import KEPT_FOR, election_of, elections_of, in_state, kept_until
from ballot.services.rights import Move, require

LEAST: Final = timedelta(days=1)
MOST: Final = timedelta(days=366)
SHORT: Final = timedelta(days=14)
LONG: Final = timedelta(days=60)
_STAYS: Final = frozenset({"meeting", "roll", "election", "journal", "journal_head"})  # of a meeting; none of them names a member
_ENDED: Final = (ElectionState.PUBLISHED, ElectionState.VOID)


# --- the date ---------------------------------------------------------------------------------------------------


def set_date(session: Session, election_uuid: str, moment: datetime, actor: Actor, now: datetime, *, reason: str = "") -> Election:
    """The link is deleted at this moment. While the election is counted it is chosen; once it has ended it is only put off, with a reason.

    Raises:
        NotAllowedError, NotFoundError.
        PreconditionError: too early, too late, tidied already, or a date that stands is put off without a reason.
    """
    require(actor, Move.PUBLISH)
    election = in_state(session, election_uuid, ElectionState.TALLYING, *_ENDED)
    if election.tidied_at is not None or (election.tidy_at is not None and election.state in _ENDED and election.tidy_at <= now):
        raise PreconditionError(phrase("It is deleted already, and cannot be brought back."))
    if not now + LEAST <= moment <= now + MOST:
        raise PreconditionError(phrase("Choose a day from tomorrow on, within one year."))
    if moment == election.tidy_at:
        return election
    before = election.tidy_at if election.state in _ENDED else None
    if before is not None and (moment < before or not reason.strip()):
        raise PreconditionError(phrase("The date is public, so it can only be put off, and with a reason that members will read."))
    election.tidy_at = moment
    session.add(election)
    details = {"at": iso(moment)}
    if before is not None:
        details = {"from": iso(before), "to": iso(moment), "reason": reason.strip()}
    act = Act.TIDY_SET if before is None else Act.TIDY_POSTPONED
    append(session, election.meeting_id, act, actor, now, election=election_uuid, details=details)
    return election


def warnings(moment: datetime, now: datetime) -> list[str]:
    """What to think about with this date, in sentences; nothing here stops it."""
    found: list[str] = []
    if moment < now + SHORT:
        found.append(
            phrase(
                "That is soon. A member who says that their vote is missing, or that they could not vote, can then no longer be helped to "
                "find out why. Most rules give members at least 2 weeks to challenge a result."
            )
        )
    if moment > now + LONG:
        found.append(
            phrase(
                "That is a long time. Until then the names, addresses and the link between members and ballots are kept here, and could "
                "be stolen."
            )
        )
    return found


# --- the deletion -----------------------------------------------------------------------------------------------


def tidy(database: Database, election_uuid: str, actor: Actor, now: datetime) -> Election:
    """Nobody can link a member and a public credential any more: those rows are gone. Links to this election stop working.

    With the meeting's last election its roll goes too: names, addresses, numbers, mails, agreements about members. The roll's
    commitment and figures stay. Until then a service that makes the codes itself could still work the link out, with its key.

    Broken off at any point, it is simply done again: the election counts as tidied once all is overwritten.

    Raises: NotAllowedError, NotFoundError, PreconditionError: neither published nor void, or tidied already.
        UnavailableError: the database could not overwrite the rows just now.
    """
    require(actor, Move.TIDY)
    with database.write() as session:
        election = _untidied(session, election_uuid)
        session.execute(delete(Electorate).where(col(Electorate.election_uuid) == election_uuid))
        session.execute(update(table(Trustee)).where(col(Trustee.election_uuid) == election_uuid).values(email=""))
        last = is_last(session, election, now)
        if last:
            _delete_roll(session, election.meeting_id)
    database.overwrite_deleted(
        ["electorate", "trustee", *(["roll", "caught_mail", *(part.name for part in _of_a_meeting())] if last else [])]
    )
    with database.write() as session:
        election = _untidied(session, election_uuid)
        election.tidied_at = now
        session.add(election)
        details = {"the list of members too": True} if last else {}
        append(session, election.meeting_id, Act.TIDIED, actor, now, election=election_uuid, details=details)
        return election


def is_last(session: Session, election: Election, now: datetime) -> bool:
    """Whether nothing of the meeting needs its roll after this election: all others are tidied, or drafts whose close has passed."""
    others = [e for e in elections_of(session, election.meeting_id) if e.uuid != election.uuid]
    return all(e.tidied_at is not None or (e.state is ElectionState.DRAFT and e.closes_at <= now) for e in others)


def tidy_due(database: Database, now: datetime) -> list[str]:
    """Delete what is due; the uuids of the elections that were tidied. One that ended before there were dates gets one now."""
    with database.read() as session:
        ended = session.exec(select(Election).where(col(Election.state).in_(_ENDED), col(Election.tidied_at).is_(None))).all()
    without = [election.uuid for election in ended if election.tidy_at is None]
    if without:
        with database.write() as session:
            for uuid in without:
                election = election_of(session, uuid)
                if election.tidy_at is None:
                    election.tidy_at = kept_until(election, now)
                    session.add(election)
                    details = {"at": iso(election.tidy_at)}
                    append(session, election.meeting_id, Act.TIDY_SET, CLOCK, now, election=uuid, details=details)
    done = []
    for uuid in [election.uuid for election in ended if election.tidy_at is not None and election.tidy_at <= now]:
        try:
            tidy(database, uuid, CLOCK, now)
        except BallotError:  # another worker was first, or the database is busy: it is looked at again in a moment
            continue
        done.append(uuid)
    return done


def _untidied(session: Session, election_uuid: str) -> Election:
    election = in_state(session, election_uuid, *_ENDED)
    if election.tidied_at is not None:
        raise PreconditionError(phrase("This election was tidied {when} already.", when=spoken(election.tidied_at)))
    return election


def _of_a_meeting() -> list[Table]:
    """Every table whose rows belong to a meeting and go with its roll; rows that refer to others first."""
    return [part for part in reversed(SQLModel.metadata.sorted_tables) if "meeting_id" in part.c and part.name not in _STAYS]


def _delete_roll(session: Session, meeting_id: str) -> None:
    session.execute(delete(CaughtMail))  # of a trial machine: mails that were never sent, with links and names
    for part in _of_a_meeting():
        session.execute(delete(part).where(part.c.meeting_id == meeting_id))
    roll = session.get(Roll, meeting_id)
    if roll is not None:
        roll.salt = b""
        session.add(roll)


__all__ = ["KEPT_FOR", "is_last", "set_date", "tidy", "tidy_due", "warnings"]
