"""What officers see while the site is at work for them, and afterwards."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlmodel import select

from ballot.app import Site
from ballot.errors import BoardDamagedError
from ballot.models import Election, ElectionState, Job, Meeting
from ballot.services import jobs
from ballot.services.jobs import Tools
from ballot.services.keys import Keys
from ballot.web.board import result
from ballot.web.board.result import read_results
from tests.web.conftest import Visitor, text_of
from tests.web.test_journey import freeze, make_ballot, make_meeting, upload


@pytest.fixture
def ballot(returning_officer: Visitor, monkeypatch: pytest.MonkeyPatch) -> str:
    """A practice ballot that could be locked, on a site where everything is too much for a request."""
    meeting = make_meeting(returning_officer)
    upload(returning_officer, meeting)
    freeze(returning_officer, meeting)
    monkeypatch.setattr(jobs, "AT_ONCE", -1)
    return make_ballot(returning_officer, meeting, practice="y")


def tools(site: Site, keys: Keys | None = None) -> Tools:
    return Tools(site.config, site.database, keys or site.keys, site.mailer, site.clock)


def test_the_pages_show_how_far_the_work_is_and_offer_nothing_else_meanwhile(site: Site, ballot: str, returning_officer: Visitor) -> None:
    officer, page = returning_officer, f"/officer/e/{ballot}"
    assert 303 == officer.post(f"{page}/lock", {"code": officer.digits()}).status_code
    assert "This site is locking the ballot" in text_of(officer.get(page))
    with site.database.write() as db:
        job = db.exec(select(Job).where(Job.active == ballot)).one()
        job.words, job.done, job.total = "Working out the members’ public codes", 3000, 100_000
        db.add(job)
    for address in (page, f"{page}/lock"):
        shown = officer.get(address)
        assert "Working out the members’ public codes: 3,000 of 100,000." in text_of(shown)
        assert '<progress max="100000" value="3000">' in shown.get_data(as_text=True)
    assert "6-digit code" not in text_of(officer.get(f"{page}/lock"))
    assert 1 == jobs.work(tools(site))
    assert "This site is locking" not in text_of(officer.get(page))
    assert "Locked" in text_of(officer.get(page))


def test_work_that_failed_says_why_until_it_is_done(
    site: Site, ballot: str, returning_officer: Visitor, monkeypatch: pytest.MonkeyPatch, new_officer: Callable[..., Visitor]
) -> None:
    officer, page = returning_officer, f"/officer/e/{ballot}"
    officer.post(f"{page}/lock", {"code": officer.digits()})

    def broken(*_: object) -> None:
        raise RuntimeError("the disk is on fire")

    with monkeypatch.context() as patch:
        patch.setitem(jobs._DO, jobs.Kind.LOCK, broken)
        with pytest.raises(RuntimeError, match="on fire"):
            jobs.work(tools(site))
    shown = text_of(officer.get(f"{page}/lock"))
    assert "The last attempt at locking the ballot failed A fault of the program stopped it (RuntimeError)." in shown
    site.clock.advance(seconds=31)  # type: ignore[attr-defined]  # the digits change
    assert 303 == officer.post(f"{page}/lock", {"code": officer.digits()}).status_code
    assert 1 == jobs.work(tools(site))
    assert "failed" not in text_of(officer.get(page))


def test_published_results_are_worked_out_before_anybody_asks(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: set[str] = set()
    read_results(site.database, seen)
    assert set() == seen
    with site.database.write() as db:
        db.add(Meeting(id="AMeeting", name="A meeting", created_at=site.clock.now()))
        db.flush()
        hours = {"created_at": site.clock.now(), "opens_at": site.clock.now(), "closes_at": site.clock.now()}
        db.add(Election(uuid="AnElection1234", meeting_id="AMeeting", state=ElectionState.PUBLISHED, name="Motions", **hours))
    asked: list[str] = []

    def damaged(_database: object, uuid: str) -> tuple[object, ...]:
        asked.append(uuid)
        raise BoardDamagedError("The result is not there.", height=0)

    monkeypatch.setattr(result, "published_result", damaged)
    for _ in range(2):
        read_results(site.database, seen)
    assert ["AnElection1234"] == asked  # once, however it went
