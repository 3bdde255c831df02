"""Each move: who may make it, when, with whom, and what it leaves behind."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlmodel import func, select

from ballot.errors import ApprovalNeededError, BallotError, MalformedError, NotAllowedError, NotFoundError, PreconditionError
from ballot.models import Election, ElectionState, Electorate, Roll, RollEntry
from ballot.protocol.archive import Entry, read_archive
from ballot.protocol.declarations import split_description
from ballot.protocol.messages import PublicCredentials, QuestionH, QuestionNH
from ballot.services import approvals, board, journal, lifecycle, registrar, roll, tally, tidy, tokens, trustees
from ballot.services.approvals import Need
from ballot.services.journal import CLOCK, Actor
from ballot.services.registrar import Cause
from ballot.services.rights import RIGHTS, Move
from tests.services.world import CLOSES, MOTION, NOW, OFFICER, OPENS, SECOND, World


def state(world: World, uuid: str) -> ElectionState:
    with world.database.read() as session:
        return lifecycle.election_of(session, uuid).state


def last_entry(world: World, meeting: str) -> journal.Entry:
    with world.database.read() as session:
        return journal.entries(session, meeting)[-1]


# --- rights -------------------------------------------------------------------------------------------------------

DOORS: dict[Move, list[Callable[[World, Any, str, str, Actor], object]]] = {
    Move.MAKE: [
        lambda w, s, m, u, a: lifecycle.make_meeting(s, "x", a, w.now),
        lambda w, s, m, u, a: lifecycle.make_election(s, m, w.draft(), a, w.now),
    ],
    Move.EDIT: [lambda w, s, m, u, a: lifecycle.change_election(s, u, w.draft(), a, w.now)],
    Move.ROLL: [
        lambda w, s, m, u, a: roll.freeze(s, m, a, w.now),
        lambda w, s, m, u, a: roll.load(s, m, roll.preview(b"Email,Type\na@example.org,full\n", NOW.date()), a, w.now),
        lambda w, s, m, u, a: registrar.receive_credentials(s, u, b"", a, w.now),
    ],
    Move.TRUSTEES: [
        lambda w, s, m, u, a: trustees.name_trustees(s, u, [], 1, a, w.now),
        lambda w, s, m, u, a: trustees.renew_link(s, u, 1, a, w.now),
    ],
    Move.LOCK: [lambda w, s, m, u, a: lifecycle.lock(w.database, w.keys, u, a, w.now)],
    Move.OPEN: [lambda w, s, m, u, a: lifecycle.open_voting(s, u, a, w.now)],
    Move.CLOSE: [
        lambda w, s, m, u, a: lifecycle.close(w.database, u, a, w.now),
        lambda w, s, m, u, a: lifecycle.postpone_close(s, u, CLOSES + timedelta(days=1), "x", a, w.now),
    ],
    Move.TALLY: [lambda w, s, m, u, a: tally.begin(w.database, u, a, w.now)],
    Move.PUBLISH: [
        lambda w, s, m, u, a: tally.finish(w.database, u, a, w.now),
        lambda w, s, m, u, a: tally.publish(w.database, u, a, w.now),
    ],
    Move.VOID: [lambda w, s, m, u, a: lifecycle.void(s, u, "x", a, w.now)],
    Move.HELP_MEMBER: [
        lambda w, s, m, u, a: registrar.reissue(s, "x", cause=Cause.MEMBER_ASKED, email=None, actor=a, approval=None, now=w.now),
        lambda w, s, m, u, a: registrar.withdraw(s, "x", cause=Cause.MEMBER_ASKED, actor=a, approval=None, now=w.now),
    ],
    Move.TIDY: [lambda w, s, m, u, a: tidy.tidy(w.database, u, a, w.now)],
}


@pytest.mark.parametrize("role", [*RIGHTS, "nobody", ""])
def test_every_role_at_every_door(world: World, role: str) -> None:
    """A role without the right is told so; one with it gets past that check, whatever stops it afterwards."""
    assert set(DOORS) == set(Move)
    meeting = world.meeting()
    uuid = world.election(meeting, people=0)
    for move, doors in DOORS.items():
        for door in doors:
            error: Exception | None = None
            try:
                if "w.database" in door.__code__.co_names or "database" in door.__code__.co_names:
                    door(world, None, meeting.id, uuid, Actor("x", role))
                else:
                    with world.database.write() as session:
                        door(world, session, meeting.id, uuid, Actor("x", role))
                        raise MalformedError("nothing of this is kept")
            except BallotError as caught:
                error = caught
            allowed = move in RIGHTS.get(role, frozenset())
            assert (not allowed) == isinstance(error, NotAllowedError), (move, role, error)


# --- drafts -------------------------------------------------------------------------------------------------------


def ranked(*answers: str) -> QuestionNH:
    return QuestionNH(answers=answers, question="Who?")


@pytest.mark.parametrize(
    ("questions", "words"),
    [
        ([], "from 1 to 50"),
        ([MOTION] * 51, "from 1 to 50"),
        ([ranked(*map(str, range(31)))], "at most 30 choices"),
        ([ranked()], "at most 30 choices"),
        ([ranked("Ada", "ada ")], "blank"),
        ([ranked("Ada", "\uff21da")], "the same choice twice"),
        ([ranked("Ada\nBen")], "one line"),
        ([QuestionH(answers=("A",), min=0, max=2, question="?")], "do not fit"),
        ([QuestionH(answers=("A",), min=0, max=0, question="?")], "do not fit"),
        ([QuestionH(answers=("A",), min=1, max=1, question="  ")], "no text"),
        ([QuestionH(answers=("A",), min=1, max=1, question="a\x00b")], "cannot be shown"),
        ([QuestionH(answers=("\ud800",), min=1, max=1, question="?")], "one line"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_question_that_cannot_work_is_refused_when_it_is_made(world: World, questions: list[Any], words: str) -> None:
    with world.database.write() as session:
        meeting = lifecycle.make_meeting(session, "AGM", OFFICER, world.now)
        with pytest.raises(MalformedError, match=words):
            lifecycle.make_election(session, meeting.id, world.draft(questions), OFFICER, world.now)


def test_thirty_choices_are_the_most_and_work(world: World) -> None:
    meeting = world.meeting(two_people=False)
    uuid = world.election(meeting, questions=[ranked(*(f"Candidate {i}" for i in range(30)))])
    world.open(uuid)
    for entry in world.members(meeting):
        world.cast(uuid, entry, [tuple(range(1, 31))])
    world.close(uuid)
    world.tally(uuid)
    assert (tuple(range(30)),) * 8 == tally.outcome(world.database, uuid).questions[0].rankings


@pytest.mark.parametrize(
    "changes",
    [
        {"minimum_ballots": 4},
        {"minimum_ballots": 0},
        {"description": "x\nballot-declarations:1 {}"},
        {"rules": [{"rule": "motion"}]},
        {"description": "\x07"},
    ],
    ids=str,
)
def test_a_draft_that_promises_too_little_or_imitates_a_declaration_is_refused(world: World, changes: dict[str, Any]) -> None:
    with world.database.write() as session:
        meeting = lifecycle.make_meeting(session, "AGM", OFFICER, world.now)
        with pytest.raises((MalformedError, PreconditionError)):
            lifecycle.make_election(session, meeting.id, world.draft(**changes), OFFICER, world.now)


def test_dates_must_be_in_order_and_to_come(world: World) -> None:
    with world.database.write() as session:
        meeting = lifecycle.make_meeting(session, "AGM", OFFICER, world.now)
        for opens, closes in ((CLOSES, OPENS), (OPENS, OPENS), (NOW - timedelta(2), NOW)):
            with pytest.raises(PreconditionError):
                lifecycle.make_election(session, meeting.id, lifecycle.ElectionDraft("x", [MOTION], opens, closes), OFFICER, world.now)
        with pytest.raises(NotFoundError):
            lifecycle.make_election(session, "nowhere", world.draft(), OFFICER, world.now)


def test_a_draft_reads_back_as_it_was_made(world: World) -> None:
    draft = world.draft(description="For all.", rules=({"rule": "motion"}, {"rule": "scottish-2011", "seats": 2}), replace=True)
    with world.database.write() as session:
        meeting = lifecycle.make_meeting(session, "AGM", OFFICER, world.now)
        uuid = lifecycle.make_election(session, meeting.id, draft, OFFICER, world.now).uuid
    with world.database.read() as session:
        found = lifecycle.draft_of(lifecycle.election_of(session, uuid))
    assert draft == found


def test_a_ranking_that_could_serve_as_a_signature_is_warned_of(world: World) -> None:
    meeting = world.meeting()
    long = world.election(meeting, people=0, questions=[MOTION, ranked("Ada", "Ben", "Cal")])
    short = world.election(meeting, people=0, questions=[MOTION, ranked("Ada", "Ben")])
    few = world.election(meeting, people=0, questions=[MOTION], electorate="group:young")
    with world.database.read() as session:
        warned = lifecycle.warnings(session, long)
        assert 1 == len(warned)
        assert "Question 2: 3 choices can be ranked in 16 ways, and 8 members can vote." in warned[0]
        assert [] == lifecycle.warnings(session, short)
        assert ["Only 3 members can vote, and fewer than 5 ballots will not be opened."] == lifecycle.warnings(session, few)


# --- lock ---------------------------------------------------------------------------------------------------------


def test_what_stands_between_a_draft_and_its_lock_is_said(world: World) -> None:
    with world.database.write() as session:
        meeting = lifecycle.make_meeting(session, "AGM", OFFICER, world.now)
        uuid = lifecycle.make_election(session, meeting.id, world.draft(), OFFICER, world.now).uuid
    with world.database.read() as session:
        assert ["The list of members has to be frozen first.", "Name the key-holders first."] == lifecycle.obstacles(
            session, uuid, world.now
        )
    with pytest.raises(PreconditionError, match="list of members has to be frozen"):
        lifecycle.lock(world.database, world.keys, uuid, OFFICER, world.now)


def test_the_lock_writes_the_setup_and_declares_roll_and_rules(world: World) -> None:
    meeting = world.meeting()
    uuid = world.election(meeting, description="Vote well.", rules=({"rule": "motion"}, {"rule": "av"}))
    election = world.lock(uuid)
    setup = board.load_setup(world.database, uuid)
    with world.database.read() as session:
        frozen = session.get_one(Roll, meeting.id)
        public = PublicCredentials.parse(board.object_bytes(session, uuid, setup.data.credentials))
    text, declared = split_description(setup.election.description)
    assert declared is not None
    assert ("Vote well.", True, frozen.commitment, 5) == (text, declared.companion, declared.roll, declared.minimum_ballots)
    assert ({"rule": "motion"}, {"rule": "av"}) == declared.rules
    assert (8, list(public.entries)) == (len(public.entries), sorted(public.entries))
    assert election.fingerprint == setup.election.fingerprint == last_entry(world, meeting.id).details["fingerprint"]
    pieces = b"".join(board.stream_archive(world.database, uuid)[1])
    entries = [entry for entry in read_archive(io.BytesIO(pieces)) if isinstance(entry, Entry)]
    assert ["data"] * 4 + ["event"] == [entry.kind for entry in entries]


def test_after_the_lock_nothing_changes(world: World) -> None:
    meeting = world.meeting()
    uuid = world.election(meeting)
    world.lock(uuid)
    with world.database.write() as session, pytest.raises(PreconditionError):
        lifecycle.change_election(session, uuid, world.draft(), OFFICER, world.now)
    with world.database.write() as session, pytest.raises(PreconditionError):
        trustees.name_trustees(session, uuid, [], 1, OFFICER, world.now)
    with pytest.raises(PreconditionError):
        world.lock(uuid)


def test_the_lock_needs_a_second_person_who_agreed_to_this_very_act(world: World) -> None:
    meeting = world.meeting()
    uuid, other = world.election(meeting), world.election(meeting)

    def attempt(approval: str | None, actor: Actor = OFFICER) -> None:
        lifecycle.lock(world.database, world.keys, uuid, actor, world.now, approval=approval)

    with world.database.write() as session:
        asked = approvals.ask(session, meeting.id, Need.LOCK, uuid, "", OFFICER, world.now).id
        with pytest.raises(NotAllowedError):
            approvals.give(session, asked, OFFICER, world.now)
    for approval in (None, asked, world.agreed(meeting.id, Need.LOCK, other), world.agreed(meeting.id, Need.VOID, uuid), "no such"):
        with pytest.raises(ApprovalNeededError):
            attempt(approval)
    good = world.agreed(meeting.id, Need.LOCK, uuid)
    with pytest.raises(ApprovalNeededError):
        attempt(good, Actor("third", "returning-officer"))
    attempt(good)
    assert ("election locked", SECOND.id) == ((entry := last_entry(world, meeting.id)).act, entry.second)
    world.lock(other)
    with world.database.write() as session, pytest.raises(ApprovalNeededError):
        lifecycle.void(session, uuid, "reason", OFFICER, world.now, approval=good)  # used up


@pytest.mark.parametrize("need", list(Need))
def test_both_people_need_the_right_to_the_act_itself(world: World, need: Need) -> None:
    meeting = world.meeting()
    observer = Actor("eyes", "observer")
    with world.database.write() as session:
        with pytest.raises(NotAllowedError):
            approvals.ask(session, meeting.id, need, "x", "", observer, world.now)
        asked = approvals.ask(session, meeting.id, need, "x", "", OFFICER, world.now).id
        with pytest.raises(NotAllowedError):
            approvals.give(session, asked, observer, world.now)
        assert SECOND.id == approvals.give(session, asked, SECOND, world.now).given_by
        with pytest.raises(PreconditionError):
            approvals.give(session, asked, Actor("third", "deputy"), world.now)


def test_what_was_agreed_to_is_what_is_done(world: World) -> None:
    meeting = world.meeting()
    uuid = world.election(meeting)
    people = [trustees.Person(f"Other {n}", f"other{n}@example.org") for n in (1, 2, 3)]
    for change in ("draft", "key-holders"):
        approval = world.agreed(meeting.id, Need.LOCK, uuid)
        with world.database.write() as session:
            if change == "draft":
                lifecycle.change_election(session, uuid, world.draft([MOTION]), OFFICER, world.now)
            else:
                trustees.name_trustees(session, uuid, people, 2, OFFICER, world.now)
        if change == "key-holders":
            world.ceremony(uuid, 3, 2)
        with pytest.raises(ApprovalNeededError):
            lifecycle.lock(world.database, world.keys, uuid, OFFICER, world.now, approval=approval)
    world.open(uuid)
    later, latest = CLOSES + timedelta(hours=1), CLOSES + timedelta(days=30)
    postponed = world.agreed(meeting.id, Need.POSTPONE, uuid, lifecycle.later_wording(later, "storm"))
    void = world.agreed(meeting.id, Need.VOID, uuid, "a name was missing")
    with world.database.write() as session:
        for when, reason in ((latest, "storm"), (later, "flood")):
            with pytest.raises(ApprovalNeededError):
                lifecycle.postpone_close(session, uuid, when, reason, OFFICER, world.now, approval=postponed)
        with pytest.raises(ApprovalNeededError):
            lifecycle.void(session, uuid, "another reason", OFFICER, world.now, approval=void)


def test_an_agreement_ends(world: World) -> None:
    meeting = world.meeting()
    uuid = world.election(meeting)
    approval = world.agreed(meeting.id, Need.LOCK, uuid)
    with world.database.read() as session:
        assert [approval] == [found.id for found in approvals.pending(session, meeting.id, world.now)]
    world.clock.advance(days=2)
    with pytest.raises(ApprovalNeededError):
        lifecycle.lock(world.database, world.keys, uuid, OFFICER, world.now, approval=approval)


# --- open, close, postpone, void ----------------------------------------------------------------------------------


def test_opening_and_closing_are_separate_acts_in_order(world: World) -> None:
    meeting = world.meeting(two_people=False)
    uuid = world.election(meeting)
    with world.database.write() as session, pytest.raises(PreconditionError, match="draft"):
        lifecycle.open_voting(session, uuid, OFFICER, world.now)
    world.lock(uuid)
    with pytest.raises(PreconditionError, match="locked"):
        lifecycle.close(world.database, uuid, OFFICER, CLOSES)
    world.open_voting(uuid)
    with world.database.write() as session, pytest.raises(PreconditionError, match="open"):
        lifecycle.open_voting(session, uuid, OFFICER, world.now)
    lifecycle.close(world.database, uuid, OFFICER, CLOSES)
    with pytest.raises(PreconditionError, match="closed"):
        lifecycle.close(world.database, uuid, OFFICER, CLOSES)


def test_closing_early_takes_a_public_reason_and_a_second_person(world: World) -> None:
    meeting = world.meeting()
    uuid = world.election(meeting)
    world.open(uuid)
    with pytest.raises(PreconditionError, match="reason"):
        lifecycle.close(world.database, uuid, OFFICER, world.now)
    with pytest.raises(ApprovalNeededError):
        lifecycle.close(world.database, uuid, OFFICER, world.now, reason="all have voted")
    approval = world.agreed(meeting.id, Need.CLOSE_EARLY, uuid, "all have voted")
    lifecycle.close(world.database, uuid, OFFICER, world.now, reason="all have voted", approval=approval)
    entry = last_entry(world, meeting.id)
    assert ("voting closed", "all have voted", SECOND.id) == (entry.act, entry.details["reason"], entry.second)


def test_the_clock_closes_at_the_hour_and_not_before(world: World) -> None:
    meeting = world.meeting(two_people=False)
    uuids = [world.election(meeting, questions=[MOTION]) for _ in range(2)]
    for uuid in uuids:
        world.clock.moment = NOW
        world.open(uuid)
    with pytest.raises(PreconditionError):
        lifecycle.close(world.database, uuids[0], CLOCK, world.now, reason="because")
    assert [] == lifecycle.close_due(world.database, CLOSES - timedelta(seconds=1))
    assert sorted(uuids) == sorted(lifecycle.close_due(world.database, CLOSES))
    assert [] == lifecycle.close_due(world.database, CLOSES)
    assert ("clock", "service") == ((entry := last_entry(world, meeting.id)).actor, entry.role)


def test_a_postponed_close_is_announced_and_holds(world: World) -> None:
    meeting = world.meeting()
    uuid = world.election(meeting)
    world.open(uuid)
    later = CLOSES + timedelta(days=1)
    with world.database.write() as session:
        for when, reason in ((later, " "), (CLOSES, "storm"), (OPENS, "storm")):
            with pytest.raises(PreconditionError):
                lifecycle.postpone_close(session, uuid, when, reason, OFFICER, world.now)
        with pytest.raises(ApprovalNeededError):
            lifecycle.postpone_close(session, uuid, later, "storm", OFFICER, world.now)
    approval = world.agreed(meeting.id, Need.POSTPONE, uuid, lifecycle.later_wording(later, "storm"))
    with world.database.write() as session:
        lifecycle.postpone_close(session, uuid, later, "storm", OFFICER, world.now, approval=approval)
    world.clock.moment = CLOSES + timedelta(hours=1)
    assert [] == lifecycle.close_due(world.database, world.now)
    world.cast(uuid, world.members(meeting)[0])
    assert [uuid] == lifecycle.close_due(world.database, later)


def test_void_takes_a_reason_and_is_final(world: World) -> None:
    meeting = world.meeting()
    uuid, draft = world.election(meeting), world.election(meeting, people=0)
    world.open(uuid)
    with world.database.write() as session:
        with pytest.raises(PreconditionError):
            lifecycle.void(session, uuid, " ", OFFICER, world.now)
        with pytest.raises(ApprovalNeededError):
            lifecycle.void(session, uuid, "a name was missing", OFFICER, world.now)
        lifecycle.void(session, draft, "not needed", OFFICER, world.now)  # a draft needs nobody else
    approval = world.agreed(meeting.id, Need.VOID, uuid, "a name was missing")
    with world.database.write() as session:
        lifecycle.void(session, uuid, "a name was missing", OFFICER, world.now, approval=approval)
    assert ElectionState.VOID is state(world, uuid)
    with pytest.raises(PreconditionError):
        lifecycle.close(world.database, uuid, OFFICER, CLOSES)


# --- tidy ---------------------------------------------------------------------------------------------------------


def test_member_to_ballot_link_is_destroyed_by_tidying_and_then_the_roll(world: World) -> None:
    meeting = world.meeting(two_people=False)
    uuids = [world.election(meeting, questions=[MOTION]) for _ in range(2)]
    for uuid in uuids:
        world.clock.moment = NOW
        world.open(uuid)
        for entry in world.members(meeting)[:6]:
            world.cast(uuid, entry, [(0, 1, 0)])
    token = world.token(world.members(meeting)[0])
    for uuid in uuids:
        world.close(uuid)
        with pytest.raises(PreconditionError):
            tidy.tidy(world.database, uuid, OFFICER, world.now)
        world.tally(uuid)
    tidy.tidy(world.database, uuids[0], OFFICER, world.now)
    with world.database.read() as session:
        rows = session.exec(select(Electorate.election_uuid)).all()
        assert {uuids[1]} == set(rows)
        assert 8 == roll.size(session, meeting.id)
        assert (6, 8) == board.turnout(session, uuids[0])
    tidy.tidy(world.database, uuids[1], OFFICER, world.now)
    with pytest.raises(PreconditionError):
        tidy.tidy(world.database, uuids[1], OFFICER, world.now)
    with world.database.read() as session:
        assert 0 == session.exec(select(func.count()).select_from(RollEntry)).one()
        assert b"" == session.get_one(Roll, meeting.id).salt
        with pytest.raises(BallotError):
            tokens.member_of(session, tokens.read_voting_token(world.keys, token, world.now))
    assert (6, 0) == tally.outcome(world.database, uuids[0]).questions[0].totals


def test_elections_and_meetings_are_listed(world: World) -> None:
    first = world.meeting()
    world.clock.advance(days=1)
    second = world.meeting()
    uuid = world.election(first, people=0)
    with world.database.read() as session:
        assert [second.id, first.id] == [meeting.id for meeting in lifecycle.meetings(session)]
        assert [uuid] == [e.uuid for e in lifecycle.elections_of(session, first.id)]
        assert isinstance(lifecycle.election_of(session, uuid), Election)
        with pytest.raises(NotFoundError):
            lifecycle.election_of(session, "1" * 14)
