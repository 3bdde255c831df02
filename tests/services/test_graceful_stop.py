"""SIGTERM loses nothing: what has begun is finished, what has not is refused, and the same bytes count once after the next start."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import select

from ballot.config import Config
from ballot.models import Outbox
from ballot.protocol.ballots import create_ballot
from ballot.protocol.group import SystemRng
from ballot.services import board, mailings, registrar
from ballot.services.database import Database
from ballot.services.mail import Mailer
from ballot.services.startup import prepare
from ballot.services.tokens import make_voting_token
from tests.support.drill import OFFICER, open_election
from tests.support.need import ROOT
from tests.support.ports import wait_until_listening
from tests.support.site import Site
from tests.support.smtp import SMTPServer

HELD = 5  # requests that have begun when the signal comes; each of 2 workers has 8 threads, so none waits for another


class Served(Site):
    """The site under `ballot serve`, as a service manager runs it."""

    def start(self) -> Served:
        command = [sys.executable, "-m", "ballot.cli", "serve", "--bind", f"127.0.0.1:{self.port}", "--workers", "2", "--threads", "8"]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, cwd=ROOT, env=self.environ, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        assert wait_until_listening(self.port, self.process)
        return self


def begin(site: Site, uuid: str, body: bytes) -> socket.socket:
    """A cast whose headings have arrived: a worker waits for its body, and says so."""
    connection = socket.create_connection(("127.0.0.1", site.port), timeout=60)
    head = f"POST /vote/{uuid}/cast HTTP/1.1\r\nHost: 127.0.0.1:{site.port}\r\nOrigin: {site.url}\r\nX-Ballot: 1\r\n"
    head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n"
    connection.sendall(head.encode())
    assert connection.recv(1000).startswith(b"HTTP/1.1 100")
    return connection


def finish(connection: socket.socket, body: bytes) -> tuple[int, dict[str, Any]]:
    with contextlib.closing(connection):
        connection.sendall(body)
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        return answer.status, json.loads(answer.read())


def cast(site: Site, uuid: str, body: bytes) -> dict[str, Any] | None:
    """A whole cast on a connection of its own; None if it was not taken on."""
    connection = http.client.HTTPConnection("127.0.0.1", site.port, timeout=60)
    try:
        connection.request("POST", f"/vote/{uuid}/cast", body, {"Content-Type": "application/json", "X-Ballot": "1", "Origin": site.url})
        answer = connection.getresponse()
        data = answer.read()
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()
    assert 200 == answer.status, data
    receipt: dict[str, Any] = json.loads(data)
    return receipt


@pytest.mark.slow
def test_requests_that_have_begun_are_answered_and_later_ones_refused(tmp_path: Path) -> None:
    site = Served(tmp_path)
    database, keys = prepare(Config.from_environ(site.environ))
    _, uuid, entries = open_election(database, keys, 24)
    election, expires = board.load_setup(database, uuid).election, datetime.now(UTC) + timedelta(days=1)
    bodies: dict[str, bytes] = {}
    for entry in entries:
        sealed = create_ballot(election, registrar.voting_code(keys, entry), [[0, 1, 0]], SystemRng()).to_bytes().decode()
        bodies[entry.handle] = json.dumps({"token": make_voting_token(keys, entry, expires), "ballot": sealed}).encode()
    held, others = entries[:HELD], entries[HELD:]
    receipts: dict[str, dict[str, Any] | None] = {}
    with site:
        assert site.process is not None
        begun = {entry.handle: begin(site, uuid, bodies[entry.handle]) for entry in held}
        waiting = [entry.handle for entry in others]
        signalled = threading.Event()

        def client() -> None:
            while waiting:
                handle = waiting.pop()
                receipts[handle] = cast(site, uuid, bodies[handle])
                if len(receipts) > 5:
                    signalled.set()

        threads = [threading.Thread(target=client) for _ in range(2)]
        for thread in threads:
            thread.start()
        signalled.wait(60)
        site.process.send_signal(signal.SIGTERM)
        for thread in threads:
            thread.join()
        deadline = time.monotonic() + 30
        while cast(site, uuid, bodies[others[0].handle]) is not None:  # from some moment on nobody is let in
            assert time.monotonic() < deadline
        assert site.process.poll() is None  # it waits for those who were in
        for handle, connection in begun.items():
            status, answer = finish(connection, bodies[handle])
            assert 200 == status, answer
            receipts[handle] = answer
        assert 0 == site.process.wait(60)
    answered = {handle: receipt for handle, receipt in receipts.items() if receipt is not None}
    assert set(begun) <= set(answered)
    with database.read() as session:
        on_board = {line.tracker: line.height for line in board.ballots_on_board(session, uuid)}
    assert {receipt["ballot"] for receipt in answered.values()} <= set(on_board)
    with site:  # the next start: everybody sends the very same bytes again
        again = {entry.handle: cast(site, uuid, bodies[entry.handle]) for entry in entries}
    for handle, receipt in answered.items():
        known = again[handle]
        assert known is not None
        assert [receipt[name] for name in ("ballot", "height", "head")] == [known[name] for name in ("ballot", "height", "head")]
    with database.read() as session:
        assert len(entries) == len(board.ballots_on_board(session, uuid))
    board.check_storage(database, uuid)
    database.dispose()


def test_the_mail_sender_finishes_its_mail(tmp_path: Path) -> None:
    arrived, go_on = threading.Event(), threading.Event()

    def slowly(_message: object) -> str:
        arrived.set()
        go_on.wait(30)
        return "250 taken"

    with SMTPServer() as server:
        server.on_message = slowly
        environ = {name: value for name, value in os.environ.items() if not name.startswith("BALLOT_")} | {
            "BALLOT_DATA": str(tmp_path / "data"),
            "BALLOT_KEYS": str(tmp_path / "keys"),
            "BALLOT_SMTP_HOST": server.host,
            "BALLOT_SMTP_PORT": str(server.port),
            "BALLOT_SMTP_TLS": "none",
            "BALLOT_SMTP_FROM": "ballots@example.org",
            "BALLOT_MAILS_PER_MINUTE": "6000",
        }
        config = Config.from_environ(environ)
        database, keys = prepare(config)
        meeting, _, _ = open_election(database, keys, 3)
        with database.write() as session:
            mailings.send_at_once(session, config, keys, Mailer(config, keys), meeting, OFFICER, datetime.now(UTC))
        sender = subprocess.Popen([sys.executable, "-m", "ballot.cli", "mail", "--forever"], cwd=ROOT, env=environ)
        try:
            assert arrived.wait(60)
            sender.send_signal(signal.SIGTERM)
            go_on.set()
            assert 0 == sender.wait(30)
        finally:
            sender.kill()
        assert 1 == len(server.delivered)
    assert ["accepted", "waiting", "waiting"] == sorted(_states(database))
    database.dispose()


def _states(database: Database) -> list[str]:
    with database.read() as session:
        return [row.state for row in session.exec(select(Outbox).where(Outbox.kind == "invitation")).all()]
