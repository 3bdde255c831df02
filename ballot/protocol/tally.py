"""The encrypted tally (Belenios v1, 4.18): what the accepted ballots come to, still sealed.

Weights are always 1.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from ballot.errors import InvalidBallotError, MalformedError, VerificationError
from ballot.protocol.group import ONE, Point
from ballot.protocol.messages import (
    AnswerH,
    AnswerNH,
    Ballot,
    Ciphertext,
    Election,
    EncryptedTally,
    QuestionH,
    SizedEncryptedTally,
    sha256_hex,
)


def last_ballots(ballots: Iterable[Ballot]) -> list[Ballot]:
    """last(B): the last ballot of each credential, in the order in which those last ballots were cast (4.18)."""
    last: dict[Point, Ballot] = {}
    for ballot in ballots:
        last.pop(ballot.credential, None)
        last[ballot.credential] = ballot
    return list(last.values())


def sort_key(ciphertext: Ciphertext) -> tuple[bytes, bytes]:
    """Ranked ciphertexts stand in the order of their points' little-endian bytes, as the tool has them (DIVERGENCES.md)."""
    return bytes(ciphertext.alpha), bytes(ciphertext.beta)


class TallyBuilder:
    """Adds ballots one at a time, so that memory grows with the ranked ciphertexts only."""

    def __init__(self, election: Election) -> None:
        self._election = election
        self._sums = [[(ONE, ONE)] * q.length if isinstance(q, QuestionH) else [] for q in election.questions]
        self._lists: list[list[Ciphertext]] = [[] for _ in election.questions]
        self.num_tallied = 0

    def add(self, ballot: Ballot) -> None:
        """Count one ballot, checked before, the last of its credential.

        Raises: InvalidBallotError if its shape is not the election's.
        """
        if len(ballot.answers) != len(self._election.questions):
            raise InvalidBallotError("a ballot does not answer this election's questions")
        for question, answer in zip(self._election.questions, ballot.answers, strict=True):
            shaped = (
                isinstance(answer, AnswerH) and len(answer.choices) == question.length
                if isinstance(question, QuestionH)
                else isinstance(answer, AnswerNH)
            )
            if not shaped:
                raise InvalidBallotError("a ballot's answer does not fit its question")
        for sums, ciphertexts, answer in zip(self._sums, self._lists, ballot.answers, strict=True):
            if isinstance(answer, AnswerH):
                sums[:] = [(a * c.alpha, b * c.beta) for (a, b), c in zip(sums, answer.choices, strict=True)]
            else:
                ciphertexts.append(answer.choices)
        self.num_tallied += 1

    def finish(self) -> tuple[EncryptedTally, SizedEncryptedTally]:
        """The encrypted tally and its size.

        Raises: VerificationError when no ballot was counted, or a sum of ballots is trivial: nothing can be opened.
        """
        if not self.num_tallied:
            raise VerificationError("there is no ballot to tally")
        rows = []
        for question, sums, ciphertexts in zip(self._election.questions, self._sums, self._lists, strict=True):
            if isinstance(question, QuestionH):
                rows.append(tuple(Ciphertext(alpha, beta) for alpha, beta in sums))
            else:
                rows.append(tuple(sorted(ciphertexts, key=sort_key)))
        if any(ciphertext.alpha.is_neutral for row in rows for ciphertext in row):
            raise VerificationError("a sum of ballots hides nothing, because their random numbers cancel out")
        tally = EncryptedTally(tuple(rows))
        return tally, sized(tally, self.num_tallied)


def sized(tally: EncryptedTally, num_tallied: int) -> SizedEncryptedTally:
    """The payload of the EncryptedTally event (4.18)."""
    return SizedEncryptedTally(num_tallied, num_tallied, sha256_hex(tally.to_bytes()))


def total_code(size: SizedEncryptedTally) -> str:
    """The 8 characters that key-holders compare aloud before they open anything: the tally's hash, cut short."""
    return size.encrypted_tally[:8]


def compute_encrypted_tally(election: Election, ballots: Iterable[Ballot]) -> tuple[EncryptedTally, SizedEncryptedTally]:
    """The encrypted tally of accepted ballots: only the last of each credential counts (4.18).

    Raises: as `TallyBuilder.add` and `TallyBuilder.finish`.
    """
    builder = TallyBuilder(election)
    for ballot in last_ballots(ballots):
        builder.add(ballot)
    return builder.finish()


def check_shape(election: Election, tally: EncryptedTally, num_tallied: int) -> None:
    """Check that a tally has the shape [question][answer or ballot] of this election. Raises: MalformedError."""
    expected = [q.length if isinstance(q, QuestionH) else num_tallied for q in election.questions]
    if [len(row) for row in tally.ciphertexts] != expected:
        raise MalformedError("the encrypted tally does not have the shape of this election's questions")


def ranked_questions(election: Election) -> Iterator[int]:
    """Indices of the questions whose ciphertexts have to be shuffled."""
    return (i for i, question in enumerate(election.questions) if not isinstance(question, QuestionH))


def nh_ciphertexts(election: Election, tally: EncryptedTally) -> tuple[tuple[Ciphertext, ...], ...]:
    """The ciphertexts of the ranked questions (4.19): [ranked question][position]."""
    return tuple(tally.ciphertexts[i] for i in ranked_questions(election))


def merge_nh_ciphertexts(election: Election, tally: EncryptedTally, shuffled: Sequence[tuple[Ciphertext, ...]]) -> EncryptedTally:
    """The tally with its ranked ciphertexts replaced by shuffled ones (4.19). Raises: MalformedError for another shape."""
    rows = list(tally.ciphertexts)
    indices = list(ranked_questions(election))
    if len(indices) != len(shuffled):
        raise MalformedError("a shuffle does not have one list of ciphertexts per ranked question")
    for index, row in zip(indices, shuffled, strict=True):
        if len(row) != len(rows[index]):
            raise MalformedError("a shuffle has another number of ciphertexts than the tally")
        rows[index] = tuple(row)
    return EncryptedTally(tuple(rows))
