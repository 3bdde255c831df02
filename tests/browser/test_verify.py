"""Verifying in the browser: every state of the page, what the site publishes and files from disk, good and hostile."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By

from ballot.protocol.messages import QuestionH
from ballot.services import board, tally
from tests.browser.hall import COMMITTEE, MOTION, OFFICER, Hall, Meeting, draft
from tests.browser.test_accessibility import cast_all
from tests.browser.voter import Voter
from tests.elections import Act, Board, Society, honest
from tests.support.axe import Axe
from tests.support.chromium import DESK, browser
from tests.verifier.hostile import CASES, Hostile, counted

pytestmark = [pytest.mark.browser, pytest.mark.slow]

HOSTILE = (  # one of every step, and of every kind of fault
    "one_bit_of_a_ballot_flipped",
    "two_ballots_swapped",
    "a_ballot_taken_out_and_the_chain_re_made",
    "ranking alpha: order 8, first",
    "another_candidate_elected_in_the_file_of_results",
    "an_unknown_counting_rule",
    "a_vote_added_to_the_result",
    "companions_of_a_holder_who_did_not_decrypt",
)


class Reader(Voter):
    """Somebody who checks."""

    def give(self, *files: Path, noted: str = "") -> None:
        field = self.driver.find_element(By.ID, "files")
        field.clear()
        field.send_keys("\n".join(map(str, files)))
        self.note(noted)

    def note(self, noted: str) -> None:
        """Leave what was noted, and press the button."""
        field = self.driver.find_element(By.ID, "noted")
        field.clear()
        field.send_keys(noted)
        self.press("Check these")

    def steps(self) -> list[str]:
        """Each step's tag."""
        script = "return [...document.querySelectorAll('#verify .tasks .tag')].map((tag) => tag.textContent)"
        return list(self.driver.execute_script(script))


@pytest.fixture(scope="module")
def desk() -> Iterator[Chrome]:
    with browser(DESK) as driver:
        yield driver


@pytest.fixture
def reader(desk: Chrome) -> Iterator[Reader]:
    desk.get_log("browser")  # type: ignore[no-untyped-call]
    reader = Reader(desk)
    yield reader
    assert [] == reader.log(), "the browser complains: of the content security policy, or of an error"


@pytest.fixture(scope="module")
def published(hall: Hall) -> Meeting:
    """A motion and a committee, counted and published."""
    meeting = hall.meeting(draft("Motions and committee", MOTION, COMMITTEE)).lock_and_open()
    (uuid,) = meeting.uuids
    cast_all(hall, meeting, uuid)
    meeting.close(uuid)
    tally.begin(hall.database, uuid, OFFICER, hall.now)
    tally.open_practice(hall.database, hall.keys, uuid, hall.now)
    tally.publish(hall.database, uuid, OFFICER, hall.now)
    return meeting


@pytest.fixture(scope="module")
def waiting(hall: Hall) -> str:
    """The address of a ballot that is not open yet: its page is at hand for files from disk."""
    meeting = hall.meeting(draft("Autumn motions", MOTION, opens_in=timedelta(days=2)), name="Autumn")
    meeting.lock()
    return f"{hall.site.url}/e/{meeting.uuids[0]}"


def files(folder: Path, hostile: Hostile) -> list[Path]:
    """What the attacker publishes, as somebody would have saved it."""
    contents = {".bel": hostile.archive, ".companion.json": hostile.companion, ".results.json": hostile.results}
    paths = [folder / f"election{suffix}" for suffix, content in contents.items() if content]
    for path, content in zip(paths, filter(None, contents.values()), strict=True):
        path.write_bytes(content)
    return paths


def test_a_published_ballot_is_verified_by_itself(hall: Hall, published: Meeting, reader: Reader) -> None:
    (uuid,) = published.uuids
    here = f"{hall.site.url}/e/{uuid}"
    axe = Axe(reader.driver)
    reader.open(f"{here}/result")
    reader.press("Verify in your browser")
    reader.wait_for_heading("Verified")
    assert ["Holds"] * 10 == reader.steps()
    assert "every check holds. 5 ballots are counted, of 5 credentials that could vote" in reader.text.lower()
    assert "Carried: 3 for, 1 against, 1 abstained." in reader.text
    assert "Counted again here, by the rule “Scottish STV" in reader.text
    assert "The published file of results is, to the byte, what the count here gives." in reader.text
    assert "Verified" in reader.title
    assert "Verified" == reader.focused
    reader.wait_until_said("Verified. Every check holds.")
    reader.picture("verify verified")
    axe.look("verify: verified")

    with hall.database.read() as db:
        line = board.ballots_on_board(db, uuid)[2]
        checkpoint = board.checkpoint(db, hall.config, hall.keys, uuid)
        head = board.head_of(db, uuid)
    reader.note(line.tracker)
    reader.wait_for(f"The receipt code {line.tracker} is in this ballot box, at place {line.height}.")
    reader.note(checkpoint)
    reader.wait_for("The event that you had noted is still in the chain.")
    reader.note(f"{head.height}:{head.hash} {'A' * 42}A")
    reader.wait_for_heading("Your receipt code is not in this ballot box")
    assert f"The receipt code {'A' * 43} is NOT in this ballot box." in reader.text
    reader.picture("verify code not found")
    axe.look("verify: code not found")
    reader.note(f"3:{'0' * 64}")
    reader.wait_for_heading("Refused")
    assert "history was rewritten" in reader.text
    reader.note("my code")
    reader.wait_for("There is a problem")
    assert reader.title.startswith("Error: ")
    reader.picture("verify noted wrongly")
    axe.look("verify: noted wrongly")
    reader.note(checkpoint.replace(uuid, uuid[::-1]))
    reader.wait_for("This checkpoint is of another ballot.")
    assert not axe.findings, axe.report


def test_on_a_phone_nothing_is_checked_before_start_is_pressed(hall: Hall, published: Meeting, voter: Voter) -> None:
    voter.open(f"{hall.site.url}/e/{published.uuids[0]}/verify")
    assert "It downloads 0.1 MB." in voter.text
    assert "The check takes less than 10 seconds." in voter.text
    voter.button("Start")
    assert "Verify this ballot in your browser" == voter.heading
    voter.picture("verify idle")
    axe = Axe(voter.driver)
    axe.look("verify: idle")
    voter.press("Start")
    voter.wait_for_heading("Verified")
    voter.press("Check again")
    voter.wait_for_heading("Verified")
    assert not axe.findings, axe.report
    assert [] == voter.log()


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_is_refused_by_rule_height_and_reason(waiting: str, reader: Reader, tmp_path: Path, name: str) -> None:
    (case,) = (case for case in CASES if case.name == name)
    hostile = case.hostile()
    reader.open(f"{waiting}/verify")
    reader.wait_for_heading("Good so far, not finished yet")
    reader.give(*files(tmp_path, hostile), noted=" ".join(f"{height}:{digest}" for height, digest in hostile.pins))
    reader.wait_for_heading("Refused")
    assert f"{case.rule.id}: {case.rule.statement}" in reader.text
    assert f"Event {case.height} of the chain" in reader.text
    assert case.words in reader.text.lower().replace("json", "JSON")
    tags = reader.steps()
    assert "Refused" == tags[case.rule.step.number - 1]
    assert 1 == tags.count("Refused")
    if name == HOSTILE[3]:
        reader.picture("verify refused")
        axe = Axe(reader.driver)
        axe.look("verify: refused")
        assert not axe.findings, axe.report


def test_good_files_from_disk_are_verified_and_not_sent(hall: Hall, waiting: str, reader: Reader, tmp_path: Path) -> None:
    reader.open(f"{waiting}/verify")
    reader.wait_for_heading("Good so far, not finished yet")
    before = len(hall.site.log.read_text())
    reader.give(*files(tmp_path, counted()))
    reader.wait_for_heading("Verified")
    assert ["Holds"] * 10 == reader.steps()
    lines = [json.loads(line) for line in hall.site.log.read_text()[before:].splitlines() if line.startswith("{")]
    assert "This file is of another ballot than this page’s: “An honest election”." in reader.text
    assert {("GET", "static")} >= {(line["method"], line["route"]) for line in lines if line.get("event") == "request"}


def test_a_file_can_be_dropped_on_the_page(hall: Hall, published: Meeting, waiting: str, reader: Reader) -> None:
    reader.open(f"{waiting}/verify")
    reader.wait_for_heading("Good so far, not finished yet")
    script = """const [address, done] = arguments;
        fetch(address).then((answer) => answer.blob()).then((content) => {
          const dataTransfer = new DataTransfer();
          dataTransfer.items.add(new File([content], "saved.bel"));
          document.body.dispatchEvent(new DragEvent("drop", { dataTransfer, bubbles: true, cancelable: true }));
          done();
        });"""
    reader.driver.execute_async_script(script, f"/e/{published.uuids[0]}.bel")
    reader.wait_for_heading("Refused")
    assert "comes without the companion proofs that this election requires." in reader.text


def test_beginnings_other_files_and_wrong_choices(waiting: str, reader: Reader, tmp_path: Path) -> None:
    axe = Axe(reader.driver)
    reader.open(f"{waiting}/verify")
    reader.wait_for_heading("Good so far, not finished yet")
    assert "voting has begun or is about to; no ballot has been cast yet." in reader.text
    reader.picture("verify unfinished")
    axe.look("verify: unfinished")
    board_ = honest()
    del board_.acts[14:]
    board_.companions = (board_.companions or [])[:1]
    reader.give(*files(tmp_path, Hostile(board_.to_bytes(), board_.companion_bytes())))
    reader.wait_for("key-holders are decrypting; the result is not there yet.")
    (tmp_path / "notes.txt").write_text("no election " * 100)
    reader.give(tmp_path / "notes.txt")
    reader.wait_for_heading("This file cannot be used")
    reader.picture("verify unusable")
    axe.look("verify: unusable")
    reader.open(f"{waiting}/verify")
    reader.wait_for_heading("Good so far, not finished yet")
    reader.give(tmp_path / "election.companion.json")
    reader.wait_for("Choose the .bel file of a ballot box.")
    reader.picture("verify wrong file")
    axe.look("verify: wrong file")
    assert not axe.findings, axe.report


def test_a_long_check_shows_how_far_it_is_and_can_be_cancelled(waiting: str, reader: Reader, tmp_path: Path) -> None:
    people = Society((QuestionH(tuple(f"Choice {n}" for n in range(60)), 0, 3, "Choose up to three"),), voters=31, group=None)
    acts = [people.setup_act(), *(Act("Ballot", [], ballot.to_bytes()) for ballot in people.ballots())]
    (tmp_path / "long.bel").write_bytes(Board(acts).to_bytes())
    reader.open(f"{waiting}/verify")
    reader.wait_for_heading("Good so far, not finished yet")
    reader.give(tmp_path / "long.bel")
    reader.wait_for_heading("Checking the ballot box")
    reader.wait_for("ballots checked so far")
    assert reader.steps()[2:4] == ["Holds", "At work"]
    reader.press("Cancel")
    reader.wait_for_heading("Cancelled")
    reader.picture("verify cancelled")
    axe = Axe(reader.driver)
    axe.look("verify: cancelled")
    reader.press("Check again")
    reader.wait_for_heading("Checking the ballot box")
    axe.look("verify: at work")
    assert not axe.findings, axe.report


def test_without_scripts_the_page_gives_the_files_and_the_commands(
    hall: Hall, published: Meeting, new_browser: Callable[..., Chrome]
) -> None:
    (uuid,) = published.uuids
    reader = Voter(new_browser(javascript=False))
    reader.open(f"{hall.site.url}/e/{uuid}/verify")
    reader.wait_for("it needs JavaScript")
    for words in (
        "This check runs in your browser, so it needs JavaScript",
        f"ballot verify {uuid}.bel",
        "The last line begins with VERIFIED.",
        "belenios-tool election verify --dir",
        "Its last line is I: all checks passed.",
    ):
        assert words in reader.text
    assert not reader.driver.find_elements(By.CSS_SELECTOR, "form:not([hidden])")
