"""Mail: letters wait sealed in the database until a mail server has taken them, one recipient and one message each.

The life of a mail: `waiting` → `sending` → `accepted`, or back to `waiting` when the server asks for patience (4xx, no
connection), or `failed` (5xx), or `unknown`: the text had left and no answer came. `bounced` comes later, from outside.

Once per member, as far as SMTP allows. A sender claims a mail in a transaction of its own before it speaks to the server, and
records that the text is about to be complete before it sends the line that completes it. After a crash, a claim without that
record goes back to waiting (the server cannot have taken it); a claim with it is `unknown` and waits for a person to decide.
The `Message-ID` belongs to the mail, not to the try, so that a second try can be recognised as the same letter.
"""

from __future__ import annotations

import email
import email.policy
import json
import logging
import re
import secrets
import smtplib
import socket
import ssl
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol, cast

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from sqlalchemy import delete, func, insert, select, update
from sqlmodel import Session, col

from ballot.config import Config, SmtpSettings
from ballot.errors import (
    ConfigurationError,
    MailDeferredError,
    MailRefusedError,
    MailServerError,
    MailUnknownError,
    MalformedError,
    UnavailableError,
)
from ballot.models import CaughtMail, Outbox, table
from ballot.services.clock import Clock, spoken, spoken_hour
from ballot.services.database import Database
from ballot.services.keys import Keys
from ballot.services.startup import only_one

log = logging.getLogger(__name__)

TEMPLATES = Path(__file__).parents[2] / "templates" / "mail"  # at the top of the tree, beside the package

ALWAYS_NEW = {"receipt", "sign-in"}  # kinds whose keys are random
# Minutes before the second, third, … try of a mail that the server deferred; then every hour until we give up.
PATIENCE = (1, 5, 15, 30)
TRIES = 50
STALE = timedelta(minutes=15)  # a claim this old, made on another host, belongs to a sender that is gone
SERVER_PAUSES = (2, 5, 15, 60, 300)  # seconds to wait after the server as a whole could not be used, then the next longer


class State(StrEnum):
    """Where a mail stands. "Accepted" means accepted by the mail server, not read."""

    WAITING = "waiting"
    SENDING = "sending"
    ACCEPTED = "accepted"
    BOUNCED = "bounced"
    FAILED = "failed"
    UNKNOWN = "unknown"


# --- letters: what is said, and to whom ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Letter:
    """One letter before it is queued. `key` names its purpose: a second letter with the same key is the same letter."""

    kind: str
    key: str
    recipient: str
    subject: str
    words: Mapping[str, Any]
    meeting_id: str | None = None
    handle: str | None = None


@dataclass(frozen=True)
class Asked:
    """One election as an invitation names it."""

    name: str
    fingerprint: str


def invitation(
    *,
    meeting_id: str,
    meeting: str,
    handle: str,
    generation: int,
    name: str,
    address: str,
    link: str,
    code: str | None,
    opens: datetime,
    closes: datetime,
    elections: Sequence[Asked],
    introduction: str = "",
    practice: bool = False,
    reminder: int = 0,
) -> Letter:
    """The member's own link and code. A reissued link (next generation) and each reminder are letters of their own.

    Without a code (split trust) the letter carries the link alone.
    """
    what = f"Reminder: vote at the {meeting}" if reminder else f"Vote at the {meeting}"
    words = {
        "meeting": meeting,
        "name": name,
        "link": link,
        "code": code,
        "opens": opens,
        "closes": closes,
        "elections": list(elections),
        "introduction": introduction,
        "practice": practice,
        "reminder": bool(reminder),
    }
    return Letter(
        "invitation",
        f"invitation/{meeting_id}/{handle}/{generation}/{reminder}",
        address,
        _practice(f"{what}: closes {_short(closes)}", practice=practice),
        words,
        meeting_id,
        handle,
    )


def receipt(
    *,
    meeting_id: str,
    election: str,
    name: str,
    address: str,
    tracker: str,
    cast_at: datetime,
    check_url: str,
    closes: datetime,
    practice: bool = False,
) -> Letter:
    """The receipt code again, by a second way.

    It is the only mail that knows both a member and a ballot. Both stand in its sealed part alone, its row names nobody, and the
    row is deleted when the mail has gone: neither order nor times in the outbox tell later who cast what.
    """
    words = {
        "election": election,
        "name": name,
        "tracker": tracker,
        "cast_at": cast_at,
        "check_url": check_url,
        "closes": closes,
        "practice": practice,
    }
    return Letter(
        "receipt",
        f"receipt/{secrets.token_hex(16)}",
        address,
        _practice(f"Your vote is in the ballot box: {election}, closes {_short(closes)}", practice=practice),
        words,
        meeting_id,
    )


def sign_in(*, name: str, address: str, link: str, code: str, minutes: int) -> Letter:
    """An officer's sign-in link and the same code for typing, good once."""
    words = {"name": name, "link": link, "code": code, "minutes": minutes}
    return Letter("sign-in", f"sign-in/{secrets.token_hex(16)}", address, "Your sign-in link", words)


def trustee_link(
    *,
    meeting_id: str,
    election: str,
    election_uuid: str,
    number: int,
    generation: int,
    name: str,
    address: str,
    link: str,
    closes: datetime,
    task: str,
    practice: bool = False,
) -> Letter:
    """A key-holder's link and what is asked of them now (`task`, a sentence)."""
    words = {"election": election, "name": name, "link": link, "closes": closes, "task": task, "practice": practice}
    return Letter(
        "trustee",
        f"trustee/{election_uuid}/{number}/{generation}/{secrets.token_hex(4)}",
        address,
        _practice(f"You are a key-holder: {election}, closes {_short(closes)}", practice=practice),
        words,
        meeting_id,
    )


def result(
    *,
    meeting_id: str,
    election: str,
    election_uuid: str,
    handle: str,
    name: str,
    address: str,
    closed: datetime,
    verdict: Sequence[str],
    result_url: str,
    fingerprint: str,
    practice: bool = False,
) -> Letter:
    """The verdict in words, and where everything stands."""
    words = {
        "election": election,
        "name": name,
        "closed": closed,
        "verdict": list(verdict),
        "result_url": result_url,
        "fingerprint": fingerprint,
        "practice": practice,
    }
    return Letter(
        "result",
        f"result/{election_uuid}/{handle}",
        address,
        _practice(f"Result: {election}, closed {_short(closed)}", practice=practice),
        words,
        meeting_id,
        handle,
    )


def _practice(subject: str, *, practice: bool) -> str:
    return f"PRACTICE: {subject}" if practice else subject


def _short(moment: datetime) -> str:
    """`Friday 20 March, 5pm`: for subjects, which phones cut short."""
    day = spoken(moment).split(" at ")[0].rsplit(" ", 1)[0]
    return f"{day}, {spoken_hour(moment)}"


# --- the outbox ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Text:
    """The sealed part of a queued mail: everything a reader of the database must not see."""

    recipient: str
    subject: str
    plain: str
    html: str


class Mailer:
    """Queues letters and tells how they fare. Sending is the `Sender`'s."""

    def __init__(self, config: Config, keys: Keys) -> None:
        self._config, self._keys = config, keys
        self._templates = Environment(
            loader=FileSystemLoader(TEMPLATES),
            autoescape=select_autoescape(["html"]),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=True,
        )
        self._templates.filters["spoken"] = spoken
        self._domain = (config.smtp.sender.rpartition("@")[2] if config.smtp else config.public_host.partition(":")[0]) or "localhost"

    def put(self, session: Session, letter: Letter, now: datetime) -> Outbox:
        """Queue a letter in the caller's transaction. The same key again is the same mail: nothing new is queued.

        Raises: MalformedError: the address or a heading cannot be put into a mail (a line break in it, for example).
        """
        if letter.kind not in ALWAYS_NEW:
            known: Outbox | None = session.execute(select(Outbox).where(col(Outbox.key) == letter.key)).scalar_one_or_none()
            if known is not None:
                return known
        recipient = checked_address(letter.recipient)
        subject = checked_heading("subject", letter.subject)
        words = {**letter.words, "organisation": self._config.organisation, "public_url": self._config.public_url}
        text = Text(
            recipient, subject, self._render(letter.kind, "txt", words), self._render(letter.kind, "html", {**words, "subject": subject})
        )
        identity = secrets.token_hex(16)
        message_id = f"<{identity}@{self._domain}>"
        row = Outbox(
            id=identity,
            meeting_id=letter.meeting_id,
            kind=letter.kind,
            key=letter.key,
            handle=letter.handle,
            state=State.WAITING,
            message_id=message_id,
            due_at=now,
            sealed=self._keys.seal(_purpose(message_id), json.dumps(text.__dict__).encode()),
        )
        session.execute(insert(table(Outbox)), row.model_dump())  # every cast waits for this: no more than it takes
        return row

    def _render(self, kind: str, form: str, words: Mapping[str, Any]) -> str:
        return self._templates.get_template(f"{kind}.{form}").render(words)

    def counts(self, session: Session, meeting_id: str, kind: str = "invitation") -> dict[State, int]:
        """How many mails of this kind stand where; every state is present."""
        statement = (
            select(col(Outbox.state), func.count())
            .where(col(Outbox.meeting_id) == meeting_id, col(Outbox.kind) == kind)
            .group_by(col(Outbox.state))
        )
        found = {State(state): number for state, number in session.execute(statement)}
        return {state: found.get(state, 0) for state in State}

    def states(self, session: Session, meeting_id: str, kind: str = "invitation") -> dict[str, State]:
        """Handle → state of the member's last mail of this kind."""
        statement = (
            select(col(Outbox.handle), col(Outbox.state))
            .order_by(col(Outbox.due_at))
            .where(col(Outbox.meeting_id) == meeting_id, col(Outbox.kind) == kind, col(Outbox.handle).is_not(None))
        )
        return {handle: State(state) for handle, state in session.execute(statement)}

    def retry(self, session: Session, ids: Iterable[str], now: datetime) -> int:
        """Let mails that failed, or whose fate is unknown, go again with the same Message-ID. Returns how many will."""
        statement = (
            update(Outbox)
            .values(state=State.WAITING, due_at=now, attempts=0, detail="", handed_over=False)
            .where(col(Outbox.id).in_(list(ids)), col(Outbox.state).in_([State.FAILED, State.UNKNOWN]), col(Outbox.sealed).is_not(None))
        )
        return cast("int", session.execute(statement).rowcount)  # type: ignore[attr-defined]

    def bounced(self, session: Session, message_id: str, detail: str, now: datetime) -> bool:
        """A delivery report for one of our mails came back. False if it is none of ours."""
        statement = (
            update(Outbox)
            .values(state=State.BOUNCED, detail=_brief(detail), done_at=now)
            .where(col(Outbox.message_id) == message_id, col(Outbox.state).in_([State.ACCEPTED, State.UNKNOWN]))
        )
        return cast("int", session.execute(statement).rowcount) > 0  # type: ignore[attr-defined]

    def withdraw(self, session: Session, meeting_id: str, handle: str) -> int:
        """Drop what still waits for this member (their link was reissued or withdrawn). A mail being sent is not stopped."""
        statement = (
            update(Outbox)
            .values(state=State.FAILED, sealed=None, detail="withdrawn before it was sent")
            .where(
                col(Outbox.meeting_id) == meeting_id,
                col(Outbox.handle) == handle,
                col(Outbox.kind) == "invitation",
                col(Outbox.state).in_([State.WAITING, State.FAILED, State.UNKNOWN]),
            )
        )
        return cast("int", session.execute(statement).rowcount)  # type: ignore[attr-defined]

    def open(self, row: Outbox) -> Text:
        """The sealed part of a queued mail. Only a sender needs it."""
        if row.sealed is None:
            raise RuntimeError("this mail was accepted, and its text wiped")
        return Text(**json.loads(self._keys.unseal(_purpose(row.message_id), row.sealed)))

    def message(self, row: Outbox, now: datetime) -> EmailMessage:
        """A fresh message object for one mail: one recipient, text and simple HTML, nothing loaded from anywhere."""
        text = self.open(row)
        smtp = self._config.smtp
        sender = smtp.sender if smtp else f"ballots@{self._domain}"
        message = EmailMessage(policy=email.policy.SMTP)
        message["From"] = Address(checked_heading("organisation", self._config.organisation), addr_spec=checked_address(sender))
        message["To"] = Address(addr_spec=checked_address(text.recipient))
        message["Reply-To"] = Address(addr_spec=checked_address(smtp.reply_to if smtp else sender))
        message["Subject"] = checked_heading("subject", text.subject)
        message["Date"] = format_datetime(now)
        message["Message-ID"] = row.message_id
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(text.plain, cte="quoted-printable")
        message.add_alternative(text.html, subtype="html", cte="quoted-printable")
        return message


def _purpose(message_id: str) -> str:
    return f"outbox|{message_id}"  # a sealed text moved to another row does not open


def checked_heading(what: str, value: str) -> str:
    """A value that may stand in a mail's heading. Raises: MalformedError if it holds a line break or another control character."""
    if any(ord(character) < 32 or ord(character) == 127 or character in "\u2028\u2029\x85" for character in value):
        raise MalformedError(f"The {what} of a mail holds a line break or another control character: {value[:60]!r}.")
    if not value.strip() or len(value) > 400:
        raise MalformedError(f"The {what} of a mail is empty or longer than 400 characters.")
    return value


def checked_address(value: str) -> str:
    """One plain address, its domain in ASCII form. Raises: MalformedError if it is none."""
    checked_heading("address", value)
    name, at, domain = value.rpartition("@")
    try:
        domain = domain.encode("idna").decode("ascii")
    except UnicodeError:
        domain = ""
    if (
        not at
        or not domain
        or not re.fullmatch(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}", name)
        or not re.fullmatch(r"[A-Za-z0-9.-]{1,253}", domain)
    ):
        raise MalformedError(f"{value[:80]!r} is not an e-mail address that this service can write to.")
    return f"{name}@{domain}"


def _brief(reply: object) -> str:
    """A server's answer as one line of at most 200 characters."""
    text = reply.decode("utf-8", "replace") if isinstance(reply, bytes) else str(reply)
    return " ".join(text.split())[:200]


# --- transports ---------------------------------------------------------------------------------------------------


class Transport(Protocol):
    """Takes one message at a time to where mail goes."""

    def deliver(self, message: EmailMessage, before_last_line: Callable[[], None]) -> str:
        """The server's answer once it has taken the message. `before_last_line` is called just before it can.

        Raises: MailDeferredError, MailRefusedError, MailServerError, MailUnknownError.
        """
        ...

    def close(self) -> None:
        """Say goodbye."""
        ...


class SmtpTransport:
    """A mail server reached by SMTP. One connection serves many mails; a broken one is replaced."""

    def __init__(self, settings: SmtpSettings, *, timeout: float = 60, context: ssl.SSLContext | None = None) -> None:
        self._settings, self._timeout = settings, timeout
        self._context = context or ssl.create_default_context()
        self._connection: smtplib.SMTP | None = None

    def deliver(self, message: EmailMessage, before_last_line: Callable[[], None]) -> str:
        """Speak MAIL, RCPT and DATA; the dot that completes the text goes out after `before_last_line`."""
        recipient = message["To"].addresses[0].addr_spec
        text = message.as_bytes(policy=email.policy.SMTP)
        text = re.sub(rb"(?m)^\.", b"..", text)  # RFC 5321 4.5.2
        if not text.endswith(b"\r\n"):
            text += b"\r\n"
        connection = self._open()
        try:
            self._expect(connection.mail(self._settings.sender), 250, about_us=True)
            self._expect(connection.rcpt(recipient), 250, 251)
            self._expect(connection.docmd("DATA"), 354)
            connection.send(text)
        except (OSError, smtplib.SMTPException) as error:
            self._drop()
            raise MailServerError(f"The mail server stopped answering: {_brief(error)}") from error
        try:
            before_last_line()
        except BaseException:
            self._drop()  # without its last line the server must throw the text away (RFC 5321 4.1.1.4)
            raise
        try:
            connection.send(b".\r\n")
            answer = connection.getreply()
        except (OSError, smtplib.SMTPException) as error:
            self._drop()
            raise MailUnknownError(f"no answer after the whole text had left: {_brief(error)}") from error
        return self._expect(answer, 250)

    def _expect(self, answer: tuple[int, bytes], *wanted: int, about_us: bool = False) -> str:
        code, reply = answer
        said = _brief(f"{code} {reply.decode('utf-8', 'replace')}")
        if code in wanted:
            return said
        if code == 421 or code < 400 or about_us:
            self._drop()
            raise MailServerError(f"The mail server will not work for us now: {said}")
        with suppress(OSError, smtplib.SMTPException):
            cast("smtplib.SMTP", self._connection).rset()
        raise MailDeferredError(said) if code < 500 else MailRefusedError(said)

    def _open(self) -> smtplib.SMTP:
        if self._connection is not None:
            with suppress(OSError, smtplib.SMTPException):
                if self._connection.noop()[0] == 250:
                    return self._connection
            self._drop()
        settings = self._settings
        try:
            if settings.tls == "tls":
                connection: smtplib.SMTP = smtplib.SMTP_SSL(settings.host, settings.port, timeout=self._timeout, context=self._context)
            else:
                connection = smtplib.SMTP(settings.host, settings.port, timeout=self._timeout)
            self._connection = connection
            connection.ehlo_or_helo_if_needed()
            if settings.tls == "starttls":
                connection.starttls(context=self._context)
                connection.ehlo()
            if settings.user:
                connection.login(settings.user, self._password())
        except BaseException as error:
            self._drop()
            explained = self._explained(error)
            if explained is error:
                raise
            raise explained from error
        return connection

    def _explained(self, error: BaseException) -> BaseException:
        """What went wrong while connecting, in words: wrong settings for good, or a server that may come back."""
        host = self._settings.host
        match error:
            case smtplib.SMTPAuthenticationError():
                return ConfigurationError(f"The mail server refuses BALLOT_SMTP_USER or its password: {_brief(error.smtp_error)}")
            case smtplib.SMTPNotSupportedError():
                return ConfigurationError(f"The mail server cannot do what BALLOT_SMTP_TLS or BALLOT_SMTP_USER asks for: {_brief(error)}")
            case ssl.SSLError():
                return ConfigurationError(f"No safe connection to the mail server {host}: {_brief(error)}")
            case OSError() | smtplib.SMTPException():
                return MailServerError(f"The mail server {host} cannot be reached: {_brief(error)}")
        return error

    def _password(self) -> str:
        path = self._settings.password_file
        if path is None:
            raise ConfigurationError("BALLOT_SMTP_USER is set, but not BALLOT_SMTP_PASSWORD_FILE: name the file that holds the password.")
        try:
            if path.stat().st_mode & 0o077:
                raise ConfigurationError(f"Others can read {path}: run `chmod 600 {path}`.")
            return path.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError(f"{path}, named by BALLOT_SMTP_PASSWORD_FILE, cannot be read.") from error

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def close(self) -> None:
        """Say QUIT, and do not mind if nobody listens."""
        if self._connection is not None:
            with suppress(OSError, smtplib.SMTPException):
                self._connection.quit()
            self._drop()


class Catcher:
    """Development without a mail server: mails land in a table that one page shows, and go nowhere."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database, self._clock = database, clock

    def deliver(self, message: EmailMessage, before_last_line: Callable[[], None]) -> str:
        """Keep the message; the same Message-ID again replaces the earlier copy."""
        before_last_line()
        with self._database.write() as session:
            session.merge(CaughtMail(message_id=message["Message-ID"], caught_at=self._clock.now(), content=message.as_bytes()))
        return "250 caught on this machine"

    def close(self) -> None:
        """Nothing to do."""


@dataclass(frozen=True)
class Caught:
    """One mail of the catcher, as its page shows it."""

    message_id: str
    recipient: str
    subject: str
    text: str
    html: str
    caught_at: datetime


def caught(session: Session, limit: int = 500) -> list[Caught]:
    """The caught mails, newest first."""
    rows = session.execute(select(CaughtMail).order_by(col(CaughtMail.caught_at).desc(), col(CaughtMail.message_id)).limit(limit)).scalars()
    return [_caught(row) for row in rows]


def _caught(row: CaughtMail) -> Caught:
    message = email.message_from_bytes(row.content, policy=email.policy.default)
    parts = {kind: message.get_body((kind,)) for kind in ("plain", "html")}
    plain, html = (str(part.get_content()).replace("\r\n", "\n") if part is not None else "" for part in parts.values())
    return Caught(row.message_id, str(message["To"]), str(message["Subject"]), plain, html, row.caught_at)


# --- the sender ---------------------------------------------------------------------------------------------------


class Sender:
    """Sends what waits, one mail after another, at a steady pace. Several senders never send the same mail.

    `name` tells this sender from those of other hosts. On one host, `startup.only_one` keeps a second one away.
    """

    def __init__(
        self,
        database: Database,
        mailer: Mailer,
        transport: Transport,
        clock: Clock,
        *,
        name: str = "",
        mails_per_minute: int = 60,
        wait: Callable[[float], object] | None = None,
        stop: threading.Event | None = None,
    ) -> None:
        self._database, self._mailer, self._transport, self._clock = database, mailer, transport, clock
        self._name = name or socket.gethostname()
        self._pace = 60 / mails_per_minute
        self._stop = stop or threading.Event()
        self._wait = wait or self._stop.wait

    def recover(self) -> dict[State, int]:
        """Settle what a sender of this name left behind when it died, and old claims of any other. Call it before sending."""
        now = self._clock.now()
        mine = (col(Outbox.claimed_by) == self._name) | (col(Outbox.claimed_at) < now - STALE)
        left = [col(Outbox.state) == State.SENDING, mine]
        with self._database.write_connection() as connection:
            unknown = connection.execute(
                update(Outbox)
                .where(*left, col(Outbox.handed_over))
                .values(
                    state=State.UNKNOWN, detail="the sender stopped while the server had the whole text; it may have arrived", done_at=now
                )
            )
            again = connection.execute(
                update(Outbox)
                .where(*left, ~col(Outbox.handed_over))
                .values(state=State.WAITING, detail="the sender stopped before the text had left")
            )
        return {State.UNKNOWN: unknown.rowcount, State.WAITING: again.rowcount}

    def run(self, *, until_empty: bool = False, report: Callable[[str], object] | None = None) -> int:
        """Send until stopped, or until nothing waits any more. Returns how many mails a server accepted.

        Raises: ConfigurationError: the mail server will never work with these settings.
        """
        self.recover()
        sent, trouble = 0, 0
        try:
            while not self._stop.is_set():
                try:
                    row = self._claim()
                    if row is None:
                        if until_empty and not self._waiting():
                            break
                        self._wait(1)
                        continue
                    sent += self._send(row) is State.ACCEPTED
                    trouble = 0
                    self._wait(self._pace)
                except (MailServerError, UnavailableError) as error:
                    pause = SERVER_PAUSES[min(trouble, len(SERVER_PAUSES) - 1)]
                    trouble += 1
                    (report or log.warning)(f"{error} Trying again in {pause} seconds.")
                    self._wait(pause)
        finally:
            self._transport.close()
        return sent

    def send_due(self) -> int:
        """Send every mail that is due now, without a pause, and return how many a server accepted."""
        self.recover()
        sent = 0
        try:
            while (row := self._claim()) is not None:
                sent += self._send(row) is State.ACCEPTED
        finally:
            self._transport.close()
        return sent

    def _waiting(self) -> bool:
        with self._database.read_connection() as connection:
            return connection.execute(select(col(Outbox.id)).where(col(Outbox.state) == State.WAITING).limit(1)).first() is not None

    def _claim(self) -> Outbox | None:
        """The next due mail, now ours: no other sender gets it."""
        now = self._clock.now()
        due = (
            select(col(Outbox.id))
            .where(col(Outbox.state) == State.WAITING, col(Outbox.due_at) <= now)
            .order_by(col(Outbox.due_at), col(Outbox.id))
            .limit(1)
        )
        with self._database.read_connection() as connection:
            if connection.execute(due).first() is None:
                return None  # an idle sender does not take the write lock
        with self._database.write() as session:
            identity = session.execute(due.with_for_update(skip_locked=True)).scalar_one_or_none()
            if identity is None:
                return None
            row = session.get_one(Outbox, identity)
            row.state, row.claimed_at, row.claimed_by, row.handed_over = State.SENDING, now, self._name, False
            row.attempts += 1
            return row

    def _send(self, row: Outbox) -> State:
        def handed_over() -> None:
            with self._database.write_connection() as connection:
                ours = connection.execute(
                    update(Outbox)
                    .values(handed_over=True)
                    .where(col(Outbox.id) == row.id, col(Outbox.state) == State.SENDING, col(Outbox.claimed_by) == self._name)
                )
                if ours.rowcount != 1:
                    raise MailServerError("Another sender has taken this mail over.")

        try:
            answer = self._transport.deliver(self._mailer.message(row, self._clock.now()), handed_over)
        except MailRefusedError as error:
            return self._settle(row, State.FAILED, str(error))
        except MailUnknownError as error:
            return self._settle(row, State.UNKNOWN, str(error))
        except MailDeferredError as error:
            if row.attempts >= TRIES:
                return self._settle(row, State.FAILED, f"given up after {row.attempts} tries: {error}")
            minutes = PATIENCE[row.attempts - 1] if row.attempts <= len(PATIENCE) else 60
            return self._settle(row, State.WAITING, str(error), due_at=self._clock.now() + timedelta(minutes=minutes))
        except (MailServerError, ConfigurationError) as error:
            self._settle(row, State.WAITING, str(error), attempts=row.attempts - 1)  # not this mail's fault
            raise
        except MalformedError as error:
            return self._settle(row, State.FAILED, str(error))
        return self._settle(row, State.ACCEPTED, answer, sealed=None)

    def _settle(self, row: Outbox, state: State, detail: str, **changes: Any) -> State:
        done = None if state is State.WAITING else self._clock.now()
        ours = [col(Outbox.id) == row.id, col(Outbox.state) == State.SENDING, col(Outbox.claimed_by) == self._name]
        with self._database.write_connection() as connection:
            if row.kind == "receipt" and state in {State.ACCEPTED, State.FAILED}:
                connection.execute(delete(Outbox).where(*ours))
            else:
                connection.execute(update(Outbox).values(state=state, detail=_brief(detail), done_at=done, **changes).where(*ours))
        return state


def transport_for(config: Config, database: Database, clock: Clock) -> Transport:
    """The mail server of the settings, or in development without one the catcher.

    Raises: ConfigurationError: no mail server is set outside development.
    """
    if config.smtp is not None:
        return SmtpTransport(config.smtp)
    if config.development:
        return Catcher(database, clock)
    raise ConfigurationError("BALLOT_SMTP_HOST is not set: name your mail server, or set BALLOT_DEVELOPMENT=1 for a trial.")


def start_in_background(config: Config, keys: Keys, database: Database, clock: Clock) -> threading.Thread:
    """Development: a thread that sends while the site runs. Of several workers, one does it at a time."""

    def work() -> None:
        pause = threading.Event()
        while True:
            try:
                with only_one(config.data, "mail") as mine:
                    if mine:
                        rate = 6000 if config.smtp is None else config.mails_per_minute
                        Sender(database, Mailer(config, keys), transport_for(config, database, clock), clock, mails_per_minute=rate).run()
            except Exception:
                log.exception("the mail sender stopped; it starts again in a moment")
            pause.wait(2)

    thread = threading.Thread(target=work, name="mail", daemon=True)
    thread.start()
    return thread


def bounced_message_ids(report: bytes) -> list[str]:
    """The Message-IDs of the mails that a delivery report (RFC 3464) returns, in order of appearance; empty if it is no failure report."""
    message = email.message_from_bytes(report, policy=email.policy.default)
    status = [part for part in message.walk() if part.get_content_type() == "message/delivery-status"]
    blocks = [block for part in status for block in cast("list[EmailMessage]", part.get_payload())]
    if not any(str(block.get("Action", "")).strip().lower() == "failed" for block in blocks):
        return []
    returned: list[str] = []
    for part in message.walk():
        if part.get_content_type() == "text/rfc822-headers":
            headers = email.message_from_string(str(part.get_payload()), policy=email.policy.default)
            returned.append(str(headers.get("Message-ID", "")).strip())
        elif part.get_content_type() == "message/rfc822":
            returned.extend(str(inner.get("Message-ID", "")).strip() for inner in cast("list[EmailMessage]", part.get_payload()))
    return [identity for identity in returned if identity]
