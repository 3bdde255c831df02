"""The New Zealand method: Meek's method as in Schedule 1A of the Local Electoral Regulations 2001 (SR 2001/145).

Clause numbers (cl.) are those of Schedule 1A where they are known to us; all values have nine decimals.

- cl. 5 quota: (valid - non-transferable) / (vacancies + 1) + 0.000000001, cut to nine decimals, worked out anew at every
  iteration. A hopeful candidate whose votes equal or exceed it becomes successful.
- Keep values: 1 for hopeful, 0 for excluded candidates; for successful ones, at every iteration, the last keep value x quota /
  votes, rounded up.
- cl. 10: each paper gives its first choice the keep value, rounded up, and passes the remainder on; what remains at its end is
  non-transferable.
- When the total surplus of successful candidates is below 0.0001, or the hopeful candidate with fewest votes could not overtake
  the next even with the whole of it, that candidate is excluded.
- cl. 3: complete when the successful are as many as the vacancies, or successful and hopeful together are.
  The same is done, beyond the Schedule's words, when no keep value changes any more.
- Ties: ahead at the first difference over all iterations; then lot. (The Schedule draws lots by pseudo-random numbers of its
  own; ours is the published order of `ballot.count.ties`.)

The official calculator is reported to differ from the Schedule in details (counting.md 3.2): this is the text, not that program.
Ours: candidates doomed by a constraint are excluded before the next iteration.
"""

from __future__ import annotations

from ballot.count.contest import Contest
from ballot.count.ledger import Ledger, plain_papers
from ballot.count.meek_tree import PaperTree
from ballot.count.record import Record
from ballot.errors import CountError

ID, VERSION, TITLE = "meek-nz", "1", "Meek STV, New Zealand (Local Electoral Regulations 2001, Schedule 1A)"
PLACES = 9
ONE = 10**PLACES
SMALL_SURPLUS = ONE // 10_000
MAX_ITERATIONS = 10_000


def quota(valid: int, non_transferable: int, seats: int) -> int:
    """Cl. 5, in units of 0.000000001."""
    return (valid - non_transferable) // (seats + 1) + 1


def new_keep_value(keep: int, quota_now: int, votes: int) -> int:
    """Keep value x quota / votes, rounded up."""
    return -(-keep * quota_now // votes)


class _Count:
    def __init__(self, contest: Contest) -> None:
        self.contest = contest
        self.papers = plain_papers(contest, TITLE)
        self.ledger = Ledger(contest, PLACES, "earliest")
        size = len(contest.names)
        self.keep = [ONE] * size
        self.tree = PaperTree(self.papers, size, contest.standing)
        self.votes = [0] * size
        self.non_transferable = 0
        self.quota = 0
        self.iterations = 0
        self.rule = "Sch. 1A"

    def run(self) -> Record:
        ledger = self.ledger
        ledger.review()
        while True:
            self._share()
            changed = self._elect()
            if self._complete():
                break
            if ledger.doomed:
                self._close()
                self._drop_doomed()
                continue
            surplus = sum(self.votes[candidate] - self.quota for candidate in ledger.elected)
            due = surplus < SMALL_SURPLUS or self._sure_loser(surplus)
            if changed and not due:
                self._close()
            # With very many papers rounding alone can hold the surplus above the limit: then nothing changes any more.
            if not due and (self._set_keep_values() or changed):
                continue
            self._exclude_lowest()
            if self._complete():
                break
            self._drop_doomed()
            self._set_keep_values()
        return ledger.record(ID, VERSION, TITLE)

    def _share(self) -> None:
        """Cl. 10 and cl. 5."""
        self.iterations += 1
        if self.iterations > MAX_ITERATIONS:
            raise CountError("The iterations do not converge.")
        self.votes, self.non_transferable = self.tree.share(self.keep, ONE)
        self.quota = quota(self.contest.valid * ONE, self.non_transferable, self.contest.fill)

    def _elect(self) -> bool:
        """Hopeful candidates who equal or exceed the quota become successful."""
        ledger = self.ledger
        reached = [candidate for candidate in ledger.continuing if self.votes[candidate] >= self.quota]
        for candidate in ledger.by_votes(reached, self.votes, "Sch. 1A", "elected first"):
            if ledger.done:
                break
            if candidate in ledger.continuing:
                ledger.elect(candidate, "Sch. 1A")
                self.tree.elect(candidate, self.contest.next_ron(candidate))
            else:
                ledger.say("over-quota-doomed", "constraint", (candidate,))
        return bool(reached)

    def _complete(self) -> bool:
        """Cl. 3."""
        ledger = self.ledger
        if not ledger.done and len(ledger.continuing) <= ledger.vacancies:
            left = sorted(ledger.continuing, key=lambda candidate: (-self.votes[candidate], candidate))
            ledger.elect_all(left, "Sch. 1A cl. 3", "last-vacancies")
        if ledger.done or not ledger.continuing:
            self._close()
            return True
        return False

    def _sure_loser(self, surplus: int) -> bool:
        """Whether the lowest could not catch the next lowest even with the whole surplus."""
        votes = sorted(self.votes[candidate] for candidate in self.ledger.continuing)
        return len(votes) > 1 and votes[0] + surplus < votes[1]

    def _exclude_lowest(self) -> None:
        ledger = self.ledger
        free = ledger.excludable()
        fewest = min(self.votes[candidate] for candidate in free)
        tied = [candidate for candidate in free if self.votes[candidate] == fewest]
        chosen = ledger.choose(tied, "fewest", "Sch. 1A Part 5", "excluded")
        for candidate in sorted(ledger.guarded):
            if self.votes[candidate] < fewest:
                ledger.say("guarded", "constraint", (candidate,), "passed-over", ledger.guarded[candidate])
        ledger.exclude((chosen,), "Sch. 1A")
        self.keep[chosen] = 0
        self.tree.exclude(chosen)
        if ledger.vacancies < len(ledger.continuing):
            self._close()

    def _drop_doomed(self) -> None:
        for candidate in self.ledger.doomed:
            self.keep[candidate] = 0
            self.tree.exclude(candidate)
        self.ledger.doomed = []

    def _set_keep_values(self) -> bool:
        """New keep values for the successful; whether any changed."""
        before = list(self.keep)
        for candidate in self.ledger.elected:
            if self.votes[candidate]:
                self.keep[candidate] = new_keep_value(self.keep[candidate], self.quota, self.votes[candidate])
        return before != self.keep

    def _close(self) -> None:
        self.ledger.close_stage(
            "iteration" if self.ledger.stages else "first",
            self.rule,
            self.votes,
            non_transferable=self.non_transferable,
            residue=0,
            quota=self.quota,
            iterations=self.iterations,
            keep_values=self.keep,
        )


def count(contest: Contest) -> Record:
    """The whole count.

    Raises:
        CountError: equal ranks on a paper, or a lot is needed and none was given.
    """
    return _Count(contest).run()
