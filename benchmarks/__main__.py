"""`make bench`: parse time and task start, ours beside dag-factory's loader and hand-written DAGs.

Every figure is the median of runs in fresh processes, taken in turn so that a slow minute of the
machine hits all contestants alike. Figures go to the terminal and to .factory/bench.json.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from benchmarks import teams
from factory.catalog import read_all
from factory.documents.compile import compile_team
from factory.documents.places import Places

RUNS = 5
SIZES = (10, 1000)
CONTESTANTS = ("ours", "dagfactory", "handwritten")


def main() -> None:
    """Generate the projects, measure, print, write."""
    console = Console()
    with tempfile.TemporaryDirectory(prefix="factory-bench-") as folder:
        root = Path(folder)
        projects = {size: _generate(root / str(size), size) for size in SIZES}
        _start_airflow_database(root)
        figures = _measure(root, projects, console)
    target = Path(".factory/bench.json")
    target.parent.mkdir(exist_ok=True)
    target.write_text(json.dumps(figures, indent=2, sort_keys=True) + "\n")
    console.print(_parse_table(figures), _task_table(figures))
    console.print(f"Written to {target}.")


def _generate(project: Path, size: int) -> Path:
    teams.write_configs(project / "configs", size)
    (project / "dags").mkdir()
    read = read_all(project / "configs", "dev")
    if read.problems:
        raise RuntimeError(f"the generated project has problems: {read.problems[0]}")
    places = Places.of(read.platform, project)
    documents = {name: compile_team(file.team, places) for name, file in read.teams.items()}
    teams.write_dagfactory(project / "dagfactory", documents)
    teams.write_handwritten(project / "handwritten", documents)
    return project


def _environment(root: Path) -> dict[str, str]:
    return {
        **os.environ,
        "AIRFLOW_HOME": str(root / "airflow"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "false",
        "AIRFLOW__DAG_FACTORY__ENABLE_TELEMETRY": "false",
        "PYTHONWARNINGS": "ignore",
    }


def _start_airflow_database(root: Path) -> None:
    """Let Airflow write its configuration once, so that no measured process has to."""
    subprocess.run(
        [sys.executable, "-c", "import airflow.configuration"],
        env=_environment(root),
        check=True,
        capture_output=True,
    )


def _run(root: Path, what: str, folder: Path, dag_id: str | None = None) -> tuple[float, int]:
    environment = _environment(root)
    if dag_id:
        environment["_AIRFLOW_PARSING_CONTEXT_DAG_ID"] = dag_id
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.parse", what, str(folder)],
        env=environment,
        check=True,
        capture_output=True,
        text=True,
    )
    line = json.loads(done.stdout.splitlines()[-1])
    return line["ms"], line["dags"]


def _folder(project: Path, contestant: str) -> Path:
    return project if contestant == "ours" else project / contestant


def _measure(root: Path, projects: dict[int, Path], console: Console) -> dict[str, float]:
    samples: dict[str, list[float]] = {}
    with Progress(console=console, transient=True) as progress:
        bar = progress.add_task("Measuring", total=RUNS * (len(CONTESTANTS) + 3 * len(SIZES)))
        for _ in range(RUNS):
            for contestant in CONTESTANTS:
                milliseconds, dags = _run(root, contestant, _folder(projects[1000], contestant))
                if dags != 2 * 1000:
                    raise RuntimeError(f"{contestant} built {dags} DAGs instead of 2000")
                samples.setdefault(f"parse_{contestant}", []).append(milliseconds / dags)
                progress.advance(bar)
            for size, project in projects.items():
                for contestant, kind, dag_id in _tasks(size):
                    value, _ = _run(root, contestant, _folder(project, contestant), dag_id)
                    samples.setdefault(f"task_{contestant}_{kind}_{size}", []).append(value)
                    progress.advance(bar)
    middle = {name: statistics.median(values) for name, values in samples.items()}
    figures = {
        "parse_ms_per_dag": middle["parse_ours"],
        "parse_ms_per_dag_dagfactory": middle["parse_dagfactory"],
        "parse_ms_per_dag_handwritten": middle["parse_handwritten"],
    }
    for size in SIZES:
        # The training DAG is the larger of the two.
        figures[f"task_start_ms_{size}_teams"] = middle[f"task_ours_training_{size}"]
        figures[f"task_start_ms_{size}_teams_dataset_dag"] = middle[f"task_ours_dataset_{size}"]
        figures[f"task_start_ms_{size}_teams_dagfactory"] = middle[
            f"task_dagfactory_training_{size}"
        ]
    return {name: round(value, 3) for name, value in figures.items()}


def _tasks(size: int) -> list[tuple[str, str, str]]:
    team = f"team_{size // 2:04}"
    training, dataset = f"{team}.progression.train", f"{team}.rows"
    return [
        ("ours", "training", training),
        ("ours", "dataset", dataset),
        ("dagfactory", "training", training),
    ]


def _parse_table(figures: dict[str, float]) -> Table:
    table = Table(title="Full parse of 1,000 teams (2,000 DAGs, 8 tasks each on average)")
    for column in ("", "ms a DAG", "ours is"):
        table.add_column(column, justify="left" if not column else "right")
    ours = figures["parse_ms_per_dag"]
    table.add_row("ours: read, link, compile, build", f"{ours:.2f}", "")
    for name, label in (
        ("dagfactory", "dag-factory's folder loader"),
        ("handwritten", "hand-written Python"),
    ):
        other = figures[f"parse_ms_per_dag_{name}"]
        table.add_row(label, f"{other:.2f}", f"{ours / other:.2f} x")
    return table


def _task_table(figures: dict[str, float]) -> Table:
    table = Table(title="Parse when one task starts, ms on top of imports")
    for column in ("", *(f"{size:,} teams" for size in SIZES)):
        table.add_column(column, justify="left" if not column else "right")
    for suffix, label in (
        ("", "ours, a training DAG"),
        ("_dataset_dag", "ours, a dataset DAG"),
        ("_dagfactory", "dag-factory's folder loader"),
    ):
        values = (figures[f"task_start_ms_{size}_teams{suffix}"] for size in SIZES)
        table.add_row(label, *(f"{value:,.1f}" for value in values))
    return table


if __name__ == "__main__":
    main()
