"""Shuffles keep the multiset, and no bent one passes."""

from __future__ import annotations

import re
from collections import Counter
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ballot.errors import InvalidShuffleError, MalformedError
from ballot.protocol import shuffle as subject
from ballot.protocol.elgamal import decrypt, encrypt
from ballot.protocol.group import ONE, G, Point, Q, SeededRng, get_generator
from ballot.protocol.messages import Ciphertext, DeferredShuffle, EncryptedTally, Shuffle, ShuffleProof
from ballot.protocol.parallel import map_chunks
from ballot.protocol.shuffle import (
    check_shuffle,
    check_shuffle_proof,
    gen_permutation,
    gen_shuffle,
    gen_shuffle_proof,
    get_generators,
    get_secondary_generator,
    shuffle_tally,
    shuffles_hold,
)
from ballot.protocol.tally import merge_nh_ciphertexts
from tests.support.keyholders import MOTION, RANKED, small_election

SECRET = 123456789
KEY = G**SECRET


def _ciphertexts(count: int, seed: bytes = b"ciphertexts") -> list[Ciphertext]:
    rng = SeededRng(seed)
    return [encrypt(KEY, G ** (i + 1), rng.scalar()) for i in range(count)]


def _shuffled(count: int, seed: bytes = b"shuffle") -> tuple[list[Ciphertext], list[Ciphertext], ShuffleProof]:
    rng, e = SeededRng(seed), _ciphertexts(count)
    e_prime, r_prime, psi = gen_shuffle(e, KEY, rng)
    return e, e_prime, gen_shuffle_proof(e, e_prime, r_prime, psi, KEY, "fingerprint", rng)


def _plaintexts(e: list[Ciphertext]) -> Counter[Point]:
    return Counter(decrypt(SECRET, c) for c in e)


@given(st.integers(1, 12), st.binary(max_size=8))
@settings(max_examples=20, deadline=None)
def test_a_shuffle_keeps_the_multiset_renews_everything_and_checks(count: int, seed: bytes) -> None:
    e, e_prime, proof = _shuffled(count, seed)
    assert _plaintexts(e) == _plaintexts(e_prime)
    assert not {c.alpha for c in e} & {c.alpha for c in e_prime}
    check_shuffle_proof(proof, e, e_prime, KEY, "fingerprint")
    assert proof == ShuffleProof.parse(proof.to_bytes())


def test_every_permutation_comes_up_equally_often() -> None:
    rng = SeededRng(b"permutations")
    seen = Counter(tuple(gen_permutation(3, rng)) for _ in range(1200))
    assert 6 == len(seen)
    assert all(140 < count < 260 for count in seen.values())


BENDS: dict[str, Any] = {
    "t1": lambda p: replace(p, t=(p.t[0] * G, *p.t[1:])),
    "t2": lambda p: replace(p, t=(p.t[0], p.t[1] * G, *p.t[2:])),
    "t3": lambda p: replace(p, t=(*p.t[:2], p.t[2] * G, *p.t[3:])),
    "t41": lambda p: replace(p, t=(*p.t[:3], (p.t[3][0] * G, p.t[3][1]), p.t[4])),
    "t42": lambda p: replace(p, t=(*p.t[:3], (p.t[3][0], p.t[3][1] * G), p.t[4])),
    "t_hat first": lambda p: replace(p, t=(*p.t[:4], (p.t[4][0] * G, *p.t[4][1:]))),
    "t_hat last": lambda p: replace(p, t=(*p.t[:4], (*p.t[4][:-1], p.t[4][-1] * G))),
    "s1": lambda p: replace(p, s=((p.s[0] + 1) % Q, *p.s[1:])),
    "s2": lambda p: replace(p, s=(p.s[0], (p.s[1] + 1) % Q, *p.s[2:])),
    "s3": lambda p: replace(p, s=(*p.s[:2], (p.s[2] + 1) % Q, *p.s[3:])),
    "s4": lambda p: replace(p, s=(*p.s[:3], (p.s[3] + 1) % Q, *p.s[4:])),
    "s_hat": lambda p: replace(p, s=(*p.s[:4], ((p.s[4][0] + 1) % Q, *p.s[4][1:]), p.s[5])),
    "s_prime": lambda p: replace(p, s=(*p.s[:5], (*p.s[5][:-1], (p.s[5][-1] + 1) % Q))),
    "c": lambda p: replace(p, c=(p.c[0] * G, *p.c[1:])),
    "c swapped": lambda p: replace(p, c=(p.c[1], p.c[0], *p.c[2:])),
    "c_hat first": lambda p: replace(p, c_hat=(p.c_hat[0] * G, *p.c_hat[1:])),
    "c_hat last": lambda p: replace(p, c_hat=(*p.c_hat[:-1], p.c_hat[-1] * G)),
    "c short": lambda p: replace(p, c=p.c[1:]),
    "c_hat short": lambda p: replace(p, c_hat=p.c_hat[1:]),
    "t_hat short": lambda p: replace(p, t=(*p.t[:4], p.t[4][1:])),
    "s_hat long": lambda p: replace(p, s=(*p.s[:4], (*p.s[4], 0), p.s[5])),
    "s_prime short": lambda p: replace(p, s=(*p.s[:5], p.s[5][1:])),
}


@pytest.mark.parametrize("bend", BENDS)
def test_a_proof_bent_in_one_place_is_refused(bend: str) -> None:
    e, e_prime, proof = _shuffled(5)
    with pytest.raises(InvalidShuffleError):
        check_shuffle_proof(BENDS[bend](proof), e, e_prime, KEY, "fingerprint")


@pytest.mark.parametrize("equation", ["t1", "t2", "t3", "t41", "t42", "t_hat first", "t_hat last"])
def test_each_equation_alone_refuses_even_if_the_challenge_does_not_notice(equation: str, monkeypatch: pytest.MonkeyPatch) -> None:
    e, e_prime, proof = _shuffled(5)
    str_c = subject._serialize([*e, *e_prime, *proof.c])
    fixed = subject._challenge("fingerprint", (*proof.t[:3], *proof.t[3]), proof.t[4], str_c, proof.c_hat, KEY)
    monkeypatch.setattr(subject, "_challenge", lambda *_: fixed)
    check_shuffle_proof(proof, e, e_prime, KEY, "fingerprint")
    name = {"t41": "t4.1", "t42": "t4.2"}.get(equation, equation.split("_", maxsplit=1)[0])
    with pytest.raises(InvalidShuffleError) as caught:
        check_shuffle_proof(BENDS[equation](proof), e, e_prime, KEY, "fingerprint")
    assert f"(equation {name.replace('t', 't̂') if 'hat' in equation else name})" in str(caught.value)


def test_other_ciphertexts_keys_or_elections_are_refused() -> None:
    e, e_prime, proof = _shuffled(5)
    other = encrypt(KEY, G, 7)
    for before, after, key, fingerprint in (
        ([other, *e[1:]], e_prime, KEY, "fingerprint"),
        (e[::-1], e_prime, KEY, "fingerprint"),
        (e, [other, *e_prime[1:]], KEY, "fingerprint"),
        (e, e_prime[::-1], KEY, "fingerprint"),
        (e, e_prime, KEY * G, "fingerprint"),
        (e, e_prime, KEY, "another"),
        (e[1:], e_prime, KEY, "fingerprint"),
        (e, e_prime[1:], KEY, "fingerprint"),
    ):
        with pytest.raises(InvalidShuffleError):
            check_shuffle_proof(proof, before, after, key, fingerprint)


def test_a_shuffle_that_swaps_a_ballot_cannot_be_proved() -> None:
    """The prover follows the text, but one of the new ciphertexts hides another plaintext."""
    rng, e = SeededRng(b"cheat"), _ciphertexts(5)
    e_prime, r_prime, psi = gen_shuffle(e, KEY, rng)
    e_prime[2] = encrypt(KEY, G**99, 7)
    proof = gen_shuffle_proof(e, e_prime, r_prime, psi, KEY, "fingerprint", rng)
    with pytest.raises(InvalidShuffleError, match="t4"):
        check_shuffle_proof(proof, e, e_prime, KEY, "fingerprint")


def test_a_ballot_taken_twice_cannot_be_proved() -> None:
    rng, e = SeededRng(b"cheat"), _ciphertexts(3)
    _, r_prime, _ = gen_shuffle(e, KEY, rng)
    psi = [0, 0, 2]
    e_prime = [Ciphertext(e[j].alpha * G ** r_prime[j], e[j].beta * KEY ** r_prime[j]) for j in psi]
    proof = gen_shuffle_proof(e, e_prime, r_prime, psi, KEY, "fingerprint", rng)
    with pytest.raises(InvalidShuffleError):
        check_shuffle_proof(proof, e, e_prime, KEY, "fingerprint")


def test_an_empty_shuffle_is_refused() -> None:
    _, _, proof = _shuffled(1)
    empty = replace(proof, t=(*proof.t[:4], ()), s=(*proof.s[:4], (), ()), c=(), c_hat=())
    with pytest.raises(InvalidShuffleError):
        check_shuffle_proof(empty, [], [], KEY, "fingerprint")


def test_each_input_of_the_challenges_changes_them() -> None:
    e, e_prime, proof = _shuffled(3)
    t, str_c = (*proof.t[:3], *proof.t[3]), subject._serialize([*e, *e_prime, *proof.c])
    honest: list[Any] = ["fingerprint", t, proof.t[4], str_c, proof.c_hat, KEY]
    changed = [
        ["another", *honest[1:]],
        *([honest[0], (*t[:i], t[i] * G, *t[i + 1 :]), *honest[2:]] for i in range(5)),
        [*honest[:2], (proof.t[4][0] * G, *proof.t[4][1:]), *honest[3:]],
        [*honest[:3], subject._serialize([*e, *e_prime, *proof.c[::-1]]), *honest[4:]],
        [*honest[:4], proof.c_hat[::-1], KEY],
        [*honest[:5], KEY * G],
    ]
    challenges = {subject._challenge(*arguments) for arguments in [honest, *changed]}
    assert 1 + len(changed) == len(challenges)
    assert 4 == len(set(subject.get_nizkp_challenges(2, "a") + subject.get_nizkp_challenges(2, "b")))


def test_the_generators_are_fixed_distinct_and_not_trivial() -> None:
    generators = [get_secondary_generator(), *get_generators(200)]
    assert 201 == len(set(generators))
    assert not {G, ONE} & set(generators)
    assert [get_generator(i) for i in range(-1, 3)] == generators[:4]
    assert "d6f7c1ea42e2474a28baea1141185bb7b39fe58011e5fc31d093b5c9345f18c7" == str(generators[0])
    assert "c95c81b40c41366b2e62e68fec3c5fa4dbb93f0c3c242ac2fe7a07c0e0fd92fe" == str(generators[1])
    assert "4d83b2d5a9f9b263ca9f5a8dc12bb3ed32f84766353b5fea6bc3249681abc890" == str(generators[200])


def test_the_executor_changes_nothing() -> None:
    small = small_election("1", (MOTION, RANKED), [[[0, 1, 0], [1, 2, 3]]] * 70)
    serial = shuffle_tally(small.election, small.tally, SeededRng(b"x"))
    with ThreadPoolExecutor(2) as threads, ProcessPoolExecutor(2) as processes:
        for executor in (threads, processes):
            assert serial == shuffle_tally(small.election, small.tally, SeededRng(b"x"), executor)
            check_shuffle(small.election, small.tally, serial, executor=executor)
            bent = replace(serial, ciphertexts=((serial.ciphertexts[0][1], serial.ciphertexts[0][0], *serial.ciphertexts[0][2:]),))
            with pytest.raises(InvalidShuffleError):
                check_shuffle(small.election, small.tally, bent, executor=executor)


def test_shuffles_follow_one_another_and_a_wrong_one_names_its_trustee() -> None:
    small = small_election("2", (RANKED, MOTION, RANKED), [[[1, 2, 3], [0, 1, 0], [0, 0, 1]], [[0, 0, 0], [1, 0, 0], [1, 2, 0]]])
    first = shuffle_tally(small.election, small.tally, SeededRng(b"1"))
    check_shuffle(small.election, small.tally, first, owner=1)
    merged = merge_nh_ciphertexts(small.election, small.tally, first.ciphertexts)
    second = shuffle_tally(small.election, merged, SeededRng(b"2"))
    check_shuffle(small.election, merged, second, owner=2)
    for bent in (
        first,
        Shuffle(second.ciphertexts[:1], second.proofs[:1]),
        Shuffle(second.ciphertexts, second.proofs[:1]),
        Shuffle(second.ciphertexts[::-1], second.proofs[::-1]),
        Shuffle((), ()),
    ):
        with pytest.raises(InvalidShuffleError) as caught:
            check_shuffle(small.election, merged, bent, owner=2)
        assert "trustee 2" == caught.value.blame
    motion_only = small_election("1", (MOTION,), [[[0, 1, 0]]])
    with pytest.raises(InvalidShuffleError):
        check_shuffle(motion_only.election, motion_only.tally, Shuffle((), ()))


def _row_of_shuffles() -> tuple[Any, EncryptedTally, list[Shuffle]]:
    small = small_election("2", (RANKED, MOTION, RANKED), [[[1, 2, 3], [0, 1, 0], [0, 0, 1]], [[0, 0, 0], [1, 0, 0], [1, 2, 0]]])
    tally, shuffles = small.tally, []
    for seed in (b"1", b"2", b"3"):
        shuffles.append(shuffle_tally(small.election, tally, SeededRng(seed)))
        tally = merge_nh_ciphertexts(small.election, tally, shuffles[-1].ciphertexts)
    return small.election, small.tally, shuffles


def test_shuffles_are_checked_in_one_go() -> None:
    election, tally, shuffles = _row_of_shuffles()
    for count in (1, 2, 3):
        assert shuffles_hold(election, tally, shuffles[:count], SeededRng(b"weights"))
    deferred = [DeferredShuffle.parse(shuffle.to_bytes()) for shuffle in shuffles]
    assert shuffles_hold(election, tally, deferred, SeededRng(b"weights"))
    assert [s.to_bytes() for s in shuffles] == [s.to_bytes() for s in deferred]


@pytest.mark.parametrize("name", BENDS)
def test_one_bent_value_in_any_shuffle_fails_them_all(name: str) -> None:
    election, tally, shuffles = _row_of_shuffles()
    for i in range(3):
        for question in range(2):
            proofs = list(shuffles[i].proofs)
            proofs[question] = BENDS[name](proofs[question])
            bent = [*shuffles[:i], replace(shuffles[i], proofs=tuple(proofs)), *shuffles[i + 1 :]]
            assert not shuffles_hold(election, tally, bent, SeededRng(b"weights"))


def test_two_equations_that_are_wrong_by_opposite_amounts_do_not_hide_each_other() -> None:
    election, tally, shuffles = _row_of_shuffles()

    def by(shuffle: Shuffle, factor: Point) -> Shuffle:
        proof = shuffle.proofs[0]
        return replace(shuffle, proofs=(replace(proof, t=(proof.t[0] * factor, proof.t[1] / factor, *proof.t[2:])), shuffle.proofs[1]))

    assert not shuffles_hold(election, tally, [by(shuffles[0], G), *shuffles[1:]], SeededRng(b"weights"))
    assert not shuffles_hold(election, tally, [by(shuffles[0], G), by(shuffles[1], ONE / G), shuffles[2]], SeededRng(b"weights"))


def test_shuffles_out_of_order_left_out_or_of_another_shape_do_not_hold() -> None:
    election, tally, (first, second, third) = _row_of_shuffles()
    rng = SeededRng(b"weights")
    for wrong in (
        [first, third],
        [second, first, third],
        [first, first],
        [Shuffle((), ())],
        [Shuffle(first.ciphertexts[:1], first.proofs[:1])],
        [Shuffle(first.ciphertexts, first.proofs[:1])],
        [Shuffle((first.ciphertexts[0][:1], first.ciphertexts[1]), first.proofs)],
        [Shuffle(first.ciphertexts[::-1], first.proofs[::-1])],
    ):
        assert not shuffles_hold(election, tally, wrong, rng)
    motion_only = small_election("1", (MOTION,), [[[0, 1, 0]]])
    assert not shuffles_hold(motion_only.election, motion_only.tally, [Shuffle((), ())], rng)


def test_a_point_outside_the_group_in_any_field_of_a_deferred_shuffle_does_not_hold() -> None:
    """Each point, plus the point of order 2: to the proof's equations an even exponent makes it look sound."""
    from nacl.bindings import crypto_core_ed25519_add

    election, tally, (first, *_) = _row_of_shuffles()
    order_two = (2**255 - 20).to_bytes(32, "little")
    text = first.to_bytes().decode()
    points = set(re.findall(r"(?<=\")[0-9a-f]{64}(?=\")", text))
    assert 2 * (5 * 2 + 5) == len(points)  # two questions: five points for each of two ciphertexts, five for the proof
    for point in points:
        mixed = crypto_core_ed25519_add(bytes.fromhex(point)[::-1], order_two)[::-1].hex()
        data = text.replace(point, mixed).encode()
        with pytest.raises(MalformedError):
            Shuffle.parse(data)
        assert not shuffles_hold(election, tally, [DeferredShuffle.parse(data)], SeededRng(b"weights"))


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_a_flipped_bit_of_a_written_shuffle_is_refused(data: st.DataObject) -> None:
    small = _SMALL
    raw = bytearray(_SHUFFLE.to_bytes())
    position = data.draw(st.integers(0, len(raw) - 1))
    raw[position] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises((MalformedError, InvalidShuffleError)):
        check_shuffle(small.election, small.tally, Shuffle.parse(bytes(raw)))


def test_columns_of_different_lengths_are_a_bug() -> None:
    with pytest.raises(RuntimeError):
        map_chunks(None, len, [1, 2], [1])


_SMALL = small_election("1", (RANKED,), [[[1, 2, 3]], [[0, 0, 0]], [[0, 1, 0]]])
_SHUFFLE = shuffle_tally(_SMALL.election, _SMALL.tally, SeededRng(b"bits"))
