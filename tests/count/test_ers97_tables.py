"""ERS97: every substage of 28 tables counted by another program, with quota and the figure needed for election."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ballot.count import count
from ballot.count.blt import read_blt

COUNTS = Path(__file__).parent.parent / "counts"
WARDS = sorted(path.stem for path in (COUNTS / "referee").glob("*.json"))


@pytest.mark.parametrize("ward", WARDS)
def test_every_substage(ward: str) -> None:
    profile = read_blt((COUNTS / "scotland-2017" / f"{ward}.blt").read_bytes())
    expected = json.loads((COUNTS / "referee" / f"{ward}.json").read_bytes())["ers97"]
    record = count("ers97", profile, profile.seats)
    assert len(expected["substages"]) == len(record.stages)
    for table, stage in zip(expected["substages"], record.stages, strict=True):
        assert table["totals"] == {str(index + 1): record.votes(units) for index, units in enumerate(stage.totals)}
        assert table["non_transferable"] == record.votes(stage.non_transferable)
        assert table["quota"] == record.votes(stage.quota)
        assert stage.needed is not None
        assert table["needed_for_election"] == record.votes(stage.needed)
    assert [str(number) for number in expected["stage_of_substage"]] == [stage.label.split(".")[0] for stage in record.stages]
    assert sorted(expected["elected"]) == sorted(candidate + 1 for candidate in record.winners)
    assert expected["quota_was_reduced"] == any(event.kind == "quota" for stage in record.stages for event in stage.events)
