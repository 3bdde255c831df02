"""R9: two officers close at once while members vote; the clock closes while an officer does."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ballot.errors import PreconditionError
from ballot.models import Meeting
from tests.faults.fault import Fault, Found, Place
from tests.faults.poll import Answer, Hall, Job, Poll, open_poll
from tests.support.need import ROOT

VOTERS = 6


class Closer:
    """One process with a hand on the close."""

    def __init__(self, here: Place, url: str) -> None:
        command = [sys.executable, str(Path(__file__).with_name("closer.py")), url]
        self.process = subprocess.Popen(
            command, cwd=ROOT, env={"PYTHONPATH": str(ROOT)}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        here.stack.callback(self._end)
        assert self.answer() == "ready"

    def close(self, uuid: str, actor: str, at: float, now: datetime) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"election": uuid, "actor": actor, "at": at, "now": now.isoformat()}) + "\n")
        self.process.stdin.flush()

    def answer(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def _end(self) -> None:
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()


def run(rounds: int, here: Place) -> Found:
    found, luck = Found(), random.Random(here.seed)
    poll = open_poll(here, VOTERS)
    url = poll.site.environ["BALLOT_DATABASE_URL"]
    hands = [Closer(here, url), Closer(here, url)]
    with poll.hall.database.read() as session:
        meeting = session.get_one(Meeting, poll.meeting)
    took = 1.0  # seconds to set an election up
    for number in range(rounds):
        automatic = number % 2 == 1
        begin = time.monotonic()
        closes = datetime.now(UTC) + (timedelta(seconds=0.7 + 2 * took) if automatic else timedelta(days=1))
        try:
            uuid, jobs = _election(poll.hall, meeting, closes)
        except PreconditionError:  # on a busy machine its hour had come before it was open
            took *= 2
            found.add("too late to be opened")
            continue
        took = max(0.4, time.monotonic() - begin)
        answers: list[tuple[Job, Answer | None]] = []
        end = closes.timestamp() + 0.01 if automatic else time.time() + luck.uniform(0.1, 0.4)
        threads = [threading.Thread(target=_vote, args=(poll, uuid, job, luck.uniform(-0.15, 0.05) + end, answers)) for job in jobs]
        for thread in threads:
            thread.start()
        moment = closes if automatic else datetime.now(UTC)
        for hand, actor in zip(hands, ("officer", "clock" if automatic else "officer"), strict=True):
            hand.close(uuid, actor, end + luck.uniform(0, 0.01), moment)
        said = [hand.answer() for hand in hands]
        for thread in threads:
            thread.join()
        # With the hour come, the site's own clock may have been first of all.
        wanted = {("PreconditionError", "closed")} | ({("PreconditionError", "PreconditionError")} if automatic else set())
        found.expect(tuple(sorted(said)) in wanted, f"round {number}: two closers were told {said}")
        for job, answer in answers:
            kind = None if answer is None else answer.json.get("error") if answer.status == 403 else answer.status
            found.expect(kind in {200, "closed"}, f"round {number}: member {job.member} was told {kind}")
            found.add("counted" if kind == 200 else "refused")
        found.add("officer against clock" if automatic else "two officers")
        found.rounds += 1
    poll.audit(found)
    return found


def _election(hall: Hall, meeting: Meeting, closes: datetime) -> tuple[str, list[Job]]:
    uuid = hall.election(meeting, people=0, practice=True, closes_at=closes)
    hall.open(uuid)
    return uuid, [
        Job(n, hall.token(entry), hall.ballot(uuid, entry, [(0, 1, 0)]).decode()) for n, entry in enumerate(hall.members(meeting))
    ]


def _vote(poll: Poll, uuid: str, job: Job, at: float, answers: list[tuple[Job, Answer | None]]) -> None:
    time.sleep(max(0.0, at - time.time()))
    mine = Poll(poll.site, poll.hall, uuid, poll.meeting, [], [], poll.receipts, poll.lock)
    answers.append((job, mine.cast(job)))


FAULT = Fault(
    "R9",
    "two officers close at once while members vote; the clock closes while an officer does",
    "one EndBallots; each cast counted or refused",
    500,
    2,
    run,
)


@pytest.mark.slow
def test_a_box_is_closed_once_and_each_cast_counted_or_refused(both: Place) -> None:
    FAULT.check(both)
