from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.fault import Place, place


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def both(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """Once on SQLite, once on PostgreSQL."""
    with place(request.param, tmp_path, patience=5, server=lambda: request.getfixturevalue("postgresql_server")) as here:
        yield here


@pytest.fixture
def here(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """On SQLite alone."""
    with place("sqlite", tmp_path, patience=5, server=lambda: request.getfixturevalue("postgresql_server")) as found:
        yield found
