"""Minneapolis from the raw marks, GNOME, Dublin West, and small alternative-vote cases."""

from __future__ import annotations

import csv
import json
from fractions import Fraction
from pathlib import Path

import pytest

from ballot.count import LotOrder, Profile, count
from ballot.count.blt import read_blt
from ballot.count.constraints import Bound, Constraints
from ballot.count.papers import MARK_RULES, Ranking, apply_mark_rule
from ballot.errors import CountError

COUNTS = Path(__file__).parent.parent / "counts"


def from_marks(year: str) -> tuple[Profile, dict]:
    golden = json.loads((COUNTS / "minneapolis" / f"mayor-{year}.golden.json").read_bytes())
    names = [candidate["name"] for candidate in golden["candidates"]]
    write_in = names.index("Undeclared write-ins")
    rule = MARK_RULES[f"minneapolis-{year}"]
    heap: dict[Ranking, int] = {}
    invalid = 0
    with (COUNTS / "minneapolis" / f"mayor-{year}.marks.csv").open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            marks: list[tuple[int, ...]] = []
            for rank in ("rank1", "rank2", "rank3"):
                mark = row[rank]
                if mark == "undervote":
                    marks.append(())
                elif mark == "overvote":
                    marks.append((0, 1))
                else:
                    marks.append((write_in if mark == "UWI" else names.index(mark),))
            ranking = apply_mark_rule(marks, rule)
            if ranking:
                heap[ranking] = heap.get(ranking, 0) + int(row["count"])
            else:
                invalid += int(row["count"])
    papers = tuple((weight, ranking) for ranking, weight in heap.items())
    return Profile(tuple(names), papers, 1, golden["title"], invalid=invalid, mark_rule=rule.name), golden


@pytest.mark.parametrize("year", ["2013", "2017"])
def test_minneapolis_from_the_raw_marks(year: str) -> None:
    profile, golden = from_marks(year)
    assert golden["ballots_in_file"] == profile.cast
    # The city excludes undeclared write-ins first: nobody can be elected by them.
    write_ins = frozenset({profile.candidates.index("Undeclared write-ins")})
    nobody = Constraints((("undeclared write-ins", write_ins),), (Bound("undeclared write-ins", "at_most", Fraction(0)),))
    record = count("av", profile, 1, constraints=nobody)
    assert golden["ballots_with_a_usable_first_choice"] == record.valid
    assert golden["elected"] == [winner + 1 for winner in record.winners]
    # We exclude one at a time: compare wherever the same candidates continue.
    rounds = {frozenset(entry["totals"]): entry["totals"] for entry in golden["rounds"]}
    out: set[int] = set()
    met = 0
    for stage in record.stages:
        out |= set(stage.sources)
        standing = frozenset(str(index + 1) for index in range(len(profile.candidates)) if index not in out)
        if standing in rounds:
            met += 1
            assert rounds[standing] == {name: stage.totals[int(name) - 1] for name in standing}
    assert len(golden["rounds"]) == met


@pytest.mark.parametrize("year", ["2013", "2017"])
def test_the_mark_rule_gives_the_published_rankings(year: str) -> None:
    profile, _ = from_marks(year)
    published = read_blt((COUNTS / "minneapolis" / f"mayor-{year}.blt").read_bytes())
    ours = {ranking: weight for weight, ranking in profile.papers}
    assert {ranking: weight for weight, ranking in published.papers} == ours


@pytest.mark.parametrize("rule", ["scottish-2011", "ers97", "meek", "meek-nz"])
def test_gnome_2018(rule: str) -> None:
    profile = read_blt((COUNTS / "other" / "gnome-2018.blt").read_bytes())
    expected = json.loads((COUNTS / "other" / "gnome-2018.official.json").read_bytes())
    record = count(rule, profile, 7, lot=LotOrder.from_seed("any", profile.candidates))
    assert sorted(expected["elected"]) == sorted(profile.candidates[winner] for winner in record.winners)


def test_gnome_2018_needs_a_lot_for_its_largest_surplus() -> None:
    profile = read_blt((COUNTS / "other" / "gnome-2018.blt").read_bytes())
    with pytest.raises(CountError, match="tie has to be broken by lot"):
        count("scottish-2011", profile, 7)


@pytest.mark.parametrize("rule", ["scottish-2011", "ers97", "meek", "meek-nz"])
def test_dublin_west_first_count_quota_and_winners(rule: str) -> None:
    profile = read_blt((COUNTS / "other" / "dublin-west-2002.blt").read_bytes())
    expected = json.loads((COUNTS / "other" / "dublin-west-2002.official.json").read_bytes())
    record = count(rule, profile, 3)
    first = record.stages[0]
    assert expected["valid_ballots"] == record.valid
    named = {record.candidates[index].split()[-1].split(",")[0]: units // 10**record.places for index, units in enumerate(first.totals)}
    assert set(expected["first_preferences"].values()) == set(named.values())
    if rule == "scottish-2011":
        assert expected["quota"] == first.quota // 10**record.places
    assert len(expected["elected"]) == len(record.winners)
    assert {expected["first_preferences"][name] for name in expected["elected"]} == {
        first.totals[winner] // 10**record.places for winner in record.winners
    }


OPEN_RCV = json.loads((COUNTS / "small" / "open-rcv-irv.json").read_bytes())["test_cases"]


@pytest.mark.parametrize("case", OPEN_RCV, ids=lambda case: str(case["_meta"]["index"]))
def test_open_rcv_cases(case: dict) -> None:
    data = case["input"]
    number = data["candidate_count"]
    names = ("Ann", "Bob", "Carol", "Dave", "Ellen", "Fred", "Gwen", "Hank", "Irene")[:number]
    papers = tuple((int(weight), tuple(int(choice) - 1 for choice in ranking)) for weight, *ranking in map(str.split, data["ballots"]))
    lot = LotOrder.from_seed("open", names)
    order = data.get("tie_elimination_order")
    if order is not None and len(order) == number:
        lot = LotOrder.typed([choice - 1 for choice in reversed(order)], number)
    expected = case["output"]["rounds"]
    try:
        record = count("av", Profile(names, papers, 1), 1, lot=lot)
    except CountError:
        assert not any(entry["totals"].get(name) for entry in expected for name in names)
        return
    out: set[int] = set()
    for entry, stage in zip(expected, record.stages, strict=False):
        out |= set(stage.sources)
        ours = {names[index]: stage.totals[index] for index in range(number) if index not in out}
        assert entry["totals"] == ours
    if "elected" in expected[-1]:
        assert expected[-1]["elected"] == [names[winner] for winner in record.winners]
