"""From a decrypted result to outcomes by the declared rule, and the file that `ballot verify` makes again."""

import json
from typing import Any

import pytest

from ballot.errors import CountError, InfeasibleConstraintError, MalformedError
from ballot.protocol.declarations import Declarations
from ballot.protocol.group import G
from ballot.protocol.messages import Election, Question, QuestionH, QuestionNH, Result
from ballot.recount import Acts, Outcome, check_rule, count_election, published_acts, ranking_of, results_file

MOTION = QuestionH(("For", "Against"), 1, 1, "Motion", True)
RANKED = QuestionNH(("Ann", "Bo", "Cy", "Re-open nominations"), "Committee")
UP_TO_TWO = QuestionH(("Ann", "Bo", "Cy"), 1, 2, "Delegates", True)
MOTION_RULE = {"rule": "motion", "threshold": "two-thirds", "base": "cast", "quorum": 5}
STV = {"rule": "scottish-2011", "seats": 2, "ron": True}


def election(*questions: Question) -> Election:
    return Election(1, "", "N", "Ed25519", G, questions, "g97cqDgWZDLRhZ")


def outcomes(question: Question, rule: dict[str, Any], row: Any, ballots: int, acts: Acts | None = None) -> Outcome:
    declared = Declarations(True, 5, False, False, "", (rule,) if rule else ())
    acts = acts or Acts()
    (outcome,) = count_election(election(question), declared, Result((row,)), ballots=ballots, electorate=20, seed="ab" * 32, acts=acts)
    return outcome


def test_a_motion_is_decided_by_its_declared_threshold() -> None:
    assert outcomes(MOTION, MOTION_RULE, (1, 6, 3), 10).verdict.startswith("Carried: 6 for, 3 against, 1 abstained.")
    assert outcomes(MOTION, MOTION_RULE, (0, 6, 4), 10).verdict.startswith("Not carried")


def test_a_ranked_question_is_counted_by_its_declared_rule() -> None:
    row = ((1, 2, 3, 0),) * 6 + ((2, 1, 0, 0),) * 5 + ((0, 0, 1, 0),) * 2 + ((0, 0, 0, 0), (1, 1, 0, 0))
    outcome = outcomes(RANKED, STV, row, 15)
    assert outcome.record is not None
    assert (0, 1) == outcome.record.winners
    assert (1, 1) == (outcome.blank, outcome.invalid)
    assert "Ann" in outcome.verdict


def test_up_to_n_is_counted_from_totals() -> None:
    outcome = outcomes(UP_TO_TWO, {"rule": "up-to-n", "seats": 2, "ron": False}, (1, 3, 5, 4), 9)
    assert outcome.record is not None
    assert (1, 2) == outcome.record.winners


def test_quota_places_of_the_declared_rule_act() -> None:
    women = {"groups": {"women": ["Cy"]}, "rules": [{"group": "women", "at_least": 1}]}
    row = ((1, 2, 3, 0),) * 6 + ((2, 1, 0, 0),) * 5 + ((0, 0, 1, 0),) * 2
    outcome = outcomes(RANKED, {**STV, "constraints": women}, row, 13)
    assert outcome.record is not None
    assert 2 in outcome.record.winners
    assert outcome.record.unconstrained is not None
    assert {0, 1} == {other.candidate for other in outcome.record.unconstrained}


def test_a_plain_election_is_shown_uncounted() -> None:
    outcome = outcomes(MOTION, {}, (1, 6, 3), 10)
    assert (None, None, "") == (outcome.motion, outcome.record, outcome.verdict)


def test_a_tie_goes_by_the_seeded_lot_unless_one_was_drawn_in_public() -> None:
    pair = QuestionNH(("Ann", "Bo"), "Post")
    row = ((1, 0),) * 3 + ((0, 1),) * 3
    rule = {"rule": "av", "seats": 1, "ron": False}
    winners = set()
    for order in ((0, 1), (1, 0)):
        drawn = outcomes(pair, rule, row, 6, Acts(lots={1: order}))
        assert drawn.record is not None
        winners.add(drawn.record.winners)
        assert (order[0],) == drawn.record.winners
    seeded = outcomes(pair, rule, row, 6)
    assert seeded.record is not None
    assert seeded.record.winners in winners
    assert "seed" in (seeded.record.lot.source if seeded.record.lot else "")


def test_who_withdrew_before_the_count_is_passed_over() -> None:
    row = ((1, 2, 3, 0),) * 6 + ((2, 1, 0, 0),) * 5
    outcome = outcomes(RANKED, STV, row, 11, Acts(withdrawn={1: (0,)}))
    assert outcome.record is not None
    assert 0 not in outcome.record.winners


def test_papers_that_nobody_can_count_are_told_not_raised() -> None:
    outcome = outcomes(RANKED, STV, ((0, 0, 0, 0),) * 6, 6)
    assert outcome.record is None
    assert outcome.uncounted == outcome.verdict != ""


BAD_RULES = {
    "no name": (RANKED, {"seats": 1}),
    "unknown": (RANKED, {"rule": "borda"}),
    "an unknown setting": (RANKED, {**STV, "quota": "hare"}),
    "no seats": (RANKED, {**STV, "seats": 0}),
    "seats in words": (RANKED, {**STV, "seats": "two"}),
    "two seats under AV": (RANKED, {"rule": "av", "seats": 2, "ron": False}),
    "a ranked rule for totals": (UP_TO_TWO, STV),
    "approval for rankings": (RANKED, {"rule": "approval", "seats": 1}),
    "a motion with three answers": (UP_TO_TWO, MOTION_RULE),
    "an unknown threshold": (MOTION, {"rule": "motion", "threshold": "most"}),
    "a negative quorum": (MOTION, {**MOTION_RULE, "quorum": -1}),
    "only RON": (QuestionNH(("Re-open nominations",), "Post"), {"rule": "av", "seats": 1, "ron": True}),
}


@pytest.mark.parametrize("name", BAD_RULES)
def test_a_rule_that_does_not_fit_is_refused_at_set_up(name: str) -> None:
    question, rule = BAD_RULES[name]
    with pytest.raises(CountError):
        check_rule(question, rule)


def test_quota_places_that_cannot_be_met_are_refused_at_set_up() -> None:
    two_women = {"groups": {"women": ["Cy"]}, "rules": [{"group": "women", "at_least": 2}]}
    with pytest.raises(InfeasibleConstraintError, match="women"):
        check_rule(RANKED, {**STV, "constraints": two_women})


def test_rules_that_fit_are_accepted() -> None:
    for question, rule in ((MOTION, MOTION_RULE), (RANKED, STV), (UP_TO_TWO, {"rule": "approval", "seats": 1, "ron": False})):
        check_rule(question, rule)


def test_rankings_that_are_none_are_told_apart() -> None:
    assert (2, 0) == ranking_of((2, 0, 1))
    assert () == ranking_of((0, 0))
    assert ranking_of((1, 1)) is None is ranking_of((0, 2)) is ranking_of((1, 3))


def test_the_file_says_what_the_officer_did_and_shows_no_invalid_ranking() -> None:
    acts = Acts(lots={1: (3, 1, 0, 2)}, withdrawn={1: (2,)})
    row = ((1, 2, 3, 0),) * 6 + ((7, 7, 7, 7),)
    outcome = outcomes(RANKED, STV, row, 7, acts)
    data = results_file(election(RANKED), [outcome], result_hash="0" * 64, seed="ab" * 32, acts=acts)
    assert acts == published_acts(data)
    assert b"7,7" not in data
    assert 1 == json.loads(data)["questions"][0]["invalid"]


@pytest.mark.parametrize(
    "data", [b"", b"[]", b"{}", b'{"format":"ballot-results-1"}', b'{"acts":{"lots":{"1":[0]},"withdrawn":{}},"format":"ballot-results-1"}']
)
def test_a_file_of_results_that_is_none_is_malformed(data: bytes) -> None:
    with pytest.raises(MalformedError):
        published_acts(data)
