"""The class of a test follows from its file, its fixtures and its markers."""

import ast
from pathlib import Path, PurePosixPath

import pytest

from tests.harness.classes import CLASSES, EXTRAS, OF_FILES, class_of, class_of_file

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
