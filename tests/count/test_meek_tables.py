"""Meek counts against the referee tables and the small golden cases."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest

from ballot.count import LotOrder, Profile, count
from ballot.count.blt import read_blt

COUNTS = Path(__file__).parent.parent / "counts"
WARDS = sorted(path.stem for path in (COUNTS / "referee").glob("*.json"))
GOLDEN = json.loads((COUNTS / "small" / "golden-droop.json").read_bytes())
OURS = {"scotland": "scottish-2011", "meek-rational": "meek-exact"}


def ward(name: str) -> tuple[Profile, dict]:
    return read_blt((COUNTS / "scotland-2017" / f"{name}.blt").read_bytes()), json.loads((COUNTS / "referee" / f"{name}.json").read_bytes())


@pytest.mark.parametrize("name", WARDS)
def test_new_zealand_final_votes_quota_and_keep_values(name: str) -> None:
    profile, referee = ward(name)
    expected = referee["meek-nz"]
    record = count("meek-nz", profile, profile.seats)
    last = record.stages[-1]
    assert sorted(expected["elected"]) == sorted(candidate + 1 for candidate in record.winners)
    assert expected["final"]["quota"] == record.votes(last.quota)
    assert expected["final"]["totals"] == {str(index + 1): record.votes(units) for index, units in enumerate(last.totals)}
    assert last.keep_values is not None
    assert expected["final"]["keep_values"] == {str(index + 1): record.votes(units) for index, units in enumerate(last.keep_values)}


@pytest.mark.parametrize("rule", ["meek", "meek-exact"])
@pytest.mark.parametrize("name", WARDS)
def test_meek_winners(name: str, rule: str) -> None:
    profile, referee = ward(name)
    record = count(rule, profile, profile.seats)
    assert sorted(referee["meek-prf"]["elected"]) == sorted(candidate + 1 for candidate in record.winners)


def lot_of(profile: Profile) -> LotOrder:
    """The golden cases exclude the earliest in the file (or in its own order) first; we favour the earliest in the lot."""
    number = len(profile.candidates)
    order = profile.tie_order if profile.tie_order is not None else tuple(range(number))
    return LotOrder.typed(reversed(order), number)


@pytest.mark.parametrize(("case", "theirs"), [(case, rule) for case, rules in GOLDEN.items() for rule in OURS if rule in rules])
def test_small_golden_cases_stage_by_stage(case: str, theirs: str) -> None:
    profile = read_blt((COUNTS / "small" / f"{case}.blt").read_bytes())
    record = count(OURS[theirs], profile, profile.seats, lot=lot_of(profile))
    expected = GOLDEN[case][theirs]
    assert sorted(expected["elected"]) == sorted(candidate + 1 for candidate in record.winners)
    assert len(expected["totals_after_each_step"]) == len(record.stages)
    for step, stage in zip(expected["totals_after_each_step"], record.stages, strict=True):
        for candidate, votes in step.items():
            ours = Decimal(record.votes(stage.totals[int(candidate) - 1]))
            # The exact count is printed rounded there and cut here: one in the last place.
            assert abs(Decimal(votes) - ours) <= (Decimal("1e-12") if theirs == "meek-rational" else 0)
    assert len(expected["ties"]) == sum(1 for stage in record.stages for event in stage.events if event.kind == "tie") + (
        # That program also lists ties between candidates without a surplus.
        sum("surplus" in tie for tie in expected["ties"])
    )


def test_precision_does_not_make_the_tie_of_voting_matters_12() -> None:
    profile = read_blt((COUNTS / "small" / "SC-Vm-12.blt").read_bytes())
    assert (0, 1, 2) == count("meek-exact", profile, 3).winners
    assert (0, 1, 2) == count("meek", profile, 3).winners
