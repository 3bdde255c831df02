"""What key-holders send is checked on arrival: wrong, early, late and second ones are refused with the reason."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from sqlalchemy import delete, update

from ballot.errors import (
    ApprovalNeededError,
    BallotError,
    BoardDamagedError,
    InvalidCompanionError,
    InvalidPartialDecryptionError,
    InvalidShuffleError,
    InvalidTrusteeError,
    MalformedError,
    NotAllowedError,
    NotFoundError,
    PreconditionError,
)
from ballot.models import Companion, ElectionState, table
from ballot.protocol.companion import gen_companion
from ballot.protocol.decryption import gen_partial_decryption
from ballot.protocol.group import SeededRng
from ballot.protocol.messages import PartialDecryption, Proof, Shuffle
from ballot.recount import ranking_of
from ballot.services import board, journal, lifecycle, tally
from ballot.verifier.report import Outcome
from ballot.verifier.verify import verify_archive
from tests.services.world import MOTION, OFFICER, SECOND, SECRETARY, World

Closed = tuple[World, str, str]


@pytest.fixture
def closed(world: World) -> Closed:
    """A closed election with six ballots, on a motion and a ranking."""
    meeting = world.meeting(two_people=False)
    uuid = world.election(meeting)
    world.open(uuid)
    for entry in world.members(meeting)[:6]:
        world.cast(uuid, entry)
    world.close(uuid)
    return world, uuid, meeting.id


@pytest.fixture
def tallying(closed: Closed) -> Closed:
    world, uuid, _ = closed
    tally.begin(world.database, uuid, OFFICER, world.now)
    return closed


@pytest.fixture
def shuffled(tallying: Closed) -> Closed:
    world, uuid, _ = tallying
    for owner in (1, 2):
        tally.accept_shuffle(world.database, uuid, owner, world.shuffle(uuid, owner), world.now)
    return tallying


def types(world: World, uuid: str) -> list[str]:
    return [event.type for event, _ in board.checked_events(world.database, uuid) if event.type != "Ballot"]


def last_act(world: World, meeting: str) -> journal.Entry:
    with world.database.read() as session:
        return journal.entries(session, meeting)[-1]


# --- begin --------------------------------------------------------------------------------------------------------


def test_the_tally_begins_after_the_close_once_and_by_right(world: World, closed: Closed) -> None:
    _, uuid, meeting = closed
    with pytest.raises(NotAllowedError):
        tally.begin(world.database, uuid, SECRETARY, world.now)
    sized = tally.begin(world.database, uuid, OFFICER, world.now)
    assert 6 == sized.num_tallied
    assert "tally begun" == last_act(world, meeting).act
    with pytest.raises(PreconditionError, match="tallying"):
        tally.begin(world.database, uuid, OFFICER, world.now)
    assert ["Setup", "EndBallots", "EncryptedTally"] == types(world, uuid)


def test_two_officers_begin_at_once(closed: Closed) -> None:
    world, uuid, _ = closed

    def attempt(_: int) -> object:
        try:
            return tally.begin(world.database, uuid, OFFICER, world.now)
        except PreconditionError as error:
            return error

    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(attempt, range(2)))
    assert 1 == sum(isinstance(answer, PreconditionError) for answer in answers)
    assert 1 == types(world, uuid).count("EncryptedTally")


def test_fewer_ballots_than_promised_are_not_opened(world: World) -> None:
    meeting = world.meeting(two_people=False)
    uuid = world.election(meeting, questions=(MOTION,))
    world.open(uuid)
    for entry in world.members(meeting)[:4]:
        world.cast(uuid, entry, [(0, 1, 0)])
    world.close(uuid)
    with pytest.raises(PreconditionError, match="Only 4 ballots"):
        tally.begin(world.database, uuid, OFFICER, world.now)


# --- shuffles -----------------------------------------------------------------------------------------------------


def test_shuffles_end_by_themselves_after_the_last_one_needed(tallying: Closed) -> None:
    world, uuid, meeting = tallying
    assert ("2 more of key-holders 1 to 3",) == tally.steps(world.database, uuid).waiting_for
    first = world.shuffle(uuid, 2)
    tally.accept_shuffle(world.database, uuid, 2, first, world.now)
    tally.accept_shuffle(world.database, uuid, 2, first, world.now)  # sent again after a lost connection
    found = tally.steps(world.database, uuid)
    assert ((2,), False) == (found.shuffled, found.shuffles_ended)
    tally.accept_shuffle(world.database, uuid, 3, world.shuffle(uuid, 3), world.now)
    assert ["Setup", "EndBallots", "EncryptedTally", "Shuffle", "Shuffle", "EndShuffles"] == types(world, uuid)
    assert "shuffles ended" == last_act(world, meeting).act


def test_a_shuffle_of_an_outdated_tally_is_refused_and_on_the_record(tallying: Closed) -> None:
    world, uuid, meeting = tallying
    one, two = world.shuffle(uuid, 1), world.shuffle(uuid, 2)
    tally.accept_shuffle(world.database, uuid, 1, one, world.now)
    with pytest.raises(InvalidShuffleError) as caught:
        tally.accept_shuffle(world.database, uuid, 2, two, world.now)
    assert "trustee 2" == caught.value.blame
    entry = last_act(world, meeting)
    assert ("key-holder's message refused", 2) == (entry.act, entry.details["key-holder"])
    assert 1 == types(world, uuid).count("Shuffle")


def test_two_shuffles_at_once_are_one(tallying: Closed) -> None:
    world, uuid, _ = tallying
    shuffles = {owner: world.shuffle(uuid, owner) for owner in (1, 2)}

    def attempt(owner: int) -> object:
        try:
            return tally.accept_shuffle(world.database, uuid, owner, shuffles[owner], world.now)
        except BallotError as error:
            return error

    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(attempt, (1, 2)))
    assert 1 == answers.count(None)
    assert 1 == types(world, uuid).count("Shuffle")


def test_a_wrong_shuffle_is_refused(tallying: Closed) -> None:
    world, uuid, _ = tallying
    good = world.shuffle(uuid, 1)
    parsed = Shuffle.parse(good)
    swapped = replace(parsed, ciphertexts=(tuple(reversed(parsed.ciphertexts[0])),))
    for data, error in (
        (swapped.to_bytes(), InvalidShuffleError),
        (replace(parsed, ciphertexts=(parsed.ciphertexts[0][:-1],)).to_bytes(), InvalidShuffleError),
        (replace(parsed, ciphertexts=(), proofs=()).to_bytes(), InvalidShuffleError),
        (good + b" ", MalformedError),
        (b"", MalformedError),
        (b"\x00\xff", MalformedError),
    ):
        with pytest.raises(error):
            tally.accept_shuffle(world.database, uuid, 1, data, world.now)
    with pytest.raises(InvalidTrusteeError):
        tally.accept_shuffle(world.database, uuid, 4, good, world.now)
    assert 0 == types(world, uuid).count("Shuffle")


def test_one_key_holder_shuffles_once_and_nobody_after_the_end(shuffled: Closed) -> None:
    world, uuid, _ = shuffled
    for owner in (1, 3):
        with pytest.raises(PreconditionError, match="ended"):
            tally.accept_shuffle(world.database, uuid, owner, world.shuffle(uuid, owner), world.now)


def test_a_second_shuffle_of_one_key_holder_is_refused(tallying: Closed) -> None:
    world, uuid, _ = tallying
    tally.accept_shuffle(world.database, uuid, 1, world.shuffle(uuid, 1), world.now)
    with pytest.raises(PreconditionError, match="already"):
        tally.accept_shuffle(world.database, uuid, 1, world.shuffle(uuid, 1), world.now)


def test_nothing_is_accepted_before_the_tally_or_where_nothing_is_ranked(world: World, closed: Closed) -> None:
    _, uuid, _ = closed
    with pytest.raises(PreconditionError, match="not begun"):
        tally.accept_shuffle(world.database, uuid, 1, b"{}", world.now)
    with pytest.raises(NotFoundError):
        tally.accept_shuffle(world.database, "1" * 14, 1, b"{}", world.now)


# --- shares -------------------------------------------------------------------------------------------------------


def test_a_share_before_the_shuffles_ended_is_refused(tallying: Closed) -> None:
    world, uuid, _ = tallying
    with pytest.raises(PreconditionError, match="shuffled yet"):
        tally.accept_decryption(world.database, uuid, 1, *world.share(uuid, 1), world.now)


def test_a_wrong_share_is_refused_and_the_key_holder_named(shuffled: Closed) -> None:
    world, uuid, meeting = shuffled
    data, companion = world.share(uuid, 1)
    theirs, their_companion = world.share(uuid, 2)
    partial = PartialDecryption.parse(data)
    bent = replace(partial, decryption_proofs=((Proof(1, 1), *partial.decryption_proofs[0][1:]), *partial.decryption_proofs[1:]))
    for share, proofs, error in (
        (theirs, their_companion, InvalidPartialDecryptionError),
        (bent.to_bytes(), companion, InvalidPartialDecryptionError),
        (data, b"", InvalidCompanionError),
        (data, their_companion, MalformedError),
        (data, companion[:-1], MalformedError),
        (b"[]", companion, MalformedError),
    ):
        with pytest.raises(error):
            tally.accept_decryption(world.database, uuid, 1, share, proofs, world.now)
        assert ("key-holder's message refused", 1) == ((entry := last_act(world, meeting)).act, entry.details["key-holder"])
    assert 0 == types(world, uuid).count("PartialDecryption")


def test_noise_under_a_v1_proof_that_holds_is_refused_by_the_companion_proof(shuffled: Closed) -> None:
    """threats 1.3: with the key, a factor of one's own choice has a v1 proof that holds; the companion proof does not."""
    world, uuid, _ = shuffled
    setup, sealed, secret = board.load_setup(world.database, uuid), tally.current_tally(world.database, uuid), world.secrets[uuid, 1]
    partial = gen_partial_decryption(setup.election.fingerprint, sealed, secret, world.rng)
    from ballot.protocol.group import G, Q, hash_to_scalar

    # choose the commitments first, then the factor that makes the equation hold
    alpha = sealed.ciphertexts[0][0].alpha
    w, noise = 7, G**1234
    a, b = G**w, alpha**w * noise
    challenge = hash_to_scalar(f"decrypt|{setup.election.fingerprint}|{G**secret}|{a},{b}")
    response = (w - secret * challenge) % Q
    factor = (b / alpha**response) ** pow(challenge, -1, Q)
    rows = partial.decryption_factors
    noisy = replace(
        partial,
        decryption_factors=((factor, *rows[0][1:]), *rows[1:]),
        decryption_proofs=((Proof(challenge, response), *partial.decryption_proofs[0][1:]), *partial.decryption_proofs[1:]),
    )
    companion = gen_companion(setup.election, sealed, secret, noisy, SeededRng(b"c"), owner=1)
    with pytest.raises(InvalidCompanionError) as caught:
        tally.accept_decryption(world.database, uuid, 1, noisy.to_bytes(), companion.to_bytes(), world.now)
    assert (1, 0, 0) == (caught.value.trustee, caught.value.question, caught.value.answer)


def test_the_result_waits_for_enough_shares_and_takes_more_until_then(shuffled: Closed) -> None:
    world, uuid, _ = shuffled
    data, companion = world.share(uuid, 3)
    tally.accept_decryption(world.database, uuid, 3, data, companion, world.now)
    tally.accept_decryption(world.database, uuid, 3, data, companion, world.now)  # sent again
    with pytest.raises(PreconditionError, match="still missing 1 more of key-holders 1 to 3"):
        tally.finish(world.database, uuid, OFFICER, world.now)
    with pytest.raises(PreconditionError, match="already"):
        tally.accept_decryption(world.database, uuid, 3, *world.share(uuid, 3), world.now)
    for owner in (1, 2):
        tally.accept_decryption(world.database, uuid, owner, *world.share(uuid, owner), world.now)
    first = tally.finish(world.database, uuid, OFFICER, world.now)
    assert first == tally.finish(world.database, uuid, OFFICER, world.now)
    assert 1 == types(world, uuid).count("Result")
    with pytest.raises(NotFoundError):
        tally.outcome(world.database, uuid)  # computed is not published
    world.publish(uuid)
    assert 6 == tally.outcome(world.database, uuid).ballots
    with pytest.raises(PreconditionError):
        tally.publish(world.database, uuid, OFFICER, world.now)


def test_after_the_result_no_share_and_no_void(shuffled: Closed) -> None:
    world, uuid, _ = shuffled
    late = world.share(uuid, 2)
    for owner in (1, 3):
        tally.accept_decryption(world.database, uuid, owner, *world.share(uuid, owner), world.now)
    tally.publish(world.database, uuid, OFFICER, world.now)
    with pytest.raises(PreconditionError, match="published"):
        tally.accept_decryption(world.database, uuid, 2, *late, world.now)
    with world.database.write() as session, pytest.raises(PreconditionError):
        lifecycle.void(session, uuid, "too late", OFFICER, world.now)


def test_a_companion_swapped_in_the_database_is_not_published(shuffled: Closed) -> None:
    world, uuid, _ = shuffled
    for owner in (1, 3):
        tally.accept_decryption(world.database, uuid, owner, *world.share(uuid, owner), world.now)
    other = world.share(uuid, 1)[1]
    companions = table(Companion)
    bent = other.replace(b'"response":"', b'"response":"1', 1)
    with world.database.write_connection() as connection:
        connection.execute(update(companions).where(companions.c.owner == 1).values(content=bent))
    with pytest.raises(BallotError):
        tally.publish(world.database, uuid, OFFICER, world.now)
    with world.database.read() as session:
        assert ElectionState.TALLYING is lifecycle.election_of(session, uuid).state


def test_a_practice_key_is_for_practice_only(shuffled: Closed) -> None:
    world, uuid, _ = shuffled
    with pytest.raises(PreconditionError):
        tally.open_practice(world.database, world.keys, uuid, world.now)


@pytest.mark.parametrize(
    ("values", "order"),
    [((1, 2, 0), (0, 1)), ((0, 0, 0), ()), ((2, 0, 1), (2, 0))] + [(v, None) for v in ((1, 1, 0), (0, 2, 0), (1, 3, 0), (255, 0, 0))],
)
def test_a_ranking_uses_the_first_ranks_once_each(values: tuple[int, ...], order: tuple[int, ...] | None) -> None:
    assert order == ranking_of(values)


# --- lots and withdrawals -------------------------------------------------------------------------------------------


STV = {"rule": "scottish-2011", "seats": 1, "ron": True}
RULES = ({"rule": "motion"}, STV)


@pytest.fixture
def counted(world: World) -> Closed:
    """A closed election by declared rules, where Ada and Ben have three papers each."""
    meeting = world.meeting(two_people=False)
    uuid = world.election(meeting, rules=RULES)
    world.open(uuid)
    for place, entry in enumerate(world.members(meeting)[:6]):
        world.cast(uuid, entry, [(0, 1, 0), (0, 1, 0, 0) if place % 2 else (1, 0, 0, 0)])
    world.close(uuid)
    return world, uuid, meeting.id


def lot(world: World, uuid: str, order: Sequence[int], number: int = 2, actor: journal.Actor = OFFICER) -> None:
    with world.database.write() as session:
        tally.record_lot(session, uuid, number, order, actor, world.now)


def withdraw(world: World, uuid: str, choice: int, number: int = 2, actor: journal.Actor = OFFICER) -> None:
    with world.database.write() as session:
        tally.record_withdrawal(session, uuid, number, choice, actor, world.now)


@pytest.mark.parametrize(("order", "winner"), [((1, 0, 2, 3), 1), ((0, 1, 2, 3), 0)])
def test_a_lot_drawn_in_public_decides_the_tie_and_is_in_the_journal_and_the_file(
    counted: Closed, order: tuple[int, ...], winner: int
) -> None:
    world, uuid, meeting = counted
    lot(world, uuid, (3, 2, 1, 0))
    lot(world, uuid, order)  # the later one stands
    entry = last_act(world, meeting)
    assert ("a lot drawn in public", {"question": 2, "order": [choice + 1 for choice in order]}) == (entry.act, entry.details)
    world.tally(uuid)
    published = tally.outcome(world.database, uuid)
    assert published.questions[1].record is not None
    assert (winner,) == published.questions[1].record.winners
    assert {"2": [choice + 1 for choice in order]} == json.loads(published.file)["acts"]["lots"]
    report = verify_archive(
        io.BytesIO(b"".join(board.stream_archive(world.database, uuid)[1])), companion=companion_of(world, uuid), results=published.file
    )
    assert Outcome.VERIFIED is report.outcome, report.sentence
    assert any("lots" in note for note in report.notes)


def companion_of(world: World, uuid: str) -> bytes:
    with world.database.read() as session:
        return board.companion_bytes(session, uuid)


def test_a_withdrawn_candidate_is_passed_over(counted: Closed) -> None:
    world, uuid, meeting = counted
    withdraw(world, uuid, 0)
    entry = last_act(world, meeting)
    assert ("a candidate withdrew before the count", {"question": 2, "choice": 1}) == (entry.act, entry.details)
    world.tally(uuid)
    published = tally.outcome(world.database, uuid)
    assert published.questions[1].record is not None
    assert ((1,), (0,)) == (published.questions[1].record.winners, published.questions[1].record.withdrawn)
    assert {"2": [1]} == json.loads(published.file)["acts"]["withdrawn"]


def test_a_lot_or_withdrawal_that_fits_no_question_is_refused(counted: Closed) -> None:
    world, uuid, meeting = counted
    before = last_act(world, meeting)
    for order in ((0, 1, 2), (0, 1, 2, 2), (0, 1, 2, 4), ()):
        with pytest.raises(PreconditionError, match="every choice exactly once"):
            lot(world, uuid, order)
    with pytest.raises(PreconditionError, match="elects nobody"):
        lot(world, uuid, (0, 1), number=1)
    for number in (0, 3):
        with pytest.raises(PreconditionError, match="no such question"):
            lot(world, uuid, (0, 1, 2, 3), number=number)
    for number, choice in ((1, 0), (2, 3), (2, 4), (2, -1)):  # the fourth is "re-open nominations"
        with pytest.raises(PreconditionError, match="Only a candidate"):
            withdraw(world, uuid, choice, number)
    for act in (lambda: lot(world, uuid, (0, 1, 2, 3), actor=SECRETARY), lambda: withdraw(world, uuid, 0, actor=SECRETARY)):
        with pytest.raises(NotAllowedError):
            act()
    assert before == last_act(world, meeting)


def test_one_candidate_has_to_be_left_and_withdraws_once(counted: Closed) -> None:
    world, uuid, _ = counted
    withdraw(world, uuid, 2)
    with pytest.raises(PreconditionError, match="Cal withdrew is on the record already"):
        withdraw(world, uuid, 2)
    withdraw(world, uuid, 1)
    with pytest.raises(PreconditionError, match="Nobody would be left"):
        withdraw(world, uuid, 0)


def test_nothing_is_recorded_while_voting_or_after_the_first_share(world: World) -> None:
    meeting = world.meeting(two_people=False)
    uuid = world.election(meeting, rules=RULES)
    world.open(uuid)

    def refused(why: str) -> None:
        for act in (lambda: lot(world, uuid, (0, 1, 2, 3)), lambda: withdraw(world, uuid, 0)):
            with pytest.raises(PreconditionError, match=why):
                act()

    refused("is open")
    for entry in world.members(meeting)[:6]:
        world.cast(uuid, entry)
    world.close(uuid)
    lot(world, uuid, (0, 1, 2, 3))
    tally.begin(world.database, uuid, OFFICER, world.now)
    for owner in (1, 2):
        tally.accept_shuffle(world.database, uuid, owner, world.shuffle(uuid, owner), world.now)
    lot(world, uuid, (3, 1, 2, 0))  # nobody can know the result yet
    tally.accept_decryption(world.database, uuid, 1, *world.share(uuid, 1), world.now)
    refused("before the first share")
    tally.accept_decryption(world.database, uuid, 2, *world.share(uuid, 2), world.now)
    world.publish(uuid)
    refused("is published")


def test_void_stops_the_tally(tallying: Closed) -> None:
    world, uuid, _ = tallying
    with world.database.write() as session:
        lifecycle.void(session, uuid, "two motions were mixed up", OFFICER, world.now)
    with pytest.raises(PreconditionError, match="void"):
        tally.accept_shuffle(world.database, uuid, 1, world.shuffle(uuid, 1), world.now)


def test_publishing_takes_a_second_person_before_anything_is_computed(world: World) -> None:
    meeting = world.meeting()
    uuid = world.election(meeting, questions=[MOTION])
    world.open(uuid)
    for entry in world.members(meeting)[:5]:
        world.cast(uuid, entry, [(0, 1, 0)])
    world.close(uuid)
    tally.begin(world.database, uuid, OFFICER, world.now)
    for owner in (1, 2):
        tally.accept_decryption(world.database, uuid, owner, *world.share(uuid, owner), world.now)
    with pytest.raises(ApprovalNeededError):
        tally.publish(world.database, uuid, OFFICER, world.now)
    assert 0 == types(world, uuid).count("Result")
    world.publish(uuid)
    last = last_act(world, meeting.id)
    assert ("result published", SECOND.id) == (last.act, last.second)


def test_a_companion_file_that_vanished_is_found_by_our_own_verifier_and_nothing_is_published(shuffled: Closed) -> None:
    world, uuid, meeting = shuffled
    for owner in (1, 3):
        tally.accept_decryption(world.database, uuid, owner, *world.share(uuid, owner), world.now)
    with world.database.write_connection() as connection:
        connection.execute(delete(table(Companion)).where(table(Companion).c.owner == 3))
    with pytest.raises(BoardDamagedError, match="refused by the verifier"):
        world.publish(uuid)
    assert "damage found" == last_act(world, meeting).act
    with world.database.read() as session:
        assert ElectionState.TALLYING is lifecycle.election_of(session, uuid).state
    with pytest.raises(NotFoundError):
        tally.outcome(world.database, uuid)


def test_where_nothing_is_ranked_there_is_nothing_to_shuffle_and_no_share_after_the_result(world: World) -> None:
    meeting = world.meeting(two_people=False)
    uuid = world.election(meeting, questions=(MOTION,))
    world.open(uuid)
    for entry in world.members(meeting)[:5]:
        world.cast(uuid, entry, [(0, 1, 0)])
    world.close(uuid)
    tally.begin(world.database, uuid, OFFICER, world.now)
    with pytest.raises(PreconditionError, match="nothing to shuffle"):
        tally.accept_shuffle(world.database, uuid, 1, b"{}", world.now)
    late = world.share(uuid, 3)
    for owner in (1, 2):
        tally.accept_decryption(world.database, uuid, owner, *world.share(uuid, owner), world.now)
    tally.finish(world.database, uuid, OFFICER, world.now)
    with pytest.raises(PreconditionError, match="no further share"):
        tally.accept_decryption(world.database, uuid, 3, *late, world.now)
