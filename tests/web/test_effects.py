"""What a rule does, in words with counted examples; and the pages that show it while a form is filled and after."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from itertools import product

import pytest
from sqlmodel import select

from ballot.app import Site
from ballot.count import RULES
from ballot.models import Election, Meeting, Trustee
from ballot.protocol.declarations import split_description
from ballot.protocol.messages import QuestionH, QuestionNH
from ballot.recount import BASES, THRESHOLDS, motion_threshold
from ballot.services import lifecycle
from ballot.web.effects import effects, quota_effects, standing
from ballot.web.rules import rule_words
from tests.web.conftest import Visitor, text_of
from tests.web.test_journey import DETAILS, MOTION, freeze, make_ballot, make_meeting, upload

RON = "Re-open nominations"
PEOPLE = ("Ann", "Bo", "Cy", "Di", "Ed", "Flo", "Gil")
FOR = QuestionH(("For", "Against"), 1, 1, "M", blank=True)


@pytest.fixture
def meeting(returning_officer: Visitor) -> str:
    return make_meeting(returning_officer)


def test_a_page_says_what_carries_a_motion_as_the_count_does() -> None:
    for threshold, base in product(THRESHOLDS, BASES):
        rule = {"rule": "motion", "threshold": threshold, "base": base}
        assert f"To be carried, it needs {motion_threshold(rule).words}." == rule_words(rule, FOR)


@pytest.mark.parametrize(
    ("threshold", "base", "first", "second"),
    [
        ("simple-majority", "cast", "carried. It needs 146 For.", "carried. It needs 136 For."),
        ("simple-majority", "papers", "carried. It needs 151 For.", "not carried. It needs 151 For."),
        ("simple-majority", "electorate", "not carried. It needs 201 For.", "not carried. It needs 201 For."),
        ("two-thirds", "cast", "carried. It needs 194 For.", "not carried. It needs 180 For."),
        ("three-quarters", "cast", "not carried. It needs 218 For.", "not carried. It needs 203 For."),
    ],
)
def test_a_motions_examples_are_decided_as_motions_are(threshold: str, base: str, first: str, second: str) -> None:
    found = effects({"rule": "motion", "threshold": threshold, "base": base, "quorum": 64}, FOR)
    where = ", of 400 who could vote" if base == "electorate" else ""
    assert f"With 200 For, 90 Against, 10 Abstain{where}: {first}" == found[0]
    assert f"With 150 For, 120 Against, 30 Abstain{where}: {second}" == found[1]
    assert found[2].endswith("145 Against, 10 Abstain" + where + ": not carried.")
    assert "If 63 members vote, all of them For: not carried, because the quorum of 64 is not met." == found[3]


@pytest.mark.parametrize("rule", [rule.id for rule in RULES.values() if rule.kind == "stv"])
def test_every_rule_for_several_places_shares_them_between_two_sides(rule: str) -> None:
    found = effects({"rule": rule, "seats": 5, "ron": True}, QuestionNH((*PEOPLE, RON), "Committee"))
    assert "the first side gets 3 and the other 2." in found[0]
    assert "If 60 of 100 members rank “Re-open nominations” first" in found[1]
    assert "3 stay empty" in found[1]


def test_one_place_and_lists() -> None:
    found = effects({"rule": "av", "seats": 1, "ron": True}, QuestionNH((*PEOPLE, RON), "Treasurer"))
    assert "25 rank C first and B second: B is elected." in found[0]
    assert "nobody is elected and nominations open again." in found[1]
    assert ["With 80 ticks for A, 75 for B and 65 for C: A and B win."] == effects(
        {"rule": "approval", "seats": 2, "ron": False}, QuestionH(PEOPLE, 0, 7, "Delegates")
    )
    assert [] == effects({"rule": "unheard of", "seats": 1}, QuestionNH(PEOPLE, "x"))


def test_each_quota_place_has_its_sentence_and_its_counted_example() -> None:
    rule = {
        "rule": "scottish-2011",
        "seats": 6,
        "ron": True,
        "constraints": {
            "groups": {"Women": ["Ann", "Di", "Flo"], "Young": ["Cy", "Ed"], "All": list(PEOPLE)},
            "rules": [{"group": "Women", "at_least": "50%"}, {"group": "Young", "at_most": 1}, {"group": "All", "at_most": 6}],
            "if_infeasible": "cap",
        },
    }
    women, young, everybody, last = quota_effects(rule, QuestionNH((*PEOPLE, RON), "Committee"))
    assert "At least 3 of the 6 places go to “Women” (50 %, rounded up). 3 stand: Ann, Di and Flo." in women
    assert "all outside “Women”: without this rule 0 of the 6 places would go to “Women”, with it 3." in women
    assert "all in “Young”: without this rule 6 of the 6 places would go to “Young”, with it 1." in young
    assert everybody.endswith("So it changes nothing.")
    assert last.startswith("If candidates withdraw")


@pytest.mark.parametrize(
    ("people", "seats", "ron", "enough", "words"),
    [
        (7, 6, True, True, "7 candidates stand for 6 places: enough."),
        (6, 6, True, True, "6 candidates stand for 6 places: as many as are needed. Members can rank “Re-open nominations” instead."),
        (4, 6, True, False, "4 candidates stand for 6 places, so at least 2 places stay empty."),
        (1, 1, False, False, "1 candidate stands for 1 place: as many as are needed. There is nothing to decide."),
    ],
)
def test_who_stands_is_compared_with_the_places(people: int, seats: int, ron: bool, enough: bool, words: str) -> None:
    answers = (*PEOPLE[:people], *([RON] if ron else []))
    assert (enough, words) == standing({"rule": "meek", "seats": seats, "ron": ron}, QuestionNH(answers, "C"))


# --- on the pages -------------------------------------------------------------------------------------------------


def test_the_empty_page_offers_templates_and_each_leads_through_a_meeting_to_its_form(returning_officer: Visitor) -> None:
    page = text_of(returning_officer.get("/officer/"))
    assert "No ballots yet. Start with a template, or run a practice ballot first." in page
    assert "With 200 For, 90 Against, 10 Abstain: carried." in page
    for words in ("Motion", "Officer’s post", "Committee", "Consultation", "Practice ballot"):
        assert words in page
    sent = {"name": "AGM", "two_people": "no", "codes": "site", "start": "committee"}
    made = returning_officer.post("/officer/meetings/new", sent)
    assert made.headers["Location"].endswith("/elections/new/committee")
    page = "/officer/meetings/new?start=practice"
    made = returning_officer.post("/officer/meetings/new", {**sent, "start": "practice"}, page=page)
    chosen = returning_officer.get(made.headers["Location"])
    assert "/elections/new/motion?practice=y" in chosen.get_data(as_text=True)
    form = returning_officer.get(made.headers["Location"].replace("/new?", "/new/motion?")).get_data(as_text=True)
    assert 'checked id="practice"' in form or 'id="practice" checked' in form.replace(' name="practice" type="checkbox" value="y"', "")
    odd = returning_officer.post("/officer/meetings/new", {**sent, "start": "//evil.example"})
    assert odd.headers["Location"].count("/") == 3


def test_looking_shows_effect_and_dates_and_saves_nothing(site: Site, meeting: str, returning_officer: Visitor) -> None:
    sent = {
        **DETAILS,
        **MOTION,
        "look": "y",
        "closes_on": "2026-04-03",
        "notice_days": "14",
        "counts_on": "2026-04-03",
        "counts_at": "23:00",
    }
    response = returning_officer.post(f"/officer/m/{meeting}/elections/new/motion", sent)
    page = text_of(response)
    assert 200 == response.status_code
    for words in (
        "With 200 For, 90 Against, 10 Abstain: carried. It needs 146 For.",
        "Voting opens Tuesday 10 March 2026 at 9am (UK time). It closes Friday 3 April 2026 at 5pm (UK time).",
        "the earliest day to open is Tuesday 24 March 2026",
        "is a bank holiday: Good Friday",
        "The clocks go forward on Sunday 29 March 2026",
        "The count begins at night, 11pm.",
    ):
        assert words in page
    assert "That we meet twice a year." in page
    with site.database.read() as db:
        assert [] == list(db.exec(select(Election)))
        assert 0 == db.get_one(Meeting, meeting).notice_days
    wrong = returning_officer.post(f"/officer/m/{meeting}/elections/new/motion", {**sent, "question-threshold": "", "counts_at": ""})
    assert 422 == wrong.status_code
    assert "Choose what carries the motion" in text_of(wrong)
    assert "Give both the day and the time of the count, or neither." in text_of(wrong)


def test_a_question_is_looked_at_again_when_it_is_changed(meeting: str, returning_officer: Visitor) -> None:
    uuid = make_ballot(returning_officer, meeting)
    fields = {
        "question-wording": "Committee",
        "question-seats": "2",
        "question-choices": "Ida\nJon\nKim",
        "question-rule": "scottish-2011",
        "question-ron": "y",
        "question-quotas": "Women: at least 1 — Ida, Kim",
        "question-unmet": "cap",
        "look": "y",
    }
    looked = text_of(returning_officer.post(f"/officer/e/{uuid}/questions/new/committee", fields))
    assert "3 candidates stand for 2 places: enough." in looked
    assert "without this rule 0 of the 2 places would go to “Women”, with it 1." in looked
    assert "1 question" in text_of(returning_officer.get(f"/officer/e/{uuid}"))
    del fields["look"]
    assert 303 == returning_officer.post(f"/officer/e/{uuid}/questions/new/committee", fields).status_code
    for address in ("questions", "questions/2", "lock"):
        assert "with it 1." in text_of(returning_officer.get(f"/officer/e/{uuid}/{address}")), address


def test_a_consultation_is_advisory_and_one_key_holder_is_enough(site: Site, meeting: str, returning_officer: Visitor) -> None:
    question = {"question-wording": "Where shall we meet?", "question-choices": "Leeds\nYork", "question-limit": "one"}
    form = returning_officer.get(f"/officer/m/{meeting}/elections/new/consultation").get_data(as_text=True)
    assert 'checked id="advisory"' in form
    uuid = make_ballot(returning_officer, meeting, "consultation", **question, advisory="y")
    alone = {"people": "Kay Key, kay@example.org", "threshold": "2"}
    assert 303 == returning_officer.post(f"/officer/e/{uuid}/trustees", alone).status_code
    page = text_of(returning_officer.get(f"/officer/e/{uuid}/trustees"))
    assert "That person could open the box alone" in page
    with site.database.read() as db:
        election = db.get_one(Election, uuid)
        description = lifecycle._declared("", lifecycle.draft_of(election), "")
    declarations = split_description(description)[1]
    assert declarations is not None
    assert declarations.advisory is True
    binding = make_ballot(returning_officer, meeting)
    refused = returning_officer.post(f"/officer/e/{binding}/trustees", alone)
    assert (422, True) == (refused.status_code, "Name at least 3 key-holders" in text_of(refused))


def test_members_read_that_a_consultation_binds_nobody(meeting: str, returning_officer: Visitor, anybody: Visitor) -> None:
    upload(returning_officer, meeting)
    freeze(returning_officer, meeting)
    question = {"question-wording": "Where shall we meet?", "question-choices": "Leeds\nYork", "question-limit": "any"}
    uuid = make_ballot(returning_officer, meeting, "consultation", **question, advisory="y", practice="y")
    assert "A consultation: it advises, and binds nobody." in text_of(returning_officer.get(f"/officer/e/{uuid}/lock"))
    assert 303 == returning_officer.post(f"/officer/e/{uuid}/lock", {"code": returning_officer.digits()}).status_code
    assert "This is a consultation. It advises, and binds nobody." in text_of(anybody.get(f"/e/{uuid}"))


def test_the_list_of_tasks_has_the_steps_in_order_and_the_dates_their_doubts(meeting: str, returning_officer: Visitor) -> None:
    uuid = make_ballot(returning_officer, meeting, closes_on="2026-04-03", counts_on="2026-04-04", counts_at="10:00")
    page = text_of(returning_officer.get(f"/officer/e/{uuid}"))
    tasks = page.partition("Tasks")[2]
    places = [
        tasks.index(word)
        for word in ("Questions", "Who can vote", "Key-holders", "Dates and details", "Messages", "Practice", "Lock the ballot")
    ]
    assert sorted(places) == places
    assert "is a bank holiday: Good Friday" in tasks
    assert "And 2 more things to think about." in tasks
    assert "No key-holders are named for the count yet." in text_of(returning_officer.get(f"/officer/e/{uuid}/details"))


def test_who_is_free_for_the_count_is_noted(
    site: Site, meeting: str, returning_officer: Visitor, new_officer: Callable[..., Visitor]
) -> None:
    uuid = make_ballot(returning_officer, meeting, counts_on="2026-03-21", counts_at="10:00")
    people = "Kay Key, kay@example.org\nLee Lock, lee@example.org\nMay Main, may@example.org"
    returning_officer.post(f"/officer/e/{uuid}/trustees", {"people": people, "threshold": "2"})
    there = f"/officer/e/{uuid}/trustees"
    assert "The key-holders have not been asked yet whether they are free on Saturday 21 March 2026 at 10am" in text_of(
        returning_officer.get(f"/officer/e/{uuid}/details")
    )
    assert "Who is free for the count?" in text_of(returning_officer.get(there))
    assert 303 == returning_officer.post(f"{there}/free", {"free": "2"}, page=there).status_code
    assert "1 key-holder of 3 is free" in text_of(returning_officer.get(f"/officer/e/{uuid}/details"))
    assert 409 == returning_officer.post(f"{there}/free", {"free": "9"}, page=there).status_code
    with site.database.read() as db:
        assert 3 == len(db.exec(select(Trustee)).all())
        assert datetime(2026, 3, 21, 10, tzinfo=UTC) == lifecycle.draft_of(db.get_one(Election, uuid)).counts_at
