"""What every command of the site does first."""

from __future__ import annotations

from ballot.config import Config
from ballot.services.database import Database
from ballot.services.keys import Keys


def prepare(config: Config) -> tuple[Database, Keys]:
    """The database is up to date and the keys exist, both made on the first start.

    Raises: ConfigurationError: one of them cannot be used safely.
    """
    config.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    keys = Keys.open(config.keys)
    database = Database(config.database_url)
    database.migrate()
    return database, keys
