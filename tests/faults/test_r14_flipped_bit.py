"""R14: one bit flipped at a random place: of a row in the database, of SQLite's file, of a copy of the archive."""

from __future__ import annotations

import io
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update
from sqlalchemy.exc import DatabaseError
from sqlmodel import SQLModel

from ballot.errors import BallotError
from ballot.models import (
    BoardEvent,
    BoardHead,
    BoardObject,
    Cast,
    Companion,
    Election,
    Electorate,
    JournalEntry,
    JournalHead,
    RollEntry,
    table,
)
from ballot.services import board, sweep
from ballot.services.database import Database
from ballot.verifier.report import Outcome
from ballot.verifier.verify import verify_archive
from tests.faults.fault import Fault, Found, Place
from tests.services.world import MOTION, World

# What an election's chain, journal and roll vouch for, column by column.
COVERED: dict[type[SQLModel], tuple[str, ...]] = {
    BoardEvent: ("height", "type", "hash", "payload", "content"),
    BoardObject: ("hash", "height", "content"),
    BoardHead: ("height", "hash", "size", "timestamp"),
    Cast: ("ballot_hash", "credential", "ordinal", "height", "head"),
    Companion: ("owner", "content"),
    Election: ("name", "fingerprint"),
    Electorate: ("handle", "credential"),
    JournalEntry: ("height", "hash", "content"),
    JournalHead: ("height", "hash"),
    RollEntry: ("handle", "name", "email_key"),
}
VOTERS = 8


@dataclass
class Full:
    """A published election and an open one, in one database that is not in use."""

    world: World
    uuids: tuple[str, str]
    archive: bytes
    companion: bytes


def fill(url: str) -> Full:
    world = World(Database(url))
    world.database.migrate()
    meeting = world.meeting(two_people=False, members=VOTERS)
    uuids = [world.election(meeting, questions=[MOTION]) for _ in range(2)]
    for uuid in uuids:
        world.open(uuid)
        for entry in world.members(meeting)[: VOTERS - 1]:
            world.cast(uuid, entry, [(0, 1, 0)])
    world.close(uuids[0])
    world.tally(uuids[0])
    archive = b"".join(board.stream_archive(world.database, uuids[0])[1])
    with world.database.read() as session:
        companion = board.companion_bytes(session, uuids[0])
    for uuid in uuids:
        sweep.publish(world.database, uuid, world.now)
    world.database.overwrite_deleted()
    world.database.dispose()
    return Full(world, (uuids[0], uuids[1]), archive, companion)


def run(rounds: int, here: Place) -> Found:
    """Each round flips one bit of each kind; what each comes to is in the figures."""
    found, luck = Found(), random.Random(here.seed)
    full = fill(here.url("whole"))
    here.stack.callback(full.world.database.dispose)
    _database(found, full, rounds, luck)
    if here.kind == "sqlite":
        path = Path(str(full.world.database.engine.url.database))
        _file(found, full, path, here.sub("bent"), rounds, luck)
        _archive(found, full, rounds, luck)
    return found


def published(database: Database, full: Full) -> str:
    """What stops the next head from being published; empty if nothing does."""
    try:
        for uuid in full.uuids:
            sweep.sweep(database, uuid)
    except (BallotError, DatabaseError, UnicodeError) as error:
        return f"{type(error).__name__}: {error}"
    return ""


def _database(found: Found, full: Full, rounds: int, luck: random.Random) -> None:
    places = [(model, column) for model, columns in COVERED.items() for column in columns]
    database = full.world.database
    for _ in range(rounds):
        model, column = luck.choice(places)
        rows = table(model)
        with database.write_connection() as connection:
            row = luck.choice(connection.execute(select(rows)).all())
            old = getattr(row, column)
            new = _flipped(old, luck)
            key = [c == getattr(row, c.name) for c in rows.primary_key.columns]
            after = [c == (new if c.name == column else getattr(row, c.name)) for c in rows.primary_key.columns]
            if database.is_sqlite:
                connection.exec_driver_sql("PRAGMA defer_foreign_keys = ON")
            try:
                with connection.begin_nested():
                    connection.execute(update(rows).where(*key).values({column: new}))
            except DatabaseError:
                found.add("rows: the database itself refuses it")
                found.rounds += 1
                continue
        noticed = published(database, full)
        found.expect(bool(noticed), f"{rows.name}.{column}: {old!r:.60} became {new!r:.60}, and the next head was published")
        found.add("rows: found")
        with database.write_connection() as connection:
            connection.execute(update(rows).where(*after).values({column: old}))
        found.rounds += 1
    left = published(database, full)
    found.expect(not left, f"after all was put back: {left}")


def _flipped(old: Any, luck: random.Random) -> Any:
    if old is None:
        return "x"
    if isinstance(old, int):
        return old ^ (1 << luck.randrange(16))
    data = bytearray(old if isinstance(old, bytes) else old.encode())
    while True:
        data[luck.randrange(len(data))] ^= 1 << luck.randrange(8)
        if isinstance(old, bytes):
            return bytes(data)
        try:
            text = data.decode()
        except UnicodeDecodeError:
            data = bytearray(old.encode())
            continue
        if "\0" not in text:
            return text
        data = bytearray(old.encode())


def _file(found: Found, full: Full, path: Path, folder: Path, rounds: int, luck: random.Random) -> None:
    whole, before = path.read_bytes(), _contents(path)
    for _ in range(rounds):
        place, bit = luck.randrange(len(whole)), luck.randrange(8)
        bent = folder / "bent.sqlite3"
        bent.write_bytes(whole[:place] + bytes([whole[place] ^ (1 << bit)]) + whole[place + 1 :])
        database = Database(f"sqlite:///{bent}")
        try:
            noticed = published(database, full)
        finally:
            database.dispose()
        if noticed:
            found.add("file: found")
        else:
            changed = _difference(before, _contents(bent))
            found.expect(not changed & _covered(), f"bit {bit} of byte {place}: {sorted(changed)} changed, and the next head was published")
            found.add("file: nothing that anybody reads" if not changed else f"file: not vouched for ({', '.join(sorted(changed))})")
        for left in folder.glob("bent*"):
            left.unlink()
        found.rounds += 1


def _covered() -> set[str]:
    return {"the file itself.is"} | {f"{table(model).name}.{column}" for model, columns in COVERED.items() for column in columns}


def _contents(path: Path) -> dict[str, list[Any]]:
    """Every table's rows, read without any index."""
    database = Database(f"sqlite:///{path}")
    found: dict[str, list[Any]] = {}
    try:
        with database.read_connection() as connection:
            sound = connection.exec_driver_sql("PRAGMA integrity_check(1)").scalar_one()
            found["the file itself"] = [{"is": sound}]
            for name in SQLModel.metadata.tables:
                quoted = f'SELECT * FROM "{name}" NOT INDEXED'  # noqa: S608 - our own tables
                found[name] = sorted((dict(row._mapping) for row in connection.exec_driver_sql(quoted)), key=repr)
    except DatabaseError:
        found["unreadable"] = [{"": ""}]
    finally:
        database.dispose()
    return found


def _difference(before: dict[str, list[Any]], after: dict[str, list[Any]]) -> set[str]:
    changed: set[str] = set()
    for name in before.keys() | after.keys():
        one, other = before.get(name, []), after.get(name, [])
        if len(one) != len(other):
            changed.add(f"{name}.rows")
        for left, right in zip(one, other, strict=False):
            changed |= {f"{name}.{column}" for column in left if left[column] != right.get(column)}
    return changed


def _archive(found: Found, full: Full, rounds: int, luck: random.Random) -> None:
    for _ in range(rounds):
        place, bit = luck.randrange(len(full.archive)), luck.randrange(8)
        bent = bytearray(full.archive)
        bent[place] ^= 1 << bit
        report = verify_archive(io.BytesIO(bytes(bent)), companion=full.companion)
        refused = report.outcome in {Outcome.REFUSED, Outcome.UNUSABLE}
        found.expect(refused, f"bit {bit} of byte {place} of the archive: the verifier says {report.outcome.word}")
        found.add("archive: refused", refused)
        found.rounds += 1


FAULT = Fault(
    "R14",
    "one bit flipped: of a row, of SQLite's file, of the archive (each)",
    "found before the next head is published",
    1000,
    12,
    run,
)


@pytest.mark.slow
def test_a_flipped_bit_is_found_before_the_next_head_is_published(both: Place) -> None:
    FAULT.check(both)
