"""Long work: asked for once, gone on with after any kill, and never done twice."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import pytest
from sqlmodel import col, select

from ballot.config import Config
from ballot.errors import PreconditionError
from ballot.models import BoardEvent, ElectionState, Job, Outbox, Submission
from ballot.services import jobs, journal, lifecycle, tally
from ballot.services.clock import SystemClock
from ballot.services.jobs import Kind, State, Tools
from ballot.services.keys import Keys
from ballot.services.mail import Mailer
from tests.browser.hall import Hall, draft
from tests.services.world import CLOSES, COMMITTEE, MOTION, OFFICER, World
from tests.support.need import ROOT
from tests.support.site import Site


@pytest.fixture
def tools(world: World) -> Tools:
    return Tools(world.config, world.database, world.keys, Mailer(world.config, world.keys), world.clock)


@pytest.fixture
def all_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every election is too much for a request."""
    monkeypatch.setattr(jobs, "AT_ONCE", -1)


def job_of(world: World, uuid: str) -> Job:
    with world.database.read() as session:
        job = jobs.newest(session, uuid)
    assert job is not None
    return job


def state_of(world: World, uuid: str) -> ElectionState:
    with world.database.read() as session:
        return lifecycle.election_of(session, uuid).state


def closed(world: World, members: int = 8) -> str:
    meeting = world.meeting(two_people=False, members=members)
    uuid = world.election(meeting, questions=[MOTION, COMMITTEE])
    world.open(uuid)
    for entry in world.members(meeting):
        world.cast(uuid, entry)
    world.close(uuid)
    return uuid


def test_small_work_is_done_by_whoever_asks_for_it(world: World, tools: Tools) -> None:
    uuid = world.election(world.meeting(two_people=False))
    assert jobs.do(uuid, Kind.LOCK, OFFICER, None, tools)
    assert (State.DONE, None) == (job_of(world, uuid).state, job_of(world, uuid).active)
    assert state_of(world, uuid) is ElectionState.LOCKED
    assert not jobs.waiting(world.database, world.clock)


def test_large_work_waits_for_the_worker_and_nothing_else_is_begun_meanwhile(world: World, tools: Tools, all_is_large: None) -> None:
    uuid = world.election(world.meeting(two_people=False))
    assert not jobs.do(uuid, Kind.LOCK, OFFICER, None, tools)
    with pytest.raises(PreconditionError, match="at work on this ballot already"):
        jobs.do(uuid, Kind.LOCK, OFFICER, None, tools)
    assert state_of(world, uuid) is ElectionState.DRAFT
    assert jobs.waiting(world.database, world.clock)
    assert 1 == jobs.work(tools)
    assert state_of(world, uuid) is ElectionState.LOCKED
    assert State.DONE == job_of(world, uuid).state


def test_work_that_fails_says_why_and_can_be_asked_for_again(world: World, tools: Tools, all_is_large: None) -> None:
    uuid = world.election(world.meeting(two_people=True))
    jobs.do(uuid, Kind.LOCK, OFFICER, None, tools)  # nobody agreed
    assert 1 == jobs.work(tools)
    failed = job_of(world, uuid)
    assert (State.FAILED, None, "A second person has to agree to this first.") == (failed.state, failed.active, failed.error)
    with world.database.read() as session:
        assert jobs.is_news(failed, lifecycle.election_of(session, uuid))
    world.clock.advance(seconds=1)
    approval = world.agreed(failed_meeting(world, uuid), jobs_need(), uuid)
    jobs.do(uuid, Kind.LOCK, OFFICER, approval, tools)
    assert 1 == jobs.work(tools)
    assert state_of(world, uuid) is ElectionState.LOCKED


def failed_meeting(world: World, uuid: str) -> str:
    with world.database.read() as session:
        return lifecycle.election_of(session, uuid).meeting_id


def jobs_need() -> object:
    from ballot.services.approvals import Need

    return Need.LOCK


def test_what_a_silent_request_left_is_gone_on_with(world: World, tools: Tools) -> None:
    uuid = closed(world)
    with world.database.write() as session:
        assert State.WORKING == jobs.ask(session, uuid, Kind.TALLY, OFFICER, None, tools).state  # and then it is killed
    assert not jobs.waiting(world.database, world.clock)
    world.clock.advance(minutes=2)
    assert jobs.waiting(world.database, world.clock)
    assert 1 == jobs.work(tools)
    assert state_of(world, uuid) is ElectionState.TALLYING


def test_work_that_always_kills_its_worker_is_given_up_and_what_waits_behind_it_is_done(
    world: World, tools: Tools, all_is_large: None
) -> None:
    deadly, other = (world.election(world.meeting(two_people=False)) for _ in range(2))
    for uuid in (deadly, other):
        jobs.do(uuid, Kind.LOCK, OFFICER, None, tools)
        world.clock.advance(seconds=1)
    for _ in range(jobs.MOST_RUNS):
        taken = jobs._take(tools)  # and then the worker is killed
        assert taken is not None
        assert deadly == taken.election_uuid
    assert 1 == jobs.work(tools)
    failed = job_of(world, deadly)
    assert (State.FAILED, None) == (failed.state, failed.active)
    assert failed.error.startswith("It was begun 10 times, and broken off each time.")
    assert state_of(world, other) is ElectionState.LOCKED
    world.clock.advance(seconds=1)
    jobs.do(deadly, Kind.LOCK, OFFICER, None, tools)
    assert 1 == jobs.work(tools)
    assert state_of(world, deadly) is ElectionState.LOCKED


def test_a_worker_that_died_after_its_act_tells_the_key_holders_once(world: World, tools: Tools, all_is_large: None) -> None:
    uuid = closed(world)
    jobs.do(uuid, Kind.TALLY, OFFICER, None, tools)
    tally.begin(world.database, uuid, OFFICER, world.now)  # done by a worker that died before it could say so
    with world.database.write() as session:
        job = session.exec(select(Job).where(Job.active == uuid)).one()
        job.state, job.runner, job.runs, job.beat_at = State.WORKING, "worker", 1, world.now
        session.add(job)
    assert 1 == jobs.work(tools)
    assert 0 == jobs.work(tools)
    with world.database.read() as session:
        told = session.exec(select(Outbox).where(Outbox.kind == "trustee")).all()
        begun = [entry for entry in journal.entries(session, failed_meeting(world, uuid)) if entry.act == "tally begun"]
    assert 3 == len(told)
    assert 1 == len(begun)


@pytest.mark.slow
def test_a_worker_killed_again_and_again_finishes_the_count_once(world: World, tmp_path: Path, all_is_large: None) -> None:
    """The real command, `kill -9` at moments spread over its run, from the beginning of the count to the published result."""
    world.keys = Keys.open(tmp_path / "keys")
    environ = {name: value for name, value in os.environ.items() if not name.startswith("BALLOT_")} | {
        "BALLOT_DATABASE_URL": world.database.engine.url.render_as_string(hide_password=False),
        "BALLOT_DATA": str(tmp_path / "data"),
        "BALLOT_KEYS": str(tmp_path / "keys"),
        "BALLOT_DEVELOPMENT": "1",
    }
    tools = Tools(Config.from_environ(environ), world.database, world.keys, Mailer(world.config, world.keys), world.clock)
    uuid = closed(world, members=20)
    luck = random.Random(5)

    def work_with_kills(kills: int) -> None:
        for attempt in range(kills + 1):
            process = subprocess.Popen([sys.executable, "-m", "ballot.cli", "work", "--jobs", "1"], env=environ, cwd=ROOT)
            if attempt < kills:
                time.sleep(luck.uniform(0.6, 1.6))
                process.kill()
            assert process.wait(timeout=120) in {0, -9}

    jobs.do(uuid, Kind.TALLY, OFFICER, None, tools)
    work_with_kills(2)
    assert state_of(world, uuid) is ElectionState.TALLYING
    for owner in (1, 3):
        tally.accept_shuffle(world.database, uuid, owner, world.shuffle(uuid, owner), world.now)
    for owner in (1, 3):
        tally.accept_decryption(world.database, uuid, owner, *world.share(uuid, owner), world.now)
    world.clock.moment = CLOSES + timedelta(hours=1)
    jobs.do(uuid, Kind.PUBLISH, OFFICER, None, tools)
    work_with_kills(1)
    assert state_of(world, uuid) is ElectionState.PUBLISHED
    with world.database.read() as session:
        kinds = session.exec(select(BoardEvent.type).where(BoardEvent.election_uuid == uuid).order_by(col(BoardEvent.height))).all()
        acts = [entry.act for entry in journal.entries(session, failed_meeting(world, uuid))]
    assert ["EndBallots", "EncryptedTally", *2 * ["Shuffle"], "EndShuffles", *2 * ["PartialDecryption"], "Result"] == list(kinds[21:])
    assert [1, 1, 1] == [acts.count(act) for act in ("tally begun", "result computed", "result published")]


def test_what_a_key_holder_sends_is_kept_until_the_worker_has_checked_it(
    world: World, tools: Tools, all_is_large: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "PATIENCE", 0.0)
    uuid = closed(world)
    tally.begin(world.database, uuid, OFFICER, world.now)
    shuffle = world.shuffle(uuid, 1)
    assert not jobs.submit(uuid, Kind.SHUFFLE, 1, shuffle, b"", tools)
    assert not jobs.submit(uuid, Kind.SHUFFLE, 1, shuffle, b"", tools)  # asked again, it is the same message
    with pytest.raises(PreconditionError, match="being checked"):
        jobs.submit(uuid, Kind.SHUFFLE, 1, shuffle + b" ", b"", tools)
    assert 1 == jobs.work(tools)
    assert (1,) == tally.steps(world.database, uuid).shuffled
    world.clock.advance(seconds=1)
    assert not jobs.submit(uuid, Kind.SHUFFLE, 3, world.shuffle(uuid, 3).replace(b'"0', b'"1', 1), b"", tools)
    assert 1 == jobs.work(tools)
    assert State.FAILED == job_of(world, uuid).state
    assert job_of(world, uuid).error
    with world.database.read() as session:
        assert [] == session.exec(select(Submission)).all()
        assert "key-holder's message refused" in [entry.act for entry in journal.entries(session, failed_meeting(world, uuid))]
    world.clock.advance(seconds=1)
    assert not jobs.submit(uuid, Kind.SHUFFLE, 3, world.shuffle(uuid, 3), b"", tools)
    assert 1 == jobs.work(tools)
    world.clock.advance(seconds=1)
    for owner in (1, 3):
        assert not jobs.submit(uuid, Kind.SHARE, owner, *world.share(uuid, owner), tools)  # both wait at the same time
    assert 2 == jobs.work(tools)
    assert {1, 3} == set(tally.steps(world.database, uuid).opened)
    with world.database.read() as session:
        assert [] == session.exec(select(Submission)).all()


@pytest.mark.slow
def test_the_running_site_does_by_itself_what_waits(site: Site, all_is_large: None) -> None:
    hall = Hall(site)
    meeting = hall.meeting(draft("Motions", MOTION))
    clock = SystemClock()
    tools = Tools(hall.config, hall.database, hall.keys, hall.mailer, clock)
    assert not jobs.do(meeting.uuids[0], Kind.LOCK, OFFICER, None, tools)
    deadline = time.monotonic() + 150
    while jobs.waiting(hall.database, clock) or newest(hall, meeting.uuids[0]).active is not None:
        assert time.monotonic() < deadline, site.log.read_text(errors="replace")[-2000:]
        time.sleep(0.2)
    assert ("done", "") == (newest(hall, meeting.uuids[0]).state, newest(hall, meeting.uuids[0]).error)
    hall.database.dispose()


def newest(hall: Hall, uuid: str) -> Job:
    with hall.database.read() as session:
        job = jobs.newest(session, uuid)
    assert job is not None
    return job
