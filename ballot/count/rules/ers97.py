"""ERS97: "How to conduct an election by the Single Transferable Vote", Electoral Reform Society, 3rd edition, 1997.

Paragraph numbers are those of the booklet. All votes have two decimals.

- 5.1.6 quota: valid / (places + 1) to two decimals; if inexact, cut and add 0.01.
- 5.1.7, 5.3.13, 5.4.9 election: votes >= the quota, or >= the active vote / (places left + 1), most votes first; when somebody
  is elected the second figure is worked out again. The active vote is the votes of continuing candidates, surpluses not yet
  transferred and papers of excluded candidates not yet moved.
- 5.2.2 deferral: no surplus moves while the sum of surpluses is not more than (a) the gap between the two lowest, or (b) the
  gap above a group that 5.2.5 could exclude together. Either suffices.
- 5.2.5 exclusion: as many of the lowest together as possible, provided enough candidates remain and their votes with the
  deferred surpluses do not exceed the next candidate's; otherwise the lowest alone.
- 5.3 surplus: the largest first; only the last batch received; only its transferable papers; each at surplus / number of
  transferable papers, cut to two decimals, or at its present value if together they are worth no more than the surplus. What
  is left of the surplus is the non-transferable difference.
- 5.4 exclusion: papers in batches by value, highest first; each batch is a substage with its own election test; somebody
  elected by one batch takes no more papers (5.4.10). 5.4.8: while nobody is elected, papers that become non-transferable in an
  exclusion lower the quota.
- 5.5.1: if an exclusion would leave only as many candidates as places left, those are elected and nothing moves. 5.5.2: the
  count ends when the last place is filled, even inside an exclusion.
- 5.6: ties by the first stage, or earliest point after a batch, at which they differed; then lot. 5.6.2: when one more
  candidate than places left reaches the figure at once, those with more votes at the earliest difference are elected; if they
  never differed, nobody yet. 5.6.3: a lot stands in a recount. 7: casual vacancies, see `ballot.count.count_vacancy`.

Readings: a candidate elected by a lowered figure or quota without new papers still transfers from the last batch received
(Voting matters 11, paper 6). With three or more tied, those not lowest (highest) at the earliest differing point fall away,
then the next point is looked at. Candidates doomed by a constraint are excluded at the next stage, before any surplus, and
their votes stay in the active vote until then; a group may not contain a guarded candidate and must leave a conforming result.
"""

from __future__ import annotations

from ballot.count.contest import Contest
from ballot.count.ledger import Ledger, plain_papers
from ballot.count.record import Record, StageKind, Transfer

ID, VERSION, TITLE = "ers97", "1", "ERS97 STV (Electoral Reform Society, 3rd edition 1997)"
PLACES = 2
ONE = 10**PLACES


def quota(units: int, seats: int) -> int:
    """5.1.6: the quota in hundredths: the exact quotient, or the next hundredth above it."""
    return -(-units // (seats + 1))


def transfer_value(surplus: int, papers: int, present: int) -> int:
    """5.3: what each of these transferable papers carries on, in hundredths: never more than it has now."""
    return present if papers * present <= surplus else surplus // papers


class _Count:
    def __init__(self, contest: Contest) -> None:
        self.contest = contest
        self.papers = plain_papers(contest, TITLE)
        self.ledger = Ledger(contest, PLACES, "earliest")
        size = len(contest.names)
        self.votes = [0] * size
        # Each candidate's papers in the batches they came in: (value, positions in contest.papers).
        self.batches: list[list[tuple[int, list[int]]]] = [[] for _ in range(size)]
        self.surplus_of: set[int] = set()
        """Elected candidates whose surplus, if any, has not been transferred."""
        self.waiting = 0
        """Votes of excluded candidates not yet moved: part of the active vote."""
        self.non_transferable = 0
        self.quota = quota(contest.valid * ONE, contest.fill)
        self.needed = self.quota
        """The votes that suffice for election, as last worked out while a place was left."""
        self.big_stage = 0

    def run(self) -> Record:
        ledger = self.ledger
        ledger.review()
        self._first_stage()
        while not ledger.done and ledger.continuing:
            if ledger.doomed:
                leavers, ledger.doomed = ledger.doomed, []
                self._exclude(leavers, "constraint")
                continue
            source = self._surplus_due()
            if source is not None:
                self._transfer_surplus(source)
                continue
            if not self._exclude_fewest():
                break
        return ledger.record(ID, VERSION, TITLE)

    # --- 5.1 first stage ---------------------------------------------------------------------------------------

    def _first_stage(self) -> None:
        parcels, _ = self._sort(range(len(self.papers)), self.contest.standing)
        transfers = self._give(parcels, ONE, -1)
        self.waiting = sum(self.votes[candidate] for candidate in self.ledger.doomed)
        self._close("first", "5.1", transfers=transfers)

    # --- election: 5.1.7, 5.3.13, 5.4.9 ------------------------------------------------------------------------

    def active(self) -> int:
        """The active vote."""
        surpluses = sum(max(0, self.votes[candidate] - self.quota) for candidate in self.surplus_of)
        return sum(self.votes[candidate] for candidate in self.ledger.continuing) + surpluses + self.waiting

    def _elect(self, rule: str) -> None:
        """Everybody who reaches the quota or the figure of the active vote; then the figure is worked out again."""
        ledger = self.ledger
        while not ledger.done:
            active, places = self.active(), ledger.vacancies
            self.needed = min(self.quota, quota(active, places))
            reached = [candidate for candidate in ledger.continuing if self.votes[candidate] >= self.needed]
            if not reached or active == 0:
                break
            if len(reached) > places:
                reached = self._ahead(sorted(reached), places)
                if not reached:
                    break
            for candidate in ledger.by_votes(reached, self.votes, "5.6.2", "elected first"):
                if candidate in ledger.continuing and not ledger.done:
                    self._elect_one(candidate, rule)

    def _elect_one(self, candidate: int, rule: str) -> None:
        ledger = self.ledger
        known = set(ledger.doomed)
        ledger.elect(candidate, rule, "" if self.votes[candidate] >= self.quota else "active-vote")
        self.surplus_of.add(candidate)
        for doomed in ledger.doomed:
            if doomed not in known:
                self.waiting += self.votes[doomed]
                if self.votes[doomed] >= self.quota:
                    ledger.say("over-quota-doomed", "constraint", (doomed,))

    def _ahead(self, tied: list[int], places: int) -> list[int]:
        """5.6.2: those of the tied who can be told to come before the others, at most as many as places; maybe nobody."""
        history = [*self.ledger.history]
        ranked = sorted(tied, key=lambda candidate: tuple(-votes[candidate] for votes in history))
        keys = {candidate: tuple(votes[candidate] for votes in history) for candidate in tied}
        edge = keys[ranked[places]]
        ahead = [candidate for candidate in ranked[:places] if keys[candidate] != edge]
        self.ledger.say("tie", "5.6.2", tied, "more candidates reach the figure together than there are places")
        return ahead

    # --- 5.2 what comes next -----------------------------------------------------------------------------------

    def _surpluses(self) -> dict[int, int]:
        return {
            candidate: self.votes[candidate] - self.quota
            for candidate in self.ledger.elected
            if candidate in self.surplus_of and self.votes[candidate] > self.quota
        }

    def _surplus_due(self) -> int | None:
        """5.2.2: whose surplus moves now; None if there is none or the transfer is deferred."""
        surpluses = self._surpluses()
        if not surpluses:
            return None
        total = sum(surpluses.values())
        votes = sorted(self.votes[candidate] for candidate in self.ledger.continuing)
        gap = len(votes) > 1 and total <= votes[1] - votes[0]
        if gap or len(self._group(total)) > 1:
            self.ledger.say("deferred", "5.2.2", sorted(surpluses), "gap" if gap else "group", votes=total)
            return None
        most = max(surpluses.values())
        tied = sorted(candidate for candidate, surplus in surpluses.items() if surplus == most)
        return self.ledger.choose(tied, "most", "5.2.2", "surplus moved first")

    def _group(self, deferred: int) -> list[int]:
        """5.2.5: the most candidates that can be excluded together; empty if not even the lowest can be told apart so."""
        ledger = self.ledger
        order = sorted(ledger.continuing, key=lambda candidate: (self.votes[candidate], candidate))
        found: list[int] = []
        together = deferred
        for size, candidate in enumerate(order[:-1], start=1):
            if len(order) - size < ledger.vacancies or candidate in ledger.guarded:
                break
            together += self.votes[candidate]
            above = self.votes[order[size]]
            # Strictly above the group's highest: a group never parts candidates with equal votes.
            if together <= above and self.votes[candidate] < above and self._may_exclude(order[:size]):
                found = order[:size]
        return found

    def _may_exclude(self, group: list[int]) -> bool:
        ledger, contest = self.ledger, self.contest
        if not contest.guard.limits or len(group) == 1:
            return True
        return contest.guard.may_exclude(group, ledger.elected, ledger.continuing, ledger.vacancies, contest.ron_taken(ledger.elected))

    # --- 5.3 transfer of a surplus -----------------------------------------------------------------------------

    def _transfer_surplus(self, source: int) -> None:
        surplus = self.votes[source] - self.quota
        present, papers = self.batches[source][-1]
        self.surplus_of.discard(source)
        parcels, _ = self._sort(papers, self.ledger.continuing)
        number = sum(self._weight(parcel) for parcel in parcels.values())
        value = transfer_value(surplus, number, present) if number else 0
        self.votes[source] = self.quota
        transfers = self._give(parcels, value, source)
        lost = surplus - number * value
        self.non_transferable += lost
        if lost:
            stopped = self._weight(papers) - number
            transfers.append(Transfer(source, None, stopped, lost))
        self._close("surplus", "5.3", (source,), transfers, value)

    # --- 5.4 exclusion -----------------------------------------------------------------------------------------

    def _exclude_fewest(self) -> bool:
        """5.2.5, then 5.5.1; False when 5.5.1 ended the count."""
        ledger = self.ledger
        group = self._group(sum(self._surpluses().values()))
        if not group:
            free = ledger.excludable()
            fewest = min(self.votes[candidate] for candidate in free)
            tied = [candidate for candidate in free if self.votes[candidate] == fewest]
            group = [ledger.choose(tied, "fewest", "5.2.5", "excluded")]
            for candidate in sorted(ledger.guarded):
                if self.votes[candidate] < fewest:
                    ledger.say("guarded", "constraint", (candidate,), "passed-over", ledger.guarded[candidate])
        if len(ledger.continuing) - len(group) <= ledger.vacancies:
            self._end_without_moving(group)
            return False
        ledger.exclude(group, "5.2.5")
        doomed, ledger.doomed = ledger.doomed, []
        self._exclude([*group, *doomed], "5.4")
        return True

    def _end_without_moving(self, group: list[int]) -> None:
        """5.5.1: the others are elected; the votes stay as they are."""
        ledger = self.ledger
        for candidate in group:
            ledger.continuing.discard(candidate)
        ledger.exclude(group, "5.5.1")
        left = sorted(ledger.continuing, key=lambda candidate: (-self.votes[candidate], candidate))
        ledger.elect_all(left, "5.5.1", "last-vacancies")
        self.big_stage += 1
        self._record("end", "5.5.1", str(self.big_stage), tuple(group), (), None)

    def _exclude(self, leavers: list[int], rule: str) -> None:
        """5.4: the papers of all leavers together, in batches by value, highest first."""
        heap: dict[int, dict[int, list[int]]] = {}
        for source in leavers:
            for value, papers in self.batches[source]:
                heap.setdefault(value, {}).setdefault(source, []).extend(papers)
            self.batches[source] = []
        self.waiting = sum(self.votes[source] for source in leavers) + sum(self.votes[other] for other in self.ledger.doomed)
        values = sorted(heap, reverse=True)
        self.big_stage += 1
        sources = tuple(leavers)
        number = len(values)
        for part, value in enumerate(values, start=1):
            transfers: list[Transfer] = []
            merged: dict[int, list[int]] = {}
            for source, papers in sorted(heap[value].items()):
                parcels, stopped = self._sort(papers, self.ledger.continuing)
                weight = self._weight(papers)
                self.votes[source] -= weight * value
                self.waiting -= weight * value
                transfers += [
                    Transfer(source, taker, self._weight(parcel), self._weight(parcel) * value) for taker, parcel in sorted(parcels.items())
                ]
                if stopped:
                    self.non_transferable += stopped * value
                    transfers.append(Transfer(source, None, stopped, stopped * value))
                for taker, parcel in parcels.items():
                    merged.setdefault(taker, []).extend(parcel)
            self._give(merged, value, -1)
            label = f"{self.big_stage}.{part}" if number > 1 else str(self.big_stage)
            self._substage(rule, label, sources, transfers, value)
            if self.ledger.done:
                return
        if not values:
            self._substage(rule, str(self.big_stage), sources, [], None)

    def _substage(self, rule: str, label: str, sources: tuple[int, ...], transfers: list[Transfer], value: int | None) -> None:
        if not self.ledger.elected:
            lowered = quota(self.contest.valid * ONE - self.non_transferable, self.contest.fill)
            if lowered < self.quota:
                self.quota = lowered
                self.ledger.say("quota", "5.4.8", votes=lowered)
        self._elect("5.4.9")
        self._fill_last()
        self._record("exclusion", rule, label, sources, tuple(transfers), value)

    # --- stages and papers -------------------------------------------------------------------------------------

    def _close(
        self, kind: StageKind, rule: str, sources: tuple[int, ...] = (), transfers: list[Transfer] | None = None, value: int | None = None
    ) -> None:
        self.big_stage += 1
        self._elect("5.1.7" if kind == "first" else "5.3.13")
        self._fill_last()
        self._record(kind, rule, str(self.big_stage), sources, tuple(transfers or ()), value)

    def _fill_last(self) -> None:
        """5.5.1 where an election has doomed others, so that as many continue as there are places left."""
        ledger = self.ledger
        if not ledger.done and len(ledger.continuing) <= ledger.vacancies:
            left = sorted(ledger.continuing, key=lambda candidate: (-self.votes[candidate], candidate))
            ledger.elect_all(left, "5.5.1", "last-vacancies")

    def _record(
        self, kind: StageKind, rule: str, label: str, sources: tuple[int, ...], transfers: tuple[Transfer, ...], value: int | None
    ) -> None:
        self.ledger.close_stage(
            kind,
            rule,
            self.votes,
            non_transferable=self.non_transferable,
            residue=0,
            quota=self.quota,
            label=label,
            sources=sources,
            transfers=transfers,
            value=value,
            needed=self.needed,
        )

    def _weight(self, papers: list[int]) -> int:
        heap = self.papers
        return sum([heap[position][0] for position in papers])

    def _sort(self, papers: range | list[int], takers: set[int] | frozenset[int]) -> tuple[dict[int, list[int]], int]:
        """Papers by next available preference, and how many have none."""
        heap = self.papers
        parcels: dict[int, list[int]] = {candidate: [] for candidate in takers}
        stopped = 0
        for position in papers:
            weight, ranking = heap[position]
            for choice in ranking:
                if choice in takers:
                    parcels[choice].append(position)
                    break
            else:
                stopped += weight
        return {candidate: parcel for candidate, parcel in parcels.items() if parcel}, stopped

    def _give(self, parcels: dict[int, list[int]], value: int, source: int) -> list[Transfer]:
        """Each parcel becomes the last batch of its new holder."""
        transfers = []
        for candidate, parcel in sorted(parcels.items()):
            number = self._weight(parcel)
            self.votes[candidate] += number * value
            self.batches[candidate].append((value, parcel))
            transfers.append(Transfer(source, candidate, number, number * value))
        return transfers


def count(contest: Contest) -> Record:
    """The whole count.

    Raises:
        CountError: equal ranks on a paper, or a lot is needed and none was given.
    """
    return _Count(contest).run()
