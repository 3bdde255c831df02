"""The bulletin board: append-only events and objects, which are the archive, and the one `cast`.

Everything is appended under the lock of the election's `board_head` row (on SQLite: of the whole file), so that the chain
has one next event. A receipt is made from what is committed, never before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Select, Table, and_, bindparam, exists, func, insert, update
from sqlalchemy import select as select_columns
from sqlalchemy.orm import aliased
from sqlmodel import Session, col, select

from ballot import failpoints
from ballot.config import Config
from ballot.errors import (
    AlreadyVotedError,
    BoardDamagedError,
    MalformedError,
    NotFoundError,
    NotInElectorateError,
    NotOpenError,
    VerificationError,
    VotingClosedError,
)
from ballot.language import Text, phrase, phrases
from ballot.models import BoardEvent, BoardHead, BoardObject, Cast, Companion, Election, ElectionState, Electorate, RollEntry, table
from ballot.protocol import archive, messages
from ballot.protocol.ballots import check_ballot, tracker
from ballot.protocol.declarations import Declarations, split_description
from ballot.protocol.messages import Ballot, Event, EventType, SetupData, sha256_hex
from ballot.protocol.receipts import Checkpoint, Receipt, hash_of_tracker, make_receipt, sign_checkpoint, tracker_of_hash, verifier_key
from ballot.protocol.trustees import ElectionKeys, check_trustees
from ballot.services.clock import iso, spoken
from ballot.services.database import Database
from ballot.services.keys import Keys
from ballot.services.tokens import VotingToken, holds, not_valid, read_voting_token

MAX_BALLOT_BYTES: Final = 256 * 1024
_CHUNK: Final = 200  # events read at once while streaming

_head, _event, _object, _cast = table(BoardHead), table(BoardEvent), table(BoardObject), table(Cast)
_election, _electorate, _entry = table(Election), table(Electorate), table(RollEntry)


# --- what never changes after the lock ----------------------------------------------------------------------------


@dataclass(frozen=True)
class Setup:
    """An election as the Setup event fixed it. `description` is the text for people; a plain v1 election declares nothing."""

    election: messages.Election
    trustees: messages.Trustees
    keys: ElectionKeys
    description: str
    declarations: Declarations | None
    meeting_id: str
    data: SetupData

    @property
    def replace(self) -> bool:
        """Whether a member may vote again until the close."""
        return self.declarations is not None and self.declarations.replace


def load_setup(database: Database, election_uuid: str) -> Setup:
    """The locked election, parsed once in each process.

    Raises: NotFoundError: no such election, or it is still a draft; BoardDamagedError: its stored text was changed.
    """
    known = database.setups.get(election_uuid)
    if isinstance(known, Setup):
        return known
    with database.read() as session:
        data = SetupData.parse(checked_object(session, election_uuid, _payload(session, election_uuid, 0)))
        election = messages.Election.parse(checked_object(session, election_uuid, data.election))
        trustees = messages.Trustees.parse(checked_object(session, election_uuid, data.trustees))
        row = session.get_one(Election, election_uuid)
    description, declarations = split_description(election.description)
    setup = Setup(election, trustees, check_trustees(trustees), description, declarations, row.meeting_id, data)
    database.setups[election_uuid] = setup
    return setup


def _payload(session: Session, election_uuid: str, height: int) -> str:
    payload = session.exec(select(BoardEvent.payload).where(BoardEvent.election_uuid == election_uuid, BoardEvent.height == height)).first()
    if payload is None:
        raise NotFoundError(phrase("There is no such election, or it is still being prepared."))
    return payload


# --- casting ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Accepted:
    """What `also` is told of a ballot that is about to be appended; it holds member and ballot together, so keep none of it."""

    meeting_id: str
    election_uuid: str
    election_name: str
    name: str
    email: str
    tracker: str
    cast_at: datetime
    closes_at: datetime
    practice: bool


Also = Callable[[Accepted], Callable[[Connection], object]]


def cast(
    database: Database, keys: Keys, election_uuid: str, token: str, ballot_bytes: bytes, now: datetime, *, also: Also | None = None
) -> Receipt:
    """The ballot is in the box and durable, and this is its receipt. The very same bytes again give the same receipt.

    `token` is the voting token of the member's link, `ballot_bytes` the exact JSON text, `now` (UTC) the moment it arrived.
    `also` is asked before the transaction that appends the ballot, which then runs its answer (the receipt's mail is queued there).

    Raises:
        TokenInvalidError: forged, expired, replaced or withdrawn.
        MalformedError: not a ballot in v1's one form.
        InvalidBallotError, InvalidProofError: for another election, or a proof or the signature fails.
        NotInElectorateError: not this member's election, or signed with somebody else's code.
        NotOpenError, VotingClosedError: too early, too late.
        AlreadyVotedError: another ballot of this member is in the box; `.receipt` is its receipt.
        TooManyTriesError: too many that do not hold came with this token.
        UnavailableError: the database is down or full; nothing is recorded.
    """
    claim = read_voting_token(keys, token, now)
    if len(ballot_bytes) > MAX_BALLOT_BYTES:
        raise MalformedError(phrase("A ballot is never this large."))
    setup = load_setup(database, election_uuid)
    mine = tracker(ballot_bytes)

    # A look before the expensive checks: most of what will be refused is refused here, and a ballot sent again is answered.
    with database.read_connection() as connection:
        found = _look(connection, _LOOK, keys, setup, claim, mine, now)
    if found.receipt is not None:
        return found.receipt

    database.strikes.check(claim.handle, now)
    try:
        ballot = Ballot.parse(ballot_bytes)
        failpoints.reach("parsed")
        with database.in_line("proofs"):  # threads that take turns at each of a hundred short calls cost more than they gain
            check_ballot(setup.election, ballot, None)  # that the credential is this member's, so in the list, is checked below
    except (MalformedError, VerificationError):
        database.strikes.note(claim.handle, now)
        raise
    failpoints.reach("verified")
    beside = None if also is None else also(found.accepted(setup, mine, now))

    # Everybody who casts in this election waits for this transaction: what can be done before it, was. Who waits here has none yet.
    with database.in_line(election_uuid), database.write_connection() as connection:
        head = connection.execute(_LOCK_HEAD, {"uuid": election_uuid}).one()
        found = _look(connection, _LOOK_FOR_GOOD, keys, setup, claim, mine, now, credential=str(ballot.credential), height=head.height)
        if found.receipt is not None:
            return found.receipt
        if found.row.last is None or sha256_hex(found.row.last) != head.hash:  # nothing is appended to what is damaged
            sentence = phrase("The end of the ballot box is damaged, so your vote was not recorded. Please tell the returning officer.")
            raise BoardDamagedError(sentence, height=head.height)
        event = Event(head.height + 1, "Ballot", head.hash, sha256_hex(ballot_bytes))
        _append_ballot(connection, election_uuid, head, event, ballot_bytes, str(ballot.credential), found.ballots, now)
        if beside is not None:
            beside(connection)
        failpoints.reach("before-commit")
    failpoints.reach("after-commit")
    return _receipt(keys, election_uuid, mine, event.height, event.hash, now)


@dataclass(frozen=True)
class _Found:
    """A member's place in one election: the receipt if the very same ballot is in the box, else who may cast one now."""

    receipt: Receipt | None
    row: Any = None
    ballots: int = 0

    def accepted(self, setup: Setup, mine: str, now: datetime) -> Accepted:
        row = self.row
        return Accepted(row.meeting_id, setup.election.uuid, row.election_name, row.name, row.email, mine, now, row.closes_at, row.practice)


# One question to the database, for the member's line on the roll, the right to vote, the election, and the ballots there are.
_LOOK = (
    select_columns(
        *(_entry.c[name] for name in ("meeting_id", "generation", "withdrawn", "reason", "name", "email")),
        _electorate.c.credential,
        _election.c.name.label("election_name"),
        *(_election.c[name] for name in ("state", "opens_at", "closes_at", "closed_at", "practice")),
        *(_cast.c[name] for name in ("ballot_hash", "height", "head", "cast_at")),
    )
    .select_from(_entry)
    .outerjoin(_electorate, and_(_electorate.c.handle == _entry.c.handle, _electorate.c.election_uuid == bindparam("uuid")))
    .outerjoin(_election, and_(_election.c.uuid == _electorate.c.election_uuid, _election.c.meeting_id == bindparam("meeting")))
    .outerjoin(_cast, and_(_cast.c.election_uuid == _electorate.c.election_uuid, _cast.c.credential == _electorate.c.credential))
    .where(_entry.c.handle == bindparam("handle"))
    .order_by(_cast.c.ordinal)
)
# FOR SHARE: a reissue that is under way (`registrar.reissue`) comes wholly before or wholly after this cast.
_LAST = select_columns(_event.c.content).where(_event.c.election_uuid == bindparam("uuid"), _event.c.height == bindparam("height"))
_LOOK_FOR_GOOD = _LOOK.add_columns(_LAST.scalar_subquery().label("last")).with_for_update(read=True, of=_entry)
_LOCK_HEAD = select_columns(_head).where(_head.c.election_uuid == bindparam("uuid")).with_for_update()


def _look(
    connection: Connection,
    question: Select[Any],
    keys: Keys,
    setup: Setup,
    claim: VotingToken,
    mine: str,
    now: datetime,
    credential: str | None = None,
    height: int | None = None,
) -> _Found:
    """Whether these very bytes are in the box, or this member may cast them now. Raises: as `cast`.

    Asked `_LOOK_FOR_GOOD` under the head's lock, with the ballot's `credential` and the head's `height`, its answer is final.
    """
    uuid = setup.election.uuid
    about = {"uuid": uuid, "meeting": claim.meeting_id, "handle": claim.handle}
    rows = connection.execute(question, about if height is None else {**about, "height": height}).all()
    row = rows[0] if rows else None
    if row is None or row.reason or not holds(claim, row.meeting_id, row.generation, withdrawn=row.withdrawn):
        raise not_valid()
    if row.credential is None or row.state is None:
        raise NotInElectorateError(phrase("This election is not one of yours."))
    ballots = [] if row.ballot_hash is None else rows
    for ballot in ballots:
        if ballot.ballot_hash == mine:
            return _Found(_receipt(keys, uuid, ballot.ballot_hash, ballot.height, ballot.head, ballot.cast_at))
    if ballots and not setup.replace:
        last = ballots[-1]
        receipt = _receipt(keys, uuid, last.ballot_hash, last.height, last.head, last.cast_at)
        raise AlreadyVotedError(phrase("You have already voted. Your ballot is in the box."), receipt)
    _check_open(row.state, row.opens_at, min(row.closes_at, row.closed_at or row.closes_at), now)
    if credential is not None and credential != row.credential:
        raise NotInElectorateError(phrase("This ballot was signed with another member's code."))
    return _Found(None, row, len(ballots))


def _check_open(state: ElectionState, opens_at: datetime, closes_at: datetime, now: datetime) -> None:
    if state in {ElectionState.DRAFT, ElectionState.LOCKED} or (state is ElectionState.OPEN and now < opens_at):
        raise NotOpenError(phrase("Voting opens {when}. Your link will work then.", when=spoken(opens_at)))
    if state is ElectionState.VOID:
        raise VotingClosedError(phrase("This election was declared void. Your ballot was not recorded."))
    if state is not ElectionState.OPEN or now >= closes_at:
        raise VotingClosedError(_too_late(closes_at, now - closes_at))


def _too_late(closes_at: datetime, by: timedelta) -> Text:
    """How much too late, where that is less than two hours."""
    when, seconds = spoken(closes_at), int(by.total_seconds())
    if not 0 < seconds < 7200:
        return phrase("Voting closed {when}, before your vote arrived. It was not counted.", when=when)
    if seconds < 120:
        late = phrases("{count} second", "{count} seconds", seconds)
    else:
        late = phrases("{count} minute", "{count} minutes", seconds // 60)
    return phrase("Voting closed {when}, {late} before your vote arrived. It was not counted.", when=when, late=late)


def _receipt(keys: Keys, election_uuid: str, ballot: str, height: int, head: str, time: datetime) -> Receipt:
    return make_receipt(keys.receipt.sign, election=election_uuid, ballot=ballot, height=height, head=head, time=iso(time))


@dataclass(frozen=True)
class MemberElection:
    """One election as a member's start page shows it; `receipt` is that of the last ballot, None before the first."""

    uuid: str
    name: str
    state: ElectionState
    opens_at: datetime
    closes_at: datetime
    replace: bool
    practice: bool
    fingerprint: str
    receipt: Receipt | None


def elections_of(session: Session, keys: Keys, entry: RollEntry) -> list[MemberElection]:
    """The elections of the meeting that are this member's, in order of closing and name; drafts are not shown."""
    rows = session.exec(
        select(Election, Electorate.credential)
        .join(Electorate, col(Electorate.election_uuid) == col(Election.uuid))
        .where(Electorate.handle == entry.handle, Election.meeting_id == entry.meeting_id)
        .order_by(col(Election.closes_at), col(Election.name))
    ).all()
    return [
        MemberElection(
            e.uuid, e.name, e.state, e.opens_at, e.closes_at, e.replace, e.practice, e.fingerprint, _last(session, keys, e.uuid, credential)
        )
        for e, credential in rows
    ]


def receipt_of(session: Session, keys: Keys, election_uuid: str, handle: str) -> Receipt | None:
    """The receipt of the member's last ballot in one election, or None."""
    credential = session.exec(
        select(Electorate.credential).where(Electorate.election_uuid == election_uuid, Electorate.handle == handle)
    ).first()
    return None if credential is None else _last(session, keys, election_uuid, credential)


def _last(session: Session, keys: Keys, election_uuid: str, credential: str) -> Receipt | None:
    row = session.exec(
        select(Cast).where(Cast.election_uuid == election_uuid, Cast.credential == credential).order_by(col(Cast.ordinal).desc())
    ).first()
    return None if row is None else _receipt(keys, election_uuid, row.ballot_hash, row.height, row.head, row.cast_at)


# --- appending ----------------------------------------------------------------------------------------------------


def begin_chain(session: Session, election_uuid: str, objects: Sequence[bytes], now: datetime) -> Event:
    """The Setup event, whose payload is the last of `objects`, starts the election's archive."""
    timestamp = int(now.timestamp())
    event = archive.next_event(None, "Setup", sha256_hex(objects[-1]))
    session.add(BoardHead(election_uuid=election_uuid, height=-1, hash="", size=len(archive.pack_header(timestamp)), timestamp=timestamp))
    session.flush()
    connection = session.connection()
    head = connection.execute(select_columns(_head).where(_head.c.election_uuid == election_uuid)).one()
    _append(connection, election_uuid, head, event, objects)
    session.expire_all()
    return event


def lock_head(session: Session, election_uuid: str) -> BoardHead:
    """The end of the chain; nobody else appends until the caller's transaction ends. Raises: NotFoundError."""
    head = session.exec(
        select(BoardHead).where(BoardHead.election_uuid == election_uuid).with_for_update().execution_options(populate_existing=True)
    ).first()
    if head is None:
        raise NotFoundError(phrase("There is no such election, or it is still being prepared."))
    return head


def append(session: Session, election_uuid: str, kind: EventType, objects: Sequence[bytes] = ()) -> Event:
    """The next event is on the board once the caller commits; its payload is the last of `objects`, or nothing."""
    row = lock_head(session, election_uuid)
    event = Event(row.height + 1, kind, row.hash, sha256_hex(objects[-1]) if objects else None)
    _append(session.connection(), election_uuid, row, event, objects)
    session.expire(row)
    return event


def _append(connection: Connection, election_uuid: str, head: Any, event: Event, objects: Sequence[bytes]) -> None:
    text = event.to_bytes()
    if objects:
        connection.execute(
            insert(_object),
            [
                {"election_uuid": election_uuid, "hash": sha256_hex(data), "height": event.height, "position": i, "content": data}
                for i, data in enumerate(objects)
            ],
        )
    connection.execute(
        insert(_event).values(
            election_uuid=election_uuid, height=event.height, type=event.type, hash=event.hash, payload=event.payload, content=text
        )
    )
    grown = sum(entry_size(data) for data in (*objects, text))
    changed = connection.execute(
        update(_head)
        .where(_head.c.election_uuid == election_uuid, _head.c.height == event.height - 1)
        .values(height=event.height, hash=event.hash, size=head.size + grown)
    )
    if changed.rowcount != 1:
        raise RuntimeError("the chain grew while its head was locked")


_INSERTS = {rows: insert(rows) for rows in (_object, _event, _cast)}
_MOVE_HEAD = (
    update(_head)
    .where(_head.c.election_uuid == bindparam("of"), _head.c.height == bindparam("before"))
    .values(height=bindparam("to_height"), hash=bindparam("to_hash"), size=bindparam("to_size"))
)
# PostgreSQL takes all four as one statement, which is three journeys less under the lock.
_ALL_IN_ONE = _MOVE_HEAD.add_cte(
    *(
        insert(rows).values({c.name: bindparam(f"{rows.name}_{c.name}", type_=c.type) for c in rows.columns}).cte(f"w_{rows.name}")
        for rows in (_object, _event, _cast)
    )
)


def _append_ballot(
    connection: Connection, election_uuid: str, head: Any, event: Event, data: bytes, credential: str, ordinal: int, now: datetime
) -> None:
    """As `_append`, with the record of the cast, for the one event that many wait for."""
    text = event.to_bytes()
    written: dict[Table, dict[str, Any]] = {
        _object: {"election_uuid": election_uuid, "hash": event.payload, "height": event.height, "position": 0, "content": data},
        _event: {
            "election_uuid": election_uuid,
            "height": event.height,
            "type": event.type,
            "hash": event.hash,
            "payload": event.payload,
            "content": text,
        },
        _cast: {
            "election_uuid": election_uuid,
            "ballot_hash": tracker_of_hash(str(event.payload)),
            "credential": credential,
            "ordinal": ordinal,
            "height": event.height,
            "head": event.hash,
            "cast_at": now.replace(microsecond=0),
        },
    }
    moved = {
        "of": election_uuid,
        "before": event.height - 1,
        "to_height": event.height,
        "to_hash": event.hash,
        "to_size": head.size + entry_size(data) + entry_size(text),
    }
    if connection.dialect.name == "postgresql":
        values = {f"{rows.name}_{name}": value for rows, row in written.items() for name, value in row.items()}
        changed = connection.execute(_ALL_IN_ONE, moved | values)
    else:
        for rows, row in written.items():
            connection.execute(_INSERTS[rows], row)
        changed = connection.execute(_MOVE_HEAD, moved)
    if changed.rowcount != 1:
        raise RuntimeError("the chain grew while its head was locked")


def entry_size(data: bytes) -> int:
    """A tar entry: header of 512 bytes, content padded to a multiple of 512."""
    return 512 + len(data) + -len(data) % 512


# --- reading ------------------------------------------------------------------------------------------------------


def head_of(session: Session, election_uuid: str) -> BoardHead:
    """Height and hash of the last event, and the archive's size in bytes. Raises: NotFoundError: none, or still a draft."""
    head = session.get(BoardHead, election_uuid)
    if head is None:
        raise NotFoundError(phrase("There is no such election, or it is still being prepared."))
    return head


def archive_header(session: Session, election_uuid: str) -> bytes:
    """The archive's `BELENIOS` entry. Raises: NotFoundError."""
    return archive.Header(1, str(head_of(session, election_uuid).timestamp)).to_bytes()


def object_bytes(session: Session, election_uuid: str, object_hash: str) -> bytes:
    """An object or an event by its hash, as the archive holds it. Raises: NotFoundError."""
    found = session.exec(
        select(BoardObject.content).where(BoardObject.election_uuid == election_uuid, BoardObject.hash == object_hash)
    ).first()
    if found is None:
        found = session.exec(
            select(BoardEvent.content).where(BoardEvent.election_uuid == election_uuid, BoardEvent.hash == object_hash)
        ).first()
    if found is None:
        raise NotFoundError(phrase("There is no such object on this election's board."))
    return found


def checked_object(session: Session, election_uuid: str, object_hash: str) -> bytes:
    """As `object_bytes`, after comparing it with its hash. Raises: NotFoundError, BoardDamagedError."""
    content = object_bytes(session, election_uuid, object_hash)
    if sha256_hex(content) != object_hash:
        raise BoardDamagedError(
            phrase("The object {hash}… was changed in the database.", hash=object_hash[:16]), height=0, object_hash=object_hash
        )
    return content


def event_at(session: Session, election_uuid: str, height: int) -> Event:
    """The event at a height. Raises: NotFoundError."""
    row = session.get(BoardEvent, (election_uuid, height))
    if row is None:
        raise NotFoundError(phrase("The board has no event at this height."))
    return Event.parse(row.content)


def stream_archive(database: Database, election_uuid: str) -> tuple[int, Iterator[bytes]]:
    """The `.bel` file as it stands now: its size in bytes, and its pieces in order. Memory does not grow with it.

    Raises: NotFoundError.
    """
    with database.read() as session:
        head = head_of(session, election_uuid)
    return head.size, _stream(database, election_uuid, head.height, head.timestamp)


def _stream(database: Database, election_uuid: str, last: int, timestamp: int) -> Iterator[bytes]:
    yield archive.pack_header(timestamp)
    for first, end in _spans(database, election_uuid, 0, last):
        with database.read_connection() as connection:
            data, events = _rows(connection, election_uuid, first, end)
        for event in events:
            for row in data.get(event.height, ()):
                yield archive.pack_object(row.content, timestamp)
            yield archive.pack_event(event.content, timestamp)


def _spans(database: Database, election_uuid: str, first: int, last: int) -> Iterator[tuple[int, int]]:
    """The heights from `first` to `last` in spans to be read at once: many ballots, but one of the events after them, each of which
    may hold as much as all ballots together.
    """
    with database.read_connection() as connection:
        few = and_(_event.c.election_uuid == election_uuid, _event.c.height > max(last - _CHUNK, 0), _event.c.height <= last)
        heavy = connection.execute(select_columns(func.min(_event.c.height)).where(few, _event.c.type != "Ballot")).scalar()
    light = last + 1 if heavy is None else min(heavy, last + 1)
    for start in range(first, light, _CHUNK):
        yield start, min(start + _CHUNK, light)
    for height in range(max(first, light), last + 1):
        yield height, height + 1


def _rows(connection: Connection, election_uuid: str, first: int, end: int) -> tuple[dict[int, list[Any]], Sequence[Any]]:
    """The objects by height and the events of the heights from `first` to before `end`."""
    events = connection.execute(
        select_columns(_event)
        .where(_event.c.election_uuid == election_uuid, _event.c.height >= first, _event.c.height < end)
        .order_by(_event.c.height)
    ).all()
    data: dict[int, list[Any]] = {}
    for row in connection.execute(
        select_columns(_object)
        .where(_object.c.election_uuid == election_uuid, _object.c.height >= first, _object.c.height < end)
        .order_by(_object.c.height, _object.c.position)
    ):
        data.setdefault(row.height, []).append(row)
    return data, events


def stored_ballots(database: Database, election_uuid: str) -> Iterator[tuple[int, bytes]]:
    """Height and bytes of every ballot in order, each compared with the chain on the way.

    Raises: BoardDamagedError.
    """
    for event, objects in checked_events(database, election_uuid):
        if event.type == "Ballot":
            yield event.height, objects[-1]


def checked_events(database: Database, election_uuid: str, first: int = 0) -> Iterator[tuple[Event, list[bytes]]]:
    """Every stored event from height `first` on with its objects, after comparing each row with the chain, up to the head.

    Raises: BoardDamagedError: a row was changed, added or taken away; `.height` and `.object_hash` say which.
    """
    with database.read() as session:
        last, expected = (head := head_of(session, election_uuid)).height, head.hash
        parent = event_at(session, election_uuid, first - 1).hash if first else None
    for start, end in _spans(database, election_uuid, first, last):
        with database.read_connection() as connection:
            rows = _rows_with_casts(connection, election_uuid, start, end)
        for event, objects in _compare(*rows, start, end, parent):
            parent = event.hash
            yield event, objects
    if parent != expected:
        raise BoardDamagedError(phrase("The event at height {height} is not the head of the chain.", height=last), height=last)


def _rows_with_casts(
    connection: Connection, election_uuid: str, first: int, end: int
) -> tuple[dict[int, list[Any]], Sequence[Any], dict[int, str]]:
    """As `_rows`, and the tracker in each height's record of a cast."""
    casts = connection.execute(
        select_columns(_cast.c.height, _cast.c.ballot_hash).where(
            _cast.c.election_uuid == election_uuid, _cast.c.height >= first, _cast.c.height < end
        )
    )
    return *_rows(connection, election_uuid, first, end), {row.height: row.ballot_hash for row in casts}


def _compare(
    data: dict[int, list[Any]], events: Sequence[Any], casts: dict[int, str], first: int, end: int, parent: str | None
) -> Iterator[tuple[Event, list[bytes]]]:
    by_height = {row.height: row for row in events}
    for height in range(first, end):
        if height not in by_height:
            raise BoardDamagedError(phrase("The event at height {height} is missing from the database.", height=height), height=height)
        event = _checked_event(by_height[height], parent)
        objects = _checked_objects(event, data.get(height, []))
        if casts.get(height) != (tracker_of_hash(str(event.payload)) if event.type == "Ballot" else None):
            raise BoardDamagedError(
                phrase("The record of the ballot at height {height} is not what the chain says.", height=height), height=height
            )
        parent = event.hash
        yield event, objects


def _checked_event(row: Any, parent: str | None) -> Event:
    try:
        event = Event.parse(row.content)
    except MalformedError as error:
        raise BoardDamagedError(
            phrase("The event at height {height} was changed in the database.", height=row.height), height=row.height
        ) from error
    if (event.height, event.type, event.payload, event.hash) != (row.height, row.type, row.payload, row.hash) or event.parent != parent:
        raise BoardDamagedError(phrase("The event at height {height} was changed in the database.", height=row.height), height=row.height)
    return event


def _checked_objects(event: Event, rows: Sequence[Any]) -> list[bytes]:
    for row in rows:
        if sha256_hex(row.content) != row.hash:
            what = "ballot" if event.type == "Ballot" else "object"
            raise BoardDamagedError(
                phrase(
                    "The {what} {hash}… stored at height {height} was changed: it no longer has the hash in the chain.",
                    what=what,
                    hash=row.hash[:16],
                    height=event.height,
                ),
                height=event.height,
                object_hash=row.hash,
            )
    if (rows[-1].hash if rows else None) != event.payload or (event.type == "Ballot" and len(rows) != 1):
        raise BoardDamagedError(
            phrase("The payload of the event at height {height} was changed or taken away.", height=event.height), height=event.height
        )
    return [row.content for row in rows]


def check_storage(database: Database, election_uuid: str, first: int = 0) -> int:
    """Compare every stored row from height `first` on with the chain; the last height on success. Raises: BoardDamagedError."""
    height = first - 1
    for event, _ in checked_events(database, election_uuid, first):
        height = event.height
    return height


def check_tail(session: Session, election_uuid: str, first: int) -> None:
    """As `check_storage`, inside a transaction that holds the head's lock: the last rows, and that nothing lies beyond the head.

    Raises: BoardDamagedError.
    """
    connection, head = session.connection(), head_of(session, election_uuid)
    parent = event_at(session, election_uuid, first - 1).hash if first else None
    for event, _ in _compare(*_rows_with_casts(connection, election_uuid, first, head.height + 1), first, head.height + 1, parent):
        parent = event.hash
    if parent != head.hash:
        raise BoardDamagedError(
            phrase("The event at height {height} is not the head of the chain.", height=head.height), height=head.height
        )
    for rows in (_event, _object, _cast):
        beyond = connection.execute(
            select_columns(func.min(rows.c.height)).where(rows.c.election_uuid == election_uuid, rows.c.height > head.height)
        ).scalar()
        if beyond is not None:
            raise BoardDamagedError(
                phrase("The database has a row at height {height}, beyond the head of the chain.", height=beyond), height=beyond
            )


@dataclass(frozen=True)
class BoardLine:
    """One ballot as the public board lists it; no time and no name. `counted` is false once another replaced it."""

    height: int
    tracker: str
    counted: bool


def ballots_on_board(session: Session, election_uuid: str, *, part: str = "", skip: int = 0, most: int | None = None) -> list[BoardLine]:
    """Ballots in the order of the chain: all, or those whose tracker contains `part`, without the first `skip`, at most so many.

    Raises: NotFoundError.
    """
    head_of(session, election_uuid)
    later = aliased(Cast)
    replaced = exists().where(
        col(later.election_uuid) == Cast.election_uuid, col(later.credential) == Cast.credential, col(later.ordinal) > col(Cast.ordinal)
    )
    rows = select(Cast.height, Cast.ballot_hash, replaced).where(*_containing(session, election_uuid, part)).order_by(col(Cast.height))
    return [BoardLine(height, ballot, not gone) for height, ballot, gone in session.exec(rows.offset(skip).limit(most)).all()]


def number_on_board(session: Session, election_uuid: str, part: str = "") -> int:
    """How many ballots are in the box, replaced ones too: all, or those whose tracker contains `part`."""
    return session.exec(select(func.count()).select_from(Cast).where(*_containing(session, election_uuid, part))).one()


def _containing(session: Session, election_uuid: str, part: str) -> list[ColumnElement[bool]]:
    place = func.strpos if session.get_bind().dialect.name == "postgresql" else func.instr  # LIKE would take small for large letters
    return [col(Cast.election_uuid) == election_uuid, *([place(Cast.ballot_hash, part) > 0] if part else [])]


def find_ballot(session: Session, election_uuid: str, code: str) -> BoardLine | None:
    """The ballot with this receipt code, or None. Raises: MalformedError: not the form of a receipt code."""
    hash_of_tracker(code)
    row = session.get(Cast, (election_uuid, code))
    if row is None:
        return None
    later = session.exec(
        select(func.count()).where(Cast.election_uuid == election_uuid, Cast.credential == row.credential, col(Cast.ordinal) > row.ordinal)
    ).one()
    return BoardLine(row.height, row.ballot_hash, later == 0)


def turnout(session: Session, election_uuid: str) -> tuple[int, int]:
    """How many members have voted, and how many may."""
    voted = session.exec(select(func.count()).where(Cast.election_uuid == election_uuid, Cast.ordinal == 0)).one()
    setup = session.exec(select(func.count()).where(Electorate.election_uuid == election_uuid)).one()
    return voted, setup or _credentials_listed(session, election_uuid)


def _credentials_listed(session: Session, election_uuid: str) -> int:
    """After tidy the number of public credentials still tells how many could vote."""
    if session.get(BoardHead, election_uuid) is None:
        return 0
    data = SetupData.parse(object_bytes(session, election_uuid, _payload(session, election_uuid, 0)))
    return len(messages.PublicCredentials.parse(object_bytes(session, election_uuid, data.credentials)).entries)


def companion_bytes(session: Session, election_uuid: str) -> bytes:
    """The companion file published beside the archive: a JSON array with each trustee's proofs, by owner."""
    rows = session.exec(select(Companion.content).where(Companion.election_uuid == election_uuid).order_by(col(Companion.owner))).all()
    return b"[" + b",".join(rows) + b"]"  # each is the one canonical text, as it was checked when it came


# --- checkpoints --------------------------------------------------------------------------------------------------


def origin(config: Config, election_uuid: str) -> str:
    """The name of an election's board in checkpoints: host and path of its page."""
    return f"{config.public_host}/e/{election_uuid}"


def checkpoint(session: Session, config: Config, keys: Keys, election_uuid: str) -> str:
    """The head of the board now, as a signed note. Raises: NotFoundError."""
    head = head_of(session, election_uuid)
    return sign_checkpoint(keys.receipt.sign, keys.receipt_public_bytes, Checkpoint(origin(config, election_uuid), head.height, head.hash))


def checkpoint_key(config: Config, keys: Keys, election_uuid: str) -> str:
    """The key that checks this board's checkpoints, in the form that note tools read."""
    return verifier_key(origin(config, election_uuid), keys.receipt_public_bytes)
