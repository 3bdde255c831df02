"""The outbox: letters wait sealed in the database until a mail server has taken them; here they are queued and looked after."""

from __future__ import annotations

import email.policy
import json
import re
import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, cast

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from sqlalchemy import Connection, func, insert, select, update
from sqlmodel import Session, col

from ballot.config import Config
from ballot.language import ENGLISH, reading
from ballot.models import Outbox, table
from ballot.services.clock import spoken
from ballot.services.keys import Keys
from ballot.services.mail.bounces import Action, Report, mail_of, tag_of, tagged
from ballot.services.mail.letters import Letter, checked_address, checked_heading, unbroken

TEMPLATES = Path(__file__).parents[3] / "templates" / "mail"  # at the top of the tree, beside the package
FLEETING = {"receipt", "roll-answer"}  # kinds whose rows go with the mail
ALWAYS_NEW = {"receipt", "roll-answer", "sign-in", "test"}  # kinds whose keys are random
URGENT = {"sign-in", "test", "second", "trustee"}  # somebody waits for these, so they leave before any mailing to many
_BEFORE_OTHERS = timedelta(days=1)
NAMES = ("name", "meeting", "election", "asked_by", "about")  # words of a letter that are one line each


class State(StrEnum):
    """Where a mail stands. "Accepted" means accepted by the mail server, not read."""

    WAITING = "waiting"
    SENDING = "sending"
    ACCEPTED = "accepted"
    BOUNCED = "bounced"
    FAILED = "failed"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Text:
    """The sealed part of a queued mail: everything a reader of the database must not see."""

    recipient: str
    subject: str
    plain: str
    html: str


@dataclass(frozen=True)
class Outcome:
    """What became of a delivery report: the mail it is about, if that is one of ours, and what it said."""

    row: Outbox | None
    action: Action


class Outgoing(EmailMessage):
    """A message with its envelope: where reports about it go, and the name by which they call it (RFC 3461)."""

    envelope_from: str = ""
    envelope_id: str = ""


_OURS = re.compile(r"<?([0-9a-f]{32})@[^<>@\s]+>?", re.ASCII)  # a Message-ID of ours names the mail

_INSERT: Final = insert(table(Outbox))


class Mailer:
    """Queues letters and tells how they fare. Sending is the `Sender`'s."""

    def __init__(self, config: Config, keys: Keys) -> None:
        self._config, self._keys = config, keys
        self._templates = Environment(
            loader=FileSystemLoader(TEMPLATES),
            autoescape=select_autoescape(["html"]),
            extensions=["jinja2.ext.i18n"],
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=True,
        )
        self._templates.install_null_translations(newstyle=True)  # type: ignore[attr-defined]  # the extension brings it
        self._templates.filters.update(spoken=spoken, unbroken=unbroken)
        self._domain = (config.smtp.sender.rpartition("@")[2] if config.smtp else config.public_host.partition(":")[0]) or "localhost"

    def put(self, session: Session, letter: Letter, now: datetime) -> Outbox:
        """Queue a letter in the caller's transaction. The same key again is the same mail: nothing new is queued.

        Raises: MalformedError: the address or a heading cannot be put into a mail (a line break in it, for example).
        """
        if letter.kind not in ALWAYS_NEW:
            known: Outbox | None = session.execute(select(Outbox).where(col(Outbox.key) == letter.key)).scalar_one_or_none()
            if known is not None:
                return known
        row = self._row(letter, now)
        session.execute(_INSERT, row.model_dump())
        return row

    def prepared(self, letter: Letter, now: datetime) -> Callable[[Connection], object]:
        """What queues a letter of a kind that is always new: all but the one statement is done here, outside the transaction.

        Raises: as `put`.
        """
        if letter.kind not in ALWAYS_NEW:
            raise RuntimeError("another transaction may queue the same mail meanwhile")
        values = self._row(letter, now).model_dump()
        return lambda connection: connection.execute(_INSERT, values)

    def _row(self, letter: Letter, now: datetime) -> Outbox:
        text = self.written(letter)
        identity = secrets.token_hex(16)
        message_id = f"<{identity}@{self._domain}>"
        return Outbox(
            id=identity,
            meeting_id=letter.meeting_id,
            kind=letter.kind,
            key=letter.key,
            handle=letter.handle,
            state=State.WAITING,
            message_id=message_id,
            due_at=now - _BEFORE_OTHERS if letter.kind in URGENT else now,
            queued_at=now,
            mailing_id=letter.mailing_id,
            sealed=self._keys.seal(_purpose(message_id), json.dumps(text.__dict__).encode()),
        )

    def set_aside(self, session: Session, letter: Letter, why: str, now: datetime) -> None:
        """Record a letter that cannot be written as failed, where it must not hold up the others."""
        identity = secrets.token_hex(16)
        row = Outbox(
            id=identity,
            meeting_id=letter.meeting_id,
            kind=letter.kind,
            key=letter.key,
            handle=letter.handle,
            state=State.FAILED,
            message_id=f"<{identity}@{self._domain}>",
            due_at=now,
            queued_at=now,
            done_at=now,
            mailing_id=letter.mailing_id,
            status="5.1.3",
            detail=brief(why),
        )
        session.add(row)

    def written(self, letter: Letter) -> Text:
        """The letter as it would leave, queued or not. Raises: as `put`."""
        recipient, subject = checked_address(letter.recipient), checked_heading("subject", letter.subject)
        for name in NAMES:
            if name in letter.words:
                checked_heading(name, letter.words[name])
        words = {"test": False, **letter.words, "organisation": self._config.organisation, "public_url": self._config.public_url}
        kind = letter.template or letter.kind
        return Text(recipient, subject, self._render(kind, "txt", words), self._render(kind, "html", {**words, "subject": subject}))

    def _render(self, kind: str, form: str, words: Mapping[str, Any]) -> str:
        with reading(ENGLISH):  # in whatever language the page is whose button sends it
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
            .order_by(func.coalesce(col(Outbox.queued_at), col(Outbox.due_at)))
            .where(col(Outbox.meeting_id) == meeting_id, col(Outbox.kind) == kind, col(Outbox.handle).is_not(None))
        )
        return {handle: State(state) for handle, state in session.execute(statement)}

    def retry(self, session: Session, ids: Iterable[str], now: datetime) -> int:
        """Let mails that failed, or whose fate is unknown, go again with the same Message-ID. Returns how many will."""
        statement = (
            update(Outbox)
            .values(state=State.WAITING, due_at=now, attempts=0, detail="", status="", bounce="", handed_over=False)
            .where(col(Outbox.id).in_(list(ids)), col(Outbox.state).in_([State.FAILED, State.UNKNOWN]), col(Outbox.sealed).is_not(None))
        )
        return cast("int", session.execute(statement).rowcount)  # type: ignore[attr-defined]

    def report(self, session: Session, found: Report, now: datetime) -> Outcome:
        """Record what a delivery report says about one of our mails, found by the tag of the envelope, then by its Message-ID.

        A failure makes it "bounced"; a delay is noted and changes nothing else. The same report twice is the same. Whatever it
        says of a mail that never left is not believed.
        """
        identities = [identity for tag in found.tags if (identity := mail_of(self._keys, tag)) is not None]
        identities += [match[1] for one in found.message_ids if (match := _OURS.fullmatch(one))]
        for identity in dict.fromkeys(identities):
            row = session.get(Outbox, identity, with_for_update=True)
            if row is None or row.state not in {State.ACCEPTED, State.UNKNOWN, State.BOUNCED}:
                continue
            if found.action is Action.FAILED:
                row.state, row.bounce = State.BOUNCED, "hard" if found.hard else "soft"
            elif row.state == State.BOUNCED:
                return Outcome(row, found.action)
            elif found.action is Action.DELAYED:
                row.bounce = "delayed"
            else:
                return Outcome(row, found.action)
            row.status, row.detail, row.done_at, row.sealed = found.status, brief(found.diagnostic or found.status), now, None
            session.add(row)
            return Outcome(row, found.action)
        return Outcome(None, found.action)

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

    def message(self, row: Outbox, now: datetime) -> Outgoing:
        """A fresh message object for one mail: one recipient, text and simple HTML, nothing loaded from anywhere.

        Reports about it come back to an address that names the mail by a tag (`bounces`). A receipt's mail has no such tag: its
        row is deleted when it has gone, and the report would be about nothing.
        """
        text = self.open(row)
        smtp = self._config.smtp
        sender = smtp.sender if smtp else f"ballots@{self._domain}"
        message = Outgoing(policy=email.policy.SMTP)
        message.envelope_from = smtp.bounce_address if smtp and smtp.bounce_address else sender
        if row.kind not in FLEETING:
            message.envelope_id = tag_of(self._keys, row.id)
            if smtp and smtp.bounce_address:
                message.envelope_from = tagged(smtp.bounce_address, message.envelope_id)
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


def brief(reply: object) -> str:
    """A server's answer as one line of at most 200 characters."""
    text = reply.decode("utf-8", "replace") if isinstance(reply, bytes) else str(reply)
    return " ".join(text.split())[:200]
