from __future__ import annotations

from collections.abc import Iterator

import pytest

from ballot.services.database import Database
from tests.services.world import World


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    database = Database(database_url)
    database.migrate()
    yield database
    database.dispose()


@pytest.fixture
def world(database: Database) -> World:
    return World(database)
