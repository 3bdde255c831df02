"""Partial decryptions, companion proofs, and what the shares come to."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import combinations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ballot.errors import (
    InvalidCompanionError,
    InvalidPartialDecryptionError,
    InvalidResultError,
    InvalidTrusteeError,
    MalformedError,
    NotSupportedError,
    VerificationError,
)
from ballot.protocol import companion as companions
from ballot.protocol.companion import check_companion, gen_companion
from ballot.protocol.decryption import check_partial_decryption, combine_factors, gen_partial_decryption, lagrange
from ballot.protocol.group import G, Point, Q, SeededRng, of_ints
from ballot.protocol.messages import Companion, CompanionFile, EncryptedTally, PartialDecryption, Proof, Result
from ballot.protocol.proofs import fiat_shamir
from ballot.protocol.result import check_result, compute_result, discrete_logs, open_tally
from tests.support.keyholders import MOTION, RANKED, UP_TO_TWO, SmallElection, small_election

QUESTIONS = (MOTION, RANKED, UP_TO_TWO)
VOTES = [
    [[0, 1, 0], [1, 2, 3], [1, 1, 0]],
    [[1, 0, 0], [0, 0, 0], [0, 0, 0]],
    [[0, 0, 1], [3, 1, 2], [0, 1, 0]],
    [[0, 1, 0], [0, 1, 0], [1, 0, 0]],
]
TOTALS = ((1, 2, 1), (2, 2, 0))


def _share(small: SmallElection, owner: int) -> PartialDecryption:
    rng = SeededRng(b"share %d" % owner)
    return gen_partial_decryption(small.election.fingerprint, small.tally, small.secrets[owner - 1], rng)


@pytest.fixture(scope="module")
def single() -> SmallElection:
    return small_election("1", QUESTIONS, VOTES)


@pytest.fixture(scope="module")
def group() -> SmallElection:
    return small_election("2/4 1", QUESTIONS, VOTES)


def _check(small: SmallElection, partial: PartialDecryption, owner: int = 1, **changes: Any) -> None:
    arguments = {"fingerprint": small.election.fingerprint, "tally": small.tally, "public_key": small.keys.of_owner(owner).public_key}
    arguments.update(changes)
    check_partial_decryption(**arguments, partial=partial, owner=owner)


# --- v1 proofs ------------------------------------------------------------------------------------------------------------


def test_an_honest_share_checks_and_reads_back(single: SmallElection) -> None:
    share = _share(single, 1)
    _check(single, share)
    assert share == PartialDecryption.parse(share.to_bytes())
    assert [[c.alpha ** single.secrets[0] for c in row] for row in single.tally.ciphertexts] == list(map(list, share.decryption_factors))


def test_a_share_for_another_election_key_or_tally_is_refused(single: SmallElection) -> None:
    share = _share(single, 1)
    swapped = EncryptedTally((single.tally.ciphertexts[0], single.tally.ciphertexts[1][::-1], single.tally.ciphertexts[2]))
    for changes in ({"fingerprint": "another"}, {"public_key": G**5}, {"tally": swapped}):
        with pytest.raises(InvalidPartialDecryptionError):
            _check(single, share, **changes)


def _with_factor(partial: PartialDecryption, question: int, answer: int, factor: Point) -> PartialDecryption:
    rows = [list(row) for row in partial.decryption_factors]
    rows[question][answer] = factor
    return replace(partial, decryption_factors=tuple(map(tuple, rows)))


def _with_proof(rows: tuple[tuple[Proof, ...], ...], question: int, answer: int, proof: Proof) -> tuple[tuple[Proof, ...], ...]:
    return tuple(tuple(proof if (i, j) == (question, answer) else p for j, p in enumerate(row)) for i, row in enumerate(rows))


def test_a_wrong_factor_or_proof_is_refused_and_its_place_told(single: SmallElection) -> None:
    share = _share(single, 1)
    honest = share.decryption_proofs[1][2]
    for bent in (
        _with_factor(share, 1, 2, share.decryption_factors[1][2] * G),
        replace(share, decryption_proofs=_with_proof(share.decryption_proofs, 1, 2, replace(honest, response=(honest.response + 1) % Q))),
        replace(share, decryption_proofs=_with_proof(share.decryption_proofs, 1, 2, replace(honest, challenge=(honest.challenge + 1) % Q))),
    ):
        with pytest.raises(InvalidPartialDecryptionError) as caught:
            _check(single, bent)
        assert (1, 1, 2, "trustee 1") == (caught.value.trustee, caught.value.question, caught.value.answer, caught.value.blame)


def test_a_share_of_another_shape_is_malformed(single: SmallElection) -> None:
    share = _share(single, 1)
    for name in ("decryption_factors", "decryption_proofs"):
        rows = getattr(share, name)
        for bent in (rows[:2], (rows[0][:2], *rows[1:]), (*rows, rows[0])):
            with pytest.raises(MalformedError):
                _check(single, replace(share, **{name: bent}))


def test_a_threshold_share_checks_under_its_own_owner_only(group: SmallElection) -> None:
    share = _share(group, 2)
    _check(group, share, 2)
    with pytest.raises(InvalidPartialDecryptionError):
        _check(group, share, 3)


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_a_flipped_bit_of_a_written_share_is_refused(data: st.DataObject) -> None:
    raw = bytearray(_SHARE.to_bytes())
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises((MalformedError, InvalidPartialDecryptionError)):
        _check(_SMALL, PartialDecryption.parse(bytes(raw)))


# --- the hole in v1, and the companion proof that closes it ---------------------------------------------------------------------


def _forged(small: SmallElection, owner: int, question: int, answer: int) -> PartialDecryption:
    """A share with one chosen wrong factor whose v1 proof holds: v1's challenge hashes neither the factor nor alpha."""
    x, rng = small.secrets[owner - 1], SeededRng(b"forged")
    key, alpha = G**x, small.tally.ciphertexts[question][answer].alpha
    w, b = rng.scalar(), rng.scalar()
    commitment_b = alpha**b
    challenge = fiat_shamir(f"decrypt|{small.election.fingerprint}|{key}", G**w, commitment_b)
    response = (w - x * challenge) % Q
    factor = (commitment_b / alpha**response) ** pow(challenge, -1, Q)
    share = _share(small, owner)
    proofs = _with_proof(share.decryption_proofs, question, answer, Proof(challenge, response))
    return _with_factor(replace(share, decryption_proofs=proofs), question, answer, factor)


def _companion(small: SmallElection, partial: PartialDecryption, owner: int = 1) -> Companion:
    return gen_companion(small.election, small.tally, small.secrets[owner - 1], partial, SeededRng(b"companion"), owner=owner)


def _check_companion(small: SmallElection, partial: PartialDecryption, companion: Companion, owner: int = 1) -> None:
    key = small.keys.of_owner(owner).public_key
    check_companion(small.election, small.tally, key, partial, companion, owner=owner)


def test_a_factor_forged_under_v1_passes_its_proof_and_fails_the_companions(single: SmallElection) -> None:
    forged = _forged(single, 1, 1, 0)
    _check(single, forged)
    honest = _share(single, 1)
    companion = replace(_companion(single, honest), partial_decryption=_companion(single, forged).partial_decryption)
    with pytest.raises(InvalidCompanionError) as caught:
        _check_companion(single, forged, companion)
    assert (1, 1, 0) == (caught.value.trustee, caught.value.question, caught.value.answer)
    with pytest.raises(InvalidCompanionError):
        _check_companion(single, forged, _companion(single, forged))


def test_with_a_share_too_many_a_forged_one_is_noticed(group: SmallElection) -> None:
    shares = {owner: _share(group, owner) for owner in (1, 2, 3, 5)}
    combine_factors(group.keys, group.tally, shares)
    for owner in (1, 2, 3):
        with pytest.raises(VerificationError, match="contradict"):
            combine_factors(group.keys, group.tally, {**shares, owner: _forged(group, owner, 1, 0)})


def test_an_honest_companion_checks_and_reads_back(single: SmallElection) -> None:
    share = _share(single, 1)
    companion = _companion(single, share)
    _check_companion(single, share, companion)
    assert companion == Companion.parse(companion.to_bytes())
    assert CompanionFile((companion,)) == CompanionFile.parse(b"[" + companion.to_bytes() + b"]")


def test_a_companion_of_something_else_is_malformed(single: SmallElection) -> None:
    share = _share(single, 1)
    good = _companion(single, share)
    for changes in (
        {"election": "Another1111111"},
        {"fingerprint": "another"},
        {"owner": 2},
        {"partial_decryption": "0" * 64},
        {"proofs": good.proofs[:2]},
        {"proofs": (good.proofs[0][:1], *good.proofs[1:])},
    ):
        with pytest.raises(MalformedError):
            _check_companion(single, share, replace(good, **changes))
    with pytest.raises(NotSupportedError):
        Companion.parse(replace(good, version=2).to_bytes())
    with pytest.raises(MalformedError):
        CompanionFile.parse(CompanionFile((good, good)).to_bytes())


def test_companions_of_exchanged_places_are_refused(single: SmallElection) -> None:
    share = _share(single, 1)
    good = _companion(single, share)
    exchanged = replace(good, proofs=((good.proofs[0][1], good.proofs[0][0], *good.proofs[0][2:]), *good.proofs[1:]))
    with pytest.raises(InvalidCompanionError):
        _check_companion(single, share, exchanged)


def test_each_input_of_a_companions_challenge_changes_it() -> None:
    honest: list[Any] = ["fingerprint", 1, (0, 1), G**2, G**3, G**4]
    other: list[Any] = ["another", 2, (1, 1), G**5, G**6, G**7]
    statements = [companions._statement(*honest), companions._statement(*[*honest[:2], (0, 2), *honest[3:]])]
    statements += [companions._statement(*[*honest[:i], value, *honest[i + 1 :]]) for i, value in enumerate(other)]
    challenges = {fiat_shamir(text, G, G**2) for text in statements}
    challenges |= {fiat_shamir(statements[0], G**2, G**2), fiat_shamir(statements[0], G, G)}
    assert 10 == len(challenges)
    assert all(text.startswith("ballot-companion-decryption:1|") for text in statements)


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_a_flipped_bit_of_a_written_companion_is_refused(data: st.DataObject) -> None:
    raw = bytearray(_COMPANION.to_bytes())
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises((MalformedError, InvalidCompanionError)):
        _check_companion(_SMALL, _SHARE, Companion.parse(bytes(raw)))


# --- combining ------------------------------------------------------------------------------------------------------------------


def _result(small: SmallElection, owners: tuple[int, ...]) -> Result:
    factors = combine_factors(small.keys, small.tally, {owner: _share(small, owner) for owner in owners})
    return compute_result(small.election, small.tally, factors, small.num_tallied)


@pytest.mark.parametrize(("shape", "needed", "always"), [("1", 1, ()), ("3", 3, ()), ("2/3", 2, ()), ("3/5", 3, ()), ("2/3 1", 2, (4,))])
def test_every_sufficient_set_of_shares_gives_the_same_result(shape: str, needed: int, always: tuple[int, ...]) -> None:
    small = small_election(shape, QUESTIONS, VOTES)
    free = [key.owner for key in small.keys.keys if key.owner not in always]
    results = {_result(small, subset + always) for subset in combinations(free, needed)}
    (result,) = results
    assert TOTALS == (result.result[0], result.result[2])
    assert sorted(tuple(vote[1]) for vote in VOTES) == sorted(result.result[1])
    if needed > 1:
        with pytest.raises(VerificationError, match="missing"):
            _result(small, (free[0], *always))


def test_all_shares_together_are_checked_against_each_other() -> None:
    small = small_election("3/5", QUESTIONS, VOTES)
    assert _result(small, (1, 2, 3)) == _result(small, (1, 2, 3, 4, 5))


def test_shares_of_nobody_or_of_another_shape_are_refused(group: SmallElection) -> None:
    shares = {owner: _share(group, owner) for owner in (1, 2, 5)}
    with pytest.raises(InvalidTrusteeError):
        combine_factors(group.keys, group.tally, {**shares, 6: shares[1]})
    with pytest.raises(MalformedError):
        combine_factors(group.keys, group.tally, {**shares, 3: PartialDecryption((), ())})
    with pytest.raises(VerificationError, match="key-holder 5"):
        combine_factors(group.keys, group.tally, {1: shares[1], 2: shares[2]})


def test_lagrange_coefficients_interpolate() -> None:
    def f(x: int) -> int:
        return (7 + 5 * x + 3 * x * x) % Q

    for indices in combinations(range(1, 6), 3):
        for at in (0, 1, 4, 9):
            assert f(at) == sum(f(i) * lagrange(indices, i, at) for i in indices) % Q


# --- reading the result -----------------------------------------------------------------------------------------------------------


@given(st.integers(0, 3000), st.lists(st.integers(-5, 3005), min_size=1, max_size=6))
@settings(max_examples=40, deadline=None)
def test_discrete_logs_are_found_within_the_bound_only(bound: int, values: list[int]) -> None:
    expected = {G**k: k for k in values if 0 <= k <= bound}
    assert expected == discrete_logs([G**k for k in values], bound)


def test_a_false_share_shows_as_an_unreadable_total_or_a_counted_oddity(single: SmallElection) -> None:
    def opened(question: int, answer: int) -> Any:
        factors = combine_factors(single.keys, single.tally, {1: _forged(single, 1, question, answer)})
        return open_tally(single.election, single.tally, factors, single.num_tallied)

    with pytest.raises(InvalidResultError, match="total 2"):
        opened(0, 1)
    assert (0, 1, 0) == opened(1, 2).not_canonical


def test_a_total_above_the_number_of_ballots_is_refused(single: SmallElection) -> None:
    factors = combine_factors(single.keys, single.tally, {1: _share(single, 1)})
    with pytest.raises(InvalidResultError):
        compute_result(single.election, single.tally, factors, 1)


def test_a_published_result_that_differs_is_refused(single: SmallElection) -> None:
    factors = combine_factors(single.keys, single.tally, {1: _share(single, 1)})
    good = compute_result(single.election, single.tally, factors, single.num_tallied)
    assert good == check_result(single.election, single.tally, factors, single.num_tallied, good).result
    rankings = good.result[1]
    for bent in (
        ((1, 1, 2), *good.result[1:]),
        (good.result[0], rankings[::-1], good.result[2]),
        (good.result[0], rankings[1:], good.result[2]),
        good.result[:2],
    ):
        with pytest.raises(InvalidResultError):
            check_result(single.election, single.tally, factors, single.num_tallied, Result(bent))


def test_a_ballot_that_encodes_nothing_is_counted_as_such(single: SmallElection) -> None:
    # An element whose lowest bits are not the first that fit: its integers read back, but of_ints gives another element.
    odd = next(p for p in (G**k for k in range(2, 100)) if of_ints([0]) != p)
    ciphertext = single.tally.ciphertexts[1][0]
    beta = odd * ciphertext.alpha ** single.secrets[0]
    row = (replace(ciphertext, beta=beta), *single.tally.ciphertexts[1][1:])
    tally = EncryptedTally((single.tally.ciphertexts[0], row, single.tally.ciphertexts[2]))
    share = gen_partial_decryption(single.election.fingerprint, tally, single.secrets[0], SeededRng(b""))
    factors = combine_factors(single.keys, tally, {1: share})
    assert (0, 1, 0) == open_tally(single.election, tally, factors, single.num_tallied).not_canonical


def test_the_executor_changes_nothing() -> None:
    small = small_election("2/3", (MOTION, RANKED), [[[0, 1, 0], [1, 2, 3]]] * 70)
    with ThreadPoolExecutor(2) as pool:
        shares = {}
        for owner in (1, 2, 3):
            rng, again = SeededRng(b"a"), SeededRng(b"a")
            secret, key = small.secrets[owner - 1], small.keys.of_owner(owner).public_key
            share = gen_partial_decryption(small.election.fingerprint, small.tally, secret, rng)
            assert share == gen_partial_decryption(small.election.fingerprint, small.tally, secret, again, pool)
            check_partial_decryption(small.election.fingerprint, small.tally, key, share, owner=owner, executor=pool)
            companion = gen_companion(small.election, small.tally, secret, share, rng, owner=owner)
            assert companion == gen_companion(small.election, small.tally, secret, share, again, owner=owner, executor=pool)
            check_companion(small.election, small.tally, key, share, companion, owner=owner, executor=pool)
            shares[owner] = share
        factors = combine_factors(small.keys, small.tally, shares)
        assert factors == combine_factors(small.keys, small.tally, shares, pool)
        result = compute_result(small.election, small.tally, factors, 70)
        assert result == compute_result(small.election, small.tally, factors, 70, pool)
        assert Result(((0, 70, 0), ((1, 2, 3),) * 70)) == result


_SMALL = small_election("1", (RANKED,), [[[1, 2, 3]], [[0, 0, 0]]])
_SHARE = _share(_SMALL, 1)
_COMPANION = _companion(_SMALL, _SHARE)
