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
from tests.verifier.hostile import CASES, FIELDS, SCALARS, Case, Hostile, counted


def command(hostile: Hostile, folder: Path) -> list[str]:
    """The arguments that verify what the attacker published."""
    archive = folder / "election.bel"
    archive.write_bytes(hostile.archive)
    if hostile.companion is not None:
        archive.with_suffix(".companion.json").write_bytes(hostile.companion)
    if hostile.results is not None:
        archive.with_suffix(".results.json").write_bytes(hostile.results)
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
            published = {"companion": hostile.companion, "results": hostile.results}
            report = verify_archive(io.BytesIO(hostile.archive), **published, executor=executor, pins=hostile.pins)
            assert report.refusal is not None, case.name
            assert (case.rule.id, case.height) == (report.refusal.rule, report.refusal.height), case.name


def test_an_honest_file_of_results_is_recounted_and_equal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert 0 == main([word for word in command(counted(), tmp_path) if word != "--json"])
    shown = capsys.readouterr().out
    assert "10  holds" in shown
    assert "equal to the published file of results" in shown
    assert "arried: 2 for, 2 against, 2 abstained." in shown


def test_names_in_the_corpus_are_distinct() -> None:
    assert len(CASES) == len({case.name for case in CASES})


def test_every_rule_has_a_hostile_archive() -> None:
    # The two left out cannot be broken by a file alone: tests/verifier/test_verify.py breaks them.
    assert set(Rule) - {Rule.RESULT_RANGE, Rule.INTERNAL} == {case.rule for case in CASES}
