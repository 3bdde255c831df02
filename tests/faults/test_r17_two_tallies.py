"""R17: two tallies at once, and kills while key-holders send their shuffles and shares."""

from __future__ import annotations

import http.client
import json
import random
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from ballot.models import ElectionState, Trustee
from ballot.services import lifecycle, tally, tokens
from ballot.services.approvals import Need
from tests.faults.fault import Fault, Found, Place
from tests.faults.poll import Job, Poll, kill, open_poll
from tests.services.world import COMMITTEE, MOTION
from tests.support.need import ROOT

VOTERS = 6
CHOICES = [[(0, 1, 0), (1, 2, 0, 0)], [(0, 0, 1), (2, 1, 0, 0)], [(0, 1, 0), (0, 1, 2, 3)], [(1, 0, 0), (0, 0, 0, 1)]]


def run(rounds: int, here: Place) -> Found:
    found, luck = Found(), random.Random(here.seed)
    poll = open_poll(here, VOTERS, questions=(MOTION, COMMITTEE))
    first = poll.uuid
    with poll.hall.database.read() as session:
        meeting = session.get_one(lifecycle.Meeting, poll.meeting)
    for number in range(rounds):
        poll.uuid = first if number == 0 else poll.hall.election(meeting, questions=(MOTION, COMMITTEE))
        if number:
            poll.hall.open(poll.uuid)
        chosen = [CHOICES[(number + voter) % len(CHOICES)] for voter in range(VOTERS)]
        for voter, entry in enumerate(poll.hall.members(meeting)):
            ballot = poll.hall.ballot(poll.uuid, entry, chosen[voter]).decode()
            answer = poll.cast(Job(voter, poll.hall.token(entry), ballot))
            found.expect(answer is not None and answer.status == 200, f"round {number}: member {voter} got no receipt")
        poll.hall.close(poll.uuid)
        _both(found, poll, luck, "begin", "", ElectionState.TALLYING)
        for owner in (1, 3):
            _upload(found, poll, luck, owner, "shuffle", poll.hall.shuffle(poll.uuid, owner))
        for owner in (1, 3):
            _upload(found, poll, luck, owner, "decryption", b"\n".join(poll.hall.share(poll.uuid, owner)))
        _both(found, poll, luck, "publish", poll.hall.agreed(meeting.id, Need.PUBLISH, poll.uuid), ElectionState.PUBLISHED)
        _judge(found, poll, chosen, number)
        found.rounds += 1
    poll.audit(found)
    return found


def _both(found: Found, poll: Poll, luck: random.Random, step: str, approval: str, until: ElectionState) -> None:
    """Two processes take the same step at once, and are killed now and then, until it is taken."""
    url, uuid = poll.site.environ["BALLOT_DATABASE_URL"], poll.uuid
    command = [sys.executable, str(Path(__file__).with_name("tallier.py")), url, uuid, step, approval]
    answers: list[str] = []
    for attempt in range(6):
        hands = [subprocess.Popen(command, cwd=ROOT, env={"PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE, text=True) for _ in range(2)]
        if attempt < 2:
            time.sleep(luck.uniform(0.3, 1.5))
            luck.choice(hands).kill()
            found.add("kills")
        answers += [hand.communicate()[0].strip() for hand in hands]
        with poll.hall.database.read() as session:
            if lifecycle.election_of(session, uuid).state is until:
                break
    else:
        found.violations.append(f"{step}: not done after 6 times two processes, which said {answers}")
    found.expect(answers.count("done") <= 1, f"{step}: two were told that they had done it")


def _upload(found: Found, poll: Poll, luck: random.Random, owner: int, what: str, data: bytes) -> None:
    """A key-holder sends the very same bytes until the site has them, while its workers are killed."""
    with poll.hall.database.read() as session:
        token = tokens.make_trustee_token(poll.hall.keys, session.get_one(Trustee, (poll.uuid, owner)))
    done: list[int] = []

    def send() -> None:
        end = time.monotonic() + 60
        while time.monotonic() < end and not done:
            try:
                answer = poll.request("POST", f"/api/trustee/{poll.uuid}/{owner}/{what}", data=data, bearer=token)
            except (OSError, http.client.HTTPException):
                time.sleep(0.1)
                continue
            if answer.status == 200:
                done.append(answer.status)
            elif answer.status < 500:
                found.violations.append(f"{what} of {owner}: the site says {answer.status}: {answer.body[:200]!r}")
                return

    senders = [threading.Thread(target=send) for _ in range(2)]  # a page that is open twice
    for sender in senders:
        sender.start()
    time.sleep(luck.uniform(0, 0.2))
    workers = poll.workers()
    if workers:
        found.add("kills", kill(luck.choice(workers)))
    for sender in senders:
        sender.join()
    found.expect(bool(done), f"{what} of {owner} was never taken")
    poll.await_workers(1)


def _judge(found: Found, poll: Poll, chosen: list[list[tuple[int, ...]]], number: int) -> None:
    """The result is what a pencil and paper make of the choices."""
    shown = tally.outcome(poll.hall.database, poll.uuid)
    motion, committee = shown.questions
    totals = tuple(sum(choice[0][answer] for choice in chosen) for answer in (1, 2))
    found.expect(motion.totals == totals, f"round {number}: the motion has {motion.totals}, and {totals} were cast")
    ranks = Counter(tuple(sorted((a for a, rank in enumerate(choice[1]) if rank), key=lambda a, c=choice: c[1][a])) for choice in chosen)
    found.expect(Counter(committee.rankings) == ranks, f"round {number}: the rankings are not those that were cast")
    kinds = Counter(kind for kind, _ in _kinds(poll))
    found.expect(kinds["EncryptedTally"] == 1 and kinds["Result"] == 1, f"round {number}: the board has {dict(kinds)}")
    found.expect(json.loads(shown.file)["election"] == poll.uuid, f"round {number}: the file of results is another election's")


def _kinds(poll: Poll) -> list[tuple[str, str]]:
    with poll.hall.database.read() as session:
        return tally._events(session, poll.uuid)


FAULT = Fault(
    "R17",
    "two tallies at once, kills while shuffles and shares are sent",
    "one EncryptedTally, resumable, same result",
    20,
    1,
    run,
)


@pytest.mark.slow
def test_two_tallies_and_kills_give_one_result(both: Place) -> None:
    FAULT.check(both)
