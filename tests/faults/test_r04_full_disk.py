"""R4: the disk is full: 503 and "not recorded", reading works, and casting works again when space is freed."""

from __future__ import annotations

import http.client
import tempfile
from pathlib import Path

import pytest

from tests.faults.disk import Disk, environment, small_disk
from tests.faults.fault import Fault, Found, Place
from tests.faults.poll import Answer, Job, Poll, open_poll

TRIES = 12  # casts until the database needs room: PostgreSQL has some in pages that it has already
MEGABYTES = {"sqlite": 8, "postgresql": 160}


def run(rounds: int, here: Place) -> Found:
    found = Found()
    with small_disk(MEGABYTES[here.kind]) as disk:
        found.figures["way"] = disk.way
        poll = _poll(here, disk, 2 + rounds * (TRIES + 2))
        waiting = iter(poll.jobs)
        first = poll.cast(next(waiting))
        found.expect(first is not None and first.status == 200, "no receipt before the disk is full")
        poll.await_checkpoint()
        for number in range(rounds):
            disk.fill()
            unlucky = _until_refused(poll, waiting, found, number)
            for path in (f"/e/{poll.uuid}", f"/e/{poll.uuid}/checkpoint", f"/e/{poll.uuid}.bel", "/vote/meetings"):
                page = _page(poll, path)
                found.expect(page == 200, f"round {number}: while the disk is full {path} answers {page}")
            disk.free()
            if unlucky is not None:
                answer = poll.cast(unlucky)
                found.expect(answer is not None and answer.status == 200, f"round {number}: no receipt after space was freed")
            found.rounds += 1
        poll.audit(found)
        poll.site.stop()
        poll.hall.database.dispose()
    return found


def _page(poll: Poll, path: str) -> int:
    try:
        return poll.request("GET", path).status
    except (OSError, http.client.HTTPException):
        return 0


def _until_refused(poll: Poll, waiting: object, found: Found, number: int) -> Job | None:
    """Members cast until one is refused; that one, with its answer judged."""
    for _ in range(TRIES):
        job: Job = next(waiting)  # type: ignore[call-overload]
        answer: Answer = poll.send(job)
        if answer.status == 200:
            found.add("fitted in before")
            continue
        words = answer.json.get("message", "")
        found.expect(answer.status == 503, f"round {number}: with the disk full a cast is answered with {answer.status}: {words}")
        found.expect("nothing was recorded" in words, f"round {number}: it does not say that nothing was recorded: {words!r}")
        found.add("refused")
        return job
    found.violations.append(f"round {number}: {TRIES} casts fitted on a full disk")
    return None


def _poll(here: Place, disk: Disk, members: int) -> Poll:
    if here.kind == "sqlite":
        return open_poll(here, members, url=f"sqlite:///{disk.folder / 'ballot.sqlite3'}", BALLOT_MAILS_PER_MINUTE="60", **disk.settings)
    before = tempfile.tempdir
    tempfile.tempdir = str(disk.folder)  # where the server's cluster will be
    try:
        with environment(**disk.settings):
            server = here.own_server()
    finally:
        tempfile.tempdir = before
    return open_poll(here, members, url=server.new_database())


FAULT = Fault(
    "R4",
    "the disk is full",
    "503 and “not recorded”; reading works; casting works again",
    20,
    2,
    run,
)


@pytest.mark.slow
def test_a_full_disk_is_told_and_outlived(both: Place) -> None:
    found = FAULT.check(both)
    assert found.figures["way"]


@pytest.mark.slow
def test_a_full_disk_without_the_right_to_mount(here: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a container without privileges."""
    monkeypatch.setenv("BALLOT_FAULT_NO_MOUNT", "1")
    assert "library" in FAULT.check(here).figures["way"]
    assert not list(Path(tempfile.gettempdir()).glob("ballot-shim-*/full"))
