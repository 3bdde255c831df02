"""Partial decryptions (Belenios v1, 4.20) and how they combine (4.21).

A v1 proof does not hash the ciphertext nor the factor; `companion.py` has the proof that does. Shapes are
[question][answer or position] throughout; owners are numbered as in `trustees.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Executor
from typing import TypeVar

from ballot.errors import InvalidPartialDecryptionError, MalformedError, VerificationError
from ballot.protocol.group import G, Point, Q, Rng
from ballot.protocol.messages import EncryptedTally, PartialDecryption, Proof
from ballot.protocol.parallel import map_items
from ballot.protocol.proofs import fiat_shamir
from ballot.protocol.trustees import ElectionKeys

T = TypeVar("T")


def flatten(tally: EncryptedTally) -> tuple[list[tuple[int, int]], list[Point]]:
    """All places (question, answer) of a tally in order, and their alphas."""
    places = [(i, j) for i, row in enumerate(tally.ciphertexts) for j in range(len(row))]
    return places, [ciphertext.alpha for row in tally.ciphertexts for ciphertext in row]


def unflatten(tally: EncryptedTally, values: Iterable[T]) -> tuple[tuple[T, ...], ...]:
    """Values in the order of `flatten`, back in the tally's shape."""
    source = iter(values)
    return tuple(tuple(next(source) for _ in row) for row in tally.ciphertexts)


# --- making -------------------------------------------------------------------------------------------------------------


def _decrypt_chunk(statements: Sequence[str], x: Sequence[int], alphas: Sequence[Point], w: Sequence[int]) -> list[tuple[Point, Proof]]:
    results = []
    for statement, secret, alpha, k in zip(statements, x, alphas, w, strict=True):
        challenge = fiat_shamir(statement, G**k, alpha**k)
        results.append((alpha**secret, Proof(challenge, (k - secret * challenge) % Q)))
    return results


def gen_partial_decryption(
    fingerprint: str, tally: EncryptedTally, private_key: int, rng: Rng, executor: Executor | None = None
) -> PartialDecryption:
    """One trustee's decryption factors alpha^x with their proofs. The executor carries the key: one of the same machine."""
    _, alphas = flatten(tally)
    statement = f"decrypt|{fingerprint}|{G**private_key}"
    n = len(alphas)
    results = map_items(executor, _decrypt_chunk, [statement] * n, [private_key] * n, alphas, [rng.scalar() for _ in alphas])
    return PartialDecryption(
        unflatten(tally, (factor for factor, _ in results)), unflatten(tally, (proof for _, proof in results))
    )


# --- checking -----------------------------------------------------------------------------------------------------------


def check_factors_chunk(
    statements: Sequence[str], keys: Sequence[Point], alphas: Sequence[Point], factors: Sequence[Point], proofs: Sequence[Proof]
) -> list[bool]:
    """Whether each proof shows one exponent behind key (to the base g) and factor (to the base alpha)."""
    return [
        fiat_shamir(
            statement,
            G**proof.response * key**proof.challenge,
            alpha**proof.response * factor**proof.challenge,
        )
        == proof.challenge
        for statement, key, alpha, factor, proof in zip(statements, keys, alphas, factors, proofs, strict=True)
    ]


def check_shape(tally: EncryptedTally, partial: PartialDecryption) -> None:
    """Check that a partial decryption has one factor and one proof per ciphertext. Raises: MalformedError."""
    shape = [len(row) for row in tally.ciphertexts]
    for rows in (partial.decryption_factors, partial.decryption_proofs):
        if [len(row) for row in rows] != shape:
            raise MalformedError("a partial decryption does not have the shape of the encrypted tally")


def check_partial_decryption(
    fingerprint: str,
    tally: EncryptedTally,
    public_key: Point,
    partial: PartialDecryption,
    *,
    owner: int,
    executor: Executor | None = None,
) -> None:
    """Check that one trustee decrypted with the key published at set-up, as far as v1's proofs can tell (4.20).

    Raises:
        MalformedError: the shapes differ.
        InvalidPartialDecryptionError: a proof fails; `.trustee`, `.question` and `.answer` (both from 0) tell which.
    """
    check_shape(tally, partial)
    places, alphas = flatten(tally)
    n = len(alphas)
    outcomes = map_items(
        executor,
        check_factors_chunk,
        [f"decrypt|{fingerprint}|{public_key}"] * n,
        [public_key] * n,
        alphas,
        [factor for row in partial.decryption_factors for factor in row],
        [proof for row in partial.decryption_proofs for proof in row],
    )
    for (question, answer), holds in zip(places, outcomes, strict=True):
        if not holds:
            raise InvalidPartialDecryptionError(
                f"a decryption proof of key-holder {owner} does not hold (question {question + 1}, ciphertext {answer + 1})",
                trustee=owner,
                question=question,
                answer=answer,
            )


# --- combining ------------------------------------------------------------------------------------------------------------


def lagrange(indices: Sequence[int], index: int, at: int = 0) -> int:
    """The coefficient of `index` when a polynomial is interpolated from `indices` at the place `at`, mod q."""
    numerator = denominator = 1
    for k in indices:
        if k != index:
            numerator = numerator * (k - at) % Q
            denominator = denominator * (k - index) % Q
    return numerator * pow(denominator, -1, Q) % Q


def _small_power(point: Point, exponent: int) -> Point:
    """point^exponent; for exponents such as 1, -1 or 3 by a few multiplications. Public values only."""
    signed = exponent if exponent <= Q // 2 else exponent - Q
    if not 1 <= abs(signed) <= 8:
        return point**exponent
    result = point
    for _ in range(abs(signed) - 1):
        result = result * point
    return result if signed > 0 else point / (result * point)


def _combine_chunk(coefficients: Sequence[Sequence[int]], *columns: Sequence[Point]) -> list[Point]:
    results = []
    for exponents, *factors in zip(coefficients, *columns, strict=True):
        total, *rest = (_small_power(factor, k) for factor, k in zip(factors, exponents, strict=True))
        for value in rest:
            total = total * value
        results.append(total)
    return results


def _interpolate(
    executor: Executor | None, columns: Sequence[Sequence[Point]], exponents: Sequence[int]
) -> list[Point]:
    return map_items(executor, _combine_chunk, [tuple(exponents)] * len(columns[0]), *columns)


def combine_factors(
    keys: ElectionKeys,
    tally: EncryptedTally,
    partials: Mapping[int, PartialDecryption],
    executor: Executor | None = None,
) -> tuple[tuple[Point, ...], ...]:
    """The synthetic factors F = alpha^(the whole secret key), in the tally's shape, from checked shares by owner (4.21).

    Of a threshold group with more shares than needed, the first ones by owner are used and each further one has to lie
    on the same polynomial: v1's proofs alone would let it be noise (threats 1.3b).

    Raises:
        InvalidTrusteeError: a share's owner does not exist.
        MalformedError: a share has another shape.
        VerificationError: shares are missing, or those of a group disagree.
    """
    for owner, partial in partials.items():
        keys.of_owner(owner)
        check_shape(tally, partial)
    if missing := keys.missing(partials):
        raise VerificationError(f"the ballots cannot be opened yet: still missing {', '.join(missing)}")
    columns = {owner: [f for row in partial.decryption_factors for f in row] for owner, partial in partials.items()}
    places, _ = flatten(tally)

    item_factors = []
    for item, threshold in enumerate(keys.thresholds):
        present = [key for key in keys.item_owners(item) if key.owner in partials]
        if threshold is None:
            item_factors.append(columns[present[0].owner])
            continue
        used, further = present[:threshold], present[threshold:]
        indices, used_columns = [key.index for key in used], [columns[key.owner] for key in used]
        item_factors.append(_interpolate(executor, used_columns, [lagrange(indices, i) for i in indices]))
        for key in further:
            expected = _interpolate(executor, used_columns, [lagrange(indices, i, key.index) for i in indices])
            for (question, answer), one, other in zip(places, expected, columns[key.owner], strict=True):
                if one != other:
                    owners = ", ".join(str(k.owner) for k in (*used, key))
                    raise VerificationError(
                        f"the shares of key-holders {owners} contradict each other (question {question + 1}, "
                        f"ciphertext {answer + 1}): at least one of them is false",
                        blame=f"one of trustees {owners}",
                    )
    return unflatten(tally, _interpolate(executor, item_factors, [1] * len(item_factors)))
