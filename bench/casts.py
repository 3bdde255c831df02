"""Casts per second accepted by the running service: two gunicorn workers, honest ballots sealed beforehand, driven from another process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from ballot.config import Config
from ballot.protocol.ballots import create_ballot
from ballot.protocol.group import SystemRng
from ballot.protocol.messages import Election
from ballot.services import board, lifecycle, registrar, roll
from ballot.services.journal import Actor
from ballot.services.lifecycle import ElectionDraft
from ballot.services.startup import prepare
from ballot.services.tokens import make_voting_token
from ballot.simulate import parse_template, random_choices
from bench.common import BALLOT
from bench.protocol import QUESTIONS
from tests.support.need import find_program
from tests.support.ports import free_port, wait_until_listening
from tests.support.postgresql import FOLDERS, PostgreSQL

OFFICER = Actor("bench", "returning-officer")
CLIENTS = 16


def seal(election_bytes: bytes, codes: list[str]) -> list[str]:
    """One honest ballot for each code; run in a worker."""
    election, rng = Election.parse(election_bytes), SystemRng()
    return [
        create_ballot(election, code, [random_choices(question, rng) for question in election.questions], rng).to_bytes().decode()
        for code in codes
    ]


def members_file(voters: int) -> bytes:
    """A roll of so many full members."""
    lines = [f"M{i},Member {i},member{i}@example.org,Full member,Active,2020-01-01" for i in range(voters)]
    return "\n".join(["Membership number,Name,Email,Membership type,Status,Date joined", *lines]).encode()


def bench(folder: Path, database_url: str, *, voters: int) -> str:
    """Casts per second, with the slowest and the middle answer."""
    port = free_port()
    environ = {name: value for name, value in os.environ.items() if not name.startswith("BALLOT_")} | {
        "BALLOT_DATABASE_URL": database_url,
        "BALLOT_DATA": str(folder / "data"),
        "BALLOT_KEYS": str(folder / "keys"),
        "BALLOT_PUBLIC_URL": f"http://127.0.0.1:{port}",
        # Not in development: receipts are queued for a mail server, as on a real site, and `ballot mail` would send them.
        "BALLOT_SMTP_HOST": "127.0.0.1",
        "BALLOT_SMTP_FROM": "ballots@example.org",
    }
    config = Config.from_environ(environ)
    database, keys = prepare(config)
    now = datetime.now(UTC)
    name, description, questions = parse_template(QUESTIONS.read_bytes())
    with database.write() as session:
        meeting = lifecycle.make_meeting(session, "Bench", OFFICER, now, two_people=False)
        roll.load(session, meeting.id, roll.preview(members_file(voters), date(2026, 1, 1)), OFFICER, now)
        roll.freeze(session, meeting.id, OFFICER, now)
        draft = ElectionDraft(name, questions, now, now + timedelta(days=1), description=description, practice=True)
        uuid = lifecycle.make_election(session, meeting.id, draft, OFFICER, now).uuid
    lifecycle.lock(database, keys, uuid, OFFICER, now)
    with database.write() as session:
        lifecycle.open_voting(session, uuid, OFFICER, now)
        entries = roll.members(session, meeting.id)
        codes = [registrar.voting_code(keys, entry) for entry in entries]
        tokens = [make_voting_token(keys, entry, now + timedelta(days=1)) for entry in entries]
    election = board.load_setup(database, uuid).election.to_bytes()
    database.dispose()
    with ProcessPoolExecutor() as pool:
        chunks = [codes[i : i + 50] for i in range(0, len(codes), 50)]
        ballots = [ballot for sealed in pool.map(seal, [election] * len(chunks), chunks) for ballot in sealed]
    requests = folder / "requests.jsonl"
    with requests.open("w", encoding="ascii") as file:
        for token, ballot in zip(tokens, ballots, strict=True):
            file.write(json.dumps({"token": token, "ballot": ballot}) + "\n")

    log = (folder / "server.log").open("wb")
    server = subprocess.Popen([*BALLOT, "serve", "--bind", f"127.0.0.1:{port}", "--workers", "2"], env=environ, stdout=log, stderr=log)
    try:
        if not wait_until_listening(port, server):
            raise RuntimeError((folder / "server.log").read_text(errors="replace")[-2000:])
        for _ in range(20):  # both workers have started and read the election
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/e/{uuid}", timeout=30).close()  # our own address
            except urllib.error.HTTPError as error:
                error.close()
        drive = [sys.executable, "-m", "bench.drive", str(port), uuid, str(requests), str(CLIENTS)]
        done = subprocess.run(drive, capture_output=True, text=True, check=True)
        return done.stdout.strip()
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(timeout=30)
        log.close()


def sqlite(folder: Path, *, voters: int) -> str:
    """On SQLite, the default."""
    folder.mkdir()
    return bench(folder, f"sqlite:///{folder / 'ballot.sqlite3'}", voters=voters)


def postgresql(folder: Path, *, voters: int) -> str:
    """On a PostgreSQL server of its own with Debian's settings."""
    if find_program("postgres", folders=FOLDERS) is None:
        return "PostgreSQL is not installed"
    folder.mkdir()
    server = PostgreSQL()
    try:
        server.start()
        return bench(folder, server.new_database(), voters=voters)
    finally:
        server.close()
