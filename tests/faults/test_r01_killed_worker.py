"""R1: `kill -9` of a worker at a random moment of a cast; clients retry."""

from __future__ import annotations

import random
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.faults.fault import Fault, Found, Place
from tests.faults.poll import kill, open_poll

AT_ONCE, WORKERS = 3, 3


def run(rounds: int, here: Place) -> Found:
    found, luck = Found(), random.Random(here.seed)
    poll = open_poll(here, AT_ONCE * rounds, workers=WORKERS)
    with ThreadPoolExecutor(AT_ONCE) as members:
        for number in range(rounds):
            poll.await_workers(2)
            victim = poll.workers()[0]
            jobs = poll.jobs[AT_ONCE * number : AT_ONCE * (number + 1)]
            under_way = [members.submit(poll.cast, job) for job in jobs]
            time.sleep(luck.uniform(0, 0.12))
            found.add("kills", kill(victim))
            served = poll.served_after()
            found.longest("served after, s", served)
            found.expect(served < 2 * here.patience, f"round {number}: the next request was served after {served:.2f} s")
            for job, attempt in zip(jobs, under_way, strict=True):
                answer = attempt.result()
                found.expect(answer is not None and answer.status == 200, f"round {number}: member {job.member} got no receipt")
            found.rounds += 1
            if number % 100 == 99:
                poll.audit(found, skip=["I6"])
    poll.audit(found)
    return found


FAULT = Fault(
    "R1",
    "kill -9 of a worker at a random moment of a cast; clients retry",
    "0 violations; served within 2 s",
    1000,
    4,
    run,
)


@pytest.mark.slow
def test_a_killed_worker_loses_no_receipt_and_makes_no_second_ballot(both: Place) -> None:
    FAULT.check(both)
