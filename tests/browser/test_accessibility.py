"""What axe-core finds on every screen and in every state, on a phone and a desk, light and dark: nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pyotp
import pytest
from selenium.webdriver import Chrome
from sqlmodel import select

from ballot.app import create_app
from ballot.models import Meeting as RealMeeting
from ballot.models import Officer
from ballot.services import approvals, board, lifecycle, mail, officers, roll, tally, tokens, trustees
from ballot.services.clock import FixedClock
from ballot.services.journal import Actor
from ballot.web.help import PAGES
from tests.browser.hall import COMMITTEE, DELEGATES, MOTION, OFFICER, Hall, Meeting, draft
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


NOT_PAGES = re.compile(r"\.(?!html)\w+$|\.<any|^/(api|metrics|healthz|readyz|logo|theme|static|vote|trustee)|figures$|sign-in")
STATES = {  # which of the meetings below a page is shown for, where the open one does not say it all
    "officer.one_election": ("draft", "opened", "counted", "published"),
    "officer.one_meeting": ("draft", "opened", "published", "split"),
    "officer.edit_details": ("draft",),
    "officer.questions": ("draft", "opened"),
    "officer.edit_question": ("draft",),
    "officer.new_question": ("draft",),
    "officer.choose_kind": ("draft",),
    "officer.new_election": (),  # each kind of it is in the test above
    "officer.key_holders": ("draft", "named"),
    "officer.tally_page": ("counted", "published"),
    "officer.registrar_page": ("split",),
    "officer.result_mail_page": ("published",),
    "officer.practice_page": ("draft", "opened"),
    "board.election": ("opened", "counted", "published"),
    "board.result": ("published",),
    "board.verify": ("published",),
    "board.show_journal": ("published",),
}
ACTS = {"lock": "draft", "open": "named", "close": "opened", "publish": "counted", "void": "draft", "tidy": "published"}


@pytest.fixture(scope="module")
def meetings(hall: Hall, counted: Meeting) -> dict[str, Meeting]:
    """A meeting in each state."""
    ballot = draft("Committee", COMMITTEE, practice=False, minimum_ballots=5, opens_in=timedelta(days=2))
    with_places = replace(ballot, rules=[{**ballot.rules[0], "constraints": WOMEN}])
    opened = hall.meeting(draft("Motions", MOTION), draft("Delegates", DELEGATES), name="Open meeting").lock_and_open()
    opened.send()
    named = hall.meeting(draft("Rules", MOTION, practice=False, minimum_ballots=5, opens_in=timedelta(days=2)), name="Two people meet")
    published = hall.meeting(draft("Decided", MOTION, COMMITTEE), name="Past meeting").lock_and_open()
    (uuid,) = published.uuids
    cast_all(hall, published, uuid)
    published.close(uuid)
    tally.begin(hall.database, uuid, OFFICER, hall.now)
    tally.open_practice(hall.database, hall.keys, uuid, hall.now)
    tally.publish(hall.database, uuid, OFFICER, hall.now)
    with hall.database.write() as db:
        people = [trustees.Person(name, f"{name[:4].lower()}@example.org") for name in ("Asha Okafor", "Bram Lister", "Cerys Nuttall")]
        trustees.name_trustees(db, named.uuids[0], people, 2, OFFICER, hall.now)
        db.get_one(RealMeeting, named.id).two_people = True
        split = lifecycle.make_meeting(db, "Split meeting", OFFICER, hall.now, split_trust=True, two_people=False)
        lines = "Membership number,Name,Email,Membership type,Status,Date joined\nM1,Ama,ama@example.org,Full member,Active,2020-01-01\n"
        roll.load(db, split.id, roll.preview(lines.encode(), date(2026, 1, 1)), OFFICER, hall.now)
        roll.freeze(db, split.id, OFFICER, hall.now)
        elections = [lifecycle.make_election(db, split.id, ballot, OFFICER, hall.now).uuid]
        split_meeting = Meeting(hall, split.id, split.name, elections)
    made = {"opened": opened, "named": named, "published": published, "split": split_meeting, "counted": counted}
    return {"draft": hall.meeting(with_places, name="Draft meeting"), **made}


def test_every_page_in_its_states(hall: Hall, meetings: dict[str, Meeting], axe: Axe) -> None:
    """Every address that answers with a page, whoever wrote it: a new one is looked at without being named here."""
    sign_in(hall, axe)
    with hall.database.write() as db:
        bea = db.exec(select(Officer).where(Officer.email == "bea@example.org")).one().id
        named = meetings["named"]
        asked = [
            approvals.ask(db, named.id, approvals.Need.LOCK, named.uuids[0], "", who, hall.now).id
            for who in (OFFICER, Actor(bea, "returning-officer"))
        ]
        letter = mail.caught(db)[0].message_id.strip("<>")
    app = create_app(hall.config)
    for rule in sorted(app.url_map.iter_rules(), key=lambda rule: rule.rule):
        if "GET" not in (rule.methods or ()) or NOT_PAGES.search(rule.rule):
            continue
        for state in STATES.get(rule.endpoint, ("opened",)):
            meeting = meetings[state]
            words = {"uuid": meeting.uuids[0], "meeting_id": meeting.id, "number": "1", "kind": "motion", "row": "2", "message_id": letter}
            words |= {"handle": meeting.members[0].handle, "owner": "1"}
            addresses = [rule.rule]
            if "approval_id" in rule.arguments:
                addresses = [rule.rule.replace("<base58:approval_id>", one) for one in asked]
            if "role" in rule.arguments:
                addresses = [rule.rule.replace("<role>", role) for role in PAGES]
            if "word" in rule.arguments:
                addresses = [re.sub("<[^<>]*:word>", word, rule.rule) for word in ACTS]
            if "messages" in rule.rule and "kind" in rule.arguments:
                words["kind"] = "invitation"
            for number, address in enumerate(addresses, 1):
                act = address.rpartition("/")[2]
                here = {**words, "uuid": meetings[ACTS[act]].uuids[0]} if "word" in rule.arguments else words
                path = re.sub(r"<(?:[^<>:]*(?:\([^)]*\))?:)?(\w+)>", lambda match, here=here: here[match[1]], address)  # type: ignore[misc]
                which = (
                    act
                    if {"word", "role"} & rule.arguments
                    else f"{state} {number}"
                    if len(addresses) > 1
                    else state
                    if rule.arguments
                    else ""
                )
                axe.driver.get(hall.site.url + path)
                if "text/html" == axe.driver.execute_script("return document.contentType"):
                    axe.look(f"{rule.endpoint} {which}".replace(".", " ").strip())
    assert not axe.findings, axe.report
