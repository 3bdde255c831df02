"""From the roll to a published result, through the public functions, on both databases."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from ballot.models import ElectionState
from ballot.protocol.archive import read_archive
from ballot.protocol.receipts import check_receipt
from ballot.services import board, journal, lifecycle, tally
from tests.services.world import MOTION, OFFICER, World
from tests.support.belenios import run


def archive_of(world: World, uuid: str) -> bytes:
    size, pieces = board.stream_archive(world.database, uuid)
    data = b"".join(pieces)
    assert size == len(data)
    return data


def test_roll_to_published_result(world: World) -> None:
    meeting = world.meeting()
    uuid = world.election(meeting)
    world.open(uuid)
    voters = world.members(meeting)
    choices = [((0, 1, 0), (1, 2, 0, 0))] * 4 + [((0, 0, 1), (0, 0, 0, 1))] * 2 + [((1, 0, 0), (0, 0, 0, 0))]
    receipts = [world.cast(uuid, entry, choice) for entry, choice in zip(voters, choices, strict=False)]
    for receipt in receipts:
        check_receipt(world.keys.receipt_public, receipt)
    assert list(range(1, 8)) == [receipt.height for receipt in receipts]

    world.close(uuid)
    world.tally(uuid)

    found = tally.outcome(world.database, uuid)
    assert (7, 8) == (found.ballots, found.electorate)
    assert ((4, 2), 1) == (found.questions[0].totals, found.questions[0].blank)
    assert [(0, 1)] * 4 + [(3,)] * 2 == sorted(found.questions[1].rankings)
    assert (1, 0) == (found.questions[1].blank, found.questions[1].invalid)
    with world.database.read() as session:
        assert ElectionState.PUBLISHED is lifecycle.election_of(session, uuid).state
        acts = [entry.act for entry in journal.entries(session, meeting.id)]
    assert "election locked" in acts
    assert "result published" == acts[-1]
    entries = list(read_archive(io.BytesIO(archive_of(world, uuid))))
    assert 1 + (4 + 1) + 7 * 2 + 1 + 3 + 2 * 3 + 1 + 2 * 3 + 2 == len(entries)


@pytest.mark.belenios_tool
@pytest.mark.parametrize("replaces", [False, True], ids=["single use", "replacing"])
def test_the_archive_and_each_ballot_pass_belenios_own_verifier(
    world: World, belenios_tool: Path, tmp_path: Path, *, replaces: bool
) -> None:
    meeting = world.meeting()
    uuid = world.election(meeting, replace=replaces)
    world.open(uuid)
    setup_only, whole = tmp_path / "setup", tmp_path / "whole"
    for folder in (setup_only, whole):
        folder.mkdir()
    (setup_only / f"{uuid}.bel").write_bytes(archive_of(world, uuid))
    for entry in world.members(meeting)[: 1 if replaces else 0]:
        world.cast(uuid, entry, ((0, 0, 1), (0, 1, 0, 2)))
    for entry in world.members(meeting):
        world.cast(uuid, entry)
    for _, ballot in board.stored_ballots(world.database, uuid):
        (setup_only / "ballot.json").write_bytes(ballot)
        done = run(belenios_tool, "election", "verify-ballot", "--dir", setup_only, "--ballot", setup_only / "ballot.json")
        assert 0 == done.returncode, done.stderr
    world.close(uuid)
    world.tally(uuid)
    (whole / f"{uuid}.bel").write_bytes(archive_of(world, uuid))
    done = run(belenios_tool, "election", "verify", "--dir", whole)
    assert 0 == done.returncode, done.stderr
    assert (8, 0) == tally.outcome(world.database, uuid).questions[0].totals


def test_a_motion_alone_needs_no_shuffle(world: World) -> None:
    meeting = world.meeting()
    uuid = world.election(meeting, questions=(MOTION,))
    world.open(uuid)
    for entry in world.members(meeting):
        world.cast(uuid, entry, [(0, 0, 1)])
    world.close(uuid)
    world.tally(uuid, owners=(2, 3))
    assert (0, 8) == tally.outcome(world.database, uuid).questions[0].totals


def test_a_practice_election_is_opened_by_the_service_itself(world: World) -> None:
    meeting = world.meeting()
    uuid = world.election(meeting, people=0, practice=True, minimum_ballots=1)
    world.open(uuid)
    world.cast(uuid, world.members(meeting)[0])
    world.close(uuid)
    tally.begin(world.database, uuid, OFFICER, world.now)
    tally.open_practice(world.database, world.keys, uuid, world.now)
    tally.publish(world.database, uuid, OFFICER, world.now)
    found = tally.outcome(world.database, uuid)
    assert ((1, 0), ((0, 1),)) == (found.questions[0].totals, found.questions[1].rankings)
