"""The booth in Welsh, and a change of language in the middle of a vote."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest

from tests.browser.hall import COMMITTEE, MOTION, NAMES, Hall, Meeting, draft
from tests.browser.voter import Voter

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def meeting(hall: Hall) -> Meeting:
    return hall.meeting(draft("Motions", MOTION), draft("Committee", COMMITTEE), name="Autumn meeting").lock_and_open()


@pytest.fixture
def welsh(voter: Voter) -> Iterator[Voter]:
    """A member whose browser asks for Welsh."""
    voter.driver.execute_cdp_cmd("Network.enable", {})
    voter.driver.execute_cdp_cmd("Network.setExtraHTTPHeaders", {"headers": {"Accept-Language": "cy,en;q=0.8"}})
    yield voter
    voter.driver.execute_cdp_cmd("Network.setExtraHTTPHeaders", {"headers": {}})


def lang(voter: Voter) -> str:
    return str(voter.driver.execute_script("return document.documentElement.lang"))


def test_a_member_votes_in_welsh(meeting: Meeting, welsh: Voter) -> None:
    member = meeting.members[0]
    welsh.open(member.link)
    welsh.wait_for_heading("Pleidleisio: Autumn meeting")
    assert "cy" == lang(welsh)
    assert re.search(r"Mae’r (bleidlais gyntaf yn|pleidleisio’n) cau ddydd \w+ \d+ \w+ 20\d\d am [\w. ]+ \(amser y DU\)\.", welsh.text)
    assert "Sut mae hyn yn gweithio" in welsh.driver.find_element("tag name", "footer").text
    welsh.picture("cy start")
    welsh.press("Dechrau")
    welsh.wait_for("Mae gennych 2 bapur pleidleisio ar ôl i’w llenwi.")
    welsh.picture("cy list")
    welsh.press("Pleidleisio: Motions")
    welsh.wait_for_heading("Motion 1")
    assert "en-GB" == welsh.driver.execute_script("return document.querySelector('h1').lang")
    welsh.press("Parhau")
    welsh.wait_for("Dewiswch ateb, neu dewiswch “Ymatal”.")
    assert welsh.title.startswith("Gwall: ")
    welsh.picture("cy motion without an answer")
    welsh.choose("O blaid (For)")
    welsh.press("Parhau")
    welsh.wait_for_heading("Gwiriwch eich pleidlais, yna bwriwch hi")
    welsh.press("Bwrw fy mhleidlais")
    welsh.wait_for_heading("Mae eich pleidlais yn y blwch pleidleisio")
    welsh.wait_for("Rydym newydd ddod o hyd i’ch cod yn y blwch pleidleisio.")
    welsh.picture("cy done")
    welsh.press("Gweld fy holl bapurau pleidleisio")
    welsh.press("Pleidleisio: Committee")
    welsh.press("Dewis Asha Okafor yn rhif 1")
    welsh.wait_until_said("Asha Okafor yw eich dewis rhif 1. 1 yn y drefn.")
    welsh.press("Dewis Ailagor enwebiadau (Re-open nominations) yn rhif 2")
    welsh.picture("cy ranking")
    welsh.press("Teipio rhifau yn lle hynny")
    welsh.picture("cy ranking by numbers")
    welsh.press("Parhau")
    welsh.press("Bwrw fy mhleidlais")
    code = welsh.receipt_code if welsh.wait_for_heading("Mae eich pleidlais yn y blwch") is None else ""
    welsh.press("Gwirio fy mhleidlais yn nes ymlaen")
    welsh.wait_for_heading("Gwirio fy mhleidlais")
    assert welsh.field("Cod eich derbynneb").get_attribute("value") == code
    welsh.press("Dod o hyd iddo")
    welsh.wait_for("Daethom o hyd i’r cod hwn yn")
    welsh.press("English")
    welsh.wait_for_heading("Your vote is in the ballot box")
    assert "en-GB" == lang(welsh)
    welsh.open(member.link)
    welsh.press("Dechrau")
    welsh.wait_for("Rydych wedi pleidleisio ym mhob pleidlais sydd ar agor i chi.")
    welsh.press("Gorffen")
    welsh.wait_for_heading("Rydych wedi gorffen")
    assert not [line for line in welsh.log() if "SEVERE" in line]


def test_the_language_changes_in_the_middle_and_nobody_is_told(meeting: Meeting, voter: Voter) -> None:
    voter.open(meeting.members[1].link)
    voter.press("Start")
    voter.press("Vote: Motions")
    voter.choose("Against")
    before = len(voter.network())
    voter.press("Cymraeg")
    assert "English" == voter.focused
    assert "cy" == lang(voter)
    assert voter.field("Yn erbyn (Against)").is_selected()
    assert "Parhau" in voter.text
    voter.press("English")
    assert voter.field("Against").is_selected()
    voter.press("Continue")
    voter.wait_for_heading("Check your vote")
    voter.press("Cymraeg")
    voter.wait_for_heading("Gwiriwch eich pleidlais")
    assert "Yn erbyn (Against)" in voter.text
    assert [] == voter.network()[before:], "no request tells anybody which language a member reads"
    voter.press("Bwrw fy mhleidlais")
    voter.wait_for_heading("Mae eich pleidlais yn y blwch pleidleisio")
    voter.press("English")
    voter.wait_for_heading("Your vote is in the ballot box")


def test_what_was_typed_stays_when_the_language_changes(meeting: Meeting, voter: Voter) -> None:
    voter.open(meeting.members[2].link[:-10])
    voter.type("Your code", "abc")
    voter.press("Cymraeg")
    voter.wait_for_heading("Rhowch y cod o’ch e-bost")
    assert "abc" == voter.field("Eich cod").get_attribute("value")
    voter.press("Parhau")
    voter.wait_for("Nid yw hwnnw’n god cyfan.")
    voter.picture("cy code malformed")
    voter.press("English")
    voter.wait_for("That is not a whole code.")


def test_no_other_language_than_ours_can_be_asked_for(hall: Hall, voter: Voter) -> None:
    for asked, given in (("cy", "cy"), ("en", "en-GB"), ("xx", "en-GB"), ("%3Cscript%3E", "en-GB"), ("cy&lang=en", "cy")):
        voter.driver.get(f"{hall.site.url}/vote/finished?lang={asked}")
        assert given == lang(voter)
    voter.driver.get(f"{hall.site.url}/vote?lang=cy")
    voter.wait_for_heading("Rhowch y cod o’ch e-bost")
    assert voter.driver.current_url.endswith("/vote"), "the address says nothing about the member"


# Every letter of the catalogue becomes a wide one, so that a word from elsewhere stands out.
WIDE = """const parse = JSON.parse;
const wide = (text) => text.replace(/\\{\\w+\\}|[A-Za-z]/g, (c) => c.length > 1 ? c : String.fromCodePoint(c.codePointAt(0) + 0xfee0));
const walk = (tree) => typeof tree === "string" ? wide(tree) : Array.isArray(tree) ? tree.map(walk)
  : Object.fromEntries(Object.entries(tree).map(([key, value]) => [key, walk(value)]));
JSON.parse = (text, ...more) => {
  const made = parse(text, ...more);
  if (made?.cy?.texts) for (const language of Object.values(made)) language.texts = walk(language.texts);
  return made;
};"""
SEEN = """const texts = [document.title.split(" – ")[0]];
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walker.nextNode()) {
  const element = walker.currentNode.parentElement;
  if (!element.closest("[hidden], script, [lang=en-GB], #languages, .name, .code")) texts.push(walker.currentNode.textContent);
}
return texts.concat([...document.querySelectorAll("[aria-label]")].map((e) => e.getAttribute("aria-label")));"""


def test_no_screen_shows_a_word_from_outside_the_catalogue(meeting: Meeting, welsh: Voter) -> None:
    known = [
        *NAMES,
        "Autumn meeting",
        "Motions",
        "Committee",
        *COMMITTEE.answers,
        *MOTION.question.split("\n"),
        "Strategy committee: 3 places",
    ]
    pattern = re.compile("|".join(re.escape(name) for name in sorted(known, key=len, reverse=True)))
    added = welsh.driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": WIDE})
    strange: dict[str, list[str]] = {}

    def look(screen: str) -> None:
        found = [re.sub(r"\b[0-9A-Za-z+/]{4}\b(?=\.)", "", pattern.sub("", text)) for text in welsh.driver.execute_script(SEEN)]
        assert re.search("[\uff21-\uff5a]{3}", "".join(found)), screen
        if words := [text for text in found if re.search("[A-Za-z]{2}", text)]:
            strange[screen] = words

    def press(selector: str, number: int = 0) -> None:
        welsh.driver.execute_script("document.querySelectorAll(arguments[0])[arguments[1]].click()", selector, number)

    def wait(selector: str) -> None:
        welsh._wait(lambda: welsh.driver.find_elements("css selector", selector), selector)

    try:
        welsh.open(meeting.members[3].link)
        wait("main .buttons button")
        look("start")
        press("main .buttons button")
        wait(".tasks button")
        look("list")
        press(".tasks button", 1)
        wait("form fieldset")
        press("form [type=submit]")
        wait(".summary")
        look("motion with an error")
        press("#answer-1")
        press("form [type=submit]")
        wait("section.card")
        look("check")
        press("main > div .buttons button")
        wait("#seen")
        look("done")
        press("main .buttons:nth-of-type(2) button, main .buttons button", 4)
        wait(".choice, .tasks button")
        if not welsh.driver.find_elements("css selector", ".choice"):
            press(".tasks button", 0)
        wait(".choice button")
        press(".choice button", 0)
        press(".choice button", 1)
        look("ranking")
        press("[data-view]")
        wait(".choice input")
        look("numbers")
        press("#answer-blank")
        press("form [type=submit]")
        wait(".summary")
        look("numbers with an error")
        welsh.open(meeting.members[3].link[:-4])
        wait("#code-form")
        press("#code-form [type=submit]")
        wait(".summary")
        look("typed code")
    finally:
        welsh.driver.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", added)
    assert {} == strange, json.dumps(strange, indent=1)
