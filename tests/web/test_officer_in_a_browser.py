"""An officer's first minutes in a real browser, on a real site: mailed link, authenticator, roll, first ballot."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pyotp
import pytest

from tests.support.chromium import next_page
from tests.support.need import ROOT
from tests.support.site import Site
from tests.web.test_journey import ROLL

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

pytestmark = pytest.mark.browser

PHONE, DESK = (360, 740), (1280, 900)


def add_officer(site: Site, email: str) -> str:
    """The link that the host's command prints."""
    done = subprocess.run(
        [sys.executable, "-m", "ballot.cli", "officer", email, "--name", "Rosa Okafor"],
        cwd=ROOT,
        env=site.environ,
        capture_output=True,
        text=True,
        check=True,
    )
    found = re.search(r"http\S+/officer/sign-in/link#\S+", done.stdout)
    assert found is not None, done.stdout
    return found[0]


def press(browser: Chrome, words: str) -> None:
    """Press a button or link of the page and wait for the page that follows."""
    with next_page(browser):
        browser.find_element("xpath", f"//main//button[contains(., '{words}')]|//main//a[contains(., '{words}')]").click()


def fill(browser: Chrome, **fields: str) -> None:
    for name, value in fields.items():
        element = browser.find_element("name", name)
        if element.get_attribute("type") in {"date", "time"}:
            browser.execute_script("arguments[0].value = arguments[1]", element, value)
        elif element.get_attribute("type") == "radio":
            browser.find_element("css selector", f"input[name='{name}'][value='{value}']").click()
        else:
            element.clear()
            element.send_keys(value)


def heading(browser: Chrome) -> str:
    return browser.find_element("tag name", "h1").text


def looks_right(browser: Chrome) -> None:
    """Nothing is wider than the screen, and the browser complained about nothing (a policy broken, a file missing)."""
    wide, room = browser.execute_script("return [document.documentElement.scrollWidth, window.innerWidth]")
    assert wide <= room, (browser.current_url, wide, room)
    assert [] == [entry["message"] for entry in browser.get_log("browser") if "422" not in entry["message"]]


@pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
def test_an_officer_signs_in_and_prepares_a_ballot(
    new_site: Callable[..., Site], new_browser: Callable[..., Chrome], tmp_path: Path, size: tuple[int, int]
) -> None:
    link = add_officer(new_site(), "rosa@example.org")
    browser = new_browser(size)
    browser.get(link)
    assert "Continue signing in" == heading(browser)
    assert browser.find_element("css selector", "[data-when-filled]").is_displayed()
    assert not browser.find_element("css selector", "[data-when-empty]").is_displayed()
    assert browser.current_url.endswith("/officer/sign-in/link")  # the code left the address bar
    looks_right(browser)
    press(browser, "Continue")
    assert "Set up your second key" == heading(browser)
    looks_right(browser)
    secret = browser.find_element("css selector", "figcaption .code").text.replace(" ", "")
    steps = iter(pyotp.TOTP(secret).at(int(time.time()) + offset) for offset in (0, 30))
    fill(browser, code=next(steps))
    press(browser, "Continue")
    assert 10 == len(browser.find_elements("css selector", "li.code"))
    press(browser, "I have kept them")
    assert "My ballots" == heading(browser)

    press(browser, "Make a meeting")
    press(browser, "Make the meeting")  # nothing filled in: the page says what is missing
    assert "Give the meeting a name" in browser.find_element("css selector", ".summary").text
    assert browser.title.startswith("Error:")
    fill(browser, name="2026 AGM", two_people="no", codes="site")
    press(browser, "Make the meeting")
    assert "2026 AGM" == heading(browser)
    press(browser, "Upload the list")
    roll = tmp_path / "roll.csv"
    roll.write_text(ROLL)
    browser.find_element("name", "upload-file").send_keys(str(roll))
    fill(browser, **{"upload-cut_off": "2026-01-01"})
    press(browser, "Upload and look")
    assert "Which column is what?" == heading(browser)
    press(browser, "Look at the list")
    assert "6" == browser.find_element("css selector", ".figures strong").text
    looks_right(browser)
    press(browser, "Go on to save")
    fill(browser, then="freeze", code=next(steps))
    press(browser, "Save the list")
    assert "This list was frozen" in browser.find_element("tag name", "main").text
    press(browser, "Go on with the meeting")
    press(browser, "Add a ballot")
    press(browser, "Motion")
    looks_right(browser)
    fill(
        browser,
        **{
            "question-wording": "That we meet twice a year.",
            "question-threshold": "two-thirds",
            "question-base": "cast",
            "name": "Motions",
        },
        opens_on="2036-03-10",
        opens_at="09:00",
        closes_on="2036-03-20",
        closes_at="17:00",
    )
    press(browser, "Save the ballot")
    assert "Motions" == heading(browser)
    assert "Next: key-holders" == browser.find_element("css selector", ".next h2").text
    looks_right(browser)
    press(browser, "Key-holders")
    fill(browser, people="Kay Key, kay@example.org\nLee Lock, lee@example.org\nMay Main, may@example.org")
    press(browser, "Save and send the links")
    assert "2 of 3 together open the box" in browser.find_element("tag name", "main").text
    looks_right(browser)
