"""R11: links to all members through a mail server in every mood, by a sender that is killed."""

from __future__ import annotations

import contextlib
import random
import re
import socketserver
import subprocess
import sys
import threading
import time
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from sqlmodel import Session, col, select, update

from ballot.models import Outbox
from ballot.services import audit as service
from ballot.services import mailings
from ballot.services.clock import FixedClock
from ballot.services.database import Database
from ballot.services.keys import Keys
from ballot.services.mail import Mailer, State
from tests.faults.fault import Fault, Found, Place
from tests.faults.poll import Hall
from tests.services.world import OFFICER
from tests.support.need import ROOT

STAGES = ("connect", "EHLO", "MAIL", "RCPT", "DATA", "text", "taken")
A_KILL = 100  # members a kill


class MoodyServer:
    """Takes most mails; answers 421 or 451 now and then, 550 for some addresses for good; hangs up at any stage, or falls silent."""

    def __init__(self, seed: int) -> None:
        self.luck, self.lock = random.Random(seed), threading.Lock()
        self.calm = False
        self.taken: Counter[str] = Counter()  # whole texts by Message-ID, whether the answer went out or not
        self.acts: Counter[str] = Counter()
        moody = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                with contextlib.suppress(OSError):
                    moody._talk(self)

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True
            request_queue_size = 32

        self._server = Server(("127.0.0.1", 0), Handler)
        self.port: int = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _mood(self) -> tuple[str, str]:
        """What goes wrong with the next mail, and where."""
        with self.lock:
            if self.calm or self.luck.random() > 0.04:
                return "", ""
            act = self.luck.choice(("421", "451", "451", "drop", "drop", "silence"))
            where = self.luck.choice(STAGES) if act == "drop" else "taken" if act == "silence" else "RCPT"
            self.acts[act] += 1
            return act, where

    def _talk(self, peer: socketserver.StreamRequestHandler) -> None:
        act, where = self._mood()
        if where == "connect":
            return
        peer.wfile.write(b"220 moody\r\n")
        while line := peer.rfile.readline():
            verb = line.strip().split(b" ")[0].split(b":")[0].upper().decode("ascii", "replace")
            if verb == where and act == "drop":
                return
            if verb == "MAIL" and not act:
                act, where = self._mood()
            if verb == "RCPT":
                number = int(re.search(rb"member(\d+)@", line)[1])  # type: ignore[index]
                if number % 50 == 7:
                    peer.wfile.write(b"550 no such mailbox\r\n")
                    continue
                if act == "421":
                    peer.wfile.write(b"421 going down\r\n")
                    return
                if act == "451":
                    act = ""
                    peer.wfile.write(b"451 try later\r\n")
                    continue
            if verb != "DATA":
                peer.wfile.write(b"221 bye\r\n" if verb == "QUIT" else b"250 OK\r\n")
                if verb == "QUIT":
                    return
                continue
            peer.wfile.write(b"354 go on\r\n")
            if where == "text" and act == "drop":
                peer.rfile.readline()
                return
            identity = self._text(peer)
            if identity is None:
                return
            with self.lock:
                self.taken[identity] += 1
            if where == "taken":
                if act == "silence":
                    time.sleep(2)
                return
            peer.wfile.write(b"250 taken\r\n")
            act, where = "", ""

    @staticmethod
    def _text(peer: socketserver.StreamRequestHandler) -> str | None:
        """The Message-ID of a whole text; None if its last line never came."""
        identity = None
        while line := peer.rfile.readline():
            if line == b".\r\n":
                return identity
            if line.lower().startswith(b"message-id:"):
                identity = line.split(b":", 1)[1].strip().decode()
        return None


def run(rounds: int, here: Place) -> Found:
    """`rounds` kills, and a hundred members for each."""
    found, luck, members = Found(), random.Random(here.seed), rounds * A_KILL
    folder = here.sub("mail")
    hall = Hall(Database(here.url("mail")), keys=Keys.open(folder / "keys"), clock=FixedClock(datetime.now(UTC)))
    hall.database.migrate()
    here.stack.callback(hall.database.dispose)
    meeting = hall.meeting(two_people=False, members=members)
    hall.lock(hall.election(meeting, people=0, practice=True))
    with hall.database.write() as session:
        mailings.send_at_once(session, hall.config, hall.keys, Mailer(hall.config, hall.keys), meeting.id, OFFICER, hall.now)
    server = MoodyServer(here.seed)
    here.stack.callback(server.close)
    environ = {
        "PYTHONPATH": str(ROOT),
        "BALLOT_DEVELOPMENT": "1",
        "BALLOT_PUBLIC_URL": "https://vote.example.org",
        "BALLOT_KEYS": str(folder / "keys"),
        "BALLOT_DATA": str(folder),
        "BALLOT_DATABASE_URL": hall.database.engine.url.render_as_string(hide_password=False),
        "BALLOT_SMTP_HOST": "127.0.0.1",
        "BALLOT_SMTP_PORT": str(server.port),
        "BALLOT_SMTP_TLS": "none",
        "BALLOT_SMTP_FROM": "ballots@example.org",
        "BALLOT_MAILS_PER_MINUTE": "100000",
    }
    command = [sys.executable, "-m", "ballot.cli", "mail"]
    for number in range(rounds + 20):
        server.calm = number >= rounds
        with subprocess.Popen(command, cwd=ROOT, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as sender:
            before = sum(server.taken.values())
            if server.calm:
                end = time.monotonic() + 120
                while sender.poll() is None and time.monotonic() < end and _waiting(hall, due=True):
                    time.sleep(0.2)
            else:
                end = time.monotonic() + 20  # it has taken up its work; somewhere in it, it dies
                while sender.poll() is None and time.monotonic() < end and sum(server.taken.values()) == before:
                    time.sleep(0.01)
                time.sleep(luck.uniform(0, 1))
                found.rounds += 1
            sender.kill()
        _now(hall)
        if server.calm and not _waiting(hall, due=False):
            break
    _judge(found, hall, server, members)
    result = service.audit(hall.database, hall.keys, skip=frozenset({"I6"}))
    found.violations += map(str, result.violations)
    found.figures |= {"members": members, **{f"server: {act}": number for act, number in server.acts.items()}}
    return found


def _waiting(hall: Hall, *, due: bool) -> bool:
    with hall.database.read() as session:
        states = [State.WAITING, State.SENDING]
        limit = hall.now if due else hall.now + timedelta(days=9)
        return session.exec(select(Outbox.id).where(col(Outbox.state).in_(states), Outbox.due_at <= limit).limit(1)).first() is not None


def _now(hall: Hall) -> None:
    """What was put off for minutes or hours is due now."""
    with hall.database.write() as session:
        session.execute(update(Outbox).where(col(Outbox.state) == State.WAITING).values(due_at=hall.now))


def _judge(found: Found, hall: Hall, server: MoodyServer, members: int) -> None:
    with hall.database.read() as session:
        rows = _rows(session)
    found.expect(len(rows) == members, f"{len(rows)} letters for {members} members")
    for row in rows:
        times = server.taken[row.message_id]
        found.add(str(row.state))
        found.expect(times <= 1, f"{row.message_id} was handed over {times} times")
        match row.state:
            case State.ACCEPTED:
                found.expect(times == 1, f"{row.message_id} is listed as accepted, and was never handed over")
            case State.FAILED:
                found.expect(times == 0 and row.detail.startswith("550"), f"{row.message_id} failed: {row.detail}")
            case State.UNKNOWN:
                pass  # the gap that SMTP cannot close; listed, and not sent again by itself
            case _:
                found.violations.append(f"{row.message_id} is still {row.state}")


def _rows(session: Session) -> list[Outbox]:
    return list(session.exec(select(Outbox).where(Outbox.kind == "invitation")).all())


FAULT = Fault(
    "R11",
    "links to all members through a moody mail server, by a sender that is killed",
    "missed 0; twice 0, but for what is listed as unknown",
    100,
    1,
    run,
)


@pytest.mark.slow
def test_nobody_is_missed_and_nobody_written_to_twice(both: Place) -> None:
    FAULT.check(both)
