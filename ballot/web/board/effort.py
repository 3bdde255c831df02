"""How long a browser takes to verify a ballot box, so that people can be told before they begin.

The figures are of one core of a laptop (`python -m bench --only browser` measures them again), in seconds.
"""

from __future__ import annotations

from typing import Final

from ballot.language import phrase, phrases
from ballot.protocol.messages import QuestionH, ThresholdParameters
from ballot.services.board import Setup

START: Final = 1.0  # libraries, the set-up, tables
BALLOT: Final = 0.003  # a ballot's signature
CHOICE: Final = 0.006  # the proof that one choice is 0 or 1, and its part in the proof about their number
RANKED: Final = 0.003  # the proof of a ranking
SHUFFLED: Final = 0.006  # one ranking, through one shuffle
OPENED: Final = 0.006  # one ranking in one share, with both proofs


def seconds_to_verify(setup: Setup, ballots: int) -> float:
    """The time for the whole of this election with so many ballots, on one core of a laptop."""
    holders = sum(item.threshold if isinstance(item, ThresholdParameters) else 1 for item in setup.trustees.items)
    each = BALLOT
    for question in setup.election.questions:
        if isinstance(question, QuestionH):
            each += CHOICE * (question.length + question.max - question.min + 1)
        else:
            each += RANKED + holders * (SHUFFLED + OPENED)
    return START + each * ballots


def duration(seconds: float) -> str:
    """In words that promise no more than is known."""
    if seconds <= 10:
        return phrase("less than 10 seconds")
    if seconds < 50:
        return phrase("about {seconds} seconds", seconds=round(seconds / 10) * 10)
    return phrases("about a minute", "about {count} minutes", max(round(seconds / 60), 1))
