"""What every command of the site does first, and what one process of a host does for all."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ballot.config import Config
from ballot.errors import ConfigurationError
from ballot.services.database import Database
from ballot.services.keys import Keys


def prepare(config: Config) -> tuple[Database, Keys]:
    """The database is up to date and the keys exist, both made on the first start.

    Raises: ConfigurationError: one of them cannot be used safely.
    """
    config.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    keys = Keys.open(config.keys)
    database = Database(config.database_url)
    _only_ours(database)
    database.migrate()
    return database, keys


def _only_ours(database: Database) -> None:
    """An SQLite file holds names and addresses. Raises: ConfigurationError: others can read it."""
    path = Path(str(database.engine.url.database)) if database.is_sqlite else None
    if path is not None and path.exists() and path.stat().st_mode & 0o077:
        raise ConfigurationError(f"Others can read {path}: run `chmod 600 {path}*` and start again.")


@contextmanager
def only_one(data: Path, duty: str) -> Iterator[bool]:
    """True while this process alone has this duty on this host; the operating system ends that with the process."""
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (data / f"{duty}.lock").open("w", encoding="ascii") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            yield False
            return
        yield True
