"""The house's floors: imports run one way, and what is light stays light."""

import ast
import graphlib
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "factory"

ABOVE = ("factory.airflow", "factory.cli", "factory.runtime")
"""Rooms that the rooms of the subjects know nothing of."""

# What each room may not import, at module level or inside a function; `airflow` and `dagfactory`
# have a test of their own.
FORBIDDEN = {
    "base": ("mlflow", "sklearn"),
    "team": ("mlflow", "factory.catalog", "factory.documents", *ABOVE),
    "catalog": ("mlflow", "factory.documents", "factory.lake", *ABOVE),
    "documents": ("mlflow", "factory.catalog", *ABOVE),
    "changes": ("mlflow", "factory.lake", *ABOVE),
    "lake": ("mlflow", "sklearn", "factory.documents", "factory.models", *ABOVE),
    "data": ("mlflow", "factory.catalog", "factory.documents", *ABOVE),
    "training": ("factory.catalog", "factory.documents", *ABOVE),
    "trainers": ("factory.catalog", "factory.documents", "factory.lake", *ABOVE),
    "cleaning": ("factory.catalog", "factory.documents", *ABOVE),
    "models": ("factory.catalog", "factory.documents", *ABOVE),
    "monitoring": ("factory.catalog", "factory.documents", *ABOVE),
    "serving": ("factory.catalog", "factory.deploy", "factory.documents", "factory.lake", *ABOVE),
    "deploy": ("factory.catalog", "factory.documents", *ABOVE),
    "notifiers": ("mlflow", "factory.catalog", "factory.documents", *ABOVE),
    "provenance": ABOVE,
    "status": ABOVE,
    "page": ("factory.cli", "factory.airflow"),
    "airflow": ("factory.cli", "factory.runtime"),
    "runtime": ("mlflow", "factory.cli", "factory.training"),
    "diagnosis": ("mlflow", "factory.cli"),
    "cli": (),
    "starter_project": ("mlflow", "factory.documents", "factory.models", *ABOVE),
    "testing": ("mlflow", "factory.documents", "factory.models", *ABOVE),
    "scenarios": ("factory.cli", "factory.airflow"),
}


def module_of(file: Path) -> str:
    name = ".".join(("factory", *file.relative_to(PACKAGE).with_suffix("").parts))
    return name.removesuffix(".__init__")


def imports(file: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module)
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
    return found


@cache
def all_imports() -> dict[Path, set[str]]:
    """What each file of the package imports."""
    return {file: imports(file) for file in sorted(PACKAGE.rglob("*.py"))}


def is_below(name: str, package: str) -> bool:
    return name == package or name.startswith(f"{package}.")


def importers(package: str) -> set[str]:
    """The files that import a package, or anything in it."""
    return {
        str(file.relative_to(PACKAGE))
        for file, names in all_imports().items()
        if any(is_below(name, package) for name in names)
    }


def test_every_room_has_its_floor():
    rooms = {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").exists()}
    assert rooms == set(FORBIDDEN)


@pytest.mark.parametrize("room", FORBIDDEN)
def test_room_imports_nothing_above_it(room):
    wrong = {
        f"{file.relative_to(PACKAGE)} imports {name}"
        for file, names in all_imports().items()
        if file.is_relative_to(PACKAGE / room)
        for name in names
        for forbidden in FORBIDDEN[room]
        if is_below(name, forbidden)
    }
    assert wrong == set()


def test_base_imports_no_other_room():
    files = {name for name in importers("factory") if name.startswith("base/")}
    outside = {
        f"{name} imports {imported}"
        for name in files
        for imported in all_imports()[PACKAGE / name]
        if is_below(imported, "factory") and not is_below(imported, "factory.base")
    }
    assert outside - {f"{name} imports factory" for name in files} == set()


def test_nobody_imports_the_command_line():
    outside = {name for name in importers("factory.cli") if not name.startswith("cli/")}
    assert outside == {"__main__.py"}


def test_only_the_room_airflow_imports_airflow():
    outside = {name for name in importers("airflow") if not name.startswith("airflow/")}
    # The scheduler's wrapper becomes Airflow's scheduler: that is its purpose.
    assert outside == {"runtime/scheduler.py"}


def test_dag_factory_is_imported_in_build_only():
    assert importers("dagfactory") == {"airflow/build.py"}


def test_no_modules_import_each_other_in_a_circle():
    modules = {module_of(file): file for file in all_imports()}
    graph = {
        module: {
            name for name in all_imports()[file] if name in modules and not is_below(module, name)
        }
        for module, file in modules.items()
    }
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


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
            "from factory import kinds\n"
            "for family in kinds.FAMILIES.values(): assert kinds.builtin(family)"
        ),
        (
            "from pathlib import Path; from factory.catalog import check_project; "
            "assert check_project(Path('configs')) == []"
        ),
    ],
    ids=("catalog and documents", "command line", "kinds", "shipped project"),
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
