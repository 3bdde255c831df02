"""Whether this site can do its work now: what a monitor asks, what `ballot doctor` begins with, and figures without anybody in them."""

from __future__ import annotations

import shutil
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.resources import as_file, files
from typing import Final

from alembic.config import Config as AlembicConfig
from alembic.script import ScriptDirectory
from sqlalchemy import delete, func, insert, select, text

from ballot.config import Config
from ballot.errors import BallotError
from ballot.models import Election, ElectionState, MailSender, OfficerSession, Outbox, RateLimit, table
from ballot.services.clock import Clock
from ballot.services.database import Database

LEAST_FREE: Final = 256 << 20  # bytes; a thousand ballots need some ten million
SILENT: Final = timedelta(minutes=5)  # after which a mail sender is held to be gone
WRONG_CLOCK: Final = timedelta(minutes=1)
FIRST_DAY: Final = datetime(2026, 1, 1, tzinfo=UTC)  # no clock of a running site shows an earlier one
KEEP: Final = 5.0  # seconds that an answer stands, so that asking often costs nothing


@dataclass(frozen=True)
class Check:
    """One thing looked at. A check that only warns does not make the site unready; `sentence` says what is, and what to do."""

    name: str
    ok: bool
    sentence: str
    warns: bool = False


def check_database(database: Database) -> Check:
    """Something can be written and is durable when that is said."""
    rows = table(RateLimit)
    try:
        with database.write_connection() as connection:
            connection.execute(insert(rows).values(key="readyz", window=0, count=0))
            connection.execute(delete(rows).where(rows.c.key == "readyz"))  # the commit writes; what was there stays as it was
        database.check_durable()
    except BallotError as error:
        return Check("database", ok=False, sentence=f"The database cannot be written: {error}")
    return Check("database", ok=True, sentence="The database can be written.")


def schema_head() -> str:
    """The newest schema that this program knows."""
    with as_file(files("ballot") / "migrations") as folder:
        config = AlembicConfig()
        config.set_main_option("script_location", str(folder).replace("%", "%%"))
        return str(ScriptDirectory.from_config(config).get_current_head())


def check_schema(database: Database, head: str) -> Check:
    """The tables have this program's shape."""
    try:
        with database.read_connection() as connection:
            found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    except Exception:  # noqa: BLE001 - no such table, no answer: both mean that there is no schema to speak of
        found = None
    if found == head:
        return Check("schema", ok=True, sentence=f"The tables have this version's shape ({head}).")
    return Check("schema", ok=False, sentence=f"The tables have shape {found}, this program wants {head}: stop, run `ballot init`, start.")


def check_disk(config: Config) -> Check:
    """There is room where the data are."""
    free = shutil.disk_usage(config.data).free
    if free < LEAST_FREE:
        sentence = f"Only {free >> 20} MB are free where {config.data} is: make room, at least {LEAST_FREE >> 20} MB."
        return Check("disk", ok=False, sentence=sentence)
    return Check("disk", ok=True, sentence=f"{free >> 20:,} MB are free where the data are.")


def check_clock(database: Database, now: datetime) -> Check:
    """The clock is not behind what was written down, nor apart from the database server's."""
    wrong = "The clock is wrong ({}): set it, and keep it right with a time service (systemd-timesyncd or chrony)."
    if now < FIRST_DAY:
        return Check("clock", ok=False, sentence=wrong.format(f"it shows {now.year}"))
    try:
        with database.read_connection() as connection:
            moments = [
                connection.execute(select(func.max(column))).scalar()
                for column in (table(Election).c.created_at, table(OfficerSession).c.created_at, table(MailSender).c.seen_at)
            ]
            theirs = None if database.is_sqlite else connection.execute(text("SELECT now()")).scalar_one()
    except BallotError as error:
        return Check("clock", ok=False, sentence=f"The clock cannot be compared: {error}")
    latest = max((moment for moment in moments if moment is not None), default=None)
    if latest is not None and latest > now + WRONG_CLOCK:
        return Check("clock", ok=False, sentence=wrong.format("it is behind what was written down earlier"))
    if theirs is not None and abs(theirs - now) > WRONG_CLOCK:
        return Check("clock", ok=False, sentence=wrong.format("the database server's shows another time"))
    return Check("clock", ok=True, sentence="The clock is not behind what was written down.")


def check_sender(database: Database, now: datetime) -> Check:
    """A mail sender was at work lately, and nothing keeps it from sending."""
    try:
        with database.read() as session:
            senders = session.exec(select(MailSender)).scalars().all()  # type: ignore[call-overload]
            waiting = session.execute(select(func.count()).select_from(Outbox).where(Outbox.state == "waiting")).scalar_one()  # type: ignore[arg-type]
    except BallotError as error:
        return Check("mail", ok=False, sentence=f"The mails cannot be looked at: {error}", warns=True)
    lately = [sender for sender in senders if sender.seen_at > now - SILENT]
    if not lately:
        sentence = f"No mail sender was seen lately, and {waiting} mails wait: start `ballot mail --forever`."
        return Check("mail", ok=False, sentence=sentence, warns=True)
    if all(sender.trouble for sender in lately):
        return Check("mail", ok=False, sentence=f"The mail sender cannot send: {lately[0].trouble}", warns=True)
    return Check("mail", ok=True, sentence="The mail sender is at work.")


def checks(config: Config, database: Database, clock: Clock, head: str) -> list[Check]:
    """Everything that a monitor asks for, in order of weight."""
    now = clock.now()
    return [
        check_database(database),
        check_schema(database, head),
        check_disk(config),
        check_clock(database, now),
        check_sender(database, now),
    ]


class Readiness:
    """The checks of one process; an answer stands for some seconds."""

    def __init__(self, config: Config, database: Database, clock: Clock) -> None:
        self._config, self._database, self._clock, self._head = config, database, clock, schema_head()
        self._lock, self._last, self._found = threading.Lock(), float("-inf"), list[Check]()

    def checks(self) -> list[Check]:
        """What was found now, or a moment ago."""
        with self._lock:
            if time.monotonic() - self._last > KEEP:
                self._found = checks(self._config, self._database, self._clock, self._head)
                self._last = time.monotonic()
            return self._found


def figures(database: Database) -> dict[str, dict[str, int]]:
    """Figures of the whole site, none of one election: open elections, and mails by state."""
    with database.read() as session:
        by_state = select(Outbox.state, func.count()).group_by(Outbox.state)  # type: ignore[call-overload]
        mails = {str(state): int(number) for state, number in session.execute(by_state)}
        running = session.execute(
            select(func.count()).select_from(Election).where(Election.state == ElectionState.OPEN)  # type: ignore[arg-type]
        ).scalar_one()
    return {"mails": mails, "elections": {"open": running}}
