"""Proofs of 4.5, 4.11 to 4.13 and 4.16: complete, and refused when anything they depend on changes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ballot.errors import InvalidProofError
from ballot.protocol import elgamal, proofs
from ballot.protocol.group import ONE, G, Q, SeededRng
from ballot.protocol.messages import Proof

KEY = G**987654321
seeds = st.binary(max_size=8)
scalars = st.integers(0, Q - 1)


@given(seeds, st.integers(0, 4), st.integers(1, 4), st.data())
def test_a_permitted_value_is_proven(seed: bytes, least: int, width: int, data: st.DataObject) -> None:
    rng = SeededRng(seed)
    values = range(least, least + width)
    index = data.draw(st.integers(0, width - 1))
    r = rng.scalar()
    ciphertext = elgamal.encrypt_integer(KEY, values[index], r)
    proofs.check_iproof("S", KEY, ciphertext, values, proofs.iprove("S", KEY, ciphertext, r, index, values, rng))


@given(seeds, st.integers(2, 9))
def test_a_value_that_is_not_permitted_has_no_proof(seed: bytes, value: int) -> None:
    rng = SeededRng(seed)
    r = rng.scalar()
    ciphertext = elgamal.encrypt_integer(KEY, value, r)
    for claimed in (0, 1):
        with pytest.raises(InvalidProofError):
            proofs.check_iproof("S", KEY, ciphertext, (0, 1), proofs.iprove("S", KEY, ciphertext, r, claimed, (0, 1), rng))


def _sound() -> dict[str, Any]:
    rng = SeededRng(b"sound")
    r = rng.scalar()
    ciphertext = elgamal.encrypt_integer(KEY, 1, r)
    parts = proofs.iprove("S", KEY, ciphertext, r, 1, (0, 1), rng)
    return {"context": "S", "key": KEY, "ciphertext": ciphertext, "values": (0, 1), "proofs": parts}


FIRST, SECOND = _sound()["proofs"]
BENT: dict[str, dict[str, Any]] = {
    "context": {"context": "S "},
    "key": {"key": KEY * G},
    "alpha": {"ciphertext": elgamal.Ciphertext(_sound()["ciphertext"].alpha * G, _sound()["ciphertext"].beta)},
    "beta": {"ciphertext": elgamal.Ciphertext(_sound()["ciphertext"].alpha, _sound()["ciphertext"].beta * G)},
    "values": {"values": (1, 2)},
    "order of values": {"values": (1, 0)},
    "more values": {"values": (0, 1, 2)},
    "fewer values": {"values": (0,)},
    "order of proofs": {"proofs": _sound()["proofs"][::-1]},
    "first challenge": {"proofs": (Proof((FIRST.challenge + 1) % Q, FIRST.response), SECOND)},
    "last response": {"proofs": (FIRST, Proof(SECOND.challenge, (SECOND.response + 1) % Q))},
    "zero proofs": {"proofs": (Proof(0, 0), Proof(0, 0))},
}


@pytest.mark.parametrize("change", BENT.values(), ids=BENT)
def test_a_disjunction_depends_on_everything_it_names(change: dict[str, Any]) -> None:
    proofs.check_iproof(**_sound())
    with pytest.raises(InvalidProofError):
        proofs.check_iproof(**_sound() | change)


def test_a_proof_of_nothing_at_all_is_refused() -> None:
    with pytest.raises(InvalidProofError):
        proofs.check_disjunction("S", KEY, [], [])


@given(seeds, scalars)
def test_possession_is_proven_for_one_key_only(seed: bytes, x: int) -> None:
    pok = proofs.prove_possession(x, SeededRng(seed))
    proofs.check_possession(G**x, pok)
    with pytest.raises(InvalidProofError):
        proofs.check_possession(G ** (x + 1), pok)


@given(seeds, scalars, st.text(max_size=10))
def test_a_signature_holds_for_one_message_and_one_credential(seed: bytes, x: int, message: str) -> None:
    message = message.encode("utf-8", "replace").decode()
    signature = proofs.sign(message, x, SeededRng(seed))
    proofs.check_signature(message, G**x, signature)
    for other_message, other in ((message + "x", G**x), (message, G ** (x + 1))):
        with pytest.raises(InvalidProofError):
            proofs.check_signature(other_message, other, signature)


@given(seeds)
def test_a_ranking_s_proof_depends_on_context_key_and_both_components(seed: bytes) -> None:
    rng = SeededRng(seed)
    r = rng.scalar()
    ciphertext = elgamal.encrypt(KEY, G**5, r)
    proof = proofs.prove_raweg("S", KEY, ciphertext, r, rng)
    proofs.check_raweg("S", KEY, ciphertext, proof)
    for context, key, other in (
        ("T", KEY, ciphertext),
        ("S", KEY * G, ciphertext),
        ("S", KEY, elgamal.Ciphertext(ciphertext.alpha, ciphertext.beta * G)),
        ("S", KEY, elgamal.Ciphertext(ciphertext.alpha * G, ciphertext.beta)),
    ):
        with pytest.raises(InvalidProofError):
            proofs.check_raweg(context, key, other, proof)


def test_a_typed_code_s_proof_depends_on_election_nonce_and_credential() -> None:
    proof = proofs.prove_typed_code("uuid", "nonce", 42, SeededRng(b"t"))
    proofs.check_typed_code("uuid", "nonce", G**42, proof)
    for uuid, nonce, credential in (("uuiD", "nonce", G**42), ("uuid", "noncE", G**42), ("uuid", "nonce", G**43)):
        with pytest.raises(InvalidProofError):
            proofs.check_typed_code(uuid, nonce, credential, proof)


def test_one_kind_of_proof_does_not_pass_for_another() -> None:
    signature = proofs.sign("uuid|nonce", 42, SeededRng(b"kind"))
    with pytest.raises(InvalidProofError):
        proofs.check_typed_code("uuid", "nonce", G**42, signature)
    with pytest.raises(InvalidProofError):
        proofs.check_possession(G**42, signature)


def test_the_challenge_depends_on_the_statement_and_on_each_commitment_in_its_place() -> None:
    challenges = {
        proofs.fiat_shamir("s", G, KEY),
        proofs.fiat_shamir("t", G, KEY),
        proofs.fiat_shamir("s", KEY, G),
        proofs.fiat_shamir("s", G),
        proofs.fiat_shamir("s", G, KEY, ONE),
        proofs.fiat_shamir("s", G, ONE),
    }
    assert 6 == len(challenges)
