"""Imports run one way, and what is light stays light."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "factory"

# What each layer may not import, at module level or inside a function.
FORBIDDEN = {
    "config": (
        "airflow",
        "dagfactory",
        "factory.airflow",
        "factory.documents",
        "factory.steps",
        "factory.trainers",
        "factory.lake",
        "factory.tracking",
        "factory.cli",
        "factory.runtime",
        "factory.catalog",
    ),
    "catalog": (
        "airflow",
        "dagfactory",
        "factory.airflow",
        "factory.documents",
        "factory.steps",
        "factory.trainers",
        "factory.lake",
        "factory.tracking",
        "factory.cli",
        "factory.runtime",
    ),
    "documents": (
        "airflow",
        "dagfactory",
        "factory.airflow",
        "factory.steps",
        "factory.trainers",
        "factory.lake",
        "factory.tracking",
        "factory.cli",
        "factory.runtime",
    ),
    "steps": (
        "airflow",
        "dagfactory",
        "factory.airflow",
        "factory.documents",
        "factory.cli",
        "factory.runtime",
        "factory.catalog",
        "factory.jobs",
    ),
    "trainers": (
        "airflow",
        "dagfactory",
        "factory.airflow",
        "factory.documents",
        "factory.steps",
        "factory.cli",
        "factory.runtime",
        "factory.catalog",
        "factory.jobs",
    ),
    "lake": (
        "airflow",
        "dagfactory",
        "mlflow",
        "sklearn",
        "factory.airflow",
        "factory.documents",
        "factory.steps",
        "factory.trainers",
        "factory.cli",
        "factory.runtime",
        "factory.jobs",
    ),
    "serving": (
        "airflow",
        "dagfactory",
        "factory.airflow",
        "factory.deploy",
        "factory.documents",
        "factory.lake",
        "factory.cli",
        "factory.runtime",
        "factory.catalog",
    ),
    "storage": (
        "airflow",
        "dagfactory",
        "mlflow",
        "factory.airflow",
        "factory.catalog",
        "factory.cli",
        "factory.config",
        "factory.documents",
        "factory.lake",
        "factory.runtime",
        "factory.steps",
        "factory.trainers",
    ),
    "deploy": (
        "airflow",
        "dagfactory",
        "factory.airflow",
        "factory.catalog",
        "factory.cli",
        "factory.documents",
        "factory.runtime",
    ),
    "jobs": (
        "airflow",
        "dagfactory",
        "mlflow",
        "factory.airflow",
        "factory.documents",
        "factory.catalog",
        "factory.cli",
        "factory.runtime",
    ),
    "airflow": ("factory.cli", "factory.runtime"),
    "runtime": ("airflow", "dagfactory", "mlflow", "factory.cli", "factory.steps"),
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


@pytest.mark.parametrize("layer", FORBIDDEN)
def test_layer_imports_nothing_above_it(layer):
    files = sorted((PACKAGE / layer).rglob("*.py"))
    assert files
    wrong = {
        f"{file.relative_to(PACKAGE)} imports {name}"
        for file in files
        for name in imports(file)
        for forbidden in FORBIDDEN[layer]
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
