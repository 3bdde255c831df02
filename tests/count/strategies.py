"""Random contests for Hypothesis."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from hypothesis import strategies as st

from ballot.count import LotOrder, Profile
from ballot.count.constraints import Bound, Constraints

NAMES = ("Ann", "Bob", "Cat", "Dan", "Eve", "Fay", "Gus", "Hal")
RANKED = ["scottish-2011", "ers97", "meek-nz", "meek", "meek-exact"]


@dataclass(frozen=True)
class Case:
    profile: Profile
    seats: int
    lot: LotOrder
    ron: int | None
    constraints: Constraints | None


@st.composite
def profiles(draw: st.DrawFn, most: int = 7) -> Profile:
    number = draw(st.integers(2, most))
    ranking = st.permutations(range(number)).flatmap(lambda order: st.integers(1, number).map(lambda size: tuple(order[:size])))
    papers = draw(st.lists(st.tuples(st.integers(1, 6), ranking), min_size=1, max_size=12))
    return Profile(NAMES[:number], tuple(papers), draw(st.integers(1, number)), "random")


@st.composite
def bounds_for(draw: st.DrawFn, number: int) -> Constraints:
    names = draw(st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, max_size=3, unique=True))
    groups = tuple((name, frozenset(draw(st.sets(st.integers(0, number - 1))))) for name in names)
    bounds = []
    for name in names:
        side = draw(st.sampled_from(["at_least", "at_most", "share"]))
        if side == "share":
            share = draw(st.sampled_from([Fraction(1, 2), Fraction(1, 3)]))
            bounds.append(Bound(name, "at_least", share, share=True, rounding=draw(st.sampled_from(["up", "down", "half-up"]))))
        else:
            bounds.append(Bound(name, side, Fraction(draw(st.integers(0, 3)))))
    return Constraints(groups, tuple(bounds), draw(st.sampled_from(["refuse", "cap", "leave-empty"])))


@st.composite
def cases(draw: st.DrawFn, *, one_seat: bool = False) -> Case:
    profile = draw(profiles())
    number = len(profile.candidates)
    lot = LotOrder.typed(draw(st.permutations(range(number))), number)
    ron = draw(st.none() | st.integers(0, number - 1))
    constraints = draw(st.none() | bounds_for(number))
    return Case(profile, 1 if one_seat else profile.seats, lot, ron, constraints)
