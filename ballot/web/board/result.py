"""What the result page shows, taken from the archive's Result and the rule that its hashed text declares, nothing else.

A tie that the rule itself cannot break is broken by lot. The lot's seed is public and was fixed before anyone could know the
result: the hash of the last event before the first decryption, and the question's number (`<hash>|<number>`, from 1).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from sqlmodel import col, select

from ballot.count import LotOrder, count
from ballot.count.blt import write_blt
from ballot.count.draw.words import headline
from ballot.count.papers import profile_from_rankings
from ballot.count.record import Record
from ballot.count.rules.approval import count_totals
from ballot.errors import CountError
from ballot.models import BoardEvent
from ballot.protocol.messages import QuestionH, QuestionNH
from ballot.services import tally
from ballot.services.database import Database
from ballot.services.tally import Published, QuestionOutcome
from ballot.web.rules import decide_motion


@dataclass(frozen=True)
class Total:
    """One line of totals; `share` is in hundredths of the longest possible bar."""

    name: str
    votes: int
    share: int


@dataclass(frozen=True)
class QuestionResult:
    """One question's outcome: totals of a homomorphic question, or rankings with their number of papers.

    `verdict` is the sentence that stands first. `record` is the whole count, from which a report may be drawn.
    """

    number: int
    title: str
    counted: int
    verdict: str
    totals: tuple[Total, ...] = ()
    rankings: tuple[tuple[tuple[str, ...], int], ...] = ()
    blank: int = 0
    invalid: int = 0
    blt: str | None = None
    record: Record | None = None


def published_result(database: Database, uuid: str) -> tuple[QuestionResult, ...]:
    """The outcome of each question, in order; worked out once in each process, since a published result never changes.

    Raises: NotFoundError: nothing is published; BoardDamagedError: the archive is not what the chain says.
    """
    known = database.setups.get(f"result of {uuid}")
    if isinstance(known, tuple):
        return known
    outcome = tally.outcome(database, uuid)
    with database.read() as db:
        earlier = (
            select(BoardEvent.hash)
            .where(BoardEvent.election_uuid == uuid, col(BoardEvent.type).in_(["EncryptedTally", "EndShuffles"]))
            .order_by(col(BoardEvent.height).desc())
        )
        seed = db.exec(earlier).first() or ""
    found = tuple(
        _ranked(number, question, outcome, seed) if isinstance(question.question, QuestionNH) else _totals(number, question, outcome, seed)
        for number, question in enumerate(outcome.questions, start=1)
    )
    database.setups[f"result of {uuid}"] = found
    return found


def _lot(seed: str, number: int, names: Sequence[str]) -> LotOrder | None:
    try:
        return LotOrder.from_seed(f"{seed}|{number}", names)
    except CountError:
        return None  # two choices of one name: the count says so itself if it comes to a lot


def _totals(number: int, asked: QuestionOutcome, outcome: Published, seed: str) -> QuestionResult:
    """On the page a blank answer is the last line, and for a motion it is called an abstention."""
    question, rule, votes = asked.question, asked.rule, asked.totals
    if not isinstance(question, QuestionH):
        raise TypeError("a ranked question has no totals")
    lines = list(zip(question.answers, votes, strict=True))
    if question.blank:
        lines.append(("Abstained" if rule.get("rule") == "motion" else "Left blank", asked.blank))
    totals = tuple(Total(name, n, 100 * n // outcome.ballots if outcome.ballots else 0) for name, n in lines)
    record, verdict = None, ""
    try:
        if rule.get("rule") == "motion" and len(votes) == 2:
            verdict = decide_motion(rule, votes[0], votes[1], asked.blank, outcome.electorate).verdict
        elif rule.get("rule") in {"approval", "up-to-n"}:
            record = count_totals(
                question.answers,
                votes,
                outcome.ballots - asked.blank,
                int(rule.get("seats", 1)),
                ron=len(votes) - 1 if rule.get("ron") else None,
                lot=_lot(seed, number, question.answers),
                title=question.question,
                limit=question.max if rule["rule"] == "up-to-n" else None,
            )
            verdict = headline(record)
    except CountError as error:
        verdict = str(error)
    return QuestionResult(number, question.question, outcome.ballots, verdict, totals=totals, blank=asked.blank, record=record)


def _ranked(number: int, asked: QuestionOutcome, outcome: Published, seed: str) -> QuestionResult:
    """Rankings by number of papers. What is no ranking is counted, and shown nowhere."""
    question, rule = asked.question, asked.rule
    names, seats = question.answers, int(rule.get("seats", 1))
    profile = profile_from_rankings(names, asked.rankings, seats, title=question.question)
    record, verdict = None, ""
    if rule:
        try:
            ron = len(names) - 1 if rule.get("ron") else None
            record = count(str(rule["rule"]), profile, seats, ron=ron, lot=_lot(seed, number, names))
            verdict = headline(record)
        except CountError as error:
            verdict = str(error)
    ordered = sorted(Counter(asked.rankings).items(), key=lambda item: (-item[1], item[0]))
    return QuestionResult(
        number,
        question.question,
        outcome.ballots,
        verdict,
        rankings=tuple((tuple(names[i] for i in order), papers) for order, papers in ordered),
        blank=asked.blank,
        invalid=asked.invalid,
        blt=write_blt(profile),
        record=record,
    )
