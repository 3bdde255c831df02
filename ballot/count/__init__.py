"""Counting: pure functions from papers, seats, constraints and a tie order to a closed record of stages.

Nothing here knows the clock, luck, the network or the disk; numbers are integers and fractions only, so the same input gives
the same bytes on every machine. The doors into this package:

- `count(rule_id, profile, seats, *, ron, constraints, lot) -> Record` counts by one of `RULES`; `record.to_json()` is
  canonical. With constraints, `record.unconstrained` has the result without them.
- `count_vacancy(...)` fills one casual vacancy by recounting (ERS97 section 7).
- `ballot.count.blt.read_blt` and `write_blt` read and write papers; `ballot.count.papers.profile_from_rankings` takes
  decrypted rankings, counting what is no ranking as invalid.
- `ballot.count.rules.motion.decide` decides a motion; `ballot.count.rules.approval.count_totals` takes decrypted totals.
- `ballot.count.ties.LotOrder` is the order for lots: `.from_seed(seed, names)`, with `ties.public_seed(hashes)` for a seed from
  an archive, or `.typed(order, number)`.
- `ballot.count.constraints.parse_constraints` reads quota places; `settle` refuses an infeasible set at nomination.
- `ballot.count.draw` turns a record into a table, sentences, bars, a Sankey diagram, CSV.

"Re-open nominations" is an ordinary entry of `profile.candidates`; `ron=` says which (its number from 0). With one seat a RON
that wins leaves the post unfilled; with several it may be elected more than once and each time leaves a seat unfilled.
`record.ron` lists RON and any further RONs, `record.winners` the people elected, `record.unfilled` the empty seats.

A tie that the rule's look-back cannot break needs `lot`; without one the count stops with a `CountError` that names the tied.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from typing import Literal

from ballot.count.constraints import Constraints
from ballot.count.contest import Contest, make_contest
from ballot.count.papers import Profile
from ballot.count.record import Record
from ballot.count.rules import approval, av, ers97, meek, meek_nz, scottish_2011
from ballot.count.ties import LotOrder
from ballot.errors import CountError

__all__ = ["RULES", "Constraints", "LotOrder", "Profile", "Record", "Rule", "count", "count_vacancy"]


@dataclass(frozen=True)
class Rule:
    """A named, versioned rule set. `kind`: ranked rules for several seats, for one seat, or approval."""

    id: str
    version: str
    title: str
    kind: Literal["stv", "single", "approval"]
    run: Callable[[Contest], Record]


RULES: dict[str, Rule] = {
    rule.id: rule
    for rule in (
        Rule(scottish_2011.ID, scottish_2011.VERSION, scottish_2011.TITLE, "stv", scottish_2011.count),
        Rule(ers97.ID, ers97.VERSION, ers97.TITLE, "stv", ers97.count),
        Rule(meek_nz.ID, meek_nz.VERSION, meek_nz.TITLE, "stv", meek_nz.count),
        Rule(meek.ID, meek.VERSION, meek.TITLE, "stv", meek.count),
        Rule(meek.EXACT_ID, meek.VERSION, meek.EXACT_TITLE, "stv", meek.count_exactly),
        Rule(av.ID, av.VERSION, av.TITLE, "single", av.count),
        Rule(approval.ID, approval.VERSION, approval.TITLE, "approval", approval.count),
        Rule(approval.UP_TO_ID, approval.VERSION, approval.UP_TO_TITLE, "approval", approval.count_up_to),
    )
}


def rule_named(rule_id: str) -> Rule:
    """The rule with this id.

    Raises:
        CountError: there is none; the text lists those there are.
    """
    if rule_id not in RULES:
        raise CountError(f"There is no rule “{rule_id}”; there are {', '.join(RULES)}.")
    return RULES[rule_id]


def count(
    rule_id: str,
    profile: Profile,
    seats: int,
    *,
    ron: int | None = None,
    constraints: Constraints | None = None,
    lot: LotOrder | None = None,
) -> Record:
    """The record of counting these papers for so many seats.

    `ron` is the number (from 0) of the candidate that is "re-open nominations", None without one. `lot` is needed only if a
    tie has to be broken by lot.

    Raises:
        CountError: unknown rule, impossible seats, no valid papers, a lot needed and not given.
        InfeasibleConstraintError: the constraints cannot be met by those standing.
    """
    rule = rule_named(rule_id)
    approval = rule.kind == "approval"
    if rule.kind == "single" and seats != 1:
        raise CountError(f"{rule.title} fills one seat, not {seats}.")
    contest = make_contest(profile, seats, ron=ron, constraints=constraints, lot=lot, set_like=approval)
    record = rule.run(contest)
    if constraints is not None and constraints.bounds:
        plain = rule.run(make_contest(profile, seats, ron=ron, lot=lot, set_like=approval))
        record = replace(record, unconstrained=plain.elected)
    return record


def count_vacancy(
    rule_id: str,
    profile: Profile,
    seats: int,
    *,
    vacating: Collection[int],
    sitting: Collection[int],
    ron: int | None = None,
    constraints: Constraints | None = None,
    lot: LotOrder | None = None,
) -> Record:
    """The record of filling one casual vacancy: all papers recounted without those who left.

    Source: ERS97 section 7: for the original number of seats, with no sitting member excluded, until one person who was not
    sitting is elected. `vacating` are the member who left and any candidate who withdraws now; `sitting` those still in office.
    The order for lots of the first count stands (ERS97 5.6.3).

    Raises:
        CountError: as `count`, or somebody both sits and leaves, or nobody is left to elect.
    """
    rule = rule_named(rule_id)
    if rule.kind != "stv":
        raise CountError(f"A vacancy is filled by recount only under a rule for several seats, not under {rule.title}.")
    left = profile.without(vacating)
    seated = frozenset(sitting)
    if not seated or seated & left.withdrawn:
        raise CountError("Name the members still in office; none of them can be among those who left.")
    if len(seated) >= seats:
        raise CountError(f"{len(seated)} of {seats} seats are held: there is no vacancy.")
    if not frozenset(range(len(left.candidates))) - left.withdrawn - seated - {ron}:
        raise CountError("Nobody else stood: the vacancy needs a new election.")
    return rule.run(make_contest(left, seats, ron=ron, constraints=constraints, lot=lot, sitting=seated))
