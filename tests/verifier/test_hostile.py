"""Every archive of the hostile corpus is refused, for its own reason, at its own event."""

from __future__ import annotations

import io

import pytest

from ballot.verifier.report import Outcome
from ballot.verifier.rules import Rule
from ballot.verifier.verify import verify_archive
from tests.verifier.hostile import CASES, Case


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_hostile_archive_is_refused(case: Case) -> None:
    hostile = case.hostile()
    report = verify_archive(io.BytesIO(hostile.archive), companion=hostile.companion, pins=hostile.pins)
    assert Outcome.REFUSED is report.outcome, report.verdict()
    assert report.refusal is not None
    assert (case.rule.id, case.height) == (report.refusal.rule, report.refusal.height), report.verdict()
    assert case.words in report.sentence
    assert report.result is None


def test_names_in_the_corpus_are_distinct() -> None:
    assert len(CASES) == len({case.name for case in CASES})


def test_every_rule_has_a_hostile_archive() -> None:
    # The two left out cannot be broken by a file alone: tests/verifier/test_verify.py breaks them.
    assert set(Rule) - {Rule.RESULT_RANGE, Rule.INTERNAL} == {case.rule for case in CASES}
