"""Motions: for, against, abstain; decided in whole numbers.

Two thirds means 3 x for >= 2 x base, never 0.666 of anything. The base is named: `cast` (for + against: abstentions are not
counted, as in company law), `papers` (everyone who voted) or `electorate` (everyone who could). `more_than` asks for more than the
share ("more than half"), otherwise the share itself suffices ("at least three quarters"). The quorum counts everyone who
voted, abstentions included. A motion that gets exactly as many for as against falls, unless the rule gives a casting vote.
Source: counting.md 3.12.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from ballot.errors import CountError

ID, VERSION, TITLE = "motion", "1", "Motion (for, against, abstain)"
Base = Literal["cast", "papers", "electorate"]


@dataclass(frozen=True)
class Threshold:
    """The share of the base that carries a motion."""

    share: Fraction = Fraction(1, 2)
    more_than: bool = True
    base: Base = "cast"

    @property
    def words(self) -> str:
        """The threshold in words."""
        share = f"{self.share.numerator}/{self.share.denominator}"
        names = {Fraction(1, 2): "half", Fraction(2, 3): "two thirds", Fraction(3, 4): "three quarters"}
        of = {"cast": "the votes for and against", "papers": "everyone who voted", "electorate": "everyone who could vote"}
        return f"{'more than' if self.more_than else 'at least'} {names.get(self.share, share)} of {of[self.base]}"


SIMPLE_MAJORITY = Threshold()
TWO_THIRDS = Threshold(Fraction(2, 3), more_than=False)
THREE_QUARTERS = Threshold(Fraction(3, 4), more_than=False)


@dataclass(frozen=True)
class MotionResult:
    """The figures, whether the motion is carried, and why, in words."""

    carried: bool
    votes_for: int
    against: int
    abstain: int
    electorate: int | None
    threshold: Threshold
    base: int
    needed: int
    quorum: int | None
    quorum_met: bool
    casting_vote: str | None
    verdict: str

    def to_json(self) -> bytes:
        """The canonical bytes."""
        data = {
            "format": "ballot-motion-1",
            "rule": {"id": ID, "version": VERSION},
            "carried": self.carried,
            "for": self.votes_for,
            "against": self.against,
            "abstain": self.abstain,
            "electorate": self.electorate,
            "threshold": {
                "share": f"{self.threshold.share.numerator}/{self.threshold.share.denominator}",
                "more_than": self.threshold.more_than,
                "base": self.threshold.base,
            },
            "base": self.base,
            "needed": self.needed,
            "quorum": self.quorum,
            "quorum_met": self.quorum_met,
            "casting_vote": self.casting_vote,
            "verdict": self.verdict,
        }
        return json.dumps(data, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def decide(
    votes_for: int,
    against: int,
    abstain: int = 0,
    *,
    threshold: Threshold = SIMPLE_MAJORITY,
    electorate: int | None = None,
    quorum: int | Fraction | None = None,
    casting_vote: Literal["for", "against"] | None = None,
) -> MotionResult:
    """Whether the motion is carried.

    `quorum` is a number of voters, or a share of the electorate (rounded up). `casting_vote` is only used where for and against
    are equal and the threshold is more than half of the votes cast.

    Raises:
        CountError: negative figures, more votes than voters, a share outside 0 to 1, or an electorate that is needed and missing.
    """
    papers = votes_for + against + abstain
    if min(votes_for, against, abstain) < 0:
        raise CountError("A motion cannot have a negative number of votes.")
    if electorate is not None and papers > electorate:
        raise CountError(f"{papers} votes are more than the {electorate} people who could vote.")
    if not 0 < threshold.share <= 1:
        raise CountError("A threshold must be a share above 0 and up to 1.")
    if electorate is None and (threshold.base == "electorate" or isinstance(quorum, Fraction)):
        raise CountError("This rule needs the number of people who could vote.")
    base = {"cast": votes_for + against, "papers": papers, "electorate": electorate or 0}[threshold.base]
    needed = _needed(threshold, base)
    least = _quorum(quorum, electorate)
    met = least is None or papers >= least
    carried = votes_for >= needed and votes_for > 0
    tie = threshold == SIMPLE_MAJORITY and votes_for == against
    used = casting_vote if tie and casting_vote else None
    if used:
        carried = used == "for"
    carried = carried and met
    return MotionResult(
        carried,
        votes_for,
        against,
        abstain,
        electorate,
        threshold,
        base,
        needed,
        least,
        met,
        used,
        _verdict(carried, votes_for, against, abstain, threshold, needed, least, met, used, electorate, tie=tie),
    )


def _needed(threshold: Threshold, base: int) -> int:
    """The fewest votes for that carry it."""
    product = threshold.share.numerator * base
    denominator = threshold.share.denominator
    return product // denominator + 1 if threshold.more_than else -(-product // denominator)


def _quorum(quorum: int | Fraction | None, electorate: int | None) -> int | None:
    if isinstance(quorum, Fraction):
        if not 0 <= quorum <= 1:
            raise CountError("A quorum must be a share from 0 to 1, or a number of voters.")
        return -(-quorum.numerator * (electorate or 0) // quorum.denominator)
    if quorum is not None and quorum < 0:
        raise CountError("A quorum cannot be negative.")
    return quorum


def _verdict(
    carried: bool,
    votes_for: int,
    against: int,
    abstain: int,
    threshold: Threshold,
    needed: int,
    least: int | None,
    met: bool,
    casting_vote: str | None,
    electorate: int | None,
    *,
    tie: bool,
) -> str:
    papers = votes_for + against + abstain
    figures = f"{votes_for} for, {against} against, {abstain} abstained."
    if electorate:
        tenths = (2000 * papers + electorate) // (2 * electorate)
        figures += f" Turnout {papers} of {electorate} ({tenths // 10}.{tenths % 10} %)."
    parts = [f"{'Carried' if carried else 'Not carried'}: {figures}", f"It needed {threshold.words}: {needed}."]
    if least is not None:
        parts.append(f"Quorum {least}: {'met' if met else f'not met, {papers} voted'}.")
    if casting_vote:
        parts.append(f"For and against were equal; the casting vote was {casting_vote}.")
    elif tie and papers:
        parts.append("For and against were equal, so it falls.")
    return " ".join(parts)
