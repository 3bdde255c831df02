"""What a verification found: one of four outcomes, the steps that hold, and notes on what the file cannot show."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from ballot.errors import ArchiveRefusedError
from ballot.verifier.rules import Step


class Outcome(Enum):
    """How a verification ends; `status` is the command's exit status."""

    VERIFIED = ("verified", 0)
    REFUSED = ("refused", 1)
    UNUSABLE = ("unusable", 2)
    UNFINISHED = ("unfinished", 3)

    def __init__(self, word: str, status: int) -> None:
        self.word, self.status = word, status


@dataclass(frozen=True)
class Totals:
    """A question that was opened as sums: how many ballots chose each answer, and how many were blank (None: not allowed)."""

    question: str
    answers: tuple[str, ...]
    totals: tuple[int, ...]
    blank: int | None

    def to_json(self) -> dict[str, Any]:
        return {
            "question": self.question,
            "totals": [{"answer": a, "votes": n} for a, n in zip(self.answers, self.totals, strict=True)],
            "blank": self.blank,
        }


@dataclass(frozen=True)
class Rankings:
    """A question that was opened ballot by ballot: the rankings (each answer's rank, 0 for none), without invalid ones.

    `invalid` counts the others. What they hold is never shown: a voter can be made to sign a ballot with it.
    """

    question: str
    answers: tuple[str, ...]
    rankings: tuple[tuple[int, ...], ...]
    invalid: int

    def to_json(self) -> dict[str, Any]:
        return {"question": self.question, "answers": list(self.answers), "rankings": len(self.rankings), "invalid": self.invalid}


@dataclass
class Report:
    """The outcome of one verification. Filled as it proceeds; `outcome` is only VERIFIED when every step was made."""

    outcome: Outcome = Outcome.UNFINISHED
    sentence: str = ""
    refusal: ArchiveRefusedError | None = None
    steps: dict[Step, str] = field(default_factory=dict)  # each step that holds, with what was looked at
    notes: list[str] = field(default_factory=list)
    uuid: str | None = None
    name: str | None = None
    fingerprint: str | None = None
    height: int | None = None
    head: str | None = None
    credentials: int = 0
    ballots: int = 0
    counted: int = 0
    result: tuple[Totals | Rankings, ...] | None = None  # by question; set only where it was recomputed
    verdicts: tuple[str, ...] = ()  # by question, of the count under its declared rule; "" where none is declared

    def verdict(self) -> str:
        """The last line: what was found, in plain words."""
        if self.refusal is None:
            return f"{self.outcome.word.upper()}: {self.sentence}"
        where = "" if self.refusal.height is None else f", event {self.refusal.height}"
        blame = f" At fault: {self.refusal.blame}." if self.refusal.blame else ""
        return f"REFUSED (rule {self.refusal.rule}{where}): {self.sentence}{blame}"

    def to_json(self) -> dict[str, Any]:
        """The report for programs; its keys are stable."""
        refusal = self.refusal
        return {
            "outcome": self.outcome.word,
            "sentence": self.sentence,
            "rule": refusal.rule if refusal else None,
            "height": refusal.height if refusal else None,
            "at_fault": refusal.blame if refusal else None,
            "election": {"uuid": self.uuid, "name": self.name, "fingerprint": self.fingerprint},
            "head": {"height": self.height, "hash": self.head},
            "credentials": self.credentials,
            "ballots": self.ballots,
            "counted": self.counted,
            "steps": [
                {"number": step.number, "title": step.title, "holds": step in self.steps, "words": self.steps.get(step)} for step in Step
            ],
            "notes": self.notes,
            "result": None if self.result is None else [question.to_json() for question in self.result],
            "verdicts": list(self.verdicts),
        }
