"""R2: killed at each named moment of a cast."""

from __future__ import annotations

import http.client

import pytest

from ballot import failpoints
from tests.faults.fault import Fault, Found, Place
from tests.faults.poll import open_poll


def run(rounds: int, here: Place) -> Found:
    """`rounds` kills at each moment."""
    found = Found()
    armed = here.sub("failpoints")
    poll = open_poll(here, rounds * len(failpoints.NAMES), workers=2, BALLOT_FAILPOINTS=str(armed))
    jobs = iter(poll.jobs)
    for number in range(rounds):
        for moment in failpoints.NAMES:
            poll.await_workers(1)
            job = next(jobs)
            (armed / moment).touch()
            try:
                answer = poll.send(job)
                found.violations.append(f"round {number}: the worker outlived the moment {moment} and said {answer.status}")
            except (OSError, http.client.HTTPException):
                found.add(moment)
            found.expect(not (armed / moment).exists(), f"round {number}: the moment {moment} was not reached")
            with poll.hall.database.read() as session:
                kept = session.get(_cast(), (poll.uuid, _tracker(job.ballot))) is not None
            found.expect(kept == (moment in {"after-commit", "before-reply"}), f"round {number}: after {moment} the ballot is kept: {kept}")
            again = poll.cast(job)
            found.expect(again is not None and again.status == 200, f"round {number}: no receipt after {moment}")
            once_more = poll.cast(job)
            found.expect(again is not None and once_more is not None and again.body == once_more.body, f"round {number}: another receipt")
            found.rounds += 1
    poll.audit(found)
    return found


def _cast() -> type:
    from ballot.models import Cast

    return Cast


def _tracker(ballot: str) -> str:
    from ballot.protocol.ballots import tracker

    return tracker(ballot.encode())


FAULT = Fault(
    "R2",
    "killed when parsed, verified, before and after the commit, before the reply",
    "0 violations",
    50,
    1,
    run,
)


@pytest.mark.slow
def test_killed_at_each_named_moment(both: Place) -> None:
    FAULT.check(both)


def test_failpoints_are_refused_outside_development(tmp_path: object) -> None:
    from ballot.errors import ConfigurationError

    with pytest.raises(ConfigurationError, match="unset it"):
        failpoints.arm({"BALLOT_FAILPOINTS": str(tmp_path)}, development=False)
    failpoints.arm({}, development=False)
    failpoints.reach("parsed")
