"""Heads are published only after every stored row was compared with the chain: a bit that flipped on the disk is found before.

A sweep reads all that an election's chain, journal and roll can vouch for. The clock's process sweeps when the chain has grown,
and now and then when it has not, a tenth of the time at most; what passed is the head that checkpoints show. So a checkpoint may be
some seconds behind the box, never ahead of a sweep, and never goes back, whichever worker or host answers.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import Connection, and_, func, or_, select, text
from sqlmodel import Session, col

from ballot.config import Config
from ballot.errors import BallotError, BoardDamagedError, NotFoundError
from ballot.models import (
    BoardEvent,
    BoardHead,
    Cast,
    Companion,
    Election,
    ElectionState,
    Electorate,
    PublishedHead,
    Roll,
    RollEntry,
    table,
)
from ballot.protocol import archive
from ballot.protocol.messages import Election as ElectionMessage
from ballot.protocol.messages import Event, PublicCredentials, SetupData, sha256_hex
from ballot.protocol.receipts import Checkpoint, sign_checkpoint
from ballot.services import board, journal, roll
from ballot.services.clock import iso
from ballot.services.database import Database
from ballot.services.journal import CLOCK, Act, Entry
from ballot.services.keys import Keys
from ballot.services.lifecycle import report_damage

log = logging.getLogger(__name__)

_SHARE: Final = 9  # seconds of rest for each second of sweeping
_ANYWAY: Final = 300.0  # seconds after which a box is swept although its chain has not grown
_PUBLISHED: Final = 3600.0  # the same, for one whose result is out
_event, _cast, _electorate, _entry = table(BoardEvent), table(Cast), table(Electorate), table(RollEntry)


# --- one sweep ----------------------------------------------------------------------------------------------------


def sweep(database: Database, election_uuid: str) -> tuple[int, str]:
    """Compare every row of an election with its chain, and what is beside it with journal and roll; the head that was reached.

    Raises: NotFoundError; BoardDamagedError: something was changed; the sentence says what, and `.height` where.
    """
    _file(database)
    with database.read() as session:
        head = board.head_of(session, election_uuid)
        wanted, identity, size, timestamp = head.height, head.hash, head.size, head.timestamp
    length, reached = len(archive.pack_header(timestamp)), ""
    setup: list[bytes] = []
    for event, objects in board.checked_events(database, election_uuid):
        if event.height > wanted:
            continue  # it came meanwhile, and is compared as well
        length += sum(board.entry_size(data) for data in (*objects, event.to_bytes()))
        setup = objects if event.type == "Setup" else setup
        reached = event.hash
    if (reached, length) != (identity, size):
        raise BoardDamagedError(f"The head of the chain at height {wanted} is not what the events before it come to.", height=wanted)
    with database.read() as session:
        election = session.get_one(Election, election_uuid)
        acts = journal.entries(session, election.meeting_id)
        _casts(session.connection(), election_uuid, wanted)
        _row(election, acts, setup, timestamp)
        _credentials(session, election, setup)
        _companions(session, election_uuid, acts)
        _roll(session, election.meeting_id)
    return wanted, identity


def _file(database: Database) -> None:
    """SQLite's file is sound: its indexes say what its tables say. PostgreSQL keeps checksums of its own, where they are on."""
    if not database.is_sqlite:
        return
    with database.read_connection() as connection:
        told = connection.execute(text("PRAGMA integrity_check(1)")).scalar_one()
    if told != "ok":
        raise BoardDamagedError(f"The database's file is damaged: {' '.join(str(told).split())[:200]}.", height=0)


def _casts(connection: Connection, uuid: str, last: int) -> None:
    """Each record of a cast names its event, its place among its member's ballots, and nobody but a member."""
    mine = and_(_cast.c.election_uuid == uuid, _cast.c.height <= last)
    wrong = select(_cast.c.height).outerjoin(
        _event, and_(_event.c.election_uuid == _cast.c.election_uuid, _event.c.height == _cast.c.height)
    )
    found = connection.execute(wrong.where(mine, or_(_event.c.hash.is_(None), _event.c.hash != _cast.c.head)).limit(1)).scalar()
    if found is not None:
        raise BoardDamagedError(f"The record of the ballot at height {found} names another event than the chain.", height=found)
    numbers = select(func.min(_cast.c.height)).where(mine).group_by(_cast.c.credential)
    found = connection.execute(numbers.having(or_(func.max(_cast.c.ordinal) != func.count() - 1, func.min(_cast.c.ordinal) != 0))).scalar()
    if found is not None:
        raise BoardDamagedError(f"The record of the ballot at height {found} does not say how often its member voted.", height=found)
    if connection.execute(select(_electorate.c.handle).where(_electorate.c.election_uuid == uuid).limit(1)).first() is None:
        return  # tidied
    strangers = select(_cast.c.height).outerjoin(
        _electorate, and_(_electorate.c.election_uuid == _cast.c.election_uuid, _electorate.c.credential == _cast.c.credential)
    )
    found = connection.execute(strangers.where(mine, _electorate.c.handle.is_(None)).limit(1)).scalar()
    if found is not None:
        raise BoardDamagedError(f"The record of the ballot at height {found} has a credential that is nobody's.", height=found)


def _row(election: Election, acts: list[Entry], setup: list[bytes], timestamp: int) -> None:
    """The election's own row says what was locked, and the hours that were announced; every entry of the archive bears the lock's time."""
    message = ElectionMessage.parse(setup[0])
    if (message.uuid, message.name, message.fingerprint) != (election.uuid, election.name, election.fingerprint):
        raise BoardDamagedError("The election's row in the database is not what was locked.", height=0)
    hours: tuple[str, str] | None = None
    for entry in acts:
        if entry.election == election.uuid and entry.act == Act.LOCKED:
            hours = str(entry.details.get("opens")), str(entry.details.get("closes"))
            if entry.time != iso(datetime.fromtimestamp(timestamp, UTC)):
                raise BoardDamagedError("The archive's own date in the database is not that of the lock on the journal.", height=0)
        elif entry.election == election.uuid and entry.act == Act.POSTPONED and hours is not None:
            hours = hours[0], str(entry.details.get("to"))
    if hours is not None and hours != (iso(election.opens_at), iso(election.closes_at)):
        raise BoardDamagedError("The hours of voting in the database are not those on the journal.", height=0)


def _credentials(session: Session, election: Election, setup: list[bytes]) -> None:
    """The members' credentials are those of the public list."""
    if election.tidied_at is not None:
        return
    data = SetupData.parse(setup[-1])
    listed = next(item for item in setup if sha256_hex(item) == data.credentials)
    stored = session.execute(select(col(Electorate.credential)).where(col(Electorate.election_uuid) == election.uuid)).scalars()
    if sorted(stored) != sorted(PublicCredentials.parse(listed).entries):
        raise BoardDamagedError("The members' credentials in the database are not those of the public list.", height=0)
    strangers = (
        select(_electorate.c.handle)
        .outerjoin(_entry, and_(_entry.c.handle == _electorate.c.handle, _entry.c.meeting_id == election.meeting_id))
        .where(_electorate.c.election_uuid == election.uuid, _entry.c.handle.is_(None))
    )
    if session.execute(strangers.limit(1)).first() is not None:
        raise BoardDamagedError("A credential in the database belongs to nobody on the roll.", height=0)


def _companions(session: Session, uuid: str, acts: list[Entry]) -> None:
    """The proofs beside the archive are those that were accepted."""
    accepted = {
        entry.details.get("key-holder"): entry.details.get("companion")
        for entry in acts
        if entry.election == uuid and entry.act == Act.SHARE_ACCEPTED
    }
    rows = session.execute(select(col(Companion.owner), col(Companion.content)).where(col(Companion.election_uuid) == uuid))
    stored = {owner: sha256_hex(content) for owner, content in rows}
    if stored != accepted:
        raise BoardDamagedError("The companion proofs in the database are not those on the journal.", height=0)


def _roll(session: Session, meeting_id: str) -> None:
    """The roll gives its published commitment, as long as nothing is tidied."""
    found = session.get(Roll, meeting_id)
    if found is None or found.frozen_at is None or not found.salt:
        return
    rows = session.execute(
        select(_entry.c.handle, _entry.c.name, _entry.c.frozen_key, _entry.c.email_key, _entry.c.sections).where(
            _entry.c.meeting_id == meeting_id, _entry.c.reason == ""
        )
    )
    leaves = sorted(
        roll.leaf(meeting_id, roll.own_salt(found.salt, row.handle), row.name, row.frozen_key or row.email_key, row.sections)
        for row in rows
    )
    if roll.commitment(meeting_id, leaves) != found.commitment:
        raise BoardDamagedError("The roll in the database does not give its published commitment: a member's line was changed.", height=0)


# --- publishing ---------------------------------------------------------------------------------------------------


def publish(database: Database, election_uuid: str, now: datetime) -> tuple[int, str]:
    """The head is published, after a sweep. What a sweep finds is put into the journal. Raises: as `sweep`."""
    try:
        height, identity = sweep(database, election_uuid)
    except BoardDamagedError as error:
        report_damage(database, election_uuid, error, CLOCK, now)
        raise
    with database.write() as session:
        row = session.get(PublishedHead, election_uuid, with_for_update=True)
        if row is None:
            session.add(PublishedHead(election_uuid=election_uuid, height=height, hash=identity, swept_at=now))
        elif row.height <= height:  # a slower sweep of another host does not pull it back
            row.height, row.hash, row.swept_at = height, identity, now
            session.add(row)
    return height, identity


def checkpoint(session: Session, config: Config, keys: Keys, election_uuid: str) -> str | None:
    """The newest published head as a signed note; None while the first sweep of a box with ballots is still to come.

    The Setup event is shown at once: nothing can have been taken back before it.

    Raises: NotFoundError; BoardDamagedError: the published head is no event of the chain.
    """
    row = session.get(PublishedHead, election_uuid)
    if row is None:
        head = board.head_of(session, election_uuid)
        if head.height > 0:
            return None
        height, identity = head.height, head.hash
    else:
        height, identity = row.height, row.hash
    stored = session.get(BoardEvent, (election_uuid, height))
    if stored is None or sha256_hex(stored.content) != identity or Event.parse(stored.content).height != height:
        raise BoardDamagedError(f"The event at height {height}, which was published as the head, is not what it was.", height=height)
    shown = Checkpoint(board.origin(config, election_uuid), height, identity)
    return sign_checkpoint(keys.receipt.sign, keys.receipt_public_bytes, shown)


class Sweeper:
    """Decides when to sweep what. One process of a host has one."""

    def __init__(self, database: Database, *, seconds: Callable[[], float] = time.monotonic) -> None:
        self._database, self._seconds = database, seconds
        self._next: dict[str, float] = {}
        self._anyway: dict[str, float] = {}

    def look(self, now: datetime) -> list[str]:
        """Sweep what is due; the uuids of those whose head is published now. One that is damaged stays as it was published."""
        with self._database.read() as session:
            rows = session.execute(
                select(col(Election.uuid), col(Election.state), col(BoardHead.height), col(PublishedHead.height))
                .join(BoardHead, col(BoardHead.election_uuid) == col(Election.uuid))
                .outerjoin(PublishedHead, col(PublishedHead.election_uuid) == col(Election.uuid))
                .where(col(Election.tidied_at).is_(None))
            ).all()
        done = []
        for uuid, state, height, published in rows:
            begin = self._seconds()
            if begin < self._next.get(uuid, 0.0) or (height == published and begin < self._anyway.get(uuid, 0.0)):
                continue
            try:
                publish(self._database, uuid, now)
                done.append(uuid)
            except (BoardDamagedError, NotFoundError) as error:
                log.error("the box %s is not published any further: %s", uuid, error)  # noqa: TRY400 - the sentence says all
            except BallotError as error:
                log.warning("the box %s could not be swept: %s", uuid, error)
            end = self._seconds()
            self._next[uuid] = end + _SHARE * (end - begin)
            self._anyway[uuid] = end + (_PUBLISHED if state == ElectionState.PUBLISHED else _ANYWAY)
        return done


