"""A real site under a bench: gunicorn on a database of its own, members with honest ballots sealed beforehand."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from ballot.config import Config
from ballot.models import Election as ElectionRow
from ballot.protocol.ballots import create_ballot
from ballot.protocol.group import SystemRng
from ballot.protocol.messages import Election
from ballot.services import board, lifecycle, registrar, roll
from ballot.services.clock import iso
from ballot.services.database import Database
from ballot.services.journal import Act, Actor, append
from ballot.services.lifecycle import ElectionDraft
from ballot.services.startup import prepare
from ballot.services.tokens import make_voting_token
from ballot.simulate import parse_template, random_choices
from bench.common import BALLOT
from tests.support.need import find_program
from tests.support.ports import free_port, wait_until_listening
from tests.support.postgresql import FOLDERS, PostgreSQL

OFFICER = Actor("bench", "returning-officer")
QUESTIONS = Path(__file__).with_name("questions.json")


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


@dataclass
class Open:
    """An open election with nobody's ballot in it; `requests` has one honest cast a line, token and ballot as the booth sends them."""

    folder: Path
    environ: dict[str, str]
    port: int
    uuid: str
    requests: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def database(self) -> Database:
        return Database(self.environ["BALLOT_DATABASE_URL"])

    def close_at(self, moment: datetime) -> None:
        """The announced close is another one, sooner too, with nothing but the entry in the journal."""
        database, moment = self.database(), moment.replace(microsecond=0)
        with database.write() as session:
            election = session.get_one(ElectionRow, self.uuid)
            details = {"from": iso(election.closes_at), "to": iso(moment), "reason": "the bench"}
            election.closes_at = moment
            session.add(election)
            append(session, election.meeting_id, Act.POSTPONED, OFFICER, datetime.now(UTC), election=self.uuid, details=details)
        database.dispose()

    @contextmanager
    def served(self, workers: int = 2, threads: int = 4) -> Iterator[int]:
        """The site runs; its process's number."""
        log = (self.folder / "server.log").open("ab")
        command = [*BALLOT, "serve", "--bind", f"127.0.0.1:{self.port}", "--workers", str(workers), "--threads", str(threads)]
        server = subprocess.Popen(command, env=self.environ, stdout=log, stderr=log)
        try:
            if not wait_until_listening(self.port, server, seconds=180):
                raise RuntimeError((self.folder / "server.log").read_text(errors="replace")[-2000:])
            for _ in range(10 * workers):  # all workers have started and read the election
                try:
                    urllib.request.urlopen(f"http://127.0.0.1:{self.port}/e/{self.uuid}", timeout=60).close()
                except urllib.error.HTTPError as error:
                    error.close()
            yield server.pid
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait(timeout=60)
            log.close()


def opened(folder: Path, database_url: str, *, voters: int) -> Open:
    """Everything up to the moment at which the site may start."""
    folder.mkdir(parents=True, exist_ok=True)
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
    return Open(folder, environ, port, uuid, requests)


@contextmanager
def a_database(kind: str, folder: Path) -> Iterator[tuple[str, int | None] | None]:
    """The URL of an empty database, and the process number of its server if it has one; None where it is not installed."""
    folder.mkdir(parents=True, exist_ok=True)
    if kind == "sqlite":
        yield f"sqlite:///{folder / 'ballot.sqlite3'}", None
        return
    if find_program("postgres", folders=FOLDERS) is None:
        yield None
        return
    server = PostgreSQL()
    try:
        server.start()
        yield server.new_database(), None if server.process is None else server.process.pid
    finally:
        server.close()
