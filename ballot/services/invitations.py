"""The members' links as letters: one mail a member for all of a meeting's elections; receipts; key-holders' links.

To many members at once they go by `mailings`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection
from sqlmodel import Session, col, select

from ballot.config import Config
from ballot.language import phrase
from ballot.models import Approval, Election, ElectionState, Electorate, Meeting, Officer, Outbox, RollEntry, Trustee
from ballot.services import approvals, board, lifecycle, mail, registrar, tokens
from ballot.services.database import Database
from ballot.services.keys import Keys
from ballot.services.mail import Mailer
from ballot.services.rights import RIGHTS
from ballot.services.trustees import ASKED_AGAIN, is_asked_again

_AGAIN: Final = "again"
_SHOW_AGAIN: Final = phrase(
    "Voting closes in less than 3 days. Please open your link, choose your key file and show that your key still opens, "
    "so that there is time to help if it does not."
)


def sendable(session: Session, meeting_id: str) -> list[Election]:
    """The meeting's elections whose links can go out: locked or open."""
    return [e for e in lifecycle.elections_of(session, meeting_id) if e.state in {ElectionState.LOCKED, ElectionState.OPEN}]


def expiry(config: Config, elections: Sequence[Election], now: datetime) -> datetime:
    """When links sent now end: never before the day after the last close."""
    return max(now + timedelta(days=config.token_days), max(e.closes_at for e in elections) + timedelta(days=1))


def send_one(session: Session, config: Config, keys: Keys, mailer: Mailer, entry: RollEntry, now: datetime) -> bool:
    """One member's link again, as it stands now; False where none of the elections is theirs. The caller decides whether to tell."""
    elections = sendable(session, entry.meeting_id)
    mine = electorates(session, elections, [entry.handle]).get(entry.handle, frozenset())
    if entry.withdrawn or entry.reason or not mine:
        return False
    meeting = session.get_one(Meeting, entry.meeting_id)
    again = letter(session, config, keys, meeting, entry, [e for e in elections if e.uuid in mine], now)
    mailer.put(session, replace(again, key=f"{again.key}/sent again/{int(now.timestamp())}"), now)
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


def ask_second_person(session: Session, config: Config, mailer: Mailer, approval_id: str, *, act: str, about: str, now: datetime) -> int:
    """Every other officer who may agree to this act is asked by mail, once; how many. `act` and `about` are its words on the screen."""
    approval = session.get_one(Approval, approval_id)
    asked_by = session.get(Officer, approval.asked_by)
    right = approvals.right_for(approvals.Need(approval.act))
    meeting = session.get_one(Meeting, approval.meeting_id)
    others = [
        officer
        for officer in session.exec(select(Officer).where(col(Officer.active))).all()
        if officer.id != approval.asked_by and any(right in RIGHTS.get(role, frozenset()) for role in officer.roles)
    ]
    for officer in others:
        letter = mail.second_person(
            meeting_id=meeting.id,
            approval=approval.id,
            officer=officer.id,
            name=officer.name,
            address=officer.email,
            asked_by=asked_by.name if asked_by else phrase("Another officer"),
            act=act,
            about=about,
            meeting=meeting.name,
            link=f"{config.public_url}/officer/approvals/{approval.id}",
        )
        mailer.put(session, letter, now)
    return len(others)


def electorates(session: Session, elections: Sequence[Election], handles: Sequence[str]) -> dict[str, frozenset[str]]:
    """Handle → the elections among these in which that member may vote."""
    rows = session.exec(
        select(Electorate.handle, Electorate.election_uuid).where(
            col(Electorate.election_uuid).in_([e.uuid for e in elections]), col(Electorate.handle).in_(handles)
        )
    ).all()
    found: dict[str, set[str]] = {}
    for handle, uuid in rows:
        found.setdefault(handle, set()).add(uuid)
    return {handle: frozenset(uuids) for handle, uuids in found.items()}


def letter(
    session: Session,
    config: Config,
    keys: Keys,
    meeting: Meeting,
    entry: RollEntry,
    elections: Sequence[Election],
    now: datetime,
    *,
    introduction: str = "",
    subject: str = "",
    reminder: int = 0,
) -> mail.Letter:
    """The member's link as a letter: `reminder` is its number, or 0 for the invitation."""
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
        subject=subject,
        practice=all(e.practice for e in elections),
        reminder=reminder,
    )
