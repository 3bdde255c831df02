"""The canary: a whole ballot is run for real with values that occur nowhere else, and then everything that stays is searched for them.

Logs, database dumps, the mails of others, error pages, the clear parts of backups and the figures for a monitor.
"""

from __future__ import annotations

import http.cookiejar
import json
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pyotp
import pytest
from sqlalchemy import update
from sqlmodel import col, select

from ballot.config import Config
from ballot.models import Outbox, RollEntry
from ballot.protocol.ballots import create_ballot
from ballot.protocol.group import SystemRng
from ballot.protocol.messages import QuestionH
from ballot.services import board, lifecycle, mailings, officers, registrar, roll, tally
from ballot.services.database import Database
from ballot.services.mail import Mailer, State
from ballot.services.startup import prepare
from ballot.services.tokens import make_voting_token
from tests.support.drill import OFFICER, ballot
from tests.support.need import ROOT
from tests.support.postgresql import PostgreSQL
from tests.support.site import Site
from tests.support.smtp import SMTPServer
from tests.web.conftest import hidden_fields

NAME, SURNAME, ADDRESS = "Quillon", "Wrenfield-Canary", "quillon.wren@birds.example.org"
OFFICER_ADDRESS = "canary.officer@birds.example.org"
CHOICE = "Goldcrest amendment"
PASSPHRASE = "a passphrase for the canary"


@dataclass
class Browser:
    """Cookies are kept; every page is kept too, those of errors apart."""

    site: Site
    errors: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.jar = http.cookiejar.CookieJar()
        self._open = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(self.jar)).open

    def ask(self, path: str, data: bytes | None = None, headers: dict[str, str] | None = None) -> tuple[int, str]:
        request = urllib.request.Request(self.site.url + path, data, headers or {})
        try:
            with self._open(request, timeout=60) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                page = error.read().decode("utf-8", "replace")
            self.errors.append(page)
            return error.code, page

    def form(self, path: str, page: str = "", **fields: str) -> tuple[int, str]:
        token = hidden_fields(self.ask(page or path)[1]).get("csrf_token", "")
        return self.ask(path, urllib.parse.urlencode({"csrf_token": token, **fields}).encode())

    def booth(self, path: str, body: dict[str, str]) -> tuple[int, str]:
        headers = {"Content-Type": "application/json", "X-Ballot": "1", "Origin": self.site.url}
        return self.ask(path, json.dumps(body).encode(), headers)


@dataclass
class Ran:
    """What a whole ballot left behind, and what must not be found in it."""

    secrets: dict[str, str]
    personal: dict[str, str]
    log: str
    errors: list[str]
    metrics: str
    database: list[bytes]
    backup: bytes
    mails: SMTPServer


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def ran(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ran]:
    folder = tmp_path_factory.mktemp("canary")
    server: PostgreSQL | None = request.getfixturevalue("postgresql_server") if request.param == "postgresql" else None
    url = server.new_database() if server else f"sqlite:///{folder}/ballot.sqlite3"
    with SMTPServer() as smtp:
        yield _run(folder, url, smtp, server)


def _run(folder: Path, url: str, smtp: SMTPServer, server: PostgreSQL | None) -> Ran:
    refusals = iter([f"421 4.7.0 <{ADDRESS}> not so fast", f"450 4.2.1 <{ADDRESS}> is busy"])
    smtp.on_recipient = lambda address: next(refusals, "250 OK") if address == ADDRESS else "250 OK"
    settings = {"BALLOT_SMTP_HOST": smtp.host, "BALLOT_SMTP_PORT": str(smtp.port), "BALLOT_SMTP_TLS": "none"}
    site = Site(
        folder,
        BALLOT_DEVELOPMENT="0",
        BALLOT_DATABASE_URL=url,
        BALLOT_SMTP_FROM="ballots@example.org",
        BALLOT_MAILS_PER_MINUTE="100000",
        **settings,
    )
    config = Config.from_environ(site.environ)
    database, keys = prepare(config)
    now = datetime.now(UTC)
    people = [(NAME, SURNAME, ADDRESS), *((f"Other{i}", "Member", f"other{i}@example.org") for i in range(5))]
    lines = [f"M{i},{first} {last},{address},Full member,Active,2020-01-01" for i, (first, last, address) in enumerate(people)]
    file = "\n".join(["Membership number,Name,Email,Membership type,Status,Date joined", *lines]).encode()
    question = QuestionH(answers=(CHOICE, "Against"), min=1, max=1, question="Motion", blank=True)
    with database.write() as session:
        officer = officers.add_officer(session, name="Canary Officer", email=OFFICER_ADDRESS, roles=["returning-officer"], now=now)
        totp = officers.enrolment_secret(session, keys, officer)
        link = officers.make_login_link(session, email=OFFICER_ADDRESS, now=now, pause=0)
        assert link is not None
        meeting = lifecycle.make_meeting(session, "Canary", OFFICER, now, two_people=False)
        roll.load(session, meeting.id, roll.preview(file, date(2026, 1, 1)), OFFICER, now)
        roll.freeze(session, meeting.id, OFFICER, now)
        draft = lifecycle.ElectionDraft("Motions", [question], now, now + timedelta(hours=2), practice=True)
        uuid = lifecycle.make_election(session, meeting.id, draft, OFFICER, now).uuid
    lifecycle.lock(database, keys, uuid, OFFICER, now)
    with database.write() as session:
        lifecycle.open_voting(session, uuid, OFFICER, now)
        entries: list[RollEntry] = roll.members(session, meeting.id)
        mailings.send_at_once(session, config, keys, Mailer(config, keys), meeting.id, OFFICER, now)
    canary = next(entry for entry in entries if entry.email == ADDRESS)
    code, token = registrar.voting_code(keys, canary), make_voting_token(keys, canary, now + timedelta(days=1))
    election = board.load_setup(database, uuid).election
    sealed = {
        entry.handle: create_ballot(election, registrar.voting_code(keys, entry), [[0, 1, 0]], SystemRng()).to_bytes().decode()
        for entry in entries
    }
    words = folder / "words"
    words.write_text(PASSPHRASE, encoding="utf-8")
    with site:
        browser, member = Browser(site), Browser(site)
        assert 200 == browser.form("/officer/sign-in/link", code=link[1])[0]
        assert 200 == browser.form("/officer/sign-in/enrol", code=pyotp.TOTP(totp).now())[0]
        session_cookie = next(cookie.value for cookie in browser.jar if "officer" in cookie.name)
        assert session_cookie is not None
        assert NAME in browser.ask(f"/officer/m/{meeting.id}/members?q={NAME}")[1]
        _provoke(browser, member, uuid, code=code, token=token, totp=totp, cookie=session_cookie, sealed=sealed[canary.handle])
        for entry in entries:
            sent = {"token": make_voting_token(keys, entry, now + timedelta(days=1)), "ballot": sealed[entry.handle]}
            assert 200 == member.booth(f"/vote/{uuid}/cast", {**sent, "token": token} if entry is canary else sent)[0]
        assert 409 == member.booth(f"/vote/{uuid}/cast", {"token": token, "ballot": sealed[canary.handle][:-1] + code})[0]
        mailed = _mail(site, database)
        assert "[address]" in mailed
        metrics = member.ask("/metrics")[1]
        ballot(site, "backup", str(folder / "site.backup"), "--passphrase-file", str(words))
        assert 200 == browser.ask("/officer/")[0]
    lifecycle.close(database, uuid, OFFICER, datetime.now(UTC), reason="everybody has voted")
    tally.begin(database, uuid, OFFICER, datetime.now(UTC))
    tally.open_practice(database, keys, uuid, datetime.now(UTC))
    tally.publish(database, uuid, OFFICER, datetime.now(UTC))
    database.dispose()
    return Ran(
        {"code": code, "token": token, "second factor": totp, "session": session_cookie, "sign-in": link[1]},
        {"name": SURNAME, "address": ADDRESS, "local part": "quillon", "officer": OFFICER_ADDRESS, "choice": CHOICE},
        site.log.read_text(encoding="utf-8") + mailed,
        [*browser.errors, *member.errors],
        metrics,
        _dumps(url, server),
        (folder / "site.backup").read_bytes(),
        smtp,
    )


def _mail(site: Site, database: Database) -> str:
    """Every mail is sent, and what the senders said. What a server refused for now is due at once, not in some minutes."""
    send = [sys.executable, "-m", "ballot.cli", "mail"]
    first = subprocess.Popen(send, cwd=ROOT, env=site.environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    deadline = time.monotonic() + 60
    unfinished = col(Outbox.state).in_((State.WAITING, State.SENDING))
    tries: list[int] = []
    while not tries or min(tries) == 0:  # all that is left was refused for now
        assert time.monotonic() < deadline, "no mail was refused for now"
        time.sleep(0.05)
        with database.read() as session:
            tries = list(session.exec(select(Outbox.attempts).where(unfinished)))
    first.terminate()
    said = first.communicate()[0]
    with database.write() as session:
        session.execute(update(Outbox).where(unfinished).values(due_at=datetime.now(UTC)))
    return said + subprocess.run(send, cwd=ROOT, env=site.environ, capture_output=True, text=True, check=True).stderr


def _provoke(browser: Browser, member: Browser, uuid: str, *, code: str, token: str, totp: str, cookie: str, sealed: str) -> None:
    """Every kind of error, each with something in it that must not be repeated."""
    everything = urllib.parse.urlencode({"code": code, "token": token, "name": NAME, "email": ADDRESS, "totp": totp, "session": cookie})
    quoted = urllib.parse.quote(ADDRESS)
    for path in (f"/{quoted}", f"/vote/{code}", f"/e/{uuid}/no-{token[:60]}", f"/no?{everything}", f"/officer/m/x?{everything}"):
        assert member.ask(path)[0] in {404, 401, 200}
    assert 403 == member.booth(f"/vote/{uuid}/cast", {"token": token + "x", "ballot": sealed})[0]
    assert 400 == member.booth(f"/vote/{uuid}/cast", {"token": token, "ballot": sealed[:-1] + code + ADDRESS})[0]
    assert 400 == member.booth(f"/vote/{uuid}/cast", {"token": token, "ballot": sealed, ADDRESS: code})[0]
    assert 413 == member.booth(f"/vote/{uuid}/cast", {"token": token, "ballot": f"{code} {ADDRESS} " * 20000})[0]
    assert 403 == member.ask(f"/vote/{uuid}/cast", f"{code} {token}".encode())[0]
    member.booth("/vote/resend", {"email": ADDRESS})
    assert 400 == member.ask(f"/vote?{everything}", headers={"Host": "birds.example.org"})[0]
    assert member.form("/officer/sign-in/link", code="never mailed")[0] in {403, 422, 200}
    assert browser.form("/officer/meetings/new", name="", canary=ADDRESS)[0] in {404, 405, 422, 200, 403}
    assert member.ask("/officer/", headers={"Cookie": f"ballot-officer={cookie[:-2]}"})[0] in {200, 401}


def _dumps(url: str, server: PostgreSQL | None) -> list[bytes]:
    if server is None:
        path = Path(url.removeprefix("sqlite:///"))
        with sqlite3.connect(path) as connection:
            text = "\n".join(connection.iterdump()).encode()
        connection.close()
        wal = path.with_name(path.name + "-wal")
        return [text, path.read_bytes(), wal.read_bytes() if wal.exists() else b""]
    command = [str(server.postgres.with_name("pg_dump")), "--inserts", url.replace("+psycopg", "")]
    return [subprocess.run(command, capture_output=True, check=True).stdout]


def found_in(text: str, wanted: dict[str, str]) -> list[str]:
    return [what for what, value in wanted.items() if value.casefold() in text.casefold()]


def test_the_log_has_lines_and_nothing_of_anybody(ran: Ran) -> None:
    assert '"route": "booth.cast"' in ran.log
    assert [] == found_in(ran.log, ran.secrets | ran.personal)


def test_error_pages_repeat_nothing(ran: Ran) -> None:
    assert 8 <= len(ran.errors)
    for page in ran.errors:
        assert [] == found_in(page, ran.secrets | ran.personal), page


def test_the_figures_name_nobody(ran: Ran) -> None:
    assert "ballot_requests_total" in ran.metrics
    assert [] == found_in(ran.metrics, ran.secrets | ran.personal)


def test_the_database_keeps_no_secret_in_clear(ran: Ran) -> None:
    for dump in ran.database:
        assert [] == [what for what, value in ran.secrets.items() if value.encode() in dump]
    assert ADDRESS.encode() in ran.database[0]  # the roll itself is there, until it is tidied away


def test_a_backup_shows_nothing_without_its_passphrase(ran: Ran) -> None:
    assert ran.backup.startswith(b'{"ballot_backup":1,"part":"database"')
    assert [] == [what for what, value in (ran.secrets | ran.personal | {"organisation": "Canary"}).items() if value.encode() in ran.backup]


def test_mails_carry_a_members_own_link_and_nobody_elses(ran: Ran) -> None:
    mine = ran.mails.to(ADDRESS)
    assert any(ran.secrets["code"] in mail.text for mail in mine)
    for mail in ran.mails.delivered:
        text = f"{mail.text} {mail.html} {mail.message.items()}"
        hidden = {name: ran.secrets[name] for name in ("second factor", "session")} | {"choice": CHOICE}
        others = {} if ADDRESS in mail.recipients else {**ran.personal, "code": ran.secrets["code"]}
        assert [] == found_in(text, hidden | others)
