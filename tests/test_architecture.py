"""Imports run one way, and what is light stays light."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "factory"

OUTER = ("factory.cli", "factory.runtime", "factory.airflow")
"""Rooms that only they themselves, and the rooms above them, may import."""

# What each room may not import, at module level or inside a function.
FORBIDDEN = {
    "base": (
        *("airflow", "dagfactory", "mlflow", "sklearn", "factory.catalog", "factory.data"),
        *("factory.deploy", "factory.documents", "factory.kinds", "factory.lake", "factory.models"),
        *("factory.monitoring", "factory.notifiers", "factory.serving", "factory.team"),
        *("factory.trainers", "factory.training", *OUTER),
    ),
    "team": ("airflow", "dagfactory", "mlflow", "factory.documents", "factory.catalog", *OUTER),
    "catalog": ("airflow", "dagfactory", "mlflow", "factory.documents", "factory.lake", *OUTER),
    "documents": ("airflow", "dagfactory", "mlflow", "factory.catalog", *OUTER),
    "lake": (
        *("airflow", "dagfactory", "mlflow", "sklearn", "factory.documents", "factory.data"),
        *("factory.kinds", "factory.models", "factory.team", "factory.training", *OUTER),
    ),
    "data": ("airflow", "dagfactory", "mlflow", "factory.documents", "factory.catalog", *OUTER),
    "training": ("airflow", "dagfactory", "factory.documents", "factory.catalog", *OUTER),
    "trainers": ("airflow", "dagfactory", "factory.documents", "factory.catalog", *OUTER),
    "models": ("airflow", "dagfactory", "factory.documents", "factory.catalog", *OUTER),
    "monitoring": ("airflow", "dagfactory", "factory.documents", "factory.catalog", *OUTER),
    "serving": (
        *("airflow", "dagfactory", "factory.lake", "factory.deploy"),
        *("factory.documents", "factory.catalog", *OUTER),
    ),
    "deploy": ("airflow", "dagfactory", "factory.documents", "factory.catalog", *OUTER),
    "notifiers": ("airflow", "dagfactory", "mlflow", "factory.team", "factory.documents", *OUTER),
    "airflow": ("factory.cli", "factory.runtime"),
    "runtime": ("airflow", "dagfactory", "mlflow", "factory.cli", "factory.training"),
}


def imports(file: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module)
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
    return found


@pytest.mark.parametrize("room", FORBIDDEN)
def test_room_imports_nothing_above_it(room):
    files = sorted((PACKAGE / room).rglob("*.py"))
    assert files
    wrong = {
        f"{file.relative_to(PACKAGE)} imports {name}"
        for file in files
        for name in imports(file)
        for forbidden in FORBIDDEN[room]
        if name == forbidden or name.startswith(forbidden + ".")
    }
    # The scheduler's wrapper becomes Airflow's scheduler: that is its purpose.
    wrong.discard("runtime/scheduler.py imports airflow.__main__")
    wrong.discard("runtime/scheduler.py imports airflow.__main__.main")
    assert wrong == set()


def test_dag_factory_is_imported_in_build_and_decorators_only():
    importers = {
        str(file.relative_to(PACKAGE))
        for file in PACKAGE.rglob("*.py")
        if any(name.split(".")[0] == "dagfactory" for name in imports(file))
    }
    assert importers == {"airflow/build.py", "airflow/decorators.py"}


def test_tests_of_documents_need_no_airflow():
    files = sorted((PACKAGE.parent / "tests" / "documents").glob("*.py"))
    assert files
    imported = {name.split(".")[0] for file in files for name in imports(file)}
    rooms = {name for file in files for name in imports(file) if name.startswith("factory.airflow")}
    assert not imported & {"airflow", "dagfactory"}
    assert not rooms


LIGHT = """
import sys
{code}
heavy = ["airflow", "pandas", "numpy", "sklearn", "mlflow", "deltalake", "duckdb", "pyarrow"]
heavy += ["torch", "fastai", "timm", "boto3", "botocore", "kubernetes", "PIL"]
print([name for name in heavy if name in sys.modules])
"""


@pytest.mark.parametrize(
    "code",
    [
        "import factory.catalog, factory.documents.compile, factory.documents.rendering",
        "import factory.cli.main",
        (
            "from pathlib import Path; from factory.catalog import check_project; "
            "assert check_project(Path('configs')) == []"
        ),
    ],
)
def test_reading_and_the_command_line_import_nothing_heavy(code):
    done = subprocess.run(
        [sys.executable, "-c", LIGHT.format(code=code)],
        cwd=PACKAGE.parent,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "[]"
