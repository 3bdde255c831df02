"""Ballots from templates, as an officer makes them on a phone, looking at what each does before it is saved."""

from __future__ import annotations

import pytest

from ballot.services import trustees
from tests.browser.hall import OFFICER, Hall
from tests.browser.test_roll_import import new_meeting, sign_in
from tests.browser.voter import Voter
from tests.support.chromium import PHONE, browser
from tests.web.test_officer_in_a_browser import fill, heading, press

pytestmark = [pytest.mark.browser, pytest.mark.slow]

WHEN = {"opens_on": "2036-03-10", "opens_at": "09:00", "closes_on": "2036-04-11", "closes_at": "23:00"}
QUOTAS = "Women: at least 50% — Ann Lee, Di Cole, Flo Ray\nYoung members: at least 1, at most 2 — Cy Reed, Gil Orr"
CANDIDATES = "Ann Lee\nBo Shah\nCy Reed\nDi Cole\nEd Moss\nFlo Ray\nGil Orr"


def test_ballots_from_templates_say_what_they_do_before_they_are_saved(hall: Hall) -> None:
    with browser(PHONE) as driver:
        seen = Voter(driver)

        def look(name: str) -> None:
            seen.picture(f"templates {name}")

        sign_in(hall, driver, "tess@example.org")
        look("1 my ballots, empty")
        press(driver, "Committee")
        fill(driver, name="2036 AGM", two_people="no", codes="site")
        press(driver, "Make the meeting")
        assert "New ballot: committee" == heading(driver)
        press(driver, "See what this does")
        assert "Type the name of the committee" in seen.text
        fill(
            driver,
            **{
                "question-wording": "Strategy committee",
                "question-seats": "6",
                "question-choices": CANDIDATES,
                "question-quotas": QUOTAS,
                "name": "Strategy committee",
                "notice_days": "14",
            },
            **WHEN,
        )
        press(driver, "See what this does")
        for words in (
            "the first side gets 4 and the other 2.",
            "without this rule 0 of the 6 places would go to “Women”, with it 3.",
            "7 candidates stand for 6 places: enough.",
            "It closes Friday 11 April 2036 at 11pm (UK time).",
            "is a bank holiday: Good Friday.",
            "Voting closes at night, 11pm",
            "The clocks go forward on Sunday 30 March 2036",
        ):
            assert words in seen.text, words
        look("2 committee, looked at")
        fill(driver, closes_on="2036-03-20", closes_at="17:00", counts_on="2036-03-21", counts_at="10:00")
        press(driver, "Save the ballot")
        assert "Strategy committee" == heading(driver)
        look("3 tasks")
        uuid = driver.current_url.rsplit("/", 1)[1]
        with hall.database.write() as db:
            people = [trustees.Person(name, f"{name.lower()}@example.org") for name in ("Kay", "Lee", "May")]
            trustees.name_trustees(db, uuid, people, 2, OFFICER, hall.now)
        press(driver, "Key-holders")
        driver.find_element("id", "free-2").click()
        press(driver, "Save who is free")
        look("4 key-holders and the count")
        driver.get(f"{hall.site.url}/officer/e/{uuid}/details")
        assert "1 key-holder of 3 is free on Friday 21 March 2036 at 10am" in seen.text
        look("5 dates with doubts")
        driver.get(f"{hall.site.url}/officer/e/{uuid}/questions")
        look("6 questions")

        new_meeting(hall, driver, "Branch meeting")
        driver.get(f"{driver.current_url}/elections/new")
        look("7 templates")
        press(driver, "Motion")
        fill(
            driver,
            **{
                "question-wording": "That we meet twice a year.",
                "question-threshold": "two-thirds",
                "question-base": "cast",
                "question-quorum": "64",
            },
        )
        press(driver, "See what this does")
        assert "With 200 For, 90 Against, 10 Abstain: carried. It needs 194 For." in seen.text
        assert "because the quorum of 64 is not met." in seen.text
        assert "Give the ballot a name" in seen.text
        look("8 motion, looked at")
        driver.get(driver.current_url.replace("/motion", "/consultation"))
        assert driver.find_element("name", "advisory").is_selected()
        look("9 consultation")
