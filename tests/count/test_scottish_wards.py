"""All 28 Scottish wards: every candidate at every stage as on the councils' own sheets."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest

from ballot.count import Record, count
from ballot.count.blt import read_blt

FOLDER = Path(__file__).parent.parent / "counts" / "scotland-2017"
WARDS = sorted(path.stem for path in FOLDER.glob("*.blt"))


def load(ward: str) -> tuple[Record, dict]:
    profile = read_blt((FOLDER / f"{ward}.blt").read_bytes())
    official = json.loads((FOLDER / f"{ward}.official.json").read_bytes())
    return count("scottish-2011", profile, profile.seats), official


def test_there_are_28_wards() -> None:
    assert 28 == len(WARDS)


@pytest.mark.parametrize("ward", WARDS)
def test_every_candidate_at_every_stage(ward: str) -> None:
    record, official = load(ward)
    tolerance = Decimal("0") if official["exact_to_5dp"] else Decimal("0.0051")
    assert len(official["stages"]) == len(record.stages)
    for sheet, stage in zip(official["stages"], record.stages, strict=True):
        for candidate, votes in sheet["totals"].items():
            ours = Decimal(record.votes(stage.totals[int(candidate) - 1]))
            assert abs(Decimal(votes) - ours) <= tolerance, (sheet["stage"], candidate, votes, ours)


@pytest.mark.parametrize("ward", WARDS)
def test_quota_elected_and_excluded_with_their_stages(ward: str) -> None:
    record, official = load(ward)
    assert official["quota"] * 10**5 == record.stages[0].quota
    assert official["valid_ballots"] == record.valid
    assert {(e["id"], e["at_stage"]) for e in official["elected"]} == {(o.candidate + 1, o.stage) for o in record.elected}
    # The sheets date an exclusion by the stage before its papers move; we by the stage that moves them.
    assert {(e["id"], e["decided_after_stage"] + 1) for e in official["excluded"]} == {(o.candidate + 1, o.stage) for o in record.excluded}
