"""What a sweep costs beside scikit-learn's own search: the same rows, candidates, split sizes and cores.

`python -m benchmarks.sweep` starts `factory up` for a project of its own and trains two models: one of 64 trials of about
a second, one of 200 trials of some milliseconds. Beside each stands `GridSearchCV(n_jobs=2)` in a process of its own,
whose imports count, as they do for a person. Both in one run, one after the other.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from rich.console import Console
from rich.table import Table

from factory.runtime.airflow_api import AirflowClient
from factory.runtime.ports import Ports
from factory.starter_project.project_files import dag_files

_PATIENCE = 1_200.0
_ROWS = 4_000
_FEATURES = 12

DEFAULTS = """\
version: 1
storage: .factory/lake
workspace: .factory/workspace
data_folders: [data]
python_packages: [sklearn]
models: {search: {parallel_trials: 2, max_trials: 200}}
"""

TEAM = """\
version: 1
team: bench
owner: bench@example.org
datasets:
  rows:
    source: {{type: csv, path: data/rows.csv}}
models:
{models}"""

MODEL = """\
  {name}:
    task: classification
    train_on: rows
    target: side
    schedule: none
    split: {{test: 0.2, validation: 0.2, seed: 7}}
    search:
      strategy: grid
      candidates: [{{estimator: {estimator}, params: {params}}}]
    objective: {{metric: accuracy}}
    promotion: {{beat_champion: false}}
"""


@dataclass(frozen=True)
class Sweep:
    """A model with its trials."""

    name: str
    estimator: str
    params: Mapping[str, Any]
    trials: int


def write_rows(file: Path) -> None:
    """Rows of two classes that only a part of the features tell, always the same ones."""
    from sklearn.datasets import make_classification

    features, side = make_classification(_ROWS, _FEATURES, n_informative=6, random_state=7)
    names = [f"x{number}" for number in range(_FEATURES)]
    lines = [",".join([*names, "side"])]
    for row, value in zip(features, side, strict=True):
        numbers = [f"{number:.6f}" for number in row]
        lines.append(",".join([*numbers, "left" if value else "right"]))
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("\n".join(lines) + "\n")


def sweeps() -> list[Sweep]:
    """The two sweeps; trees enough for a fit of about a second on this machine."""
    from sklearn.datasets import make_classification
    from sklearn.ensemble import RandomForestClassifier

    features, side = make_classification(
        int(0.6 * _ROWS), _FEATURES, n_informative=6, random_state=7
    )
    begun = time.perf_counter()
    RandomForestClassifier(n_estimators=40, random_state=0, n_jobs=1).fit(features, side)
    trees = max(10, round(40 / (time.perf_counter() - begun)))
    forest = "sklearn.ensemble.RandomForestClassifier"
    return [
        Sweep(
            "seconds",
            forest,
            {"n_estimators": trees, "random_state": list(range(64)), "n_jobs": 1},
            64,
        ),
        Sweep(
            "quick",
            "sklearn.tree.DecisionTreeClassifier",
            {"max_depth": list(range(2, 12)), "min_samples_leaf": list(range(1, 21))},
            200,
        ),
    ]


GRID_SEARCH = """\
import json, sys, time
begun = time.perf_counter()
from importlib import import_module
import numpy as np, pandas as pd
from sklearn.impute import SimpleImputer
from sklearn.model_selection import GridSearchCV, ShuffleSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

file, path, params = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
rows = pd.read_csv(file)
rows = rows.sample(frac=0.8, random_state=7)
module, _, name = path.rpartition(".")
estimator = getattr(import_module(module), name)()
step = name.lower()
grid = {f"{step}__{key}": value if isinstance(value, list) else [value] for key, value in params.items()}
search = GridSearchCV(
    make_pipeline(SimpleImputer(), StandardScaler(), estimator),
    grid, cv=ShuffleSplit(1, test_size=0.25, random_state=7), n_jobs=2, refit=False, scoring="accuracy",
)
search.fit(rows.drop(columns="side"), rows["side"])
print(json.dumps({"seconds": time.perf_counter() - begun, "trials": len(search.cv_results_["params"]),
                  "fit": float(np.mean(search.cv_results_["mean_fit_time"]))}))
"""


def grid_search(project: Path, sweep: Sweep) -> dict[str, float]:
    """What `GridSearchCV` takes, the start of its process included."""
    begun = time.perf_counter()
    done = subprocess.run(
        [
            *(sys.executable, "-c", GRID_SEARCH, str(project / "data" / "rows.csv")),
            *(sweep.estimator, json.dumps(sweep.params)),
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, float] = json.loads(done.stdout)
    if found["trials"] != sweep.trials:
        raise RuntimeError(f"GridSearchCV made {found['trials']} trials, not {sweep.trials}")
    return {"seconds": time.perf_counter() - begun, "fit_seconds": found["fit"]}


@contextmanager
def running(project: Path, ports: Ports) -> Iterator[subprocess.Popen[bytes]]:
    """`factory up`, stopped on leaving."""
    command = Path(sys.executable).with_name("factory")
    output = project / "up.log"
    with output.open("wb") as log:
        process = subprocess.Popen(
            [
                *(str(command), "up", "--project", str(project), "--unpause"),
                *("--port", str(ports.airflow), "--mlflow-port", str(ports.mlflow)),
            ],
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        deadline = time.monotonic() + _PATIENCE
        while "Ctrl-C stops everything" not in output.read_text():
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"factory up did not start:\n{output.read_text()}")
            time.sleep(0.2)
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=60)


def cpu_seconds(process: subprocess.Popen[bytes]) -> float:
    """What `factory up` and all that it has started have used, tasks that have ended included."""
    family = psutil.Process(process.pid)
    return sum(sum(one.cpu_times()[:4]) for one in (family, *family.children(recursive=True)))


def trained(airflow: AirflowClient, sweep: Sweep) -> dict[str, float]:
    """The seconds of a training run's parts."""
    dag_id = f"bench.{sweep.name}.train"
    started = airflow.trigger(dag_id)
    run = airflow.wait_for_run(dag_id, started.dag_run_id, seconds=_PATIENCE)
    if run.state != "success":
        raise RuntimeError(f"{dag_id} ended as {run.state}")
    tasks = airflow.tasks(dag_id, run.dag_run_id)

    def at(name: str, *, end: bool = False) -> float:
        times = [(one.end_date if end else one.start_date) for one in tasks if one.task_id == name]
        return (max if end else min)(time.timestamp() for time in times if time is not None)

    return {
        "sweep": at("select_best", end=True) - at("plan_trials"),
        "first_trial": at("trial") - at("inputs"),
        "whole": at("close_workspace", end=True) - at("open_workspace"),
        "tasks": float(sum(one.task_id == "trial" for one in tasks)),
    }


def measure(folder: Path, console: Console) -> dict[str, float]:
    """Both sweeps, ours and scikit-learn's."""
    project = folder / "project"
    write_rows(project / "data" / "rows.csv")
    both = sweeps()
    models = "".join(
        MODEL.format(name=one.name, estimator=one.estimator, params=json.dumps(one.params))
        for one in both
    )
    files = {
        **dag_files(),
        "configs/_defaults.yaml": DEFAULTS,
        "configs/bench.yaml": TEAM.format(models=models),
    }
    for name, text in files.items():
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text(text)
    figures: dict[str, float] = {}
    ports = Ports.free()
    with running(project, ports) as process, AirflowClient(ports.airflow_url) as airflow:
        published = airflow.trigger("bench.rows")
        airflow.wait_for_run("bench.rows", published.dag_run_id, seconds=_PATIENCE)
        for sweep in both:
            before = cpu_seconds(process)
            with console.status(f"{sweep.trials} trials in Airflow"):
                parts = trained(airflow, sweep)
            used = cpu_seconds(process) - before
            figures |= {f"sweep_{sweep.trials}_{name}": value for name, value in parts.items()}
            figures[f"sweep_{sweep.trials}_cpu"] = used
    for sweep in both:
        with console.status(f"{sweep.trials} trials in GridSearchCV"):
            found = grid_search(project, sweep)
        figures |= {f"grid_search_{sweep.trials}_{name}": each for name, each in found.items()}
        ours, theirs = figures[f"sweep_{sweep.trials}_sweep"], found["seconds"]
        figures[f"sweep_{sweep.trials}_ratio"] = ours / theirs
        figures[f"sweep_{sweep.trials}_extra_s"] = ours - theirs
    return figures


def table(figures: Mapping[str, float], counts: Sequence[int] = (64, 200)) -> Table:
    """What was measured, for people."""
    shown = Table(title="A sweep beside GridSearchCV(n_jobs=2), seconds")
    for column in ("", *(f"{count} trials" for count in counts)):
        shown.add_column(column, justify="right" if column else "left")
    rows = {
        "one fit": "grid_search_{}_fit_seconds",
        "GridSearchCV": "grid_search_{}_seconds",
        "plan_trials to select_best": "sweep_{}_sweep",
        "the whole training": "sweep_{}_whole",
        "inputs to first trial": "sweep_{}_first_trial",
        "processor, all of factory up": "sweep_{}_cpu",
        "instances of the task trial": "sweep_{}_tasks",
        "ratio to GridSearchCV": "sweep_{}_ratio",
    }
    for name, key in rows.items():
        shown.add_row(name, *(f"{figures[key.format(count)]:.2f}" for count in counts))
    return shown


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sweep", description=__doc__)
    parser.add_argument("--output", type=Path, default=Path(".factory/bench-sweep.json"))
    arguments = parser.parse_args()
    for name in [name for name in os.environ if name.startswith(("FACTORY_", "AIRFLOW_"))]:
        del os.environ[name]
    console = Console()
    with tempfile.TemporaryDirectory(prefix="factory-bench-") as folder:
        figures = measure(Path(folder), console)
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    arguments.output.write_text(json.dumps(figures, indent=2, sort_keys=True) + "\n")
    console.print(table(figures))
    console.print(f"Written to {arguments.output}.")


if __name__ == "__main__":
    main()
