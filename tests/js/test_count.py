"""The counts that a browser repeats are, to the byte, those of `ballot.count`: published elections and made-up ones."""

from __future__ import annotations

import json
import random
import subprocess
from pathlib import Path
from typing import Any

import pytest

from ballot.count import RULES, LotOrder, Profile, count
from ballot.count.blt import read_blt
from ballot.count.constraints import parse_constraints
from ballot.errors import CountError, MalformedError
from ballot.web import build

HERE = Path(__file__).parent
COUNTS = HERE.parent / "counts"
RANKED = [rule.id for rule in RULES.values() if rule.kind != "approval"]


def _task(profile: Profile, rule: str, seats: int, *, ron: int | None = None, constraints: str | None = None) -> dict[str, Any]:
    lot = LotOrder.from_seed(f"seed {len(profile.papers)}", profile.candidates)
    return {
        "rule": rule, "names": profile.candidates, "title": profile.title, "papers": profile.papers, "invalid": profile.invalid,
        "withdrawn": sorted(profile.withdrawn), "seats": seats, "ron": ron, "constraints": constraints,
        "lot": {"order": lot.order, "source": lot.source},
    }  # fmt: skip


def _expected(profile: Profile, task: dict[str, Any]) -> str:
    try:
        constraints = None if task["constraints"] is None else parse_constraints(task["constraints"], profile.candidates)
        lot = LotOrder(tuple(task["lot"]["order"]), task["lot"]["source"])
        record = count(task["rule"], profile, task["seats"], ron=task["ron"], constraints=constraints, lot=lot)
    except (CountError, MalformedError) as error:
        return str(error)
    return record.to_json().decode().rstrip("\n")


def _compare(jobs: list[tuple[Profile, dict[str, Any]]]) -> list[str]:
    """What both say, after seeing that it is the same."""
    build.install_libraries()
    given = "\n".join(json.dumps(task) for _, task in jobs)
    command = [*build.node_command(), str(HERE / "count.mjs")]
    done = subprocess.run(command, input=given, capture_output=True, text=True, check=False, timeout=600)
    assert 0 == done.returncode, done.stderr[-3000:]
    said = done.stdout.rstrip("\n").split("\n")
    expected = [_expected(profile, task) for profile, task in jobs]
    assert len(expected) == len(said)
    for (_, task), ours, theirs in zip(jobs, expected, said, strict=True):
        assert ours == theirs, {**task, "papers": len(task["papers"])}
    return said


def test_published_counts() -> None:
    profiles = [read_blt(path.read_bytes()) for path in sorted(COUNTS.glob("scotland-2017/*.blt"))[::4]]
    rules = [rule for rule in RANKED if rule != "meek-exact"]  # which takes minutes for so many papers
    jobs = [(profile, _task(profile, rule, 1 if rule == "av" else profile.seats)) for profile in profiles for rule in rules]
    assert len(jobs) > 20
    assert all(line.startswith("{") for line in _compare(jobs))


def made_up(luck: random.Random) -> tuple[Profile, dict[str, Any]]:
    """A small contest with ties, short papers, withdrawals, RON and quota places, as luck has it."""
    number = luck.randint(3, 8)
    names = tuple(f"Candidate {chr(65 + n)}" for n in range(number))
    papers: dict[tuple[int, ...], int] = {}
    for _ in range(luck.randint(1, 25)):
        ranking = tuple(luck.sample(range(number), luck.randint(1, number)))
        papers[ranking] = papers.get(ranking, 0) + luck.randint(1, 4)
    rule = luck.choice(RANKED)
    seats = 1 if rule == "av" else luck.randint(1, number - 1)
    ron = number - 1 if luck.random() < 0.4 else None
    gone = frozenset(luck.sample(range(number - 1), luck.randint(0, 1)))
    constraints = None
    if luck.random() < 0.5:
        groups = {name: luck.sample(names, luck.randint(1, number)) for name in ("Women", "Young", "North")[: luck.randint(1, 3)]}
        rules: list[dict[str, Any]] = []
        for name in groups:
            side = luck.choice(("at_least", "at_most"))
            rules.append({"group": name, side: luck.choice((0, 1, 1, 2, "50%", "1/3", "33.3%"))})
            if luck.random() < 0.3:
                rules[-1]["rounding"] = luck.choice(("up", "down", "half-up"))
        fallback = luck.choice(("refuse", "cap", "leave-empty"))
        constraints = json.dumps({"groups": groups, "rules": rules, "if_infeasible": fallback}, ensure_ascii=False)
    profile = Profile(names, tuple((weight, ranking) for ranking, weight in sorted(papers.items())), seats, "Made up", gone)
    return profile, _task(profile, rule, seats, ron=ron, constraints=constraints)


@pytest.mark.parametrize("seed", [1, 2])
def test_made_up_counts(seed: int) -> None:
    luck = random.Random(seed)
    said = _compare([made_up(luck) for _ in range(400)])
    records = [json.loads(line) for line in said if line.startswith("{")]
    assert len(records) > 200
    events = {event["kind"] for record in records for stage in record["stages"] for event in stage["events"]}
    assert {"elected", "excluded", "tie", "guarded", "doomed", "deferred"} <= events
    assert any(record["unfilled"] for record in records)
    assert any(record["reopened"] for record in records)
