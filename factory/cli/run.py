"""`factory run`: one DAG in the foreground, after the datasets that it lacks."""

import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Self

import psutil
import typer
from rich.markup import escape

from factory.cli.console import console, errors, failed, failures_explained, plain_table
from factory.cli.options import ProjectOption
from factory.cli.project import dag_of, healthy_team, platform_of
from factory.cli.sample import begin_sample, check_sample
from factory.cli.storage import check_storage
from factory.runtime import foreground
from factory.runtime.home import Home
from factory.runtime.lake_access import reaching
from factory.runtime.recorded_runs import RecordedRuns, in_foreground
from factory.runtime.signals import StopSignals

if TYPE_CHECKING:
    from factory.catalog import Project

_MARKS = {
    "running": "…",
    "success": "[green]✓[/]",
    "skipped": "[yellow]-[/]",
    "failed": "[red]✗[/]",
}


def run(
    name: Annotated[
        str,
        typer.Argument(
            help="A dataset, a model (which is trained), or a DAG.", metavar="TEAM.NAME"
        ),
    ],
    project: ProjectOption = Path(),
    param: Annotated[
        list[str] | None,
        typer.Option(
            help="One of the DAG's params, as in Airflow's Trigger; may be given several times.",
            metavar="NAME=VALUE",
            show_default="",
        ),
    ] = None,
    snapshot: Annotated[
        list[str] | None,
        typer.Option(
            help="The version of a dataset to read instead of the newest one; may be given several times.",
            metavar="TEAM.DATASET=VERSION",
            show_default="",
        ),
    ] = None,
    sample: Annotated[
        int | None,
        typer.Option(
            help="Try it out on the first rows of each source, in a lake and an MLflow of its own.",
            metavar="ROWS",
            min=1,
            show_default="",
        ),
    ] = None,
) -> None:
    """Run one DAG here and now, without a scheduler; datasets that it lacks are produced first.

    Everything else is as in Airflow: the same tasks, lake and MLflow.
    """
    from factory.catalog import read_all
    from factory.team.environment import active_environment

    home = project.resolve()
    runtime_home = Home.of(home)
    configs = home / "configs"
    read = read_all(configs, active_environment())
    dag_id = dag_of(healthy_team(read, configs, name.partition(".")[0]), name)
    params = _params(read, home, dag_id, param or (), snapshot or ())
    if sample is not None:
        if snapshot:
            raise failed("--snapshot names versions of the lake, of which --sample has none")
        check_sample(read, [dag_id])
        runtime_home = begin_sample(home, sample)
    with failures_explained():
        check_storage(home)
        dag_ids = [*missing_datasets(read, home, dag_id), dag_id]
    if sample is not None:
        check_sample(read, dag_ids)
    if len(dag_ids) > 1:
        console.print(f"Nothing published yet, so first: {', '.join(dag_ids[:-1])}")
    with failures_explained(), StopSignals() as signals:
        outcomes = _run_all(home, runtime_home, dag_ids, params, signals.pause)
    console.print()
    console.print(_table(outcomes))
    if [outcome["state"] for outcome in outcomes] != ["success"] * len(dag_ids):
        raise typer.Exit(1)


def _params(
    read: "Project", project: Path, dag_id: str, written: Sequence[str], snapshots: Sequence[str]
) -> dict[str, Any]:
    """What is written behind `--param` and `--snapshot`, as the params of a DAG.

    Raises:
        typer.Exit: The DAG has no such param, or reads no such dataset.
    """
    import yaml

    from factory.base.texts import did_you_mean

    known = _params_of(read, project, dag_id)
    params: dict[str, Any] = {}
    for each in written:
        name, equals, value = each.partition("=")
        if not equals:
            raise failed(f"--param {each}: write NAME=VALUE")
        if name not in known:
            there = f"it has {', '.join(known)}" if known else "it has none"
            raise failed(f"{dag_id} has no param {name!r}: {did_you_mean(name, known, there)}")
        try:
            params[name] = yaml.safe_load(value)
        except yaml.YAMLError:
            raise failed(
                f"--param {name}: {value!r} is no value of YAML; put it in quotes"
            ) from None
    reads = _inputs(read, dag_id)
    for each in snapshots:
        dataset, equals, number = each.rpartition("=")
        if not equals or not number.isdecimal():
            raise failed(
                f"--snapshot {each}: write TEAM.DATASET=VERSION, such as marine.penguins=3"
            )
        if dataset not in reads:
            there = f"it reads {', '.join(reads)}" if reads else "it reads no dataset"
            raise failed(
                f"{dag_id} does not read {dataset!r}: {did_you_mean(dataset, reads, there)}"
            )
        params["versions"] = {**(params.get("versions") or {}), dataset: int(number)}
    return params


def _params_of(read: "Project", project: Path, dag_id: str) -> list[str]:
    from factory.documents.compile import compile_one
    from factory.documents.installation import Installation

    team = read.catalog.teams[dag_id.partition(".")[0]].team
    document = compile_one(team, dag_id, Installation.of(read.platform, project)) or {}
    return list(document.get("params") or ())


def missing_datasets(read: "Project", project: Path, dag_id: str) -> list[str]:
    """The DAGs of all datasets without a snapshot that a DAG needs, producers first."""
    from factory.documents.compile import producer_id
    from factory.documents.installation import Installation
    from factory.lake.snapshot import NoSnapshotError
    from factory.lake.table import Lake

    installation = Installation.of(read.platform, project)
    order: dict[str, None] = {}

    def visit(inputs: Iterable[str], lake: Lake) -> None:
        for dataset in inputs:
            try:
                lake.newest(dataset)
            except NoSnapshotError:
                team, _, name = dataset.partition(".")
                producer = producer_id(read.catalog.teams[team].team, name)
                visit(_inputs(read, producer), lake)
                order[producer] = None

    with reaching(installation, project):
        visit(_inputs(read, dag_id), Lake(installation.storage))
    return list(order)


def _inputs(read: "Project", dag_id: str) -> list[str]:
    from factory.base.section import qualify
    from factory.documents.deployment import deployment_id
    from factory.documents.prediction import prediction_id

    team, name = dag_id.split(".")[:2]
    config = read.catalog.teams[team].team
    reads: Sequence[str] = ()
    if name in config.datasets:
        reads = config.datasets[name].inputs
    elif name in config.models and dag_id != deployment_id(team, name):
        model = config.models[name]
        predicts = dag_id == prediction_id(team, name)
        reads = model.prediction_reads if predicts else model.train_on.datasets
    return [qualify(reference, team) for reference in reads]


def _run_all(
    project: Path,
    home: Home,
    dag_ids: list[str],
    params: Mapping[str, Any],
    pause: Callable[[float], None],
) -> list[dict[str, Any]]:
    """Run the DAGs one after the other, showing their tasks; what each run came to."""
    logs = home.logs
    # Of its own: two may run beside one another, where a factory is up.
    log, report = logs / "run.log", logs / f"run-{os.getpid()}.jsonl"
    logs.mkdir(parents=True, exist_ok=True, mode=0o700)
    for left in logs.glob("run-*.jsonl"):
        if not psutil.pid_exists(int(left.stem.rpartition("-")[2])):
            left.unlink(missing_ok=True)
    report.write_text("", encoding="utf-8")
    outcomes: list[dict[str, Any]] = []
    with Progress() as progress, report.open(encoding="utf-8") as lines:

        def show() -> None:
            outcomes.extend(progress.shown(lines))

        def watch(seconds: float) -> None:
            pause(seconds)
            show()

        remove_what_killed_runs_left(project, home)
        with (
            in_foreground(home),
            foreground.tracking(project, home, pause, on_wait=console.print) as variables,
        ):
            foreground.migrate(home, variables, log, pause)
            program = [sys.executable, "-P", "-m", "factory.airflow.run_dags", str(report)]
            command = [*program, json.dumps(params), *dag_ids]
            code = foreground.run(command, variables, log, watch)
            show()
    if code and not any(outcome["state"] != "success" for outcome in outcomes):
        errors.print(f"[bold red]error:[/] the run ended with exit code {code}: see {log}")
        raise typer.Exit(1)
    console.print(f"[dim]Logs: {log}[/]", highlight=False)
    return outcomes


def remove_what_killed_runs_left(project: Path, home: Home) -> None:
    """Remove the workspaces of earlier `factory run`s that were killed, unless one is at work."""
    from factory.cleaning.leftover import clean
    from factory.cleaning.old_workspaces import workspaces
    from factory.documents.installation import Installation

    recorded, own = RecordedRuns(home), str(home.foreground.airflow)

    def is_live(dag_id: str, run_id: str, airflow_home: str | None) -> bool | None:
        return recorded.is_live(dag_id, run_id, airflow_home) if airflow_home == own else None

    root = Path(Installation.of(platform_of(project).config, project).workspace)
    found = workspaces(root.glob("*/*"), is_live, now=time.time(), grace=0)
    clean("workspaces", found, dry_run=False)


class Progress:
    """A line for each task that has ended, and on a terminal what is at work just now."""

    def __init__(self) -> None:
        start = "MLflow and Airflow's database …"
        self._status = console.status(start)
        if not console.is_terminal:
            console.print(start)

    def __enter__(self) -> Self:
        self._status.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._status.stop()

    def shown(self, lines: Iterable[str]) -> Iterator[dict[str, Any]]:
        """Print what tasks do; yield what runs came to."""
        for line in lines:
            entry = json.loads(line)
            if "task" not in entry:
                yield entry
                continue
            if entry["state"] == "running":
                self._status.update(f"{escape(entry['dag_id'])} [bold]{escape(entry['task'])}[/] …")
                continue
            console.print(
                f"  {_MARKS.get(entry['state'], entry['state'])} {escape(entry['dag_id'])} "
                f"[bold]{escape(entry['task'])}[/]",
                highlight=False,
            )
            if entry["error"]:
                console.print(
                    f"    [red]{escape(entry['error'])}[/]", soft_wrap=True, highlight=False
                )


def _table(outcomes: list[dict[str, Any]]) -> Any:
    table = plain_table("DAG", "state", "result")
    for outcome in outcomes:
        table.add_row(outcome["dag_id"], outcome["state"], _result(outcome["result"]))
    return table


def _result(result: dict[str, Any] | None) -> str:
    if not result:
        return ""
    if "registered" in result:
        return _of_entities(result)
    if "trials" not in result:
        by = f" by {result['model']} {result['model_version']}" if "model_version" in result else ""
        return f"snapshot {result['version']}, {result['rows']:,} rows{by}"
    tested = result["test_score"]
    test = f", test {tested:.4f}" if tested is not None else ""
    outcome = ""
    if "promoted" in result:
        word = "in production" if result["promoted"] else "not promoted"
        outcome = f"\n{word}: {result['reason']}"
    return (
        f"{result['model']} version {result['version']}: {result['best_trial']}, best of "
        f"{result['trials']} trials, {result['metric']} {result['score']:.4f}{test}{outcome}"
    )


def _of_entities(result: dict[str, Any]) -> str:
    lines = [f"{result['model']}: new versions of {result['registered']} models"]
    lines += [f"{entity} has failed: {why}" for entity, why in result["failed"].items()]
    return "\n".join([*lines, *([result["reason"]] if "reason" in result else [])])
