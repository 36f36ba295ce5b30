"""Run by Alembic for `database.open_database`, which hands over a connection.

The connection is already in the transaction that keeps other starting servers waiting;
Alembic must not end it, so nothing here commits.
"""

from alembic import context

from cloudcopy.adapters.sql.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=True,  # true of SQLite too, since we send BEGIN ourselves
)
context.run_migrations()
