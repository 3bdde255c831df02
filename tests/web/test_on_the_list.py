"""“Am I on the list?”: the page's answer is the same for everybody, the mail's is true, and nobody can be kept from one."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from flask.testing import FlaskClient
from sqlmodel import select
from werkzeug.test import TestResponse

from ballot.app import Site
from ballot.models import Election, ElectionState, Outbox, RateLimit, RollEntry
from ballot.services import enquiries, lifecycle, mailings, tidy
from ballot.services.clock import FixedClock
from ballot.services.journal import Actor
from ballot.services.mail import Text
from tests.web.conftest import Visitor, hidden_fields, text_of
from tests.web.test_journey import freeze, make_ballot, make_meeting, save, upload

OFFICER = Actor("x", "returning-officer")


@pytest.fixture
def meeting(returning_officer: Visitor) -> str:
    made = make_meeting(returning_officer)
    upload(returning_officer, made)
    return made


def ask(visitor: Visitor, meeting: str, email: str, what: str = "on-the-list") -> TestResponse:
    """As a browser does: the form is loaded, filled in and sent; the work after the answer is done when this returns."""
    page = visitor.get(f"/m/{meeting}")
    assert "Set-Cookie" not in page.headers
    fields = {"form_token": hidden_fields(page.get_data(as_text=True))["form_token"], "email": email}
    answer = visitor.client.post(f"/m/{meeting}/{what}", data=fields, base_url=visitor.site.config.public_url)
    answer.get_data()
    answer.close()
    return answer


def mails(site: Site, kind: str = "roll-answer") -> list[Text]:
    with site.database.read() as db:
        return [site.mailer.open(row) for row in db.exec(select(Outbox).where(Outbox.kind == kind).order_by(Outbox.due_at)).all()]


def test_the_page_says_the_same_to_everybody_and_the_mail_says_how_it_is(
    site: Site, returning_officer: Visitor, anybody: Visitor, meeting: str
) -> None:
    freeze(returning_officer, meeting)
    asked = ["ann@example.org", "stranger@example.net", "ANN+x@example.org", "ben@example.org"]
    answers = [ask(anybody, meeting, email) for email in asked]
    assert {200} == {answer.status_code for answer in answers}
    assert 1 == len({answer.get_data()[:200] + str(len(answer.get_data())).encode() for answer in answers})
    assert "We answer by e-mail" in text_of(answers[0])
    assert not any(email in answer.get_data(as_text=True) for email, answer in zip(asked, answers, strict=True))
    found = {mail.recipient: mail for mail in mails(site)}
    assert {"ann@example.org", "stranger@example.net", "ben@example.org"} == found.keys()  # Ann's second spelling came too soon
    assert "Yes: you are on the list." in found["ann@example.org"].plain
    assert "No: this address is not on the list." in found["stranger@example.net"].plain
    assert "Ann" not in found["stranger@example.net"].plain
    with site.database.read() as db:
        assert [None] * 3 == [row.handle for row in db.exec(select(Outbox).where(Outbox.kind == "roll-answer")).all()]
        assert not [row.key for row in db.exec(select(RateLimit)).all() if "example" in row.key]


def test_before_the_list_is_frozen_the_reason_is_told(site: Site, returning_officer: Visitor, anybody: Visitor, meeting: str) -> None:
    assert "Am I on the list" not in text_of(anybody.get(f"/m/{meeting}"))
    save(returning_officer, meeting)
    assert "The list is not final yet." in text_of(anybody.get(f"/m/{meeting}"))
    for email in ("sam@example.org", "ann@example.org"):
        ask(anybody, meeting, email)
    found = {mail.recipient: mail.plain for mail in mails(site)}
    assert "The reason that it gives: supporter, not a full member." in found["sam@example.org"]
    assert "as it stands today. It is not final yet." in found["ann@example.org"]


def test_ballots_are_named_once_they_are_locked_and_a_cancelled_link_is_told(
    site: Site, returning_officer: Visitor, anybody: Visitor, meeting: str
) -> None:
    freeze(returning_officer, meeting)
    uuid = make_ballot(returning_officer, meeting, practice="y")
    assert "still being prepared" in text_of(anybody.get(f"/m/{meeting}"))
    returning_officer.post(f"/officer/e/{uuid}/lock", {"code": returning_officer.digits()})
    with site.database.write() as db:
        entry = db.exec(select(RollEntry).where(RollEntry.email == "ben@example.org")).one()
        entry.withdrawn = True
        db.add(entry)
    for email in ("ben@example.org", "ann@example.org"):
        ask(anybody, meeting, email)
    found = {mail.recipient: mail.plain for mail in mails(site)}
    assert "- Motions" in found["ann@example.org"]
    assert "Your voting link comes to this address" in found["ann@example.org"]
    with site.database.write() as db:
        db.get_one(Election, uuid).state = ElectionState.CLOSED
    ask(anybody, meeting, "eve@example.org")
    assert "Voting is over." in {mail.recipient: mail.plain for mail in mails(site)}["eve@example.org"]
    assert "your voting link was cancelled" in found["ben@example.org"]


def test_a_stranger_can_use_up_the_strangers_answers_and_keep_no_member_from_one(
    site: Site, clock: FixedClock, returning_officer: Visitor, meeting: str
) -> None:
    freeze(returning_officer, meeting)
    clock.moment = datetime(2026, 3, 9, 15, 0, tzinfo=UTC)

    def answer(email: str) -> None:
        enquiries.answer(site.database, site.keys, site.mailer, meeting, email, clock.moment)

    for number in range(enquiries.STRANGERS + 5):
        answer(f"stranger{number}@example.net")
    assert enquiries.STRANGERS == len(mails(site))
    for _ in range(9):  # whoever asks again and again for Ann only makes her get the one mail
        answer("ann@example.org")
    answer("ben@example.org")
    answer("not an address")
    assert ["ann@example.org", "ben@example.org"] == [mail.recipient for mail in mails(site)][enquiries.STRANGERS :]
    clock.advance(hours=1)
    answer("ann@example.org")
    answer("stranger0@example.net")
    assert enquiries.STRANGERS + 4 == len(mails(site))


def test_the_link_again_from_the_meetings_page(
    site: Site, clock: FixedClock, returning_officer: Visitor, anybody: Visitor, meeting: str
) -> None:
    freeze(returning_officer, meeting)
    uuid = make_ballot(returning_officer, meeting, practice="y")
    assert "Send me my voting link again" not in text_of(anybody.get(f"/m/{meeting}"))
    returning_officer.post(f"/officer/e/{uuid}/lock", {"code": returning_officer.digits()})
    with site.database.write() as db:
        mailings.send_at_once(db, site.config, site.keys, site.mailer, meeting, OFFICER, clock.moment)
    sent = len(mails(site, "invitation"))
    clock.advance(hours=1)
    answers = [ask(anybody, meeting, email, "send-link") for email in ("ann@example.org", "nobody@example.org")]
    assert len(answers[0].get_data()) == len(answers[1].get_data())
    assert sent + 1 == len(mails(site, "invitation"))


def test_what_is_no_address_or_no_form_of_ours_is_refused(app: object, anybody: Visitor, returning_officer: Visitor, meeting: str) -> None:
    freeze(returning_officer, meeting)
    assert 422 == ask(anybody, meeting, "ann").status_code
    assert "Enter your e-mail address" in text_of(ask(anybody, meeting, ""))
    client: FlaskClient = anybody.client
    for sent in ({}, {"form_token": "x"}):
        refused = client.post(
            f"/m/{meeting}/on-the-list", data={"email": "ann@example.org", **sent}, base_url=anybody.site.config.public_url
        )
        assert 400 == refused.status_code


def test_the_meeting_is_found_from_the_public_pages_and_after_the_deletion_nobody_can_ask(
    site: Site, clock: FixedClock, returning_officer: Visitor, anybody: Visitor, new_officer: Callable[..., Visitor], meeting: str
) -> None:
    assert f"/m/{meeting}" not in anybody.get("/").get_data(as_text=True)
    freeze(returning_officer, meeting)
    assert f'href="/m/{meeting}"' in anybody.get("/").get_data(as_text=True)
    assert 404 == anybody.get("/m/1111111111111").status_code
    uuid = make_ballot(returning_officer, meeting, practice="y")
    with site.database.write() as db:
        due = lifecycle.void(db, uuid, "not needed", OFFICER, clock.moment).tidy_at
    assert due is not None
    assert [uuid] == tidy.tidy_due(site.database, due)
    assert "Am I on the list" not in text_of(anybody.get(f"/m/{meeting}"))
    enquiries.answer(site.database, site.keys, site.mailer, meeting, "ann@example.org", due)
    assert [] == mails(site)
