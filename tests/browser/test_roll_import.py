"""A volunteer's evening with the list of members as it really is: uploaded, explained, mended, frozen, and next year's compared."""

from __future__ import annotations

import csv
import time
from pathlib import Path

import pytest
from selenium.webdriver import Chrome

from ballot.services import officers
from tests.browser.hall import Hall
from tests.browser.test_accessibility import six_digits
from tests.browser.voter import Voter
from tests.support.chromium import DESK, PHONE, browser
from tests.web.test_officer_in_a_browser import fill, heading, looks_right, press

pytestmark = [pytest.mark.browser, pytest.mark.slow]

HEADINGS = "Mem Ref;Forename(s);Family Nm;Contact addr;Grade;Paid up?;Start;Rate;Area;Local party;Self-ID"
NASTY = (  # as an old membership database writes it: its own words, gaps, spellings, a formula
    "101;Zoë;Müller;zoe@example.org;Std;Y;31/01/2019;12.00;Tyne;Gateshead;women",
    "102;Siân;O’Neil;sian@example.org;Conc;Y;1/2/2020;3.00;Tyne;Gateshead;women, young",
    "103;Ben;Bold;;Std;Y;2020-05-01;12.00;Tees;Redcar;",
    "104;Cat;Cole;cat(at)example.org;Std;Y;2020-05-01;12.00;Tees;Redcar;",
    "105;Dev;Dunn;dev+agm@example.org;Std;Y;15-Mar-21;12.00;Tees;Redcar;young",
    "105;Dev;Dunn;DEV@Example.Org;Std;Y;15-Mar-21;12.00;Tees;Redcar;young",
    "106;Kit;Dunn;dev@example.org;Std;Y;15-Mar-21;12.00;Tees;Redcar;",
    "107;Eve;Eden;eve@example.org;Friend;Y;2020-05-01;1.00;Tees;Redcar;",
    "108;Fay;Ford;fay@example.org;Std;Lapsed;2018-05-01;12.00;Tees;Redcar;",
    "109;Gus;Gray;gus@example.org;Std;Y;01/11/2026;12.00;Tees;Redcar;",
    "110;Hal;Hope;hal@example.org;Std;Y;some time in May;12.00;Tees;Redcar;",
    "111;=cmd|'/c calc'!A1;Ives;ivy@example.org;Std;Y;2020-05-01;12.00;Wear;Durham;",
    "112;Jo;Jones;jo@example.org;Hon.;Y;2020-05-01;0.00;Wear;Durham;",
)
NEXT = (
    *("101;Zoë;Müller;zoe@example.org;Std;Y;31/01/2019;12.00;Tyne;Gateshead;women", NASTY[1].replace("Tyne", "Wear")),
    "103;Ben;Bold;ben@example.org;Std;Y;2020-05-01;12.00;Tees;Redcar;",
    *(f"{n};New;Member {n};new{n}@example.org;Std;Y;2026-05-01;12.00;Tees;Redcar;" for n in range(200, 203)),
)


def encoded(*lines: str) -> bytes:
    return "\r\n".join((HEADINGS, *lines)).encode("cp1252")


def sign_in(hall: Hall, driver: Chrome, email: str) -> str:
    """Signed in with a second factor; its secret."""
    with hall.database.write() as db:
        officer = officers.add_officer(db, name="Bea Quist", email=email, roles=["returning-officer"], now=hall.now)
        secret = officers.enrolment_secret(db, hall.keys, officer)
        officer.totp_last_step = 1
        made = officers.make_login_link(db, email=email, now=hall.now, pause=0)
    assert made is not None
    driver.get(f"{hall.site.url}/officer/sign-in/link#{made[1]}")
    press(driver, "Continue")
    fill(driver, code=six_digits(hall, email, secret))
    press(driver, "Sign in")
    return secret


def choose(driver: Chrome, **lists: str) -> None:
    """In each list the option that starts with these words."""
    for name, words in lists.items():
        driver.find_element("xpath", f"//select[@name='{name}']/option[starts-with(., '{words}')]").click()


def new_meeting(hall: Hall, driver: Chrome, name: str) -> None:
    driver.get(f"{hall.site.url}/officer/meetings/new")
    fill(driver, name=name, two_people="no", codes="site")
    press(driver, "Make the meeting")


def upload(driver: Chrome, file: Path, content: bytes, cut_off: str = "2026-06-01") -> None:
    file.write_bytes(content)
    press(driver, "Upload the list")
    driver.find_element("name", "upload-file").send_keys(str(file))
    fill(driver, **{"upload-cut_off": cut_off})
    press(driver, "Upload and look")


def figures(driver: Chrome) -> list[str]:
    return [element.text for element in driver.find_elements("css selector", ".figures strong")]


def test_a_list_as_it_really_is_becomes_a_frozen_roll_and_next_years_is_compared(hall: Hall, tmp_path: Path) -> None:
    email = "bea@example.org"
    with browser(PHONE, downloads=tmp_path) as driver:
        seen = Voter(driver)

        def look(name: str) -> None:
            for width, height in (DESK, PHONE):
                size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
                driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
                looks_right(driver)
            seen.picture(f"roll {name}")

        secret = sign_in(hall, driver, email)
        new_meeting(hall, driver, "AGM 2026")
        upload(driver, tmp_path / "members.csv", encoded(*NASTY))
        assert "Which column is what?" == heading(driver)
        look("1 columns guessed")
        choose(driver, email="Not in", category="Not in")
        press(driver, "Look at the list")
        assert "Choose the column that has the e-mail addresses." in seen.text
        look("1 columns missing")
        choose(driver, email="Contact addr", category="Grade", first_name="Forename", last_name="Family Nm", number="Mem Ref")
        choose(driver, name="Not in", status="Paid up?", joined="Start", region="Area", constituency="Local party", groups="Self-ID")
        press(driver, "Look at the list")
        assert "What do these words mean?" == heading(driver)
        for shown, meaning in (("Std", "A full member"), ("Conc", "A full member"), ("Hon.", "Ask me"), ("Y", "In good standing")):
            label = driver.find_element("xpath", f"//label[contains(., '“{shown}”')]")
            choose(driver, **{str(label.get_attribute("for")): meaning})
        look("2 words")
        press(driver, "Look at the list")

        assert ["4", "6", "3"] == figures(driver)
        assert "Row 8: found the same e-mail address" not in seen.text
        assert "the same e-mail address as row 6 (Dev Dunn), but another name" in seen.text
        assert "column “Start”: found “some time in May”. Type the day as" in seen.text
        look("3 check decide")
        driver.find_element("xpath", "//li[contains(., 'Kit Dunn')]//a[contains(., 'Change')]").click()
        seen.wait_for_heading("Row 8: Kit Dunn")
        fill(driver, email="not an address")
        press(driver, "Save this row")
        assert "found “not an address”. Type one address such as name@example.org." in seen.text
        look("4 row still wrong")
        fill(driver, email="kit@example.org")
        press(driver, "Save this row")
        assert "Row 8, Kit Dunn: can vote." in seen.text
        driver.find_element("xpath", "//li[contains(., 'Jo Jones')]//button[contains(., 'Can vote')]").click()
        seen.wait_for("Row 14, Jo Jones: can vote.")
        driver.find_element("xpath", "//li[contains(., 'Hal Hope')]//button[contains(., 'Leave out')]").click()
        seen.wait_for("Row 12, Hal Hope: left out by the officer.")
        assert ["6", "7", "0"] == figures(driver)
        look("5 check decided")
        driver.find_element("xpath", "//ul[@class='figures']//a[.='cannot']").click()
        seen.wait_for("Who cannot vote, and why")
        look("5 check cannot")

        driver.find_element("tag name", "summary").click()
        press_download(driver, "Download the rows that need attention")
        saved = wait_for_file(tmp_path / "rows-that-need-attention.csv")
        rows = list(csv.reader(saved.read_text(encoding="utf-8-sig").splitlines()))
        assert [["4", "Ben"], ["5", "Cat"]] == [[row[0], row[rows[0].index("Forename(s)")]] for row in rows[1:]]
        for row, address in zip(rows[1:], ("ben@example.org", "cat@example.org"), strict=True):
            row[rows[0].index("Contact addr")] = address
        with (tmp_path / "mended.csv").open("w", encoding="cp1252", newline="") as out:
            csv.writer(out, delimiter=";").writerows(rows)
        driver.find_element("name", "mended-file").send_keys(str(tmp_path / "mended.csv"))
        press(driver, "Upload the mended rows")
        assert ["8", "5", "0"] == figures(driver)
        fill(driver, **{"find-text": "ivy@"})
        press(driver, "Find")
        assert "=cmd|'/c calc'!A1 Ives" in seen.text
        assert "ivy" not in driver.current_url
        look("6 found")
        press(driver, "Go on to save")
        assert "There is no earlier list" in seen.text
        look("7 save")
        fill(driver, then="freeze", code=six_digits(hall, email, secret))
        press(driver, "Save the list")
        assert "This list was frozen" in seen.text
        assert "Full members on" in seen.text
        look("8 frozen")

        new_meeting(hall, driver, "AGM 2027")
        upload(driver, tmp_path / "members 2027.csv", encoded(*NEXT), cut_off="2027-06-01")
        assert "The choices below are those of your last list." in seen.text
        press(driver, "Look at the list")
        assert "Check the list" == heading(driver)  # the words are known now
        assert ["6", "0", "0"] == figures(driver)
        press(driver, "3 new, 5 gone, 1 changed")
        look("9 changes new")
        press(driver, "Gone: 5")
        assert "Kit Dunn" in seen.text
        assert "Not in this list" in seen.text
        press(driver, "Changed: 1")
        assert "No longer region Tyne; now region Wear" in seen.text
        press(driver, "Go on to save")
        assert "3 new, 5 gone, 1 changed." in seen.text
        look("9 save with changes")
        press_sign_out(driver)
        with hall.database.read_connection() as connection:
            assert 0 == connection.exec_driver_sql("SELECT count(*) FROM roll_upload").scalar_one()


def press_download(driver: Chrome, words: str) -> None:
    driver.find_element("partial link text", words).click()


def press_sign_out(driver: Chrome) -> None:
    driver.find_element("xpath", "//header//button[contains(., 'Sign out')]").click()
    Voter(driver).wait_for_heading("Sign in")


def wait_for_file(path: Path) -> Path:
    deadline = time.monotonic() + 20
    while not path.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    return path
