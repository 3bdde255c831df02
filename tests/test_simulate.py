"""Simulated elections: reproducible, honest, and sound in the eyes of belenios-tool."""

from __future__ import annotations

import hashlib
import io
import json
import stat
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ballot import cli
from ballot.errors import MalformedError
from ballot.protocol.archive import Entry, Header, read_archive
from ballot.protocol.ballots import check_ballot, check_choices
from ballot.protocol.declarations import split_description
from ballot.protocol.group import SeededRng
from ballot.protocol.messages import Ballot, CompanionFile, Event, QuestionH, QuestionNH
from ballot.simulate import Plan, Simulated, parse_template, random_choices, simulate
from tests.support.belenios import run

MOTION = QuestionH(("For", "Against"), 1, 1, "Shall we?", blank=True)
SOME = QuestionH(("A", "B", "C"), 0, 2, "Who speaks?")
RANKED = QuestionNH(("A", "B", "C", "D"), "In which order?")
TEMPLATE = json.dumps({"description": "d", "name": "n", "questions": [question.to_json() for question in (MOTION, RANKED)]}, indent=1)


def _simulate(plan: Plan, executor: ProcessPoolExecutor | None = None) -> tuple[Simulated, bytes]:
    file = io.BytesIO()
    return simulate(plan, lambda _: file, executor), file.getvalue()


def _plan(*questions: QuestionH | QuestionNH, **changes: Any) -> Plan:
    return Plan(questions, **{"voters": 12, "seed": b"test", "trustees": 2} | changes)


def _expected(done: Simulated) -> list[list[Any]]:
    """Totals, and sorted rankings, from the plain choices."""
    outcome: list[list[Any]] = []
    for question, column in zip(done.election.questions, zip(*done.choices, strict=True), strict=True):
        outcome.append([sum(row) for row in zip(*column, strict=True)] if isinstance(question, QuestionH) else sorted(column))
    return outcome


@pytest.mark.parametrize(
    ("questions", "changes"),
    [
        ((MOTION,), {}),
        ((RANKED,), {"threshold": 2, "trustees": 3}),
        ((RANKED, MOTION, SOME, RANKED), {"turnout": 7}),
        ((MOTION, RANKED), {"declared": False, "trustees": 1}),
        ((MOTION, RANKED), {"seed": None, "voters": 3}),
    ],
)
def test_the_result_is_what_the_members_chose(questions: tuple[Any, ...], changes: dict[str, Any]) -> None:
    done, _ = _simulate(_plan(*questions, **changes))
    result = [list(row) if isinstance(q, QuestionH) else sorted(row) for q, row in zip(questions, done.result.result, strict=True)]
    assert _expected(done) == result


def test_the_same_seed_makes_the_same_files_in_one_process_or_in_several() -> None:
    plan = _plan(MOTION, RANKED, voters=60)
    with ProcessPoolExecutor(2) as pool:
        assert _simulate(plan) == _simulate(plan, pool)


def test_another_seed_makes_another_election() -> None:
    assert _simulate(_plan(MOTION))[0].election.uuid != _simulate(_plan(MOTION, seed=b"other"))[0].election.uuid


def test_the_archive_follows_the_grammar_and_its_ballots_pass() -> None:
    done, archive = _simulate(_plan(MOTION, RANKED, turnout=9))
    header, *entries = read_archive(io.BytesIO(archive))
    assert isinstance(header, Header)
    objects: dict[str, bytes] = {}
    events = []
    for entry in entries:
        assert isinstance(entry, Entry)
        if entry.kind == "event":
            events.append(Event.parse(entry.data))
        else:
            objects[entry.hash] = entry.data
    middle = ["EndBallots", "EncryptedTally", "Shuffle", "Shuffle", "EndShuffles", "PartialDecryption", "PartialDecryption", "Result"]
    assert ["Setup", *["Ballot"] * 9, *middle] == [event.type for event in events]
    for event in events:
        if event.type == "Ballot":
            check_ballot(done.election, Ballot.parse(objects[str(event.payload)]), set(done.credentials.points))


def test_companion_proofs_are_declared_and_made_unless_the_election_is_plain() -> None:
    declared, _ = _simulate(_plan(MOTION))
    plain, _ = _simulate(_plan(MOTION, declared=False))
    _, declarations = split_description(declared.election.description)
    assert declarations is not None
    assert declarations.companion
    assert declared.companions is not None
    assert [1, 2] == [companion.owner for companion in declared.companions.companions]
    assert (None, None) == (split_description(plain.election.description)[1], plain.companions)


@given(st.integers(0, 5), st.integers(0, 5), st.integers(0, 5), st.booleans(), st.binary(max_size=4))
def test_random_choices_are_permitted(size: int, least: int, most: int, blank: bool, seed: bytes) -> None:
    least, most = sorted((min(least, size), min(most, size)))
    answers = tuple(map(str, range(size)))
    homomorphic, ranked = QuestionH(answers, least, most, "?", blank), QuestionNH(answers, "?")
    check_choices(homomorphic, random_choices(homomorphic, SeededRng(seed)))
    ranks = random_choices(ranked, SeededRng(seed))
    check_choices(ranked, ranks)
    assert list(range(1, len([r for r in ranks if r]) + 1)) == sorted(r for r in ranks if r)


@pytest.mark.parametrize(
    "changes", [{"voters": 0}, {"turnout": 0}, {"turnout": 13}, {"trustees": 0}, {"threshold": 0}, {"threshold": 3}], ids=str
)
def test_numbers_that_make_no_election_are_refused(changes: dict[str, int]) -> None:
    with pytest.raises(MalformedError):
        _plan(MOTION, **changes)


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"name":1,"description":"","questions":[]}', '{"name":"","description":"","questions":[{}]}']
)
def test_a_template_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(MalformedError):
        parse_template(text.encode())


def _command(tmp_path: Path, *arguments: str) -> int:
    (tmp_path / "questions.json").write_text(TEMPLATE)
    given = ["simulate", str(tmp_path / "out"), "--questions", str(tmp_path / "questions.json"), "--seed", "s", *arguments]
    return cli.main(given)


def test_the_command_leaves_public_and_secret_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert 0 == _command(tmp_path, "--voters", "6", "--turnout", "5", "--trustees", "3", "--threshold", "2")
    out = tmp_path / "out"
    (archive,) = out.glob("*.bel")
    assert str(archive) == capsys.readouterr().out.splitlines()[-1]
    companions = CompanionFile.parse((out / f"{archive.stem}.companion.json").read_bytes())
    assert [1, 2] == [companion.owner for companion in companions.companions]
    assert {"election.json", "trustees.json", "public_creds.json", "result.json"} == {p.name for p in (out / "public").iterdir()}
    secret = out / "secret"
    assert {"codes.txt", "choices.jsonl", "trustee-1.key", "trustee-2.key", "trustee-3.key"} == {p.name for p in secret.iterdir()}
    assert 0o700 == stat.S_IMODE(secret.stat().st_mode)
    assert {0o600} == {stat.S_IMODE(path.stat().st_mode) for path in secret.iterdir()}
    assert 6 == len((secret / "codes.txt").read_text().splitlines())
    assert 5 == len((secret / "choices.jsonl").read_text().splitlines())


def test_the_command_does_not_write_into_a_folder_that_is_in_use(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").write_text("")
    assert 2 == _command(tmp_path, "--voters", "1")
    assert "not empty" in capsys.readouterr().err
    assert ["mine"] == [path.name for path in (tmp_path / "out").iterdir()]


@pytest.mark.parametrize("arguments", [["--voters", "0"], ["--voters", "x"], [], ["--voters", "1", "--jobs", "0"]], ids=str)
def test_the_command_says_what_it_cannot_use(tmp_path: Path, arguments: list[str]) -> None:
    try:
        status = _command(tmp_path, *arguments)
    except SystemExit as stopped:
        status = stopped.code if isinstance(stopped.code, int) else -1
    assert 2 == status


RULES = [
    {"rule": "motion", "threshold": "two-thirds"},
    {
        "rule": "ers97",
        "seats": 2,
        "ron": False,
        "constraints": {"groups": {"g": ["C", "D"]}, "rules": [{"group": "g", "at_least": "50%"}]},
    },
]


def test_declared_rules_are_counted_and_verified_to_the_byte(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "rules.json").write_text(json.dumps(RULES))
    assert 0 == _command(tmp_path, "--voters", "7", "--rules", str(tmp_path / "rules.json"))
    (archive,) = (tmp_path / "out").glob("*.bel")
    results = archive.with_suffix(".results.json")
    counts = [question["count"] for question in json.loads(results.read_text())["questions"]]
    assert counts[1]["unconstrained"] is not None
    assert ["at least 1 of group “g” (50 % of 2 seats, rounded up)"] == counts[1]["constraints"]
    assert 0 == cli.main(["verify", str(archive)])
    assert "equal to the published file of results" in capsys.readouterr().out
    results.write_text(results.read_text().replace('"seats":2', '"seats":1'))
    assert 1 == cli.main(["verify", str(archive)])
    assert "not what the recount gives" in capsys.readouterr().out


def test_without_rules_a_seed_makes_the_files_that_it_always_made() -> None:
    done, archive = _simulate(_plan(MOTION, RANKED))
    assert done.results is None
    assert "4b2fa50ec2677af5a90bd7df4be79e311d40e199ff8df4cb03810254b8a911c7" == hashlib.sha256(archive).hexdigest()


@pytest.mark.parametrize(
    "rules",
    [
        "",
        "{}",
        "[]",
        "[1]",
        json.dumps(RULES[:1]),
        json.dumps(RULES[::-1]),
        json.dumps([RULES[0], {**RULES[1], "seats": 3, "constraints": {"groups": {"g": ["C"]}, "rules": [{"group": "g", "at_least": 2}]}}]),
    ],
)
def test_rules_that_do_not_fit_are_refused_in_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str], rules: str) -> None:
    (tmp_path / "rules.json").write_text(rules)
    assert 2 == _command(tmp_path, "--voters", "5", "--rules", str(tmp_path / "rules.json"))
    assert capsys.readouterr().err.strip()
    assert not (tmp_path / "out").exists()


def test_a_plain_election_takes_no_rules(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "rules.json").write_text(json.dumps(RULES))
    assert 2 == _command(tmp_path, "--voters", "5", "--plain", "--rules", str(tmp_path / "rules.json"))
    assert "declares no rules" in capsys.readouterr().err


@pytest.mark.belenios_tool
@pytest.mark.parametrize(
    ("questions", "changes"),
    [
        ((MOTION, SOME), {"trustees": 3, "threshold": 2}),
        ((RANKED,), {"trustees": 3, "threshold": 2}),
        ((MOTION, RANKED), {"trustees": 1}),
        ((MOTION, RANKED), {"trustees": 5, "threshold": 3, "declared": False}),
    ],
)
def test_belenios_accepts_the_archive_and_every_ballot(
    belenios_tool: Path, tmp_path: Path, questions: tuple[Any, ...], changes: dict[str, Any]
) -> None:
    plan = _plan(*questions, **changes)
    done, archive = _simulate(plan)
    whole, only_setup = tmp_path / "whole", tmp_path / "setup"
    whole.mkdir()
    only_setup.mkdir()
    (whole / f"{done.election.uuid}.bel").write_bytes(archive)
    verdict = run(belenios_tool, "election", "verify", f"--dir={whole}")
    assert 0 == verdict.returncode, verdict.stderr
    assert "all checks passed" in verdict.stderr

    objects: dict[str, bytes] = {}
    ballots = []
    setup_end = None
    file = io.BytesIO(archive)
    for entry in read_archive(file):
        if isinstance(entry, Header):
            continue
        objects[entry.hash] = entry.data
        if entry.kind == "event":
            event = Event.parse(entry.data)
            setup_end = file.tell() if setup_end is None else setup_end
            if event.type == "Ballot":
                ballots.append(objects[str(event.payload)])
    (only_setup / f"{done.election.uuid}.bel").write_bytes(archive[:setup_end])
    assert plan.ballots == len(ballots)
    for ballot in ballots:
        (tmp_path / "ballot.json").write_bytes(ballot)
        one = run(belenios_tool, "election", "verify-ballot", f"--dir={only_setup}", f"--ballot={tmp_path / 'ballot.json'}")
        assert 0 == one.returncode, one.stderr
