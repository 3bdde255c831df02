"""The database: SQLite (one file, WAL, every commit on the disk) or PostgreSQL, behind two ways in: `read()` and `write()`.

A write transaction is serialised from its first statement on SQLite (`BEGIN IMMEDIATE`), so that what it read is still
true when it commits. On PostgreSQL the services lock the row they depend on (`SELECT … FOR UPDATE` on a chain's head).
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config as AlembicConfig
from sqlalchemy import Connection, create_engine, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, DisconnectionError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlmodel import Session

from ballot.errors import ConfigurationError, UnavailableError
from ballot.language import phrase
from ballot.services.strikes import Strikes

BUSY_SECONDS = 30
_IDLE_SECONDS = 1.0
_WRITE = "ballot_write"
_NOT_RECORDED = phrase("The ballot box did not answer, so nothing was recorded. Please try again in a moment.")


class Database:
    """One installation's database. Safe to share between threads; each worker process makes its own."""

    def __init__(self, url: str) -> None:
        self.setups: dict[str, object] = {}  # what never changes once locked, parsed once in this process (services.board)
        self.strikes = Strikes()
        address = make_url(url)
        self.is_sqlite = address.get_backend_name() == "sqlite"
        if self.is_sqlite:
            self.engine = create_engine(address, connect_args={"timeout": BUSY_SECONDS, "check_same_thread": False}, pool_size=10)
            event.listen(self.engine, "connect", _prepare_sqlite)
            event.listen(self.engine, "begin", _begin_sqlite)
        else:
            self.engine = create_engine(address, pool_size=10, connect_args={"connect_timeout": 10})
            event.listen(self.engine, "checkin", _note_time)
            event.listen(self.engine, "checkout", _ping_after_a_pause)
        self._lines: dict[str, threading.Lock] = {}
        self._writing = self.engine.execution_options(**{_WRITE: True})

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A session over one consistent view; what it changes is not kept."""
        with translated(), Session(self.engine, expire_on_commit=False) as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A session that is committed at the end, or rolled back whole by an exception."""
        with self._turn(), translated(), Session(self._writing, expire_on_commit=False) as session, session.begin():
            yield session

    @contextmanager
    def write_connection(self) -> Iterator[Connection]:
        """As `write`, without objects: for the hot path."""
        with self._turn(), translated(), self._writing.begin() as connection:
            yield connection

    @contextmanager
    def read_connection(self) -> Iterator[Connection]:
        """As `read`, without objects."""
        with translated(), self.engine.connect() as connection:
            yield connection

    @contextmanager
    def in_line(self, name: str) -> Iterator[None]:
        """The threads of this process one after the other, at what is done faster that way than by all at once.

        Raises: UnavailableError: the turn did not come.
        """
        line = self._lines.setdefault(name, threading.Lock())
        if not line.acquire(timeout=BUSY_SECONDS):
            raise UnavailableError(_NOT_RECORDED)
        try:
            yield
        finally:
            line.release()

    def _turn(self) -> AbstractContextManager[None]:
        """SQLite has one writer at a time and lets others poll for it; the threads of one process stand in line here instead."""
        return self.in_line("writers") if self.is_sqlite else nullcontext()

    def migrate(self, to: str = "head") -> None:
        """Bring the tables to this version's shape (or an earlier one's, for a backup). Several hosts may call this at once.

        Raises: ConfigurationError if the file cannot be made, or the database does not keep what it acknowledges (`check_durable`).
        """
        with self._first_comer(), as_file(files("ballot") / "migrations") as folder:
            config = AlembicConfig()
            config.set_main_option("script_location", str(folder).replace("%", "%%"))
            with self.write_connection() as connection:
                if not self.is_sqlite:
                    connection.execute(text("SELECT pg_advisory_xact_lock(7262126)"))  # any number: one migration at a time
                config.attributes["connection"] = connection
                command.upgrade(config, to)
        self.check_durable()

    @contextmanager
    def _first_comer(self) -> Iterator[None]:
        """One process at a time on SQLite: two that turn a new file to WAL at once are told that it is locked, and do not wait.

        The new file, which will hold names and addresses, is its owner's alone; its journals take the mode over.
        """
        if not self.is_sqlite:
            yield
            return
        path = Path(str(self.engine.url.database))
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
            folder = os.open(path.parent, os.O_RDONLY)
        except OSError as error:
            raise ConfigurationError(f"{path} cannot be made ({error.strerror}): set BALLOT_DATA to a folder of yours.") from error
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            yield
        finally:
            os.close(folder)

    def check_durable(self) -> None:
        """A receipt must survive a power cut, so the database has to flush before it answers.

        Raises: ConfigurationError naming the setting to change.
        """
        with self.read_connection() as connection:
            if self.is_sqlite:
                mode = connection.execute(text("PRAGMA journal_mode")).scalar_one()
                synchronous = connection.execute(text("PRAGMA synchronous")).scalar_one()
                if str(mode).lower() != "wal" or int(synchronous) < 2:
                    raise ConfigurationError(f"SQLite runs with journal_mode={mode}, synchronous={synchronous}: use a local disk.")
            else:
                for setting, refused in (("fsync", {"off"}), ("synchronous_commit", {"off"}), ("full_page_writes", {"off"})):
                    value = str(connection.execute(text(f"SHOW {setting}")).scalar_one())
                    if value in refused:
                        raise ConfigurationError(f"PostgreSQL runs with {setting}={value}: turn it on, or a power cut loses ballots.")

    @contextmanager
    def alone(self, number: int) -> Iterator[bool]:
        """True while no other host on this PostgreSQL has the duty of this number; on SQLite always, as there is one host only."""
        if self.is_sqlite:
            yield True
            return
        with translated(), self.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            mine = bool(connection.execute(text("SELECT pg_try_advisory_lock(7262127, :number)"), {"number": number}).scalar_one())
            try:
                yield mine
            finally:
                connection.invalidate()  # closed, not pooled: the lock ends with its connection

    def overwrite_deleted(self, tables: Sequence[str] = ("electorate", "roll_entry", "roll")) -> None:
        """Rows deleted from these tables are gone from the database's files too: SQLite overwrites, PostgreSQL writes the tables anew.

        Raises: UnavailableError: somebody still reads what was, so it has to be tried again.
        """
        with translated():
            if self.is_sqlite:
                raw = self.engine.raw_connection()
                try:
                    busy, *_ = raw.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
                finally:
                    raw.close()
                if busy:
                    raise UnavailableError("The database is busy, so what was deleted is not overwritten yet.")
            else:
                names = ", ".join(f'"{name}"' for name in tables)
                with self.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                    connection.exec_driver_sql(f"VACUUM (FULL) {names}")

    def dispose(self) -> None:
        """Close all connections."""
        self.engine.dispose()


def _prepare_sqlite(connection: sqlite3.Connection, _record: Any) -> None:
    connection.isolation_level = None  # transactions begin where `_begin_sqlite` says, not where the driver guesses
    for pragma in (
        f"busy_timeout = {BUSY_SECONDS * 1000}",
        "journal_mode = WAL",
        "synchronous = FULL",
        "foreign_keys = ON",
        "secure_delete = ON",  # a deleted link between member and credential is overwritten, not just forgotten
        "cache_size = -16000",
    ):
        connection.execute(f"PRAGMA {pragma}").close()


def _note_time(_connection: Any, record: Any) -> None:
    record.info["idle since"] = time.monotonic()


def _ping_after_a_pause(connection: Any, record: Any, _proxy: Any) -> None:
    """A connection that lay idle is tried before it is used: the server may have gone meanwhile. A busy one saves the journey."""
    if time.monotonic() - record.info.get("idle since", time.monotonic()) < _IDLE_SECONDS:
        return
    try:
        connection.execute("")
        connection.rollback()
    except Exception as error:
        raise DisconnectionError from error  # the pool makes another one


def _begin_sqlite(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE" if connection.get_execution_options().get(_WRITE) else "BEGIN")


@contextmanager
def translated() -> Iterator[None]:
    """A database that is down, locked for too long or full becomes `UnavailableError`; bugs stay what they are."""
    try:
        yield
    except (OperationalError, PoolTimeoutError) as error:
        raise UnavailableError(_NOT_RECORDED) from error
    except DBAPIError as error:
        if error.connection_invalidated:
            raise UnavailableError(_NOT_RECORDED) from error
        raise
