"""Rows changed behind the server's back are found before anything is closed or counted, and named."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Connection, delete, insert, select, update

from ballot.errors import BoardDamagedError
from ballot.models import BoardEvent, BoardHead, BoardObject, Cast, ElectionState, RollEntry, table
from ballot.protocol.ballots import tracker
from ballot.protocol.messages import Event, sha256_hex
from ballot.services import board, journal, lifecycle, tally
from tests.services.world import CLOSES, OFFICER, World

event, obj, cast, head = table(BoardEvent), table(BoardObject), table(Cast), table(BoardHead)
Full = tuple[World, str, str, list[RollEntry]]


@pytest.fixture
def full_box(world: World) -> Full:
    """An open election with five ballots, one minute before the close."""
    meeting = world.meeting(two_people=False)
    uuid = world.election(meeting)
    world.open(uuid)
    for entry in world.members(meeting)[:5]:
        world.cast(uuid, entry)
    world.clock.moment = CLOSES
    return world, uuid, meeting.id, world.members(meeting)


def other_ballot(full_box: Full) -> bytes:
    world, uuid, _, members = full_box
    return world.ballot(uuid, members[1], ((0, 0, 1), (0, 0, 0, 1)))


def swap_the_bytes(connection: Connection, uuid: str, data: bytes) -> None:
    connection.execute(update(obj).where(obj.c.election_uuid == uuid, obj.c.height == 2).values(content=data))


def swap_bytes_and_hash(connection: Connection, uuid: str, data: bytes) -> None:
    connection.execute(update(obj).where(obj.c.election_uuid == uuid, obj.c.height == 2).values(content=data, hash=sha256_hex(data)))


def swap_bytes_hash_and_event(connection: Connection, uuid: str, data: bytes) -> None:
    swap_bytes_and_hash(connection, uuid, data)
    old = connection.execute(select(event).where(event.c.election_uuid == uuid, event.c.height == 2)).one()
    new = Event(2, "Ballot", Event.parse(old.content).parent, sha256_hex(data))
    second = update(event).where(event.c.election_uuid == uuid, event.c.height == 2)
    connection.execute(second.values(content=new.to_bytes(), hash=new.hash, payload=new.payload))


def swap_the_record_of_the_cast(connection: Connection, uuid: str, data: bytes) -> None:
    connection.execute(update(cast).where(cast.c.election_uuid == uuid, cast.c.height == 2).values(ballot_hash=tracker(data)))


def take_the_ballot_away(connection: Connection, uuid: str, data: bytes) -> None:
    del data
    connection.execute(delete(obj).where(obj.c.election_uuid == uuid, obj.c.height == 2))


def take_the_event_away(connection: Connection, uuid: str, data: bytes) -> None:
    del data
    connection.execute(delete(event).where(event.c.election_uuid == uuid, event.c.height == 2))


def slip_an_object_in(connection: Connection, uuid: str, data: bytes) -> None:
    connection.execute(insert(obj).values(election_uuid=uuid, hash=sha256_hex(data), height=2, position=-1, content=data))


CHANGES: list[Callable[[Connection, str, bytes], Any]] = [
    swap_the_bytes,
    swap_bytes_and_hash,
    swap_the_record_of_the_cast,
    take_the_ballot_away,
    take_the_event_away,
    slip_an_object_in,
]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_a_changed_row_stops_the_close_and_is_named(full_box: Full, change: Callable[[Connection, str, bytes], Any]) -> None:
    world, uuid, meeting, _ = full_box
    with world.database.write_connection() as connection:
        change(connection, uuid, other_ballot(full_box))
    with pytest.raises(BoardDamagedError) as caught:
        lifecycle.close(world.database, uuid, OFFICER, world.now)
    assert 2 == caught.value.height
    assert "height 2" in str(caught.value)
    with world.database.read() as session:
        assert ElectionState.OPEN is lifecycle.election_of(session, uuid).state
        assert 5 == board.head_of(session, uuid).height
        last = journal.entries(session, meeting)[-1]
    assert ("damage found", 2) == (last.act, last.details["height"])
    assert [] == lifecycle.close_due(world.database, world.now)
    with world.database.read() as session:
        assert last == journal.entries(session, meeting)[-1]  # found again, said once


def test_a_changed_event_breaks_the_chain_at_the_next_one(full_box: Full) -> None:
    world, uuid, _, _ = full_box
    with world.database.write_connection() as connection:
        data = other_ballot(full_box)
        swap_bytes_hash_and_event(connection, uuid, data)
        swap_the_record_of_the_cast(connection, uuid, data)
    with pytest.raises(BoardDamagedError) as caught:
        lifecycle.close(world.database, uuid, OFFICER, world.now)
    assert 3 == caught.value.height


def test_a_chain_cut_at_its_end_is_found(full_box: Full) -> None:
    world, uuid, _, _ = full_box
    with world.database.write_connection() as connection:
        fourth = connection.execute(select(event).where(event.c.election_uuid == uuid, event.c.height == 4)).one()
        connection.execute(update(head).where(head.c.election_uuid == uuid).values(height=4, hash=fourth.hash))
    with pytest.raises(BoardDamagedError) as caught:
        lifecycle.close(world.database, uuid, OFFICER, world.now)
    assert 5 == caught.value.height


def test_verified_at_cast_not_at_tally_a_swapped_ballot_stops_the_tally_and_is_named(full_box: Full) -> None:
    world, uuid, _, _ = full_box
    world.close(uuid)
    with world.database.write_connection() as connection:
        swap_the_bytes(connection, uuid, other_ballot(full_box))
    with pytest.raises(BoardDamagedError, match=r"ballot .* stored at height 2 was changed") as caught:
        tally.begin(world.database, uuid, OFFICER, world.now)
    assert 2 == caught.value.height
    with world.database.read() as session:
        assert ElectionState.CLOSED is lifecycle.election_of(session, uuid).state


def test_a_whole_chain_rebuilt_around_an_unsigned_ballot_stops_the_tally(full_box: Full) -> None:
    """Somebody with the database and much patience: every hash fits, but the member's signature does not."""
    world, uuid, _, _ = full_box
    world.close(uuid)
    with world.database.write_connection() as connection:
        rows = connection.execute(select(event).where(event.c.election_uuid == uuid).order_by(event.c.height)).all()
        third = connection.execute(select(obj).where(obj.c.election_uuid == uuid, obj.c.height == 3)).one()
        forged = bytes(third.content).replace(b'"response":"', b'"response":"1', 1)
        third_row = update(obj).where(obj.c.election_uuid == uuid, obj.c.height == 3)
        connection.execute(third_row.values(content=forged, hash=sha256_hex(forged)))
        parent = rows[2].hash
        for row in rows[3:]:
            payload = sha256_hex(forged) if row.height == 3 else row.payload
            new = Event(row.height, row.type, parent, payload)
            parent = new.hash
            where = (event.c.election_uuid == uuid, event.c.height == row.height)
            connection.execute(update(event).where(*where).values(content=new.to_bytes(), hash=new.hash, payload=payload))
        connection.execute(update(head).where(head.c.election_uuid == uuid).values(hash=parent))
        connection.execute(update(cast).where(cast.c.election_uuid == uuid, cast.c.height == 3).values(ballot_hash=tracker(forged)))
    assert 6 == board.check_storage(world.database, uuid)
    with pytest.raises(BoardDamagedError) as caught:
        tally.begin(world.database, uuid, OFFICER, world.now)
    assert 3 == caught.value.height


def test_a_swapped_tally_or_share_stops_the_result(full_box: Full) -> None:
    world, uuid, _, _ = full_box
    world.close(uuid)
    tally.begin(world.database, uuid, OFFICER, world.now)
    tally.accept_shuffle(world.database, uuid, 1, world.shuffle(uuid, 1), world.now)
    with world.database.write_connection() as connection:
        connection.execute(update(obj).where(obj.c.election_uuid == uuid, obj.c.height == 8, obj.c.position == 0).values(content=b"{}"))
    with pytest.raises(BoardDamagedError) as caught:
        tally.accept_shuffle(world.database, uuid, 2, b"{}", world.now)
    assert 8 == caught.value.height


def test_a_swapped_election_text_is_not_served_to_anybody(full_box: Full) -> None:
    world, uuid, _, _ = full_box
    setup = board.load_setup(world.database, uuid)
    other = setup.election.to_bytes().replace(b"Motion 1: affiliate", b"Motion 1: dissolve!")
    with world.database.write_connection() as connection:
        connection.execute(update(obj).where(obj.c.election_uuid == uuid, obj.c.hash == setup.data.election).values(content=other))
    world.database.setups.clear()
    with pytest.raises(BoardDamagedError) as caught:
        board.load_setup(world.database, uuid)
    assert setup.data.election == caught.value.object_hash


def test_bytes_that_are_no_event_and_rows_beyond_the_head_are_found(full_box: Full) -> None:
    world, uuid, _, _ = full_box
    with world.database.write_connection() as connection:
        last = connection.execute(select(event).where(event.c.election_uuid == uuid, event.c.height == 5)).one()
        connection.execute(insert(event).values(**{**last._mapping, "height": 6, "hash": "0" * 64}))
    with pytest.raises(BoardDamagedError, match="beyond the head") as caught:
        lifecycle.close(world.database, uuid, OFFICER, world.now)
    assert 6 == caught.value.height
    with world.database.write_connection() as connection:
        connection.execute(update(event).where(event.c.election_uuid == uuid, event.c.height == 4).values(content=b"{}"))
    with pytest.raises(BoardDamagedError) as caught:
        lifecycle.close(world.database, uuid, OFFICER, world.now)
    assert 4 == caught.value.height


def test_a_second_ballot_of_one_credential_slipped_past_the_service_stops_the_tally(full_box: Full) -> None:
    world, uuid, _, _ = full_box
    with world.database.write_connection() as connection:
        second = select(cast.c.credential).where(cast.c.election_uuid == uuid, cast.c.height == 2)
        first = update(cast).where(cast.c.election_uuid == uuid, cast.c.height == 1)
        connection.execute(first.values(credential=connection.execute(second).scalar_one(), ordinal=1))
    world.close(uuid)
    with pytest.raises(BoardDamagedError, match="height 1 voted twice"):
        tally.begin(world.database, uuid, OFFICER, world.now)
