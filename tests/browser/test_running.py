"""What runs beside the vote, in a browser at both widths; and the report on paper."""

from __future__ import annotations

import base64
import random
import re
import shutil
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path

import pyotp
import pytest
from selenium.webdriver import Chrome
from sqlmodel import select

from ballot.models import Officer, RollEntry, Trustee
from ballot.protocol.ballots import create_ballot
from ballot.protocol.group import SystemRng
from ballot.protocol.messages import QuestionNH
from ballot.services import approvals, board, officers, registrar, tally, tokens, trustees
from ballot.services.approvals import Need
from ballot.services.clock import SystemClock
from ballot.services.journal import Actor
from ballot.services.registrar import Cause
from ballot.services.turnout import Turnout, joined
from ballot.web.turnout import line as turnout_line
from tests.browser.hall import MOTION, OFFICER, RON, Hall, Meeting, draft
from tests.browser.voter import Voter
from tests.services.world import World
from tests.support.chromium import DESK, PHONE, browser, next_page
from tests.support.pictures import FOLDER, WANTED, as_wide_as, take_both

pytestmark = pytest.mark.browser


NAMES = [
    "Asha Okafor", "Bram Lister", "Cerys Nuttall-Featherstonehaugh", "Dilip Shah", "Elsie Marsden", "Femi Adeyemi", "Gail Platt",
    "Huw Pickles", "Iris Wong", "Jo Stott", "Kamal Rahman", "Lena Sykes", "Mo Thwaite", "Nia Hargreaves",
]  # fmt: skip
BOARD = QuestionNH((*NAMES, RON), "Executive committee: 4 places")
WEEK = Counter({date(2026, 3, 9 + day): number for day, number in enumerate((58, 31, 22, 2, 1, 9, 40, 49))})
MEMBERS = [f"Member Number{n}" for n in range(1, 41)]


@pytest.fixture(scope="module")
def published(hall: Hall) -> Meeting:
    """Two finished ballots: a motion, and a committee whose count takes many stages."""
    meeting = hall.meeting(draft("Motions", MOTION), draft("Executive committee", BOARD), names=MEMBERS, name="2026 AGM")
    meeting.lock_and_open()
    with hall.database.read() as db:
        entries = db.exec(select(RollEntry).where(RollEntry.meeting_id == meeting.id)).all()
    dice = random.Random(7)
    for uuid in meeting.uuids:
        setup = board.load_setup(hall.database, uuid).election
        ranked = isinstance(setup.questions[0], QuestionNH)
        for number, entry in enumerate(entries[:36] if ranked else entries[:30]):
            order = dice.sample(range(len(NAMES)), dice.randint(3, 9))
            ranks = [order.index(i) + 1 if i in order else 0 for i in range(len(NAMES) + 1)]
            choices = [ranks] if ranked else [[0, 1, 0] if number % 3 else [0, 0, 1]]
            ballot = create_ballot(setup, registrar.voting_code(hall.keys, entry), choices, SystemRng()).to_bytes()
            token = tokens.make_voting_token(hall.keys, entry, hall.now + timedelta(days=9))
            board.cast(hall.database, hall.keys, uuid, token, ballot, hall.now)
        meeting.close(uuid)
        tally.begin(hall.database, uuid, OFFICER, hall.now)
        tally.open_practice(hall.database, hall.keys, uuid, hall.now)
        tally.publish(hall.database, uuid, OFFICER, hall.now)
    return meeting


@pytest.fixture(scope="module")
def screen() -> Iterator[Chrome]:
    with browser(PHONE) as driver:
        yield driver


def picture(driver: Chrome, name: str) -> None:
    """On a phone and on a desk; and in any case: nothing is wider than the screen."""
    for size in (PHONE, DESK):
        with as_wide_as(driver, size):
            wide = driver.execute_script("return document.documentElement.scrollWidth")
            assert wide <= size[0], f"{name} is {wide} wide on a screen of {size[0]}"
    take_both(driver, f"running {name}")


# --- officers -----------------------------------------------------------------------------------------------------


class OfficerAtDesk:
    """An officer who has signed in with this browser."""

    def __init__(self, hall: Hall, driver: Chrome, role: str = "returning-officer") -> None:
        self.hall, self.driver = hall, driver
        email = f"officer{time.monotonic_ns()}@example.org"
        with hall.database.write() as db:
            officer = officers.add_officer(db, name="Ruth Smith", email=email, roles=[role], now=hall.now)
            self.id = officer.id
            self.secret = officers.enrolment_secret(db, hall.keys, officer)
            officer.totp_last_step = 1
            made = officers.make_login_link(db, email=email, now=hall.now, pause=0)
        assert made is not None
        driver.delete_all_cookies()
        driver.get("about:blank")
        driver.get(f"{hall.site.url}/officer/sign-in/link#{made[1]}")
        self.press("Continue")
        self.fill(code=self.digits())
        self.press("Sign in")
        assert "My ballots" == self.heading

    def digits(self) -> str:
        """What the authenticator shows now, as if half a minute had gone by since the last digits."""
        with self.hall.database.write() as db:
            db.get_one(Officer, self.id).totp_last_step = 1
        return pyotp.TOTP(self.secret).now()

    @property
    def heading(self) -> str:
        return self.driver.find_element("tag name", "h1").text

    @property
    def text(self) -> str:
        return self.driver.find_element("tag name", "main").text

    def open(self, address: str) -> None:
        self.driver.get(f"{self.hall.site.url}{address}")

    def fill(self, **fields: str) -> None:
        for name, value in fields.items():
            self.driver.execute_script("arguments[0].value = arguments[1]", self.driver.find_element("name", name), value)

    def press(self, words: str) -> None:
        """A button or link with this text; every one of them leads to another page."""
        found = [
            element
            for element in self.driver.find_elements("css selector", "button, a")
            if " ".join((element.get_attribute("textContent") or "").split()) == words
        ]
        assert found, f"no “{words}” on {self.driver.current_url}: {self.text}"
        self.driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", found[0])
        with next_page(self.driver):
            found[0].click()


def test_a_practice_is_made_from_the_task_list(hall: Hall, screen: Chrome) -> None:
    meeting = hall.meeting(draft("Motions", MOTION, practice=False, minimum_ballots=5), name="Spring meeting")
    officer = OfficerAtDesk(hall, screen)
    officer.open(f"/officer/e/{meeting.uuids[0]}")
    assert "Opening waits for it, or for a written reason" in officer.text
    picture(screen, "officer draft with practice to do")
    officer.press("Practice")
    assert "Not practised" in officer.text
    officer.press("Make the practice")
    assert "Choose who gets a practice link" in officer.text
    picture(screen, "practice with an error")
    screen.find_element("css selector", "input[value=named]").click()
    officer.press("Make the practice")
    assert "Spring meeting (practice)" == officer.heading
    assert "PRACTICE. This is a practice ballot." in officer.text
    picture(screen, "practice meeting")
    officer.press("The real meeting")
    assert "Under way" in officer.text
    picture(screen, "practice under way")


def test_turnout_keys_and_deletion_stand_on_the_ballots_page(hall: Hall, published: Meeting, screen: Chrome) -> None:
    officer = OfficerAtDesk(hall, screen)
    officer.open(f"/officer/e/{published.uuids[1]}")
    assert "Votes by day" in officer.text
    assert screen.find_element("css selector", "svg[role=img]").get_attribute("aria-labelledby") == "turnout-title"
    picture(screen, "turnout")
    officer.press("Put it off")
    officer.fill(on=(hall.now.date() + timedelta(days=120)).isoformat(), reason="A challenge is being heard.", code=officer.digits())
    officer.press("Save the date")
    assert "That is a long time." in officer.text
    picture(screen, "date of deletion with a warning")
    # a week of votes, as the same function draws them
    week = Turnout(voted=212, electorate=640, quorum=64, opens=date(2026, 3, 9), closes=date(2026, 3, 20), days=joined(WEEK))
    drawn = turnout_line(week)
    page = f"<!doctype html><meta name=viewport content=width=device-width><style>svg {{ max-width: 100% }}</style>{drawn}"
    screen.get(f"data:text/html;base64,{base64.b64encode(page.encode()).decode()}")
    picture(screen, "turnout line of a week")


def test_keys_are_reported_lost_by_an_officer_and_by_a_key_holder(hall: Hall, screen: Chrome, voter: Voter) -> None:
    meeting = hall.meeting(draft("Motions", MOTION), name="Summer meeting")
    uuid = meeting.uuids[0]
    with hall.database.write() as db:
        people = [trustees.Person(name, f"{name.split()[0].lower()}@example.org") for name in ("Kay Key", "Lee Lock", "May Main")]
        trustees.name_trustees(db, uuid, people, 2, OFFICER, hall.now)
    World(hall.database, hall.keys, SystemClock()).ceremony(uuid, 3, 2)
    meeting.lock_and_open()
    officer = OfficerAtDesk(hall, screen)
    officer.open(f"/officer/e/{uuid}/trustees")
    picture(screen, "key-holders")
    officer.press("Report the key lost: Kay Key")
    assert "No more key may be lost." in officer.text
    picture(screen, "one key lost")
    with hall.database.read() as db:  # the second key-holder says so on their own page
        token = tokens.make_trustee_token(hall.keys, db.get_one(Trustee, (uuid, 2)))
    voter.open(f"{hall.site.url}/trustee/{uuid}/2#{token}")
    voter.wait_for_heading("Your key is ready")
    voter.press("I have lost my key or passphrase")
    voter.wait_for("Lost: Kay Key. 2 of 3 keys are left, and 2 are needed. No more may be lost.")
    voter.press("Report that my key is lost")
    voter.wait_for_heading("Is your key lost?")
    picture(voter.driver, "key-holder asked whether the key is lost")
    voter.press("Yes, my key is lost")
    voter.wait_for_heading("You reported your key lost")
    voter.wait_for("That is too few to open the box.")
    picture(voter.driver, "key-holder reported the key lost")
    officer.open(f"/officer/e/{uuid}/trustees")
    assert "Too few keys are left" in officer.text
    picture(screen, "too few keys left")
    screen.get(f"{hall.site.url}/e/{uuid}")
    assert "too few are left to open this box" in screen.find_element("tag name", "main").text
    picture(screen, "public page with too few keys")


def test_a_card_of_two_sheets_votes(hall: Hall, screen: Chrome, voter: Voter) -> None:
    meeting = hall.meeting(draft("Motions", MOTION), name=f"Autumn meeting {time.monotonic_ns()}").lock_and_open()
    member = meeting.members[0]
    page = f"/officer/m/{meeting.id}/members/{member.handle}"
    officer = OfficerAtDesk(hall, screen)
    officer.open(page)
    picture(screen, "help a member")
    with hall.database.write() as db:
        asked = approvals.ask(db, meeting.id, Need.CARD, member.handle, "", Actor(officer.id, "returning-officer"), hall.now).id
    second = Actor("A" * 20, "membership-secretary")
    with hall.database.write() as db:
        approvals.give(db, asked, second, hall.now)
        registrar.make_card(db, member.handle, cause=Cause.MEMBER_ASKED, actor=second, approval=asked, now=hall.now)
    officer.open(page)
    assert "You print the half with the link." in officer.text
    officer.fill(**{"print-code": officer.digits()})
    officer.press("Show my half for printing")
    assert "Your voting card, sheet 1 of 2" == officer.heading
    picture(screen, "card sheet 1")
    link = screen.find_element("css selector", "p.code").text
    on_paper(screen, "card sheet 1")
    with hall.database.write() as db:
        code = registrar.print_card(db, hall.config, hall.keys, member.handle, second, hall.now, hall.now + timedelta(days=9)).code
    assert code not in screen.page_source
    voter.open(member.link)
    voter.press("Start")
    voter.wait_for("This link no longer works.")
    voter.open(link)
    voter.wait_for("Now type your code.")
    picture(voter.driver, "booth asks for the code of a card")
    voter.type("Your code", code)
    voter.press("Continue")
    voter.vote_on("For")
    assert 43 == len(voter.cast())


# --- members ------------------------------------------------------------------------------------------------------


def test_am_i_on_the_list_is_asked_without_a_script_or_a_cookie(hall: Hall, screen: Chrome) -> None:
    meeting = hall.meeting(draft("Motions", MOTION), name="Winter meeting")
    screen.delete_all_cookies()
    screen.get(f"{hall.site.url}/m/{meeting.id}")
    assert [] == screen.find_elements("tag name", "script")
    picture(screen, "meeting")
    screen.find_element("id", "email").send_keys("ama.boateng@example.org")
    with next_page(screen):
        screen.find_element("css selector", "form button").click()
    assert "We answer by e-mail" in screen.find_element("tag name", "main").text
    picture(screen, "meeting answered")
    assert [] == screen.get_cookies()


# --- the report ---------------------------------------------------------------------------------------------------


def on_paper(driver: Chrome, name: str, folder: Path | None = None) -> Path:
    """The page as Chromium prints it on A4."""
    folder = folder or Path(tempfile.mkdtemp())
    printed = driver.execute_cdp_cmd("Page.printToPDF", {"paperWidth": 8.27, "paperHeight": 11.69, "printBackground": False})
    path = folder / f"{name}.pdf"
    path.write_bytes(base64.b64decode(printed["data"]))
    if WANTED:
        FOLDER.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, FOLDER / path.name)
    return path


def test_the_report_prints_whole_on_a4(hall: Hall, published: Meeting, new_browser: Callable[..., Chrome], tmp_path: Path) -> None:
    driver = new_browser((794, 1123))  # A4 at 96 points an inch
    for uuid, name in zip(published.uuids, ("report of a motion", "report of a committee"), strict=True):
        driver.get(f"{hall.site.url}/e/{uuid}/report")
        words = driver.find_element("tag name", "main").text
        for wanted in (
            "Who could vote, and when",
            "Fingerprint of the list",
            "Turnout",
            "Out of the ordinary",
            "Key-holders",
            "VERIFIED: every",
        ):
            assert wanted in words
        assert "Closed before the announced hour: The test is over." in words
        driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
        driver.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride", {"width": 718, "height": 1047, "deviceScaleFactor": 1, "mobile": False}
        )
        wide = driver.execute_script(
            "return [...document.querySelectorAll('main *')].filter((e) => e.getBoundingClientRect().right > innerWidth + 1 "
            "&& !e.closest('.unseen')).map((e) => e.outerHTML.slice(0, 80))"
        )
        assert [] == wide
        driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
        driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
        path = on_paper(driver, name, tmp_path)
        assert path.read_bytes().startswith(b"%PDF")
    stages = words.count("Stage ")
    assert stages > 12
    tables = driver.find_elements("css selector", "table.count-table")
    assert len(tables) > 2
    if shutil.which("pdftotext"):
        text = subprocess.run(["pdftotext", "-layout", str(path), "-"], capture_output=True, text=True, check=True).stdout
        assert all(text.count(candidate.split()[0]) >= len(tables) for candidate in NAMES)  # each part of the table has every row
        heads = [page.strip().splitlines()[-1] for page in text.split("\f") if page.strip()]
        assert not [
            line
            for line in heads
            if re.fullmatch(r"(Turnout|Key-holders|Stage by stage|Out of the ordinary|How to check this)", line.strip())
        ]
