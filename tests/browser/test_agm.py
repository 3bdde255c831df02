"""The whole ballot, from mailed links to a published result: real mail, real browsers, real key-holders, a real database."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ballot.protocol.messages import QuestionH, QuestionNH
from ballot.services import board, mailings, roll, tally, trustees
from ballot.services.clock import FixedClock
from tests.browser.hall import OFFICER, Hall, draft
from tests.browser.voter import Voter
from tests.services.world import World
from tests.support import belenios
from tests.support.site import Site
from tests.support.smtp import SMTPServer

pytestmark = [pytest.mark.browser, pytest.mark.slow]

MOTION = QuestionH(("For", "Against"), 1, 1, "Motion 1: affiliate to the trades council", blank=True)
SECRETARY = QuestionNH(("Ada Lovell", "Ben Moss", "Cal Nye", "Re-open nominations"), "Secretary")
NAMES = ("Ama Boateng", "Ben Clough", "Cat Dhillon")
OTHERS = ("Dev Entwistle", "Eve Farrar")  # no fewer than five ballots are ever opened


@pytest.fixture
def mailed_hall(built: None, smtp_server: SMTPServer, tmp_path: Path) -> Iterator[Hall]:
    """A site that sends its mail through a real mail server."""
    settings = {"BALLOT_SMTP_HOST": smtp_server.host, "BALLOT_SMTP_PORT": str(smtp_server.port), "BALLOT_SMTP_TLS": "none"}
    with Site(tmp_path, BALLOT_SMTP_FROM="ballots@example.org", BALLOT_MAILS_PER_MINUTE="6000", **settings) as site:
        hall = Hall(site)
        yield hall
        hall.database.dispose()


def address(name: str) -> str:
    return f"{name.replace(' ', '.').lower()}@example.org"


def mailed(server: SMTPServer, name: str, pattern: str) -> str:
    """What the member's mails say where this pattern matches, once they have arrived."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        for delivered in server.to(address(name)):
            if found := re.search(pattern, delivered.text):
                return found[1]
        time.sleep(0.1)
    raise AssertionError(f"no mail to {name} has {pattern}")


def test_three_members_vote_from_mailed_links_and_the_result_equals_their_choices(
    mailed_hall: Hall, smtp_server: SMTPServer, new_voter: Callable[..., Voter], belenios_tool: Path, tmp_path: Path
) -> None:
    hall = mailed_hall
    meeting = hall.meeting(draft("AGM", MOTION, SECRETARY, practice=False, minimum_ballots=5), names=NAMES + OTHERS)
    (uuid,) = meeting.uuids

    # Three key-holders, of whom two will be needed, make their keys; the ballot is locked, sent and opened.
    world = World(hall.database, hall.keys, FixedClock(datetime.now(UTC)))
    with hall.database.write() as db:
        holders = [trustees.Person(f"Holder {n}", f"holder{n}@example.org") for n in (1, 2, 3)]
        trustees.name_trustees(db, uuid, holders, 2, OFFICER, hall.now)
    world.ceremony(uuid, 3, 2)
    meeting.lock_and_open()
    with hall.database.write() as db:
        assert 5 == mailings.send_at_once(db, hall.config, hall.keys, hall.mailer, meeting.id, OFFICER, hall.now)
    links = {name: mailed(smtp_server, name, r"(http\S+/vote#\S+)") for name in NAMES}
    fingerprint = mailed(smtp_server, NAMES[0], r"fingerprint: (\S+)\)")
    codes = {}

    # Ama votes for, ranks Ben and then Ada, and is refused a second ballot in a tab that was open before.
    ama = new_voter()
    ama.open(links[NAMES[0]])
    ama.press("Start")
    ama.vote_on("For")
    ama.press("Choose Ben Moss as 1st")
    ama.press("Choose Ada Lovell as 2nd")
    ama.press("Continue")
    ama.wait_for_heading("Check your vote")
    ama.press("Is this the right ballot paper?")
    assert fingerprint in ama.text
    first_tab = ama.driver.current_window_handle
    ama.driver.switch_to.new_window("tab")
    ama.open(links[NAMES[0]])
    ama.press("Start")
    ama.vote_on("Against", "Leave this one blank")
    ama.wait_for_heading("Check your vote")
    second_tab = ama.driver.current_window_handle
    ama.driver.switch_to.window(first_tab)
    codes[NAMES[0]] = ama.cast()
    ama.driver.switch_to.window(second_tab)
    ama.press("Cast my vote")
    ama.wait_for_heading("You have already voted")
    assert "A second vote was not counted." in ama.text
    assert codes[NAMES[0]] == ama.receipt_code
    ama.picture("7 second ballot refused")

    # Ben votes against; the ballot arrives, but the connection is lost before the answer, and then gone for a while.
    ben = new_voter()
    ben.open(links[NAMES[1]])
    ben.press("Start")
    ben.vote_on("Against")
    for number, name in enumerate(("Cal Nye", "Re-open nominations", "Ben Moss", "Ada Lovell"), 1):
        ben.press(f"Choose {name} as {number}{['st', 'nd', 'rd', 'th'][number - 1]}")
    ben.press("Continue")
    ben.wait_for_heading("Check your vote")
    ben.driver.execute_script(
        "const real = window.fetch; window.tries = 0; window.fetch = async (path, options) => {"
        " if (!String(path).endsWith('/cast')) return real(path, options);"
        " window.tries += 1;"
        " if (window.tries === 1) { await real(path, options); throw new TypeError('the connection was lost'); }"
        " if (window.tries === 2) throw new TypeError('no connection');"
        " return real(path, options); };"
    )
    ben.press("Cast my vote")
    ben.wait_for_heading("Your vote has NOT been counted yet")
    ben.picture("7 connection lost after sending")
    ben.wait_for_heading("Your vote is in the ballot box")
    ben.wait_for("We found your code in the ballot box just now.")
    codes[NAMES[1]] = ben.receipt_code
    sent = [request["body"] for request in ben.network() if request["url"].endswith("/cast")]
    assert 2 == len(sent)
    assert 1 == len(set(sent)), "the same sealed bytes"

    # Cat abstains and ranks nobody.
    cat = new_voter()
    cat.open(links[NAMES[2]])
    cat.press("Start")
    cat.vote_on("Abstain", "Leave this one blank")
    codes[NAMES[2]] = cat.cast()
    cat.picture("5 done with mail")

    for name, code in codes.items():
        assert code == mailed(smtp_server, name, r"\n    ([A-Za-z0-9+/]{43})\n")
    with hall.database.read() as db:
        assert list(codes.values()) == [line.tracker for line in board.ballots_on_board(db, uuid)]

    # Dev and Eve vote for; Dev ranks Ada and then Ben. Their ballots are sealed by our Python.
    with hall.database.read() as db:
        entries = {entry.name: entry for entry in roll.members(db, meeting.id)}
    for name, ranks in zip(OTHERS, ((1, 2, 0, 0), (0, 0, 0, 0)), strict=True):
        token, _, _code = mailed(smtp_server, name, r"/vote#(\S+)").rpartition(".")
        board.cast(hall.database, hall.keys, uuid, token, world.ballot(uuid, entries[name], ((0, 1, 0), ranks)), hall.now)

    # The close, and two of the three key-holders.
    meeting.close(uuid)
    world.clock.moment = datetime.now(UTC)
    world.tally(uuid, owners=(1, 3))
    (motion, secretary) = tally.outcome(hall.database, uuid).questions
    assert (3, 1, 1) == (*motion.totals, motion.blank)
    assert sorted([(), (), (0, 1), (1, 0), (2, 3, 1, 0)]) == sorted([*secretary.rankings, *[()] * secretary.blank])

    ama.driver.get(f"{hall.site.url}/e/{uuid}/result")
    assert "Motion 1: affiliate to the trades council" in ama.text
    ama.picture("8 result")
    ama.open(links[NAMES[0]])
    ama.press("See if we have your vote")
    ama.wait_for("We received your vote.")

    # Belenios's own tool accepts what our booth sealed, and the whole of it.
    archive = tmp_path / "archive"
    archive.mkdir()
    (archive / f"{uuid}.bel").write_bytes(b"".join(board.stream_archive(hall.database, uuid)[1]))
    done = belenios.run(belenios_tool, "election", "verify", "--dir", archive)
    assert 0 == done.returncode, done.stderr


def test_a_link_is_sent_again_to_whoever_is_on_the_list_and_to_nobody_else(
    mailed_hall: Hall, smtp_server: SMTPServer, new_voter: Callable[..., Voter]
) -> None:
    hall = mailed_hall
    meeting = hall.meeting(draft("AGM", MOTION), names=NAMES).lock_and_open()
    with hall.database.write() as db:
        mailings.send_at_once(db, hall.config, hall.keys, hall.mailer, meeting.id, OFFICER, hall.now - timedelta(hours=1))
    mailed(smtp_server, NAMES[2], r"(http\S+/vote#\S+)")
    voter = new_voter()
    voter.open(f"{hall.site.url}/vote")
    for email in (address(NAMES[0]).upper(), "stranger@example.org", address(NAMES[0])):
        voter.type("Your e-mail address", email)
        voter.press("Send my link")
        voter.wait_for("If that address is on the list, we have sent it.")
        time.sleep(1)
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and len(smtp_server.to(address(NAMES[0]))) < 2:
        time.sleep(0.1)
    time.sleep(1)
    assert 2 == len(smtp_server.to(address(NAMES[0]))), "the first one, and one more in a quarter of an hour"
    assert [] == smtp_server.to("stranger@example.org")
    assert 1 == len(smtp_server.to(address(NAMES[1])))
