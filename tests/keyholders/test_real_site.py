"""`ballot trustee` and `ballot codes` with the real site: its database, its addresses, its checks."""

from __future__ import annotations

import csv
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from werkzeug.serving import make_server

from ballot.app import create_app
from ballot.cli import main
from ballot.config import Config
from ballot.models import Trustee
from ballot.protocol.ballots import create_ballot
from ballot.services import board, registrar, tally
from ballot.services.database import Database
from ballot.services.tokens import make_trustee_token
from ballot.verifier.report import Outcome
from ballot.verifier.verify import verify_archive
from tests.keyholders.boards import PASSPHRASE
from tests.services.world import CLOSES, MOTION, OFFICER, SECRETARY, World
from tests.support.ports import free_port

Run = Callable[..., tuple[int, str, str]]


@dataclass
class Running:
    world: World
    url: str


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Running]:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    config = Config.from_environ(
        {
            "BALLOT_DEVELOPMENT": "1",
            "BALLOT_PUBLIC_URL": url,
            "BALLOT_DATA": str(tmp_path / "data"),
            "BALLOT_KEYS": str(tmp_path / "keys"),
            "BALLOT_ORGANISATION": "Northern Assembly",
        }
    )
    config.data.mkdir()
    database = Database(config.database_url)
    database.migrate()
    world = World(database, config=config)
    app = create_app(config, clock=world.clock, database=database, keys=world.keys)
    server = make_server("127.0.0.1", port, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield Running(world, url)
    server.shutdown()
    thread.join()
    server.server_close()
    database.dispose()


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "phrase").write_text(PASSPHRASE)

    def run(*arguments: object) -> tuple[int, str, str]:
        capsys.readouterr()
        status = main([*map(str, arguments), "--passphrase-file", str(tmp_path / "phrase")])
        out, err = capsys.readouterr()
        assert "fault of its own" not in err
        return status, out, err

    return run


def _with_link(site: Running, uuid: str, owner: int) -> list[str]:
    """The mailed link, as a key-holder pastes it."""
    with site.world.database.read() as session:
        trustee = session.get_one(Trustee, (uuid, owner))
        token = make_trustee_token(site.world.keys, trustee)
    return ["--link", f"{site.url}/trustee/{uuid}/{owner}#{token}"]


def _key(folder: Path, uuid: str, owner: int) -> Path:
    return folder / f"ballot-{uuid}-{owner}-holder-{owner}.key"


def test_key_holders_run_a_whole_election_from_the_command_line(site: Running, run: Run, tmp_path: Path) -> None:
    world = site.world
    meeting = world.meeting()
    uuid = world.election(meeting, people=0)
    from ballot.services import trustees

    with world.database.write() as session:
        people = [trustees.Person(f"Holder {i}", f"holder{i}@example.org") for i in (1, 2, 3)]
        trustees.name_trustees(session, uuid, people, 2, OFFICER, world.now)
    for _ in range(3):
        for owner in (1, 2, 3):
            status, out, err = run("trustee", "make-key", *_with_link(site, uuid, owner))
            assert 0 == status, err
    assert "My key is made, and the site knows that I hold it." in out
    world.open(uuid)
    for entry in world.members(meeting):
        world.cast(uuid, entry)
    status, _, err = run("trustee", "prove", "--key", _key(tmp_path, uuid, 1), *_with_link(site, uuid, 1))
    assert 0 == status, err
    status, _, err = run("trustee", "decrypt", "--key", _key(tmp_path, uuid, 1), *_with_link(site, uuid, 1), "--jobs", 1)
    assert (2, True) == (status, "voting is not closed" in err)
    world.close(uuid)
    tally.begin(world.database, uuid, OFFICER, world.now)
    for act, owners in (("shuffle", (1, 3)), ("decrypt", (3, 1))):
        for owner in owners:
            status, out, err = run("trustee", act, "--key", _key(tmp_path, uuid, owner), *_with_link(site, uuid, owner), "--jobs", 1)
            assert 0 == status, err
            assert "Received and checked by the site." in out
            assert tally.steps(world.database, uuid).code in out
    status, _, err = run("trustee", "decrypt", "--key", _key(tmp_path, uuid, 1), *_with_link(site, uuid, 1), "--jobs", 1)
    assert (2, True) == (status, "in the archive already" in err)
    world.publish(uuid)
    with world.database.read() as session:
        companion = board.companion_bytes(session, uuid)
    _, pieces = board.stream_archive(world.database, uuid)
    (tmp_path / "board.bel").write_bytes(b"".join(pieces))
    with (tmp_path / "board.bel").open("rb") as file:
        report = verify_archive(file, companion=companion)
    assert Outcome.VERIFIED is report.outcome, report.verdict()
    assert 8 == report.counted


def test_a_wrong_token_is_refused_in_the_sites_own_words(site: Running, run: Run) -> None:
    world = site.world
    uuid = world.election(world.meeting())
    right = _with_link(site, uuid, 1)
    (site.world.config.data / "link").write_text(right[1] + "\n")
    assert 0 == run("trustee", "make-key", "--link-file", site.world.config.data / "link")[0]
    for token in ("nonsense", right[1].partition("#")[2][:-1]):
        status, _, err = run("trustee", "make-key", "--url", site.url, "--token", token, "--election", uuid, "--owner", 1)
        assert 2 == status
        assert "the site says: " in err
    status, _, err = run("trustee", "make-key", *right, "--owner", 2)
    assert (2, True) == (status, "the site says: " in err)


def test_a_registrars_files_serve_a_split_trust_meeting(site: Running, run: Run, tmp_path: Path) -> None:
    world = site.world
    meeting = world.meeting(split_trust=True)
    uuid = world.election(meeting, questions=(MOTION,))
    with world.database.read() as session:
        listing = registrar.registrar_list(session, world.config, world.keys, meeting.id, CLOSES + timedelta(days=30))
    (tmp_path / "roll.csv").write_text(listing, newline="")
    assert 0 == run("codes", "make-key", "--registrar", "Mo", "--out", "registrar.key")[0]
    made = run("codes", "make", "--key", "registrar.key", "--meeting", meeting.id, "--election", uuid, "--roll", "roll.csv")
    assert 0 == made[0], made[2]
    with world.database.write() as session:
        data = (tmp_path / f"{uuid}-credentials.csv").read_bytes()
        assert 8 == registrar.receive_credentials(session, uuid, data, SECRETARY, world.now)
    with world.database.read() as session:
        assert registrar.public_credentials(session, uuid).to_bytes() == (tmp_path / f"{uuid}-public.json").read_bytes()
    world.open(uuid)
    (merge,) = tmp_path.glob("mail-merge-*.sealed")
    assert 0 == run("codes", "open", merge, "--out", "merge.csv")[0]
    setup = board.load_setup(world.database, uuid)
    with (tmp_path / "merge.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    for height, row in enumerate(rows, 1):
        token, code = row["link"].partition("#")[2].rsplit(".", 1)
        assert code == row["code"]
        ballot = create_ballot(setup.election, code, [(0, 1, 0)], world.rng).to_bytes()
        assert height == board.cast(world.database, world.keys, uuid, token, ballot, world.now).height
