"""A contest: what every rule is given, worked out once from a profile.

Withdrawn candidates are struck from the papers (later preferences move up; counting.md 3.11). "Re-open nominations" (RON) may
be elected more than once where there are several seats: each paper's RON is followed by a second, third ... RON, and the next
RON stands only from the moment the one before is elected. So a surplus of RON goes to a further RON before anybody else.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from ballot.count.constraints import Constraints, Guard, Limit, Settled, settle
from ballot.count.papers import MAX_SEATS, Profile, Ranking, check_profile
from ballot.count.ties import LotOrder
from ballot.errors import CountError


@dataclass(frozen=True)
class Contest:
    """Candidates by number (those after `listed` are further RONs), papers, and what the rule must respect.

    `seats` is the seats in all (shares and quotas refer to `fill`, the seats filled by this count). `sitting` members, when a
    vacancy is filled by recount, are never excluded, and the count stops as soon as one other person is elected.
    """

    names: tuple[str, ...]
    listed: int
    standing: frozenset[int]
    rons: tuple[int, ...]
    seats: int
    fill: int
    papers: tuple[tuple[int, Ranking], ...]
    valid: int
    invalid: int
    title: str
    withdrawn: tuple[int, ...]
    mark_rule: str
    guard: Guard
    constraint_notes: tuple[str, ...]
    constraint_texts: tuple[str, ...]
    lot: LotOrder | None
    sitting: frozenset[int] = frozenset()
    has_equal_ranks: bool = False
    settings: dict[str, str] = field(default_factory=dict)

    def next_ron(self, elected: int) -> int | None:
        """The RON that stands from the moment this one is elected."""
        if elected in self.rons:
            place = self.rons.index(elected) + 1
            if place < len(self.rons):
                return self.rons[place]
        return None

    def ron_taken(self, elected: Iterable[int]) -> int:
        """Seats that RON holds."""
        return sum(1 for candidate in elected if candidate in self.rons)

    def filled_vacancy(self, elected: Collection[int]) -> bool:
        """In a recount for a vacancy: one person who was not sitting is elected."""
        return bool(self.sitting) and any(candidate not in self.sitting for candidate in elected)


def make_contest(
    profile: Profile,
    seats: int,
    *,
    ron: int | None = None,
    constraints: Constraints | None = None,
    lot: LotOrder | None = None,
    sitting: Collection[int] = (),
    set_like: bool = False,
) -> Contest:
    """The contest of this profile.

    `set_like`: an approval count, where the order of choices on a paper means nothing.

    Raises:
        CountError: no seats, more seats than candidates, no valid papers, RON or the lot order is not among the candidates.
        InfeasibleConstraintError: the constraints cannot be met by those standing.
    """
    check_profile(profile)
    number = len(profile.candidates)
    if not 1 <= seats <= MAX_SEATS:
        raise CountError(f"The number of seats must be between 1 and {MAX_SEATS}.")
    standing = frozenset(range(number)) - profile.withdrawn
    if not standing:
        raise CountError("Every candidate has withdrawn.")
    if ron is not None and ron not in standing:
        raise CountError("Re-open nominations is not among the candidates standing.")
    people = standing - {ron}
    if len(standing) < seats and ron is None:
        raise CountError(f"There are {seats} seats and only {len(standing)} candidates: all are elected without a count.")
    if lot is not None and sorted(lot.order) != list(range(number)):
        raise CountError("The lot order must name every candidate exactly once.")
    rons: tuple[int, ...] = ()
    if ron is not None:
        rons = (ron, *range(number, number + (seats - 1 if not set_like else 0)))
    names = profile.candidates + tuple(f"{profile.candidates[rons[0]]} ({place})" for place in range(2, len(rons) + 1))
    papers, valid, invalid, equal = _struck(profile, rons)
    if not valid:
        raise CountError("There are no valid papers: nobody can be elected by a count.")
    settled = Settled(()) if constraints is None else settle(constraints, seats, people, ron=ron is not None)
    limits = settled.limits
    if sitting:
        members = frozenset(sitting)
        if not members <= people:
            raise CountError("A sitting member is not among the candidates standing.")
        limits = (*limits, Limit("sitting members", members, len(members), None, "no sitting member is excluded"))
        if not Guard(limits, people).may_exclude((), (), people, seats):
            raise CountError("The sitting members and the constraints cannot be met together.")
    return Contest(
        names=names,
        listed=number,
        standing=standing,
        rons=rons,
        seats=seats,
        fill=seats - settled.empty,
        papers=papers,
        valid=valid,
        invalid=invalid,
        title=profile.title,
        withdrawn=tuple(sorted(profile.withdrawn)),
        mark_rule=profile.mark_rule,
        guard=Guard(limits, people, settled.empty),
        constraint_notes=settled.notes,
        constraint_texts=tuple(limit.text for limit in settled.limits),
        lot=None if lot is None else _with_rons(lot, rons),
        sitting=frozenset(sitting),
        has_equal_ranks=equal,
    )


def _with_rons(lot: LotOrder, rons: tuple[int, ...]) -> LotOrder:
    """Further RONs stand in the lot right behind the first."""
    if len(rons) < 2:
        return lot
    place = lot.order.index(rons[0]) + 1
    return LotOrder(lot.order[:place] + rons[1:] + lot.order[place:], lot.source)


def _struck(profile: Profile, rons: tuple[int, ...]) -> tuple[tuple[tuple[int, Ranking], ...], int, int, bool]:
    """The papers without withdrawn candidates and with every RON in place; how many are valid and invalid; any equal ranks."""
    gone, invalid, valid = profile.withdrawn, profile.invalid, 0
    equal = any(type(rank) is not int for _, ranking in profile.papers for rank in ranking)
    if not gone and len(rons) < 2:
        usable = tuple(paper for paper in profile.papers if paper[1] and paper[0])
        valid = sum(weight for weight, _ in usable)
        return usable, valid, profile.cast - valid, equal
    papers = []
    first = rons[0] if rons else None
    for weight, ranking in profile.papers:
        kept: list[int | tuple[int, ...]] = []
        for rank in ranking:
            if type(rank) is int:
                if rank == first:
                    kept.extend(rons)
                elif rank not in gone:
                    kept.append(rank)
            else:
                left = tuple(candidate for candidate in rank if candidate not in gone)  # type: ignore[union-attr]
                if first in left and len(rons) > 1:
                    raise CountError("A paper ranks “re-open nominations” equal with somebody, which several seats do not allow.")
                if left:
                    kept.append(left[0] if len(left) == 1 else left)
        if kept and weight:
            papers.append((weight, tuple(kept)))
            valid += weight
        else:
            invalid += weight
    return tuple(papers), valid, invalid, equal
