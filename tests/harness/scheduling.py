"""Which process of xdist's runs which tests."""

from pathlib import PurePosixPath

from xdist.scheduler import LoadScopeScheduling

from tests.harness.classes import group_of_file


class GroupScheduling(LoadScopeScheduling):
    """Tests of one group run in one process: those of a file, and of all files that share an Airflow."""

    def _split_scope(self, nodeid: str) -> str:
        path = PurePosixPath(nodeid.split("::", maxsplit=1)[0])
        return group_of_file(path.relative_to("tests"))
