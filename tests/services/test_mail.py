"""Mail against a real SMTP server: one message per member, whatever breaks."""

from __future__ import annotations

import os
import signal
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path

import pytest
from sqlalchemy import select

from ballot.config import Config, SmtpSettings
from ballot.errors import ConfigurationError, MailServerError, MalformedError
from ballot.models import CaughtMail, Meeting, Outbox
from ballot.services import mail
from ballot.services.clock import FixedClock
from ballot.services.database import Database
from ballot.services.keys import Keys
from ballot.services.mail import Asked, Catcher, Decided, Letter, Mailer, Sender, SmtpTransport, State
from ballot.services.startup import only_one
from tests.support.certificates import loopback_certificate
from tests.support.need import ROOT
from tests.support.ports import free_port
from tests.support.smtp import Delivered, RudeServer, SMTPServer

NOW = datetime(2026, 3, 9, 9, 0, tzinfo=UTC)
CLOSES = datetime(2026, 3, 20, 17, 0, tzinfo=UTC)
CANARY = "CANAR-Y22222-33333-444444"
LINK = f"https://vote.example.org/vote#token.{CANARY}"


RESULT = Decided(
    "Motion 1",
    "Friday 20 March 2026 at 5pm (UK time)",
    ("Carried: 212 for, 80 against.", "Turnout: 301 of 640 members (47 %)."),
    "https://vote.example.org/e/1/result",
    "https://vote.example.org/e/1/check",
    "8fXw",
)


def letter(number: int = 1, **changes: object) -> Letter:
    """An invitation to one member."""
    words: dict[str, object] = {
        "meeting_id": "agm",
        "meeting": "2026 annual general meeting",
        "handle": f"h{number}",
        "generation": 0,
        "name": f"Member {number}",
        "address": f"member{number}@example.org",
        "link": LINK,
        "code": CANARY,
        "opens": NOW,
        "closes": CLOSES,
        "elections": [Asked("Motion 1: buses", "q0rF"), Asked("Co-Chairs", "8fXw")],
    }
    return mail.invitation(**(words | changes))  # type: ignore[arg-type]


@pytest.fixture
def config(tmp_path: Path, smtp_server: SMTPServer) -> Config:
    environ = {
        "BALLOT_DATA": str(tmp_path / "data"),
        "BALLOT_KEYS": str(tmp_path / "keys"),
        "BALLOT_PUBLIC_URL": "https://vote.example.org",
        "BALLOT_ORGANISATION": "Northern Members' Union",
        "BALLOT_SMTP_HOST": smtp_server.host,
        "BALLOT_SMTP_PORT": str(smtp_server.port),
        "BALLOT_SMTP_TLS": "none",
        "BALLOT_SMTP_FROM": "ballots@example.org",
        "BALLOT_SMTP_REPLY_TO": "officer@example.org",
    }
    return Config.from_environ(environ)


@pytest.fixture(autouse=True)
def meeting(request: pytest.FixtureRequest) -> None:
    """The mails' meeting, where the test has a database."""
    if "database" in request.fixturenames:
        database: Database = request.getfixturevalue("database")
        with database.write() as session:
            session.add(Meeting(id="agm", name="2026 annual general meeting", created_at=NOW))


@pytest.fixture
def keys() -> Keys:
    return Keys.from_seed(b"mail")


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(NOW)


@pytest.fixture
def mailer(config: Config, keys: Keys) -> Mailer:
    return Mailer(config, keys)


@pytest.fixture
def sender(database: Database, mailer: Mailer, config: Config, clock: FixedClock) -> Sender:
    assert config.smtp is not None
    return Sender(database, mailer, SmtpTransport(config.smtp, timeout=5), clock, name="here")


@pytest.fixture
def queue(database: Database, mailer: Mailer) -> Callable[..., None]:
    def queue(*letters: Letter) -> None:
        with database.write() as session:
            for one in letters:
                mailer.put(session, one, NOW)

    return queue


def rows(database: Database) -> list[Outbox]:
    with database.read() as session:
        return list(session.execute(select(Outbox).order_by(Outbox.key)).scalars())  # type: ignore[arg-type]


def states(database: Database) -> list[str]:
    return [row.state for row in rows(database)]


def test_each_member_gets_one_message_of_their_own(
    queue: Callable[..., None], sender: Sender, smtp_server: SMTPServer, database: Database
) -> None:
    queue(*(letter(number) for number in range(1, 6)))
    assert 5 == sender.send_due()
    assert 0 == sender.send_due()
    assert 5 == len(smtp_server.delivered)
    for number in range(1, 6):
        (only,) = smtp_server.to(f"member{number}@example.org")
        assert (f"member{number}@example.org",) == only.recipients
        assert [f"member{number}@example.org"] == [address.addr_spec for address in only.message["To"].addresses]
    assert [State.ACCEPTED] * 5 == states(database)


def test_the_words_and_headings_are_those_of_a_careful_invitation(
    queue: Callable[..., None], sender: Sender, smtp_server: SMTPServer
) -> None:
    queue(letter())
    sender.send_due()
    (only,) = smtp_server.delivered
    message = only.message
    assert "Vote at the 2026 annual general meeting: closes Friday 20 March, 5pm" == message["Subject"]
    assert "Northern Members' Union" == message["From"].addresses[0].display_name
    assert "ballots@example.org" == message["From"].addresses[0].addr_spec == only.sender
    assert "officer@example.org" == message["Reply-To"].addresses[0].addr_spec
    assert message["Message-ID"].endswith("@example.org>")
    assert "auto-generated" == message["Auto-Submitted"]
    assert ["multipart/alternative", "text/plain", "text/html"] == [part.get_content_type() for part in message.walk()]
    assert 1 == only.text.splitlines().count(LINK)
    assert 1 == only.text.count("#")
    assert 1 == only.html.count("<a ")
    assert f'<a href="{LINK}">{LINK}</a>' in only.html
    assert "<img" not in only.html
    assert "http" not in only.html.replace(LINK, "").replace("https://vote.example.org/vote and type", "")
    assert "closes Friday 20 March 2026 at 5pm (UK time)" in only.text
    assert f"    {CANARY}\n" in only.text
    assert "(fingerprint: 8fXw)" in only.text


def test_a_practice_letter_says_so_everywhere(queue: Callable[..., None], sender: Sender, smtp_server: SMTPServer) -> None:
    queue(letter(practice=True))
    sender.send_due()
    (only,) = smtp_server.delivered
    assert only.message["Subject"].startswith("PRACTICE: ")
    assert only.text.startswith("PRACTICE")
    assert "PRACTICE" in only.html


def test_every_kind_of_letter_can_be_written(
    queue: Callable[..., None], sender: Sender, smtp_server: SMTPServer, database: Database
) -> None:
    queue(
        mail.receipt(
            meeting_id="agm",
            election="Motion 1",
            name="A",
            address="a@example.org",
            tracker="receipt-9fXw",
            cast_at=NOW,
            check_url="https://vote.example.org/e/1/check",
            closes=CLOSES,
        ),
        mail.sign_in(name="B", address="b@example.org", link="https://vote.example.org/officer/sign-in#x", code="ABCDE-FGHJK", minutes=30),
        mail.trustee_link(
            meeting_id="agm",
            election="Motion 1",
            election_uuid="1",
            number=1,
            generation=0,
            name="C",
            address="c@example.org",
            link="https://vote.example.org/trustee#y",
            closes=CLOSES,
            task="Please make your key this week.",
        ),
        mail.result(
            meeting_id="agm",
            meeting="2026 annual general meeting",
            number=1,
            handle="h",
            name="D",
            address="d@example.org",
            results=[RESULT],
        ),
        mail.second_person(
            meeting_id="agm",
            approval="1",
            officer="1",
            name="E",
            address="e@example.org",
            asked_by="Rosa",
            act="Lock the ballot",
            about="Motion 1",
            meeting="2026 annual general meeting",
            link="https://vote.example.org/officer/approvals/1",
        ),
        mail.test_of(letter(), "f@example.org"),
    )
    assert 6 == sender.send_due()
    words = {"a": "receipt-9fXw", "b": "ABCDE-FGHJK", "c": "Please make your key this week.", "d": "Carried: 212 for, 80 against."}
    words |= {"e": "Lock the ballot", "f": "TEST: only you get this e-mail."}
    for name, word in words.items():
        (only,) = smtp_server.to(f"{name}@example.org")
        assert word in only.text
        assert word in only.html
    assert {"sign-in", "trustee", "result", "second", "test"} == {row.kind for row in rows(database)}  # the receipt leaves no trace
    assert {None} == {row.sealed for row in rows(database)}, "sealed until accepted, wiped after"


def test_a_name_cannot_write_into_the_page_of_a_letter(queue: Callable[..., None], sender: Sender, smtp_server: SMTPServer) -> None:
    queue(letter(name="<script>alert(1)</script>"))
    sender.send_due()
    assert "<script" not in smtp_server.delivered[0].html
    assert "&lt;script&gt;" in smtp_server.delivered[0].html


def test_the_same_letter_queued_twice_is_one_mail(queue: Callable[..., None], sender: Sender, smtp_server: SMTPServer) -> None:
    queue(letter(), letter())
    queue(letter())
    sender.send_due()
    queue(letter())
    sender.send_due()
    assert 1 == len(smtp_server.delivered)
    queue(letter(generation=1))
    sender.send_due()
    assert 2 == len(smtp_server.delivered)


def test_the_secret_part_is_in_no_byte_of_the_database(
    tmp_path: Path, sqlite_url: str, config: Config, keys: Keys, clock: FixedClock, smtp_server: SMTPServer
) -> None:
    database = Database(sqlite_url)
    database.migrate()
    mailer = Mailer(config, keys)
    with database.write() as session:
        session.add(Meeting(id="agm", name="AGM", created_at=NOW))
        session.flush()
        row = mailer.put(session, letter(), NOW)
        assert CANARY in mailer.open(row).plain
    files = b"".join(path.read_bytes() for path in tmp_path.glob("ballot.sqlite3*"))
    for secret in (CANARY, "member1@example.org", "Member 1"):
        assert secret.encode() not in files
    assert config.smtp is not None
    Sender(database, mailer, SmtpTransport(config.smtp), clock).send_due()
    (row,) = rows(database)
    assert row.sealed is None
    assert 1 == len(smtp_server.delivered)
    database.dispose()


def test_a_sealed_text_opens_in_its_own_row_only(queue: Callable[..., None], database: Database, mailer: Mailer) -> None:
    queue(letter(1), letter(2))
    one, two = rows(database)
    one.sealed = two.sealed
    with pytest.raises(ConfigurationError):
        mailer.open(one)


@pytest.mark.parametrize("character", ["\r", "\n", "\r\n", "\0", "\u2028", "\x85"])
@pytest.mark.parametrize("field", ["address", "meeting"])
def test_a_line_break_in_a_heading_is_refused(
    database: Database, mailer: Mailer, smtp_server: SMTPServer, field: str, character: str
) -> None:
    value = {"address": f"a@example.org{character}Bcc: everyone@example.org", "meeting": f"AGM{character}Bcc: everyone@example.org"}[field]
    with pytest.raises(MalformedError), database.write() as session:
        mailer.put(session, letter(**{field: value}), NOW)
    assert [] == rows(database)


@pytest.mark.parametrize(
    "address",
    [
        "",
        "nobody",
        "@example.org",
        "a b@example.org",
        "a@b@example.org",
        "a@",
        "a,b@example.org",
        "<a@example.org>",
        "a@exa mple.org",
        "é@example.org",
        "x" * 65 + "@example.org",
    ],
)
def test_what_is_no_address_is_refused(database: Database, mailer: Mailer, address: str) -> None:
    with pytest.raises(MalformedError), database.write() as session:
        mailer.put(session, letter(address=address), NOW)


def test_an_international_domain_is_written_in_its_ascii_form() -> None:
    assert "a@xn--mnchen-3ya.example" == mail.checked_address("a@münchen.example")


def test_a_line_that_is_one_dot_arrives_as_it_is(queue: Callable[..., None], sender: Sender, smtp_server: SMTPServer) -> None:
    queue(letter(introduction="First.\n.\n..hidden\nLast."))
    sender.send_due()
    assert "First.\n.\n..hidden\nLast." in smtp_server.delivered[0].text


def test_a_deferred_mail_is_tried_again_later_as_the_same_letter(
    queue: Callable[..., None], sender: Sender, smtp_server: SMTPServer, database: Database, clock: FixedClock
) -> None:
    queue(letter())
    seen: list[str] = []

    def busy(delivered: Delivered) -> str:
        seen.append(delivered.message["Message-ID"])
        return "451 try again later" if len(seen) < 3 else "250 taken"

    smtp_server.on_message = busy
    assert 0 == sender.send_due()
    assert [State.WAITING] == states(database)
    assert 0 == sender.send_due()  # not due yet
    assert 1 == len(seen)
    clock.advance(minutes=2)
    assert 0 == sender.send_due()
    clock.advance(minutes=6)
    assert 1 == sender.send_due()
    assert 3 == len(seen)
    assert 1 == len(set(seen))
    assert [State.ACCEPTED] == states(database)


def test_a_deferred_recipient_does_not_hold_up_the_others(
    queue: Callable[..., None], sender: Sender, smtp_server: SMTPServer, database: Database
) -> None:
    smtp_server.on_recipient = lambda address: "450 greylisted" if address.startswith("member1@") else "250 OK"
    queue(letter(1), letter(2), letter(3))
    assert 2 == sender.send_due()
    assert [State.WAITING, State.ACCEPTED, State.ACCEPTED] == states(database)


@pytest.mark.parametrize("where", ["recipient", "message"])
def test_a_refused_mail_has_failed_and_says_why(
    queue: Callable[..., None], sender: Sender, smtp_server: SMTPServer, database: Database, mailer: Mailer, where: str
) -> None:
    if where == "recipient":
        smtp_server.on_recipient = lambda _address: "550 no such mailbox"
    else:
        smtp_server.on_message = lambda _delivered: "554 not wanted here"
    queue(letter())
    assert 0 == sender.send_due()
    (row,) = rows(database)
    assert State.FAILED == row.state
    assert row.detail in {"550 no such mailbox", "554 not wanted here"}
    assert 0 == sender.send_due()
    smtp_server.on_recipient, smtp_server.on_message = lambda _address: "250 OK", lambda _delivered: "250 taken"
    with database.write() as session:
        assert 1 == mailer.retry(session, [row.id], NOW)
    assert 1 == sender.send_due()
    assert row.message_id == smtp_server.delivered[0].message["Message-ID"]


def test_after_many_deferrals_the_mail_has_failed(
    queue: Callable[..., None],
    sender: Sender,
    smtp_server: SMTPServer,
    database: Database,
    clock: FixedClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("ballot.services.mail.sender.TRIES", 7)
    smtp_server.on_message = lambda _delivered: "451 never today"
    queue(letter())
    for _ in range(7):
        sender.send_due()
        clock.advance(hours=2)
    assert [State.FAILED] == states(database)
    assert "given up" in rows(database)[0].detail


def test_no_server_is_no_fault_of_the_mail(database: Database, mailer: Mailer, clock: FixedClock, queue: Callable[..., None]) -> None:
    gone = SmtpSettings("127.0.0.1", free_port(), "", None, "none", "ballots@example.org", "officer@example.org")
    queue(letter())
    with pytest.raises(MailServerError, match="cannot be reached"):
        Sender(database, mailer, SmtpTransport(gone, timeout=2), clock).send_due()
    (row,) = rows(database)
    assert (State.WAITING, 0) == (row.state, row.attempts)


def test_a_server_that_says_421_is_left_alone_for_a_while_and_then_gets_everything(
    queue: Callable[..., None], database: Database, mailer: Mailer, config: Config, clock: FixedClock, smtp_server: SMTPServer
) -> None:
    answers = iter(["250 OK", "421 closing", "421 closing", *["250 OK"] * 10])
    smtp_server.on_recipient = lambda _address: next(answers)
    queue(*(letter(number) for number in range(1, 5)))
    assert config.smtp is not None
    waits: list[float] = []
    told: list[str] = []
    sender = Sender(database, mailer, SmtpTransport(config.smtp), clock, mails_per_minute=600, wait=waits.append)
    assert 4 == sender.run(until_empty=True, report=told.append)
    assert 2 == len(told)
    assert [2, 5] == [wait for wait in waits if wait > 1]
    assert 4 == len(smtp_server.delivered)


def test_mails_leave_at_the_pace_that_was_set(
    queue: Callable[..., None], database: Database, mailer: Mailer, config: Config, clock: FixedClock, smtp_server: SMTPServer
) -> None:
    queue(*(letter(number) for number in range(1, 4)))
    assert config.smtp is not None
    waits: list[float] = []
    Sender(database, mailer, SmtpTransport(config.smtp), clock, mails_per_minute=30, wait=waits.append).run(until_empty=True)
    assert [2.0, 2.0, 2.0] == waits


def test_a_lost_answer_is_unknown_and_is_not_sent_again_by_itself(
    queue: Callable[..., None], database: Database, mailer: Mailer, config: Config, clock: FixedClock, smtp_server: SMTPServer
) -> None:
    hang = threading.Event()

    def silent(_delivered: Delivered) -> str:
        time.sleep(1.5)  # longer than the sender waits: it must treat this as a lost answer
        hang.set()
        return "250 too late"

    smtp_server.on_message = silent
    queue(letter())
    assert config.smtp is not None
    sender = Sender(database, mailer, SmtpTransport(config.smtp, timeout=0.5), clock)
    assert 0 == sender.send_due()
    (row,) = rows(database)
    assert State.UNKNOWN == row.state
    assert row.sealed is not None
    assert hang.wait(5)
    smtp_server.on_message = lambda _delivered: "250 taken"
    assert 0 == sender.send_due()
    with database.write() as session:
        mailer.retry(session, [row.id], NOW)
    assert 1 == sender.send_due()
    assert {row.message_id} == {delivered.message["Message-ID"] for delivered in smtp_server.delivered}


@pytest.mark.parametrize("moment", ["connect", "EHLO", "MAIL", "RCPT", "DATA", "."])
def test_a_server_that_hangs_up_loses_and_doubles_nothing(
    queue: Callable[..., None],
    database: Database,
    mailer: Mailer,
    config: Config,
    clock: FixedClock,
    sender: Sender,
    smtp_server: SMTPServer,
    moment: str,
) -> None:
    assert config.smtp is not None
    queue(letter())
    with RudeServer(moment) as rude:
        transport = SmtpTransport(replace(config.smtp, port=rude.port), timeout=5)
        if moment == ".":
            assert 0 == Sender(database, mailer, transport, clock).send_due()
            assert [State.UNKNOWN] == states(database)
            assert 1 == rude.texts
            return
        with pytest.raises(MailServerError):
            Sender(database, mailer, transport, clock).send_due()
        assert 0 == rude.texts
    (row,) = rows(database)
    assert (State.WAITING, 0, False) == (row.state, row.attempts, row.handed_over)
    assert 1 == sender.send_due()
    assert 1 == len(smtp_server.delivered)


class Crash(BaseException):
    """The process dies here."""


def test_a_crash_before_the_last_line_loses_and_doubles_nothing(
    queue: Callable[..., None],
    database: Database,
    mailer: Mailer,
    config: Config,
    clock: FixedClock,
    smtp_server: SMTPServer,
    sender: Sender,
) -> None:
    assert config.smtp is not None

    class Dies(SmtpTransport):
        def deliver(self, message: EmailMessage, before_last_line: Callable[[], None]) -> str:
            def die() -> None:
                raise Crash

            return super().deliver(message, die)

    queue(letter())
    with pytest.raises(Crash):
        Sender(database, mailer, Dies(config.smtp), clock, name="here").send_due()
    assert [State.SENDING] == states(database)
    assert [] == smtp_server.delivered
    assert 1 == sender.send_due()
    assert 1 == len(smtp_server.delivered)


def test_a_crash_after_the_last_line_is_listed_as_unknown(
    queue: Callable[..., None],
    database: Database,
    mailer: Mailer,
    config: Config,
    clock: FixedClock,
    smtp_server: SMTPServer,
    sender: Sender,
) -> None:
    assert config.smtp is not None

    class Dies(SmtpTransport):
        def deliver(self, message: EmailMessage, before_last_line: Callable[[], None]) -> str:
            super().deliver(message, before_last_line)
            raise Crash

    queue(letter())
    with pytest.raises(Crash):
        Sender(database, mailer, Dies(config.smtp), clock, name="here").send_due()
    assert {State.UNKNOWN: 1, State.WAITING: 0} == sender.recover()
    assert 0 == sender.send_due()
    assert 1 == len(smtp_server.delivered)
    assert [State.UNKNOWN] == states(database)


def test_a_claim_of_another_host_is_respected_until_it_is_old(
    queue: Callable[..., None], database: Database, mailer: Mailer, config: Config, clock: FixedClock, sender: Sender
) -> None:
    assert config.smtp is not None
    queue(letter())
    elsewhere = Sender(database, mailer, SmtpTransport(config.smtp), clock, name="elsewhere")
    assert elsewhere._claim() is not None
    assert 0 == sender.send_due()
    assert [State.SENDING] == states(database)
    clock.advance(minutes=16)
    assert 1 == sender.send_due()


def test_several_senders_at_once_send_each_mail_once(
    queue: Callable[..., None], database: Database, mailer: Mailer, config: Config, clock: FixedClock, smtp_server: SMTPServer
) -> None:
    assert config.smtp is not None
    queue(*(letter(number) for number in range(40)))
    settings = config.smtp
    threads = [
        threading.Thread(target=lambda name=name: Sender(database, mailer, SmtpTransport(settings), clock, name=name).send_due())
        for name in ("one", "two", "three")
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 40 == len(smtp_server.delivered)
    assert 40 == len({delivered.recipients for delivered in smtp_server.delivered})


@pytest.mark.slow
def test_a_killed_sender_is_resumed_without_a_miss_or_a_double(
    queue: Callable[..., None],
    database: Database,
    config: Config,
    smtp_server: SMTPServer,
    tmp_path: Path,
    sender: Sender,
) -> None:
    total = 60
    keys = Keys.open(config.keys)
    mailer = Mailer(config, keys)
    with database.write() as session:
        for number in range(total):
            mailer.put(session, letter(number), datetime.now(UTC) - timedelta(minutes=1))
    environ = {name: value for name, value in os.environ.items() if not name.startswith("BALLOT_")} | {
        "BALLOT_DATABASE_URL": database.engine.url.render_as_string(hide_password=False),
        "BALLOT_DATA": str(config.data),
        "BALLOT_KEYS": str(config.keys),
        "BALLOT_PUBLIC_URL": config.public_url,
        "BALLOT_SMTP_HOST": smtp_server.host,
        "BALLOT_SMTP_PORT": str(smtp_server.port),
        "BALLOT_SMTP_TLS": "none",
        "BALLOT_SMTP_FROM": "ballots@example.org",
        "BALLOT_MAILS_PER_MINUTE": "6000",
    }
    command = [sys.executable, "-m", "ballot.cli", "mail"]
    for goal in (10, 25, 45):
        process = subprocess.Popen(command, env=environ, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 60
        while len(smtp_server.delivered) < goal and time.monotonic() < deadline and process.poll() is None:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.wait()
    done = subprocess.run(command, env=environ, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    assert 0 == done.returncode, done.stderr
    unknown = [row for row in rows(database) if row.state == State.UNKNOWN]
    assert total == sum(row.state == State.ACCEPTED for row in rows(database)) + len(unknown)
    assert len(unknown) <= 3
    received = [delivered.recipients for delivered in smtp_server.delivered]
    assert len(received) == len(set(received))
    assert total - len(unknown) <= len(received) <= total


def test_the_sender_logs_in_over_tls(
    database: Database, mailer: Mailer, config: Config, clock: FixedClock, queue: Callable[..., None], tmp_path: Path
) -> None:
    password = tmp_path / "password"
    password.write_text("correct horse\n")
    password.chmod(0o600)
    server_side, client_side = loopback_certificate(tmp_path)
    assert config.smtp is not None
    with SMTPServer(tls=server_side, login=("ballots", "correct horse")) as server:
        settings = replace(config.smtp, port=server.port, host="localhost", user="ballots", password_file=password, tls="starttls")
        queue(letter())
        assert 1 == Sender(database, mailer, SmtpTransport(settings, context=client_side), clock).send_due()
        assert server.delivered[0].over_tls
        queue(letter(2))
        password.write_text("wrong\n")
        with pytest.raises(ConfigurationError, match="BALLOT_SMTP_USER"):
            Sender(database, mailer, SmtpTransport(settings, context=client_side), clock).send_due()
        assert State.WAITING in states(database)


def test_the_sender_speaks_tls_from_the_first_byte(
    database: Database, mailer: Mailer, config: Config, clock: FixedClock, queue: Callable[..., None], tmp_path: Path
) -> None:
    server_side, client_side = loopback_certificate(tmp_path)
    assert config.smtp is not None
    with SMTPServer(tls=server_side, from_first_byte=True) as server:
        queue(letter())
        settings = replace(config.smtp, host="localhost", port=server.port, tls="tls")
        assert 1 == Sender(database, mailer, SmtpTransport(settings, context=client_side), clock).send_due()


def test_a_certificate_that_nobody_vouches_for_is_refused(
    database: Database, mailer: Mailer, config: Config, clock: FixedClock, queue: Callable[..., None], tmp_path: Path
) -> None:
    server_side, _ = loopback_certificate(tmp_path)
    with SMTPServer(tls=server_side) as server:
        assert config.smtp is not None
        queue(letter())
        settings = replace(config.smtp, host="localhost", port=server.port, tls="starttls")
        with pytest.raises(ConfigurationError, match="No safe connection"):
            Sender(database, mailer, SmtpTransport(settings, context=ssl.create_default_context()), clock).send_due()
        assert [] == server.delivered


def test_a_password_that_others_can_read_is_refused(config: Config, tmp_path: Path, smtp_server: SMTPServer) -> None:
    password = tmp_path / "password"
    password.write_text("correct horse\n")
    password.chmod(0o644)
    assert config.smtp is not None
    transport = SmtpTransport(replace(config.smtp, user="ballots", password_file=password))
    with pytest.raises(ConfigurationError, match="chmod 600"):
        transport.deliver(_to("a@example.org"), lambda: None)


def _to(address: str) -> EmailMessage:
    message = EmailMessage()
    message["To"] = address
    message.set_content("text")
    return message


def test_without_a_mail_server_the_catcher_keeps_the_mail(
    database: Database, mailer: Mailer, clock: FixedClock, queue: Callable[..., None]
) -> None:
    queue(letter())
    catcher = Catcher(database, clock)
    assert 1 == Sender(database, mailer, catcher, clock).send_due()
    with database.read() as session:
        (only,) = mail.caught(session)
        assert 1 == len(list(session.execute(select(CaughtMail)).scalars()))
    assert "member1@example.org" == only.recipient
    assert LINK in only.text
    assert LINK in only.html
    assert NOW == only.caught_at


def test_outside_development_a_mail_server_is_required(config: Config, database: Database, clock: FixedClock) -> None:
    with pytest.raises(ConfigurationError, match="BALLOT_SMTP_HOST"):
        mail.transport_for(replace(config, smtp=None, development=False), database, clock)
    assert isinstance(mail.transport_for(replace(config, smtp=None, development=True), database, clock), Catcher)


def test_only_one_sender_runs_on_a_host(tmp_path: Path) -> None:
    with only_one(tmp_path, "mail") as first, only_one(tmp_path, "mail") as second, only_one(tmp_path, "other") as third:
        assert first
        assert not second
        assert third
    with only_one(tmp_path, "mail") as again:
        assert again


def test_the_states_are_counted_and_told_by_member(
    queue: Callable[..., None], sender: Sender, smtp_server: SMTPServer, database: Database, mailer: Mailer
) -> None:
    smtp_server.on_recipient = lambda address: "550 no such mailbox" if address.startswith("member2@") else "250 OK"
    queue(letter(1), letter(2))
    sender.send_due()
    queue(letter(3))
    with database.read() as session:
        assert {"waiting": 1, "accepted": 1, "failed": 1, "sending": 0, "bounced": 0, "unknown": 0} == mailer.counts(session, "agm")
        assert {"h1": "accepted", "h2": "failed", "h3": "waiting"} == mailer.states(session, "agm")


def test_a_withdrawn_letter_never_leaves(
    queue: Callable[..., None], sender: Sender, smtp_server: SMTPServer, database: Database, mailer: Mailer
) -> None:
    queue(letter(1), letter(2))
    with database.write() as session:
        assert 1 == mailer.withdraw(session, "agm", "h1")
    assert 1 == sender.send_due()
    assert [] == smtp_server.to("member1@example.org")
    assert rows(database)[0].sealed is None
