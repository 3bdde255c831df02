"""The sender: takes what waits in the outbox to a transport, one mail after another."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, delete, select, update
from sqlmodel import col

from ballot.config import Config
from ballot.errors import (
    ConfigurationError,
    MailDeferredError,
    MailRefusedError,
    MailServerError,
    MailUnknownError,
    MalformedError,
    UnavailableError,
)
from ballot.models import Mailing, MailSender, Outbox
from ballot.services.clock import Clock
from ballot.services.database import Database
from ballot.services.keys import Keys
from ballot.services.mail.bounces import status_in
from ballot.services.mail.outbox import FLEETING, Mailer, State, brief
from ballot.services.mail.transport import Transport, transport_for
from ballot.services.startup import only_one

log = logging.getLogger(__name__)

SEEN_EVERY = timedelta(seconds=20)  # how often a sender leaves word that it is at work
# Minutes before the second, third, … try of a mail that the server deferred; then every hour until we give up.
PATIENCE = (1, 5, 15, 30)
TRIES = 50
STALE = timedelta(minutes=15)  # a claim this old, made on another host, belongs to a sender that is gone
SERVER_PAUSES = (2, 5, 15, 60, 300)  # seconds to wait after the server as a whole could not be used, then the next longer


class Sender:
    """Sends what waits, one mail after another, at a steady pace. Several senders never send the same mail.

    Where nothing waits, `refill` may queue the next letters of a mailing, and tells how many. `name` tells this sender from those
    of other hosts. On one host, `startup.only_one` keeps a second one away.
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
        refill: Callable[[], int] | None = None,
    ) -> None:
        self._database, self._mailer, self._transport, self._clock = database, mailer, transport, clock
        self._name = name or socket.gethostname()
        self._pace = 60 / mails_per_minute
        self._stop = stop or threading.Event()
        self._wait = wait or self._stop.wait
        self._refill = refill or (lambda: 0)
        self._seen: tuple[datetime, str] | None = None

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
                    self._show_itself(trouble="")
                    row = self._claim()
                    if row is None:
                        if self._refill():
                            continue
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
                    self._show_itself(trouble=brief(error))
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

    def _show_itself(self, *, trouble: str) -> None:
        """Leave word for the officers' pages that a sender is at work, now and then, and at once when trouble begins or ends."""
        now = self._clock.now()
        if self._seen is not None and self._seen[1] == trouble and now < self._seen[0] + SEEN_EVERY:
            return
        with suppress(UnavailableError), self._database.write() as session:
            session.merge(MailSender(name=self._name, seen_at=now, trouble=trouble))
        self._seen = (now, trouble)

    def _waiting(self) -> bool:
        with self._database.read_connection() as connection:
            return connection.execute(select(col(Outbox.id)).where(*_may_leave()).limit(1)).first() is not None

    def _claim(self) -> Outbox | None:
        """The next due mail, now ours: no other sender gets it."""
        now = self._clock.now()
        due = select(col(Outbox.id)).where(*_may_leave(), col(Outbox.due_at) <= now).order_by(col(Outbox.due_at), col(Outbox.id)).limit(1)
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
            return self._settle(row, State.FAILED, str(error), status=status_in(str(error)))
        except MailUnknownError as error:
            return self._settle(row, State.UNKNOWN, str(error))
        except MailDeferredError as error:
            if row.attempts >= TRIES:
                return self._settle(row, State.FAILED, f"given up after {row.attempts} tries: {error}", status=status_in(str(error)))
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
            if row.kind in FLEETING and state in {State.ACCEPTED, State.FAILED}:
                connection.execute(delete(Outbox).where(*ours))
            else:
                connection.execute(update(Outbox).values(state=state, detail=brief(detail), done_at=done, **changes).where(*ours))
        return state


def _may_leave() -> list[ColumnElement[bool]]:
    """What waits and belongs to no mailing that is paused."""
    paused = select(col(Mailing.id)).where(col(Mailing.paused_at).is_not(None))
    return [col(Outbox.state) == State.WAITING, col(Outbox.mailing_id).is_(None) | col(Outbox.mailing_id).not_in(paused)]


def start_in_background(
    config: Config, keys: Keys, database: Database, clock: Clock, refill: Callable[[], int] | None = None
) -> threading.Thread:
    """Development: a thread that sends while the site runs. Of several workers, one does it at a time."""

    def work() -> None:
        pause = threading.Event()
        while True:
            try:
                with only_one(config.data, "mail") as mine:
                    if mine:
                        rate = 6000 if config.smtp is None else config.mails_per_minute
                        transport = transport_for(config, database, clock)
                        Sender(database, Mailer(config, keys), transport, clock, mails_per_minute=rate, refill=refill).run()
            except Exception:
                log.exception("the mail sender stopped; it starts again in a moment")
            pause.wait(2)

    thread = threading.Thread(target=work, name="mail", daemon=True)
    thread.start()
    return thread
