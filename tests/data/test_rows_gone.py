"""A workspace that is removed while its run is at work."""

import shutil

import pytest

from factory.base.errors import TerminalError
from factory.base.workspace import WorkspaceGoneError, open_workspace
from factory.data.rows import Rows
from tests.data.rows import rows_of


def test_rows_that_are_gone_name_the_task_to_go_back_to(tmp_path):
    folder = open_workspace(tmp_path, "sea.raw", "manual__1")
    reference = rows_of("select 1 as id", folder).as_json()
    assert Rows.from_json(reference).rows == 1
    shutil.rmtree(folder)
    with pytest.raises(WorkspaceGoneError, match=r"rows.parquet is not in .*`ingest` on") as caught:
        Rows.from_json(reference)
    assert isinstance(caught.value, TerminalError), "trying again finds nothing either"
