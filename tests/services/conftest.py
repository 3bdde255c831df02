from __future__ import annotations

from collections.abc import Iterator

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
    database = Database(request.getfixturevalue("sqlite_url"))
    database.migrate()
    yield database
    database.dispose()


@pytest.fixture
def world(database: Database) -> World:
    return World(database)
