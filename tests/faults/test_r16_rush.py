"""R16: everybody comes in the last moments, in five-fold peaks, and the box closes by itself. (`make load` does it at full size.)"""

from __future__ import annotations

import random
import threading
import time
from datetime import UTC, datetime, timedelta

import pytest

from ballot.models import ElectionState
from ballot.services import lifecycle
from tests.faults.fault import Fault, Found, Place
from tests.faults.poll import Answer, Job, Poll, open_poll

MEMBERS, SECONDS, PEAKS = 40, 4.0, 5


def run(rounds: int, here: Place) -> Found:
    found, luck = Found(), random.Random(here.seed)
    for number in range(rounds):
        lead = 6 + MEMBERS * 0.05
        closes = datetime.now(UTC) + timedelta(seconds=lead + SECONDS)
        poll = open_poll(here, MEMBERS, name=f"site{number}", draft={"closes_at": closes})
        end = closes.timestamp()
        answers: list[tuple[float, Answer | None]] = []
        threads = [threading.Thread(target=_vote, args=(poll, job, _arrival(luck, end), answers)) for job in poll.jobs]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        found.expect(len(answers) == MEMBERS, f"round {number}: {MEMBERS - len(answers)} attempts were not answered")
        for begun, answer in answers:
            kind = None if answer is None else answer.json.get("error") if answer.status == 403 else answer.status
            found.expect(kind in {200, "closed"}, f"round {number}: an attempt {end - begun:.2f} s before the close was told {kind}")
            found.expect(kind != 200 or begun < end, f"round {number}: an attempt {begun - end:.2f} s after the close was accepted")
            found.add("receipts" if kind == 200 else "refused: closed")
        closed = _closed(poll, end + 15)
        found.expect(closed, f"round {number}: the box did not close by itself")
        found.longest("closed after the hour, s", time.time() - end)
        poll.audit(found)
        poll.site.stop()
        found.rounds += 1
    return found


def _arrival(luck: random.Random, end: float) -> float:
    """One sixth of the members come evenly, the others in short peaks of five times that; some come too late."""
    if luck.random() < 1 / (1 + PEAKS):
        return end - luck.uniform(-0.2, SECONDS)
    return end - SECONDS * luck.randrange(PEAKS) / PEAKS - luck.uniform(0, 0.15)


def _vote(poll: Poll, job: Job, at: float, answers: list[tuple[float, Answer | None]]) -> None:
    time.sleep(max(0.0, at - time.time()))
    begun = time.time()
    answers.append((begun, poll.cast(job, seconds=60)))


def _closed(poll: Poll, until: float) -> bool:
    while time.time() < until:
        with poll.hall.database.read() as session:
            if lifecycle.election_of(session, poll.uuid).state is ElectionState.CLOSED:
                return True
        time.sleep(0.1)
    return False


FAULT = Fault(
    "R16",
    "a rush before the close, in five-fold peaks",
    "every attempt in time ends in a receipt or a clear refusal",
    10,
    1,
    run,
)


@pytest.mark.slow
def test_every_attempt_before_the_close_is_answered(both: Place) -> None:
    FAULT.check(both)
