"""Key day and count day in the browser: three key-holders with mailed links, of whom two are needed, and one loses a page."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from sqlmodel import col, select

from ballot.cli import main
from ballot.keyholder import KeyFile
from ballot.models import Election, Trustee
from ballot.protocol.messages import QuestionH, QuestionNH
from ballot.services import board, invitations, roll, tally, tokens, trustees
from ballot.services.clock import FixedClock
from tests.browser.hall import OFFICER, Hall, Meeting, draft
from tests.browser.voter import Voter
from tests.services.world import World
from tests.support import belenios
from tests.support.chromium import DESK, PHONE
from tests.support.site import Site
from tests.support.smtp import SMTPServer

pytestmark = [pytest.mark.browser, pytest.mark.slow]

MOTION = QuestionH(("For", "Against"), 1, 1, "Motion 1: affiliate to the trades council", blank=True)
SECRETARY = QuestionNH(("Ada Lovell", "Ben Moss", "Cal Nye", "Re-open nominations"), "Secretary")
HOLDERS = ("Asha Okafor", "Bram Lister", "Cerys Nuttall")
PASSPHRASES = ("turnip lantern orbit", "gravel sonnet pepper", "mitten harbour quince")


@pytest.fixture
def mailed_hall(built: None, smtp_server: SMTPServer, tmp_path: Path) -> Iterator[Hall]:
    """A site that sends its mail through a real mail server."""
    settings = {"BALLOT_SMTP_HOST": smtp_server.host, "BALLOT_SMTP_PORT": str(smtp_server.port), "BALLOT_SMTP_TLS": "none"}
    with Site(tmp_path, BALLOT_SMTP_FROM="ballots@example.org", BALLOT_MAILS_PER_MINUTE="6000", **settings) as site:
        hall = Hall(site)
        yield hall
        hall.database.dispose()


class KeyHolder(Voter):
    """A key-holder at a browser of their own."""

    def __init__(self, driver: Chrome, number: int, link: str, downloads: Path) -> None:
        super().__init__(driver)
        self.number, self.link, self.downloads = number, link, downloads
        self.passphrase = PASSPHRASES[number - 1]

    def file(self, pattern: str) -> Path:
        """The newest downloaded file of this kind, once it is whole."""
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            found = sorted(self.downloads.glob(pattern), key=lambda path: path.stat().st_mtime)
            if found and found[-1].stat().st_size:
                return found[-1]
            time.sleep(0.1)
        raise AssertionError(f"no download {pattern}: {list(self.downloads.iterdir())}")

    def make(self) -> Path:
        self.open(self.link)
        self.wait_for_heading("Make your key")
        assert "#" not in self.driver.current_url, "the link's secret part is gone from the address"
        self.type("Choose a passphrase", self.passphrase)
        self.type("Type the passphrase again", self.passphrase)
        self.press("Make my key")
        self.wait_for_heading("Save the first part of your key")
        self.press("Save the first part")
        return self.file("*-first-part.key")

    def give(self, path: Path, passphrase: str | None = None) -> None:
        """Choose a key file and open it."""
        self.field("Your key file").send_keys(str(path))
        self.type("Your passphrase", self.passphrase if passphrase is None else passphrase)
        self.press("Open my key file")

    def prove(self, path: Path) -> None:
        self.give(path)
        self.wait_for_heading("Where are your copies?")
        self.choose("On this device")
        self.choose("On paper: the backup sheet")
        self.press("Prove that I hold my key")

    def sent(self) -> str:
        """Everything that left this browser, addresses included."""
        return "\n".join(f"{request['url']} {request['body']}" for request in self.network())


def _links(hall: Hall, server: SMTPServer, uuid: str) -> list[str]:
    with hall.database.write() as db:
        people = [trustees.Person(name, f"holder{n}@example.org") for n, name in enumerate(HOLDERS, 1)]
        for trustee in trustees.name_trustees(db, uuid, people, 2, OFFICER, hall.now):
            invitations.send_trustee_link(db, hall.config, hall.keys, hall.mailer, trustee, "make-key", hall.now)
    links = []
    for n in range(1, 4):
        deadline = time.monotonic() + 60
        while not (found := [re.search(r"http\S+/trustee/\S+#\S+", mail.text) for mail in server.to(f"holder{n}@example.org")]):
            assert time.monotonic() < deadline, "no mail"
            time.sleep(0.1)
        assert found[0] is not None
        links.append(found[0][0])
    return links


def _vote(hall: Hall, meeting: Meeting, world: World, uuid: str, *, ranked: bool = True) -> None:
    with hall.database.read() as db:
        entries = list(roll.members(db, meeting.id))
    motion = [(0, 1, 0), (0, 0, 1), (1, 0, 0), (0, 1, 0), (0, 1, 0)]
    rankings = [(1, 2, 0, 0), (0, 1, 0, 0), (0, 0, 0, 0), (2, 1, 3, 0), (0, 0, 0, 1)]
    ballots = zip(motion, rankings, strict=True) if ranked else zip(motion, strict=True)
    for entry, choice in zip(entries, ballots, strict=True):
        token = tokens.make_voting_token(hall.keys, entry, hall.now + timedelta(days=30))
        board.cast(hall.database, hall.keys, uuid, token, world.ballot(uuid, entry, choice), hall.now)


def _a_bent_archive_is_refused(holder: KeyHolder, key: Path) -> None:
    holder.open(holder.link)
    holder.wait_for_heading("Count day")
    holder.driver.execute_script(
        "const real = window.fetch; window.fetch = async (path, options) => { const answer = await real(path, options);"
        " if (!String(path).endsWith('/archive')) return answer;"
        " const bytes = new Uint8Array(await answer.arrayBuffer()); bytes[bytes.length - 1500] ^= 1; return new Response(bytes); };"
    )
    holder.give(key)
    holder.wait_for_heading("Something is wrong with the ballot box")
    holder.picture("count 7 bent archive")


def _a_second_tally_is_refused(holder: KeyHolder, uuid: str) -> None:
    """What this device wrote down before was another tally."""
    other = {"act": "shuffle", "election": uuid, "fingerprint": "x", "tally": "0" * 64, "opened": None}
    name = f"ballot-key-used:{uuid}:{holder.number}"
    holder.driver.execute_script("localStorage.setItem(arguments[0], arguments[1])", name, json.dumps([other]))
    holder.press("Open my share")
    holder.wait_for_heading("Your key was not used")
    assert "another tally of this ballot" in holder.text
    holder.picture("count 7 second tally")
    holder.driver.execute_script("localStorage.removeItem(arguments[0])", name)
    holder.press("Try again")
    holder.wait_for_heading("Open my share")


def test_three_key_holders_make_keys_prove_them_and_open_the_box(
    mailed_hall: Hall, smtp_server: SMTPServer, new_browser: Callable[..., Chrome], belenios_tool: Path, tmp_path: Path
) -> None:
    hall = mailed_hall
    meeting = hall.meeting(draft("AGM 2026", MOTION, SECRETARY, practice=False, minimum_ballots=5, closes_in=timedelta(days=10)))
    (uuid,) = meeting.uuids
    links = _links(hall, smtp_server, uuid)
    holders = []
    for number, link in enumerate(links, 1):
        downloads = tmp_path / f"downloads-{number}"
        downloads.mkdir()
        holders.append(KeyHolder(new_browser(PHONE if number == 2 else DESK, downloads=downloads), number, link, downloads))
    asha, bram, cerys = holders

    # A link cut short, and passphrases that will not do.
    asha.open(links[0].partition("#")[0])
    asha.wait_for_heading("Your link was cut short")
    asha.picture("key 0 link cut short")
    asha.type("The whole link from your e-mail", links[1])
    asha.press("Go on")
    asha.wait_for("Paste the whole link.")
    asha.type("The whole link from your e-mail", links[0])
    asha.press("Go on")
    asha.wait_for_heading("Make your key")
    assert "2 of the 3 keys open the box. You may lose 1 key between you and still count." in asha.text
    asha.picture("key 1 make")
    asha.type("Choose a passphrase", "short")
    asha.press("Make my key")
    asha.wait_for("The passphrase needs 12 characters or more.")
    asha.picture("key 1 make error")

    # The first part of each key; Bram closes his page and comes back with the file.
    first_parts = {}
    for holder in holders:
        first_parts[holder.number] = holder.make()
        holder.picture(f"key 2 first part {holder.number}")
        holder.press("I have saved it: go on")
        if holder is not cerys:
            holder.wait_for_heading("Waiting for")
    asha.picture("key 3 waiting")
    bram.open(bram.link)
    bram.wait_for_heading("Choose your key file")
    bram.picture("key 4 choose file")
    bram.give(first_parts[1])
    bram.wait_for("This is the key of Asha Okafor, who is key-holder 1. This page is for somebody else.")
    bram.picture("key 4 wrong file")
    bram.give(first_parts[2], "not the passphrase")
    bram.wait_for("This passphrase does not open the file.")
    bram.give(first_parts[2])

    # All go on by themselves; each saves the finished key, chooses it again, and proves it.
    finished = {}
    for holder in holders:
        holder.wait_for_heading("Save your key and prove it")
        holder.picture(f"key 5 save and prove {holder.number}")
        holder.press("Print a backup sheet")
        holder.wait_for_heading("Backup sheet")
        holder.picture(f"key 6 sheet {holder.number}")
        sheet = holder.driver.find_element(By.CSS_SELECTOR, "p.code").text
        holder.press("Back")
        holder.press("Save my key")
        finished[holder.number] = holder.file(f"ballot-{uuid}-{holder.number}-{HOLDERS[holder.number - 1].lower().replace(' ', '-')}.key")
        assert KeyFile.from_bytes(sheet.encode(), holder.passphrase) == KeyFile.from_bytes(
            finished[holder.number].read_bytes(), holder.passphrase
        )
        holder.give(finished[holder.number])
        holder.wait_for_heading("Where are your copies?")
        assert f"This is the key of {HOLDERS[holder.number - 1]}, key-holder {holder.number}, for the ballot “AGM 2026”." in holder.text
        holder.press("Prove that I hold my key")
        holder.wait_for("Tick at least two places.")
        holder.picture(f"key 7 copies {holder.number}")
        holder.choose("On this device")
        holder.choose("In a password manager")
        holder.press("Prove that I hold my key")
        holder.wait_for_heading("Your key is ready")
    asha.wait_for("All key-holders are ready.")
    asha.picture("key 8 ready")
    keys = {n: KeyFile.from_bytes(finished[n].read_bytes(), PASSPHRASES[n - 1]) for n in (1, 2, 3)}

    # Locked, opened, voted on. Three days before the close the page asks for the proof again.
    meeting.lock_and_open()
    world = World(hall.database, hall.keys, FixedClock(datetime.now(UTC)))
    _vote(hall, meeting, world, uuid)
    with hall.database.write() as db:
        election = db.get_one(Election, uuid)
        election.closes_at = hall.now + timedelta(days=2)
        for row in db.exec(select(Trustee).where(col(Trustee.election_uuid) == uuid)):
            row.possession_at = hall.now - timedelta(days=5)
            db.add(row)
        db.add(election)
    cerys.open(cerys.link)
    cerys.wait_for_heading("Show that you still have your key")
    cerys.picture("key 9 prove again")
    cerys.prove(finished[3])
    cerys.wait_for_heading("Your key is ready")
    assert "Still to show that their key opens: Asha Okafor and Bram Lister." in cerys.text
    assert "not enough yet: 1 more must be found" in cerys.text
    cerys.press("I have lost my key or passphrase")
    assert "If fewer than 2 keys are left, nobody can open the box" in cerys.text
    cerys.picture("key 9 lost")

    # Count day. Asha shuffles in the browser, Bram on the command line with the key that his browser made.
    meeting.close(uuid)
    asha.open(asha.link)
    asha.wait_for_heading("The count has not begun")
    asha.picture("count 0 not begun")
    tally.begin(hall.database, uuid, OFFICER, hall.now)
    code = tally.steps(hall.database, uuid).code
    asha.wait_for_heading("Count day")
    asha.picture("count 1 choose key")
    asha.give(finished[1])
    asha.wait_for_heading("Shuffle")
    assert code == asha.driver.find_element(By.ID, "total").text
    assert "5" in asha.text
    asha.press("Shuffle")
    asha.wait_for("Compare the number and the code first")
    asha.picture("count 2 compare")
    asha.choose("The other key-holders see the same number and the same code")
    asha.press("Shuffle")
    asha.wait_for_heading("Your shuffle was received and checked")
    asha.picture("count 3 shuffled")
    (tmp_path / "passphrase").write_text(PASSPHRASES[1])
    given = ["--key", str(finished[2]), "--passphrase-file", str(tmp_path / "passphrase"), "--link", links[1], "--yes", "--jobs", "1"]
    assert 0 == main(["trustee", "shuffle", *given])

    # Asha's page goes on by itself; Cerys opens a share too.
    for holder in (asha, cerys):
        if holder is cerys:
            _a_bent_archive_is_refused(cerys, finished[3])
            cerys.open(cerys.link)
            cerys.wait_for_heading("Count day")
            cerys.give(finished[3])
        holder.wait_for_heading("Open my share")
        assert code == holder.driver.find_element(By.ID, "total").text
        holder.picture(f"count 4 open {holder.number}")
        if holder is cerys:
            holder.choose("The other key-holders see the same number and the same code")
            _a_second_tally_is_refused(cerys, uuid)
        holder.press("Open my share")
        holder.wait_for_heading("Received and checked")
        uses = json.loads(holder.driver.execute_script(f"return localStorage.getItem('ballot-key-used:{uuid}:{holder.number}')"))
        assert [*(["shuffle"] if holder is asha else []), "decrypt"] == [use["act"] for use in uses]
        assert {code} == {use["tally"][:8] for use in uses}
        holder.picture(f"count 5 done {holder.number}")
    cerys.wait_for("Enough shares are here.")

    # No request of any browser held a secret.
    for holder in holders:
        sent = holder.sent()
        key = keys[holder.number]
        assert f"/api/trustee/{uuid}/{holder.number}" in sent
        assert key.seed is not None
        for secret in (key.seed, str(key.private_key), f"{key.private_key:x}", holder.passphrase, holder.passphrase.replace(" ", "+")):
            assert secret not in sent
        token = holder.link.partition("#")[2]
        assert token not in sent, "the token travels in a header only"
        assert [] == holder.log()
    assert [] == sorted(path.name for path in tmp_path.glob("downloads-*/*.crdownload"))

    # A link that was replaced.
    bram.open(re.sub(r"#....", "#AAAA", links[1]))
    bram.wait_for_heading("This link does not work")
    bram.picture("key 0 dead link")

    # Published; accepted by our verifier and by Belenios's own tool.
    world.clock.moment = datetime.now(UTC)
    world.publish(uuid)
    asha.wait_for_heading("The result is published")
    asha.picture("count 6 published")
    motion, secretary = tally.outcome(hall.database, uuid).questions
    assert (3, 1, 1) == (*motion.totals, motion.blank)
    assert sorted([(0, 1), (1,), (1, 0, 2), (3,)]) == sorted(secretary.rankings)
    archive = tmp_path / "archive"
    archive.mkdir()
    (archive / f"{uuid}.bel").write_bytes(b"".join(board.stream_archive(hall.database, uuid)[1]))
    with hall.database.read() as db:
        (archive / f"{uuid}.companion.json").write_bytes(board.companion_bytes(db, uuid))
    assert 0 == main(["verify", str(archive / f"{uuid}.bel"), "--jobs", "1"])
    done = belenios.run(belenios_tool, "election", "verify", "--dir", archive)
    assert 0 == done.returncode, done.stderr


def test_one_named_holder_of_a_practice_ballot_makes_a_key_and_opens_the_box(
    hall: Hall, new_browser: Callable[..., Chrome], tmp_path: Path
) -> None:
    meeting = hall.meeting(draft("Practice ballot", MOTION, practice=True, minimum_ballots=1))
    (uuid,) = meeting.uuids
    with hall.database.write() as db:
        (trustee,) = trustees.name_trustees(db, uuid, [trustees.Person("Asha Okafor", "asha@example.org")], 1, OFFICER, hall.now)
        link = f"{hall.site.url}/trustee/{uuid}/1#{tokens.make_trustee_token(hall.keys, trustee)}"
    asha = KeyHolder(new_browser(downloads=tmp_path), 1, link, tmp_path)
    asha.open(link)  # and from here with the keyboard alone, but for the window in which the system has a file chosen
    asha.wait_for_heading("Make your key")
    assert "This one key opens the box." in asha.text
    asha.keys(Keys.TAB, asha.passphrase, Keys.TAB, asha.passphrase, Keys.ENTER)
    asha.wait_for_heading("Save your key")
    asha.keys(Keys.TAB, Keys.TAB, Keys.ENTER)
    asha.wait_for("Save the file first.")
    assert "Error: Save your key" in asha.title
    asha.keys(Keys.TAB, Keys.ENTER)
    assert "Save your key" == asha.focused, "the summary leads to what is missing"
    asha.keys(Keys.ENTER, Keys.TAB, Keys.ENTER)
    asha.wait_for_heading("Save your key and prove it")
    key = asha.file(f"ballot-{uuid}-1-asha-okafor.key")
    asha.field("Your key file").send_keys(str(key))
    asha.field("Your passphrase").send_keys(asha.passphrase, Keys.ENTER)
    asha.wait_for_heading("Where are your copies?")
    asha.keys(Keys.TAB, Keys.SPACE, Keys.TAB, Keys.TAB, Keys.SPACE, Keys.ENTER)
    asha.wait_for_heading("Your key is ready")
    meeting.lock_and_open()
    world = World(hall.database, hall.keys, FixedClock(datetime.now(UTC)))
    _vote(hall, meeting, world, uuid, ranked=False)
    meeting.close(uuid)
    tally.begin(hall.database, uuid, OFFICER, hall.now)
    asha.open(link)
    asha.wait_for_heading("Count day")
    asha.give(key)
    asha.wait_for_heading("Open my share")
    assert "This ballot allows opening as few as 1 ballot." in asha.text
    asha.choose("The other key-holders see the same number and the same code")
    asha.press("Open my share")
    asha.wait_for_heading("Received and checked")
    world.clock.moment = datetime.now(UTC)
    world.publish(uuid)
    (motion,) = tally.outcome(hall.database, uuid).questions
    assert (3, 1, 1) == (*motion.totals, motion.blank)


def test_without_scripts_or_in_an_old_browser_the_page_says_what_to_do(hall: Hall, new_browser: Callable[..., Chrome]) -> None:
    (uuid,) = hall.meeting(draft("AGM 2026", MOTION)).uuids
    reader = Voter(new_browser(javascript=False))
    reader.driver.get(f"{hall.site.url}/trustee/{uuid}/1#token")
    reader.wait_for("it needs JavaScript")
    assert "Use the command line instead" in reader.text
    old = Voter(new_browser())  # has scripts, and cannot run this one
    old.driver.execute_cdp_cmd("Network.enable", {})
    old.driver.execute_cdp_cmd("Network.setBlockedURLs", {"urls": ["*keyholder.js*"]})
    old.driver.get(f"{hall.site.url}/trustee/{uuid}/1#token")
    old.wait_for("a browser from 2021 or later")
