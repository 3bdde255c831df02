"""The map over ballots: what one worker does with a chunk of them, wherever it runs.

A worker gets bytes and gives back only what the recount needs; nothing is checked twice, and nothing is trusted that was
not parsed here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from ballot.errors import ArchiveRefusedError, InvalidBallotError, InvalidProofError, MalformedError
from ballot.protocol.ballots import check_ballot
from ballot.protocol.group import ONE, Point
from ballot.protocol.messages import AnswerH, AnswerNH, Ballot, Ciphertext, Election, QuestionH
from ballot.verifier.chain import refuse
from ballot.verifier.rules import Rule

Products = list[list[tuple[Point, Point]]]  # [question][choice]: the product of alphas, the product of betas


@dataclass(frozen=True, slots=True)
class CheckedBallot:
    """What the recount needs of a ballot whose proofs hold."""

    height: int
    credential: Point
    ranked: tuple[Ciphertext, ...]  # by ranked question
    sums: tuple[tuple[Ciphertext, ...], ...] = ()  # by homomorphic question; only where the ballot may be replaced


@dataclass
class CheckedChunk:
    """Checked ballots with their product, up to the first one that is refused."""

    ballots: list[CheckedBallot] = field(default_factory=list)
    products: Products = field(default_factory=list)
    refusal: ArchiveRefusedError | None = None


@lru_cache(maxsize=2)
def _election(data: bytes) -> Election:
    return Election.parse(data)


def empty_products(election: Election) -> Products:
    """The products of no ballots."""
    return [[(ONE, ONE)] * question.length for question in election.questions if isinstance(question, QuestionH)]


def _check(election: Election, height: int, data: bytes) -> Ballot:
    try:
        ballot = Ballot.parse(data)
    except MalformedError as error:
        raise refuse(Rule.BALLOT_FORM, str(error), height=height) from error
    if (ballot.election_uuid, ballot.election_hash) != (election.uuid, election.fingerprint):
        raise refuse(Rule.BALLOT_ELECTION, "a ballot was made for another election, or for other questions", height=height)
    try:
        # The caller holds the list of credentials and compares; it is not sent to every worker.
        check_ballot(election, ballot, None)
    except InvalidProofError as error:
        raise refuse(Rule.BALLOT_PROOF, f"a ballot's proofs do not hold: {error}", height=height) from error
    except InvalidBallotError as error:
        raise refuse(Rule.BALLOT_FORM, str(error), height=height) from error
    return ballot


def check_chunk(election_data: bytes, first: int, ballots: Sequence[bytes], *, keep_sums: bool) -> CheckedChunk:
    """Check ballots at heights `first`, `first` + 1, …; a refused one ends the chunk."""
    election = _election(election_data)
    chunk = CheckedChunk(products=empty_products(election))
    for height, data in enumerate(ballots, first):
        try:
            ballot = _check(election, height, data)
        except ArchiveRefusedError as error:
            chunk.refusal = error
            break
        sums = tuple(answer.choices for answer in ballot.answers if isinstance(answer, AnswerH))
        for row, choices in zip(chunk.products, sums, strict=True):
            row[:] = [(a * c.alpha, b * c.beta) for (a, b), c in zip(row, choices, strict=True)]
        ranked = tuple(answer.choices for answer in ballot.answers if isinstance(answer, AnswerNH))
        chunk.ballots.append(CheckedBallot(height, ballot.credential, ranked, sums if keep_sums else ()))
    return chunk
