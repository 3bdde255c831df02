"""The booth's screens in all their states, on a phone."""

from __future__ import annotations

import time
from datetime import timedelta
from pathlib import Path

import pytest

from ballot.protocol.receipts import Receipt
from tests.browser.hall import COMMITTEE, DELEGATES, MOTION, RON, Hall, Meeting, draft
from tests.browser.voter import Voter

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def agm(hall: Hall) -> Meeting:
    """A meeting with three elections, open for a week."""
    return hall.meeting(draft("Motions", MOTION), draft("Strategy committee", COMMITTEE), draft("Delegates", DELEGATES)).lock_and_open()


@pytest.fixture(scope="module")
def one_motion(hall: Hall) -> Meeting:
    return hall.meeting(draft("Motion 1", MOTION), name="October meeting", names=[f"Member {n}" for n in "abcdefghijklm"]).lock_and_open()


def test_a_member_goes_through_a_meeting_ballot_by_ballot(agm: Meeting, voter: Voter) -> None:
    member = agm.members[0]
    voter.open(member.link)
    voter.wait_for_heading("Vote at the 2026 annual general meeting")
    assert "This link is for one member only." in voter.text
    assert member.code not in voter.driver.current_url
    assert "#" not in voter.driver.current_url
    voter.picture("1 start")

    voter.press("Start")
    voter.wait_for_heading("Your ballots")
    assert "You have 3 ballots left to vote in." in voter.text
    voter.picture("1 list")

    voter.press("Vote: Motions")
    voter.wait_for_heading("Motion 1: free buses for under-22s")
    voter.picture("2 motion")
    assert "checked" not in [element.get_attribute("checked") for element in voter.driver.find_elements("css selector", "input")]
    voter.press("Continue")
    assert voter.title.startswith("Error: ")
    assert "There is a problem" in voter.text
    assert "Choose an answer, or choose “Abstain”." in voter.text
    voter.picture("2 motion without an answer")
    voter.vote_on("For")
    voter.wait_for_heading("Check your vote, then cast it")
    assert "Your vote has not been sent yet." in voter.text
    voter.picture("3 check motion")
    code = voter.cast()
    assert len(code) == 43
    voter.picture("5 done")

    voter.press("See all my ballots")
    voter.press("Vote: Strategy committee")
    voter.wait_for_heading("Strategy committee: 3 places")
    voter.picture("2 ranking empty")
    voter.press("Choose Bram Lister as 1st")
    voter.wait_until_said("Bram Lister is your 1st choice.")
    assert voter.focused == "1st choice: Bram Lister – remove"
    voter.press("Choose Femi Adeyemi as 2nd")
    voter.press("Choose Asha Okafor as 3rd")
    voter.press("Up: move Asha Okafor up to 2nd")
    voter.wait_until_said("Asha Okafor is now your 2nd choice.")
    assert voter.focused == "Up: move Asha Okafor up to 1st"
    voter.press("Read the statement of Asha Okafor")
    voter.picture("2 ranking with three choices")
    voter.press("Remove Femi Adeyemi")
    voter.wait_until_said("Femi Adeyemi is not ranked now.")
    assert voter.focused == "Remove Asha Okafor"
    voter.press("Choose Femi Adeyemi as 3rd")
    voter.press("Type numbers instead")
    voter.wait_for("Type 1 for your 1st choice")
    assert [voter.field(name).get_attribute("value") for name in ("Bram Lister", "Asha Okafor", "Femi Adeyemi", RON)] == ["1", "2", "3", ""]
    voter.picture("2 ranking by numbers")
    voter.type("Femi Adeyemi", "2")
    voter.press("Continue")
    assert "you already gave 2 to" in voter.text
    assert voter.field("Femi Adeyemi").get_attribute("value") == "2"
    voter.picture("2 ranking by numbers with an error")
    voter.type("Femi Adeyemi", "3")
    voter.press("Continue")
    voter.wait_for_heading("Check your vote, then cast it")
    assert "Not ranked: 4 choices" in voter.text
    voter.picture("3 check ranking")
    voter.press("Change: Strategy committee: 3 places")
    voter.press("Use buttons instead")
    voter.press("Show A to Z")
    names = [element.text.split("\n")[0] for element in voter.driver.find_elements("css selector", ".choice")]
    assert sorted(names) == names
    voter.press("Continue")
    voter.cast()

    voter.press("Next ballot: Delegates")
    voter.wait_for_heading("Conference delegates: up to 2")
    for name in ("Gail Platt", "Iris Wong", "Jo Stott"):
        voter.choose(name)
    voter.picture("2 choose up to two")
    voter.press("Continue")
    assert "You chose 3. Choose 2 at most." in voter.text
    assert voter.field("Jo Stott").is_selected()
    voter.choose("Jo Stott")
    voter.press("Continue")
    voter.cast()
    voter.press("See all my ballots")
    voter.wait_for("You have voted in every ballot that is open to you.")
    voter.picture("1 list all done")

    voter.press("Finish")
    voter.wait_for_heading("You have finished")
    voter.picture("6 finished")
    voter.driver.back()
    voter.wait_for_heading("Enter the code from your e-mail")
    assert code not in voter.driver.page_source
    assert not [line for line in voter.log() if "SEVERE" in line]


def test_a_second_visit_shows_the_receipt(agm: Meeting, one_motion: Meeting, voter: Voter) -> None:
    member = one_motion.members[0]
    voter.open(member.link)
    voter.press("Start")
    voter.vote_on("Abstain")
    code = voter.cast()
    voter.open(member.link)
    voter.press("Start")
    voter.wait_for_heading("You have already voted")
    assert f"code ends {code[-4:]}" in voter.text
    voter.picture("7 already voted")
    voter.press("Check my vote later")
    voter.wait_for_heading("Check my vote")
    assert voter.field("Your receipt code").get_attribute("value") == code
    assert code not in voter.driver.current_url
    voter.picture("6 check my vote")
    voter.press("Find it")
    voter.wait_for_heading("Your vote is in the ballot box")
    voter.picture("6 check my vote found")
    voter.type("Your receipt code", "A" * 43)
    voter.press("Find it")
    voter.wait_for_heading("We did not find this code")
    assert "Report a missing vote" in voter.text
    voter.picture("6 check my vote missing")
    voter.type("Your receipt code", "short")
    voter.press("Find it")
    voter.wait_for("Copy the whole of it.")
    assert voter.title.startswith("Error: ")
    voter.picture("6 check my vote malformed")


def test_before_it_opens_a_link_says_when_it_will(hall: Hall, voter: Voter) -> None:
    meeting = hall.meeting(draft("Motion 2", MOTION, opens_in=timedelta(days=2)), name="Spring meeting")
    meeting.lock()
    voter.open(meeting.members[0].link)
    voter.wait_for("Your link will work then.")
    voter.picture("7 not open yet")


def test_after_the_close_it_says_whether_a_vote_was_received(hall: Hall, voter: Voter) -> None:
    meeting = hall.meeting(draft("Motion 3", MOTION), name="Summer meeting").lock_and_open()
    voted, silent = meeting.members[:2]
    voter.open(voted.link)
    voter.press("Start")
    voter.vote_on("Against")
    voter.cast()
    meeting.close(meeting.uuids[0])
    for member, words, name in (
        (voted, "We received your vote.", "7 closed voted"),
        (silent, "We have no vote from you.", "7 closed not voted"),
    ):
        voter.open(member.link)
        voter.wait_for_heading("Voting has closed")
        voter.press("See if we have your vote")
        voter.wait_for(words)
        voter.picture(name)


def test_a_close_that_comes_near_is_announced(hall: Hall, voter: Voter) -> None:
    meeting = hall.meeting(draft("Motion 4", MOTION, closes_in=timedelta(minutes=9)), name="Short meeting").lock_and_open()
    voter.open(meeting.members[0].link)
    voter.press("Start")
    voter.wait_for("Voting closes in about 9 minutes.")
    voter.picture("7 closing soon")


def test_a_vote_that_arrives_too_late_is_refused_with_the_seconds(hall: Hall, voter: Voter) -> None:
    meeting = hall.meeting(draft("Motion 5", MOTION), name="Shorter meeting").lock_and_open()
    closes = (hall.now + timedelta(seconds=15)).replace(microsecond=0)
    meeting.set_close(meeting.uuids[0], closes)
    voter.open(meeting.members[0].link)
    voter.press("Start")
    voter.vote_on("For")
    voter.wait_for_heading("Check your vote")
    while hall.now < closes + timedelta(seconds=2):
        time.sleep(0.2)
    voter.press("Cast my vote")
    voter.wait_for("before your vote arrived. It was not counted.")
    voter.picture("7 too late")


def test_a_link_that_was_cut_short_leads_to_the_typed_code(one_motion: Meeting, voter: Voter) -> None:
    member = one_motion.members[1]
    voter.open(member.link[:-10])
    voter.wait_for_heading("Enter the code from your e-mail")
    assert "This link is not complete." in voter.text
    voter.picture("7 link cut short")
    voter.press("Continue")
    assert voter.title.startswith("Error: ")
    if "Which meeting?" in voter.text:
        voter.choose("October meeting")
        voter.press("Continue")
    assert "Enter the code from your e-mail." in voter.text
    voter.type("Your code", "abc")
    voter.press("Continue")
    voter.wait_for("That is not a whole code.")
    assert voter.field("Your code").get_attribute("value") == "abc"
    voter.picture("7 code malformed")
    voter.type("Your code", "abcde-fghijk-mnopq-rstuvw")
    voter.press("Continue")
    voter.wait_for("We do not know that code for this meeting.")
    voter.type("Your e-mail address", "nobody@example.org")
    voter.press("Send my link")
    voter.wait_for("If that address is on the list, we have sent it.")
    voter.picture("7 link sent again")
    voter.type("Your code", f"  {member.code.replace('-', ' – ')} ")
    voter.press("Continue")
    voter.wait_for_heading("Motion 1")
    voter.vote_on("For")
    voter.cast()


def test_a_link_that_was_replaced_says_so(one_motion: Meeting, voter: Voter) -> None:
    member = one_motion.members[2]
    token, _, code = member.link.rpartition(".")
    voter.open(f"{token[:-2]}AA.{code}")
    voter.press("Start")
    voter.wait_for("This link no longer works.")
    voter.picture("7 link replaced")


def test_without_javascript_the_page_says_what_to_do(new_voter, one_motion: Meeting) -> None:  # type: ignore[no-untyped-def]
    voter = new_voter(javascript=False)
    voter.runs_scripts = False
    voter.driver.get(one_motion.members[3].link)
    voter.wait_for("Voting needs JavaScript")
    assert "/vote" in voter.driver.find_element("tag name", "main").text
    voter.picture("7 no javascript")


def test_a_vote_cast_without_a_connection_waits_and_is_sent_as_it_was(one_motion: Meeting, voter: Voter) -> None:
    member = one_motion.members[4]
    voter.open(member.link)
    voter.press("Start")
    voter.vote_on("For")
    voter.wait_for_heading("Check your vote")
    voter.offline(True)
    voter.press("Cast my vote")
    voter.wait_for_heading("Your vote has NOT been counted yet")
    assert "Keep this page open; we will try again." in voter.text
    voter.picture("7 no connection")
    voter.press("Try again now")
    voter.wait_for("Next try in")
    voter.offline(False)
    voter.wait_for_heading("Your vote is in the ballot box")
    bodies = [request["body"] for request in voter.network() if request["url"].endswith("/cast")]
    assert 1 == len(set(bodies))


def test_a_slow_phone_is_asked_for_patience(one_motion: Meeting, voter: Voter) -> None:
    member = one_motion.members[5]
    voter.open(member.link)
    voter.press("Start")
    voter.choose("For")
    voter.driver.execute_script(
        "const ask = Worker.prototype.postMessage;"
        "Worker.prototype.postMessage = function (m) { setTimeout(() => ask.call(this, m), m.act === 'seal' ? 6000 : 0); };"
    )
    voter.press("Continue")
    voter.press("Cast my vote")
    voter.wait_for_heading("Locking and sending your vote")
    voter.picture("4 sending")
    voter.wait_for("This phone needs a little longer, usually under 20 seconds.")
    voter.picture("7 slow phone")
    voter.wait_for_heading("Your vote is in the ballot box")


def test_where_votes_may_be_replaced_the_last_one_counts(hall: Hall, voter: Voter) -> None:
    meeting = hall.meeting(draft("Advisory motion", MOTION, replace=True), name="Open evening").lock_and_open()
    member = meeting.members[0]
    for answer in ("For", "Against"):
        voter.open(member.link)
        voter.wait_for("You can change your vote until voting closes; only your last vote counts.")
        voter.press("Start")
        voter.vote_on(answer)
        voter.cast()


def test_other_questions_than_the_published_ones_stop_the_booth(one_motion: Meeting, voter: Voter) -> None:
    voter.open(one_motion.members[6].link)
    voter.wait_for_heading("Vote at the October meeting")
    voter.driver.execute_script(
        "const real = window.fetch; window.fetch = async (path, options) => {"
        " const response = await real(path, options);"
        " if (!String(path).endsWith('/election')) return response;"
        " return new Response((await response.text()).replace('Motion 1', 'Motion 7'), response); };"
    )
    voter.press("Start")
    voter.wait_for("The questions we were given are not the ones that were published.")
    voter.picture("7 alarm other questions")


def test_pages_fit_a_narrow_screen_and_buttons_a_thumb(agm: Meeting, new_voter) -> None:  # type: ignore[no-untyped-def]
    """WCAG 2.2: reflow at 320 pixels, targets of 44 pixels (links within a sentence are excepted)."""
    voter = new_voter((320, 640))
    voter.open(agm.members[1].link)
    seen = []
    for step in ("Start", "Vote: Strategy committee", "Choose Bram Lister as 1st", "Choose Asha Okafor as 2nd", "Continue"):
        voter.press(step)
        time.sleep(0.3)
        wide = voter.driver.execute_script("return document.documentElement.scrollWidth")
        small = voter.driver.execute_script(
            "return [...document.querySelectorAll('main button, main input, main summary')].filter((e) => e.offsetParent !== null)"
            ".map((e) => [e.type === 'radio' || e.type === 'checkbox' ? e.closest('.pick').getBoundingClientRect().height"
            " : e.getBoundingClientRect().height, e.textContent]).filter(([height]) => height < 44)"
        )
        seen.append((voter.heading, wide, small))
    assert [(heading, 320, []) for heading, _, _ in seen] == seen


def test_the_receipt_can_be_copied_and_saved(one_motion: Meeting, new_voter, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    voter = new_voter(downloads=tmp_path)
    voter.open(one_motion.members[7].link)
    voter.press("Start")
    voter.vote_on("For")
    code = voter.cast()
    voter.press("Save")
    deadline = time.monotonic() + 20
    text = ""
    while not text and time.monotonic() < deadline:  # the browser makes the file first, and writes it then
        time.sleep(0.1)
        text = "".join(file.read_text(encoding="utf-8") for file in tmp_path.glob("ballot-receipt-*.txt"))
    assert f"Receipt code: {code}\n" in text
    receipt = Receipt.parse(text.splitlines()[-1].encode())
    assert (code, one_motion.uuids[0]) == (receipt.ballot, receipt.election)
    voter.driver.execute_cdp_cmd("Browser.grantPermissions", {"permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"]})
    voter.press("Copy")
    voter.wait_for("Copied.")
    assert code == voter.driver.execute_async_script("navigator.clipboard.readText().then(arguments[0])")


def test_back_keeps_the_answers_and_the_skip_link_keeps_the_page(hall: Hall, voter: Voter) -> None:
    meeting = hall.meeting(draft("Two questions", MOTION, DELEGATES), name="Winter meeting").lock_and_open()
    voter.open(meeting.members[0].link)
    voter.press("Start")
    voter.vote_on("Against", "Huw Pickles")
    voter.wait_for_heading("Check your vote")
    voter.driver.back()
    voter.wait_for_heading("Conference delegates")
    assert voter.field("Huw Pickles").is_selected()
    voter.driver.back()
    voter.wait_for_heading("Motion 1")
    assert voter.field("Against").is_selected()
    voter.driver.execute_script("document.querySelector('.skip').click()")
    time.sleep(0.3)
    voter.wait_for_heading("Motion 1")
    voter.press("Continue")
    voter.wait_for_heading("Conference delegates")
    voter.press("Continue")
    voter.cast()
    voter.driver.back()
    assert "Motion 1" not in voter.heading
    assert "Cast my vote" not in voter.text


def test_a_reloaded_page_says_how_to_begin_again_and_the_order_stays(agm: Meeting, voter: Voter) -> None:
    def names() -> list[str]:
        voter.open(agm.members[2].link)
        voter.press("Start")
        voter.press("Vote: Strategy committee")
        voter.wait_for_heading("Strategy committee")
        return [element.text.split("\n")[0] for element in voter.driver.find_elements("css selector", ".choice")]

    first = names()
    voter.driver.refresh()
    voter.wait_for_heading("Enter the code from your e-mail")
    assert "If you reloaded this page" in voter.text
    assert first == names()
    assert RON == first[-1]
