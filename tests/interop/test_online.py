"""A running site is audited from outside at every stage of an election: by Belenios's own command over the site's public
read paths, and by our verifier on the file that the site hands out."""

from __future__ import annotations

import io
import threading
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from werkzeug.serving import make_server

from ballot.app import create_app
from ballot.config import Config
from ballot.services import tally
from ballot.services.database import Database
from ballot.verifier.report import Outcome, Report
from ballot.verifier.verify import verify_archive
from tests.services.world import OFFICER, World
from tests.support import belenios
from tests.support.ports import free_port

pytestmark = pytest.mark.belenios_tool


@dataclass
class Online:
    """A site that answers on a port, and the organisation behind it."""

    world: World
    url: str

    def fetch(self, path: str) -> bytes:
        with urllib.request.urlopen(f"{self.url}{path}", timeout=60) as answer:
            content: bytes = answer.read()
        return content


@pytest.fixture
def online(tmp_path: Path) -> Iterator[Online]:
    url = f"http://127.0.0.1:{(port := free_port())}"
    settings = {
        "BALLOT_DEVELOPMENT": "1",
        "BALLOT_PUBLIC_URL": url,
        "BALLOT_DATA": str(tmp_path / "data"),
        "BALLOT_KEYS": str(tmp_path / "keys"),
    }
    config = Config.from_environ(settings)
    config.data.mkdir()
    database = Database(config.database_url)
    database.migrate()
    world = World(database, config=config)
    server = make_server("127.0.0.1", port, create_app(config, clock=world.clock, database=database, keys=world.keys), threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield Online(world, url)
    server.shutdown()
    thread.join()
    server.server_close()
    database.dispose()


def test_a_running_site_is_audited_at_every_stage(online: Online, belenios_tool_online: Path) -> None:
    world = online.world
    meeting = world.meeting()
    uuid = world.election(meeting)
    pins: list[tuple[int, str]] = []

    def audit(outcome: Outcome) -> Report:
        """Both judges; and nothing that an earlier audit saw is gone."""
        done = belenios.run(belenios_tool_online, "election", "verify", "--url", f"{online.url}/", "--uuid", uuid)
        assert (0, True) == (done.returncode, "all checks passed" in done.stderr + done.stdout), done.stderr
        companion = online.fetch(f"/api/elections/{uuid}/companion")
        report = verify_archive(io.BytesIO(online.fetch(f"/api/elections/{uuid}/archive")), companion=companion, pins=pins)
        assert outcome is report.outcome, report.verdict()
        assert report.height is not None
        assert report.head is not None
        pins.append((report.height, report.head))
        return report

    world.open(uuid)
    audit(Outcome.UNFINISHED)
    for entry in world.members(meeting)[:6]:
        world.cast(uuid, entry)
    assert 6 == audit(Outcome.UNFINISHED).ballots
    world.close(uuid)
    audit(Outcome.UNFINISHED)
    tally.begin(world.database, uuid, OFFICER, world.now)
    for owner in (1, 3):
        tally.accept_shuffle(world.database, uuid, owner, world.shuffle(uuid, owner), world.now)
        audit(Outcome.UNFINISHED)
    for owner in (1, 3):
        tally.accept_decryption(world.database, uuid, owner, *world.share(uuid, owner), world.now)
        audit(Outcome.UNFINISHED)
    world.publish(uuid)
    assert 6 == audit(Outcome.VERIFIED).counted


def test_the_file_of_the_site_is_the_one_that_belenios_verifies(online: Online, belenios_tool: Path, tmp_path: Path) -> None:
    world = online.world
    meeting = world.meeting()
    uuid = world.election(meeting)
    world.open(uuid)
    for entry in world.members(meeting):
        world.cast(uuid, entry)
    world.close(uuid)
    world.tally(uuid)
    folder = tmp_path / "download"
    folder.mkdir()
    (folder / f"{uuid}.bel").write_bytes(online.fetch(f"/e/{uuid}.bel"))
    (folder / f"{uuid}.companion.json").write_bytes(online.fetch(f"/e/{uuid}.companion.json"))
    assert 0 == belenios.run(belenios_tool, "election", "verify", "--dir", folder).returncode
    with (folder / f"{uuid}.bel").open("rb") as file:
        report = verify_archive(file, companion=(folder / f"{uuid}.companion.json").read_bytes())
    assert (Outcome.VERIFIED, 8) == (report.outcome, report.counted), report.verdict()
