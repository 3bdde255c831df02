"""Officers sign in with a mailed code and then a second factor; nothing less opens a page."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta

import pyotp
from flask import Flask
from sqlmodel import select

from ballot.app import Site
from ballot.models import LoginLink, Officer, OfficerSession, Outbox
from ballot.services import officers
from ballot.services.clock import FixedClock
from tests.web.conftest import Visitor, officer_of, text_of


def add(site: Site, email: str = "rosa@example.org") -> None:
    with site.database.write() as db:
        officers.add_officer(db, name="Rosa", email=email, roles=["returning-officer"], now=site.clock.now())


def link_for(site: Site, email: str = "rosa@example.org") -> str:
    with site.database.write() as db:
        made = officers.make_login_link(db, email=email, now=site.clock.now(), pause=0)
    assert made is not None
    return made[1]


def cookie_of(visitor: Visitor) -> str | None:
    cookie = visitor.client.get_cookie("__Host-officer", domain="vote.example.org")
    return None if cookie is None else cookie.value


def test_the_first_sign_in_sets_up_the_second_factor_and_shows_recovery_codes_once(site: Site, anybody: Visitor) -> None:
    add(site)
    assert anybody.post("/officer/sign-in/link", {"code": link_for(site)}).headers["Location"] == "/officer/sign-in/enrol"
    page = anybody.get("/officer/sign-in/enrol").get_data(as_text=True)
    assert "<svg" in page
    with site.database.read() as db:
        secret = officers.enrolment_secret(db, site.keys, officer_of(site, "rosa@example.org"))
    done = anybody.post("/officer/sign-in/enrol", {"code": pyotp.TOTP(secret).at(site.clock.now())})
    assert 200 == done.status_code
    assert 10 == done.get_data(as_text=True).count('<li class="code">')
    assert 200 == anybody.get("/officer/").status_code
    assert anybody.get("/officer/sign-in/enrol").status_code == 302


def test_the_answer_is_the_same_for_a_stranger_and_for_an_officer(site: Site, anybody: Visitor) -> None:
    add(site)
    known = anybody.post("/officer/sign-in", {"email": "Rosa@Example.org"})
    unknown = anybody.post("/officer/sign-in", {"email": "nobody@example.org"})
    assert (known.status_code, known.headers["Location"], len(known.data)) == (
        unknown.status_code,
        unknown.headers["Location"],
        len(unknown.data),
    )
    with site.database.read() as db:
        assert 1 == len(db.exec(select(Outbox)).all())
        assert 1 == len(db.exec(select(LoginLink)).all())


def test_asking_again_and_again_neither_floods_the_mailbox_nor_locks_the_officer_out(site: Site, anybody: Visitor) -> None:
    add(site)
    for _ in range(5):
        anybody.post("/officer/sign-in", {"email": "rosa@example.org"})
    with site.database.read() as db:
        assert 1 == len(db.exec(select(Outbox)).all())
    assert 303 == anybody.post("/officer/sign-in/link", {"code": link_for(site)}).status_code


def test_a_mailed_code_works_once_and_for_half_an_hour(site: Site, clock: FixedClock, new_visitor: Callable[[], Visitor]) -> None:
    add(site)
    code = link_for(site)
    assert 303 == new_visitor().post("/officer/sign-in/link", {"code": code.lower().replace("-", " ")}).status_code
    again = new_visitor().post("/officer/sign-in/link", {"code": code})
    assert 403 == again.status_code
    assert code in again.get_data(as_text=True)  # what was typed stays in the field
    late = link_for(site)
    clock.advance(minutes=31)
    assert 403 == new_visitor().post("/officer/sign-in/link", {"code": late}).status_code


def test_opening_the_link_spends_nothing(site: Site, anybody: Visitor) -> None:
    add(site)
    code = link_for(site)
    for _ in range(5):
        assert 200 == anybody.get("/officer/sign-in/link").status_code
    assert 303 == anybody.post("/officer/sign-in/link", {"code": code}).status_code


def test_half_a_sign_in_opens_no_page(site: Site, anybody: Visitor) -> None:
    add(site)
    anybody.post("/officer/sign-in/link", {"code": link_for(site)})
    assert "/officer/sign-in" == anybody.get("/officer/").headers["Location"]
    assert "/officer/sign-in/enrol" == anybody.get("/officer/sign-in").headers["Location"]


def test_the_session_has_a_new_id_after_each_step_and_logging_out_ends_it_at_once(
    app: Flask, site: Site, returning_officer: Visitor
) -> None:
    cookie = cookie_of(returning_officer)
    assert cookie is not None
    with site.database.read() as db:
        assert 1 == len(db.exec(select(OfficerSession)).all())
        assert cookie not in {row.id_hash for row in db.exec(select(OfficerSession))}
    assert 303 == returning_officer.post("/officer/sign-out", page="/officer/account").status_code
    thief = app.test_client()
    thief.set_cookie("__Host-officer", cookie, domain="vote.example.org")
    assert 302 == thief.get("/officer/", base_url=site.config.public_url).status_code


def test_sessions_cookies_are_bound_to_the_host_and_out_of_reach_of_scripts(site: Site, anybody: Visitor) -> None:
    add(site)
    response = anybody.post("/officer/sign-in/link", {"code": link_for(site)})
    cookies = [value for name, value in response.headers.items() if name == "Set-Cookie" and "officer" in value]
    assert 1 == len(cookies)
    for wanted in ("__Host-officer=", "Secure", "HttpOnly", "SameSite=Strict", "Path=/"):
        assert wanted in cookies[0]
    assert "Domain" not in cookies[0]


def test_six_digits_work_once(site: Site, returning_officer: Visitor, new_visitor: Callable[[], Visitor]) -> None:
    digits = pyotp.TOTP(returning_officer.secret).at(site.clock.now())  # the step that signed in
    second = new_visitor()
    second.post("/officer/sign-in/link", {"code": link_for(site, "returning-officer@example.org")})
    refused = second.post("/officer/sign-in/second", {"code": digits})
    assert 422 == refused.status_code
    assert "used already" in text_of(refused)
    assert "signed in for 12 hours" in text_of(refused)


def test_a_recovery_code_takes_the_place_of_the_digits_once(
    site: Site, returning_officer: Visitor, new_visitor: Callable[[], Visitor]
) -> None:
    page = returning_officer.post("/officer/account", {"code": returning_officer.digits()}).get_data(as_text=True)
    code = page.split('<li class="code">')[1].split("<")[0]
    for expected in (303, 422):
        visitor = new_visitor()
        visitor.post("/officer/sign-in/link", {"code": link_for(site, "returning-officer@example.org")})
        assert expected == visitor.post("/officer/sign-in/second", {"code": code}).status_code


def test_limits_guessing_digits_is_slowed_down_for_everybody_past_the_mailbox(
    site: Site, clock: FixedClock, returning_officer: Visitor
) -> None:
    for _ in range(officers.WRONG_CODES):
        assert "not right" in text_of(returning_officer.post("/officer/account", {"code": "000000"}))
    assert "Too many wrong codes" in text_of(returning_officer.post("/officer/account", {"code": returning_officer.digits()}))
    clock.advance(minutes=16)
    assert 200 == returning_officer.post("/officer/account", {"code": returning_officer.digits()}).status_code


def test_an_officer_who_was_removed_is_out_at_once(site: Site, returning_officer: Visitor) -> None:
    with site.database.write() as db:
        db.exec(select(Officer)).one().active = False
    assert 302 == returning_officer.get("/officer/").status_code


def test_a_session_ends_by_itself(clock: FixedClock, returning_officer: Visitor) -> None:
    clock.moment += timedelta(hours=13)
    assert 302 == returning_officer.get("/officer/").status_code
    late = returning_officer.post("/officer/account", {"code": "123456"}, page="/officer/sign-in")
    assert (401, True) == (late.status_code, 'href="/officer/sign-in"' in late.get_data(as_text=True))


def test_a_missing_address_gives_one_clear_error(anybody: Visitor) -> None:
    page = anybody.post("/officer/sign-in", {"email": " "})
    assert 422 == page.status_code
    assert "Error: Officers: sign in" in text_of(page)
    assert 2 == page.get_data(as_text=True).count("Type your e-mail address")


def test_every_page_offers_the_source_code_it_runs(anybody: Visitor) -> None:
    for path in ("/", "/how", "/officer/sign-in", "/no-such-page"):
        assert re.search(r'<a href="https://code.example.org/ballot"[^>]*>Source code</a>', anybody.get(path).get_data(as_text=True)), path
