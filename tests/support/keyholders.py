"""Key-holders in memory: single keys, whole threshold ceremonies, and a small election sealed to them."""

from __future__ import annotations

from dataclasses import dataclass

from ballot.protocol.ballots import create_ballot
from ballot.protocol.credentials import new_code
from ballot.protocol.group import Rng, SeededRng
from ballot.protocol.messages import (
    Ballot,
    Election,
    EncryptedTally,
    Polynomial,
    Question,
    QuestionH,
    QuestionNH,
    SignedMsg,
    ThresholdParameters,
    Trustees,
    Vinput,
    Voutput,
)
from ballot.protocol.tally import compute_encrypted_tally
from ballot.protocol.trustees import (
    ElectionKeys,
    PkiKeys,
    check_trustees,
    gen_seed,
    make_certificate,
    make_polynomial,
    make_public_key,
    make_threshold_parameters,
    make_vinputs,
    make_voutput,
    open_decryption_key,
)

MOTION = QuestionH(("For", "Against"), 1, 1, "Shall we?", blank=True)
UP_TO_TWO = QuestionH(("Ann", "Bob", "Cyd"), 0, 2, "Which two at most?")
RANKED = QuestionNH(("Ann", "Bob", "Cyd"), "In which order?")


@dataclass
class Ceremony:
    """Everything that a threshold ceremony produced, secrets included."""

    keys: list[PkiKeys]
    certificates: list[SignedMsg]
    polynomials: list[Polynomial]
    vinputs: tuple[Vinput, ...]
    voutputs: list[Voutput]
    parameters: ThresholdParameters
    decryption_keys: list[int]


def ceremony(threshold: int, size: int, rng: Rng) -> Ceremony:
    keys = [PkiKeys.from_seed(gen_seed(rng)) for _ in range(size)]
    certificates = [make_certificate(k, index=i, threshold=threshold, size=size, rng=rng) for i, k in enumerate(keys, 1)]
    polynomials = [make_polynomial(k, certificates, rng) for k in keys]
    vinputs = make_vinputs(certificates, polynomials)
    voutputs = [make_voutput(k, certificates, v, rng) for k, v in zip(keys, vinputs, strict=True)]
    parameters = make_threshold_parameters(certificates, polynomials, voutputs)
    opened = [open_decryption_key(k, v.private_key) for k, v in zip(keys, voutputs, strict=True)]
    return Ceremony(keys, certificates, polynomials, vinputs, voutputs, parameters, opened)


def key_holders(shape: str, rng: Rng) -> tuple[Trustees, list[int]]:
    """Trustees and their private keys by owner, for a shape such as "1 2/3": a single key and a group of which 2 of 3 are needed."""
    items, secrets = [], []
    for part in shape.split():
        if "/" in part:
            threshold, size = map(int, part.split("/"))
            made = ceremony(threshold, size, rng)
            items.append(made.parameters)
            secrets += made.decryption_keys
        else:
            for _ in range(int(part)):
                secrets.append(rng.scalar())
                items.append(make_public_key(secrets[-1], rng))
    return Trustees(tuple(items)), secrets


@dataclass
class SmallElection:
    """An election with its ballots, and the private keys that open it."""

    election: Election
    trustees: Trustees
    keys: ElectionKeys
    secrets: list[int]
    ballots: list[Ballot]
    tally: EncryptedTally

    @property
    def num_tallied(self) -> int:
        return len(self.ballots)


def small_election(
    shape: str, questions: tuple[Question, ...], votes: list[list[list[int]]], *, seed: bytes = b"small election"
) -> SmallElection:
    rng = SeededRng(seed)
    trustees, secrets = key_holders(shape, rng)
    keys = check_trustees(trustees)
    election = Election(1, "", "A small election", "Ed25519", keys.public_key, questions, "SmaLLe1ection1")
    ballots = [create_ballot(election, new_code(rng), vote, rng) for vote in votes]
    return SmallElection(election, trustees, keys, secrets, ballots, compute_encrypted_tally(election, ballots)[0])
