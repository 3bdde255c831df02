"""A practice copies everything, shares nothing secret with the real meeting, runs to its result; opening waits for it or for a reason."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlmodel import select

from ballot.errors import ApprovalNeededError, MalformedError, NotAllowedError, PreconditionError
from ballot.models import Election, Electorate, MailText, Meeting
from ballot.services import journal, lifecycle, practice, registrar, roll, tally
from ballot.services.approvals import Need
from ballot.services.journal import Act
from ballot.services.lifecycle import Rehearsal
from ballot.services.trustees import Person
from tests.services.world import NOW, OFFICER, SECRETARY, World

PEOPLE = [Person("Ruth Officer", "ruth@example.org"), Person("Kay Key", "kay@example.org"), Person("Ruth again", "RUTH@example.org")]
CLOSES = NOW + timedelta(hours=5)


def made(world: World, meeting: Meeting, people: list[Person] | None = PEOPLE) -> tuple[Meeting, list[Election]]:
    with world.database.write() as session:
        copy = practice.make(session, meeting.id, people, CLOSES, OFFICER, world.now)
    with world.database.read() as session:
        return copy, lifecycle.elections_of(session, copy.id)


def standing(world: World, uuid: str) -> Rehearsal:
    with world.database.read() as session:
        return lifecycle.rehearsal(session, lifecycle.election_of(session, uuid))


def run(world: World, copy: Meeting, uuid: str) -> None:
    """From lock to publication, as its officers do it."""
    world.lock(uuid)
    world.open_voting(uuid)
    world.clock.advance(minutes=1)
    for entry in world.members(copy):
        world.cast(uuid, entry)
    lifecycle.close(world.database, uuid, OFFICER, CLOSES)
    tally.begin(world.database, uuid, OFFICER, CLOSES)
    tally.open_practice(world.database, world.keys, uuid, CLOSES)
    tally.publish(world.database, uuid, OFFICER, CLOSES)


def test_a_practice_copies_every_ballot_for_the_people_named(world: World) -> None:
    meeting = world.meeting()
    real = [world.election(meeting, people=0), world.election(meeting, people=0, electorate="region:North", replace=True)]
    with world.database.write() as session:
        session.add(MailText(meeting_id=meeting.id, kind="invitation", subject="Do vote", introduction="Dear member", changed_at=world.now))
    copy, elections = made(world, meeting)
    assert (meeting.id, "AGM 2026 (practice)", False) == (copy.practice_of, copy.name, copy.two_people)
    with world.database.read() as session:
        agenda = [election.uuid for election in lifecycle.elections_of(session, meeting.id)]
    assert sorted(real) == sorted(agenda)
    assert agenda == [election.copy_of for election in elections]
    for uuid, election in zip(agenda, elections, strict=True):
        with world.database.read() as session:
            source = lifecycle.election_of(session, uuid)
        for part in ("questions", "rules", "electorate", "description"):
            assert source.config[part] == election.config[part]
        assert (True, source.replace, CLOSES) == (election.practice, election.replace, election.closes_at)
    with world.database.read() as session:
        assert ["kay@example.org", "ruth@example.org"] == sorted(entry.email for entry in roll.members(session, copy.id))
        assert all(2 == len(registrar.electorate(session, election)) for election in elections)
        assert "Dear member" == session.get_one(MailText, (copy.id, "invitation")).introduction
        entry = journal.entries(session, meeting.id)[-1]
    assert (Act.PRACTICE_MADE, 2, agenda) == (entry.act, entry.details["people"], entry.details["ballots"])


def test_a_practice_for_the_whole_roll_shares_no_handle_code_or_credential(world: World) -> None:
    meeting = world.meeting(two_people=False)
    uuid = world.election(meeting, people=0)
    copy, (election,) = made(world, meeting, None)
    world.lock(election.uuid)
    mine, theirs = world.members(meeting), world.members(copy)
    assert [entry.email for entry in mine] == [entry.email for entry in theirs]
    assert not {entry.handle for entry in mine} & {entry.handle for entry in theirs}
    assert not {registrar.voting_code(world.keys, entry) for entry in mine} & {registrar.voting_code(world.keys, e) for e in theirs}
    with world.database.read() as session:
        assert 8 == len(session.exec(select(Electorate).where(Electorate.election_uuid == election.uuid)).all())
        assert not session.exec(select(Electorate).where(Electorate.election_uuid == uuid)).all()


def test_opening_waits_for_a_finished_practice_or_for_a_written_reason(world: World) -> None:
    meeting = world.meeting(two_people=False)
    uuid, other = world.election(meeting), world.election(meeting)
    for one in (uuid, other):
        world.lock(one)
        with pytest.raises(PreconditionError, match="practice"), world.database.write() as session:
            lifecycle.open_voting(session, one, OFFICER, world.now, reason=" ")
    copy, elections = made(world, meeting)
    assert Rehearsal.UNDER_WAY is standing(world, uuid)
    rehearsed = next(election for election in elections if election.copy_of == uuid)
    run(world, copy, rehearsed.uuid)
    world.clock.moment = NOW
    assert [Rehearsal.FINISHED, Rehearsal.UNDER_WAY] == [standing(world, one) for one in (uuid, other)]
    with world.database.write() as session:
        lifecycle.open_voting(session, uuid, OFFICER, world.now)
    with world.database.write() as session:
        lifecycle.open_voting(session, other, OFFICER, world.now, reason="as in May")
    with world.database.read() as session:
        acts = [(entry.act, entry.election, entry.details) for entry in journal.entries(session, meeting.id)]
    assert [(Act.PRACTICE_SKIPPED, other, {"reason": "as in May"})] == [act for act in acts if act[0] == Act.PRACTICE_SKIPPED]


def test_a_practice_of_other_questions_is_none(world: World) -> None:
    meeting = world.meeting(two_people=False)
    uuid = world.election(meeting, people=0, questions=[world.draft().questions[0]])
    copy, (election,) = made(world, meeting)
    world.lock(election.uuid)
    world.open_voting(election.uuid)
    world.clock.advance(minutes=1)
    world.cast(election.uuid, world.members(copy)[0], [(0, 1, 0)])
    lifecycle.close(world.database, election.uuid, OFFICER, CLOSES)
    tally.begin(world.database, election.uuid, OFFICER, CLOSES)
    tally.open_practice(world.database, world.keys, election.uuid, CLOSES)
    tally.publish(world.database, election.uuid, OFFICER, CLOSES)
    assert Rehearsal.FINISHED is standing(world, uuid)
    with world.database.write() as session:
        lifecycle.change_election(session, uuid, world.draft(), OFFICER, NOW)
    assert Rehearsal.CHANGED is standing(world, uuid)


def test_opening_the_real_one_takes_two_people(world: World) -> None:
    meeting = world.meeting()
    uuid = world.election(meeting)
    world.lock(uuid)
    with pytest.raises(ApprovalNeededError), world.database.write() as session:
        lifecycle.open_voting(session, uuid, OFFICER, world.now, reason="as in May")
    approval = world.agreed(meeting.id, Need.OPEN, uuid, "as in May")
    with world.database.write() as session:
        lifecycle.open_voting(session, uuid, OFFICER, world.now, reason="as in May", approval=approval)


def test_what_cannot_be_practised_says_why(world: World) -> None:
    meeting = world.meeting()

    def refused(people: list[Person] | None, error: type[Exception], words: str, *, actor: journal.Actor = OFFICER, of: str = "") -> None:
        with pytest.raises(error, match=words), world.database.write() as session:
            practice.make(session, of or meeting.id, people, CLOSES, actor, world.now)

    refused(PEOPLE, PreconditionError, "no ballot to practise")
    world.election(meeting, people=0)
    refused([], PreconditionError, "Nobody is on this list")
    refused([Person("Bad", "not an address")], MalformedError, "address")
    refused([Person("A\nB" + "x" * 300, "a@example.org")], MalformedError, "name")
    refused(PEOPLE, NotAllowedError, "may not do this", actor=SECRETARY)
    copy, _ = made(world, meeting)
    refused(PEOPLE, PreconditionError, "a practice itself", of=copy.id)
