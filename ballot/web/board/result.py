"""What the result page shows, taken from `ballot.services.tally.outcome`: the verified archive under its declared rules."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property

from sqlmodel import col, select

from ballot.count.blt import write_blt
from ballot.count.record import Record
from ballot.errors import BallotError
from ballot.language import phrase
from ballot.models import Election, ElectionState
from ballot.protocol.messages import QuestionH, QuestionNH
from ballot.recount import Outcome
from ballot.services import tally
from ballot.services.database import Database

SHOWN = 300  # different rankings on the page; the file has all
KEPT = 20  # results that are worked out before anybody asks


@dataclass(frozen=True)
class Total:
    """One line of totals; `share` is in hundredths of the longest possible bar."""

    name: str
    votes: int
    share: int


@dataclass(frozen=True)
class QuestionResult:
    """One question's outcome: totals of a homomorphic question, or the commonest of `different` rankings with their number of papers.

    `verdict` is the sentence that stands first. `record` is the whole count, from which a report may be drawn.
    """

    number: int
    title: str
    counted: int
    verdict: str
    totals: tuple[Total, ...]
    rankings: tuple[tuple[tuple[str, ...], int], ...]
    different: int
    blank: int
    invalid: int
    record: Record | None
    outcome: Outcome

    @cached_property
    def blt(self) -> str | None:
        """The rankings for counting programs; made when somebody first asks for them."""
        return write_blt(self.outcome.profile) if isinstance(self.outcome.question, QuestionNH) else None


def published_result(database: Database, uuid: str) -> tuple[QuestionResult, ...]:
    """The outcome of each question, in order; worked out once in each process, since a published result never changes.

    Raises: NotFoundError: nothing is published; BoardDamagedError: the archive is not what the chain says.
    """
    known = database.setups.get(f"result of {uuid}")
    if isinstance(known, tuple):
        return known
    found = tuple(map(_shown, tally.outcome(database, uuid).questions))
    database.setups[f"result of {uuid}"] = found
    return found


def read_results(database: Database, seen: set[str]) -> None:
    """The newest published results that were not `seen` are worked out in this process, with their files of rankings."""
    with database.read() as session:
        published = select(Election.uuid).where(Election.state == ElectionState.PUBLISHED).order_by(col(Election.published_at).desc())
        uuids = session.exec(published.limit(KEPT)).all()
    for uuid in uuids:
        if uuid in seen:
            continue
        seen.add(uuid)
        with suppress(BallotError):  # its page will say what is wrong with it
            for question in published_result(database, uuid):
                _ = question.blt


def _shown(outcome: Outcome) -> QuestionResult:
    """On the page a blank answer is the last line, and for a motion it is called an abstention."""
    question, names = outcome.question, outcome.question.answers
    lines = list(zip(names, outcome.totals, strict=False))
    if isinstance(question, QuestionH) and question.blank:
        lines.append((phrase("Abstained") if outcome.motion is not None else phrase("Left blank"), outcome.blank))
    ordered = sorted(Counter(outcome.rankings).items(), key=lambda item: (-item[1], item[0]))
    return QuestionResult(
        outcome.number,
        question.question,
        outcome.ballots,
        outcome.verdict,
        totals=tuple(Total(name, n, (200 * n // outcome.ballots + 1) // 2 if outcome.ballots else 0) for name, n in lines),
        rankings=tuple((tuple(names[i] for i in order), papers) for order, papers in ordered[:SHOWN]),
        different=len(ordered),
        blank=outcome.blank,
        invalid=outcome.invalid,
        record=outcome.record,
        outcome=outcome,
    )
