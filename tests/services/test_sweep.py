"""A head is published only after every stored row was compared with the chain."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select, update
from sqlmodel import SQLModel

from ballot.errors import BoardDamagedError
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
    PublishedHead,
    RollEntry,
    table,
)
from ballot.protocol.receipts import open_checkpoint
from ballot.services import board, journal, sweep
from ballot.services.database import Database
from tests.services.world import CLOSES, MOTION, World

head = table(BoardHead)
Full = tuple[World, str, str]


@pytest.fixture
def full(world: World) -> Full:
    """A published election, so that every kind of row is there."""
    meeting = world.meeting(two_people=False)
    uuid = world.election(meeting, questions=[MOTION])
    world.open(uuid)
    for entry in world.members(meeting)[:5]:
        world.cast(uuid, entry, [(0, 1, 0)])
    world.close(uuid)
    world.tally(uuid)
    return world, uuid, meeting.id


def note(world: World, uuid: str) -> str | None:
    with world.database.read() as session:
        return sweep.checkpoint(session, world.config, world.keys, uuid)


def shown(world: World, uuid: str) -> int:
    text = note(world, uuid)
    assert text is not None
    return open_checkpoint(text, board.origin(world.config, uuid), world.keys.receipt_public_bytes).height


def test_only_what_was_swept_is_shown(world: World) -> None:
    meeting = world.meeting(two_people=False)
    uuid = world.election(meeting, questions=[MOTION])
    world.open(uuid)
    assert 0 == shown(world, uuid)  # nothing can have been taken back before the set-up
    members = world.members(meeting)
    world.cast(uuid, members[0], [(0, 1, 0)])
    assert note(world, uuid) is None
    moment = [0.0]
    sweeper = sweep.Sweeper(world.database, seconds=lambda: moment[0])
    assert [uuid] == sweeper.look(world.now)
    assert 1 == shown(world, uuid)
    assert [] == sweeper.look(world.now)
    world.cast(uuid, members[1], [(0, 1, 0)])
    assert 1 == shown(world, uuid)
    assert [uuid] == sweeper.look(world.now)
    assert 2 == shown(world, uuid)
    moment[0] = 299.0
    assert [] == sweeper.look(world.now)
    moment[0] = 301.0
    assert [uuid] == sweeper.look(world.now)  # now and then also when nothing is new


def test_a_sweep_takes_a_tenth_of_the_time_at_most(world: World) -> None:
    meeting = world.meeting(two_people=False)
    uuid = world.election(meeting, questions=[MOTION])
    world.open(uuid)
    moments = iter([0.0, 2.0, 3.0, 3.0, 19.9, 20.1, 20.2])
    sweeper = sweep.Sweeper(world.database, seconds=lambda: next(moments))
    assert [uuid] == sweeper.look(world.now)  # which took 2 seconds
    members = world.members(meeting)
    world.cast(uuid, members[0], [(0, 1, 0)])
    assert [[], [], [], [uuid]] == [sweeper.look(world.now) for _ in range(4)]


def test_a_slower_sweep_does_not_pull_the_head_back(full: Full) -> None:
    world, uuid, _ = full
    last, _ = sweep.publish(world.database, uuid, world.now)
    with world.database.write_connection() as connection:
        connection.execute(update(table(PublishedHead)).values(height=last + 1, hash="f" * 64))
    sweep.publish(world.database, uuid, world.now)
    with world.database.read() as session:
        assert last + 1 == session.get_one(PublishedHead, uuid).height


@dataclass(frozen=True)
class Flip:
    """One bit of one column of one row; what is no text, bytes or number is changed in another small way."""

    model: type[SQLModel]
    column: str
    where: tuple[tuple[str, object], ...] = ()

    def __call__(self, database: Database) -> Callable[[], None]:
        """Done, and how to undo it."""
        rows = table(self.model)
        mine = [rows.c[name] == value for name, value in self.where]
        with database.write_connection() as connection:
            row = connection.execute(select(rows).where(*mine)).first()
            assert row is not None
            old, new = getattr(row, self.column), flipped(getattr(row, self.column))
            after = [column == (new if column.name == self.column else getattr(row, column.name)) for column in rows.primary_key.columns]
            before = [column == getattr(row, column.name) for column in rows.primary_key.columns]
            connection.execute(update(rows).where(*before).values({self.column: new}))

        def undo() -> None:
            with database.write_connection() as connection:
                connection.execute(update(rows).where(*after).values({self.column: old}))

        return undo


def flipped(old: object) -> object:
    if isinstance(old, bytes):
        return bytes([*old[:40], old[40] ^ 1, *old[41:]])
    if isinstance(old, str):
        return old[:3] + chr(ord(old[3]) ^ 1) + old[4:]
    if isinstance(old, int):
        return old ^ 64
    if isinstance(old, datetime):
        return old + timedelta(seconds=1)
    assert isinstance(old, list)
    return [*old, "x"]


def flip(model: type[SQLModel], column: str, **where: object) -> Flip:
    return Flip(model, column, tuple(where.items()))


FLIPS = [
    flip(BoardEvent, "content", height=2),
    flip(BoardEvent, "payload", height=2),
    flip(BoardEvent, "hash", height=2),
    flip(BoardEvent, "type", height=2),
    flip(BoardObject, "content", height=2),
    flip(BoardObject, "hash", height=2),
    flip(BoardObject, "height", height=2),
    flip(BoardHead, "hash"),
    flip(BoardHead, "size"),
    flip(BoardHead, "timestamp"),
    flip(Cast, "ballot_hash", height=2),
    flip(Cast, "credential", height=2),
    flip(Cast, "ordinal", height=2),
    flip(Cast, "head", height=2),
    flip(Cast, "height", height=2),
    flip(Companion, "content", owner=1),
    flip(Election, "fingerprint"),
    flip(Election, "name"),
    flip(Election, "opens_at"),
    flip(Election, "closes_at"),
    flip(Electorate, "credential"),
    flip(Electorate, "handle"),
    flip(JournalEntry, "content", height=3),
    flip(JournalHead, "height"),
    flip(RollEntry, "name"),
    flip(RollEntry, "email_key"),
    flip(RollEntry, "sections"),
]


def test_what_is_damaged_is_not_published(full: Full) -> None:
    world, uuid, meeting = full
    before, _ = sweep.publish(world.database, uuid, world.now)
    for change in FLIPS:
        undo = change(world.database)
        with pytest.raises(BoardDamagedError):
            sweep.publish(world.database, uuid, world.now)
        assert [] == sweep.Sweeper(world.database).look(world.now), change
        assert before == shown(world, uuid)
        if change.model not in {JournalEntry, JournalHead}:
            with world.database.read() as session:
                assert "damage found" == journal.entries(session, meeting)[-1].act
        undo()
        assert (before, uuid) == (sweep.publish(world.database, uuid, world.now)[0], uuid), change


def test_nothing_is_appended_to_a_damaged_head(world: World) -> None:
    meeting = world.meeting(two_people=False)
    uuid = world.election(meeting, questions=[MOTION])
    world.open(uuid)
    members = world.members(meeting)
    world.cast(uuid, members[0], [(0, 1, 0)])
    with world.database.write_connection() as connection:
        connection.execute(update(head).values(hash="f" * 64))
    with pytest.raises(BoardDamagedError, match="your vote was not recorded"):
        world.cast(uuid, members[1], [(0, 1, 0)])
    assert world.now < CLOSES
