"""R3: PostgreSQL killed under a stream of casts; on SQLite, whoever holds the write lock is killed."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from tests.faults.fault import Fault, Found, Place
from tests.faults.poll import Job, Poll, kill, open_poll
from tests.support.postgresql import PostgreSQL

A_SECOND = 50
HOLDER = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=30)
connection.execute("BEGIN IMMEDIATE")
connection.execute("UPDATE board_head SET height = height + 1, size = 0")
connection.execute("DELETE FROM object")
print("held", flush=True)
sys.stdin.read()
"""


def stream(poll: Poll, jobs: list[Job], results: list[object]) -> list[threading.Thread]:
    """Members arrive at an even pace, whatever the site does; each sends until there is an answer."""
    begin = time.monotonic()

    def one(number: int, job: Job) -> None:
        time.sleep(max(0.0, begin + number / A_SECOND - time.monotonic()))
        answer = poll.cast(job, seconds=60)
        results.append((job.member, None if answer is None else answer.status))

    threads = [threading.Thread(target=one, args=(number, job)) for number, job in enumerate(jobs)]
    for thread in threads:
        thread.start()
    return threads


def run(rounds: int, here: Place) -> Found:
    return _postgresql(rounds, here) if here.kind == "postgresql" else _sqlite(rounds, here)


def _judge(found: Found, here: Place, number: int, results: list[object], jobs: list[Job], recovered: float) -> None:
    found.longest("recovered after, s", recovered)
    found.expect(recovered < 5 * here.patience, f"round {number}: the service recovered after {recovered:.2f} s")
    for member, status in results:  # type: ignore[misc]
        found.expect(status == 200, f"round {number}: member {member} was answered with {status}")
    found.expect(len(results) == len(jobs), f"round {number}: {len(jobs) - len(results)} members have no answer")
    found.rounds += 1


def _postgresql(rounds: int, here: Place) -> Found:
    found, luck = Found(), random.Random(here.seed)
    server = here.own_server()
    poll = open_poll(here, rounds * A_SECOND, url=server.new_database())
    for number in range(rounds):
        jobs, results = poll.jobs[A_SECOND * number : A_SECOND * (number + 1)], list[object]()
        threads = stream(poll, jobs, results)
        time.sleep(luck.uniform(0, 0.9))
        assert server.process is not None
        how = number % 3
        if how == 0:  # one of its processes dies: it ends all sessions and recovers by itself
            victims = _children(server.process.pid)
            kill(luck.choice(victims) if victims else server.process.pid)
            found.longest("PostgreSQL itself back after, s", _itself_back(server))
            begin = time.monotonic()
            found.add("killed: one of its processes")
        else:  # the whole server crashes, and its service manager starts it again
            server.stop(signal.SIGQUIT if how == 1 else signal.SIGKILL)
            found.add("killed: the whole server")
            _start_again(server, found)
            begin = time.monotonic()
        recovered = _recovered(poll, begin)
        for thread in threads:
            thread.join()
        _judge(found, here, number, results, jobs, recovered)
        if number % 20 == 19:
            poll.audit(found, skip=["I6"])
    poll.audit(found)
    return found


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()]


def _itself_back(server: PostgreSQL) -> float:
    """Seconds until it lets people in for good: it flushes its whole folder first, which on a busy disk takes as long as it takes."""
    import psycopg

    begin, good = time.monotonic(), 0
    while good < 3 and time.monotonic() < begin + 60:
        time.sleep(0.05)
        try:
            psycopg.connect(host="127.0.0.1", port=server.port, user="ballot", dbname="postgres").close()
            good += 1
        except psycopg.OperationalError:
            good = 0
    return time.monotonic() - begin


def _start_again(server: PostgreSQL, found: Found) -> None:
    """After SIGKILL its orphans have to end first; they do so by themselves."""
    for _ in range(100):
        try:
            server.start()
            return
        except RuntimeError:
            time.sleep(0.1)
    found.violations.append("PostgreSQL did not start again")


def _recovered(poll: Poll, begin: float) -> float:
    """Seconds until a page that reads the database, and with it the database, is there again."""
    poll.served_after()
    return time.monotonic() - begin


def _sqlite(rounds: int, here: Place) -> Found:
    found, luck = Found(), random.Random(here.seed)
    a_round = 3
    poll = open_poll(here, rounds * a_round)
    path = here.folder / "site.sqlite3"
    for number in range(rounds):
        jobs, results = poll.jobs[a_round * number : a_round * (number + 1)], list[object]()
        with subprocess.Popen(
            [sys.executable, "-c", HOLDER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as holder:
            assert holder.stdout is not None
            assert holder.stdout.readline() == "held\n"
            threads = stream(poll, jobs, results)
            time.sleep(luck.uniform(0, 0.3))
            holder.kill()
            begin = time.monotonic()
        for thread in threads:
            thread.join()
        _judge(found, here, number, results, jobs, time.monotonic() - begin)
        found.add("kills")
    poll.audit(found)
    return found


FAULT = Fault(
    "R3",
    "PostgreSQL killed under 50 casts/s; the holder of SQLite's write lock killed",
    "0 violations; recovery within 5 s without restart",
    200,
    3,
    run,
)


@pytest.mark.slow
def test_a_killed_database_loses_no_receipt(both: Place) -> None:
    FAULT.check(both)
