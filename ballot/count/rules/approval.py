"""Approval: each paper gives one vote to every candidate marked on it; the most votes win the seats.

`approval` lets a voter mark any number; `up-to-n` at most as many as there are seats, and a paper with more is invalid
(counting.md 3.12). The order of marks on a paper means nothing. Equal votes for the last seat: lot. Re-open nominations is a
candidate and, elected, leaves one seat unfilled. Under constraints seats are given one by one, most votes first, passing over
anybody who is doomed by then.

Votes add up to marks, not to papers, so the record's total row is marks: `valid` papers are in the settings.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ballot.count.constraints import Constraints
from ballot.count.contest import Contest, make_contest
from ballot.count.ledger import Ledger
from ballot.count.papers import Profile
from ballot.count.record import Record
from ballot.count.ties import LotOrder
from ballot.errors import CountError

ID, VERSION, TITLE = "approval", "1", "Approval voting (any number of choices)"
UP_TO_ID, UP_TO_TITLE = "up-to-n", "Up to as many choices as seats"


def count(contest: Contest) -> Record:
    """The whole count; any number of marks on a paper.

    Raises:
        CountError: a lot is needed and none was given.
    """
    return _count(contest, ID, TITLE, len(contest.names))


def count_up_to(contest: Contest) -> Record:
    """The whole count; a paper with more marks than seats is invalid.

    Raises:
        CountError: no paper is valid, or a lot is needed and none was given.
    """
    return _count(contest, UP_TO_ID, UP_TO_TITLE, contest.seats)


def count_totals(
    candidates: Sequence[str],
    totals: Sequence[int],
    papers: int,
    seats: int,
    *,
    ron: int | None = None,
    constraints: Constraints | None = None,
    lot: LotOrder | None = None,
    title: str = "",
    limit: int | None = None,
) -> Record:
    """The record when only each candidate's total is known (a homomorphic tally), from so many valid papers.

    `limit` is how many marks a paper may have (None: any number); the ballots' own proofs have already held them to it.

    Raises:
        CountError: totals that these papers cannot give, or as `count`.
    """
    most = len(candidates) if limit is None else limit
    if len(totals) != len(candidates) or any(not 0 <= total <= papers for total in totals) or sum(totals) > papers * most:
        raise CountError("These totals cannot come from so many papers.")
    if not sum(totals):
        raise CountError("There are no votes for anybody: nobody can be elected by a count.")
    marks = tuple((total, (index,)) for index, total in enumerate(totals) if total)
    contest = make_contest(Profile(tuple(candidates), marks, seats, title), seats, ron=ron, constraints=constraints, lot=lot, set_like=True)
    rule_id, rule_title = (ID, TITLE) if limit is None else (UP_TO_ID, UP_TO_TITLE)
    record = _elect(contest, list(totals), rule_id, rule_title, papers)
    if constraints is not None and constraints.bounds:
        plain = make_contest(Profile(tuple(candidates), marks, seats, title), seats, ron=ron, lot=lot, set_like=True)
        record = replace(record, unconstrained=_elect(plain, list(totals), rule_id, rule_title, papers).elected)
    return record


def _count(contest: Contest, rule_id: str, title: str, most: int) -> Record:
    totals = [0] * len(contest.names)
    valid = invalid = 0
    for weight, ranking in contest.papers:
        marked = {choice for rank in ranking for choice in ((rank,) if isinstance(rank, int) else rank)}
        if len(marked) > most:
            invalid += weight
            continue
        valid += weight
        for choice in marked:
            totals[choice] += weight
    if not valid:
        raise CountError("There are no valid papers: nobody can be elected by a count.")
    return _elect(replace(contest, invalid=contest.invalid + invalid), totals, rule_id, title, valid)


def _elect(contest: Contest, totals: list[int], rule_id: str, title: str, papers: int) -> Record:
    # The ledger checks that a stage's votes add up; here they add up to marks.
    marks = replace(contest, valid=sum(totals))
    ledger = Ledger(marks, 0, "never")
    ledger.review()
    while not ledger.done and ledger.continuing:
        if len(ledger.continuing) <= ledger.vacancies:
            left = sorted(ledger.continuing, key=lambda candidate: (-totals[candidate], candidate))
            ledger.elect_all(left, "approval", "last-vacancies")
            break
        most = max(totals[candidate] for candidate in ledger.continuing)
        tied = sorted(candidate for candidate in ledger.continuing if totals[candidate] == most)
        places = ledger.vacancies
        chosen = tied[0] if len(tied) <= places and not contest.guard.limits else ledger.choose(tied, "most", "approval", "elected")
        ledger.elect(chosen, "approval")
    left = sorted(ledger.continuing, key=lambda candidate: (-totals[candidate], candidate))
    if left:
        ledger.exclude(left, "approval", "not-elected")
    ledger.close_stage("first", "approval", totals, non_transferable=0, residue=0, quota=0)
    record = ledger.record(rule_id, VERSION, title, [("marks", str(sum(totals))), ("papers", str(papers))])
    return replace(record, valid=papers)
