"""A source of somebody else's package reads rows by what is documented, and nothing else."""

import pytest
from pydantic import TypeAdapter

from factory.base.section import Surroundings
from factory.data.folders import DataFolders
from factory.data.sources.source import AnySource, IngestContext, NoConnections
from tests.data.rows import lake_in, read
from tests.plugins import installed

CODE = '''
from typing import Literal

import pandas as pd

from factory.base.section import Text
from factory.data.sources.source import IngestContext, Source


class Tides(Source):
    """Tides of a harbour."""

    type: Literal["tides"]
    harbour: Text
    connection: str | None = None

    def read(self, context: IngestContext):
        def pages():
            for page in range(3):
                yield pd.DataFrame({"harbour": self.harbour, "level": [None if not page else page]})
            for chunk in context.connections.query_chunks(self.connection, "select 1", 10):
                yield chunk

        return context.write(pages(), f"tides of {self.harbour}")

    def known_columns(self):
        return ("harbour", "level")
'''


@pytest.fixture(autouse=True)
def plugin(tmp_path):
    with installed(tmp_path, "acme_tides", CODE, source={"tides": "Tides"}):
        yield


class Warehouse(NoConnections):
    def query_chunks(self, connection, query, chunk_rows):
        from factory.data.rows import Chunk

        return iter([Chunk(("harbour", "level"), [(connection, 2.5)])])


def test_source_of_a_plugin_streams_its_rows_and_uses_connections(tmp_path):
    section = {"type": "tides", "harbour": "Cuxhaven", "connection": "warehouse"}
    context = Surroundings(tmp_path, (), ("acme_tides",))
    source = TypeAdapter(AnySource).validate_python(section, context=context)
    rows = source.ingest(
        IngestContext(
            DataFolders(tmp_path), tmp_path, "marine", lake_in(tmp_path), connections=Warehouse()
        )
    )
    assert rows.columns == {"harbour": "VARCHAR", "level": "DOUBLE"}
    assert read(rows) == [
        ("Cuxhaven", None),
        ("Cuxhaven", 1.0),
        ("Cuxhaven", 2.0),
        ("warehouse", 2.5),
    ]
    assert source.known_columns() == tuple(rows.columns)
    assert source.references() == {}
