"""Scottish STV: the weighted inclusive Gregory method of the Scottish Local Government Elections Order 2011 (SSI 2011/399).

Rule numbers are those of Schedule 1 (46 to 53).

- 46 first stage: papers are sorted by first preference.
- 47 quota: valid papers / (seats + 1), fraction dropped, plus 1; fixed for the whole count.
- 48 return: whoever has the quota or more once a stage's transfers are done is elected.
- 49 surplus: *all* papers of the elected candidate move to the next continuing candidate, each at
  surplus x its value when received / the candidate's votes; multiplied first, cut to five decimals, per paper.
- 50 order of surpluses: the largest first; equal ones by the most recent earlier stage at which they differed, then lot.
- 51 exclusion: with no surplus left, the candidate with fewest votes goes; all papers move in one stage at the value they had.
- 52 equal lowest: the most recent earlier stage at which they differed, then lot.
- 53 last vacancies: when the continuing candidates are as many as the vacancies they are elected and nothing more moves.

Readings (counting.md 3): papers pass over everyone elected or excluded; a candidate exactly on the quota has no surplus and
so no stage; what cutting loses is the residue; with three or more tied, "unequal" is read as "not all equal", and those who
are not lowest (highest) at that stage fall away before looking further back. Surpluses left when all seats are filled stay.

Ours, where the Order has no words: candidates doomed by a constraint are excluded together in the next stage, before any
surplus; candidates who reach the quota together are taken most votes first, the constraints being looked at after each.
"""

from __future__ import annotations

from ballot.count.contest import Contest
from ballot.count.ledger import Ledger, plain_papers
from ballot.count.record import Record, StageKind, Transfer

ID, VERSION, TITLE = "scottish-2011", "1", "Scottish STV (SSI 2011/399, weighted inclusive Gregory)"
PLACES = 5
ONE = 10**PLACES


def quota(valid: int, seats: int) -> int:
    """Rule 47: the quota in votes."""
    return valid // (seats + 1) + 1


def transfer_value(surplus: int, value: int, votes: int) -> int:
    """Rule 49: surplus times the paper's value on receipt, over the candidate's votes; cut to five decimals."""
    return surplus * value // votes


class _Count:
    def __init__(self, contest: Contest) -> None:
        self.contest = contest
        self.papers = plain_papers(contest, TITLE)
        self.ledger = Ledger(contest, PLACES, "latest")
        size = len(contest.names)
        self.votes = [0] * size
        # Each candidate's papers by value on receipt: lists of positions in contest.papers.
        self.piles: list[dict[int, list[int]]] = [{} for _ in range(size)]
        self.non_transferable = 0
        self.residue = 0
        self.quota = quota(contest.valid, contest.fill) * ONE

    def run(self) -> Record:
        ledger = self.ledger
        ledger.review()
        self._first_stage()
        while not ledger.done:
            if not ledger.continuing:
                break
            if ledger.doomed:
                leavers, ledger.doomed = tuple(ledger.doomed), []
                self._exclude(leavers, "constraint")
                continue
            source = self._largest_surplus()
            if source is not None:
                self._transfer_surplus(source)
            else:
                self._exclude_lowest()
        return ledger.record(ID, VERSION, TITLE)

    # --- rules -------------------------------------------------------------------------------------------------

    def _first_stage(self) -> None:
        """Rule 46."""
        self._deal(range(len(self.papers)), ONE, self.contest.standing)
        self._finish("first", "46")

    def _finish(
        self, kind: StageKind, rule: str, sources: tuple[int, ...] = (), transfers: tuple[Transfer, ...] = (), value: int | None = None
    ) -> None:
        """Rules 48 and 53, then the stage is closed."""
        ledger = self.ledger
        reached = [candidate for candidate in ledger.continuing if self.votes[candidate] >= self.quota]
        for candidate in ledger.by_votes(reached, self.votes, "48", "elected first"):
            if ledger.done:
                break
            if candidate in ledger.continuing:
                ledger.elect(candidate, "48")
            else:
                ledger.say("over-quota-doomed", "constraint", (candidate,))
        if not ledger.done and len(ledger.continuing) <= ledger.vacancies:
            left = sorted(ledger.continuing, key=lambda candidate: (-self.votes[candidate], candidate))
            ledger.elect_all(left, "53", "last-vacancies")
        ledger.close_stage(
            kind,
            rule,
            self.votes,
            non_transferable=self.non_transferable,
            residue=self.residue,
            quota=self.quota,
            sources=sources,
            transfers=transfers,
            value=value,
        )

    def _largest_surplus(self) -> int | None:
        """Rule 50: whose surplus moves next."""
        waiting = [candidate for candidate in self.ledger.elected if self.votes[candidate] > self.quota]
        if not waiting:
            return None
        most = max(self.votes[candidate] for candidate in waiting)
        tied = [candidate for candidate in waiting if self.votes[candidate] == most]
        return self.ledger.choose(tied, "most", "50", "surplus moved first")

    def _transfer_surplus(self, source: int) -> None:
        """Rule 49."""
        votes = self.votes[source]
        surplus = votes - self.quota
        pile, self.piles[source] = self.piles[source], {}
        self.votes[source] = self.quota
        transfers: list[Transfer] = []
        moved = 0
        # Highest value first: only the order of lines in the record depends on it.
        for value in sorted(pile, reverse=True):
            new = transfer_value(surplus, value, votes)
            for move in self._deal(pile[value], new, self.ledger.continuing, source):
                transfers.append(move)
                moved += move.votes
        self.residue += surplus - moved
        single = transfer_value(surplus, ONE, votes) if set(pile) == {ONE} else None
        self._finish("surplus", "49", (source,), _merged(transfers), single)

    def _exclude_lowest(self) -> None:
        """Rules 51 and 52; a guarded candidate is passed over."""
        ledger = self.ledger
        free = ledger.excludable()
        fewest = min(self.votes[candidate] for candidate in free)
        spared = [candidate for candidate in sorted(ledger.guarded) if self.votes[candidate] < fewest]
        tied = [candidate for candidate in free if self.votes[candidate] == fewest]
        chosen = ledger.choose(tied, "fewest", "52", "excluded")
        for candidate in spared:
            ledger.say("guarded", "constraint", (candidate,), "passed-over", ledger.guarded[candidate])
        ledger.exclude((chosen,), "51")
        doomed, ledger.doomed = tuple(ledger.doomed), []
        self._exclude((chosen, *doomed), "51")

    def _exclude(self, leavers: tuple[int, ...], rule: str) -> None:
        """Rule 51: every paper of the excluded moves at the value it had."""
        transfers: list[Transfer] = []
        for source in leavers:
            pile, self.piles[source] = self.piles[source], {}
            self.votes[source] = 0
            for value in sorted(pile, reverse=True):
                transfers.extend(self._deal(pile[value], value, self.ledger.continuing, source))
        self._finish("exclusion", rule, leavers, _merged(transfers))

    # --- papers ------------------------------------------------------------------------------------------------

    def _deal(self, papers: range | list[int], value: int, takers: set[int] | frozenset[int], source: int = -1) -> list[Transfer]:
        """Every paper goes to the first of its choices who still takes papers, at this value; the others stop."""
        heap = self.papers
        parcels: dict[int, list[int]] = {candidate: [] for candidate in takers}
        counts = dict.fromkeys(takers, 0)
        stopped = 0
        for position in papers:
            weight, ranking = heap[position]
            for choice in ranking:
                if choice in takers:
                    parcels[choice].append(position)
                    counts[choice] += weight
                    break
            else:
                stopped += weight
        transfers = []
        for candidate in sorted(takers):
            if counts[candidate]:
                self.votes[candidate] += counts[candidate] * value
                self.piles[candidate].setdefault(value, []).extend(parcels[candidate])
                transfers.append(Transfer(source, candidate, counts[candidate], counts[candidate] * value))
        if stopped:
            self.non_transferable += stopped * value
            transfers.append(Transfer(source, None, stopped, stopped * value))
        return transfers


def _merged(transfers: list[Transfer]) -> tuple[Transfer, ...]:
    """One line for each pair of source and target."""
    found: dict[tuple[int, int | None], tuple[int, int]] = {}
    for move in transfers:
        papers, votes = found.get((move.source, move.target), (0, 0))
        found[move.source, move.target] = (papers + move.papers, votes + move.votes)
    order = sorted(found, key=lambda key: (key[0], key[1] is None, key[1] or 0))
    return tuple(Transfer(source, target, *found[source, target]) for source, target in order)


def count(contest: Contest) -> Record:
    """The whole count.

    Raises:
        CountError: equal ranks on a paper, or a lot is needed and none was given.
    """
    return _Count(contest).run()
