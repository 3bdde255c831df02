"""Mail that comes back: reports in many layouts find their mail, by the tag or the Message-ID; what is none changes nothing."""

from __future__ import annotations

import io
import random
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlmodel import select

from ballot import cli
from ballot.config import Config, SmtpSettings
from ballot.errors import ConfigurationError, MalformedError
from ballot.models import Outbox
from ballot.services.clock import FixedClock
from ballot.services.database import Database
from ballot.services.keys import Keys
from ballot.services.mail import Action, Fault, Mailer, Sender, SmtpTransport, State, fault_of, is_hard, read_report
from ballot.services.mail.bounces import LARGEST_REPORT, mail_of, tag_of, tagged
from tests.services import reports
from tests.services.reports import postfix
from tests.services.test_mail import letter
from tests.support.smtp import DsnServer, SMTPServer

NOW = datetime(2026, 3, 9, 9, 0, tzinfo=UTC)
BOUNCES = "bounces@example.org"
MID = "<" + "ab" * 16 + "@example.org>"
LAYOUTS = {
    "postfix": (
        reports.POSTFIX.replace("{status}", "5.1.1").replace("{action}", "failed").replace("{code}", "550"),
        Fault.NO_ADDRESS,
        True,
    ),
    "exim": (reports.EXIM, Fault.NO_ADDRESS, True),
    "old exim": (reports.OLD_EXIM, Fault.UNREACHABLE, False),
    "exchange": (reports.EXCHANGE, Fault.NO_ADDRESS, True),
    "gmail": (reports.GMAIL, Fault.FULL, False),
    "qmail": (reports.QMAIL, Fault.NO_ADDRESS, True),
    "copied out of a mail program": (reports.COPIED, Fault.NO_ADDRESS, True),
}
TAGGED = [name for name in LAYOUTS if "copied" not in name]


def report(name: str, *, to: str = "ballots@example.org", mid: str = "<none@elsewhere.example>") -> bytes:
    return LAYOUTS[name][0].replace("{to}", to).replace("{mid}", mid).replace("{words}", "User unknown").encode()


@pytest.fixture
def keys() -> Keys:
    return Keys.from_seed(b"bounces")


@pytest.fixture
def config(smtp_server: SMTPServer, tmp_path: Path) -> Config:
    return Config.from_environ(environ(smtp_server, tmp_path))


def environ(server: SMTPServer, folder: Path) -> dict[str, str]:
    return {
        "BALLOT_DATA": str(folder / "data"),
        "BALLOT_KEYS": str(folder / "keys"),
        "BALLOT_PUBLIC_URL": "https://vote.example.org",
        "BALLOT_SMTP_HOST": server.host,
        "BALLOT_SMTP_PORT": str(server.port),
        "BALLOT_SMTP_TLS": "none",
        "BALLOT_SMTP_FROM": "ballots@example.org",
        "BALLOT_SMTP_BOUNCE_ADDRESS": BOUNCES,
    }


@pytest.fixture
def mailer(config: Config, keys: Keys) -> Mailer:
    return Mailer(config, keys)


@pytest.fixture
def database(migrated: Path, tmp_path: Path) -> Iterator[Database]:
    shutil.copy(migrated, tmp_path / "ballot.sqlite3")
    database = Database(f"sqlite:///{tmp_path / 'ballot.sqlite3'}")
    yield database
    database.dispose()


def sent(database: Database, mailer: Mailer, config: Config, numbers: tuple[int, ...] = (1, 2)) -> None:
    """These members' mails, accepted by a real server."""
    with database.write() as session:
        for number in numbers:
            mailer.put(session, letter(number, meeting_id=None), NOW)
    assert config.smtp is not None
    assert len(numbers) == Sender(database, mailer, SmtpTransport(config.smtp, timeout=5), FixedClock(NOW)).send_due()


def rows(database: Database) -> dict[str, Outbox]:
    with database.read() as session:
        return {str(row.handle): row for row in session.exec(select(Outbox))}


def put_down(database: Database, mailer: Mailer, data: bytes) -> Outbox | None:
    with database.write() as session:
        return mailer.report(session, read_report(data), NOW).row


# --- the envelope -------------------------------------------------------------------------------------------------


def test_each_mail_has_an_envelope_of_its_own_that_names_nobody(
    database: Database, mailer: Mailer, config: Config, keys: Keys, smtp_server: SMTPServer
) -> None:
    sent(database, mailer, config)
    senders = [delivered.sender for delivered in smtp_server.delivered]
    assert 2 == len(set(senders))
    for delivered in smtp_server.delivered:
        found = re.fullmatch(r"bounces\+([a-z2-7]{42})@example\.org", delivered.sender)
        assert found is not None
        assert len(delivered.sender.partition("@")[0]) <= 64
        row = next(row for row in rows(database).values() if row.id == mail_of(keys, found[1]))
        assert delivered.message["Message-ID"] == row.message_id
        assert "ballots@example.org" == delivered.message["From"].addresses[0].addr_spec
        assert found[1] not in delivered.content.decode()


def test_without_a_bounce_address_reports_go_to_the_sender(database: Database, keys: Keys, smtp_server: SMTPServer, tmp_path: Path) -> None:
    plain = Config.from_environ({**environ(smtp_server, tmp_path), "BALLOT_SMTP_BOUNCE_ADDRESS": ""})
    sent(database, Mailer(plain, keys), plain, (1,))
    assert "ballots@example.org" == smtp_server.delivered[0].sender


def test_a_tag_cannot_be_made_up_nor_changed(keys: Keys) -> None:
    tag = tag_of(keys, "ab" * 16)
    assert "ab" * 16 == mail_of(keys, tag) == mail_of(keys, tag.upper())
    for wrong in (
        "",
        "a" * 42,
        "!" * 42,
        tag[:-1],
        tag + "a",
        *(tag[:i] + ("b" if tag[i] == "a" else "a") + tag[i + 1 :] for i in range(41)),
    ):
        assert mail_of(keys, wrong) is None
    assert mail_of(Keys.from_seed(b"another site"), tag) is None
    assert f"bounces+{tag}@example.org" == tagged(BOUNCES, tag)


@pytest.mark.parametrize("address", ["nobody", "a b@example.org", "bounces@", "x" * 22 + "@example.org", "a@b\r\nBcc: c@d.example"])
def test_a_bounce_address_that_cannot_work_is_refused(smtp_server: SMTPServer, tmp_path: Path, address: str) -> None:
    with pytest.raises(ConfigurationError, match="BALLOT_SMTP_BOUNCE_ADDRESS"):
        Config.from_environ({**environ(smtp_server, tmp_path), "BALLOT_SMTP_BOUNCE_ADDRESS": address})


def test_a_server_that_can_is_asked_to_return_headings_only(database: Database, mailer: Mailer, keys: Keys) -> None:
    with DsnServer() as server:
        settings = SmtpSettings("127.0.0.1", server.port, "", None, "none", "ballots@example.org", "ballots@example.org", BOUNCES)
        with database.write() as session:
            row = mailer.put(session, letter(1, meeting_id=None), NOW)
        assert 1 == Sender(database, mailer, SmtpTransport(settings, timeout=5), FixedClock(NOW)).send_due()
        (line,) = [line for line in server.lines if line.upper().startswith("MAIL FROM")]
    assert "RET=HDRS" in line
    assert f"ENVID={tag_of(keys, row.id)}" in line


# --- reports ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_report_of_every_layout_is_understood(name: str) -> None:
    found = read_report(report(name, mid=MID))
    _, fault, hard = LAYOUTS[name]
    assert Action.FAILED is found.action
    assert fault is fault_of(found.status, found.diagnostic)
    assert hard is found.hard
    assert MID in found.message_ids
    assert any(address.startswith("member1@") for address in found.addresses) or name == "qmail"


@pytest.mark.parametrize("name", TAGGED)
def test_a_report_finds_its_mail_by_the_tag_alone(
    database: Database, mailer: Mailer, config: Config, smtp_server: SMTPServer, name: str
) -> None:
    sent(database, mailer, config)
    row = put_down(database, mailer, report(name, to=smtp_server.to("member1@example.org")[0].sender))
    assert row is not None
    after = rows(database)
    assert (State.BOUNCED, State.ACCEPTED) == (after["h1"].state, after["h2"].state)
    assert ("hard" if LAYOUTS[name][2] else "soft") == after["h1"].bounce
    assert after["h1"].detail


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_report_finds_its_mail_by_the_message_id(database: Database, mailer: Mailer, config: Config, name: str) -> None:
    sent(database, mailer, config)
    data = report(name, mid=rows(database)["h1"].message_id).replace(b"\n", b"\r\n")
    assert put_down(database, mailer, data) is not None
    assert State.BOUNCED == rows(database)["h1"].state


def test_the_tag_counts_more_than_a_message_id(database: Database, mailer: Mailer, config: Config, smtp_server: SMTPServer) -> None:
    sent(database, mailer, config)
    to = smtp_server.to("member2@example.org")[0].sender
    put_down(database, mailer, postfix(to, rows(database)["h1"].message_id))
    assert (State.ACCEPTED, State.BOUNCED) == (rows(database)["h1"].state, rows(database)["h2"].state)


def test_a_delay_is_noted_and_a_good_end_changes_nothing(database: Database, mailer: Mailer, config: Config) -> None:
    sent(database, mailer, config)
    mid = rows(database)["h1"].message_id
    put_down(database, mailer, postfix("ballots@example.org", mid, action="delayed", status="4.4.1", code="451"))
    assert (State.ACCEPTED, "delayed", "4.4.1") == ((row := rows(database)["h1"]).state, row.bounce, row.status)
    put_down(database, mailer, postfix("ballots@example.org", mid, action="relayed", status="2.1.5", code="250"))
    assert State.ACCEPTED == rows(database)["h1"].state
    put_down(database, mailer, postfix("ballots@example.org", mid))
    assert (State.BOUNCED, "hard") == ((row := rows(database)["h1"]).state, row.bounce)
    put_down(database, mailer, postfix("ballots@example.org", mid, action="delayed", status="4.4.1"))
    assert (State.BOUNCED, "hard") == ((row := rows(database)["h1"]).state, row.bounce), "a late word of a delay takes nothing back"


def test_a_report_about_a_mail_that_never_left_is_not_believed(database: Database, mailer: Mailer) -> None:
    with database.write() as session:
        row = mailer.put(session, letter(1, meeting_id=None), NOW)
    assert put_down(database, mailer, postfix("ballots@example.org", row.message_id)) is None
    assert State.WAITING == rows(database)["h1"].state


def test_a_report_about_another_sites_mail_changes_nothing(database: Database, mailer: Mailer, config: Config) -> None:
    sent(database, mailer, config)
    other = tagged(BOUNCES, tag_of(Keys.from_seed(b"another site"), rows(database)["h1"].id))
    assert put_down(database, mailer, postfix(other, "<" + "00" * 16 + "@example.org>")) is None
    assert {State.ACCEPTED} == {row.state for row in rows(database).values()}


@pytest.mark.parametrize(
    ("status", "words", "fault", "hard"),
    [
        ("5.1.1", "", Fault.NO_ADDRESS, True),
        ("5.1.2", "", Fault.NO_DOMAIN, True),
        ("5.4.4", "Host or domain name not found", Fault.NO_DOMAIN, True),
        ("5.4.1", "Recipient address rejected: Access denied", Fault.NO_ADDRESS, True),
        ("5.2.1", "The email account is disabled", Fault.CLOSED, True),
        ("5.2.2", "", Fault.FULL, False),
        ("4.2.2", "mailbox full", Fault.FULL, False),
        ("4.4.7", "delivery time expired", Fault.UNREACHABLE, False),
        ("4.1.1", "user unknown for now", Fault.NO_ADDRESS, False),
        ("5.7.1", "Message rejected as spam", Fault.REFUSED, True),
        ("5.7.26", "", Fault.REFUSED, True),
        ("", "550 No such user here", Fault.NO_ADDRESS, True),
        ("5.0.0", "554 mailbox is full", Fault.FULL, False),
        ("", "554 transaction failed", Fault.OTHER, True),
        ("", "", Fault.OTHER, False),
    ],
)
def test_hard_or_soft_and_why(status: str, words: str, fault: Fault, hard: bool) -> None:
    assert fault is fault_of(status, words)
    assert hard is is_hard(status, words)


# --- what is no report --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "answer"),
    [
        (b"", "nothing here"),
        (b" \r\n\t", "nothing here"),
        (reports.LETTER.replace("{mid}", MID).encode(), "not a delivery report"),
        (reports.OUT_OF_OFFICE.replace("{to}", "ballots@example.org").replace("{mid}", MID).encode(), "automatic reply"),
        (b"\0\xff" * 1000, "not a delivery report"),
        (b"Content-Type: multipart/report; boundary=b\n\n--b\nContent-Type: message/delivery-status\n\n", "not a delivery report"),
        (b"x" * (LARGEST_REPORT + 1), "larger than 10 MB"),
        (b"Dear officer, please count my vote.", "not a delivery report"),
    ],
)
def test_what_is_no_report_is_answered_in_a_sentence(data: bytes, answer: str) -> None:
    with pytest.raises(MalformedError, match=answer):
        read_report(data)


def test_hostile_mime_ends_soon_and_changes_nothing(database: Database, mailer: Mailer, config: Config) -> None:
    sent(database, mailer, config)
    nested = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (i, i) for i in range(3000))
    messages = b"Content-Type: message/rfc822\n\n" * 3000
    broken = [
        nested,
        messages,
        b'Content-Type: multipart/report; boundary="' + b"x" * 100_000 + b'"\n\n--x',
        b"Subject: =?utf-8?b?" + b"A" * 100_000 + b"?=\n\nundelivered",
        b"To: " + b"<" * 50_000 + b"\n\nundelivered",
        b"Content-Type: message/delivery-status\n\n" + b"Action: failed\n\n" * 20_000,
        b"Content-Type: text/plain; charset=\xff\xfe\nContent-Transfer-Encoding: base64\n\n!!!! returned mail",
        b"a" * LARGEST_REPORT,
        b"user " * 100_000,
        b"\n" * 200_000 + b"delivery failed",
        b"Diagnostic-Code: smtp; " + b"recipient " * 100_000,
    ]
    started = time.monotonic()
    for data in broken:
        with suppress(MalformedError):
            assert put_down(database, mailer, data) is None
    assert time.monotonic() - started < 20
    assert {State.ACCEPTED} == {row.state for row in rows(database).values()}


def test_reports_with_bytes_changed_at_random_never_stop_the_program() -> None:
    chance = random.Random(7)
    for name in LAYOUTS:
        whole = report(name, mid=MID)
        for _ in range(60):
            data = bytearray(whole)
            for _ in range(chance.randrange(1, 20)):
                data[chance.randrange(len(data))] = chance.randrange(256)
            cut = bytes(data[: chance.randrange(len(data))])
            for damaged in (bytes(data), cut):
                try:
                    read_report(damaged)
                except MalformedError:
                    continue


# --- the command --------------------------------------------------------------------------------------------------


@pytest.fixture
def installed(smtp_server: SMTPServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Config:
    """Settings in the environment, as the command finds them."""
    for name, value in environ(smtp_server, tmp_path).items():
        monkeypatch.setenv(name, value)
    return Config.from_environ(environ(smtp_server, tmp_path))


def test_the_command_takes_a_report_from_the_mail_server(
    installed: Config, smtp_server: SMTPServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    installed.data.mkdir()
    database, mailer = Database(installed.database_url), Mailer(installed, Keys.open(installed.keys))
    database.migrate()
    sent(database, mailer, installed)
    to = smtp_server.to("member1@example.org")[0].sender

    def by_pipe(data: bytes, *arguments: str) -> int:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(data)))
        return cli.main(["mail", "--bounce", "-", *arguments])

    assert 0 == by_pipe(postfix("postmaster@example.org", "<x@elsewhere.example>"), "--to", to)
    assert "marked as bounced (hard)" in capsys.readouterr().out
    file = tmp_path / "report.eml"
    file.write_bytes(postfix(smtp_server.to("member2@example.org")[0].sender, MID, action="delayed", status="4.4.1"))
    assert 0 == cli.main(["mail", "--bounce", str(file)])
    assert "noted as delayed" in capsys.readouterr().out
    for data, answer in (
        (postfix("postmaster@example.org", "<x@elsewhere.example>"), "about no mail of this site"),
        (reports.OUT_OF_OFFICE.encode(), "automatic reply"),
        (b"", "nothing here"),
    ):
        assert 2 == by_pipe(data)
        assert answer in capsys.readouterr().err
    assert (State.BOUNCED, State.ACCEPTED) == (rows(database)["h1"].state, rows(database)["h2"].state)
    database.dispose()
