"""Writes the fixture of one release: an installation of its own making, as SQL text for both databases, and what must come out of it.

Run once for each release, with that release's code and never with a later one, from the top of its tree:

    python -m tests.releases.make VERSION FOLDER

FOLDER then holds VERSION.sqlite.sql, VERSION.postgresql.sql and VERSION.json. Its keys are `Keys.from_seed(b"tests")`.
"""

from __future__ import annotations

import json
import re
import sqlite3
import subprocess
import sys
import tempfile
from hashlib import sha256
from pathlib import Path

from ballot.services import board, lifecycle, mailings, officers
from ballot.services.approvals import Need
from ballot.services.database import Database
from ballot.services.mail import Mailer
from tests.services.world import MOTION, OFFICER, World
from tests.support.postgresql import PostgreSQL


def fill(database: Database) -> dict[str, object]:
    """A published election and an open one, an officer with a second factor, links that wait; what a later release must give back."""
    world = World(database)
    with database.write() as session:
        officer = officers.add_officer(session, name="Ruth Smith", email="ruth@example.org", roles=["returning-officer"], now=world.now)
        secret = officers.enrolment_secret(session, world.keys, officer)
    meeting = world.meeting(members=6)
    finished, open_one = world.election(meeting), world.election(meeting, questions=[MOTION])
    world.lock(open_one)
    world.open_voting(open_one)
    world.open(finished)
    members = world.members(meeting)
    for entry in members[:5]:
        world.cast(finished, entry)
    with database.write() as session:
        mailings.send_at_once(session, world.config, world.keys, Mailer(world.config, world.keys), meeting.id, OFFICER, world.now)
    receipts = [world.cast(open_one, entry, ((0, 1, 0),)).to_bytes().decode() for entry in members[:3]]
    voting = world.now
    approval = world.agreed(meeting.id, Need.CLOSE_EARLY, finished, "everybody has voted")
    lifecycle.close(database, finished, OFFICER, world.now, reason="everybody has voted", approval=approval)
    world.tally(finished)
    with database.read() as session:
        return {
            "meeting": meeting.id,
            "officer": officer.id,
            "totp": secret,
            "finished": finished,
            "open": open_one,
            "moment": voting.isoformat(),
            "receipts": receipts,
            "secrets": [str(world.secrets[open_one, number]) for number in (1, 2, 3)],
            "voted": [entry.handle for entry in members[:3]],
            "archives": {uuid: sha256(b"".join(board.stream_archive(database, uuid)[1])).hexdigest() for uuid in (finished, open_one)},
            "companions": sha256(board.companion_bytes(session, finished)).hexdigest(),
        }


def sqlite_text(path: Path) -> str:
    """The whole file as statements."""
    with sqlite3.connect(path) as connection:
        return "\n".join(connection.iterdump()) + "\n"


def postgresql_text(server: PostgreSQL, url: str) -> str:
    """The whole database as statements that any client can send."""
    command = [str(server.postgres.with_name("pg_dump")), "--inserts", "--no-owner", "--no-privileges", url.replace("+psycopg", "")]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    lines = [line for line in text.splitlines() if line and not re.match(r"--|\\|SET |SELECT pg_catalog.set_config", line)]
    return "\n".join(lines) + "\n"


def main() -> None:
    version, folder = sys.argv[1], Path(sys.argv[2])
    expected: dict[str, object] = {}
    with tempfile.TemporaryDirectory() as scratch:
        database = Database(f"sqlite:///{scratch}/b.sqlite3")
        database.migrate()
        expected["sqlite"] = fill(database)
        database.dispose()
        (folder / f"{version}.sqlite.sql").write_text(sqlite_text(Path(scratch, "b.sqlite3")), encoding="utf-8")
    server = PostgreSQL()
    server.start()
    try:
        url = server.new_database()
        database = Database(url)
        database.migrate()
        expected["postgresql"] = fill(database)
        database.dispose()
        (folder / f"{version}.postgresql.sql").write_text(postgresql_text(server, url), encoding="utf-8")
    finally:
        server.close()
    (folder / f"{version}.json").write_text(json.dumps(expected, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
