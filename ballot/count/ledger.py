"""The ledger of a running count: who is elected, excluded, guarded or doomed, what was decided, and the stages so far.

Every rule keeps its own votes and papers; what is the same for all of them (events, constraints, RON, ties, closing the
record) is here, so that a rule's file reads like the rule.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Literal, cast

from ballot.count.contest import Contest
from ballot.count.record import Event, EventKind, Outcome, Record, Stage, StageKind, Transfer
from ballot.count.ties import TieBreak, break_tie
from ballot.errors import CountError

PlainPapers = tuple[tuple[int, tuple[int, ...]], ...]
"""How many papers, and their candidates in order of choice."""


class Ledger:
    """What has been decided so far in one count."""

    def __init__(self, contest: Contest, places: int, look: Literal["latest", "earliest", "never"]) -> None:
        self.contest = contest
        self.places = places
        self.look = look
        self.continuing: set[int] = set(contest.standing)
        self.elected: list[int] = []
        self.doomed: list[int] = []
        """Excluded by a constraint, papers not yet moved."""
        self.guarded: dict[int, tuple[str, ...]] = {}
        self.stages: list[Stage] = []
        self.history: list[Sequence[int]] = []
        self.events: list[Event] = []
        self._outcomes: list[Outcome] = []
        self._out: list[Outcome] = []

    # --- questions ---------------------------------------------------------------------------------------------

    @property
    def vacancies(self) -> int:
        """Places still to be filled."""
        return self.contest.fill - len(self.elected)

    @property
    def done(self) -> bool:
        """Whether every place is filled (in a recount for a vacancy: whether one new person is elected)."""
        return self.vacancies <= 0 or self.contest.filled_vacancy(self.elected)

    def excludable(self) -> list[int]:
        """Continuing candidates who are not guarded."""
        return sorted(candidate for candidate in self.continuing if candidate not in self.guarded)

    # --- decisions ---------------------------------------------------------------------------------------------

    def say(
        self,
        kind: EventKind,
        rule: str,
        candidates: Iterable[int] = (),
        note: str = "",
        limits: tuple[str, ...] = (),
        tie: TieBreak | None = None,
        votes: int | None = None,
    ) -> None:
        """Add an event to the stage that is being worked on."""
        self.events.append(Event(kind, rule, tuple(candidates), note, limits, tie, votes))

    def choose(self, tied: Sequence[int], want: Literal["fewest", "most"], rule: str, purpose: str) -> int:
        """One of the tied, by look-back or lot; the tie is recorded."""
        if len(tied) == 1:
            return tied[0]
        found = break_tie(tied, want, self.history, self.look, self.contest.lot, self.contest.names)
        self.say("tie", rule, (found.chosen,), purpose, tie=found)
        return found.chosen

    def by_votes(self, candidates: Iterable[int], votes: Sequence[int], rule: str, purpose: str) -> list[int]:
        """Candidates, most votes first. Ties are only broken where the order can matter: where there are constraints."""
        ranked = sorted(candidates, key=lambda candidate: (-votes[candidate], candidate))
        if not self.contest.guard.limits:
            return ranked
        found: list[int] = []
        while ranked:
            tied = [candidate for candidate in ranked if votes[candidate] == votes[ranked[0]]]
            found.append(self.choose(tied, "most", rule, purpose))
            ranked.remove(found[-1])
        return found

    def elect(self, candidate: int, rule: str, note: str = "") -> None:
        """The candidate is elected; the next RON stands if this was one; the constraints are looked at again."""
        self.continuing.discard(candidate)
        self.elected.append(candidate)
        self._outcomes.append(Outcome(candidate, len(self.stages) + 1))
        self.say("elected", rule, (candidate,), note)
        following = self.contest.next_ron(candidate)
        if following is not None and not self.done:
            self.continuing.add(following)
        self.review()

    def elect_all(self, candidates: Iterable[int], rule: str, note: str = "") -> None:
        """Everybody left is elected: no order among them, no constraint can be broken."""
        for candidate in candidates:
            self.continuing.discard(candidate)
            self.elected.append(candidate)
            self._outcomes.append(Outcome(candidate, len(self.stages) + 1))
            self.say("elected", rule, (candidate,), note)

    def exclude(self, candidates: Iterable[int], rule: str, note: str = "") -> None:
        """The candidates are excluded; the constraints are looked at again."""
        for candidate in candidates:
            self.continuing.discard(candidate)
            self._out.append(Outcome(candidate, len(self.stages) + 1))
            self.say("excluded", rule, (candidate,), note)
        self.review()

    def review(self) -> None:
        """Guarded and doomed candidates now (counting.md 3.9). The doomed are excluded at once; their papers move later."""
        guard = self.contest.guard
        if not guard.limits:
            return
        while not self.done:
            verdict = guard.review(self.elected, self.continuing, self.vacancies, self.contest.ron_taken(self.elected))
            for candidate, limits in sorted(verdict.guarded.items()):
                # Without limits they are only the last who can fill the seats, which is no act of a constraint.
                if limits and candidate not in self.guarded:
                    self.say("guarded", "constraint", (candidate,), limits=limits)
            self.guarded = dict(verdict.guarded)
            if not verdict.doomed:
                return
            for candidate, limits in sorted(verdict.doomed.items()):
                self.continuing.discard(candidate)
                self.doomed.append(candidate)
                self._out.append(Outcome(candidate, len(self.stages) + 1))
                self.say("doomed", "constraint", (candidate,), limits=limits)

    # --- stages ------------------------------------------------------------------------------------------------

    def close_stage(
        self,
        kind: StageKind,
        rule: str,
        totals: Sequence[int],
        *,
        non_transferable: int,
        residue: int,
        quota: int,
        label: str = "",
        sources: Iterable[int] = (),
        transfers: Iterable[Transfer] = (),
        value: int | None = None,
        needed: int | None = None,
        iterations: int | None = None,
        keep_values: Sequence[int] | None = None,
    ) -> None:
        """The stage is recorded with everything that was decided in it, and its sums are checked."""
        number = len(self.stages) + 1
        stage = Stage(
            number=number,
            label=label or str(number),
            kind=kind,
            rule=rule,
            sources=tuple(sources),
            totals=tuple(totals),
            transfers=tuple(transfers),
            non_transferable=non_transferable,
            residue=residue,
            quota=quota,
            events=tuple(self.events),
            value=value,
            needed=needed,
            iterations=iterations,
            keep_values=None if keep_values is None else tuple(keep_values),
        )
        stage.check(self.contest.valid, self.places)
        self.events = []
        self.stages.append(stage)
        self.history.append(stage.totals)

    def record(self, rule_id: str, version: str, title: str, settings: Iterable[tuple[str, str]] = ()) -> Record:
        """The closed record; further RONs that never stood are left out."""
        contest = self.contest
        unfilled = contest.seats - sum(1 for candidate in self.elected if candidate not in contest.rons)
        if contest.sitting:
            unfilled = 0
        known = {outcome.candidate for outcome in (*self._outcomes, *self._out)} | self.continuing
        number = max([contest.listed, *(candidate + 1 for candidate in known)])
        if self.events:
            raise RuntimeError("something was decided after the last stage")
        reopened = contest.guard.shortfalls([c for c in self.elected if c not in contest.rons], unfilled) if unfilled else ()
        return Record(
            rule_id=rule_id,
            rule_version=version,
            rule_title=title,
            title=contest.title,
            candidates=contest.names[:number],
            ron=tuple(candidate for candidate in contest.rons if candidate < number),
            withdrawn=contest.withdrawn,
            seats=contest.seats,
            places=self.places,
            valid=contest.valid,
            invalid=contest.invalid,
            mark_rule=contest.mark_rule,
            stages=tuple(_trim(stage, number) for stage in self.stages),
            elected=tuple(self._outcomes),
            excluded=tuple(self._out),
            unfilled=unfilled,
            lot=None
            if contest.lot is None
            else type(contest.lot)(tuple(candidate for candidate in contest.lot.order if candidate < number), contest.lot.source),
            constraints=contest.constraint_texts,
            constraint_notes=contest.constraint_notes,
            reopened=reopened,
            sitting=tuple(sorted(contest.sitting)),
            settings=tuple(settings),
            listed=contest.listed,
        )


def _trim(stage: Stage, number: int) -> Stage:
    if len(stage.totals) == number:
        return stage
    keep = None if stage.keep_values is None else stage.keep_values[:number]
    return replace(stage, totals=stage.totals[:number], keep_values=keep)


def plain_papers(contest: Contest, title: str) -> PlainPapers:
    """The papers, for a rule that reads strict rankings only.

    Raises:
        CountError: a paper has equal ranks.
    """
    if contest.has_equal_ranks:
        raise CountError(f"Some papers rank candidates equal, which {title} does not allow; name a mark rule that resolves them.")
    return cast("PlainPapers", contest.papers)
