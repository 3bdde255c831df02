"""Alembic's entry: runs on the connection that `ballot.services.database` hands over, inside its transaction."""

from alembic import context
from sqlmodel import SQLModel

import ballot.models  # noqa: F401 - registers the tables

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=SQLModel.metadata, transactional_ddl=True, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
