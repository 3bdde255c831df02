"""The booth without a mouse, by ear, in an old browser, and with colours forced by the system."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver.common.keys import Keys

from tests.browser.hall import COMMITTEE, DELEGATES, MOTION, Hall, Meeting, draft
from tests.browser.voter import Voter
from tests.support.site import Site

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def meeting(hall: Hall) -> Meeting:
    return hall.meeting(draft("Everything", MOTION, COMMITTEE, DELEGATES), name="May meeting").lock_and_open()


def test_the_booth_is_used_with_the_keyboard_alone(meeting: Meeting, voter: Voter) -> None:
    voter.open(meeting.members[0].link)
    voter.wait_for_heading("Vote at the May meeting")
    voter.tab_to("Start")
    voter.keys(Keys.ENTER)
    voter.wait_for_heading("Motion 1")
    voter.tab_to("For")
    voter.keys(Keys.ARROW_DOWN)
    assert voter.field("Against").is_selected()
    voter.tab_to("Continue")
    voter.keys(Keys.SPACE)

    voter.wait_for_heading("Strategy committee")
    for number, name in (("1st", "Bram Lister"), ("2nd", "Asha Okafor"), ("3rd", "Femi Adeyemi")):
        voter.driver.execute_script("document.querySelector('h1').focus()")
        voter.tab_to(f"Choose {name} as {number}")
        voter.keys(Keys.ENTER)
        voter.wait_until_said(f"{name} is your {number} choice.")
        assert f"{number} choice: {name} – remove" == voter.focused
    voter.tab_to("Up: move Femi Adeyemi up to 2nd")
    voter.keys(Keys.ENTER)
    voter.wait_until_said("Femi Adeyemi is now your 2nd choice.")
    assert "Up: move Femi Adeyemi up to 1st" == voter.focused, "the pressed button keeps the focus"
    voter.keys(Keys.ENTER)
    voter.keys(Keys.ENTER)
    voter.wait_until_said("Femi Adeyemi is already at the top.")
    voter.tab_to("Remove Asha Okafor")
    voter.keys(Keys.SPACE)
    voter.wait_until_said("Asha Okafor is not ranked now. 2 ranked.")
    assert "Remove Bram Lister" == voter.focused, "the focus goes on to the neighbour"
    voter.tab_to("Continue")
    voter.keys(Keys.ENTER)

    voter.wait_for_heading("Conference delegates")
    voter.tab_to("Continue")
    voter.keys(Keys.ENTER)
    voter.wait_for("There is a problem")
    voter.keys(Keys.TAB)
    voter.keys(Keys.ENTER)
    assert "INPUT" == voter.driver.switch_to.active_element.tag_name.upper(), "the summary leads to the field"
    voter.keys(Keys.SPACE)
    voter.tab_to("Continue")
    voter.keys(Keys.ENTER)
    voter.wait_for_heading("Check your vote")
    voter.tab_to("Change: Motion 1: free buses for under-22s")
    voter.keys(Keys.ENTER)
    voter.wait_for_heading("Motion 1")
    voter.tab_to("Against")
    voter.tab_to("Continue")
    voter.keys(Keys.ENTER)
    voter.wait_for_heading("Check your vote")
    voter.tab_to("Cast my vote")
    voter.keys(Keys.ENTER)
    voter.wait_for_heading("Your vote is in the ballot box")
    voter.wait_for("We found your code")
    voter.tab_to("Finish")
    voter.keys(Keys.ENTER)
    voter.wait_for_heading("You have finished")


def heard(voter: Voter, *roles: str) -> list[tuple[str, str]]:
    """What a screen reader finds on the page, in its order: roles with names, and levels of headings."""
    voter.driver.execute_cdp_cmd("Accessibility.enable", {})
    nodes: list[dict[str, Any]] = voter.driver.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
    found = []
    for node in nodes:
        role, name = node.get("role", {}).get("value", ""), node.get("name", {}).get("value", "")
        if not node["ignored"] and role in roles:
            levels = [str(one["value"]["value"]) for one in node.get("properties", []) if one["name"] == "level"]
            found.append((role + "".join(levels), " ".join(name.split()).replace(" :", ":")))
    return found


def test_a_screen_reader_finds_names_headings_and_messages(meeting: Meeting, voter: Voter) -> None:
    voter.open(meeting.members[1].link)
    voter.wait_for_heading("Vote at the May meeting")
    places = {("banner", ""), ("navigation", "Site"), ("main", ""), ("contentinfo", ""), ("navigation", "About")}
    assert places == set(heard(voter, "banner", "navigation", "main", "contentinfo"))
    assert [("heading1", "Vote at the May meeting")] == heard(voter, "heading")
    assert {("button", "Cymraeg"), ("button", "Start")} == set(heard(voter, "button"))
    voter.press("Start")
    voter.wait_for_heading("Motion 1")
    assert "Motion 1: free buses for under-22s" == voter.focused, "the reader stands at the new heading"
    assert {("group", "Choose one."), ("radio", "For"), ("radio", "Against"), ("radio", "Abstain")} == set(heard(voter, "group", "radio"))
    voter.press("Continue")
    voter.wait_for("There is a problem")
    assert "There is a problem" in voter.focused, "the reader stands at what is wrong"
    assert {("heading2", "There is a problem"), ("heading1", voter.heading)} == set(heard(voter, "heading"))
    assert ("link", "Choose an answer, or choose “Abstain”.") in heard(voter, "link")
    assert 1 == len(heard(voter, "alert"))
    voter.choose("For")
    voter.press("Continue")
    voter.wait_for_heading("Strategy committee")
    voter.press("Choose Bram Lister as 1st")
    voter.press("Choose Asha Okafor as 2nd")
    voter.wait_until_said("Asha Okafor is your 2nd choice. 2 ranked.")
    headings = heard(voter, "heading")
    assert [("heading1", "Strategy committee: 3 places"), ("heading2", "Choices"), ("heading2", "Your ranking")] == headings
    names = [name for _, name in heard(voter, "button")]
    for name in (
        "Choose Femi Adeyemi as 3rd",
        "1st choice: Bram Lister – remove",
        "Up: Bram Lister is at the top",
        "Down: move Bram Lister down to 2nd",
        "Up: move Asha Okafor up to 1st",
        "Down: Asha Okafor is at the bottom",
        "Remove Asha Okafor",
        "Show A to Z",
        "Type numbers instead",
    ):
        assert name in names, names
    assert len(names) == len(set(names)), "no two buttons sound alike"
    assert ("checkbox", "Leave this one blank") in heard(voter, "checkbox")
    voter.press("Type numbers instead")
    assert {"Bram Lister", "Asha Okafor", "Femi Adeyemi"} <= {name for _, name in heard(voter, "textbox")}
    assert 2 <= len(heard(voter, "status")), "the banner and the live region"


# --- other browsers ------------------------------------------------------------------------------------------------


def test_an_old_browser_is_told_kindly(meeting: Meeting, voter: Voter) -> None:
    """One that has modules and not what the booth needs; and one that runs nothing of it at all."""
    old = voter.driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": "delete window.BigInt;"})
    try:
        voter.open(meeting.members[2].link)
        voter.wait_for("too old in this browser")
    finally:
        voter.driver.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", old)
    voter.driver.execute_cdp_cmd("Network.enable", {})
    voter.driver.execute_cdp_cmd("Network.setBlockedURLs", {"urls": ["*booth.js*"]})
    try:
        voter.open(meeting.members[2].link)
        voter.wait_for("too old in this browser")
        assert "Voting needs JavaScript" == voter.heading
        assert meeting.hall.site.url + "/vote" in voter.text
        voter.picture("7 old browser")
    finally:
        voter.driver.execute_cdp_cmd("Network.setBlockedURLs", {"urls": []})


def test_with_forced_colours_buttons_and_marks_keep_their_edges(meeting: Meeting, voter: Voter) -> None:
    media = {"features": [{"name": "forced-colors", "value": "active"}]}
    voter.open(meeting.members[3].link)
    voter.press("Start")
    voter.choose("For")
    voter.press("Continue")
    voter.press("Choose Bram Lister as 1st")
    voter.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
    try:
        bare = voter.driver.execute_script(
            "return [...document.querySelectorAll('main button:not(.linklike), .notice, input')].filter((e) => e.offsetParent)"
            ".filter((e) => getComputedStyle(e).borderStyle.includes('none') && e.type !== 'checkbox').map((e) => e.outerHTML)"
        )
        assert [] == bare
        voter.tab_to("Show A to Z")
    finally:
        voter.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def test_nothing_moves(meeting: Meeting, voter: Voter) -> None:
    """So nothing has to be still for those who ask for less motion."""
    voter.open(meeting.members[4].link)
    voter.wait_for_heading("Vote at the May meeting")
    moving = voter.driver.execute_script(
        "return [...document.querySelectorAll('*')].filter((e) => { const s = getComputedStyle(e);"
        " return parseFloat(s.transitionDuration) > 0 || parseFloat(s.animationDuration) > 0 }).map((e) => e.tagName)"
    )
    assert [] == moving
    assert "auto" == voter.driver.execute_script("return getComputedStyle(document.documentElement).scrollBehavior")


def test_a_logo_and_a_pale_colour_can_be_seen(new_site: Callable[..., Site], voter: Voter, tmp_path: Path) -> None:
    """In both schemes: the pictures are looked at by axe-core too."""
    logo = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 40 40"><circle cx="20" cy="20" r="20" fill="#7b1e3a"/></svg>'
    (tmp_path / "logo.svg").write_text(logo)
    site = new_site(BALLOT_LOGO=str(tmp_path / "logo.svg"), BALLOT_COLOUR="#ffd700", BALLOT_ORGANISATION="Northern Assembly")
    hall = Hall(site)
    try:
        voter.open(hall.meeting(draft("Motions", MOTION), name="Spring meeting").lock_and_open().members[0].link)
        voter.wait_for_heading("Vote at the Spring meeting")
        assert voter.driver.execute_script("const logo = document.querySelector('.logo'); return logo.complete && logo.naturalWidth > 0")
        assert "rgb(23, 89, 74)" != voter.driver.execute_script(
            "return getComputedStyle(document.querySelector('main button')).backgroundColor"
        )
        voter.picture("1 start with a logo and a colour")
        assert [] == [line for line in voter.log() if "SEVERE" in line]
    finally:
        hall.database.dispose()
