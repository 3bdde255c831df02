"""The store as `ballot.invariants` looks at it: one consistent snapshot of the database, read without changing anything."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from concurrent.futures import Executor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Final, cast

from sqlalchemy import Connection, select, text
from sqlalchemy.exc import DatabaseError
from sqlmodel import Session, col

from ballot import invariants
from ballot.errors import BallotError, BoardDamagedError, MalformedError, NotFoundError
from ballot.invariants import Assembly, Box, CastRow, EventRow, Head, History, KnownHead, Member, ObjectRow, Violation
from ballot.models import (
    BoardEvent,
    BoardHead,
    BoardObject,
    Cast,
    Companion,
    Election,
    ElectionState,
    Electorate,
    Mailing,
    Outbox,
    Roll,
    table,
)
from ballot.models import Meeting as MeetingRow
from ballot.protocol import messages
from ballot.protocol.archive import Entry, Header, pack_event, pack_header, pack_object, read_archive
from ballot.protocol.messages import Event, sha256_hex
from ballot.services import journal, registrar, roll, tally
from ballot.services.clock import iso
from ballot.services.database import Database, translated
from ballot.services.journal import Act
from ballot.services.keys import Keys

_TOOL_SECONDS: Final = 3600
_event, _object, _cast = table(BoardEvent), table(BoardObject), table(Cast)


@dataclass(frozen=True)
class Store:
    """The snapshot: every election and every meeting whose roll is frozen and still there."""

    boxes: tuple[Box, ...]
    assemblies: tuple[Assembly, ...]


@contextmanager
def _one_view(database: Database) -> Iterator[Connection]:
    """A connection on which every read sees the same moment, and which cannot write.

    Raises: UnavailableError; BoardDamagedError: the database's own files are damaged.
    """
    with _told(), translated(), database.engine.connect() as connection:
        if database.is_sqlite:
            connection.execute(text("PRAGMA query_only = ON"))
            try:
                yield connection
            finally:
                connection.rollback()
                connection.execute(text("PRAGMA query_only = OFF"))
        else:
            yield connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except DatabaseError as error:
        raise BoardDamagedError(f"The database itself cannot be read: {error.orig}. Restore it from a backup", height=0) from error


@contextmanager
def snapshot(database: Database, keys: Keys | None, *, only: str | None = None) -> Iterator[Store]:
    """The store at one moment; its archives are files that end with the context. `only` is one election's uuid.

    Raises: NotFoundError: there is no such election; UnavailableError, BoardDamagedError.
    """
    with ExitStack() as stack:
        with _one_view(database) as connection, Session(connection) as session:
            elections = list(session.execute(select(Election).order_by(col(Election.created_at), col(Election.uuid))).scalars())
            chosen = [election for election in elections if only in {None, election.uuid}]
            if only is not None and not chosen:
                raise NotFoundError("There is no such election in this database.")
            boxes, assemblies = [], []
            meetings = sorted({election.meeting_id for election in chosen})
            if only is None:
                meetings = sorted(session.execute(select(col(MeetingRow.id))).scalars())
            for meeting_id in meetings:
                acts, trouble = _journal(session, meeting_id)
                mine = [election for election in elections if election.meeting_id == meeting_id]
                boxes += [_box(stack, session, keys, election, acts) for election in mine if election in chosen]
                assembly = _assembly(session, meeting_id, mine, acts, trouble)
                if assembly is not None:
                    assemblies.append(assembly)
        for box in boxes:
            if box.state == ElectionState.PUBLISHED:
                _result(database, box)
        yield Store(tuple(boxes), tuple(assemblies))


def _journal(session: Session, meeting_id: str) -> tuple[list[journal.Entry], str]:
    try:
        return journal.entries(session, meeting_id), ""
    except (BoardDamagedError, MalformedError) as error:
        return [], str(error)


def _box(stack: ExitStack, session: Session, keys: Keys | None, election: Election, acts: list[journal.Entry]) -> Box:
    connection, uuid = session.connection(), election.uuid
    events: list[EventRow] = []
    objects: list[ObjectRow] = []
    head = session.get(BoardHead, uuid)
    archive = None if head is None else cast("BinaryIO", stack.enter_context(tempfile.TemporaryFile()))  # noqa: SIM115 - the stack closes it
    _rows(connection, uuid, events, objects, archive, head.timestamp if head is not None else 0)
    casts = [
        CastRow(row.height, row.ballot_hash, row.credential, row.ordinal, row.head, iso(row.cast_at))
        for row in connection.execute(select(_cast).where(_cast.c.election_uuid == uuid).order_by(_cast.c.height))
    ]
    signers = select(col(Electorate.handle), col(Electorate.credential)).where(col(Electorate.election_uuid) == uuid)
    electorate = {row.handle: row.credential for row in session.execute(signers)}
    entries = registrar.electorate(session, election) if election.state is not ElectionState.DRAFT else []
    split_trust = session.get_one(MeetingRow, election.meeting_id).split_trust
    own = keys is not None and not split_trust and election.tidied_at is None and archive is not None
    return Box(
        uuid=uuid,
        state=str(election.state),
        replace=election.replace,
        tidied=election.tidied_at is not None,
        head=None if head is None else Head(head.height, head.hash, head.size),
        events=events,
        objects=objects,
        casts=casts,
        electorate=electorate,
        entitled=frozenset(entry.handle for entry in entries),
        derived=registrar.derived_credentials(keys, uuid, entries) if keys is not None and own else None,
        acts=tally.acts_before_the_count(election),
        archive=archive,
        companion=_companion(session, uuid),
        fingerprint=election.fingerprint,
        hours=(iso(election.opens_at), iso(election.closes_at)),
        announced=_announced(acts, uuid),
        heads=tuple(_heads(acts, uuid)),
    )


def _rows(
    connection: Connection, uuid: str, events: list[EventRow], objects: list[ObjectRow], archive: BinaryIO | None, timestamp: int
) -> None:
    """The rows' facts, and their bytes in the order of the archive, with one height in memory at a time."""
    data = connection.execution_options(yield_per=200).execute(
        select(_object).where(_object.c.election_uuid == uuid).order_by(_object.c.height, _object.c.position)
    )
    waiting = iter(data)
    item = next(waiting, None)
    if archive is not None:
        archive.write(pack_header(timestamp))

    def keep(row: Any) -> None:
        objects.append(ObjectRow(row.height, row.position, row.hash, sha256_hex(row.content)))
        if archive is not None:
            archive.write(pack_object(row.content, timestamp))

    rows = select(_event).where(_event.c.election_uuid == uuid).order_by(_event.c.height)
    for row in connection.execution_options(yield_per=200).execute(rows):
        while item is not None and item.height <= row.height:
            keep(item)
            item = next(waiting, None)
        events.append(EventRow(row.height, row.type, row.hash, row.payload, sha256_hex(row.content)))
        if archive is not None:
            archive.write(pack_event(row.content, timestamp))
    while item is not None:
        keep(item)
        item = next(waiting, None)


def _companion(session: Session, uuid: str) -> bytes:
    rows = session.execute(select(col(Companion.content)).where(col(Companion.election_uuid) == uuid).order_by(col(Companion.owner)))
    try:
        return messages.CompanionFile(tuple(messages.Companion.parse(content) for content in rows.scalars())).to_bytes()
    except MalformedError:
        return b"damaged"  # which the verifier refuses


def _announced(acts: list[journal.Entry], uuid: str) -> tuple[str, str] | None:
    hours: tuple[str, str] | None = None
    for entry in acts:
        if entry.election == uuid and entry.act == Act.LOCKED:
            hours = str(entry.details.get("opens")), str(entry.details.get("closes"))
        elif entry.election == uuid and entry.act == Act.POSTPONED and hours is not None:
            hours = hours[0], str(entry.details.get("to"))
    return hours


def _heads(acts: list[journal.Entry], uuid: str) -> Iterator[KnownHead]:
    for entry in acts:
        if entry.election == uuid and isinstance(entry.details.get("head"), str) and entry.details["head"]:
            yield KnownHead(None, entry.details["head"], f"the journal's entry {entry.height} ({entry.act})")


def _result(database: Database, box: Box) -> None:
    """What the site publishes, worked out afresh."""
    for name in (box.uuid, f"outcome|{box.uuid}"):
        database.setups.pop(name, None)
    try:
        box.results = tally.outcome(database, box.uuid).file
    except (BallotError, KeyError) as error:
        box.trouble = str(error)


def _assembly(session: Session, meeting_id: str, elections: list[Election], acts: list[journal.Entry], trouble: str) -> Assembly | None:
    roll_row = session.get(Roll, meeting_id)
    entries = roll.members(session, meeting_id)
    tidied = bool(elections) and all(election.tidied_at is not None for election in elections)
    if roll_row is None or roll_row.frozen_at is None or (tidied and not entries):
        return Assembly(meeting_id, (), 0, "", "", 0, 0, frozenset(), trouble) if trouble else None
    letters: dict[str, list[tuple[int, str]]] = {}
    mails = select(col(Outbox.handle), col(Outbox.key), col(Outbox.state)).where(
        col(Outbox.meeting_id) == meeting_id, col(Outbox.kind) == "invitation"
    )
    for handle, key, state in session.execute(mails):
        letters.setdefault(str(handle), []).append((_generation(key), state))
    members = [
        Member(entry.handle, entry.generation, entry.withdrawn, entry.email_key, tuple(letters.get(entry.handle, ()))) for entry in entries
    ]
    number = {act: sum(entry.act == act for entry in acts) for act in (Act.LINK_REISSUED, Act.ADDRESS_CORRECTED, Act.LINK_WITHDRAWN)}
    restored = any(entry.act == Act.RESTORED for entry in acts)
    return Assembly(
        meeting=meeting_id,
        members=members,
        included=roll_row.included,
        commitment=roll_row.commitment,
        recomputed=roll.commitment(meeting_id, roll.leaves(session, roll_row)),
        replacements=None if restored else number[Act.LINK_REISSUED] + number[Act.ADDRESS_CORRECTED],
        withdrawals=number[Act.LINK_WITHDRAWN],
        sent=frozenset(_written_to(session, meeting_id, acts)),
        journal=trouble,
    )


def _generation(key: str) -> int:
    """Of `invitation/<meeting>/<handle>/<generation>/…`."""
    parts = key.split("/")
    return int(parts[3]) if len(parts) > 3 and parts[3].isdigit() else -1


def _written_to(session: Session, meeting_id: str, acts: list[journal.Entry]) -> Iterator[str]:
    """Whose link has been sent, once the mailing is through."""
    stages = session.execute(select(col(Mailing.stage)).where(col(Mailing.meeting_id) == meeting_id, col(Mailing.kind) == "invitation"))
    if any(stage != "done" for stage in stages.scalars()):
        return
    for entry in acts:
        if entry.act == Act.LINKS_SENT and isinstance(entry.details.get("elections"), list):
            uuids = [str(uuid) for uuid in entry.details["elections"]]
            yield from session.execute(select(col(Electorate.handle)).where(col(Electorate.election_uuid).in_(uuids))).scalars()


# --- the audit ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Beside:
    """What a person holds against the store, by election: a file of results, an earlier copy of the archive."""

    results: Mapping[str, bytes] = field(default_factory=dict)
    earlier: Mapping[str, BinaryIO] = field(default_factory=dict)


@dataclass(frozen=True)
class Audited:
    """What was found, and how much was looked at."""

    violations: tuple[Violation, ...]
    elections: int
    meetings: int
    events: int
    ballots: int
    receipts: int


def audit(
    database: Database,
    keys: Keys | None,
    history: History = History(),  # noqa: B008 - frozen and empty
    *,
    beside: Beside = Beside(),
    only: str | None = None,
    tool: Path | None = None,
    executor: Executor | None = None,
    skip: frozenset[str] = frozenset(),
) -> Audited:
    """Check every invariant of the store as it is now. Nothing is changed. Raises: NotFoundError, UnavailableError."""
    found: list[Violation] = []
    with snapshot(database, keys, only=only) as store:
        for box in store.boxes:
            box.kept, box.earlier = beside.results.get(box.uuid), beside.earlier.get(box.uuid)
            if tool is not None and "I6" not in skip:
                box.opinion = second_opinion(tool, box)
            key = keys.receipt_public if keys is not None else None
            found += invariants.audit_box(box, history, key=key, executor=executor, skip=skip)
        for assembly in store.assemblies:
            found += invariants.audit_assembly(assembly, skip=skip)
        if only is None and "I1" not in skip:
            found += invariants.lost_elections(history, (box.uuid for box in store.boxes))
        return Audited(
            violations=tuple(found),
            elections=len(store.boxes),
            meetings=len(store.assemblies),
            events=sum(len(box.events) for box in store.boxes),
            ballots=sum(len(box.casts) for box in store.boxes),
            receipts=len(history.receipts),
        )


def second_opinion(tool: Path, box: Box) -> str:
    """What Belenios's tool has against this archive: each ballot beside the set-up alone, and the whole once there is a result."""
    if box.archive is None:
        return ""
    with tempfile.TemporaryDirectory(prefix="ballot-audit-") as name:
        whole, alone = Path(name) / "whole", Path(name) / "alone"
        whole.mkdir()
        alone.mkdir()
        box.archive.seek(0)
        with (whole / f"{box.uuid}.bel").open("wb") as copy:
            while piece := box.archive.read(1 << 20):
                copy.write(piece)
        ballot = Path(name) / "ballot.json"
        for height, data in _split(whole / f"{box.uuid}.bel", alone / f"{box.uuid}.bel"):
            ballot.write_bytes(data)
            complaint = _ask(tool, "verify-ballot", "--dir", str(alone), "--ballot", str(ballot))
            if complaint:
                return f"the ballot at height {height}: {complaint}"
        if any(row.type == "Result" for row in box.events):
            return _ask(tool, "verify", "--dir", str(whole))
    return ""


def _split(whole: Path, alone: Path) -> Iterator[tuple[int, bytes]]:
    """The set-up goes to a file of its own; then each ballot with its height."""
    waiting: list[bytes] = []
    timestamp = 0
    with whole.open("rb") as file:
        for item in read_archive(file):
            if isinstance(item, Header):
                timestamp = int(item.timestamp)
                alone.write_bytes(pack_header(timestamp))
            elif isinstance(item, Entry) and item.kind == "data":
                waiting.append(item.data)
            elif isinstance(item, Entry):
                event = Event.parse(item.data)
                if event.type == "Setup":
                    with alone.open("ab") as copy:
                        copy.writelines(pack_object(data, timestamp) for data in waiting)
                        copy.write(pack_event(item.data, timestamp))
                elif event.type == "Ballot":
                    yield event.height, waiting[-1]
                waiting = []


def _ask(tool: Path, *arguments: str) -> str:
    """The tool's complaint in one line, "" if it has none."""
    command = [str(tool), "election", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_TOOL_SECONDS)  # noqa: S603 - the host names it
    if done.returncode == 0:
        return ""
    lines = (done.stderr + done.stdout).strip().splitlines()
    return lines[-1][:300] if lines else f"exit status {done.returncode}"
