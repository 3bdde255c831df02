"""An officer mails a meeting through a real mail server that refuses some: words, test, the first few, pause, mend, remind, result."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pyotp
import pytest
from sqlmodel import select

from ballot.models import Officer, RollEntry
from ballot.protocol.ballots import create_ballot
from ballot.protocol.group import SystemRng
from ballot.services import board, officers, registrar, tally, tokens
from tests.browser.hall import MOTION, OFFICER, Hall, Meeting, draft
from tests.services.reports import postfix
from tests.support.chromium import DESK, PHONE
from tests.support.pictures import as_wide_as, take_both
from tests.support.site import Site
from tests.support.smtp import SMTPServer
from tests.web.test_officer_in_a_browser import fill, heading, looks_right, press

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

pytestmark = [pytest.mark.browser, pytest.mark.slow]

EMAIL = "rosa.okafor@example.org"
NAMES = ("Rosa Okafor", *(f"Member {letter}" for letter in "abcdefghijklmnop"))
REFUSED, RETURNED = "member.c@example.org", "member.d@example.org"


@pytest.fixture
def hall(built: None, smtp_server: SMTPServer, tmp_path: Path) -> Iterator[Hall]:
    """A site that sends its mail, not too fast, through a real mail server that refuses one address."""
    smtp_server.on_recipient = lambda address: "550 5.1.1 no such mailbox" if address == REFUSED else "250 OK"
    settings = {"BALLOT_SMTP_HOST": smtp_server.host, "BALLOT_SMTP_PORT": str(smtp_server.port), "BALLOT_SMTP_TLS": "none"}
    settings |= {"BALLOT_SMTP_FROM": "ballots@example.org", "BALLOT_SMTP_BOUNCE_ADDRESS": "bounces@example.org"}
    with Site(tmp_path, BALLOT_MAILS_PER_MINUTE="300", BALLOT_ORGANISATION="Northern Assembly", **settings) as site:
        hall = Hall(site)
        yield hall
        hall.database.dispose()


class Desk:
    """The officer's browser, looked at in both widths."""

    def __init__(self, hall: Hall, driver: Chrome, meeting: Meeting) -> None:
        self.hall, self.driver, self.there = hall, driver, f"{hall.site.url}/officer/m/{meeting.id}"
        self.secret = ""

    def sign_in(self) -> None:
        with self.hall.database.write() as db:
            officer = officers.add_officer(db, name="Rosa Okafor", email=EMAIL, roles=["returning-officer"], now=self.hall.now)
            self.secret = officers.enrolment_secret(db, self.hall.keys, officer)
            officer.totp_last_step = 1
            made = officers.make_login_link(db, email=EMAIL, now=self.hall.now, pause=0)
        assert made is not None
        self.driver.get(f"{self.hall.site.url}/officer/sign-in/link#{made[1]}")
        press(self.driver, "Continue")
        fill(self.driver, code=self.digits())
        press(self.driver, "Sign in")

    def digits(self) -> str:
        """Six digits, as if half a minute had gone by since the last ones."""
        with self.hall.database.write() as db:
            officer = db.exec(select(Officer).where(Officer.email == EMAIL)).one()
            officer.totp_last_step = 1
            db.add(officer)
        return pyotp.TOTP(self.secret).now()

    def go(self, page: str) -> None:
        self.driver.get(self.there + page)

    def look(self, name: str) -> None:
        for size in (DESK, PHONE):
            with as_wide_as(self.driver, size):
                looks_right(self.driver)
        take_both(self.driver, f"mail {name}")

    @property
    def text(self) -> str:
        return self.driver.find_element("tag name", "main").text

    def figure(self, state: str) -> int:
        """The newest mailing's figure, as the script keeps it fresh."""
        return int(self.driver.find_element("css selector", f"[data-figure$='.{state}']").text.replace(",", ""))

    def wait(self, holds: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + 60
        while not holds():
            if time.monotonic() > deadline:
                raise AssertionError(f"waited for {what}; the page shows:\n{self.text}")
            time.sleep(0.1)


def test_an_officer_mails_a_meeting_and_puts_right_what_goes_wrong(
    hall: Hall, smtp_server: SMTPServer, new_browser: Callable[..., Chrome]
) -> None:
    meeting = hall.meeting(draft("Motions", MOTION), names=NAMES)
    desk = Desk(hall, new_browser(DESK), meeting)
    driver = desk.driver
    desk.sign_in()

    # The words: a link that could be taken for the voting link is refused, and what was typed stays.
    desk.go("/messages")
    desk.look("1 messages")
    press(driver, "Invitation")
    fill(driver, introduction="Dear members,\n\nthe agenda is at https://example.org/agenda\nVote: https://vote-here.example.net/now")
    press(driver, "Save")
    assert "Take out the link https://vote-here.example.net/now" in desk.text
    assert "agenda" in driver.find_element("name", "introduction").get_attribute("value")
    desk.look("2 words refused")
    fill(driver, introduction="Dear members,\n\nthe agenda is at https://example.org/agenda\n\nRosa", subject="Your AGM votes")
    desk.wait(lambda: "Nothing is saved yet" in desk.text, "the live preview")
    assert "Your AGM votes: closes" in driver.find_element("id", "live-subject").text
    assert "the agenda is at https://example.org/agenda" in driver.find_element("id", "live-plain").text
    press(driver, "Preview")
    driver.find_element("css selector", "#formatted summary").click()
    desk.look("2 words previewed")

    # Send to me: marked TEST, its link and code open nothing, and the words are still there.
    press(driver, "Send to me")
    assert f"A test e-mail is on its way to {EMAIL}" in desk.text
    desk.wait(lambda: bool(smtp_server.to(EMAIL)), "the test mail")
    (test,) = smtp_server.to(EMAIL)
    assert test.message["Subject"].startswith("TEST: PRACTICE: Your AGM votes: closes")
    assert test.text.startswith("TEST: only you get this e-mail.")
    rosa = next(member for member in meeting.members if member.email == EMAIL)
    assert rosa.code not in test.text
    assert rosa.link.partition("#")[2] not in test.text
    press(driver, "Save")
    assert "Saved." in desk.text

    # The first few, then all others; a pause stops it, also where the page is closed.
    meeting.lock_and_open()
    desk.go("/send")
    assert driver.find_element("css selector", "input[name='first']").is_selected()
    desk.look("3 send")
    fill(driver, code=desk.digits())
    press(driver, "Send the e-mails")
    assert "Sending" == heading(driver)
    desk.wait(lambda: desk.figure("accepted") == 1, "the first mail")
    assert 2 == len(smtp_server.to(EMAIL))
    desk.go("/sending")
    assert "Send to 16 other members" in desk.text
    desk.look("4 first few")
    fill(driver, code=desk.digits())
    press(driver, "Send to 16 other members")
    press(driver, "Pause")
    desk.wait(lambda: desk.figure("sending") == 0, "the mail that was just leaving")
    driver.get("about:blank")
    held = len(smtp_server.delivered)
    assert held < 17
    time.sleep(1.5)
    assert held == len(smtp_server.delivered), "paused"
    desk.go("/sending")
    assert "Paused" in desk.text
    desk.look("5 paused")
    press(driver, "Go on")
    desk.wait(lambda: desk.figure("accepted") == 16 and desk.figure("failed") == 1, "the end of sending")
    desk.go("/sending")
    assert "Sent" in desk.text
    assert "Accepted does not mean read." in desk.text
    desk.look("6 sent")

    # One address was refused, another comes back later; both are put right.
    desk.go("/bounce")
    fill(driver, report="Hello, how do I vote?")
    press(driver, "Read the report")
    assert "This is not a delivery report." in desk.text
    desk.look("7 no report")
    came_back = smtp_server.to(RETURNED)[0]
    report = postfix(came_back.sender, came_back.message["Message-ID"]).decode().replace("\t", " ")
    driver.execute_script("document.getElementsByName('report')[0].value = arguments[0]", report)
    press(driver, "Read the report")
    assert "Noted: the e-mail came back. The address is wrong or closed" in desk.text
    assert "Help Member d" in desk.text
    desk.look("7 report taken in")
    desk.go("/mail-problems")
    assert "2 members may not have their link." in desk.text
    assert "2: no such address" in desk.text
    desk.look("8 problems")
    press(driver, "Member c")
    desk.look("9 help")
    driver.find_element("xpath", "//select[@name='cause']/option[@value='the address was wrong']").click()
    fill(driver, email="member.c.new@example.org", code=desk.digits())
    press(driver, "Send a new link")
    desk.wait(lambda: bool(smtp_server.to("member.c.new@example.org")), "the mail to the corrected address")
    desk.go("/mail-problems")
    assert "1 member may not have their link." in desk.text

    # A reminder: counted and shown first; not to who has voted, nor where mail does not arrive.
    member = meeting.members[5]
    cast(hall, meeting.uuids[0], member.handle)
    desk.go("/remind")
    assert "15 members would get this reminder." in desk.text
    desk.look("10 remind")
    before = len(smtp_server.delivered)
    fill(driver, code=desk.digits())
    press(driver, "Send the reminder")
    desk.wait(lambda: len(smtp_server.delivered) == before + 15, "the reminders")
    reminded = {delivered.recipients[0] for delivered in smtp_server.delivered[before:]}
    assert 15 == len(reminded)
    assert not reminded & {member.email, REFUSED, RETURNED}
    desk.go("/remind")
    assert "The last reminder" in desk.text
    desk.look("10 reminded")

    # The result, once.
    (uuid,) = meeting.uuids
    meeting.close(uuid)
    tally.begin(hall.database, uuid, OFFICER, hall.now)
    tally.open_practice(hall.database, hall.keys, uuid, hall.now)
    tally.publish(hall.database, uuid, OFFICER, hall.now)
    desk.go("/result-mail")
    assert "Carried" in desk.text
    desk.look("11 result mail")
    fill(driver, code=desk.digits())
    before = len(smtp_server.delivered)
    press(driver, "Mail the result")
    desk.wait(lambda: len(smtp_server.delivered) == before + 17, "the result mails")
    told = smtp_server.delivered[before:]
    assert 17 == len({delivered.recipients for delivered in told})
    text = told[0].text
    assert text.index("Carried") < text.index("Hello")
    assert f"{hall.site.url}/e/{uuid}/result" in text
    assert f"{hall.site.url}/e/{uuid}/check" in text
    assert 1 == text.count("Turnout 1 of 17")
    desk.go("/result-mail")
    assert "No result waits to be mailed." in desk.text
    desk.go("/sending")
    desk.look("12 all sent")
    desk.go("/observe")
    desk.look("13 scrutiny")
    desk.go("")
    desk.look("14 meeting")


def cast(hall: Hall, uuid: str, handle: str) -> None:
    """This member votes for the motion."""
    with hall.database.read() as db:
        entry = db.get_one(RollEntry, handle)
    election = board.load_setup(hall.database, uuid).election
    ballot = create_ballot(election, registrar.voting_code(hall.keys, entry), [[0, 1, 0]], SystemRng())
    token = tokens.make_voting_token(hall.keys, entry, hall.now.replace(year=hall.now.year + 1))
    board.cast(hall.database, hall.keys, uuid, token, ballot.to_bytes(), hall.now)
