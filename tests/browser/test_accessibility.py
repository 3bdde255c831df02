"""What axe-core finds on every screen and in every state, on a phone and a desk, light and dark: nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyotp
import pytest
from selenium.webdriver import Chrome
from sqlmodel import select

from ballot.models import Officer
from ballot.services import board, officers, tally, tokens, trustees
from ballot.services.clock import FixedClock
from tests.browser.hall import COMMITTEE, DELEGATES, MOTION, OFFICER, Hall, Meeting, draft
from tests.browser.test_keyholders import KeyHolder
from tests.browser.voter import Voter
from tests.services.world import World
from tests.support.axe import Axe
from tests.support.chromium import DESK, browser
from tests.web.test_journey import ROLL
from tests.web.test_officer_in_a_browser import add_officer, fill, press

pytestmark = [pytest.mark.browser, pytest.mark.slow]

WOMEN = {
    "groups": {"Women": ["Asha Okafor", "Cerys Nuttall", "Elsie Marsden"]},
    "rules": [{"group": "Women", "at_least": 2}],
    "if_infeasible": "refuse",
}
ANSWERS = [  # a motion and a ranking of each member; only the quota places let Cerys Nuttall in
    ((0, 1, 0), (1, 2, 0, 3, 0, 0, 0)),
    ((0, 1, 0), (1, 2, 0, 3, 0, 0, 0)),
    ((0, 0, 1), (0, 1, 0, 2, 0, 0, 0)),
    ((1, 0, 0), (0, 2, 3, 1, 0, 0, 0)),
    ((0, 1, 0), (2, 0, 0, 1, 0, 3, 4)),
]


@pytest.fixture(scope="module")
def downloads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("downloads")


@pytest.fixture(scope="module")
def shared_desk(downloads: Path) -> Iterator[Chrome]:
    with browser(DESK, downloads=downloads) as driver:
        yield driver


@pytest.fixture
def reader(shared_desk: Chrome) -> Voter:
    return Voter(shared_desk)


@pytest.fixture
def axe(shared_desk: Chrome) -> Axe:
    shared_desk.execute_cdp_cmd("Network.clearBrowserCookies", {})
    return Axe(shared_desk)


def test_faults_are_found(axe: Axe) -> None:
    """Or the rest would say nothing."""
    page = "<title>x</title><style>@media (prefers-color-scheme: dark) { p { color: black; background: #111 } }</style>"
    axe.get(f"data:text/html,<html lang=en>{page}<main><h1>x</h1><p>words</p><input></main>".replace("#", "%23"), "bad")
    found = "\n".join(axe.findings)
    assert "bad, 360 px, light: label: " in found
    assert "bad, 1280 px, dark: color-contrast: " in found
    assert "light: color-contrast" not in found


def cast_all(hall: Hall, meeting: Meeting, uuid: str) -> World:
    world = World(hall.database, hall.keys, FixedClock(datetime.now(UTC)))
    for entry, choices in zip(world.members(meeting), ANSWERS, strict=True):  # type: ignore[arg-type]
        token = tokens.make_voting_token(hall.keys, entry, hall.now + timedelta(days=30))
        board.cast(hall.database, hall.keys, uuid, token, world.ballot(uuid, entry, choices), hall.now)
    return world


@pytest.fixture(scope="module")
def counted(hall: Hall) -> Meeting:
    """A meeting whose ballot is closed and voted in by everybody: a motion, and a committee with quota places."""
    ballot = draft("Motions and committee", MOTION, COMMITTEE)
    meeting = hall.meeting(replace(ballot, rules=[ballot.rules[0], {**ballot.rules[1], "constraints": WOMEN}])).lock_and_open()
    cast_all(hall, meeting, meeting.uuids[0])
    meeting.close(meeting.uuids[0])
    return meeting


def test_public_pages(hall: Hall, counted: Meeting, axe: Axe, reader: Voter) -> None:
    waiting = hall.meeting(draft("Autumn motions", MOTION, opens_in=timedelta(days=2)), draft("Delegates", DELEGATES), name="Autumn")
    waiting.lock()
    waiting.open(waiting.uuids[1])
    (uuid,), here = counted.uuids, f"{hall.site.url}/e/{counted.uuids[0]}"
    tally.begin(hall.database, uuid, OFFICER, hall.now)
    tally.open_practice(hall.database, hall.keys, uuid, hall.now)
    axe.get(here, "ballot being counted")
    tally.publish(hall.database, uuid, OFFICER, hall.now)
    axe.get(hall.site.url, "front page")
    axe.get(f"{hall.site.url}/e/{waiting.uuids[0]}", "ballot not open yet")
    axe.get(f"{hall.site.url}/e/{waiting.uuids[1]}", "ballot open")
    axe.get(f"{hall.site.url}/e/{waiting.uuids[1]}/board", "empty board")
    axe.get(here, "ballot published")
    axe.get(f"{here}/board", "board")
    axe.get(f"{here}/check", "check")
    with hall.database.read() as db:
        code = board.ballots_on_board(db, uuid)[0].tracker
    for typed, page in ((code, "check, found"), ("A" * 43, "check, not found"), ("short", "check, malformed")):
        axe.get(f"{here}/check?code={typed.replace('+', '%2B')}", page)
    axe.driver.get(f"{here}/result")
    assert "Quota places" in reader.text
    axe.driver.execute_script("document.querySelectorAll('details').forEach((part) => { part.open = true; })")
    axe.look("result")
    axe.get(f"{hall.site.url}/m/{counted.id}/journal", "journal")
    axe.get(f"{hall.site.url}/how", "how this works")
    axe.get(f"{hall.site.url}/nowhere", "no such page")
    assert not axe.findings, axe.report


def test_the_booth(hall: Hall, axe: Axe, reader: Voter) -> None:
    meeting = hall.meeting(draft("Motions", MOTION), draft("Strategy committee", COMMITTEE), name="October meeting").lock_and_open()
    member = meeting.members[0]
    reader.open(member.link)
    reader.wait_for_heading("Vote at the")
    axe.look("booth: start")
    reader.press("Start")
    reader.wait_for_heading("Your ballots")
    axe.look("booth: list of ballots")
    reader.press("Vote: Motions")
    reader.wait_for_heading("Motion 1")
    axe.look("booth: motion")
    reader.press("Continue")
    reader.wait_for("There is a problem")
    axe.look("booth: motion without an answer")
    reader.vote_on("For")
    reader.wait_for_heading("Check your vote, then cast it")
    axe.look("booth: check the motion")
    reader.cast()
    axe.look("booth: done")
    reader.press("See all my ballots")
    reader.press("Vote: Strategy committee")
    reader.wait_for_heading("Strategy committee: 3 places")
    axe.look("booth: nothing ranked")
    for number, name in enumerate(("Bram Lister", "Femi Adeyemi", "Asha Okafor"), 1):
        reader.press(f"Choose {name} as {number}{['st', 'nd', 'rd'][number - 1]}")
    reader.press("Read the statement of Asha Okafor")
    axe.look("booth: three ranked")
    reader.press("Type numbers instead")
    reader.wait_for("Type 1 for your 1st choice")
    axe.look("booth: numbers")
    reader.type("Femi Adeyemi", "1")
    reader.press("Continue")
    reader.wait_for("There is a problem")
    axe.look("booth: one number twice")
    reader.type("Femi Adeyemi", "2")
    reader.press("Continue")
    reader.wait_for_heading("Check your vote, then cast it")
    axe.look("booth: check the ranking")
    reader.cast()
    reader.press("Finish")
    reader.wait_for_heading("You have finished")
    axe.look("booth: finished")

    reader.open(member.link)
    reader.press("Start")
    reader.press("Your receipt: Motions")
    reader.wait_for_heading("You have already voted")
    axe.look("booth: already voted")
    reader.press("Check my vote later")
    reader.wait_for_heading("Check my vote")
    axe.look("booth: check my vote")
    reader.press("Find it")
    reader.wait_for_heading("Your vote is in the ballot box")
    axe.look("booth: check my vote, found")
    reader.type("Your receipt code", "A" * 43)
    reader.press("Find it")
    reader.wait_for_heading("We did not find this code")
    axe.look("booth: check my vote, not found")
    reader.open(member.link[:-10])
    reader.wait_for_heading("Enter the code from your e-mail")
    reader.press("Continue")
    reader.wait_for("There is a problem")
    axe.look("booth: link cut short")
    meeting.close(meeting.uuids[0])
    reader.open(meeting.members[1].link)
    reader.press("Start")
    axe.look("booth: one ballot closed")
    assert not axe.findings, axe.report


def six_digits(hall: Hall, email: str, secret: str) -> str:
    """What the authenticator shows now. It is good again at once, although it was used a moment ago."""
    with hall.database.write() as db:
        officer = db.exec(select(Officer).where(Officer.email == email)).one()
        officer.totp_last_step = min(officer.totp_last_step, 1)
        db.add(officer)
    return pyotp.TOTP(secret).now()


def test_officers_pages(hall: Hall, axe: Axe, tmp_path: Path) -> None:
    officer, there = axe.driver, f"{hall.site.url}/officer"
    axe.get(f"{there}/sign-in", "officer: sign in")
    press(officer, "Send")
    axe.look("officer: sign in without an address")
    axe.get(add_officer(hall.site, "rosa@example.org"), "officer: mailed link")
    press(officer, "Continue")
    axe.look("officer: set up the second key")
    secret = officer.find_element("css selector", "figcaption .code").text.replace(" ", "")
    fill(officer, code=six_digits(hall, "rosa@example.org", secret))
    press(officer, "Continue")
    axe.look("officer: recovery codes")
    press(officer, "I have kept them")
    axe.look("officer: my ballots")
    axe.get(f"{there}/account", "officer: account")
    officer.get(f"{there}/meetings/new")
    press(officer, "Make the meeting")
    axe.look("officer: new meeting without a name")
    fill(officer, name="2026 AGM", two_people="no", codes="site")
    press(officer, "Make the meeting")
    axe.look("officer: new meeting")
    press(officer, "Upload the list")
    axe.look("officer: no roll yet")
    (tmp_path / "roll.csv").write_text(ROLL)
    officer.find_element("name", "upload-file").send_keys(str(tmp_path / "roll.csv"))
    fill(officer, **{"upload-cut_off": "2026-01-01"})
    press(officer, "Upload and look")
    axe.look("officer: which column is what")
    press(officer, "Look at the list")
    axe.look("officer: check the list")
    press(officer, "Change")
    axe.look("officer: change a row")
    press(officer, "Back to the list")
    press(officer, "Go on to save")
    axe.look("officer: save the list")
    fill(officer, then="freeze", code=six_digits(hall, "rosa@example.org", secret))
    press(officer, "Save the list")
    axe.look("officer: frozen list")
    press(officer, "Go on with the meeting")
    press(officer, "Add a ballot")
    axe.look("officer: choose a template")
    for kind in ("motion", "post", "committee", "approval"):
        axe.get(f"{officer.current_url.partition('/elections')[0]}/elections/new/{kind}", f"officer: new ballot, {kind}")
    press(officer, "Save the ballot")
    axe.look("officer: new ballot with nothing filled in")
    assert not axe.findings, axe.report


def sign_in(hall: Hall, axe: Axe) -> None:
    """An officer who has the second key already."""
    with hall.database.write() as db:
        officer = officers.add_officer(db, name="Bea Quist", email="bea@example.org", roles=["returning-officer"], now=hall.now)
        secret = officers.enrolment_secret(db, hall.keys, officer)
        officer.totp_last_step = 1
        made = officers.make_login_link(db, email=officer.email, now=hall.now, pause=0)
    assert made is not None
    axe.driver.get(f"{hall.site.url}/officer/sign-in/link#{made[1]}")
    press(axe.driver, "Continue")
    axe.look("officer: second key")
    fill(axe.driver, code="000000")
    press(axe.driver, "Sign in")
    axe.look("officer: second key, wrong")
    fill(axe.driver, code=pyotp.TOTP(secret).now())
    press(axe.driver, "Sign in")


def test_officers_pages_of_ballots(hall: Hall, counted: Meeting, axe: Axe) -> None:
    there = f"{hall.site.url}/officer"
    ballot = draft("Committee", COMMITTEE, practice=False, minimum_ballots=5, opens_in=timedelta(days=2))
    drafts = hall.meeting(replace(ballot, rules=[{**ballot.rules[0], "constraints": WOMEN}]), name="Draft meeting")
    opened = hall.meeting(draft("Motions", MOTION), name="Open meeting").lock_and_open()
    opened.send()
    sign_in(hall, axe)
    axe.get(there, "officer: my ballots, several")
    (uuid,) = drafts.uuids
    axe.get(f"{there}/e/{uuid}", "officer: tasks of a draft")
    for page in ("details", "questions", "questions/1", "questions/new/motion", "trustees", "lock", "void"):
        axe.get(f"{there}/e/{uuid}/{page}", f"officer: {page}")
    axe.get(f"{there}/e/{opened.uuids[0]}", "officer: tasks of an open ballot")
    for page in ("close", "later"):
        axe.get(f"{there}/e/{opened.uuids[0]}/{page}", f"officer: {page}")
    axe.get(f"{there}/m/{opened.id}", "officer: a meeting")
    axe.get(f"{there}/m/{opened.id}/roll", "officer: frozen roll")
    axe.get(f"{there}/m/{opened.id}/send", "officer: send the e-mails")
    axe.get(f"{there}/m/{opened.id}/members?q=e", "officer: look a member up")
    axe.get(f"{there}/m/{opened.id}/members/{opened.members[0].handle}", "officer: help a member")
    axe.get(f"{there}/e/{counted.uuids[0]}/tally", "officer: tally")
    assert not axe.findings, axe.report


def test_key_holders_pages(hall: Hall, axe: Axe, downloads: Path) -> None:
    meeting = hall.meeting(draft("Practice ballot", MOTION, COMMITTEE), name="Key day")
    (uuid,) = meeting.uuids
    with hall.database.write() as db:
        (trustee,) = trustees.name_trustees(db, uuid, [trustees.Person("Asha Okafor", "asha@example.org")], 1, OFFICER, hall.now)
        link = f"{hall.site.url}/trustee/{uuid}/1#{tokens.make_trustee_token(hall.keys, trustee)}"
    holder = KeyHolder(axe.driver, 1, link, downloads)
    holder.open(link.partition("#")[0])
    holder.wait_for_heading("Your link was cut short")
    axe.look("key day: link cut short")
    holder.open(link)
    holder.wait_for_heading("Make your key")
    axe.look("key day: make a key")
    holder.type("Choose a passphrase", "short")
    holder.press("Make my key")
    holder.wait_for("The passphrase needs 12 characters or more.")
    axe.look("key day: passphrase too short")
    holder.type("Choose a passphrase", holder.passphrase)
    holder.type("Type the passphrase again", holder.passphrase)
    holder.press("Make my key")
    holder.wait_for_heading("Save your key")
    axe.look("key day: save the key")
    holder.press("Save your key")
    holder.press("I have saved it: go on")
    holder.wait_for_heading("Save your key and prove it")
    key = holder.file(f"ballot-{uuid}-1-asha-okafor.key")
    axe.look("key day: prove the key")
    holder.press("Print a backup sheet")
    holder.wait_for_heading("Backup sheet")
    axe.look("key day: backup sheet")
    holder.press("Back")
    holder.give(key)
    holder.wait_for_heading("Where are your copies?")
    holder.press("Prove that I hold my key")
    holder.wait_for("Tick at least two places.")
    axe.look("key day: copies")
    holder.choose("On this device")
    holder.choose("On paper: the backup sheet")
    holder.press("Prove that I hold my key")
    holder.wait_for_heading("Your key is ready")
    axe.look("key day: ready")
    meeting.lock_and_open()
    cast_all(hall, meeting, uuid)
    meeting.close(uuid)
    tally.begin(hall.database, uuid, OFFICER, hall.now)
    holder.open(link)
    holder.wait_for_heading("Count day")
    axe.look("count day: choose a key")
    holder.give(key)
    holder.wait_for_heading("Shuffle")
    axe.look("count day: compare and shuffle")
    assert not axe.findings, axe.report
