"""What a task costs beside its work, and how soon a training begins once its data are published.

`python -m benchmarks.task_cost` starts `factory up` for a project of its own and publishes a dataset again and again; each
time a model is trained on it, with one trial of some milliseconds. A plug-in of Airflow's, which only this project has,
writes down the processor time of each task's process: the clock of a process starts with its fork.
"""

import argparse
import json
import os
import statistics
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.sweep import DEFAULTS, MODEL, running
from factory.runtime.airflow_api import AirflowClient
from factory.runtime.ports import Ports
from factory.starter_project.project_files import dag_files

_PATIENCE = 300.0
_TIMES = 20
_PUBLISHES, _TRAINS = "bench.rows", "bench.quick.train"

PLUGIN = """\
import json, os, time
from airflow.listeners import hookimpl
from airflow.plugins_manager import AirflowPlugin
from factory.airflow.operators import StepOperator

FILE = os.environ["BENCH_TASK_COST"]
execute = StepOperator.execute
clock = {}

def measured(self, context):
    clock["before"] = time.process_time()
    try:
        return execute(self, context)
    finally:
        clock["after"] = time.process_time()

StepOperator.execute = measured

class Ends:
    @hookimpl
    def on_task_instance_success(self, previous_state, task_instance):
        if clock:
            line = {"dag": task_instance.dag_id, "task": task_instance.task_id, **clock, "end": time.process_time()}
            with open(FILE, "a") as file:
                file.write(json.dumps(line) + "\\n")

class Measures(AirflowPlugin):
    name = "measures"
    listeners = [Ends()]
"""


def prepare(project: Path) -> None:
    """Write the project: a dataset, a model that is trained when it is published, and the plug-in."""
    model = MODEL.format(
        name="quick",
        estimator="sklearn.tree.DecisionTreeClassifier",
        params=json.dumps({"max_depth": 3}),
    ).replace("    schedule: none\n", "")
    team = (
        "version: 1\nteam: bench\nowner: bench@example.org\ndatasets:\n  rows:\n"
        f"    source: {{type: csv, path: data/rows.csv}}\nmodels:\n{model}"
    )
    files = {
        **dag_files(),
        "configs/_defaults.yaml": DEFAULTS,
        "configs/bench.yaml": team,
        ".factory/airflow/plugins/measures.py": PLUGIN,
    }
    for name, text in files.items():
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text(text)


def write_rows(file: Path, number: int) -> None:
    """Two hundred rows, other ones for each number."""
    lines = [f"{row},{(row * 7 + number) % 50},{'ab'[row % 2]}" for row in range(200)]
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("\n".join(["x,y,side", *lines]) + "\n")


def publish_and_train(airflow: AirflowClient, before: int) -> float:
    """Publish once; the seconds from the end of `publish` to the first trial's begin in the training that follows."""
    started = airflow.trigger(_PUBLISHES)
    airflow.wait_for_run(_PUBLISHES, started.dag_run_id, seconds=_PATIENCE)

    def begun() -> str | None:
        runs = airflow.runs(_TRAINS)
        return runs[-1].dag_run_id if len(runs) > before else None

    run_id = airflow.wait_until(begun, f"a run of {_TRAINS}", seconds=_PATIENCE)
    if airflow.wait_for_run(_TRAINS, run_id, seconds=_PATIENCE).state != "success":
        raise RuntimeError(f"{_TRAINS} {run_id} did not succeed")
    published = {one.task_id: one for one in airflow.tasks(_PUBLISHES, started.dag_run_id)}
    trained = {one.task_id: one for one in airflow.tasks(_TRAINS, run_id)}
    end, begin = published["publish"].end_date, trained["trial"].start_date
    if end is None or begin is None:
        raise RuntimeError(f"{_TRAINS} {run_id} has no trial")
    return (begin - end).total_seconds()


def figures(lines: Iterable[str], seconds: Sequence[float]) -> dict[str, float]:
    """Medians over the runs of each task, and the 95th percentile of the wait.

    Args:
        lines: What the plug-in wrote; the first run of each task is left out, which loads what later ones share.
        seconds: How long each training waited.
    """
    before, beside = defaultdict(list), defaultdict(list)
    for line in lines:
        one = json.loads(line)
        name = f"{one['dag'].rpartition('.')[2]}.{one['task']}"
        before[name].append(one["before"])
        beside[name].append(one["before"] + one["end"] - one["after"])
    of_tasks = {name: statistics.median(times[1:]) for name, times in before.items()}
    around = {name: statistics.median(times[1:]) for name, times in beside.items()}
    ordered = sorted(seconds)
    return {
        "fork_to_step_cpu_s": statistics.median(of_tasks.values()),
        "beside_step_cpu_s": statistics.median(around.values()),
        "event_to_first_trial_p50_s": statistics.median(ordered),
        "event_to_first_trial_p95_s": ordered[-(-95 * len(ordered) // 100) - 1],
        **{f"fork_to_step_cpu_s.{name}": value for name, value in sorted(of_tasks.items())},
        **{f"beside_step_cpu_s.{name}": value for name, value in sorted(around.items())},
    }


def measure(folder: Path, times: int) -> dict[str, float]:
    """Publish and train so many times."""
    project, written = folder / "project", folder / "task_cost.jsonl"
    prepare(project)
    write_rows(project / "data" / "rows.csv", 0)
    os.environ["BENCH_TASK_COST"] = str(written)
    ports = Ports.free()
    with running(project, ports), AirflowClient(ports.airflow_url) as airflow:
        seconds = []
        for number in track(range(times), "publications"):
            write_rows(project / "data" / "rows.csv", number)
            seconds.append(publish_and_train(airflow, before=number))
    return figures(written.read_text().splitlines(), seconds)


def table(found: Mapping[str, float]) -> Table:
    """What was measured, for people."""
    shown = Table("", "seconds", title="What a task costs beside its work")
    names = {
        "fork_to_step_cpu_s": "processor, from the fork to the step's first line, median of tasks",
        "beside_step_cpu_s": "processor, all but the step itself, median of tasks",
        "event_to_first_trial_p50_s": "from the event to the first trial, median",
        "event_to_first_trial_p95_s": "from the event to the first trial, 95th percentile",
    }
    for key, name in names.items():
        shown.add_row(name, f"{found[key]:.3f}")
    return shown


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.task_cost", description=__doc__)
    parser.add_argument("--times", type=int, default=_TIMES)
    parser.add_argument("--output", type=Path, default=Path(".factory/bench-task-cost.json"))
    arguments = parser.parse_args()
    for name in [name for name in os.environ if name.startswith(("FACTORY_", "AIRFLOW_"))]:
        del os.environ[name]
    with tempfile.TemporaryDirectory(prefix="factory-bench-") as folder:
        found = measure(Path(folder), arguments.times)
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    arguments.output.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    Console().print(table(found))


if __name__ == "__main__":
    main()
