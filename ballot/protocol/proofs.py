"""Zero-knowledge proofs of Belenios v1: knowledge of an exponent (4.5, 4.11, 4.16) and disjunctions (4.12, 4.13).

v1 proofs carry challenge and response, so a checker computes the commitments again and compares the hash. There is one
Fiat–Shamir hash; every text that is hashed starts with a word of its own and names all that the proof depends on.

Randomness is drawn from `rng` in a fixed order, so that equal seeds give equal bytes; tests/vectors/README.md states it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ballot.errors import InvalidProofError
from ballot.protocol.group import GROUP_NAME, ONE, G, Point, Q, Rng, hash_to_scalar, small_power
from ballot.protocol.messages import Ciphertext, Proof


def fiat_shamir(statement: str, *commitments: Point) -> int:
    """The challenge mod q: SHA-256 of the statement, a bar, and the commitments with commas between."""
    return hash_to_scalar(f"{statement}|{','.join(map(str, commitments))}")


# --- knowledge of one exponent --------------------------------------------------------------------------------------


def prove_exponent(statement: str, x: int, rng: Rng) -> Proof:
    """Prove to know x with g^x as the public element, which the statement has to name (or be bound to otherwise)."""
    w = rng.scalar()
    challenge = fiat_shamir(statement, G**w)
    return Proof(challenge, (w - x * challenge) % Q)


def check_exponent(statement: str, public: Point, proof: Proof) -> None:
    """Check that the prover knew the exponent of `public`. Raises: InvalidProofError."""
    if fiat_shamir(statement, G**proof.response * public**proof.challenge) != proof.challenge:
        raise InvalidProofError("the proof of knowledge does not hold")


def _pok_statement(public_key: Point) -> str:
    return f"pok|{GROUP_NAME}|{public_key}"


def prove_possession(private_key: int, rng: Rng) -> Proof:
    """The `pok` of a trustee's public key (4.5)."""
    return prove_exponent(_pok_statement(G**private_key), private_key, rng)


def check_possession(public_key: Point, pok: Proof) -> None:
    """Check the `pok` of a trustee's public key (4.5). Raises: InvalidProofError."""
    check_exponent(_pok_statement(public_key), public_key, pok)


def _signature_statement(message: str) -> str:
    return f"sig|{message}"


def sign(message: str, secret: int, rng: Rng) -> Proof:
    """The Schnorr-like signature of a ballot's hash (4.16)."""
    return prove_exponent(_signature_statement(message), secret, rng)


def check_signature(message: str, credential: Point, proof: Proof) -> None:
    """Check the signature of a ballot's hash by its credential (4.16). Raises: InvalidProofError."""
    check_exponent(_signature_statement(message), credential, proof)


def _raweg_statement(context: str, key: Point, ciphertext: Ciphertext) -> str:
    return f"raweg|{context}|{key},{ciphertext}"


def prove_raweg(context: str, key: Point, ciphertext: Ciphertext, r: int, rng: Rng) -> Proof:
    """Prove to know the r of a ranked answer's ciphertext (4.11.2), so that nobody can copy or maul another's."""
    return prove_exponent(_raweg_statement(context, key, ciphertext), r, rng)


def check_raweg(context: str, key: Point, ciphertext: Ciphertext, proof: Proof) -> None:
    """Check that whoever made this ciphertext knew its r (4.11.2). Raises: InvalidProofError."""
    check_exponent(_raweg_statement(context, key, ciphertext), ciphertext.alpha, proof)


def _typed_code_statement(uuid: str, nonce: str, credential: Point) -> str:
    return f"ballot-typed-code|{uuid}|{nonce}|{credential}"


def prove_typed_code(uuid: str, nonce: str, secret: int, rng: Rng) -> Proof:
    """Prove to the service, once, to hold the secret of a public credential without showing it. Not a part of v1."""
    return prove_exponent(_typed_code_statement(uuid, nonce, G**secret), secret, rng)


def check_typed_code(uuid: str, nonce: str, credential: Point, proof: Proof) -> None:
    """Check that whoever answers this nonce holds the credential's secret. Raises: InvalidProofError."""
    check_exponent(_typed_code_statement(uuid, nonce, credential), credential, proof)


# --- disjunctions ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Branch:
    """The claim that (alpha, beta) = (g^r, y^r) for some r: that a ciphertext hides 0 once its integer is divided out."""

    alpha: Point
    beta: Point

    def commitments(self, key: Point, proof: Proof) -> tuple[Point, Point]:
        """A = g^response · alpha^challenge and B = y^response · beta^challenge."""
        c, s = proof.challenge, proof.response
        return G**s * self.alpha**c, key**s * self.beta**c


def value_branches(ciphertext: Ciphertext, values: Sequence[int]) -> list[Branch]:
    """One branch a value: that this ciphertext hides it."""
    return [Branch(ciphertext.alpha, ciphertext.beta / small_power(m) if m else ciphertext.beta) for m in values]


def prove_disjunction(
    statement: str, key: Point, branches: Sequence[Branch], true: int, r: int, rng: Rng
) -> tuple[Proof, ...]:
    """Prove that one branch holds without telling which (4.12); `true` is its index and r its exponent.

    Draws, for each other branch in order, challenge and response, then w of the true branch.
    """
    proofs: list[Proof] = []
    commitments: list[Point] = []
    others = 0
    for j, branch in enumerate(branches):
        proof = Proof(0, 0) if j == true else Proof(rng.scalar(), rng.scalar())
        proofs.append(proof)
        # The true branch's place holder adds 0 to the sum; its commitments (neutral) are replaced below.
        commitments += (ONE, ONE) if j == true else branch.commitments(key, proof)
        others += proof.challenge
    w = rng.scalar()
    commitments[2 * true : 2 * true + 2] = G**w, key**w
    challenge = (fiat_shamir(statement, *commitments) - others) % Q
    proofs[true] = Proof(challenge, (w - r * challenge) % Q)
    return tuple(proofs)


def check_disjunction(statement: str, key: Point, branches: Sequence[Branch], proofs: Sequence[Proof]) -> None:
    """Check that one of the branches holds (4.12). Raises: InvalidProofError, also when there are more or fewer proofs."""
    if len(branches) != len(proofs):
        raise InvalidProofError(f"a proof has {len(proofs)} parts where {len(branches)} are due")
    commitments: list[Point] = []
    for branch, proof in zip(branches, proofs, strict=True):
        commitments += branch.commitments(key, proof)
    if fiat_shamir(statement, *commitments) != sum(proof.challenge for proof in proofs) % Q:
        raise InvalidProofError("the proof of a permitted value does not hold")


def _interval_statement(context: str, ciphertext: Ciphertext) -> str:
    return f"prove|{context}|{ciphertext}"


def iprove(
    context: str, key: Point, ciphertext: Ciphertext, r: int, index: int, values: Sequence[int], rng: Rng
) -> tuple[Proof, ...]:
    """Prove that a ciphertext hides one of these integers (4.12): the one at `index`, under randomness r."""
    branches = value_branches(ciphertext, values)
    return prove_disjunction(_interval_statement(context, ciphertext), key, branches, index, r, rng)


def check_iproof(context: str, key: Point, ciphertext: Ciphertext, values: Sequence[int], proofs: Sequence[Proof]) -> None:
    """Check that a ciphertext hides one of these integers (4.12). Raises: InvalidProofError."""
    check_disjunction(_interval_statement(context, ciphertext), key, value_branches(ciphertext, values), proofs)


def blank_branches(blank: Ciphertext, total: Ciphertext) -> list[Branch]:
    """`blank_proof` (4.13): not blank, or nothing else chosen."""
    return value_branches(blank, [0]) + value_branches(total, [0])


def overall_branches(blank: Ciphertext, total: Ciphertext, values: Sequence[int]) -> list[Branch]:
    """`overall_proof` where blank is allowed (4.13): blank, or the sum is one of these values."""
    return value_branches(blank, [1]) + value_branches(total, values)


def blank_statement(context: str) -> str:
    """What a blank proof is hashed with; the context names every ciphertext of the answer."""
    return f"bproof0|{context}"


def overall_statement(context: str) -> str:
    """What an overall proof is hashed with where blank is allowed; the context names every ciphertext of the answer."""
    return f"bproof1|{context}"
