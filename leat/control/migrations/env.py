"""What Alembic runs: the revisions, inside the transaction of the connection that it was given."""

from __future__ import annotations

from alembic import context

from leat.control.tables import Table

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Table.metadata,
    transactional_ddl=True,
)
context.run_migrations()
