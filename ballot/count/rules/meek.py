"""Meek's method after Hill, Wichmann and Woodall ("Algorithm 123", The Computer Journal 30, 1987, p. 277).

Two rules differ only in their arithmetic: `meek` has a stated precision of twelve decimals, `meek-exact` works in fractions.

1. Every candidate has a keep value: 1 while continuing, 0 once excluded, something between once elected. A paper gives its
   first choice the keep value, passes the remainder to the next, and so on; what is left at its end is non-transferable.
   Candidates ranked equal share a paper as if it were split evenly over all orders of them.
2. The quota is (valid - non-transferable) / (seats + 1), worked out anew at every iteration. With a stated precision it is cut
   and the last decimal raised by one, and a candidate is elected at the quota or more; in fractions the quota is exact and a
   candidate is elected above it.
3. After every iteration the keep value of each elected candidate becomes keep value x quota / votes (with a stated precision:
   rounded up).
4. Once the surpluses together are below 0.000001 and nobody is newly elected, the continuing candidate with fewest votes is
   excluded, and the iterations go on.
5. The count ends when all seats are filled, or when the continuing candidates are as many as the vacancies.

Ties for exclusion are broken by lot at once: the authors' rule has no look-back. In fractions two candidates are equal only if they
are exactly equal; precision can make ties that exact arithmetic does not have (Voting matters 12).

`meek-exact`: votes are exact for the keep values used. A keep value whose denominator would need more than 40 digits is rounded
up at the 30th decimal, or the fractions would double in length at every iteration. Printed votes are cut to twelve decimals, and
what the cutting hides is the residue.

Ours: candidates doomed by a constraint are excluded before the next iteration. A stage is recorded whenever somebody is
elected, excluded or doomed; `iterations` says how many there had been.
"""

from __future__ import annotations

from fractions import Fraction
from itertools import permutations, product
from math import factorial, lcm, prod

from ballot.count.contest import Contest
from ballot.count.ledger import Ledger, PlainPapers, plain_papers
from ballot.count.meek_tree import PaperTree
from ballot.count.record import Record
from ballot.errors import CountError

ID, VERSION, TITLE = "meek", "1", "Meek STV (Hill, Wichmann and Woodall 1987), 12 decimals"
EXACT_ID, EXACT_TITLE = "meek-exact", "Meek STV (Hill, Wichmann and Woodall 1987), exact fractions"
PLACES = 12
ONE: int = 10**PLACES
SMALL_SURPLUS = Fraction(1, 1_000_000)
MAX_ITERATIONS = 10_000
MAX_SHARES = 3_000_000
MAX_EXACT_PAPERS = 20_000  # different ones; beyond that exact fractions take minutes
MAX_ORDERS = 5040  # ways to put the equal ranks of one paper in order
LONGEST_DENOMINATOR = 10**40
KEEP_DECIMALS = 10**30


class _Fixed:
    """Twelve decimals: votes in units of 10**-12 / parts."""

    places = PLACES

    def __init__(self, contest: Contest, tree: PaperTree, parts: int) -> None:
        self.contest, self.tree, self.parts = contest, tree, parts
        size = len(contest.names)
        self.keep = [ONE] * size
        self.votes = [0] * size
        self.stopped = 0
        self.quota = 0

    def share(self) -> None:
        self.votes, self.stopped = self.tree.share(self.keep, ONE)
        whole = self.contest.valid * ONE * self.parts
        self.quota = ((whole - self.stopped) // (self.parts * (self.contest.fill + 1)) + 1) * self.parts

    def reached(self, candidate: int) -> bool:
        return self.votes[candidate] >= self.quota

    def small(self, elected: list[int]) -> bool:
        surplus = sum(max(0, self.votes[candidate] - self.quota) for candidate in elected)
        return surplus * int(1 / SMALL_SURPLUS) < ONE * self.parts

    def lower_keep(self, candidate: int) -> bool:
        """Step 3; whether anything changed."""
        if not self.votes[candidate]:
            return False
        before = self.keep[candidate]
        self.keep[candidate] = min(before, -(-before * self.quota // self.votes[candidate]))
        return before != self.keep[candidate]

    def drop(self, candidate: int) -> None:
        self.keep[candidate] = 0

    def shown(self) -> tuple[list[int], int, int, list[int]]:
        """Votes, non-transferable, quota and keep values in units of the record."""
        return [units // self.parts for units in self.votes], self.stopped // self.parts, self.quota // self.parts, list(self.keep)


class _Exact:
    """Fractions throughout."""

    places = PLACES

    def __init__(self, contest: Contest, tree: PaperTree, parts: int) -> None:
        self.contest, self.tree, self.parts = contest, tree, parts
        size = len(contest.names)
        self.keep = [Fraction(1)] * size
        self.votes = [Fraction(0)] * size
        self.stopped = Fraction(0)
        self.quota = Fraction(0)

    def share(self) -> None:
        self.votes, self.stopped = self.tree.share_exactly(self.keep)
        self.quota = (self.contest.valid * self.parts - self.stopped) / (self.contest.fill + 1)

    def reached(self, candidate: int) -> bool:
        return self.votes[candidate] > self.quota

    def small(self, elected: list[int]) -> bool:
        surplus = sum((max(Fraction(0), self.votes[candidate] - self.quota) for candidate in elected), Fraction(0))
        return surplus < SMALL_SURPLUS * self.parts

    def lower_keep(self, candidate: int) -> bool:
        """Step 3; whether anything changed."""
        if not self.votes[candidate]:
            return False
        before = self.keep[candidate]
        value = min(before, before * self.quota / self.votes[candidate])
        if value.denominator > LONGEST_DENOMINATOR:
            value = Fraction(-(-value.numerator * KEEP_DECIMALS // value.denominator), KEEP_DECIMALS)
        self.keep[candidate] = value
        return before != value

    def drop(self, candidate: int) -> None:
        self.keep[candidate] = Fraction(0)

    def shown(self) -> tuple[list[int], int, int, list[int]]:
        """Votes, non-transferable, quota and keep values in units of the record, cut."""
        unit = Fraction(ONE, self.parts)
        votes = [int(vote * unit) for vote in self.votes]
        return votes, int(self.stopped * unit), int(self.quota * unit), [int(value * ONE) for value in self.keep]


class _Count:
    def __init__(self, contest: Contest, *, exact: bool) -> None:
        self.contest = contest
        self.ledger = Ledger(contest, PLACES, "never")
        papers, parts = split_papers(contest)
        self.tree = PaperTree(papers, len(contest.names), contest.standing)
        self.sums: _Fixed | _Exact = (_Exact if exact else _Fixed)(contest, self.tree, parts)
        self.iterations = 0

    def run(self) -> None:
        ledger = self.ledger
        ledger.review()
        while True:
            self.sums.share()
            self.iterations += 1
            changed = self._elect()
            if self._complete():
                return
            if ledger.doomed:
                self._close()
                self._drop_doomed()
            elif changed:
                self._close()
                self._lower_keep_values()
            elif self.sums.small(ledger.elected) or not self._lower_keep_values():
                self._exclude_lowest()
                if self._complete():
                    return
                self._close()
                self._drop_doomed()
            if self.iterations > MAX_ITERATIONS:
                raise CountError("The iterations do not converge.")

    def _elect(self) -> bool:
        """Step 2."""
        ledger = self.ledger
        reached = [candidate for candidate in ledger.continuing if self.sums.reached(candidate)]
        for candidate in ledger.by_votes(reached, self.sums.votes, "step 2", "elected first"):  # type: ignore[arg-type]
            if ledger.done:
                break
            if candidate in ledger.continuing:
                ledger.elect(candidate, "step 2")
                self.tree.elect(candidate, self.contest.next_ron(candidate))
            else:
                ledger.say("over-quota-doomed", "constraint", (candidate,))
        return bool(reached)

    def _complete(self) -> bool:
        """Step 5."""
        ledger = self.ledger
        if not ledger.done and len(ledger.continuing) <= ledger.vacancies:
            votes = self.sums.votes
            ledger.elect_all(sorted(ledger.continuing, key=lambda candidate: (-votes[candidate], candidate)), "step 5", "last-vacancies")
        if ledger.done or not ledger.continuing:
            self._close()
            return True
        return False

    def _lower_keep_values(self) -> bool:
        """Step 3; whether any keep value changed."""
        changed = [self.sums.lower_keep(candidate) for candidate in self.ledger.elected]
        return any(changed)

    def _exclude_lowest(self) -> None:
        """Step 4."""
        ledger, votes = self.ledger, self.sums.votes
        free = ledger.excludable()
        fewest = min(votes[candidate] for candidate in free)
        tied = [candidate for candidate in free if votes[candidate] == fewest]
        chosen = ledger.choose(tied, "fewest", "step 4", "excluded")
        for candidate in sorted(ledger.guarded):
            if votes[candidate] < fewest:
                ledger.say("guarded", "constraint", (candidate,), "passed-over", ledger.guarded[candidate])
        ledger.exclude((chosen,), "step 4")
        self.sums.drop(chosen)
        self.tree.exclude(chosen)

    def _drop_doomed(self) -> None:
        for candidate in self.ledger.doomed:
            self.sums.drop(candidate)
            self.tree.exclude(candidate)
        self.ledger.doomed = []

    def _close(self) -> None:
        ledger = self.ledger
        votes, stopped, quota, keep = self.sums.shown()
        ledger.close_stage(
            "iteration" if ledger.stages else "first",
            "Algorithm 123",
            votes,
            non_transferable=stopped,
            residue=self.contest.valid * ONE - sum(votes) - stopped,
            quota=quota,
            iterations=self.iterations,
            keep_values=keep,
        )


def split_papers(contest: Contest) -> tuple[PlainPapers, int]:
    """The papers with equal ranks split over all orders, and into how many parts one vote is divided for that.

    Raises:
        CountError: one paper's equal ranks have more than 5,040 orders.
    """
    if not contest.has_equal_ranks:
        return plain_papers(contest, TITLE), 1
    orders = {prod(factorial(len(rank)) for rank in ranking if isinstance(rank, tuple)) for _, ranking in contest.papers}
    if max(orders) > MAX_ORDERS:
        raise CountError(f"The equal ranks of one paper have more than {MAX_ORDERS} orders, too many to share it evenly.")
    if max(orders) * len(contest.papers) > MAX_SHARES:
        raise CountError("There are too many papers with equal ranks to share them all evenly.")
    parts = lcm(*orders)
    found: list[tuple[int, tuple[int, ...]]] = []
    for weight, ranking in contest.papers:
        groups = [list(permutations(rank)) if isinstance(rank, tuple) else [(rank,)] for rank in ranking]
        ways = prod(len(group) for group in groups)
        found.extend((weight * parts // ways, tuple(choice for group in way for choice in group)) for way in product(*groups))
    return tuple(found), parts


def count(contest: Contest) -> Record:
    """The whole count with twelve decimals.

    Raises:
        CountError: a lot is needed and none was given; equal ranks that cannot be shared.
    """
    counting = _Count(contest, exact=False)
    counting.run()
    return counting.ledger.record(ID, VERSION, TITLE, [("precision", "12 decimals"), ("surplus-limit", "0.000001")])


def count_exactly(contest: Contest) -> Record:
    """The whole count in fractions.

    Raises:
        CountError: as `count`.
    """
    if len({ranking for _, ranking in contest.papers}) > MAX_EXACT_PAPERS:
        raise CountError(f"More than {MAX_EXACT_PAPERS} different papers: exact fractions would take too long; use the rule “{ID}”.")
    counting = _Count(contest, exact=True)
    counting.run()
    return counting.ledger.record(EXACT_ID, VERSION, EXACT_TITLE, [("precision", "exact fractions"), ("surplus-limit", "0.000001")])
