"""Every archive of the hostile corpus is refused by the command itself, for its own reason, at its own event."""

from __future__ import annotations

import io
import json
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

from ballot.cli import main
from ballot.verifier.rules import Rule
from ballot.verifier.verify import verify_archive
from tests.verifier.hostile import CASES, FIELDS, SCALARS, Case, Hostile


def command(hostile: Hostile, folder: Path) -> list[str]:
    """The arguments that verify what the attacker published."""
    archive = folder / "election.bel"
    archive.write_bytes(hostile.archive)
    if hostile.companion is not None:
        archive.with_suffix(".companion.json").write_bytes(hostile.companion)
    pins = [word for height, digest in hostile.pins for word in ("--pin", f"{height}:{digest}")]
    return ["verify", str(archive), "--json", "--jobs", "1", *pins]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_hostile_archive_is_refused(case: Case, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status = main(command(case.hostile(), tmp_path))
    report = json.loads(capsys.readouterr().out)
    assert (1, "refused") == (status, report["outcome"]), report["sentence"]
    assert (case.rule.id, case.height) == (report["rule"], report["height"]), report["sentence"]
    assert case.words in report["sentence"]
    assert report["result"] is None


def test_the_first_broken_rule_is_reported_however_many_processes_look() -> None:
    fields = (*FIELDS, *SCALARS)
    some = [case for case in CASES if case.height and not case.name.startswith(fields)][::4]
    with ProcessPoolExecutor(2) as executor:
        for case in some:
            hostile = case.hostile()
            report = verify_archive(io.BytesIO(hostile.archive), companion=hostile.companion, executor=executor, pins=hostile.pins)
            assert report.refusal is not None, case.name
            assert (case.rule.id, case.height) == (report.refusal.rule, report.refusal.height), case.name


def test_names_in_the_corpus_are_distinct() -> None:
    assert len(CASES) == len({case.name for case in CASES})


def test_every_rule_has_a_hostile_archive() -> None:
    # The two left out cannot be broken by a file alone: tests/verifier/test_verify.py breaks them.
    assert set(Rule) - {Rule.RESULT_RANGE, Rule.INTERNAL} == {case.rule for case in CASES}
