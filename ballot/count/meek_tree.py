"""Papers as a tree, for Meek counts: beginnings that many papers share are worked out once.

Under Meek's method an elected candidate keeps a part of each paper that reaches them and passes on the rest; a continuing
candidate keeps all of it; an excluded one nothing. So what a paper gives depends only on the elected candidates at its
beginning, up to the first continuing one. A *node* is such a beginning (a sequence of elected candidates); the papers that
then reach a continuing candidate hang under the node in one bundle for that candidate and are looked at again only when that
candidate is elected or excluded.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from fractions import Fraction
from operator import mul


class PaperTree:
    """The papers of one count. Weights are whole numbers; values are integers with `one` standing for a whole paper."""

    def __init__(self, papers: Sequence[tuple[int, tuple[int, ...]]], size: int, continuing: Collection[int]) -> None:
        self.papers = papers
        self.size = size
        self.hopeful = [candidate in continuing for candidate in range(size)]
        self.elected = [False] * size
        self.parent = [0]
        self.holder = [-1]
        self.through = [0]
        """Papers that pass through each node."""
        self.ended = [0]
        """Papers that have no further choice after each node."""
        self.children: list[dict[int, int]] = [{}]
        self.bundles: list[dict[int, list[int]]] = [{} for _ in range(size)]
        """For each continuing candidate: the papers that wait there, by node."""
        self._flat: list[tuple[list[int], list[int]]] | None = None
        self._deal(0, range(len(papers)), None)

    def exclude(self, candidate: int) -> None:
        """The candidate takes no more: papers that wait there go on."""
        self.hopeful[candidate] = False
        self._reopen(candidate, elected=False)

    def elect(self, candidate: int, following: int | None = None) -> None:
        """The candidate keeps only a part from now on; `following` (a further RON) begins to stand."""
        self.hopeful[candidate] = False
        self.elected[candidate] = True
        if following is not None:
            self.hopeful[following] = True
        self._reopen(candidate, elected=True)

    def share(self, keep: Sequence[int], one: int) -> tuple[list[int], int]:
        """Each candidate's votes and the non-transferable votes, in units of `one` to a paper.

        Of the value that reaches an elected candidate value x keep / one is kept, rounded up; the rest goes on.
        """
        parent, holder, through = self.parent, self.holder, self.through
        votes = [0] * self.size
        rest = [one] * len(parent)
        for node in range(1, len(parent)):
            value = rest[parent[node]]
            who = holder[node]
            kept = -(-value * keep[who] // one)
            rest[node] = value - kept
            votes[who] += kept * through[node]
        reach = rest.__getitem__
        for candidate, (nodes, weights) in enumerate(self._bundled()):
            if nodes:
                votes[candidate] = sum(map(mul, map(reach, nodes), weights))
        return votes, sum(map(mul, rest, self.ended))

    def share_exactly(self, keep: Sequence[Fraction]) -> tuple[list[Fraction], Fraction]:
        """As `share`, with nothing rounded."""
        votes = [Fraction(0)] * self.size
        rest = [Fraction(1)] * len(self.parent)
        for node in range(1, len(self.parent)):
            value = rest[self.parent[node]]
            who = self.holder[node]
            kept = value * keep[who]
            rest[node] = value - kept
            votes[who] += kept * self.through[node]
        for candidate, (nodes, weights) in enumerate(self._bundled()):
            for node, weight in zip(nodes, weights, strict=True):
                votes[candidate] += rest[node] * weight
        stopped = Fraction(0)
        for value, number in zip(rest, self.ended, strict=True):
            if number:
                stopped += value * number
        return votes, stopped

    def _bundled(self) -> list[tuple[list[int], list[int]]]:
        """For each candidate the nodes with waiting papers and how many wait there."""
        if self._flat is None:
            papers = self.papers
            self._flat = [
                (list(bundle), [sum([papers[position][0] for position in positions]) for positions in bundle.values()])
                for bundle in self.bundles
            ]
        return self._flat

    # --- how papers move ---------------------------------------------------------------------------------------

    def _reopen(self, candidate: int, *, elected: bool) -> None:
        bundle, self.bundles[candidate] = self.bundles[candidate], {}
        for node, positions in bundle.items():
            target = node
            if elected:
                target = self._child(node, candidate)
                self.through[target] += sum([self.papers[position][0] for position in positions])
            self._deal(target, positions, candidate)
        self._flat = None

    def _child(self, node: int, candidate: int) -> int:
        child = self.children[node].get(candidate)
        if child is None:
            child = len(self.parent)
            self.children[node][candidate] = child
            self.parent.append(node)
            self.holder.append(candidate)
            self.through.append(0)
            self.ended.append(0)
            self.children.append({})
        return child

    def _deal(self, start: int, positions: Collection[int], after: int | None) -> None:
        """Papers at a node go on from the choice behind `after` to the next who is continuing or elected."""
        papers, hopeful, elected, bundles = self.papers, self.hopeful, self.elected, self.bundles
        for position in positions:
            weight, ranking = papers[position]
            node = start
            for choice in ranking if after is None else ranking[ranking.index(after) + 1 :]:
                if hopeful[choice]:
                    bundle = bundles[choice].get(node)
                    if bundle is None:
                        bundles[choice][node] = [position]
                    else:
                        bundle.append(position)
                    break
                if elected[choice]:
                    node = self._child(node, choice)
                    self.through[node] += weight
            else:
                self.ended[node] += weight
        self._flat = None
