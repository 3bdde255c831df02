"""After a restore: what was published since the backup comes back, from the public files that anyone may have kept.

The archive of an election (`.bel`) is verified whole, must continue the restored chain, and its later events are appended as they
stand: a ballot that has a receipt is in the box again, at its old place, and its member's right to vote is spent again. The journal
of a meeting comes back in the same way. It does not say whose link was reissued or withdrawn after the backup; so where
any was, every member of the meeting who can still vote gets a new link, and all older ones are dead.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from datetime import datetime
from typing import BinaryIO, Final

from sqlmodel import Session, col, func, select

from ballot.errors import MalformedError, NotFoundError, VerificationError
from ballot.models import Cast, Companion, Election, ElectionState, Electorate, JournalEntry, JournalHead, Meeting, RollEntry
from ballot.protocol import archive, messages
from ballot.protocol.ballots import tracker
from ballot.protocol.messages import Ballot, CompanionFile, Event, Owned, SetupData, sha256_hex
from ballot.services import board, journal
from ballot.services.clock import iso
from ballot.services.database import Database
from ballot.services.journal import Act, Actor, Entry
from ballot.services.lifecycle import kept_until
from ballot.verifier.report import Outcome
from ballot.verifier.verify import verify_archive

_BATCH: Final = 500  # events in one transaction; a replay that was cut short goes on where it stopped
_STATES: Final = {"Ballot": ElectionState.OPEN, "EndBallots": ElectionState.CLOSED, "EncryptedTally": ElectionState.TALLYING}
_ORDER: Final = list(ElectionState)
_LINKS: Final = {Act.LINK_REISSUED, Act.LINK_WITHDRAWN}
_RUNNING: Final = (ElectionState.LOCKED, ElectionState.OPEN)
HOST: Final = Actor("host", "host")


# --- archives -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Replayed:
    """What came back for one election."""

    uuid: str
    name: str
    events: int
    ballots: int


def replay_archive(
    database: Database,
    file: BinaryIO,
    made: datetime,
    now: datetime,
    *,
    companion: bytes | None = None,
    executor: Executor | None = None,
) -> Replayed:
    """Everything in the published archive is on the restored board. Doing it again changes nothing.

    `made`, the moment of the backup, is written down as the time of each cast after it: the archive tells no times.

    Raises:
        NotFoundError: no such election here, or the backup is older than its lock.
        VerificationError: the archive does not verify (once key-holders have opened shares, not without the companion file that is
            published beside it), or is no continuation of the restored chain; nothing was appended.
    """
    uuid = _election_of(file)
    try:
        with database.read() as session:
            head = board.head_of(session, uuid)
            name = session.get_one(Election, uuid).name
    except NotFoundError as error:
        raise NotFoundError(f"The backup does not know election {uuid}, or it was locked after the backup was made.") from error
    board.check_storage(database, uuid)
    file.seek(0)
    report = verify_archive(file, companion=companion, executor=executor)
    if report.outcome not in {Outcome.VERIFIED, Outcome.UNFINISHED} or report.height is None:
        raise VerificationError(f"The archive of {name} is not replayed. {report.verdict()}")
    _compare(database, file, uuid, min(head.height, report.height))
    proofs = {} if companion is None else {one.owner: one.to_bytes() for one in CompanionFile.parse(companion).companions}
    events = ballots = 0
    for batch in _batches(file, head.height + 1):
        ballots += _append_all(database, uuid, batch, proofs, made, now)
        events += len(batch)
    board.check_storage(database, uuid)
    return Replayed(uuid, name, events, ballots)


def _events(file: BinaryIO) -> Iterator[tuple[Event, list[bytes]]]:
    """The events of an archive in order, each with the objects written before it."""
    file.seek(0)
    objects: list[bytes] = []
    for item in archive.read_archive(file):
        if isinstance(item, archive.Entry):
            if item.kind == "data":
                objects.append(item.data)
            else:
                yield Event.parse(item.data), objects
                objects = []


def _election_of(file: BinaryIO) -> str:
    """Whose archive it says it is. Raises: MalformedError."""
    for event, objects in _events(file):
        by_hash = {sha256_hex(data): data for data in objects}
        if event.payload in by_hash:
            election = by_hash.get(SetupData.parse(by_hash[event.payload]).election)
            if election is not None:
                return messages.Election.parse(election).uuid
        break
    raise MalformedError("The archive does not begin with an election's set-up.")


def _compare(database: Database, file: BinaryIO, uuid: str, height: int) -> None:
    """The archive and the restored chain have the same event at this height, and so the same ones before. Raises: VerificationError."""
    theirs = next(event for event, _ in _events(file) if event.height == height)
    with database.read() as session:
        ours = board.event_at(session, uuid, height)
    if theirs.hash != ours.hash:
        raise VerificationError(f"The archive shows another event at height {height} than the backup: they are two different chains.")


def _batches(file: BinaryIO, first: int) -> Iterator[list[tuple[Event, list[bytes]]]]:
    batch: list[tuple[Event, list[bytes]]] = []
    for event, objects in _events(file):
        if event.height >= first:
            batch.append((event, objects))
        if len(batch) == _BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _append_all(
    database: Database,
    uuid: str,
    batch: Sequence[tuple[Event, list[bytes]]],
    proofs: Mapping[int, bytes],
    made: datetime,
    now: datetime,
) -> int:
    """These events are on the board, with what the service keeps beside them; how many ballots they were."""
    ballots = 0
    with database.write() as session:
        election = session.get_one(Election, uuid)
        for event, objects in batch:
            added = board.append(session, uuid, event.type, objects)
            if added.hash != event.hash:
                raise VerificationError(f"The event at height {event.height} does not continue the restored chain.")
            if event.type == "Ballot":
                ballots += 1
                _record_cast(session, uuid, event, objects[-1], max(made, election.opens_at))
            elif event.type == "PartialDecryption":
                owner = Owned.parse(objects[-1]).owner
                if owner in proofs:
                    session.add(Companion(election_uuid=uuid, owner=owner, content=proofs[owner]))
            state = _STATES.get(event.type)
            if state is not None and _ORDER.index(election.state) < _ORDER.index(state):
                election.state = state
                if state is ElectionState.CLOSED:
                    election.closed_at = min(now, election.closes_at)
        session.add(election)
    return ballots


def _record_cast(session: Session, uuid: str, event: Event, data: bytes, moment: datetime) -> None:
    credential = str(Ballot.parse(data).credential)
    before = session.exec(select(func.count()).where(Cast.election_uuid == uuid, Cast.credential == credential)).one()
    cast = Cast(
        election_uuid=uuid,
        ballot_hash=tracker(data),
        credential=credential,
        ordinal=before,
        height=event.height,
        head=event.hash,
        cast_at=moment.replace(microsecond=0),
    )
    session.add(cast)
    session.flush()


# --- journals -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ReplayedJournal:
    """What came back for one meeting: how many acts, and how many members have a new link because of them."""

    meeting: str
    acts: dict[str, int]
    new_links: int


def replay_journal(database: Database, data: bytes) -> ReplayedJournal:
    """Every act in the published journal (one line of JSON each) is on the record again. Doing it again changes nothing.

    Raises:
        MalformedError: not a whole chain from its first entry.
        NotFoundError: no meeting here has this journal; VerificationError: the restored journal goes another way.
    """
    lines = data.removesuffix(b"\n").split(b"\n")
    entries = [Entry.parse(line) for line in lines]
    for height, entry in enumerate(entries):
        if entry.height != height or entry.parent != (entries[height - 1].hash if height else None):
            raise MalformedError(f"The journal is no chain at its entry {height}.")
    with database.write() as session:
        first = select(JournalEntry).where(JournalEntry.height == 0, JournalEntry.hash == entries[0].hash)
        row = session.exec(first).first()
        if row is None:
            raise NotFoundError("No meeting of the backup has this journal.")
        known = journal.entries(session, row.meeting_id)
        for ours, theirs in zip(known, entries, strict=False):
            if ours != theirs:
                raise VerificationError(f"The journal shows another act at entry {ours.height} than the backup: they are two journals.")
        later = entries[len(known) :]
        for entry in later:
            session.add(JournalEntry(meeting_id=row.meeting_id, height=entry.height, hash=entry.hash, content=entry.to_bytes()))
        if later:
            head = session.get_one(JournalHead, row.meeting_id)
            head.height, head.hash = later[-1].height, later[-1].hash
            session.add(head)
        acts: dict[str, int] = {}
        for entry in later:
            acts[entry.act] = acts.get(entry.act, 0) + 1
            _take_over(session, entry)
        changed = new_links(session, row.meeting_id) if _LINKS & set(acts) else 0
        return ReplayedJournal(session.get_one(Meeting, row.meeting_id).name, acts, changed)


def _take_over(session: Session, entry: Entry) -> None:
    """A later close that was announced, or that an election is void, holds again: everybody can read it in the journal."""
    election = None if entry.election is None else session.get(Election, entry.election)
    if election is None:
        return
    if entry.act == Act.POSTPONED:
        election.closes_at = datetime.fromisoformat(str(entry.details["to"]))
    elif entry.act == Act.VOIDED:
        when = datetime.fromisoformat(entry.time)
        election.state, election.void_reason = ElectionState.VOID, str(entry.details.get("reason", ""))
        election.tidy_at = kept_until(election, when)
    session.add(election)


def new_links(session: Session, meeting_id: str) -> int:
    """Every link of the members who can still vote in this meeting is dead, and the next one sent is another; how many members."""
    not_voted = (
        select(Electorate.handle)
        .join(Election, col(Election.uuid) == col(Electorate.election_uuid))
        .outerjoin(Cast, (col(Cast.election_uuid) == col(Electorate.election_uuid)) & (col(Cast.credential) == col(Electorate.credential)))
        .where(Election.meeting_id == meeting_id, col(Election.state).in_(_RUNNING), col(Cast.ballot_hash).is_(None))
    )
    still = session.exec(select(RollEntry).where(RollEntry.meeting_id == meeting_id, col(RollEntry.handle).in_(not_voted))).all()
    for entry in still:
        entry.generation += 1
        entry.typed_code = False
        session.add(entry)
    return len(still)


def record_restore(database: Database, made: datetime, now: datetime, replayed: Sequence[Replayed]) -> list[str]:
    """The restore is on the record of every meeting that is not over; the names of these meetings."""
    ballots = {one.uuid: one.ballots for one in replayed}
    done = (ElectionState.PUBLISHED, ElectionState.VOID)
    names: list[str] = []
    with database.write() as session:
        for meeting in session.exec(select(Meeting).order_by(col(Meeting.created_at))).all():
            elections = session.exec(select(Election).where(Election.meeting_id == meeting.id)).all()
            if not any(election.state not in done for election in elections):
                continue
            back = sum(ballots.get(election.uuid, 0) for election in elections)
            details = {"backup of": iso(made), "ballots replayed from the published archives": back}
            journal.append(session, meeting.id, Act.RESTORED, HOST, now, details=details)
            names.append(meeting.name)
    return names
