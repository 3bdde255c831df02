"""What leaves the device, and what the booth does when somebody lies to it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from itertools import count

import pytest
from sqlmodel import func, select

from ballot.models import Cast, RollEntry
from ballot.protocol.messages import QuestionH, QuestionNH
from tests.browser.hall import MOTION, Hall, Meeting, draft
from tests.browser.voter import Voter

pytestmark = pytest.mark.browser

CANARY = "Quetzalcoatl Xylophone"
RANKED = QuestionNH(("Ann Lee", "Bob May", CANARY, "Dot Fry"), "Which of these?")


@pytest.fixture(scope="module")
def meeting(hall: Hall) -> Meeting:
    names = [f"Member {a}{b}" for a in "abcde" for b in "klmno"]
    return hall.meeting(draft("Canary", MOTION, RANKED), names=names).lock_and_open()


@pytest.fixture(scope="module")
def member(meeting: Meeting) -> Callable[[], object]:
    """Another member each time."""
    members = iter(meeting.members)
    return lambda: next(members)


def vote(voter: Voter, link: str, motion: str, ranking: list[str]) -> None:
    voter.open(link)
    voter.press("Start")
    voter.vote_on(motion)
    for number, name in zip(count(1), ranking, strict=False):
        voter.press(f"Choose {name} as {number}{ {1: 'st', 2: 'nd', 3: 'rd'}.get(number, 'th') }")
    if not ranking:
        voter.choose("Leave this one blank")
    voter.press("Continue")
    voter.cast()


def shape(voter: Voter) -> list[tuple[str, str]]:
    """The voter's requests in order, what is different for everybody taken out."""
    return [
        (request["method"], re.sub(r"[0-9a-f]{64}", "<hash>", re.sub(r"^https?://[^/]+", "", request["url"])))
        for request in voter.network()
        if request["url"].startswith("http")
    ]


def test_plaintext_reaching_the_server_neither_choice_nor_code_is_in_any_request(meeting: Meeting, member: Callable, voter: Voter) -> None:  # type: ignore[type-arg]
    someone = member()
    vote(voter, someone.link, "Against", [CANARY, "Ann Lee"])
    everything = [f"{request['method']} {request['url']} {request['body']}" for request in voter.network()]
    assert [] == [line for line in everything if someone.code in line or CANARY.split(maxsplit=1)[0] in line or "Against" in line]
    (cast,) = [json.loads(request["body"]) for request in voter.network() if request["url"].endswith("/cast")]
    assert {"token", "ballot"} == cast.keys()
    assert {"election_uuid", "election_hash", "credential", "answers", "signature"} == json.loads(cast["ballot"]).keys()
    with_token = [
        request["url"].rpartition("/")[2] for request in voter.network() if someone.link.split("#")[1].rpartition(".")[0] in request["body"]
    ]
    assert ["open", "cast"] == with_token


def test_every_choice_makes_the_same_requests_in_the_same_order(meeting: Meeting, member: Callable, new_voter) -> None:  # type: ignore[no-untyped-def, type-arg]
    ways = [("For", ["Ann Lee"]), ("Against", ["Dot Fry", CANARY, "Bob May", "Ann Lee"]), ("Abstain", [])]
    shapes = []
    for motion, ranking in ways:
        voter = new_voter()
        vote(voter, member().link, motion, ranking)
        requests = shape(voter)
        shapes.append(requests[requests.index(("POST", "/vote/open")) :])  # before it, files load in any order, and nothing is chosen
        paths = [path for _, path in shapes[-1]]
        chosen = next(at for at, path in enumerate(paths) if path.endswith("/election"))
        assert paths[chosen + 1].endswith("/cast"), "no request between the ballot paper and the cast"
    assert shapes[0] == shapes[1] == shapes[2]


def test_nothing_is_kept_on_the_device(meeting: Meeting, member: Callable, voter: Voter) -> None:  # type: ignore[type-arg]
    someone = member()
    vote(voter, someone.link, "For", ["Ann Lee"])
    kept = voter.driver.execute_script(
        "return [document.cookie, localStorage.length, sessionStorage.length,"
        " JSON.stringify(history.state), location.href, document.referrer]"
    )
    assert ["", 0, 0] == kept[:3]
    assert someone.code not in json.dumps(kept)
    assert [] == voter.driver.get_cookies()
    voter.press("Finish")
    voter.wait_for_heading("You have finished")
    voter.driver.back()
    voter.wait_for_heading("Enter the code")
    assert "Your vote is in the ballot box" not in voter.text


def test_a_mail_scanner_that_opens_the_link_and_presses_everything_changes_nothing(
    hall: Hall, meeting: Meeting, member: Callable, voter: Voter
) -> None:  # type: ignore[type-arg]
    someone = member()
    token = someone.link.split("#")[1].rpartition(".")[0]
    for _ in range(5):
        voter.open(someone.link)
        voter.wait_for_heading("Vote at the")
    sent = [request for request in voter.network() if token in request["url"] or token in request["body"]]
    assert [] == sent, "nothing that carries the token leaves before Start"
    for number in range(voter.driver.execute_script("return document.querySelectorAll('a, button, input, summary').length")):
        voter.open(someone.link)
        voter.wait_for_heading("Vote at the")
        voter.driver.execute_script("document.querySelectorAll('a, button, input, summary')[arguments[0]]?.click()", number)
    with hall.database.read() as db:
        uuid = meeting.uuids[0]
        mine = db.exec(select(func.count()).select_from(Cast).where(Cast.election_uuid == uuid)).one()
        generation = db.get_one(RollEntry, someone.handle).generation
    vote(voter, someone.link, "For", ["Ann Lee"])
    with hall.database.read() as db:
        assert mine + 1 == db.exec(select(func.count()).select_from(Cast).where(Cast.election_uuid == uuid)).one()
        assert generation == db.get_one(RollEntry, someone.handle).generation


LIES = {
    "another receipt code": (
        "/cast",
        "r.ballot = (r.ballot[0] === 'A' ? 'B' : 'A') + r.ballot.slice(1);",
        "The ballot box gave a receipt for another vote than the one you sent.",
    ),
    "a receipt for another election": ("/cast", "r.election = 'AnotherE1ection';", "The ballot box gave a receipt for another vote"),
    "an event that is not there": ("/cast", "r.head = '0'.repeat(64);", "what it shows is not the vote you sent"),
    "another height": ("/cast", "r.height += 1;", "what it shows is not the vote you sent"),
    "a board that ends before it": ("/last-event", "r.height = 0;", "what it shows is not the vote you sent"),
    "an event about another ballot": (
        "/objects/",
        "if (r.payload) r.payload = r.payload.replace(/^./, 'x');",
        "what it shows is not the vote you sent",
    ),
    "another ballot": ("/objects/", "if (r.answers) r.answers.reverse();", "what it shows is not the vote you sent"),
}


@pytest.mark.parametrize("lie", LIES)
def test_receipt_not_bound_to_what_was_sent_a_lying_service_is_found_out(
    meeting: Meeting, member: Callable, voter: Voter, lie: str
) -> None:  # type: ignore[type-arg]
    path, bend, alarm = LIES[lie]
    someone = member()
    voter.open(someone.link)
    voter.press("Start")
    voter.vote_on("For")
    voter.press("Choose Ann Lee as 1st")
    voter.press("Continue")
    voter.driver.execute_script(
        "const real = window.fetch; window.fetch = async (path, options) => { const response = await real(path, options);"
        f" if (!String(path).includes('{path}')) return response;"
        f" const r = JSON.parse(await response.text()); {bend} return new Response(JSON.stringify(r), response); }};"
    )
    voter.press("Cast my vote")
    voter.wait_for_heading("Something is wrong")
    voter.wait_for(alarm)
    voter.picture(f"7 alarm {lie}")


def test_a_board_that_cannot_be_reached_is_no_alarm(meeting: Meeting, member: Callable, voter: Voter) -> None:  # type: ignore[type-arg]
    voter.open(member().link)
    voter.press("Start")
    voter.vote_on("For", "Leave this one blank")
    voter.driver.execute_script(
        "const real = window.fetch; window.fetch = (path, options) =>"
        " String(path).includes('/objects/') ? Promise.reject(new TypeError('gone')) : real(path, options);"
    )
    voter.press("Cast my vote")
    voter.wait_for_heading("Your vote is in the ballot box")
    voter.wait_for("We could not look into the ballot box just now.")


def test_texts_that_look_like_markup_are_shown_as_they_are(hall: Hall, voter: Voter) -> None:
    nasty = "<img src=x onerror=\"document.title='pwned'\"><script>alert(1)</script> & <b>bold</b> &lt;"
    ranked = QuestionNH((f"Ann {nasty}", "Bob 'x' \"y\"", "{{ 7 * 7 }}"), f"Rank {nasty}\nAnn {nasty}: {nasty}")
    several = QuestionH((f"Yes {nasty}", "No"), 1, 2, f"Several {nasty}", blank=True)
    meeting = hall.meeting(
        draft(f"Election {nasty}", ranked, several, description=f"About {nasty}"), name=f"Meeting {nasty}"
    ).lock_and_open()
    voter.open(meeting.members[0].link)
    voter.wait_for("<script>alert(1)</script>")
    voter.press("Start")
    voter.wait_for(f"Rank {nasty}")
    voter.press(f"Choose Ann {nasty} as 1st")
    voter.press("Choose {{ 7 * 7 }} as 2nd")
    voter.press("Continue")
    voter.choose(f"Yes {nasty}")
    voter.press("Continue")
    voter.wait_for(f"Yes {nasty}")
    voter.picture("3 check markup")
    voter.cast()
    assert "pwned" not in voter.title
    assert 0 == voter.driver.execute_script("return document.querySelectorAll('main img, main script, main b').length")
    assert [] == [line for line in voter.log() if "SEVERE" in line or "Refused" in line or "violates" in line]


def test_third_party_script_booth_xss_the_page_runs_no_script_of_its_own(hall: Hall, built: None, voter: Voter) -> None:
    """Everything executable is a file of ours with an integrity value; Trusted Types refuse markup made from text."""
    for path in ("/vote", "/vote/check", "/vote/check?code=" + "A" * 43, "/vote/finished"):
        voter.driver.get(hall.site.url + path)
        found = voter.driver.execute_script(
            "return [...document.querySelectorAll('script, style, link[rel=stylesheet], *')].filter((e) =>"
            " e.hasAttribute('style') || e.tagName === 'STYLE' || [...e.attributes].some((a) => a.name.startsWith('on'))"
            " || (e.tagName === 'SCRIPT' && (!e.src || !e.integrity || e.textContent)) || (e.rel === 'stylesheet' && !e.integrity))"
            ".map((e) => e.outerHTML)"
        )
        assert [] == found
        refused = voter.driver.execute_script("try { document.body.innerHTML = '<p>'; return false } catch (e) { return e.name }")
        assert "TypeError" == refused
