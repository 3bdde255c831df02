"""Quota places, lots and withdrawals on the officers' pages, and what the public reads of them; the archive verifies with its results."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime

import pytest
from sqlmodel import select

from ballot.app import Site
from ballot.count import RULES, LotOrder, count
from ballot.count.constraints import parse_constraints
from ballot.count.papers import profile_from_rankings
from ballot.models import Election
from ballot.services import board, lifecycle, tally
from ballot.services.clock import FixedClock
from ballot.verifier.report import Outcome
from ballot.verifier.verify import verify_archive
from ballot.web.board.report import report_of
from ballot.web.officer.quotas import read_quotas, write_quotas
from tests.web.conftest import Visitor, text_of
from tests.web.test_journey import DETAILS, _again, cast_all, freeze, make_ballot, make_meeting, upload

CANDIDATES = ["Ida Ash", "Jon Bell", "Kim Cole", "Lee Dunn"]
COMMITTEE = {
    "name": "Committee",
    "practice": "y",
    "question-wording": "Committee",
    "question-seats": "2",
    "question-choices": "\n".join(CANDIDATES),
    "question-rule": "scottish-2011",
    "question-ron": "y",
    "question-unmet": "refuse",
    "question-quotas": "Women: at least 50% — kim cole,  Lee Dunn\nYoung: at most 1 - Jon Bell; Lee Dunn",
}
DECLARED = {
    "groups": {"Women": ["Kim Cole", "Lee Dunn"], "Young": ["Jon Bell", "Lee Dunn"]},
    "rules": [{"group": "Women", "at_least": "50%"}, {"group": "Young", "at_most": 1}],
    "if_infeasible": "refuse",
}


@pytest.fixture
def meeting(returning_officer: Visitor) -> str:
    made = make_meeting(returning_officer)
    upload(returning_officer, made)
    freeze(returning_officer, made)
    return made


def voted(site: Site, clock: FixedClock, officer: Visitor, meeting: str, **changes: str) -> str:
    """A closed practice ballot: Ida and Jon have the votes, Kim has one, nobody ranks Lee first."""
    uuid = make_ballot(officer, meeting, "committee", **{**COMMITTEE, **changes})
    assert 303 == officer.post(f"/officer/e/{uuid}/lock", {"code": officer.digits()}).status_code
    assert 303 == officer.post(f"/officer/e/{uuid}/open", {"code": officer.digits()}).status_code
    clock.moment = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
    first, second, third = [1, 2, 0, 0, 0], [2, 1, 0, 0, 0], [0, 0, 1, 2, 0]
    cast_all(site, meeting, uuid, [[first], [first], [first], [second], [second], [third]])
    clock.moment = datetime(2026, 3, 20, 17, 1, tzinfo=UTC)
    _again(officer)
    assert 303 == officer.post(f"/officer/e/{uuid}/close", {"code": officer.digits()}).status_code
    return uuid


def publish(officer: Visitor, uuid: str) -> None:
    assert 303 == officer.post(f"/officer/e/{uuid}/tally", {"code": officer.digits()}).status_code
    assert 303 == officer.post(f"/officer/e/{uuid}/tally/practice", page=f"/officer/e/{uuid}/tally").status_code
    assert 303 == officer.post(f"/officer/e/{uuid}/publish", {"code": officer.digits()}).status_code


# --- the form -------------------------------------------------------------------------------------------------------


def test_quota_places_are_declared_and_read_back_in_words(site: Site, meeting: str, returning_officer: Visitor, anybody: Visitor) -> None:
    uuid = make_ballot(returning_officer, meeting, "committee", **COMMITTEE)
    with site.database.read() as db:
        (rule,) = lifecycle.draft_of(db.get_one(Election, uuid)).rules
    assert DECLARED == rule["constraints"]
    women = "At least 1 of the 2 places goes to “Women” (50 %, rounded up). 2 stand: Kim Cole and Lee Dunn."
    page = text_of(returning_officer.get(f"/officer/e/{uuid}/questions"))
    assert women in page, page
    assert "At most 1 of the 2 places goes to “Young”. 2 stand: Jon Bell and Lee Dunn." in page
    assert "Checked: enough candidates stand" in page
    assert women in text_of(returning_officer.get(f"/officer/e/{uuid}/lock"))
    form = returning_officer.get(f"/officer/e/{uuid}/questions/1").get_data(as_text=True)
    assert "Women: at least 50% — Kim Cole, Lee Dunn\nYoung: at most 1 — Jon Bell, Lee Dunn" in form
    assert 303 == returning_officer.post(f"/officer/e/{uuid}/lock", {"code": returning_officer.digits()}).status_code
    assert women in text_of(anybody.get(f"/e/{uuid}"))
    setup = board.load_setup(site.database, uuid)
    assert setup.declarations is not None
    assert DECLARED == setup.declarations.rules[0]["constraints"]  # in the text that the fingerprint is taken of


@pytest.mark.parametrize(
    ("quotas", "expected"),
    [
        ("Women at least 50%", "is not a group, a colon, how many, a dash, and names"),
        ("Women: some — Kim Cole", "is not “at least” or “at most”"),
        ("Women: at least 150% — Kim Cole", "is not “at least” or “at most”"),
        ("Women: at least 1 — Kim Coal", "Did you mean “Kim Cole”?"),
        ("Women: at least 1 — Zed", "“Zed” is not one of the candidates"),
        ("Women: at least 1 — Re-open nominations", "is not one of the candidates"),
        ("Women: at least 1 — ", "has no members"),
        (": at least 1 — Kim Cole", "Give the group a name"),
        ("Women: at least 1, at least 2 — Kim Cole", "says the same side twice"),
        ("Women: at least 1 — Kim Cole\nwomen: at most 1 — Kim Cole", "Line 2 of the quota places: “women” has a line already"),
        ("\n".join(f"G{n}: at most 2 — Kim Cole" for n in range(21)), "at most 20 groups"),
    ],
)
def test_a_line_that_cannot_be_read_is_named_and_nothing_is_lost(
    site: Site, meeting: str, returning_officer: Visitor, quotas: str, expected: str
) -> None:
    sent = {**DETAILS, **COMMITTEE, "question-quotas": f"Young: at most 1 — Lee Dunn\n{quotas}"}
    response = returning_officer.post(f"/officer/m/{meeting}/elections/new/committee", sent)
    assert 422 == response.status_code
    assert expected in text_of(response).replace("Line 3", "Line 2")
    assert 'aria-describedby="question-quotas-hint question-quotas-error"' in response.get_data(as_text=True)
    assert "Young: at most 1 — Lee Dunn" in response.get_data(as_text=True)
    with site.database.read() as db:
        assert [] == list(db.exec(select(Election)))


def test_quota_places_that_nobody_can_meet_are_refused_with_the_smallest_unmet_set(meeting: str, returning_officer: Visitor) -> None:
    quotas = "Women: at least 2 — Kim Cole, Lee Dunn\nYoung: at least 1 — Jon Bell\nNorth: at most 2 — Ida Ash"
    there = f"/officer/m/{meeting}/elections/new/committee"
    response = returning_officer.post(there, {**DETAILS, **COMMITTEE, "question-quotas": quotas})
    page = text_of(response)
    assert 422 == response.status_code
    assert "the smallest unmet set is: at least 2 of group “Women” and at least 1 of group “Young”. Standing: Women: 2; Young: 1" in page
    assert quotas in response.get_data(as_text=True)
    assert "Kim Cole" in response.get_data(as_text=True)


def test_every_ranked_rule_can_be_chosen_and_av_fills_one_place(site: Site, meeting: str, returning_officer: Visitor) -> None:
    page = returning_officer.get(f"/officer/m/{meeting}/elections/new/committee").get_data(as_text=True)
    for rule in ("scottish-2011", "ers97", "meek-nz", "meek", "meek-exact", "av"):
        assert f'value="{rule}"' in page
    there = f"/officer/m/{meeting}/elections/new/committee"
    refused = returning_officer.post(there, {**DETAILS, **COMMITTEE, "question-rule": "av"})
    assert "fills 1 place, not 2" in text_of(refused)
    one = {**COMMITTEE, "question-seats": "1", "question-rule": "av", "question-quotas": "Women: at least 1 — Kim Cole"}
    uuid = make_ballot(returning_officer, meeting, "committee", **one)
    assert "Women: at least 1 — Kim Cole" in returning_officer.get(f"/officer/e/{uuid}/questions/1").get_data(as_text=True)


@pytest.mark.parametrize(
    ("line", "bounds"),
    [
        ("exactly one place", [{"at_least": 1}, {"at_most": 1}]),
        ("at least half rounded down", [{"at_least": "50%", "rounding": "down"}]),
        ("no fewer than 1/3 of the places", [{"at_least": "1/3"}]),
        ("At Least 1 and no more than 2", [{"at_least": 1}, {"at_most": 2}]),
        ("at most 33.3 % (rounded half up)", [{"at_most": "33.3%", "rounding": "half-up"}]),
    ],
)
def test_what_people_write_is_understood_and_written_back(line: str, bounds: list[dict[str, object]]) -> None:
    for dash in ("—", "–", "-", "--", ":"):
        found, problems = read_quotas(f"LGBT+ : {line} {dash} Bell, Jon", ["Bell, Jon", "Ida"])
        assert [] == problems
        assert {"groups": {"LGBT+": ["Bell, Jon"]}, "rules": [{"group": "LGBT+", **bound} for bound in bounds]} == found
        assert (found, []) == read_quotas(write_quotas(found), ["Bell, Jon", "Ida"])


# --- the result -----------------------------------------------------------------------------------------------------


def test_the_result_tells_what_the_quota_places_did_and_the_archive_verifies_with_it(
    site: Site, clock: FixedClock, meeting: str, returning_officer: Visitor, anybody: Visitor
) -> None:
    uuid = voted(site, clock, returning_officer, meeting)
    publish(returning_officer, uuid)
    page = text_of(anybody.get(f"/e/{uuid}/result"))
    assert "Elected: Ida Ash and Kim Cole." in page
    assert "The quota places changed the result: Kim Cole elected, and not Jon Bell." in page
    assert "Without the quota places Ida Ash Kim Cole Ida Ash Jon Bell" in page
    assert "At least 1 of the 2 places goes to “Women” (50 %, rounded up)." in page
    assert "Where a quota place acted: Stage 1: Jon Bell could no longer be elected" in page
    assert f"/e/{uuid}.results.json" in returning_officer.get(f"/officer/e/{uuid}/tally").get_data(as_text=True)
    archive = anybody.get(f"/e/{uuid}.bel").get_data()
    companion, results = (anybody.get(f"/e/{uuid}.{name}.json").get_data() for name in ("companion", "results"))
    report = verify_archive(io.BytesIO(archive), companion=companion, results=results)
    assert Outcome.VERIFIED is report.outcome, report.sentence
    assert (results != b"") is ("Kim Cole" in json.dumps(json.loads(results), ensure_ascii=False))
    bent = results.replace(b'"unconstrained":[{"id":1', b'"unconstrained":[{"id":2')
    assert bent != results
    assert Outcome.REFUSED is verify_archive(io.BytesIO(archive), companion=companion, results=bent).outcome


@pytest.mark.parametrize("rule", [rule.id for rule in RULES.values() if rule.kind != "approval"])
def test_the_report_tells_of_quota_places_lots_and_re_opened_places_under_every_rule(rule: str) -> None:
    names, seats = ["Ann", "Bo", "Cy", "Di", "RON"], 1 if rule == "av" else 2
    women = parse_constraints(json.dumps({"groups": {"women": ["Cy", "Di"]}, "rules": [{"group": "women", "at_least": seats}]}), names)
    papers = [(0, 1)] * 4 + [(1, 0)] * 3 + [(2,)] * 2 + [(3,)] * 2
    lot = LotOrder.typed([3, 2, 1, 0, 4], 5)
    record = count(rule, profile_from_rankings(names, papers, seats), seats, ron=4, constraints=women, lot=lot)
    report = report_of(record, 1)
    assert report.quotas is not None
    assert set(report.quotas.elected) <= {"Cy", "Di"}
    assert {"Ann"} <= set(report.quotas.without) <= {"Ann", "Bo"}
    assert report.quotas.beside.startswith("The quota places changed the result: ")
    assert any("Ann and Bo could no longer be elected" in act for act in report.quotas.acts)
    if rule == "av":
        assert "Stage 4: Cy and Di had equal votes. By lot, Cy was the one to be excluded." in report.notes
    assert any("drawn in public and typed in: Di, Cy, Bo, Ann, RON." in note for note in report.notes)
    again = count(rule, profile_from_rankings(names, [(4,)] * 9 + papers[-4:], seats), seats, ron=4, constraints=women, lot=lot)
    assert any("of the unfilled places for group “women”" in note for note in report_of(again, 1).notes)


# --- before the box is opened ---------------------------------------------------------------------------------------


def test_a_lot_and_a_withdrawal_are_recorded_and_shown(
    site: Site, clock: FixedClock, meeting: str, returning_officer: Visitor, anybody: Visitor
) -> None:
    officer = returning_officer
    uuid = voted(site, clock, officer, meeting)
    there = f"/officer/e/{uuid}/tally"
    assert "Record a lot drawn in public" in text_of(officer.get(there))
    order = ["Lee Dunn", "Re-open nominations", "kim  cole", "Ida Ash", "Jon Bell"]

    def lot(names: list[str]):  # type: ignore[no-untyped-def]
        fields = {"lot-number": "1", "lot-order": "\n".join(names), "lot-code": officer.digits()}
        return officer.post(f"{there}/lot", fields, page=there)

    refused = lot(order[:4])
    assert 422 == refused.status_code
    assert "Missing: Jon Bell" in text_of(refused)
    assert "kim  cole" in refused.get_data(as_text=True)
    assert "stands there twice" in text_of(lot([*order, "Ida Ash"]))
    assert "is no choice of that question" in text_of(lot([*order[:4], "John"]))
    assert 303 == lot(order).status_code

    def withdraw(candidate: str):  # type: ignore[no-untyped-def]
        return officer.post(f"{there}/withdrawal", {"withdrawal-candidate": candidate, "withdrawal-code": officer.digits()}, page=there)

    for nobody in ("", "1.4", "2.0", "x"):
        assert 422 == withdraw(nobody).status_code
    assert 303 == withdraw("1.2").status_code
    assert 422 == withdraw("1.2").status_code
    page = text_of(officer.get(there))
    assert "Withdrew before the count: Kim Cole (1. Committee)." in page
    assert "Lot drawn in public, most favoured first: Lee Dunn, Re-open nominations, Kim Cole" in page
    assert "can no longer be met" not in page  # Lee Dunn still stands

    publish(officer, uuid)
    for form in ("lot", "withdrawal"):
        assert f"{there}/{form}" not in officer.get(there).get_data(as_text=True)
    late = officer.post(
        f"{there}/lot", {"lot-number": "1", "lot-order": "\n".join(order), "lot-code": officer.digits()}, page="/officer/account"
    )
    assert 422 == late.status_code
    result = text_of(anybody.get(f"/e/{uuid}/result"))
    assert "Withdrew before the count: Kim Cole." in result
    assert "drawn in public and typed in" in result
    assert "Elected: Ida Ash and Lee Dunn." in result
    journal = text_of(anybody.get(f"/m/{meeting}/journal"))
    assert "A lot drawn in public" in journal
    assert "A candidate withdrew before the count" in journal
    assert tally.outcome(site.database, uuid).questions[0].record is not None


@pytest.mark.parametrize(
    ("unmet", "told", "result"),
    [
        ("refuse", "Nobody will be elected there", "can meet the constraints"),
        ("leave-empty", "1 left empty, to be re-opened", "1 of 2 seats stays unfilled"),
        ("cap", "the minimum is capped at 0", "Elected: Ida Ash and Jon Bell."),
    ],
)
def test_an_officer_is_told_what_follows_when_a_withdrawal_leaves_quota_places_unmet(
    site: Site, clock: FixedClock, meeting: str, returning_officer: Visitor, anybody: Visitor, unmet: str, told: str, result: str
) -> None:
    officer = returning_officer
    changes = {"question-quotas": "Women: at least 1 — Kim Cole", "question-unmet": unmet}
    uuid = voted(site, clock, officer, meeting, **changes)
    there = f"/officer/e/{uuid}/tally"
    fields = {"withdrawal-candidate": "1.2", "withdrawal-code": officer.digits()}
    assert 303 == officer.post(f"{there}/withdrawal", fields, page=there).status_code
    page = text_of(officer.get(there))
    assert "The quota places of question 1 can no longer be met" in page
    assert told in page
    publish(officer, uuid)
    page = text_of(anybody.get(f"/e/{uuid}/result"))
    assert result in page
    if unmet == "leave-empty":
        assert "1 of the unfilled places for group “Women”" in page
        assert "The quota places changed the result: Jon Bell not elected." in page
