"""The class of a test follows from its file, its fixtures and its markers."""

import ast
from pathlib import Path, PurePosixPath

import pytest

from tests.harness.classes import (
    CLASSES,
    EXTRAS,
    INSTALLATION,
    OF_FILES,
    class_of,
    class_of_file,
    group_of_file,
)
from tests.harness.scheduling import GroupScheduling

TESTS = Path(__file__).parent
FILES = [PurePosixPath(path.relative_to(TESTS)) for path in TESTS.rglob("test_*.py")]


@pytest.mark.parametrize(
    ("path", "fixtures", "markers", "expected"),
    [
        ("team/test_new.py", (), (), "fast"),
        ("team/test_new.py", ("tmp_path", "mlflow_server"), (), "core"),
        ("team/test_new.py", ("mlflow_server", "s3_server"), (), "extras"),
        ("team/test_new.py", (), ("slow", "parametrize"), "core"),
        ("team/test_new.py", (), ("nightly",), "nightly"),
        ("aws/test_new.py", (), (), "extras"),
        ("aws/test_new.py", (), ("slow",), "extras"),
        ("end_to_end/test_new.py", (), (), "core"),
        ("end_to_end/test_pets_again.py", ("s3_server",), (), "pets"),
        ("trainers/test_fastai_new.py", (), (), "extras"),
    ],
)
def test_class_is_the_most_that_is_asked_for(path, fixtures, markers, expected):
    assert class_of(PurePosixPath(path), fixtures, markers) == expected


@pytest.mark.parametrize("pattern", OF_FILES)
def test_every_pattern_fits_a_file(pattern):
    assert any(path.match(f"tests/{pattern}") or path.match(pattern) for path in FILES)


@pytest.mark.parametrize(
    "path", [path for path in FILES if class_of_file(path) in ("fast", "core")], ids=str
)
def test_what_runs_without_the_extras_imports_none_of_them(path):
    """At module level: inside a function it is the test that fails where only the core is installed."""
    tree = ast.parse((TESTS / path).read_text())
    names = {
        name.split(".")[0]
        for node in tree.body
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert not names & {*EXTRAS, "botocore", "torch", "timm", "kubernetes_validate"}


def test_this_test_is_marked_with_its_class(request):
    marked = {mark.name for mark in request.node.iter_markers()}
    assert marked & set(CLASSES) == {"fast"}


def test_tests_that_share_an_airflow_are_one_group_and_others_one_a_file():
    groups = {path: group_of_file(path) for path in FILES}
    shared = {path for path, group in groups.items() if group == INSTALLATION}
    assert PurePosixPath("end_to_end/test_promotion.py") in shared
    assert all(group == str(path) for path, group in groups.items() if path not in shared)


def test_xdist_hands_a_group_to_one_process():
    scheduler = GroupScheduling.__new__(GroupScheduling)  # what it needs else, a session has
    assert scheduler._split_scope("tests/end_to_end/test_promotion.py::test_a") == INSTALLATION
    assert scheduler._split_scope("tests/base/test_texts.py::test_a[1]") == "base/test_texts.py"
