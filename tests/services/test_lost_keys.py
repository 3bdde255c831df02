"""A key that is lost: who may say so, how many more may be lost, and what it stops."""

from __future__ import annotations

from datetime import timedelta

import pytest

from ballot.errors import NotAllowedError, NotFoundError, PreconditionError
from ballot.models import Trustee
from ballot.protocol.proofs import prove_exponent
from ballot.services import journal, lifecycle, trustees
from ballot.services.approvals import Need
from ballot.services.journal import Act, Actor
from ballot.services.trustees import KeyCount
from tests.services.world import CLOSES, MOTION, NOW, OFFICER, SECRETARY, World


def report(world: World, uuid: str, number: int, actor: Actor | None = None) -> KeyCount:
    with world.database.write() as session:
        return trustees.report_lost(session, uuid, number, actor, world.now)


def counted(world: World, uuid: str, opened: tuple[int, ...] = ()) -> KeyCount:
    with world.database.read() as session:
        return trustees.key_count(lifecycle.election_of(session, uuid), trustees.trustees_of(session, uuid), world.now, opened)


def prove(world: World, uuid: str, number: int) -> None:
    with world.database.write() as session:
        nonce = str(trustees.view(session, world.keys, uuid, number, world.now)["nonce"])
        proof = prove_exponent(trustees.possession_statement(uuid, number, nonce), world.secrets[uuid, number], world.rng)
        trustees.receive_possession(session, world.keys, uuid, number, nonce, proof.to_bytes(), world.now)


def test_a_key_holder_or_an_officer_reports_and_everybody_sees_how_many_more_may_be_lost(world: World) -> None:
    meeting = world.meeting(two_people=False)
    uuid = world.election(meeting, questions=[MOTION])
    world.open(uuid)
    assert (3, 2, (), 1) == ((count := counted(world, uuid)).size, count.needed, count.lost, count.spare)
    assert 0 == report(world, uuid, 2).spare
    assert ("Holder 2",) == report(world, uuid, 2).lost  # again: nothing changes
    with pytest.raises(NotAllowedError):
        report(world, uuid, 1, SECRETARY)
    with pytest.raises(NotFoundError):
        report(world, uuid, 9)
    assert -1 == report(world, uuid, 1, OFFICER).spare
    with world.database.read() as session:
        found = [(e.actor, e.details) for e in journal.entries(session, meeting.id) if e.act == Act.KEY_LOST]
        view = trustees.view(session, world.keys, uuid, 2, world.now)
    assert [
        ("trustee 2", {"key-holder": 2, "keys left": 2, "needed": 2}),
        (OFFICER.id, {"key-holder": 1, "keys left": 1, "needed": 2}),
    ] == found
    assert (["Holder 1", "Holder 2"], True) == (view["lost"], view["mine_lost"])


def test_a_key_that_is_found_is_proved_and_counts_again(world: World) -> None:
    meeting = world.meeting(two_people=False)
    uuid = world.election(meeting, questions=[MOTION])
    world.open(uuid)
    report(world, uuid, 2)
    prove(world, uuid, 2)
    assert () == counted(world, uuid).lost
    with world.database.read() as session:
        assert {"key-holder": 2, "found again": True} == journal.entries(session, meeting.id)[-1].details


def test_before_the_lock_the_key_holders_are_named_again(world: World) -> None:
    meeting = world.meeting()
    uuid = world.election(meeting, questions=[MOTION])
    report(world, uuid, 3)
    with world.database.read() as session:
        assert ["The key of Holder 3 is lost. Name the key-holders again and repeat the making of keys."] == lifecycle.obstacles(
            session, uuid, world.now
        )
    with pytest.raises(PreconditionError, match="lost"):
        lifecycle.lock(world.database, world.keys, uuid, OFFICER, world.now, approval=world.agreed(meeting.id, Need.LOCK, uuid))
    people = [trustees.Person(f"Holder {n}", f"holder{n}@example.org") for n in (1, 2, 4)]
    with world.database.write() as session:
        trustees.name_trustees(session, uuid, people, 2, OFFICER, world.now)
    world.ceremony(uuid, 3, 2)
    with world.database.read() as session:
        assert [] == lifecycle.obstacles(session, uuid, world.now)


def test_who_has_not_shown_the_key_again_feeds_the_same_count(world: World) -> None:
    meeting = world.meeting(two_people=False)
    uuid = world.election(meeting, questions=[MOTION])
    world.open(uuid)
    world.clock.moment = CLOSES - timedelta(days=1)
    report(world, uuid, 3)
    assert (("Holder 3",), ("Holder 1", "Holder 2"), 0, -2) == (
        (count := counted(world, uuid)).lost,
        count.not_shown,
        count.spare,
        count.spare_of_shown,
    )
    prove(world, uuid, 1)
    assert (("Holder 2",), -1) == ((count := counted(world, uuid)).not_shown, count.spare_of_shown)


def test_a_lost_key_that_had_opened_its_share_is_not_missed(world: World) -> None:
    meeting = world.meeting(two_people=False)
    uuid = world.election(meeting, questions=[MOTION])
    world.open(uuid)
    report(world, uuid, 1)
    report(world, uuid, 2)
    assert -1 == counted(world, uuid).spare
    assert 0 == counted(world, uuid, (1, 3)).spare


def test_too_few_keys_left_the_ballot_is_void_and_repeated_from_a_copy(world: World) -> None:
    meeting = world.meeting(two_people=False)
    rules = [{"rule": "motion", "threshold": "two-thirds", "base": "cast"}]
    uuid = world.election(meeting, questions=[MOTION], rules=rules, electorate="region:North")
    world.open(uuid)
    report(world, uuid, 1)
    report(world, uuid, 2)
    with world.database.write() as session:
        lifecycle.void(session, uuid, "two keys are lost", OFFICER, world.now)
    with pytest.raises(PreconditionError):
        report(world, uuid, 3)
    with world.database.write() as session:
        copy = lifecycle.copy_election(session, uuid, OFFICER, world.now, opens_at=CLOSES, closes_at=CLOSES + timedelta(days=7))
    with world.database.read() as session:
        void = lifecycle.election_of(session, uuid)
        assert (uuid, meeting.id, False) == (copy.copy_of, copy.meeting_id, copy.practice)
        assert {**void.config, "threshold": 0} == copy.config
        assert not session.get(Trustee, (copy.uuid, 1))
    world.clock.moment = NOW
    with world.database.write() as session:
        trustees.name_trustees(session, copy.uuid, [trustees.Person(f"New {n}", f"new{n}@example.org") for n in (1, 2, 3)], 2, OFFICER, NOW)
    world.ceremony(copy.uuid, 3, 2)
    world.lock(copy.uuid)
