"""What holds for all tests: their environment, their classes, and fixtures of every room."""

import os
from pathlib import Path, PurePosixPath

import pytest

from tests.harness.classes import (
    CLASSES,
    INSTALLATION,
    class_of,
    class_of_file,
    group_of_file,
    missing_extras,
)

# Before anything imports MLflow or Airflow; Airflow would write its settings into the home folder.
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
os.environ["AIRFLOW_HOME"] = str(
    Path(__file__).parents[1]
    / ".factory"
    / "tests"
    / os.environ.get("PYTEST_XDIST_WORKER", "airflow")
)
os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "false"
os.environ["AIRFLOW__DAG_FACTORY__ENABLE_TELEMETRY"] = "false"
os.environ["AIRFLOW__LOGGING__SECRET_MASK_ADAPTER"] = "factory.base.secrets.spellings"

pytest_plugins = (
    "tests.harness.servers",  # first, since others import it
    "tests.harness.azure",
    "tests.harness.s3",
    "tests.harness.shared",
)

TESTS = Path(__file__).parent
WITHOUT = missing_extras()

_SECONDS_END_TO_END = 900
_SECONDS_FAST = 120


def pytest_addoption(parser: pytest.Parser) -> None:
    help_text = (
        "write what is found as the output of golden cases: read the changes before committing"
    )
    parser.addoption("--rewrite-golden", action="store_true", help=help_text)


def pytest_report_header() -> list[str]:
    left_out = f"extras: not installed ({', '.join(WITHOUT)}); their tests are left out"
    return [left_out] if WITHOUT else []


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave out files of which no test is asked for, and those whose imports would fail."""
    if not collection_path.name.startswith("test_"):
        return None
    needs = CLASSES.index(class_of_file(PurePosixPath(collection_path.relative_to(TESTS))))
    asked = [CLASSES.index(name) for name in config.option.markexpr.split() if name in CLASSES]
    has = CLASSES.index("commands") if WITHOUT else len(CLASSES)
    return needs > min(has, max(asked, default=has)) or None


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each test with its class; those that take longest come first, a file's tests together."""
    files: dict[PurePosixPath, list[pytest.Item]] = {}
    for item in items:
        files.setdefault(PurePosixPath(item.path.relative_to(TESTS)), []).append(item)
    for path, tests in files.items():
        shares = any(INSTALLATION in getattr(test, "fixturenames", ()) for test in tests)
        if shares != (group_of_file(path) == INSTALLATION):
            verb = "uses" if shares else "does not use"
            raise pytest.UsageError(
                f"{path} {verb} the fixture {INSTALLATION}: correct SHARING in tests/harness/classes.py"
            )
        for test in tests:
            _mark(test, path)
    # Stable, so that tests of one file, and files that share an Airflow, stay together.
    weights = {path: max(_weight(test) for test in tests) for path, tests in files.items()}
    items.sort(key=lambda item: -weights[PurePosixPath(item.path.relative_to(TESTS))])


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object:
    """Hand out a group's tests to one process, in the order in which they were collected.

    xdist's own `--dist loadgroup` is of no use: it renames tests, which pytest 9.2 does not allow.
    """
    from tests.harness.scheduling import GroupScheduling

    return GroupScheduling(config, log)


def _mark(test: pytest.Item, path: PurePosixPath) -> None:
    """Mark a test with its class."""
    name = class_of(
        path, getattr(test, "fixturenames", ()), {mark.name for mark in test.iter_markers()}
    )
    test.add_marker(name)
    if name == "extras" and WITHOUT:
        test.add_marker(pytest.mark.skip(reason="needs the extras: make install-extras"))
    if path.parts[0] == "end_to_end":
        test.add_marker("end_to_end")
    limits = {"end_to_end": _SECONDS_END_TO_END, "fast": _SECONDS_FAST}
    limit = next((limits[mark] for mark in limits if test.get_closest_marker(mark)), None)
    if limit and not test.get_closest_marker("timeout"):
        test.add_marker(pytest.mark.timeout(limit))


def _weight(test: pytest.Item) -> int:
    """More for what takes longer: first what shares an Airflow, then what starts its own."""
    marks = {mark.name for mark in test.iter_markers()}
    return (
        100 * (group_of_file(PurePosixPath(test.path.relative_to(TESTS))) == INSTALLATION)
        + 10 * ("end_to_end" in marks)
        + max(CLASSES.index(name) for name in CLASSES if name in marks)
    )
