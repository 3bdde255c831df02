"""What an officer does while a ballot runs and after: practice, turnout, lost keys, the date of deletion; by form and button."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from sqlmodel import select

from ballot.app import Site
from ballot.models import Election, ElectionState, Meeting, Outbox, RollEntry
from ballot.services import journal, lifecycle, tidy
from ballot.services.clock import FixedClock
from ballot.services.journal import Act
from tests.services.world import World
from tests.web.conftest import Visitor, text_of
from tests.web.test_journey import _again, cast_all, freeze, make_ballot, make_meeting, upload


@pytest.fixture
def meeting(returning_officer: Visitor) -> str:
    made = make_meeting(returning_officer)
    upload(returning_officer, made)
    freeze(returning_officer, made)
    return made


@pytest.fixture
def world(site: Site, clock: FixedClock) -> World:
    """The same site, for steps that key-holders' programs do."""
    return World(site.database, site.keys, clock)


def made_at(answer: str) -> str:
    return answer.rsplit("/", 1)[-1]


def run(site: Site, officer: Visitor, meeting: str, uuid: str) -> None:
    """A practice ballot from lock to publication."""
    for word in ("lock", "open"):
        assert 303 == officer.post(f"/officer/e/{uuid}/{word}", {"code": officer.digits()}).status_code
    cast_all(site, meeting, uuid, [[[0, 1, 0]]] * 2)
    early = {"code": officer.digits(), "reason": "The practice is over."}
    assert 303 == officer.post(f"/officer/e/{uuid}/close", early).status_code
    assert 303 == officer.post(f"/officer/e/{uuid}/tally", {"code": officer.digits()}).status_code
    assert 303 == officer.post(f"/officer/e/{uuid}/tally/practice", page=f"/officer/e/{uuid}/tally").status_code
    assert 303 == officer.post(f"/officer/e/{uuid}/publish", {"code": officer.digits()}).status_code


# --- practice -----------------------------------------------------------------------------------------------------


def test_a_practice_is_made_mailed_run_and_counted_and_says_practice_everywhere(
    site: Site, returning_officer: Visitor, anybody: Visitor, meeting: str
) -> None:
    officer = returning_officer
    real = make_ballot(officer, meeting)
    assert "Next: practice" not in text_of(officer.get(f"/officer/e/{real}"))  # key-holders come first
    page = officer.get(f"/officer/m/{meeting}/practice")
    assert "Not practised" in text_of(page)
    assert "Returning-Officer, returning-officer@example.org" in page.get_data(as_text=True)
    typed = {"people": "Ruth, ruth@example.org\nKay, kay@example.org", "closes_on": "2026-03-12", "closes_at": "12:00"}
    assert 422 == officer.post(f"/officer/m/{meeting}/practice", typed).status_code  # for whom is not said
    assert 422 == officer.post(f"/officer/m/{meeting}/practice", {**typed, "who": "named", "people": "Ruth"}).status_code
    assert 422 == officer.post(f"/officer/m/{meeting}/practice", {**typed, "who": "named", "closes_on": "2026-03-01"}).status_code
    copy = made_at(officer.post(f"/officer/m/{meeting}/practice", {**typed, "who": "named"}).headers["Location"])
    with site.database.read() as db:
        (uuid,) = [election.uuid for election in lifecycle.elections_of(db, copy)]
        assert real == db.get_one(Election, uuid).copy_of
    assert "Under way" in text_of(officer.get(f"/officer/m/{meeting}/practice"))
    run(site, officer, copy, uuid)
    assert "Practised" in text_of(officer.get(f"/officer/m/{meeting}/practice"))
    officer_pages = [f"/officer/m/{copy}", *(f"/officer/m/{copy}/{page}" for page in ("roll", "members", "send"))]
    words = ("questions", "trustees", "tally", "tidy", "tidy-date", "later", "void")
    officer_pages += [f"/officer/e/{uuid}", *(f"/officer/e/{uuid}/{word}" for word in words)]
    public = [f"/e/{uuid}", f"/e/{uuid}/result", f"/e/{uuid}/board", f"/e/{uuid}/check", f"/m/{copy}/journal"]
    for visitor, addresses in ((officer, officer_pages), (anybody, public)):
        for address in addresses:
            found = visitor.get(address)
            assert 200 == found.status_code, address
            assert "PRACTICE. This is a practice ballot. Nothing in it counts." in text_of(found), address
    for address in (f"/officer/m/{meeting}", f"/officer/e/{real}", f"/m/{meeting}/journal", "/"):
        assert "PRACTICE." not in text_of(officer.get(address)), address


def test_every_mail_of_a_practice_says_so(site: Site, returning_officer: Visitor, meeting: str) -> None:
    officer = returning_officer
    make_ballot(officer, meeting)
    typed = {"who": "roll", "people": "", "closes_on": "2026-03-12", "closes_at": "12:00"}
    copy = made_at(officer.post(f"/officer/m/{meeting}/practice", typed).headers["Location"])
    with site.database.read() as db:
        (uuid,) = [election.uuid for election in lifecycle.elections_of(db, copy)]
        assert 6 == len(db.exec(select(RollEntry).where(RollEntry.meeting_id == copy)).all())
    assert 303 == officer.post(f"/officer/e/{uuid}/lock", {"code": officer.digits()}).status_code
    from ballot.services import invitations

    with site.database.write() as db:
        entry = db.exec(select(RollEntry).where(RollEntry.meeting_id == copy)).first()
        assert entry is not None
        assert invitations.send_one(db, site.config, site.keys, site.mailer, entry, site.clock.now())
    with site.database.read() as db:
        mails = db.exec(select(Outbox).where(Outbox.meeting_id == copy)).all()
        assert mails
        for mail in mails:
            opened = site.mailer.open(mail)
            assert opened.subject.startswith("PRACTICE: ")
            assert "PRACTICE" in opened.plain
            assert "PRACTICE" in opened.html


def test_opening_without_a_practice_takes_a_reason_that_members_read_and_two_people(
    site: Site, clock: FixedClock, world: World, new_officer: Callable[..., Visitor], anybody: Visitor
) -> None:
    first, second = new_officer(), new_officer("deputy")
    meeting = make_meeting(first, two_people="yes")
    upload(first, meeting)
    freeze(first, meeting)
    uuid = make_ballot(first, meeting)
    people = "Kay Key, kay@example.org\nLee Lock, lee@example.org\nMay Main, may@example.org"
    first.post(f"/officer/e/{uuid}/trustees", {"people": people, "threshold": "2"})
    world.ceremony(uuid, 3, 2)
    first.post(f"/officer/e/{uuid}/lock", {"code": first.digits()})
    assert 303 == second.post(f"/officer/e/{uuid}/lock", {"code": second.digits()}).status_code
    assert "This ballot was not practised." in text_of(first.get(f"/officer/e/{uuid}/open"))
    assert "Write down the reason" in text_of(first.post(f"/officer/e/{uuid}/open", {"code": first.digits()}))
    asked = first.post(f"/officer/e/{uuid}/open", {"code": first.digits(), "reason": "The same as in May."})
    assert f"/officer/e/{uuid}/open" == asked.headers["Location"]
    assert "The same as in May." in second.get(f"/officer/e/{uuid}/open").get_data(as_text=True)
    done = second.post(f"/officer/e/{uuid}/open", {"code": second.digits(), "reason": "The same as in May."})
    assert f"/officer/e/{uuid}" == done.headers["Location"]
    with site.database.read() as db:
        assert ElectionState.OPEN is db.get_one(Election, uuid).state
    assert "The same as in May." in text_of(anybody.get(f"/m/{meeting}/journal"))
    later = {"closes_on": "2026-03-21", "closes_at": "18:30", "reason": "A storm."}
    assert f"/officer/e/{uuid}" == first.post(f"/officer/e/{uuid}/later", {**later, "code": first.digits()}).headers["Location"]
    page = second.get(f"/officer/e/{uuid}/later").get_data(as_text=True)
    assert all(f'value="{value}"' in page for value in ("2026-03-21", "18:30"))  # the second person reads what is asked
    other = second.post(f"/officer/e/{uuid}/later", {**later, "closes_at": "23:30", "code": second.digits()})
    assert 303 == other.status_code  # another hour is another question
    with site.database.read() as db:
        assert datetime(2026, 3, 20, 17, 0, tzinfo=UTC) == db.get_one(Election, uuid).closes_at
    assert 303 == first.post(f"/officer/e/{uuid}/later", {**later, "closes_at": "23:30", "code": first.digits()}).status_code
    with site.database.read() as db:
        assert datetime(2026, 3, 21, 23, 30, tzinfo=UTC) == db.get_one(Election, uuid).closes_at


# --- while it is open ---------------------------------------------------------------------------------------------


def test_turnout_by_day_for_officers_and_never_a_time_or_a_result(
    site: Site, clock: FixedClock, returning_officer: Visitor, anybody: Visitor, meeting: str
) -> None:
    officer = returning_officer
    uuid = make_ballot(officer, meeting, practice="y")
    for word in ("lock", "open"):
        officer.post(f"/officer/e/{uuid}/{word}", {"code": officer.digits()})
    clock.moment = datetime(2026, 3, 10, 12, 34, 56, tzinfo=UTC)
    cast_all(site, meeting, uuid, [[[0, 1, 0]]] * 5)
    clock.moment += timedelta(hours=2)
    _again(officer)
    page = officer.get(f"/officer/e/{uuid}")
    words = text_of(page)
    assert "5 have voted 6 can vote 83 % turnout 5 quorum: met 10 days left" in words
    assert "Votes by day Day Votes So far 10 March 5 5" in words
    assert '<svg xmlns="http://www.w3.org/2000/svg"' in page.get_data(as_text=True)
    assert "12.34" not in words
    assert "12:34" not in page.get_data(as_text=True)
    assert "12.34" not in text_of(anybody.get(f"/e/{uuid}"))
    assert "Votes by day" not in text_of(anybody.get(f"/e/{uuid}"))


# --- lost keys ----------------------------------------------------------------------------------------------------


def test_a_lost_key_is_shown_to_officers_and_public_and_too_few_left_lead_to_a_void_ballot_and_its_copy(
    site: Site, world: World, returning_officer: Visitor, anybody: Visitor, meeting: str
) -> None:
    officer = returning_officer
    uuid = make_ballot(officer, meeting, practice="y")
    people = "Kay Key, kay@example.org\nLee Lock, lee@example.org\nMay Main, may@example.org"
    officer.post(f"/officer/e/{uuid}/trustees", {"people": people, "threshold": "2"})
    page = f"/officer/e/{uuid}/trustees"
    assert "Report the key lost" not in text_of(officer.get(page))  # there is no key yet
    world.ceremony(uuid, 3, 2)
    assert 303 == officer.post(f"{page}/1/lost", page=page).status_code
    words = text_of(officer.get(page))
    assert "1 key lost Lost: Kay Key. 2 of 3 keys are left, and 2 are needed. No more key may be lost." in words
    assert "name the key-holders again" in words
    assert 422 == officer.post(f"/officer/e/{uuid}/lock", {"code": officer.digits()}, page="/officer/account").status_code
    officer.post(page, {"people": people.replace("Kay Key, kay", "Kim Keep, kim"), "threshold": "2"})
    world.ceremony(uuid, 3, 2)
    for word in ("lock", "open"):
        assert 303 == officer.post(f"/officer/e/{uuid}/{word}", {"code": officer.digits()}).status_code
    assert "1 key may be lost." in text_of(anybody.get(f"/e/{uuid}"))
    officer.post(f"{page}/1/lost", page=page)
    assert "1 key of 3 is reported lost, and no more may be lost." in text_of(anybody.get(f"/e/{uuid}"))
    officer.post(f"{page}/2/lost", page=page)
    assert "too few are left to open this box" in text_of(anybody.get(f"/e/{uuid}"))
    assert "Too few keys are left" in text_of(officer.get(f"/officer/e/{uuid}"))
    assert "Kim" not in text_of(anybody.get(f"/e/{uuid}"))
    refused = officer.post(f"/officer/e/{uuid}/repeat", page=f"/officer/e/{uuid}")
    assert "Only a void ballot" in text_of(refused)
    officer.post(f"/officer/e/{uuid}/void", {"code": officer.digits(), "reason": "Two keys are lost."})
    copy = made_at(officer.post(f"/officer/e/{uuid}/repeat", page=f"/officer/e/{uuid}").headers["Location"])
    assert "Being prepared" in text_of(officer.get(f"/officer/e/{copy}"))
    with site.database.read() as db:
        assert uuid == db.get_one(Election, copy).copy_of


# --- deletion -----------------------------------------------------------------------------------------------------


def test_the_day_of_deletion_is_chosen_shown_put_off_and_kept(
    site: Site, clock: FixedClock, returning_officer: Visitor, anybody: Visitor, meeting: str
) -> None:
    officer = returning_officer
    uuid = make_ballot(officer, meeting, practice="y")
    page = f"/officer/e/{uuid}/tidy-date"
    assert "You can choose the day once the count has begun." in text_of(officer.get(page))
    for word in ("lock", "open"):
        officer.post(f"/officer/e/{uuid}/{word}", {"code": officer.digits()})
    clock.moment = datetime(2026, 3, 10, 12, tzinfo=UTC)
    cast_all(site, meeting, uuid, [[[0, 1, 0]]] * 5)
    lifecycle.close(site.database, uuid, journal.Actor("x", "deputy"), clock.moment, reason="All have voted.")
    _again(officer)
    officer.post(f"/officer/e/{uuid}/tally", {"code": officer.digits()})
    assert "is deleted by itself a month after publication" in text_of(officer.get(f"/officer/e/{uuid}"))
    soon = officer.post(page, {"on": "2026-03-20", "code": officer.digits()})
    assert "That is soon." in text_of(soon)
    assert 'name="warned" value="2026-03-20"' in soon.get_data(as_text=True)
    assert 303 == officer.post(page, {"on": "2026-03-20", "warned": "2026-03-20", "code": officer.digits()}).status_code
    officer.post(f"/officer/e/{uuid}/tally/practice", page=f"/officer/e/{uuid}/tally")
    officer.post(f"/officer/e/{uuid}/publish", {"code": officer.digits()})
    assert "is deleted on Friday 20 March 2026" in text_of(anybody.get(f"/e/{uuid}/result"))
    assert "is deleted on Friday 20 March 2026" in text_of(anybody.get(f"/e/{uuid}"))
    later = {"on": "2026-04-01", "code": officer.digits()}
    assert "with a reason that members will read" in text_of(officer.post(page, later))
    assert 303 == officer.post(page, {**later, "code": officer.digits(), "reason": "A challenge is being heard."}).status_code
    assert "A challenge is being heard." in text_of(anybody.get(f"/m/{meeting}/journal"))
    clock.moment = datetime(2026, 3, 31, 23, 1, tzinfo=UTC)  # midnight in summer time
    assert [uuid] == tidy.tidy_due(site.database, clock.moment)
    assert "was deleted on Wednesday 1 April 2026" in text_of(anybody.get(f"/e/{uuid}/result"))
    assert re.search(r"(?i)deletion postponed.*members unlinked from credentials", text_of(anybody.get(f"/m/{meeting}/journal")))
    with site.database.read() as db:
        assert Act.TIDIED == journal.entries(db, meeting)[-1].act
        assert not db.exec(select(RollEntry)).all()
        assert db.get(Meeting, meeting) is not None


# --- paper cards --------------------------------------------------------------------------------------------------


def test_a_paper_card_is_made_by_two_and_printed_in_two_halves(site: Site, new_officer: Callable[..., Visitor], anybody: Visitor) -> None:
    first, second = new_officer(), new_officer("membership-secretary")
    meeting = make_meeting(first)
    upload(first, meeting)
    freeze(first, meeting)
    uuid = make_ballot(first, meeting, practice="y")
    first.post(f"/officer/e/{uuid}/lock", {"code": first.digits()})
    with site.database.read() as db:
        entry = db.exec(select(RollEntry).where(RollEntry.name == "Cat Cole")).one()
    page = f"/officer/m/{meeting}/members/{entry.handle}"
    assert "It always needs 2 officers" in text_of(first.get(page))
    wrong = first.post(f"{page}/card", {"card-cause": "the member asked", "card-code": ""}, page=page)
    assert 422 == wrong.status_code
    asked = {"card-cause": "the member asked", "card-code": first.digits()}
    assert 303 == first.post(f"{page}/card", asked, page=page).status_code
    assert "you asked; it waits for a second officer" in text_of(first.get(page))
    assert "If you make it, you agree." in text_of(second.get(page))
    agreed = {"card-cause": "the member asked", "card-code": second.digits()}
    assert 303 == second.post(f"{page}/card", agreed, page=page).status_code
    sheets = {}
    for officer, name in ((first, "link"), (second, "code")):
        assert f"You print the half with the {name}" in text_of(officer.get(page))
        shown = officer.post(f"{page}/print-card", {"print-code": officer.digits()}, page=page)
        assert (200, "no-store") == (shown.status_code, shown.headers["Cache-Control"])
        sheets[name] = shown.get_data(as_text=True)
        assert 422 == officer.post(f"{page}/print-card", {"print-code": officer.digits()}, page=page).status_code
    code = re.search(r"\w{5}-\w{6}-\w{5}-\w{6}", sheets["code"])
    assert code is not None
    assert code[0] not in sheets["link"]
    assert "/vote#" not in sheets["code"]
    assert "https://vote.example.org/vote#" in sheets["link"]
    assert '<svg xmlns="http://www.w3.org/2000/svg"' in sheets["link"]
    assert "style=" not in sheets["link"]
    assert "Cat Cole" in sheets["link"]
    journal_words = text_of(anybody.get(f"/m/{meeting}/journal"))
    assert "A paper card made" in journal_words
    assert "Cat" not in journal_words
