"""`board.cast`: what is accepted once, what is answered again, and what is refused with the board unchanged."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import Connection
from sqlmodel import func, select

from ballot.errors import (
    AlreadyVotedError,
    BallotError,
    InvalidBallotError,
    InvalidProofError,
    MalformedError,
    NotFoundError,
    NotInElectorateError,
    NotOpenError,
    TokenInvalidError,
    TooManyTriesError,
    VotingClosedError,
)
from ballot.models import Cast, RollEntry
from ballot.protocol.ballots import create_ballot, tracker
from ballot.protocol.messages import Ballot
from ballot.protocol.receipts import Receipt
from ballot.services import board, lifecycle, registrar, tokens
from ballot.services.registrar import Cause
from ballot.services.strikes import MOST
from tests.services.world import CLOSES, OFFICER, OPENS, World

FOR = ((0, 1, 0), (1, 2, 0, 0))
AGAINST = ((0, 0, 1), (0, 0, 0, 1))


@pytest.fixture
def open_election(world: World) -> tuple[World, str, list[RollEntry]]:
    meeting = world.meeting(two_people=False)
    uuid = world.election(meeting)
    world.open(uuid)
    return world, uuid, world.members(meeting)


Open = tuple[World, str, list[RollEntry]]


def cast(world: World, uuid: str, entry: RollEntry, data: bytes) -> Receipt:
    return board.cast(world.database, world.keys, uuid, world.token(entry), data, world.now)


def height(world: World, uuid: str) -> int:
    with world.database.read() as session:
        return board.head_of(session, uuid).height


def refused(world: World, uuid: str, entry: RollEntry, data: bytes, error: type[BallotError]) -> BallotError:
    """The ballot is refused with this error, and the board is as it was."""
    before = height(world, uuid)
    with pytest.raises(error) as caught:
        cast(world, uuid, entry, data)
    assert before == height(world, uuid)
    return caught.value


def test_the_same_bytes_again_give_the_same_receipt(open_election: Open) -> None:
    world, uuid, members = open_election
    data = world.ballot(uuid, members[0])
    first = cast(world, uuid, members[0], data)
    world.clock.advance(hours=1)
    assert first.to_bytes() == cast(world, uuid, members[0], data).to_bytes()
    assert 1 == height(world, uuid)
    assert tracker(data) == first.ballot


def test_the_same_bytes_after_the_close_still_give_the_receipt(open_election: Open) -> None:
    world, uuid, members = open_election
    data = world.ballot(uuid, members[0])
    first = cast(world, uuid, members[0], data)
    world.close(uuid)
    assert first == cast(world, uuid, members[0], data)


def test_another_ballot_of_the_same_member_is_refused_with_the_receipt_of_the_first(open_election: Open) -> None:
    world, uuid, members = open_election
    first = world.cast(uuid, members[0], FOR)
    error = refused(world, uuid, members[0], world.ballot(uuid, members[0], AGAINST), AlreadyVotedError)
    assert isinstance(error, AlreadyVotedError)
    assert first == error.receipt


def test_where_replacing_is_allowed_each_ballot_has_its_receipt_and_the_last_counts(world: World) -> None:
    meeting = world.meeting(two_people=False)
    uuid = world.election(meeting, replace=True)
    world.open(uuid)
    entry = world.members(meeting)[0]
    old = world.ballot(uuid, entry, FOR)
    first = cast(world, uuid, entry, old)
    second = world.cast(uuid, entry, AGAINST)
    assert first == cast(world, uuid, entry, old)
    assert (1, 2) == (first.height, second.height)
    with world.database.read() as session:
        assert [False, True] == [line.counted for line in board.ballots_on_board(session, uuid)]
        assert (1, 8) == board.turnout(session, uuid)
        assert second == board.receipt_of(session, world.keys, uuid, entry.handle)
    for other in world.members(meeting)[1:5]:
        world.cast(uuid, other, FOR)
    world.close(uuid)
    world.tally(uuid)
    from ballot.services import tally

    assert (4, 1) == tally.outcome(world.database, uuid).questions[0].totals


def test_too_early(world: World) -> None:
    meeting = world.meeting(two_people=False)
    uuid = world.election(meeting)
    entry = world.members(meeting)[0]
    with pytest.raises(NotFoundError):  # a draft has no board
        board.cast(world.database, world.keys, uuid, world.token(entry), b"{}", world.now)
    world.lock(uuid)
    refused(world, uuid, entry, world.ballot(uuid, entry), NotOpenError)
    world.open_voting(uuid)
    refused(world, uuid, entry, world.ballot(uuid, entry), NotOpenError)
    world.clock.moment = OPENS
    assert 1 == cast(world, uuid, entry, world.ballot(uuid, entry)).height


def test_at_the_announced_hour_it_is_too_late_even_before_anybody_closes(open_election: Open) -> None:
    world, uuid, members = open_election
    world.clock.moment = CLOSES - timedelta(seconds=1)
    world.cast(uuid, members[0])
    world.clock.moment = CLOSES
    refused(world, uuid, members[1], world.ballot(uuid, members[1]), VotingClosedError)


@pytest.mark.parametrize(
    ("late", "words"),
    [({"seconds": 40}, "40 seconds before"), ({"minutes": 3}, "3 minutes before"), ({"days": 1}, "before your vote arrived")],
)
def test_a_late_voter_is_told_by_how_much(open_election: Open, late: dict[str, float], words: str) -> None:
    world, uuid, members = open_election
    world.clock.moment = CLOSES + timedelta(**late)
    assert words in str(refused(world, uuid, members[1], world.ballot(uuid, members[1]), VotingClosedError))


def test_after_an_early_close_or_void_it_is_too_late(open_election: Open) -> None:
    world, uuid, members = open_election
    with world.database.write() as session:
        lifecycle.void(session, uuid, "wrong question", OFFICER, world.now)
    refused(world, uuid, members[1], world.ballot(uuid, members[1]), VotingClosedError)


def test_a_ballot_for_another_election_of_the_meeting_is_refused_in_every_pairing(world: World) -> None:
    meeting = world.meeting(two_people=False)
    uuids = [world.election(meeting), world.election(meeting)]
    for uuid in uuids:
        world.clock.moment = OPENS - timedelta(hours=1)
        world.open(uuid)
    entry = world.members(meeting)[0]
    for here, there in (uuids, reversed(uuids)):
        refused(world, here, entry, world.ballot(there, entry), InvalidBallotError)


def test_a_ballot_under_anothers_code_is_refused(open_election: Open) -> None:
    world, uuid, members = open_election
    refused(world, uuid, members[0], world.ballot(uuid, members[1]), NotInElectorateError)


def test_the_sealed_answers_of_another_member_under_ones_own_signature_are_refused(open_election: Open) -> None:
    world, uuid, members = open_election
    election = board.load_setup(world.database, uuid).election
    theirs = Ballot.parse(world.ballot(uuid, members[1]))
    mine = Ballot.parse(world.ballot(uuid, members[0]))
    from ballot.protocol import credentials
    from ballot.protocol.ballots import ballot_hash
    from ballot.protocol.messages import Signature
    from ballot.protocol.proofs import sign

    copied = replace(mine, answers=theirs.answers, signature=None)
    secret = credentials.secret(election.uuid, registrar.voting_code(world.keys, members[0]))
    signed = replace(copied, signature=Signature(ballot_hash(copied), sign(ballot_hash(copied), secret, world.rng)))
    refused(world, uuid, members[0], signed.to_bytes(), InvalidProofError)


def test_a_broken_or_missing_signature_is_refused(open_election: Open) -> None:
    world, uuid, members = open_election
    good = Ballot.parse(world.ballot(uuid, members[0]))
    assert good.signature is not None
    broken = replace(good.signature.proof, response=(good.signature.proof.response + 1))
    refused(world, uuid, members[0], replace(good, signature=replace(good.signature, proof=broken)).to_bytes(), InvalidProofError)
    refused(world, uuid, members[0], replace(good, signature=None).to_bytes(), MalformedError)


def test_a_credential_that_is_in_no_list_is_refused(open_election: Open) -> None:
    world, uuid, members = open_election
    election = board.load_setup(world.database, uuid).election
    stranger = create_ballot(election, "12345-123456-12345-123456", FOR, world.rng).to_bytes()
    refused(world, uuid, members[0], stranger, NotInElectorateError)


@pytest.mark.parametrize("data", [b"", b"{", b"\xff\xfe", b"[]", b'{"a":1,"a":1}', b"x" * 300_000], ids=repr)
def test_what_is_no_ballot_is_malformed(open_election: Open, data: bytes) -> None:
    world, uuid, members = open_election
    refused(world, uuid, members[0], data, MalformedError)


def test_one_more_blank_makes_other_bytes_and_is_malformed(open_election: Open) -> None:
    world, uuid, members = open_election
    refused(world, uuid, members[0], world.ballot(uuid, members[0]) + b"\n", MalformedError)


def test_a_flipped_bit_anywhere_is_refused(open_election: Open) -> None:
    world, uuid, members = open_election
    good = world.ballot(uuid, members[0])
    for place in range(0, len(good), 97):
        bent = bytearray(good)
        bent[place] ^= 1
        refused(world, uuid, members[0], bytes(bent), BallotError)


def test_a_forged_foreign_expired_or_withdrawn_token_is_refused_in_the_same_words(open_election: Open) -> None:
    world, uuid, members = open_election
    data = world.ballot(uuid, members[0])
    good = world.token(members[0])
    foreign = World(world.database, keys=type(world.keys).from_seed(b"another installation")).token(members[0])
    expired = tokens.make_voting_token(world.keys, members[0], world.now)
    words = set()
    for token in ("", "x", good[:-1], good + "A", foreign, expired, "x" * 5000):
        with pytest.raises(TokenInvalidError) as caught:
            board.cast(world.database, world.keys, uuid, token, data, world.now)
        words.add(str(caught.value))
    with world.database.write() as session:
        registrar.withdraw(session, members[0].handle, cause=Cause.MEMBER_ASKED, actor=OFFICER, approval=None, now=world.now)
    with pytest.raises(TokenInvalidError) as caught:
        board.cast(world.database, world.keys, uuid, good, data, world.now)
    assert {str(caught.value)} == words
    assert 0 == height(world, uuid)


def test_a_member_of_another_section_cannot_vote_here(world: World) -> None:
    meeting = world.meeting(two_people=False)
    uuid = world.election(meeting, electorate="region:North")
    world.open(uuid)
    members = world.members(meeting)
    north = [entry for entry in members if "region:North" in entry.sections]
    south = [entry for entry in members if "region:South" in entry.sections]
    assert (4, 4) == (len(north), len(south))
    world.cast(uuid, north[0])
    refused(world, uuid, south[0], world.ballot(uuid, south[0]), NotInElectorateError)


def test_a_token_of_another_meeting_does_not_open_this_election(world: World) -> None:
    meeting, other = world.meeting(two_people=False), world.meeting(two_people=False)
    uuid = world.election(meeting)
    world.open(uuid)
    refused(world, uuid, world.members(other)[0], world.ballot(uuid, world.members(meeting)[0]), NotInElectorateError)


# --- many at once -------------------------------------------------------------------------------------------------


def test_twenty_casts_of_the_same_bytes_at_once_are_one_ballot_with_twenty_equal_receipts(open_election: Open) -> None:
    world, uuid, members = open_election
    data = world.ballot(uuid, members[0])
    with ThreadPoolExecutor(20) as pool:
        receipts = list(pool.map(lambda _: cast(world, uuid, members[0], data).to_bytes(), range(20)))
    assert 1 == len(set(receipts))
    assert 1 == height(world, uuid)


def test_of_twenty_different_ballots_of_one_member_at_once_one_is_accepted(open_election: Open) -> None:
    world, uuid, members = open_election
    ballots = [world.ballot(uuid, members[0], FOR) for _ in range(20)]

    def attempt(data: bytes) -> Receipt | AlreadyVotedError:
        try:
            return cast(world, uuid, members[0], data)
        except AlreadyVotedError as error:
            return error

    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(attempt, ballots))
    accepted = [answer for answer in answers if isinstance(answer, Receipt)]
    assert 1 == len(accepted)
    assert 19 * [accepted[0]] == [answer.receipt for answer in answers if isinstance(answer, AlreadyVotedError)]
    assert 1 == height(world, uuid)
    with world.database.read() as session:
        assert 1 == session.exec(select(func.count()).select_from(Cast)).one()


def test_casts_of_many_members_at_once_make_one_unbroken_chain(open_election: Open) -> None:
    world, uuid, members = open_election
    ballots = [(entry, world.ballot(uuid, entry)) for entry in members]
    with ThreadPoolExecutor(8) as pool:
        receipts = list(pool.map(lambda job: cast(world, uuid, *job), ballots))
    assert set(range(1, 9)) == {receipt.height for receipt in receipts}
    assert 8 == board.check_storage(world.database, uuid)


def test_two_officers_close_at_once_while_ballots_come_in(open_election: Open) -> None:
    world, uuid, members = open_election
    ballots = [(entry, world.ballot(uuid, entry)) for entry in members]
    early = world.now

    def attempt(job: tuple[RollEntry, bytes]) -> object:
        try:
            return board.cast(world.database, world.keys, uuid, world.token(job[0]), job[1], early)
        except VotingClosedError as error:
            return error

    def shut(_: int) -> object:
        try:
            return lifecycle.close(world.database, uuid, OFFICER, CLOSES)
        except BallotError as error:
            return error

    with ThreadPoolExecutor(10) as pool:
        casting = [pool.submit(attempt, job) for job in ballots[:4]]
        closing = [pool.submit(shut, i) for i in range(2)]
        casting += [pool.submit(attempt, job) for job in ballots[4:]]
        answers, outcomes = [job.result() for job in casting], [job.result() for job in closing]
    assert 1 == sum(isinstance(answer, BallotError) for answer in outcomes)
    receipts = [answer for answer in answers if isinstance(answer, Receipt)]
    events = list(board.checked_events(world.database, uuid))
    assert ["Setup", *["Ballot"] * len(receipts), "EndBallots"] == [event.type for event, _ in events]


# --- beside the ballot --------------------------------------------------------------------------------------------


def test_what_is_queued_beside_a_ballot_is_kept_with_it_or_not_at_all(open_election: Open) -> None:
    world, uuid, members = open_election
    told: list[board.Accepted] = []

    def also(news: board.Accepted) -> Callable[[Connection], object]:
        told.append(news)
        return broken

    def broken(_connection: Connection) -> None:
        raise RuntimeError("the queue is broken")

    data = world.ballot(uuid, members[0])
    with pytest.raises(RuntimeError):
        board.cast(world.database, world.keys, uuid, world.token(members[0]), data, world.now, also=also)
    assert (members[0].email, tracker(data)) == (told[0].email, told[0].tracker)
    assert 0 == height(world, uuid)
    assert 1 == cast(world, uuid, members[0], data).height


def test_a_members_page_shows_each_election_with_the_receipt(open_election: Open) -> None:
    world, uuid, members = open_election
    with world.database.read() as session:
        claim = tokens.read_voting_token(world.keys, world.token(members[0]), world.now)
        before = board.elections_of(session, world.keys, tokens.member_of(session, claim))
    receipt = world.cast(uuid, members[0])
    with world.database.read() as session:
        after = board.elections_of(session, world.keys, members[0])
    assert [(uuid, None)] == [(e.uuid, e.receipt) for e in before]
    assert [(uuid, receipt)] == [(e.uuid, e.receipt) for e in after]


def test_the_board_names_no_member_and_no_time(open_election: Open) -> None:
    world, uuid, members = open_election
    receipt = world.cast(uuid, members[3])
    with world.database.read() as session:
        line = board.find_ballot(session, uuid, receipt.ballot)
        assert board.BoardLine(1, receipt.ballot, counted=True) == line
        assert board.find_ballot(session, uuid, tracker(b"something else")) is None
        with pytest.raises(MalformedError):
            board.find_ballot(session, uuid, "not a code")


def test_a_link_that_sends_many_ballots_that_do_not_hold_has_to_wait_and_nobody_else(open_election: Open) -> None:
    world, uuid, members = open_election
    for _ in range(MOST):
        with pytest.raises(MalformedError):
            board.cast(world.database, world.keys, uuid, world.token(members[0]), b"{}", world.now)
    good = world.ballot(uuid, members[0])
    with pytest.raises(TooManyTriesError, match="wait a minute"):
        board.cast(world.database, world.keys, uuid, world.token(members[0]), good, world.now)
    assert 1 == world.cast(uuid, members[1]).height
    world.clock.advance(minutes=1)
    assert 2 == board.cast(world.database, world.keys, uuid, world.token(members[0]), good, world.now).height
