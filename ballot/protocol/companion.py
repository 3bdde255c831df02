"""Companion decryption proofs: what a v1 decryption proof leaves open, closed beside the archive (threats 1.3).

A v1 proof hashes neither the ciphertext nor the factor. The companion proof of a factor d = alpha^x for the key X = g^x is
a Chaum–Pedersen proof whose challenge hashes everything:

    w random,  A = g^w,  B = alpha^w
    challenge = SHA-256("ballot-companion-decryption:1|φ|owner|question|index|X|alpha|d|A,B") mod q
    response  = w - x × challenge mod q

φ is the election's fingerprint; owner counts from 1, question and index (the place within the question) from 0, all in base
10. To check: A = g^response X^challenge, B = alpha^response d^challenge, and the same hash.

File format, UTF-8 compact JSON parsed strictly, `<uuid>.companion.json`: an array, by owner, of

    {"version":1,"election":uuid,"fingerprint":φ,"owner":n,"partial_decryption":hash of the object,"proofs":[[proof,…],…]}
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from typing import Final

from ballot.errors import InvalidCompanionError, MalformedError
from ballot.protocol.decryption import check_factors_chunk, check_shape, flatten, unflatten
from ballot.protocol.group import G, Point, Q, Rng
from ballot.protocol.messages import Companion, Election, EncryptedTally, PartialDecryption, Proof, sha256_hex
from ballot.protocol.parallel import map_items
from ballot.protocol.proofs import fiat_shamir

_TAG: Final = "ballot-companion-decryption:1"


def _statement(
    fingerprint: str, owner: int, place: tuple[int, int], key: Point, alpha: Point, factor: Point
) -> str:
    question, index = place
    return f"{_TAG}|{fingerprint}|{owner}|{question}|{index}|{key}|{alpha}|{factor}"


def _prove_chunk(statements: Sequence[str], alphas: Sequence[Point], x: Sequence[int], w: Sequence[int]) -> list[Proof]:
    proofs = []
    for statement, alpha, secret, k in zip(statements, alphas, x, w, strict=True):
        challenge = fiat_shamir(statement, G**k, alpha**k)
        proofs.append(Proof(challenge, (k - secret * challenge) % Q))
    return proofs


def gen_companion(
    election: Election,
    tally: EncryptedTally,
    private_key: int,
    partial: PartialDecryption,
    rng: Rng,
    *,
    owner: int,
    executor: Executor | None = None,
) -> Companion:
    """The companion proofs of one trustee's partial decryption. The executor carries the key: one of the same machine."""
    check_shape(tally, partial)
    places, alphas = flatten(tally)
    factors = [factor for row in partial.decryption_factors for factor in row]
    key, fingerprint = G**private_key, election.fingerprint
    proofs = map_items(
        executor,
        _prove_chunk,
        [_statement(fingerprint, owner, p, key, a, d) for p, a, d in zip(places, alphas, factors, strict=True)],
        alphas,
        [private_key] * len(alphas),
        [rng.scalar() for _ in alphas],
    )
    return Companion(1, election.uuid, fingerprint, owner, sha256_hex(partial.to_bytes()), unflatten(tally, proofs))


def check_companion(
    election: Election,
    tally: EncryptedTally,
    public_key: Point,
    partial: PartialDecryption,
    companion: Companion,
    *,
    owner: int,
    executor: Executor | None = None,
) -> None:
    """Check that every factor of a partial decryption is alpha^x for the trustee's own x.

    Raises:
        MalformedError: the proofs are for another election, trustee, partial decryption or shape.
        InvalidCompanionError: a proof fails; `.trustee`, `.question` and `.answer` (both from 0) tell which.
    """
    check_shape(tally, partial)
    fingerprint = election.fingerprint
    if (companion.election, companion.fingerprint) != (election.uuid, fingerprint):
        raise MalformedError("companion proofs belong to another election")
    if companion.owner != owner or companion.partial_decryption != sha256_hex(partial.to_bytes()):
        raise MalformedError("companion proofs belong to another partial decryption")
    if [len(row) for row in companion.proofs] != [len(row) for row in tally.ciphertexts]:
        raise MalformedError("companion proofs do not have the shape of the encrypted tally")
    places, alphas = flatten(tally)
    factors = [factor for row in partial.decryption_factors for factor in row]
    outcomes = map_items(
        executor,
        check_factors_chunk,
        [_statement(fingerprint, owner, p, public_key, a, d) for p, a, d in zip(places, alphas, factors, strict=True)],
        [public_key] * len(alphas),
        alphas,
        factors,
        [proof for row in companion.proofs for proof in row],
    )
    for (question, answer), holds in zip(places, outcomes, strict=True):
        if not holds:
            raise InvalidCompanionError(
                f"a companion proof of key-holder {owner} does not hold (question {question + 1}, ciphertext {answer + 1})",
                trustee=owner,
                question=question,
                answer=answer,
            )
