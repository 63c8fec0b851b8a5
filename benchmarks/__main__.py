"""`make bench`: parse time and task start, ours beside dag-factory's loader and hand-written DAGs.

Figures go to the terminal and to a JSON file; docs/benchmarks.md says what they mean.
"""

import argparse
import json
import logging
import multiprocessing
import os
import tempfile
import warnings
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from benchmarks import report, teams
from benchmarks.jobs import Job, one_round


def main() -> None:
    """Generate the projects, measure, print, write."""
    arguments = _arguments()
    few, many = arguments.teams
    console = Console()
    with tempfile.TemporaryDirectory(prefix="factory-bench-") as folder:
        root = Path(folder)
        _prepare_environment(root / "airflow")
        with console.status("Generating the projects"):
            for size in (few, many):
                teams.generate(root / str(size), size)
        jobs = one_round(few, many, arguments.starts) * arguments.rounds
        samples = _measure(root, jobs, console)
    figures = report.figures(samples)
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    arguments.output.write_text(json.dumps(figures, indent=2, sort_keys=True) + "\n")
    console.print(*report.tables(figures, few, many))
    console.print(f"Written to {arguments.output}.")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--teams", type=int, nargs=2, default=[10, 1000], metavar=("FEW", "MANY"))
    parser.add_argument(
        "--rounds", type=int, default=3, help="in turn, so that a slow minute hits all alike"
    )
    parser.add_argument("--starts", type=int, default=3, help="starts of a task in each round")
    parser.add_argument("--output", type=Path, default=Path(".factory/bench.json"))
    return parser.parse_args()


def _prepare_environment(airflow_home: Path) -> None:
    """Measured processes inherit these; what a person has set for a project must not reach them."""
    for name in [name for name in os.environ if name.startswith(("FACTORY_", "AIRFLOW_"))]:
        del os.environ[name]
    os.environ |= {
        "AIRFLOW_HOME": str(airflow_home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "false",
        "AIRFLOW__DAG_FACTORY__ENABLE_TELEMETRY": "false",
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "WARNING",
        "PYTHONWARNINGS": "ignore",
    }
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)


def _measure(root: Path, jobs: list[Job], console: Console) -> report.Samples:
    """Milliseconds by job, one job after the other."""
    from benchmarks.parse import measure  # Airflow reads its environment when it is imported.

    samples: report.Samples = {job: [] for job in jobs}
    with Progress(console=console, transient=True) as progress, _fresh_processes() as processes:
        for job in progress.track(jobs, description="Measuring"):
            done = processes.submit(measure, job.contestant, root / str(job.teams), job.dag_id)
            measurement = done.result()
            if measurement.dags != job.dags:
                raise RuntimeError(f"{job} made {measurement.dags} DAGs instead of {job.dags}")
            samples[job].append(measurement.milliseconds)
    return samples


def _fresh_processes() -> ProcessPoolExecutor:
    """Runs each call in a new interpreter of its own, one after the other."""
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(max_workers=1, mp_context=context, max_tasks_per_child=1)


if __name__ == "__main__":
    main()
