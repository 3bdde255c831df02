"""Chains and signatures that anybody can check: the journal, receipts, checkpoints."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import delete, update

from ballot.errors import BoardDamagedError, InvalidProofError, MalformedError, NotFoundError
from ballot.models import JournalEntry, table
from ballot.protocol.receipts import (
    Checkpoint,
    Receipt,
    check_receipt,
    hash_of_tracker,
    open_checkpoint,
    sign_checkpoint,
    tracker_of_hash,
)
from ballot.services import board, journal
from ballot.services.journal import Act
from ballot.services.keys import Keys
from tests.services.world import OFFICER, World

rows = table(JournalEntry)


def test_the_journal_is_one_chain_of_canonical_lines(world: World) -> None:
    meeting = world.meeting()
    with world.database.read() as session:
        found, text = journal.entries(session, meeting.id), journal.text(session, meeting.id)
    assert ["meeting made", "roll loaded", "roll frozen"] == [entry.act for entry in found]
    assert [None, found[0].hash, found[1].hash] == [entry.parent for entry in found]
    assert found == [journal.Entry.parse(line) for line in text.splitlines()]
    assert "2026-03-02T12:00:00Z" == found[0].time


@pytest.mark.parametrize("height", [0, 1, 2])
def test_a_changed_or_missing_entry_is_found(world: World, height: int) -> None:
    meeting = world.meeting()
    where = (rows.c.meeting_id == meeting.id, rows.c.height == height)
    with world.database.read() as session:
        entry = journal.entries(session, meeting.id)[height]
    forged = replace(entry, time="2026-03-02T12:00:01Z")
    for values in ({"content": forged.to_bytes()}, {"content": forged.to_bytes(), "hash": forged.hash}):
        with world.database.write_connection() as connection:
            connection.execute(update(rows).where(*where).values(**values))
        with world.database.read() as session, pytest.raises(BoardDamagedError):
            journal.text(session, meeting.id)
    with world.database.write_connection() as connection:
        connection.execute(delete(rows).where(*where))
    with world.database.read() as session, pytest.raises(BoardDamagedError):
        journal.entries(session, meeting.id)


def test_there_is_no_journal_without_a_meeting(world: World) -> None:
    with world.database.write() as session, pytest.raises(NotFoundError):
        journal.append(session, "nowhere", Act.OPENED, OFFICER, world.now)


# --- receipts and checkpoints -------------------------------------------------------------------------------------


@pytest.fixture
def receipt(world: World) -> tuple[World, str, Receipt]:
    meeting = world.meeting(two_people=False)
    uuid = world.election(meeting)
    world.open(uuid)
    return world, uuid, world.cast(uuid, world.members(meeting)[0])


def test_a_receipt_names_place_and_head_and_is_signed(receipt: tuple[World, str, Receipt]) -> None:
    world, uuid, found = receipt
    assert (uuid, 1, "2026-03-03T13:00:00Z") == (found.election, found.height, found.time)
    with world.database.read() as session:
        event = board.event_at(session, uuid, 1)
    assert (event.hash, event.payload) == (found.head, hash_of_tracker(found.ballot))
    assert found == Receipt.parse(found.to_bytes())
    check_receipt(world.keys.receipt_public, found)


@pytest.mark.parametrize(
    "change", [{"height": 2}, {"head": "0" * 64}, {"time": "2026-03-03T13:00:01Z"}, {"election": "1" * 14}, {"ballot": "A" * 43}], ids=str
)
def test_a_receipt_changed_in_any_field_does_not_hold(receipt: tuple[World, str, Receipt], change: dict[str, object]) -> None:
    world, _, found = receipt
    with pytest.raises(InvalidProofError):
        check_receipt(world.keys.receipt_public, replace(found, **change))  # type: ignore[arg-type]


def test_a_receipt_of_another_service_does_not_hold(receipt: tuple[World, str, Receipt]) -> None:
    _, _, found = receipt
    with pytest.raises(InvalidProofError):
        check_receipt(Keys.from_seed(b"x").receipt_public, found)
    with pytest.raises(MalformedError):
        check_receipt(Keys.from_seed(b"x").receipt_public, replace(found, signature="?"))


def test_a_checkpoint_opens_to_the_head_and_only_under_its_key_and_origin(receipt: tuple[World, str, Receipt]) -> None:
    world, uuid, found = receipt
    with world.database.read() as session:
        note = board.checkpoint(session, world.config, world.keys, uuid)
    origin, public = f"vote.example.org/e/{uuid}", world.keys.receipt_public_bytes
    assert Checkpoint(origin, 1, found.head) == open_checkpoint(note, origin, public)
    assert board.checkpoint_key(world.config, world.keys, uuid).startswith(f"{origin}+")
    with pytest.raises(InvalidProofError):
        open_checkpoint(note, "other.example.org/e/x", public)
    with pytest.raises(InvalidProofError):
        open_checkpoint(note, origin, Keys.from_seed(b"x").receipt_public_bytes)
    with pytest.raises(InvalidProofError):
        open_checkpoint(note.replace("\n1\n", "\n2\n"), origin, public)
    cosigned = note + "\N{EM DASH} witness.example.org " + note.rsplit(" ", 1)[1]
    assert 1 == open_checkpoint(cosigned, origin, public).height


@pytest.mark.parametrize(
    "note", ["", "\n\n", "a\nb\nc\n\n\N{EM DASH} a b\n", "a\n1\nAAAA\n\n\N{EM DASH} a b\n", "a\n01\n" + "A" * 43 + "=\n\n\n"]
)
def test_what_is_no_checkpoint_is_malformed(note: str) -> None:
    with pytest.raises(MalformedError):
        open_checkpoint(note, "a", bytes(32))


def test_an_origin_with_a_blank_cannot_be_signed() -> None:
    keys = Keys.from_seed(b"x")
    with pytest.raises(MalformedError):
        sign_checkpoint(keys.receipt.sign, keys.receipt_public_bytes, Checkpoint("a b", 1, "0" * 64))


@pytest.mark.parametrize("code", ["", "A" * 42, "A" * 44, "A" * 42 + "B", "A" * 42 + "-", "A" * 42 + "=", "Ä" * 43])
def test_a_receipt_code_has_one_form(code: str) -> None:
    with pytest.raises(MalformedError):
        hash_of_tracker(code)


def test_receipt_codes_and_hashes_go_both_ways() -> None:
    digest = bytes(range(32)).hex()
    assert digest == hash_of_tracker(tracker_of_hash(digest))
