from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlmodel import SQLModel

from ballot.services.database import Database
from tests.services.world import World
from tests.support.postgresql import PostgreSQL


@pytest.fixture(scope="session")
def postgresql_database(postgresql_server: PostgreSQL) -> Iterator[Database]:
    """One migrated database for the run; each test empties its tables, which is faster than a new one."""
    database = Database(postgresql_server.new_database())
    database.migrate()
    yield database
    database.dispose()


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty SQLite file of this version, to be copied: faster than a new one for each test."""
    path = tmp_path_factory.mktemp("migrated") / "empty.sqlite3"
    database = Database(f"sqlite:///{path}")
    database.migrate()
    database.overwrite_deleted()
    database.dispose()
    return path


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def database(request: pytest.FixtureRequest) -> Iterator[Database]:
    """An empty, migrated database; the test runs once on SQLite and once on PostgreSQL."""
    if request.param == "postgresql":
        database: Database = request.getfixturevalue("postgresql_database")
        with database.write_connection() as connection:
            names = ", ".join(f'"{table.name}"' for table in SQLModel.metadata.sorted_tables)
            connection.execute(text(f"TRUNCATE {names}"))
        database.setups.clear()
        yield database
        return
    path = request.getfixturevalue("tmp_path") / "ballot.sqlite3"
    shutil.copy(request.getfixturevalue("migrated"), path)
    database = Database(f"sqlite:///{path}")
    yield database
    database.dispose()


@pytest.fixture
def world(database: Database) -> World:
    return World(database)
