"""The tree gives each candidate exactly what walking every paper would give."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from ballot.count.meek_tree import PaperTree

ONE = 10**9
SIZE = 6
papers_of = st.lists(
    st.tuples(
        st.integers(1, 5), st.permutations(range(SIZE)).flatmap(lambda order: st.integers(1, SIZE).map(lambda size: tuple(order[:size])))
    ),
    min_size=1,
    max_size=15,
)


def walk(papers: list, state: list[str], keep: list[int]) -> tuple[list[int], int]:
    votes, stopped = [0] * SIZE, 0
    for weight, ranking in papers:
        value = ONE
        for choice in ranking:
            if state[choice] == "excluded":
                continue
            kept = -(-value * keep[choice] // ONE)
            votes[choice] += kept * weight
            value -= kept
        stopped += value * weight
    return votes, stopped


@given(papers=papers_of, acts=st.permutations(range(SIZE)), data=st.data())
@settings(max_examples=200, deadline=None)
def test_the_tree_equals_walking_every_paper(papers: list, acts: list[int], data: st.DataObject) -> None:
    tree = PaperTree(papers, SIZE, range(SIZE))
    state, keep = ["continuing"] * SIZE, [ONE] * SIZE
    assert walk(papers, state, keep) == tree.share(keep, ONE)
    for candidate in acts:
        if data.draw(st.booleans()):
            state[candidate], keep[candidate] = "elected", data.draw(st.integers(1, ONE))
            tree.elect(candidate)
        else:
            state[candidate], keep[candidate] = "excluded", 0
            tree.exclude(candidate)
        votes, stopped = tree.share(keep, ONE)
        assert walk(papers, state, keep) == (votes, stopped)
        assert sum(weight for weight, _ in papers) * ONE == sum(votes) + stopped
        exact, rest = tree.share_exactly([Fraction(units, ONE) for units in keep])
        assert sum(weight for weight, _ in papers) == sum(exact) + rest
