"""`load`: a table of a database that a dataset's rows go through."""

from pydantic import Field

from factory.base.section import Section, Text


class Load(Section):
    """Where rows are loaded before they are checked, and what happens there once they have passed.

    The table must be there already, with columns of the same names: as a rule a resource makes
    it. It is emptied and filled in one transaction, and what it then holds is what is checked and
    published.
    """

    connection: Text
    table: Text
    """Its name, with a schema if need be: `staging.roses`."""
    then: Text | None = None
    """SQL statements, one transaction, once the checks have passed and before the snapshot is published."""
    chunk_rows: int = Field(default=10_000, ge=1, le=1_000_000)
