"""Airflow's DAG processor, which also looks at team files, and forks with the factory already loaded.

Airflow parses a DAG file again when that file has changed, or some time has passed. Ours does not change: what it makes
DAGs of are the team files, and others import modules that lie beside them. Run as
`python -m factory.airflow.dag_processor`, arguments as for `airflow dag-processor`.
"""

import importlib
import logging
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
from airflow.cli.commands import dag_processor_command
from airflow.dag_processing.manager import DagFileInfo, DagFileProcessorManager
from sqlalchemy.exc import OperationalError

from factory import kinds
from factory.airflow.active_runs import unblock_dags
from factory.team.environment import configs_folder

logger = logging.getLogger(__name__)

_PRELOADED = ("dagfactory.dagbuilder", "factory.airflow.load")
_ANY_FILE = "teams.py"
"""Team files are found from a DAG file; all that lie in one folder have the same."""

Fingerprint = frozenset[tuple[str, int, int]]
"""Of a folder's files: path, time of the last change in ns, size."""


def fingerprint(folder: Path) -> Fingerprint:
    """What changes when anything below a folder is changed; empty where there is no such folder."""
    return frozenset(_files(str(folder)))


def _files(folder: str) -> Iterator[tuple[str, int, int]]:
    try:
        entries = list(os.scandir(folder))
    except OSError:
        return
    for entry in entries:
        if entry.name.startswith(".") or entry.name == "__pycache__":
            continue
        try:
            if entry.is_dir():
                yield from _files(entry.path)
            else:
                found = entry.stat()
                yield entry.path, found.st_mtime_ns, found.st_size
        except OSError:
            continue  # it is gone by now


@attrs.define(kw_only=True)
class WatchingManager(DagFileProcessorManager):  # type: ignore[misc]
    """Parses DAG files at once when team files, or what lies beside the DAG files, have changed."""

    _seen: dict[Path, Fingerprint] = attrs.field(factory=dict, init=False)
    """Folders as they were when last looked at."""
    _due: set[DagFileInfo] = attrs.field(factory=set, init=False)
    """Files that are to be parsed as soon as nobody parses them any more."""

    def claim_priority_files(self) -> list[DagFileInfo]:
        """Called about every second, first before anything is parsed: what people ask for, and what has changed."""
        return [*super().claim_priority_files(), *self._changed()]

    def handle_parsing_result(self, *args: Any, **kwargs: Any) -> None:
        """Called with what a file has been parsed to; it is in the database when this is done."""
        super().handle_parsing_result(*args, **kwargs)
        try:
            unblock_dags()
        except OperationalError as error:
            # Somebody keeps the database locked; the next parse comes here again.
            logger.warning("nobody looked for DAGs that ended runs hold back: %s", error)

    def _changed(self) -> list[DagFileInfo]:
        known = {*self._file_stats, *self._processors}
        for bundle in self._dag_bundles:
            for folder in (bundle.path, configs_folder(bundle.path / _ANY_FILE)):
                now = fingerprint(folder)
                if now != self._seen.setdefault(folder, now):
                    self._seen[folder] = now
                    self._due |= {file for file in known if file.bundle_name == bundle.name}
        free = self._due.difference(self._processors)
        self._due -= free
        return list(free)


def main() -> None:
    """Load, then become `airflow dag-processor`."""
    for module in _PRELOADED:
        importlib.import_module(module)
    kinds.prepare()
    dag_processor_command.DagFileProcessorManager = WatchingManager
    from airflow.__main__ import main as airflow

    sys.argv = ["airflow", "dag-processor", *sys.argv[1:]]
    airflow()


if __name__ == "__main__":
    main()
