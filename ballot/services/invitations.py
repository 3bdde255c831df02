"""Sending the members' links: one mail a member for all of a meeting's elections, each made at the moment it is queued."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection
from sqlmodel import Session, col, select

from ballot.config import Config
from ballot.errors import PreconditionError
from ballot.models import Cast, Election, ElectionState, Electorate, Meeting, Outbox, RollEntry, Trustee
from ballot.services import board, lifecycle, mail, registrar, roll, tokens
from ballot.services.database import Database
from ballot.services.journal import Act, Actor, append
from ballot.services.keys import Keys
from ballot.services.mail import Mailer
from ballot.services.rights import Move, require
from ballot.services.trustees import ASKED_AGAIN, is_asked_again

_AGAIN: Final = "again"
_SHOW_AGAIN: Final = (
    "Voting closes in less than 3 days. Please open your link, choose your key file and show that your key still opens, "
    "so that there is time to help if it does not."
)


def sendable(session: Session, meeting_id: str) -> list[Election]:
    """The meeting's elections whose links can go out: locked or open."""
    return [e for e in lifecycle.elections_of(session, meeting_id) if e.state in {ElectionState.LOCKED, ElectionState.OPEN}]


def expiry(config: Config, elections: Sequence[Election], now: datetime) -> datetime:
    """When links sent now end: never before the day after the last close."""
    return max(now + timedelta(days=config.token_days), max(e.closes_at for e in elections) + timedelta(days=1))


def send_links(
    session: Session,
    config: Config,
    keys: Keys,
    mailer: Mailer,
    meeting_id: str,
    actor: Actor,
    now: datetime,
    *,
    introduction: str = "",
    reminder: int = 0,
    most: int | None = None,
    record: bool = True,
) -> int:
    """Every member of these electorates has a mail waiting, and this is how many are new. Asking twice queues nothing twice.

    A reminder (1, 2, …) goes only to members who have not voted in every open election of theirs. `most` stops after so many
    (see `send_in_batches`); `record` puts the act and the whole number into the journal.

    Raises:
        NotAllowedError: this role sends no mail.
        PreconditionError: no election is locked or open, or the meeting's codes are made by the registrar, who sends the mails.
    """
    require(actor, Move.OPEN)
    meeting = session.get_one(Meeting, meeting_id)
    elections = sendable(session, meeting_id)
    if not elections:
        raise PreconditionError("No ballot of this meeting is locked yet, so there is nothing to send.")
    if meeting.split_trust:
        raise PreconditionError("In this meeting the membership secretary makes the codes and sends the e-mails.")
    mine = _electorates(session, elections)
    without = _complete(session, elections, mine) if reminder else frozenset()
    known = frozenset(session.exec(select(Outbox.key).where(Outbox.meeting_id == meeting_id, Outbox.kind == "invitation")))
    waiting = [
        entry
        for entry in roll.members(session, meeting_id)
        if not entry.withdrawn
        and entry.handle in mine
        and entry.handle not in without
        and f"invitation/{meeting_id}/{entry.handle}/{entry.generation}/{reminder}" not in known
    ]
    for entry in waiting[:most]:
        papers = [e for e in elections if e.uuid in mine[entry.handle]]
        mailer.put(
            session, _letter(session, config, keys, meeting, entry, papers, now, introduction=introduction, reminder=reminder), now
        )
    if record:
        details = {"mails": len(waiting), "elections": [e.uuid for e in elections], **({"reminder": reminder} if reminder else {})}
        append(session, meeting_id, Act.REMINDER_SENT if reminder else Act.LINKS_SENT, actor, now, details=details)
    return len(waiting[:most])


def send_in_batches(
    database: Database,
    config: Config,
    keys: Keys,
    mailer: Mailer,
    meeting_id: str,
    actor: Actor,
    now: datetime,
    *,
    introduction: str = "",
    reminder: int = 0,
    seconds: float = 20,
    record: bool = True,
) -> bool:
    """As `send_links` in short transactions, so that members can vote in between; False where time ran out and some still wait.

    Raises: as `send_links`.
    """
    end, batch = time.monotonic() + seconds, 250
    while True:
        with database.write() as session:
            queued = send_links(
                session, config, keys, mailer, meeting_id, actor, now,
                introduction=introduction, reminder=reminder, most=batch, record=record,
            )  # fmt: skip
        if queued < batch:
            return True
        if time.monotonic() > end:
            return False
        record, batch = False, 2000


def send_one(session: Session, config: Config, keys: Keys, mailer: Mailer, entry: RollEntry, now: datetime) -> bool:
    """One member's link again, as it stands now; False where none of the elections is theirs. The caller decides whether to tell."""
    elections = sendable(session, entry.meeting_id)
    mine = _electorates(session, elections).get(entry.handle, frozenset())
    if entry.withdrawn or entry.reason or not mine:
        return False
    meeting = session.get_one(Meeting, entry.meeting_id)
    letter = _letter(session, config, keys, meeting, entry, [e for e in elections if e.uuid in mine], now)
    mailer.put(session, replace(letter, key=f"{letter.key}/sent again/{int(now.timestamp())}"), now)
    return True


def queue_receipt(config: Config, mailer: Mailer, accepted: board.Accepted) -> Callable[[Connection], object]:
    """What queues the receipt code's mail, a second way, which a lying page does not control. For `board.cast`'s `also`."""
    letter = mail.receipt(
        meeting_id=accepted.meeting_id,
        election=accepted.election_name,
        name=accepted.name,
        address=accepted.email,
        tracker=accepted.tracker,
        cast_at=accepted.cast_at,
        check_url=f"{config.public_url}/vote/check#{accepted.tracker}",
        closes=accepted.closes_at,
        practice=accepted.practice,
    )
    return mailer.prepared(letter, accepted.cast_at)


def send_trustee_link(
    session: Session, config: Config, keys: Keys, mailer: Mailer, trustee: Trustee, task: str, now: datetime, *, once: str | None = None
) -> None:
    """A key-holder's link, with what is asked of them now, waits to be sent; with `once`, a word for the occasion, no second time."""
    election = session.get_one(Election, trustee.election_uuid)
    link = f"{config.public_url}/trustee/{election.uuid}/{trustee.number}#{tokens.make_trustee_token(keys, trustee)}"
    letter = mail.trustee_link(
        meeting_id=election.meeting_id,
        election=election.name,
        election_uuid=election.uuid,
        number=trustee.number,
        generation=trustee.generation,
        name=trustee.name,
        address=trustee.email,
        link=link,
        closes=election.closes_at,
        task=task,
        practice=election.practice,
    )
    if once is not None:
        letter = replace(letter, key=_occasion(trustee, once))
    mailer.put(session, letter, now)


def _occasion(trustee: Trustee, once: str) -> str:
    return f"trustee/{trustee.election_uuid}/{trustee.number}/{trustee.generation}/{once}"


def ask_key_holders_again(database: Database, config: Config, keys: Keys, mailer: Mailer, now: datetime) -> int:
    """Three days before the close every key-holder is asked once by mail to show that the key still opens; the number of new mails.

    Looking often costs a query: only who was not asked yet makes it write.
    """
    with database.read() as session:
        due = [
            (trustee.election_uuid, trustee.number)
            for trustee, election in session.exec(
                select(Trustee, Election)
                .join(Election, col(Election.uuid) == col(Trustee.election_uuid))
                .where(col(Election.state).in_([ElectionState.LOCKED, ElectionState.OPEN]), Election.closes_at <= now + ASKED_AGAIN)
            ).all()
            if is_asked_again(election, trustee, now)
            and session.exec(select(Outbox.id).where(Outbox.key == _occasion(trustee, _AGAIN))).first() is None
        ]
    if not due:
        return 0
    with database.write() as session:
        for place in due:
            trustee = session.get_one(Trustee, place)
            send_trustee_link(session, config, keys, mailer, trustee, _SHOW_AGAIN, now, once=_AGAIN)
    return len(due)


def _electorates(session: Session, elections: Sequence[Election]) -> dict[str, frozenset[str]]:
    """Handle → the elections among these in which that member may vote."""
    rows = session.exec(
        select(Electorate.handle, Electorate.election_uuid).where(col(Electorate.election_uuid).in_([e.uuid for e in elections]))
    ).all()
    found: dict[str, set[str]] = {}
    for handle, uuid in rows:
        found.setdefault(handle, set()).add(uuid)
    return {handle: frozenset(uuids) for handle, uuids in found.items()}


def _complete(session: Session, elections: Sequence[Election], mine: dict[str, frozenset[str]]) -> frozenset[str]:
    """The members who have voted in every open election of theirs."""
    open_now = {e.uuid for e in elections if e.state is ElectionState.OPEN}
    rows = session.exec(
        select(Electorate.handle, Electorate.election_uuid)
        .join(Cast, (col(Cast.election_uuid) == col(Electorate.election_uuid)) & (col(Cast.credential) == col(Electorate.credential)))
        .where(col(Electorate.election_uuid).in_(open_now), Cast.ordinal == 0)
    ).all()
    done: dict[str, set[str]] = {}
    for handle, uuid in rows:
        done.setdefault(handle, set()).add(uuid)
    return frozenset(handle for handle, uuids in mine.items() if uuids & open_now <= done.get(handle, set()))


def _letter(
    session: Session,
    config: Config,
    keys: Keys,
    meeting: Meeting,
    entry: RollEntry,
    elections: Sequence[Election],
    now: datetime,
    *,
    introduction: str = "",
    reminder: int = 0,
) -> mail.Letter:
    link = registrar.voting_link(session, config, keys, entry, expiry(config, elections, now))
    return mail.invitation(
        meeting_id=meeting.id,
        meeting=meeting.name,
        handle=entry.handle,
        generation=entry.generation,
        name=entry.name,
        address=entry.email,
        link=link.url,
        code=link.code,
        opens=min(e.opens_at for e in elections),
        closes=max(e.closes_at for e in elections),
        elections=[mail.Asked(e.name, e.fingerprint) for e in elections],
        introduction=introduction,
        practice=all(e.practice for e in elections),
        reminder=reminder,
    )
