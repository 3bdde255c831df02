"""What runs beside the vote, in a browser at both widths; and the report on paper."""

from __future__ import annotations

import base64
import os
import random
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from selenium.webdriver import Chrome
from sqlmodel import select

from ballot.models import RollEntry
from ballot.protocol.ballots import create_ballot
from ballot.protocol.group import SystemRng
from ballot.protocol.messages import QuestionNH
from ballot.services import board, registrar, tally, tokens
from tests.browser.hall import MOTION, OFFICER, RON, Hall, Meeting, draft
from tests.support.chromium import browser

pytestmark = pytest.mark.browser

SCREENSHOTS = os.environ.get("BALLOT_SCREENSHOTS", "")

NAMES = [
    "Asha Okafor", "Bram Lister", "Cerys Nuttall-Featherstonehaugh", "Dilip Shah", "Elsie Marsden", "Femi Adeyemi", "Gail Platt",
    "Huw Pickles", "Iris Wong", "Jo Stott", "Kamal Rahman", "Lena Sykes", "Mo Thwaite", "Nia Hargreaves",
]  # fmt: skip
BOARD = QuestionNH((*NAMES, RON), "Executive committee: 4 places")
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


@pytest.fixture(scope="module", params=[(360, 740), (1280, 900)], ids=["phone", "desk"])
def screen(request: pytest.FixtureRequest) -> Iterator[Chrome]:
    with browser(request.param) as driver:
        yield driver


def picture(driver: Chrome, name: str) -> None:
    """The whole page, where BALLOT_SCREENSHOTS names a folder; and in any case: nothing is wider than the screen."""
    width = driver.execute_script("return [document.documentElement.scrollWidth, document.documentElement.clientWidth]")
    assert width[0] <= width[1], f"{name} is {width[0]} wide on a screen of {width[1]}"
    if SCREENSHOTS:
        folder = Path(SCREENSHOTS)
        folder.mkdir(parents=True, exist_ok=True)
        shot = driver.execute_cdp_cmd("Page.captureScreenshot", {"captureBeyondViewport": True, "format": "png"})
        (folder / f"running {name} {width[1]}.png").write_bytes(base64.b64decode(shot["data"]))


# --- the report ---------------------------------------------------------------------------------------------------


def on_paper(driver: Chrome, folder: Path, name: str) -> Path:
    """The page as Chromium prints it on A4."""
    printed = driver.execute_cdp_cmd("Page.printToPDF", {"paperWidth": 8.27, "paperHeight": 11.69, "printBackground": False})
    path = folder / f"{name}.pdf"
    path.write_bytes(base64.b64decode(printed["data"]))
    if SCREENSHOTS:
        Path(SCREENSHOTS).mkdir(parents=True, exist_ok=True)
        shutil.copy(path, Path(SCREENSHOTS) / path.name)
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
        path = on_paper(driver, tmp_path, name)
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
