"""R13: a site that shows some clients another box, or an earlier one; and one that does nothing of the kind, for a long time."""

from __future__ import annotations

import http.client
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.faults.fault import Fault, Found, Place
from tests.faults.poll import Poll, kill, open_poll
from tests.support.need import ROOT
from tests.support.ports import free_port
from tests.support.site import Site

HONEST_POLLS = 2  # for each round, with ballots coming in and workers dying; 144 rounds are a day of polls, one in five minutes


class Front:
    """What the public address leads to: one of several servers behind it, as the attacker likes."""

    def __init__(self, port: int) -> None:
        self.behind = 0
        front = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                connection = http.client.HTTPConnection("127.0.0.1", front.behind, timeout=30)
                try:
                    connection.request("GET", self.path, headers={"Host": self.headers["Host"]})
                    answer = connection.getresponse()
                    body = answer.read()
                    self.send_response(answer.status)
                    self.send_header("Content-Type", answer.headers.get("Content-Type", "text/plain"))
                    self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)
                except OSError:
                    self.send_error(502)
                finally:
                    connection.close()

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@contextmanager
def copy_of(poll: Poll, here: Place, name: str) -> Iterator[Poll]:
    """The same box with the same keys on a server of its own, as it is now; from here on they go their own ways."""
    poll.site.stop()
    folder = here.sub(name)
    for left in folder.glob("*"):
        left.unlink() if left.is_file() else shutil.rmtree(left)
    shutil.copytree(poll.site.folder / "keys", folder / "keys")
    with closing(sqlite3.connect(str(poll.hall.database.engine.url.database))) as connection:
        connection.execute("VACUUM INTO ?", (str(folder / "copy.sqlite3"),))
    (folder / "copy.sqlite3").chmod(0o600)
    poll.site.start()
    environ = {
        "BALLOT_DATABASE_URL": f"sqlite:///{folder / 'copy.sqlite3'}",
        "BALLOT_KEYS": str(folder / "keys"),
        "BALLOT_PUBLIC_URL": poll.site.environ["BALLOT_PUBLIC_URL"],
    }
    site = Site(folder, workers=1, **environ)
    with site:
        yield Poll(site, poll.hall, poll.uuid, poll.meeting, [], [])


def look(poll: Poll, kept: Path) -> tuple[int, str]:
    """One poll of `ballot watch` by a client who keeps this file."""
    url = f"{poll.site.environ['BALLOT_PUBLIC_URL']}/e/{poll.uuid}"
    command = [sys.executable, "-m", "ballot.cli", "watch", url, "--once", "--file", str(kept)]
    for _ in range(20):
        done = subprocess.run(command, cwd=ROOT, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False)
        if done.returncode != 2:  # 2: the site did not answer just now, which is no alarm
            break
        time.sleep(0.3)
    return done.returncode, done.stdout + done.stderr


def run(rounds: int, here: Place) -> Found:
    found = Found()
    port = free_port()
    front = Front(port)
    here.stack.callback(front.close)
    poll = open_poll(here, 4 * rounds + 2, workers=2, BALLOT_PUBLIC_URL=f"http://127.0.0.1:{port}")
    jobs = iter(poll.jobs)
    client = here.folder / "honest.checkpoints"
    poll.cast(next(jobs))
    front.behind = poll.site.port
    for number in range(rounds):
        for attempt in range(HONEST_POLLS):
            status, words = look(poll, client)
            found.expect(status == 0, f"round {number}: a false alarm: {words}")
            found.add("polls of an honest site")
            if attempt == 0:
                poll.cast(next(jobs))
                kill(poll.workers()[0])
        poll.await_workers(2)
        if number % 12 == 0:
            _attack(found, poll, here, front, jobs, number)
        found.rounds += 1
    status, words = look(poll, client)
    found.expect(status == 0, f"at the end, a false alarm: {words}")
    poll.audit(found, skip=["I6"])
    return found


def _attack(found: Found, poll: Poll, here: Place, front: Front, jobs: Iterator[object], number: int) -> None:
    """A second client is shown the honest box, then a copy that was left behind, or one that went another way."""
    with copy_of(poll, here, "copy") as other:
        left_out, instead = next(jobs), next(jobs)  # type: ignore[call-overload]
        poll.cast(left_out)
        _await_head(poll, front)
        for name, prepare in (("rewind", lambda: None), ("split view", lambda: (other.cast(instead), other.cast(left_out)))):
            client = here.folder / f"{name} {number}.checkpoints"
            front.behind = poll.site.port
            status, words = look(poll, client)
            found.expect(status == 0, f"round {number}: {name}: the first look fails: {words}")
            prepare()
            front.behind = other.site.port
            _await_head(other, front)
            alarms = [look(poll, client) for _ in range(2)]
            front.behind = poll.site.port
            raised = [("REWIND" in words or "FORK" in words) and status == 1 for status, words in alarms]
            found.expect(any(raised), f"round {number}: {name}: no alarm within 2 polls: {alarms}")
            found.add(f"{name}: alarms at the first poll", raised[0])
            found.add(f"{name}s")
    front.behind = poll.site.port


def _await_head(poll: Poll, front: Front) -> None:
    """Its checkpoint shows the newest ballot."""
    before, front.behind = front.behind, poll.site.port
    end = time.monotonic() + 30
    while time.monotonic() < end:
        shown = poll.request("GET", f"/e/{poll.uuid}/checkpoint").body.split(b"\n")
        last = poll.request("GET", f"/api/elections/{poll.uuid}/last-event").json
        if len(shown) > 1 and shown[1] == str(last.get("height")).encode():
            break
        time.sleep(0.1)
    front.behind = before


FAULT = Fault(
    "R13",
    "split view and rewind shown to some clients",
    "`ballot watch` alarms within 2 polls; none false in a day",
    144,
    1,
    run,
    ("sqlite",),
)


@pytest.mark.slow
def test_a_watcher_is_not_fooled(here: Place) -> None:
    FAULT.check(here)
