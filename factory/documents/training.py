"""A model's training document: split, sweep, best, test, register, gate, promotion."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

from factory.base.section import qualify
from factory.documents import dag
from factory.documents.dag import Dag, Task, Tasks, following
from factory.documents.installation import Installation
from factory.documents.resources import with_resources
from factory.documents.schedules import Start, assets, drift_asset, model_asset, or_when, schedule
from factory.documents.team_dag import (
    OPEN_WORKSPACE,
    after_tasks,
    dump,
    notify,
    team_dag,
    transforms,
    with_workspace,
)
from factory.models.promotion import Approval
from factory.team.team import TeamConfig
from factory.training.entities import Entities
from factory.training.model import Model
from factory.training.search.strategy import task_of_wave

START_TRAINING = "start_training"
STOP_TRAINING = "stop_training"
_INPUTS = "training.inputs"
_ASKED = "ti.xcom_pull(task_ids='gate', key='approval')"


def training_id(team: str, model: str) -> str:
    """The id of the DAG that trains a model."""
    return f"{team}.{model}.train"


def training_document(team: TeamConfig, name: str, installation: Installation) -> Dag:
    """The consumer DAG `<team>.<name>.train`."""
    model = team.models[name]
    full_name = f"{team.team}.{name}"
    reads = tuple(qualify(reference, team.team) for reference in model.train_on.datasets)
    tasks = (
        *_before_the_trials(model, reads, installation),
        *_trials(model),
        *_after_the_trials(model),
        *_promotion(team, model, full_name),
    )
    if model.entities is not None:
        tasks = tuple(map(_for_each_entity, tasks))
    tasks = with_resources(tasks, model.resources, users=model.tasks_with_rows)
    return team_dag(
        team,
        model,
        description=model.description or f"Trains the model {full_name}.",
        doc=_doc(full_name, model, reads),
        start=_start(team, model, full_name, installation),
        tags=("model", "training"),
        params=("versions",),
        shared=installation.shared(
            verify=model.verify,
            model=full_name,
            reads=reads,
            section=_section(model, installation),
            price=_price(model, installation),
        ),
        tasks=with_workspace(tasks, installation, module="training"),
        # One of the two is skipped.
        own=after_tasks(
            team,
            model,
            installation,
            ("promote", "keep_champion"),
            trigger_rule="none_failed_min_one_success",
        ),
    )


def _for_each_entity(task: Task) -> Task:
    """The task as one of a model with `entities`, which does the same for each of them."""
    # The snapshots of a run are the same for all, and an operator without a function is as it is.
    return task if task.call in (None, _INPUTS) else replace(task, call=f"entities.{task.name}")


def _start(team: TeamConfig, model: Model, full_name: str, installation: Installation) -> Start:
    scheduled = schedule(model.when, team, installation)
    if model.monitor is not None and model.monitor.retrains:
        return or_when(scheduled, drift_asset(full_name))
    return scheduled


def _section(model: Model, installation: Installation) -> dict[str, Any]:
    """The model's section without what only says when, and what becomes of the model."""
    section = model.as_trained("backend")
    if model.transforms:
        section["transforms"] = transforms(model.transforms, installation)
    return section


def _price(model: Model, installation: Installation) -> float | None:
    priced_as = None if model.backend is None else model.backend.priced_as
    return None if priced_as is None else installation.prices.get(priced_as)


def _before_the_trials(model: Model, reads: tuple[str, ...], installation: Installation) -> Tasks:
    read = assets(reads, installation)
    inputs = Task("inputs", _INPUTS, inlets=read)
    if model.retrain_when is None:
        return (inputs, Task("split", "training.split", ("inputs",), inlets=read), _PLAN_TRIALS)
    rules = {"rules": dump(model.retrain_when)}
    return (
        inputs,
        Task("retrain", "promotion.retrain", ("inputs",), dag.SHORT_CIRCUIT, rules),
        Task("split", "training.split", ("retrain",), inlets=read),
        _PLAN_TRIALS,
    )


_PLAN_TRIALS = Task("plan_trials", "training.plan_trials", ("split",), dag.TRACKED)


def _trials(model: Model) -> Tasks:
    """The mapped task of the trials; with a `backend`, it waits for jobs that train them.

    The jobs' setup comes after `plan_trials`, for it reckons what all trials may cost; the teardown
    stops whatever is at work still once all trials have ended, however.
    """
    options = {
        "map_index_template": "{{ task.op_kwargs['batch']['name'] }}",
        "max_active_tis_per_dagrun": model.search.parallel_trials,
    }
    planned = _PLAN_TRIALS.name
    trial = Task("trial", "training.trial", (planned,), dag.TRACKED, options=options, over=planned)
    if model.backend is None:
        return (trial, *_later_waves(trial, model))
    trial = replace(trial, call="jobs.trial", type=dag.TRAINING_JOB)
    # After the workspace's setup too: it has succeeded where this one has failed half-way, and
    # Airflow runs a teardown if one of its setups has succeeded.
    to_stop = (OPEN_WORKSPACE, START_TRAINING, trial.name)
    return (
        Task(START_TRAINING, f"jobs.{START_TRAINING}", (planned,), dag.SETUP),
        following(trial, START_TRAINING),
        Task(STOP_TRAINING, f"jobs.{STOP_TRAINING}", to_stop, dag.TEARDOWN),
    )


def _later_waves(trial: Task, model: Model) -> Iterator[Task]:
    """The planning and the trials of each wave after the first; a loop, once Airflow has some."""
    before = trial.name
    for wave in range(2, model.search.wave_count + 1):
        plan, name = (task_of_wave(task.name, wave) for task in (_PLAN_TRIALS, trial))
        yield Task(
            plan,
            "training.plan_wave",
            (before,),
            dag.TRACKED,
            {"wave": wave},
            options=_once_trials_have_ended(model),
        )
        yield replace(trial, name=name, after=(plan,), over=plan)
        before = name


def _once_trials_have_ended(model: Model) -> dict[str, str]:
    # An entity whose trials fail does not keep the others from going on.
    if model.search.max_failed_trials or model.entities is not None:
        return {"trigger_rule": "all_done"}
    # Of a wave that finds nothing new, the trials are skipped; and those for which there is no time.
    may_be_skipped = model.search.wave_count > 1 or model.search.max_minutes is not None
    return {"trigger_rule": "none_failed"} if may_be_skipped else {}


def _after_the_trials(model: Model) -> Tasks:
    winner, again = "select_best", "refit"
    last = task_of_wave("trial", model.search.wave_count)
    return (
        Task(winner, "training.select_best", (last,), options=_once_trials_have_ended(model)),
        *((Task(again, "training.refit", (winner,)),) if model.refits else ()),
        Task("test", "training.test", (again if model.refits else winner,)),
        Task("register", "training.register", ("test",), dag.TRACKED),
    )


def _promotion(team: TeamConfig, model: Model, full_name: str) -> Tasks:
    """The tasks after `register`; exactly one of `promote` and `keep_champion` comes to success."""
    rules = model.promotion
    asks = rules.approval if rules.needs_approval else None
    # Without an approval being asked for, `approve` is skipped, and what follows goes on.
    options = {"trigger_rule": "none_failed_min_one_success"} if asks else {}
    return (
        Task("gate", "promotion.gate", ("register",), dag.BRANCH, {"promotion": dump(rules)}),
        *((_approve(asks),) if asks else ()),
        Task(
            "promote",
            "promotion.promote",
            ("gate", "approve") if asks else ("gate",),
            dag.TRACKED,
            outlets=(model_asset(full_name),),
            options={**options, **notify("on_promotion", team, model)},
        ),
        # A rejection skips all that follows `approve` directly. So the way to keep the champion leads
        # past `promote`: it is taken once that is skipped, and a `promote` that fails fails the run.
        Task(
            "keep_champion",
            "promotion.keep_champion",
            ("gate", "promote") if asks else ("gate",),
            dag.TRACKED,
            options={**options, **notify("on_kept_champion", team, model)},
        ),
    )


def _approve(approval: Approval) -> Task:
    """Airflow's human-in-the-loop operator, which waits without occupying a worker."""
    options: dict[str, Any] = {
        "subject": f"{{{{ {_ASKED}['subject'] }}}}",
        "body": f"{{{{ {_ASKED}['body'] }}}}",
        "response_timeout": timedelta(seconds=approval.response_timeout),
        "defaults": "Approve" if approval.on_timeout == "approve" else "Reject",
    }
    if approval.assignees:
        options["assigned_users"] = [{"id": user, "name": user} for user in approval.assignees]
    return Task("approve", None, ("gate",), dag.APPROVAL, options=options)


def _doc(full_name: str, model: Model, reads: tuple[str, ...]) -> list[str]:
    return [
        *(f"### Training of `{full_name}`", "", model.description.strip(), ""),
        f"* task: {model.task_in_words}",
        *(f"* trains on: `{name}`" for name in reads),
        f"* search: {model.search.strategy}, at most {model.search.parallel_trials} at once",
        *([f"* trials train as jobs: {model.backend.type}"] if model.backend else []),
        *(_of_each_entity(full_name, model.entities) if model.entities else []),
        f"* objective: {model.goal} `{model.objective.metric}`",
        *(
            ["* the winner is trained once more, on training and validation rows"]
            if model.refits
            else []
        ),
        f"* MLflow: experiment and registered model `{full_name}`",
    ]


def _of_each_entity(full_name: str, entities: Entities) -> list[str]:
    answers = f"`{full_name}`, of all rows" if entities.fallback == "all" else "nothing"
    return [
        f"* a model `{full_name}.<value>` for each value of `{entities.column}` with {entities.min_rows} rows",
        f"* for other rows: {answers}",
    ]
