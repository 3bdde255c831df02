"""The ways out: a mail server by SMTP, or in development a table that one page shows."""

from __future__ import annotations

import email
import email.policy
import re
import smtplib
import ssl
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from typing import Protocol, cast

from sqlalchemy import select
from sqlmodel import Session, col

from ballot.config import Config, SmtpSettings
from ballot.errors import ConfigurationError, MailDeferredError, MailRefusedError, MailServerError, MailUnknownError
from ballot.models import CaughtMail
from ballot.services.clock import Clock
from ballot.services.database import Database
from ballot.services.mail.outbox import Outgoing, brief


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
        sender, options = self._settings.sender, []
        if isinstance(message, Outgoing):
            sender = message.envelope_from or sender
            if connection.has_extn("dsn"):  # RFC 3461: a report then returns the headings, and never the voting link
                options = ["RET=HDRS", *([f"ENVID={message.envelope_id}"] if message.envelope_id else [])]
        try:
            self._expect(connection.mail(sender, options), 250, about_us=True)
            self._expect(connection.rcpt(recipient), 250, 251)
            self._expect(connection.docmd("DATA"), 354)
            connection.send(text)
        except (OSError, smtplib.SMTPException) as error:
            self._drop()
            raise MailServerError(f"The mail server stopped answering: {brief(error)}") from error
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
            raise MailUnknownError(f"no answer after the whole text had left: {brief(error)}") from error
        return self._expect(answer, 250)

    def check(self) -> None:
        """The server can be reached and lets us in; nothing is sent. Raises: MailServerError, ConfigurationError, with the reason."""
        try:
            self._open()
        finally:
            self.close()

    def _expect(self, answer: tuple[int, bytes], *wanted: int, about_us: bool = False) -> str:
        code, reply = answer
        said = brief(f"{code} {reply.decode('utf-8', 'replace')}")
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
                return ConfigurationError(f"The mail server refuses BALLOT_SMTP_USER or its password: {brief(error.smtp_error)}")
            case smtplib.SMTPNotSupportedError():
                return ConfigurationError(f"The mail server cannot do what BALLOT_SMTP_TLS or BALLOT_SMTP_USER asks for: {brief(error)}")
            case ssl.SSLError():
                return ConfigurationError(f"No safe connection to the mail server {host}: {brief(error)}")
            case OSError() | smtplib.SMTPException():
                return MailServerError(f"The mail server {host} cannot be reached: {brief(error)}")
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


def transport_for(config: Config, database: Database, clock: Clock) -> Transport:
    """The mail server of the settings, or in development without one the catcher.

    Raises: ConfigurationError: no mail server is set outside development.
    """
    if config.smtp is not None:
        return SmtpTransport(config.smtp)
    if config.development:
        return Catcher(database, clock)
    raise ConfigurationError("BALLOT_SMTP_HOST is not set: name your mail server, or set BALLOT_DEVELOPMENT=1 for a trial.")
