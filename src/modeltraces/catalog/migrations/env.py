"""Run by Alembic inside the transaction and the lock that `Catalog.upgrade` holds."""

from alembic import context
from sqlalchemy import Connection, text

from modeltraces.catalog.tables import Table


def _compare_texts_as_sqlite_does(connection: Connection) -> None:
    """By code points, whatever the database's own collation is: lists then have one order, and what a page shows first
    does not change with the machine. Changes no row; indexes of other collations are made anew."""
    columns = connection.execute(
        text(
            "SELECT table_name, column_name FROM information_schema.columns "
            "WHERE table_schema = current_schema() AND data_type = 'text' AND collation_name IS DISTINCT FROM 'C'"
        )
    )
    # Others may have tables in the same schema.
    mine = sorted((table, column) for table, column in columns if table in Table.metadata.tables)
    for table, column in mine:
        connection.execute(text(f'ALTER TABLE "{table}" ALTER COLUMN "{column}" TYPE text COLLATE "C"'))


connection: Connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=Table.metadata, transactional_ddl=True)
context.run_migrations()
if connection.dialect.name == "postgresql":
    _compare_texts_as_sqlite_does(connection)
