"""The alternative vote: one seat, whole votes.

1. Papers are sorted by first preference.
2. A candidate with more than half of the votes still in play (papers that are not yet non-transferable) is elected.
3. Otherwise the candidate with fewest votes is excluded and each of their papers goes to its next continuing choice, or
   becomes non-transferable.
4. When one continuing candidate is left they are elected.
5. Equal lowest: the most recent earlier stage at which they differed, then lot (counting.md 3.8, as the Scottish rule 52).

One candidate goes at a time, so a stage table of another program that excludes several together agrees wherever the same
candidates continue. "Re-open nominations" is a candidate; if it wins, the post is not filled. The figure printed as quota is the
smallest whole number of votes that is more than half of those in play. Candidates doomed by a constraint (a post that only
members of a group may hold) are excluded in the next stage, together.
"""

from __future__ import annotations

from ballot.count.contest import Contest
from ballot.count.ledger import Ledger, plain_papers
from ballot.count.record import Record, StageKind, Transfer

ID, VERSION, TITLE = "av", "1", "Alternative vote (one seat)"
PLACES = 0


def majority(in_play: int) -> int:
    """The fewest votes that are more than half of those in play."""
    return in_play // 2 + 1


class _Count:
    def __init__(self, contest: Contest) -> None:
        self.contest = contest
        self.papers = plain_papers(contest, TITLE)
        self.ledger = Ledger(contest, PLACES, "latest")
        size = len(contest.names)
        self.votes = [0] * size
        self.piles: list[list[int]] = [[] for _ in range(size)]
        self.non_transferable = 0

    def run(self) -> Record:
        ledger = self.ledger
        ledger.review()
        self._deal(range(len(self.papers)), -1, set(self.contest.standing))
        self._finish("first", "1")
        while not ledger.done and ledger.continuing:
            if ledger.doomed:
                leavers, ledger.doomed = tuple(ledger.doomed), []
                self._move(leavers, "constraint")
                continue
            fewest = min(self.votes[candidate] for candidate in ledger.excludable())
            tied = [candidate for candidate in ledger.excludable() if self.votes[candidate] == fewest]
            chosen = ledger.choose(tied, "fewest", "5", "excluded")
            for candidate in sorted(ledger.guarded):
                if self.votes[candidate] < fewest:
                    ledger.say("guarded", "constraint", (candidate,), "passed-over", ledger.guarded[candidate])
            ledger.exclude((chosen,), "3")
            doomed, ledger.doomed = tuple(ledger.doomed), []
            self._move((chosen, *doomed), "3")
        return ledger.record(ID, VERSION, TITLE)

    def _move(self, leavers: tuple[int, ...], rule: str) -> None:
        transfers: list[Transfer] = []
        for source in leavers:
            pile, self.piles[source] = self.piles[source], []
            self.votes[source] = 0
            transfers += self._deal(pile, source, self.ledger.continuing)
        self._finish("exclusion", rule, leavers, tuple(transfers))

    def _finish(self, kind: StageKind, rule: str, sources: tuple[int, ...] = (), transfers: tuple[Transfer, ...] = ()) -> None:
        """Steps 2 and 4."""
        ledger = self.ledger
        needed = majority(self.contest.valid - self.non_transferable)
        for candidate in sorted(ledger.continuing):
            if self.votes[candidate] >= needed:
                ledger.elect(candidate, "2")
                break
        for candidate in ledger.doomed:
            if self.votes[candidate] >= needed:
                ledger.say("over-quota-doomed", "constraint", (candidate,))
        if not ledger.done and len(ledger.continuing) == 1:
            ledger.elect_all(sorted(ledger.continuing), "4", "last-vacancies")
        ledger.close_stage(
            kind,
            rule,
            self.votes,
            non_transferable=self.non_transferable,
            residue=0,
            quota=needed,
            sources=sources,
            transfers=transfers,
        )

    def _deal(self, papers: range | list[int], source: int, takers: set[int]) -> list[Transfer]:
        """Each paper goes to the first of its choices who takes papers."""
        heap = self.papers
        counts: dict[int, int] = dict.fromkeys(takers, 0)
        stopped = 0
        for position in papers:
            weight, ranking = heap[position]
            for choice in ranking:
                if choice in takers:
                    self.piles[choice].append(position)
                    counts[choice] += weight
                    break
            else:
                stopped += weight
        transfers = []
        for candidate, number in sorted(counts.items()):
            if number:
                self.votes[candidate] += number
                transfers.append(Transfer(source, candidate, number, number))
        if stopped:
            self.non_transferable += stopped
            transfers.append(Transfer(source, None, stopped, stopped))
        return transfers


def count(contest: Contest) -> Record:
    """The whole count.

    Raises:
        CountError: equal ranks on a paper, or a lot is needed and none was given.
    """
    return _Count(contest).run()
