"""Papers: rankings with how often each was cast, and the named rules that turn raw marks into rankings.

A *mark row* is what the voter wrote, rank by rank: each rank is a tuple of candidates (none: the rank was left
blank; two or more: an equal or double mark). A *ranking* is what the count reads: candidates in order of choice.
Candidates are numbered from 0 everywhere in `ballot.count`; only files and printed sheets number them from 1.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from ballot.errors import CountError, MalformedError

Marks = Sequence[Sequence[int]]
Rank = int | tuple[int, ...]
"""One place of a ranking: a candidate, or several ranked equal (only where the mark rule keeps equal ranks)."""
Ranking = tuple[Rank, ...]

MAX_CANDIDATES = 500
MAX_SEATS = 1000


@dataclass(frozen=True)
class MarkRule:
    """What happens at a rank that is left blank, marked twice, or repeats a candidate.

    stop: the paper is non-transferable from there. skip: the reader goes on to the next rank. refuse: the whole file is
    refused, with the line. keep: (double marks) the candidates are ranked equal. stop-at-two: one blank rank is passed
    over, two in a row stop the paper.
    """

    name: str
    title: str
    blank: Literal["stop", "skip", "stop-at-two", "refuse"]
    double: Literal["stop", "skip", "keep", "refuse"]
    repeated: Literal["skip", "refuse"]


MARK_RULES: dict[str, MarkRule] = {
    rule.name: rule
    for rule in (
        MarkRule("strict", "every unusual mark is refused, with its line", "refuse", "refuse", "refuse"),
        MarkRule(
            "clear-order",
            "a blank or double mark makes the paper non-transferable from there; a repeated candidate is passed over"
            " (Scottish rules, ERS97 6.10 and 6.12, Church of England)",
            "stop",
            "stop",
            "skip",
        ),
        MarkRule("skip-blanks", "blank ranks are passed over; a double mark stops the paper", "skip", "stop", "skip"),
        MarkRule(
            "minneapolis-2013",
            "one blank rank is passed over, two in a row stop the paper; a double mark stops it",
            "stop-at-two",
            "stop",
            "skip",
        ),
        MarkRule(
            "minneapolis-2017",
            "one blank rank is passed over, two in a row stop the paper; a double mark is passed over",
            "stop-at-two",
            "skip",
            "skip",
        ),
        MarkRule("equal-ranks", "blank ranks are passed over; double marks are equal ranks (Meek only)", "skip", "keep", "skip"),
    )
}


def apply_mark_rule(marks: Marks, rule: MarkRule) -> Ranking:
    """The ranking that a mark row stands for; empty when the paper has no usable first preference.

    Source: counting.md 3.10. A repeated candidate never counts as a blank rank.

    Raises:
        MalformedError: the rule refuses such marks; the text says which mark and at which rank.
    """
    ranking: list[Rank] = []
    seen: set[int] = set()
    blanks = 0
    for number, rank in enumerate(marks, start=1):
        if not rank:
            blanks += 1
            if rule.blank == "refuse":
                raise MalformedError(f"rank {number} is left blank, which the mark rule “{rule.name}” does not allow")
            if rule.blank == "stop" or (rule.blank == "stop-at-two" and blanks == 2):
                break
            continue
        blanks = 0
        if len(set(rank)) > 1:
            if rule.double == "refuse":
                raise MalformedError(f"rank {number} names several candidates, which the mark rule “{rule.name}” does not allow")
            if rule.double == "stop":
                break
            if rule.double == "skip":
                continue
        fresh = tuple(sorted(candidate for candidate in set(rank) if candidate not in seen))
        if len(fresh) < len(rank) and rule.repeated == "refuse":
            raise MalformedError(f"rank {number} names a candidate again, which the mark rule “{rule.name}” does not allow")
        if fresh:
            seen.update(fresh)
            ranking.append(fresh[0] if len(fresh) == 1 else fresh)
    return tuple(ranking)


@dataclass(frozen=True)
class Profile:
    """All papers of one contest.

    `papers` are (how many papers, ranking) with usable first preferences; `invalid` counts papers without one.
    `withdrawn` candidates are treated as never there (counting.md 3.11). `mark_rule` names what made the rankings.
    """

    candidates: tuple[str, ...]
    papers: tuple[tuple[int, Ranking], ...]
    seats: int
    title: str = ""
    withdrawn: frozenset[int] = frozenset()
    invalid: int = 0
    mark_rule: str = "strict"
    tie_order: tuple[int, ...] | None = None

    @property
    def cast(self) -> int:
        """Papers in the box, valid or not."""
        return self.invalid + sum(weight for weight, _ in self.papers)

    def without(self, withdrawn: Iterable[int]) -> Profile:
        """The same papers with more candidates withdrawn."""
        return replace(self, withdrawn=self.withdrawn | frozenset(withdrawn))


def profile_from_rankings(
    candidates: Sequence[str], rankings: Iterable[Sequence[int]], seats: int, *, title: str = "", withdrawn: Iterable[int] = ()
) -> Profile:
    """The profile of decrypted rankings: each is candidates (from 0) in order of choice.

    Anything that is not a ranking (a number that is no candidate, a candidate twice, not a number) is counted as
    invalid and kept nowhere, so that it can be displayed nowhere. An empty ranking is a blank paper: also invalid.
    """
    number = len(candidates)
    heap: dict[tuple[int, ...], int] = {}
    invalid = 0
    for ranking in rankings:
        try:
            paper = tuple(ranking)
        except TypeError:
            invalid += 1
            continue
        known = all(type(choice) is int and 0 <= choice < number for choice in paper)
        if not paper or not known or len(set(paper)) != len(paper):
            invalid += 1
        else:
            heap[paper] = heap.get(paper, 0) + 1
    papers: tuple[tuple[int, Ranking], ...] = tuple((weight, paper) for paper, weight in sorted(heap.items()))
    return Profile(tuple(candidates), papers, seats, title, frozenset(withdrawn), invalid, "strict")


def check_profile(profile: Profile) -> None:
    """The profile's numbers are within bounds.

    Raises:
        CountError: no candidates, too many, no seats, an impossible weight or candidate number.
    """
    number = len(profile.candidates)
    if not number:
        raise CountError("There are no candidates.")
    if number > MAX_CANDIDATES:
        raise CountError(f"There are {number} candidates; at most {MAX_CANDIDATES} can be counted.")
    if not 1 <= profile.seats <= MAX_SEATS:
        raise CountError(f"The number of seats must be between 1 and {MAX_SEATS}, not {profile.seats}.")
    if any(not 0 <= candidate < number for candidate in profile.withdrawn):
        raise CountError("A withdrawn candidate is not among the candidates.")
    if any(weight < 0 for weight, _ in profile.papers):
        raise CountError("A paper cannot be cast a negative number of times.")
