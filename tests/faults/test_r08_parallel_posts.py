"""R8: many posts at the same time on one link: of the very same bytes, and of as many different ballots."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.faults.fault import Fault, Found, Place
from tests.faults.poll import Answer, Job, Poll, open_poll

POSTS = 100


def run(rounds: int, here: Place, posts: int = POSTS) -> Found:
    """Each round once with the same bytes and once with different ones."""
    found = Found()
    poll = open_poll(here, 2 * rounds)
    entries = poll.hall.members(_meeting(poll))
    with ThreadPoolExecutor(posts) as members:
        for number in range(rounds):
            same = [poll.jobs[2 * number]] * posts
            _same(found, number, list(members.map(lambda job: poll.cast(job, seconds=60), same)))
            member = poll.jobs[2 * number + 1]
            ballots = [poll.hall.ballot(poll.uuid, entries[member.member], [(0, 1, 0)]).decode() for _ in range(posts)]
            different = [Job(member.member, member.token, ballot) for ballot in ballots]
            _different(found, number, list(members.map(lambda job: poll.cast(job, seconds=60), different)))
            found.rounds += 1
    found.figures["posts"] = 2 * posts * rounds
    poll.audit(found)
    return found


def _meeting(poll: Poll) -> object:
    from ballot.models import Meeting

    with poll.hall.database.read() as session:
        return session.get_one(Meeting, poll.meeting)


def _same(found: Found, number: int, answers: list[Answer | None]) -> None:
    texts = {None if answer is None else (answer.status, answer.body) for answer in answers}
    found.expect(len(texts) == 1, f"round {number}: the same bytes got {len(texts)} different answers")
    found.expect(all(answer is not None and answer.status == 200 for answer in answers), f"round {number}: one got no receipt")


def _different(found: Found, number: int, answers: list[Answer | None]) -> None:
    accepted = [answer for answer in answers if answer is not None and answer.status == 200]
    refused = [answer for answer in answers if answer is not None and answer.status == 409]
    counts = (len(accepted), len(refused))
    found.expect(counts == (1, len(answers) - 1), f"round {number}: of different ballots {counts[0]} were accepted and {counts[1]} refused")
    for answer in refused:
        found.expect(answer.receipt == accepted[0].receipt if accepted else False, f"round {number}: a refusal shows another receipt")


FAULT = Fault(
    "R8",
    "100 parallel posts on one link, same bytes and different bytes",
    "1 ballot; 100 equal receipts; 1 accepted, 99 refused",
    200,
    1,
    run,
)


@pytest.mark.slow
def test_one_link_makes_one_ballot_however_often_it_is_used_at_once(both: Place) -> None:
    FAULT.check(both)
