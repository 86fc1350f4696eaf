"""What all processes over one database agree upon: the first of them says it, and it stands until it is forgotten."""

from sqlalchemy import delete
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from modeltraces.catalog.db import Catalog
from modeltraces.catalog.tables import InstallationRow


def agreed(catalog: Catalog, session: Session, name: str, mine: str) -> InstallationRow:
    """What stands; `mine` when nothing did."""
    insert = (sqlite.insert if catalog.is_sqlite else postgresql.insert)(InstallationRow)
    session.execute(insert.values(name=name, value=mine).on_conflict_do_nothing())
    return session.get_one(InstallationRow, name)


def forget(catalog: Catalog, name: str) -> None:
    """Let the next process say it anew."""
    with catalog.writing() as session:
        session.execute(delete(InstallationRow).where(InstallationRow.name == name))
