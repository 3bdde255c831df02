"""Both databases: migrations give the models' tables, what is acknowledged is durable, and failures are told as such."""

from __future__ import annotations

import multiprocessing
import multiprocessing.synchronize
import stat
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text
from sqlmodel import SQLModel

from ballot.errors import ConfigurationError, UnavailableError
from ballot.models import Meeting
from ballot.services import database as database_module
from ballot.services.database import Database


def test_the_migrations_make_exactly_the_models_tables(database: Database) -> None:
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert [] == compare_metadata(context, SQLModel.metadata)


def test_migrating_again_or_by_several_hosts_at_once_changes_nothing(database_url: str) -> None:
    hosts = [Database(database_url) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda host: host.migrate(), hosts))
    hosts[0].migrate()
    with hosts[0].read_connection() as connection:
        assert 1 == len(connection.execute(text("SELECT * FROM alembic_version")).all())
    for host in hosts:
        host.dispose()


def _first_starts(urls: list[str], together: multiprocessing.synchronize.Barrier) -> None:
    """One worker process that starts on each of these empty databases, at the same moment as the others."""
    for url in urls:
        together.wait(60)
        database = Database(url)
        database.migrate()
        database.dispose()


def test_several_workers_may_be_the_first_to_start(tmp_path: Path) -> None:
    """Turning a new file to WAL does not wait for its lock: now and then a worker failed to boot, and the site with it."""
    spawn = multiprocessing.get_context("spawn")
    together = spawn.Barrier(4)
    urls = [f"sqlite:///{tmp_path / str(i) / 'ballot.sqlite3'}" for i in range(40)]
    workers = [spawn.Process(target=_first_starts, args=(urls, together)) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [0] * 4 == [worker.exitcode for worker in workers]


def test_sqlite_flushes_before_it_answers(sqlite_url: str) -> None:
    database = Database(sqlite_url)
    database.migrate()
    with database.read_connection() as connection:
        names = ("journal_mode", "synchronous", "foreign_keys", "secure_delete")
        found = [connection.execute(text(f"PRAGMA {name}")).scalar_one() for name in names]
    assert ["wal", 2, 1, 1] == found
    database.dispose()


def test_a_new_sqlite_file_and_its_journals_are_their_owners_alone(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'data' / 'ballot.sqlite3'}")
    database.migrate()
    assert {0o600} == {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "data").iterdir()}
    assert 0o700 == stat.S_IMODE((tmp_path / "data").stat().st_mode)
    database.dispose()
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match="set BALLOT_DATA"):
        Database(f"sqlite:///{tmp_path / 'file' / 'ballot.sqlite3'}").migrate()


@pytest.mark.postgresql
def test_a_postgresql_that_does_not_flush_is_refused(postgresql_url: str) -> None:
    database = Database(postgresql_url)
    database.migrate()
    name = postgresql_url.rsplit("/", 1)[1]
    with database.write_connection() as connection:
        connection.execute(text(f'ALTER DATABASE "{name}" SET synchronous_commit = off'))
    database.dispose()
    with pytest.raises(ConfigurationError, match="synchronous_commit=off"):
        database.migrate()
    database.dispose()


@pytest.mark.postgresql
@pytest.mark.parametrize("setting", ["fsync", "full_page_writes"])
def test_a_postgresql_server_that_can_lose_a_commit_is_refused(postgresql_url: str, setting: str) -> None:
    database = Database(postgresql_url)
    database.migrate()

    def say(statement: str) -> None:
        with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql(statement)
            connection.exec_driver_sql("SELECT pg_reload_conf()")
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            with database.engine.connect() as connection:
                if connection.exec_driver_sql(f"SHOW {setting}").scalar_one() == ("off" if "off" in statement else "on"):
                    return
        raise TimeoutError(statement)

    say(f"ALTER SYSTEM SET {setting} = off")
    try:
        with pytest.raises(ConfigurationError, match=f"{setting}=off: turn it on"):
            database.check_durable()
    finally:
        say(f"ALTER SYSTEM RESET {setting}")
    database.check_durable()
    database.dispose()


def test_a_write_is_kept_whole_or_not_at_all(database: Database) -> None:
    def meeting(identity: str) -> Meeting:
        return Meeting(id=identity, name="x", created_at=datetime.now(UTC))

    def half() -> None:
        with database.write() as session:
            session.add(meeting("a"))
            session.flush()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        half()
    with database.write() as session:
        session.add(meeting("b"))
    with database.read() as session:
        session.add(meeting("c"))
    with database.read() as session:
        assert [None, "b", None] == [getattr(session.get(Meeting, name), "id", None) for name in "abc"]


def test_times_come_back_in_utc(database: Database) -> None:
    moment = datetime(2026, 3, 20, 19, 0, tzinfo=timezone(timedelta(hours=2)))
    with database.write() as session:
        session.add(Meeting(id="a", name="x", created_at=moment))
    with database.read() as session:
        found = session.get_one(Meeting, "a").created_at
    assert (moment, timedelta(0)) == (found, found.utcoffset())


def test_a_database_that_is_away_says_that_nothing_was_recorded(tmp_path: Path) -> None:
    for url in (f"sqlite:///{tmp_path}/no/such/folder/x.sqlite3", "postgresql+psycopg://nobody@127.0.0.1:1/nothing"):
        database = Database(url)
        with pytest.raises(UnavailableError, match="nothing was recorded"), database.write() as session:
            session.get(Meeting, "a")
        database.dispose()


def test_a_full_disk_says_that_nothing_was_recorded(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'b.sqlite3'}")
    database.migrate()

    def fill() -> None:
        with database.write_connection() as connection:
            pages = connection.execute(text("PRAGMA page_count")).scalar_one()
            connection.execute(text(f"PRAGMA max_page_count = {pages}"))
            connection.execute(text("INSERT INTO rate_limit (key, window, count) VALUES (:key, 1, 1)"), {"key": "x" * 1_000_000})

    with pytest.raises(UnavailableError):
        fill()
    database.dispose()


def test_writers_wait_for_each_other_and_none_is_lost(database: Database) -> None:
    def add(number: int) -> None:
        with database.write() as session:
            session.add(Meeting(id=f"m{number}", name="x", created_at=datetime.now(UTC)))

    with ThreadPoolExecutor(10) as pool:
        list(pool.map(add, range(50)))
    with database.read_connection() as connection:
        assert 50 == connection.execute(text("SELECT count(*) FROM meeting")).scalar_one()


def test_a_deleted_row_is_overwritten_in_the_file(tmp_path: Path) -> None:
    """The link between a member and a credential must not survive its deletion in a free page."""
    path = tmp_path / "b.sqlite3"
    database = Database(f"sqlite:///{path}")
    database.migrate()
    canary = "canary-0123456789"
    with database.write() as session:
        session.add(Meeting(id=canary, name="x", created_at=datetime.now(UTC)))
    with database.write() as session:
        session.delete(session.get_one(Meeting, canary))
    files = [path, path.with_name(f"{path.name}-wal")]
    assert any(canary.encode() in file.read_bytes() for file in files)
    database.overwrite_deleted()
    assert not any(canary.encode() in file.read_bytes() for file in files)
    database.dispose()


@pytest.mark.postgresql
def test_a_connection_that_the_server_ended_while_it_lay_idle_is_replaced(postgresql_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    database = Database(postgresql_url)
    with database.read_connection() as connection:
        mine = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
    other = Database(postgresql_url)
    with other.write_connection() as connection:
        assert connection.execute(text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": mine}).scalar_one()
    other.dispose()
    monkeypatch.setattr(database_module, "_IDLE_SECONDS", 0.0)
    with database.read_connection() as connection:
        assert mine != connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
    database.dispose()


@pytest.mark.postgresql
def test_a_connection_that_ended_between_two_uses_is_told_once(postgresql_url: str) -> None:
    database = Database(postgresql_url)
    with database.read_connection() as connection:
        mine = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
    other = Database(postgresql_url)
    with other.write_connection() as connection:
        assert connection.execute(text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": mine}).scalar_one()
    other.dispose()
    with pytest.raises(UnavailableError), database.read_connection() as connection:
        connection.execute(text("SELECT 1"))
    with database.read_connection() as connection:
        assert 1 == connection.execute(text("SELECT 1")).scalar_one()
    database.dispose()


def test_threads_in_line_come_one_after_the_other_and_who_waits_too_long_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    database = Database("sqlite://")
    inside: list[int] = []

    def enter(number: int) -> None:
        with database.in_line("here"):
            inside.append(number)
            assert [number] == inside
            inside.remove(number)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(enter, range(200)))
    monkeypatch.setattr(database_module, "BUSY_SECONDS", 0)
    with ThreadPoolExecutor(1) as pool, database.in_line("here"), database.in_line("elsewhere"):
        refused = pool.submit(enter, 0).exception()
    assert isinstance(refused, UnavailableError)
    enter(1)
