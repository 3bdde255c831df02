"""What the accepted ballots come to."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ballot.errors import InvalidBallotError, MalformedError, VerificationError
from ballot.protocol.ballots import create_ballot
from ballot.protocol.elgamal import combine
from ballot.protocol.group import ONE, G, SeededRng
from ballot.protocol.messages import AnswerH, Ciphertext, EncryptedTally, sha256_hex
from ballot.protocol.tally import (
    TallyBuilder,
    check_shape,
    compute_encrypted_tally,
    last_ballots,
    merge_nh_ciphertexts,
    nh_ciphertexts,
)
from tests.support.keyholders import MOTION, RANKED, UP_TO_TWO, SmallElection, small_election

VOTES = [[[0, 1, 0], [1, 2, 3], [1, 1, 0]], [[1, 0, 0], [0, 0, 0], [0, 0, 0]], [[0, 0, 1], [3, 1, 2], [0, 1, 0]]]


@pytest.fixture(scope="module")
def small() -> SmallElection:
    return small_election("1", (MOTION, RANKED, UP_TO_TWO), VOTES)


def test_totals_are_products_and_rankings_are_sorted_by_their_points(small: SmallElection) -> None:
    first = [ballot.answers[0] for ballot in small.ballots]
    for j in range(3):
        assert combine(a.choices[j] for a in first if isinstance(a, AnswerH)) == small.tally.ciphertexts[0][j]
    ranked = [ballot.answers[1].choices for ballot in small.ballots]
    assert set(ranked) == set(small.tally.ciphertexts[1])
    as_bytes = [bytes.fromhex(str(c.alpha))[::-1] for c in small.tally.ciphertexts[1]]
    assert sorted(as_bytes) == as_bytes
    assert [3, 3, 3] == [len(row) for row in small.tally.ciphertexts]


def test_the_order_of_ballots_does_not_matter(small: SmallElection) -> None:
    assert small.tally == compute_encrypted_tally(small.election, reversed(small.ballots))[0]


def test_only_the_last_ballot_of_a_credential_counts(small: SmallElection) -> None:
    secret = 5
    first, second = (create_ballot(small.election, secret, vote, SeededRng(b"again")) for vote in VOTES[:2])
    cast = [first, small.ballots[0], second, small.ballots[1]]
    assert [small.ballots[0], second, small.ballots[1]] == last_ballots(cast)
    tally, sized = compute_encrypted_tally(small.election, cast)
    assert compute_encrypted_tally(small.election, [*small.ballots[:2], second])[0] == tally
    assert (3, 3, sha256_hex(tally.to_bytes())) == (sized.num_tallied, sized.total_weight, sized.encrypted_tally)


def test_without_ballots_there_is_no_tally(small: SmallElection) -> None:
    with pytest.raises(VerificationError, match="no ballot"):
        compute_encrypted_tally(small.election, [])


def test_ballots_of_another_shape_are_refused_and_change_nothing(small: SmallElection) -> None:
    good = small.ballots[0]
    builder = TallyBuilder(small.election)
    builder.add(good)
    answer = good.answers[0]
    assert isinstance(answer, AnswerH)
    for answers in (
        good.answers[:2],
        (*good.answers, answer),
        (good.answers[1], *good.answers[1:]),
        (answer, answer, answer),
        (replace(answer, choices=answer.choices[:2]), *good.answers[1:]),
    ):
        with pytest.raises(InvalidBallotError):
            builder.add(replace(good, answers=answers))
    assert compute_encrypted_tally(small.election, [good]) == builder.finish()


def test_a_sum_whose_randomness_cancels_out_is_refused(small: SmallElection) -> None:
    good = small.ballots[0]
    answer = good.answers[0]
    assert isinstance(answer, AnswerH)
    inverse = tuple(Ciphertext(ONE / c.alpha, c.beta) for c in answer.choices)
    builder = TallyBuilder(small.election)
    builder.add(good)
    builder.add(replace(small.ballots[1], answers=(replace(answer, choices=inverse), *good.answers[1:])))
    with pytest.raises(VerificationError, match="cancel"):
        builder.finish()


def test_ranked_ciphertexts_come_out_and_go_back_in(small: SmallElection) -> None:
    (row,) = nh_ciphertexts(small.election, small.tally)
    assert small.tally == merge_nh_ciphertexts(small.election, small.tally, [row])
    shuffled = merge_nh_ciphertexts(small.election, small.tally, [row[::-1]])
    assert (row[::-1],) == nh_ciphertexts(small.election, shuffled)
    assert small.tally.ciphertexts[::2] == shuffled.ciphertexts[::2]
    for bent in ([row[1:]], [], [row, row]):
        with pytest.raises(MalformedError):
            merge_nh_ciphertexts(small.election, small.tally, bent)


def test_a_tally_of_another_shape_is_malformed(small: SmallElection) -> None:
    check_shape(small.election, small.tally, 3)
    with pytest.raises(MalformedError):
        check_shape(small.election, small.tally, 2)
    rows = small.tally.ciphertexts
    for bent in (rows[:2], (rows[0][:2], *rows[1:]), (*rows, rows[0])):
        with pytest.raises(MalformedError):
            check_shape(small.election, EncryptedTally(bent), 3)


def test_a_neutral_alpha_cannot_be_read() -> None:
    with pytest.raises(MalformedError):
        EncryptedTally.parse(EncryptedTally(((Ciphertext(ONE, G),),)).to_bytes())
