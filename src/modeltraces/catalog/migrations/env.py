"""Run by Alembic inside the transaction and the lock that `Catalog.upgrade` holds."""

from alembic import context

from modeltraces.catalog.tables import Table

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Table.metadata,
    transactional_ddl=True,
)
context.run_migrations()
