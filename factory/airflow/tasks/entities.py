"""The tasks of the training DAG of a model with `entities`: those of `training` and `promotion`, for each entity.

The steps are the same; they run for one entity after the other. What they return for each lies in the workspace,
and XComs have no more than what is to be known of all together.
"""

from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowSkipException

from factory.airflow.task_run import TaskRun

if TYPE_CHECKING:
    from factory.models.entity_gate import EntityGate
    from factory.training.entity_training import EntityTraining
    from factory.training.trial import Sweep

__all__ = [
    "gate",
    "keep_champion",
    "plan_trials",
    "promote",
    "register",
    "retrain",
    "select_best",
    "split",
    "test",
    "trial",
]

_NEXT = {"promote": "promote", "approve": "approve", "keep": "keep_champion"}


def retrain(*, run: TaskRun, rules: dict[str, Any]) -> bool:
    """Go on only if it is worth it, by the newest version of any entity; why is in the log and in the XCom `reason`."""
    from factory.airflow.tasks.promotion import is_worth_it
    from factory.models.entity_models import newest_version
    from factory.models.tracking import Tracking

    return is_worth_it(run, rules, newest_version(run.model_name, tracking=Tracking()))


def split(*, run: TaskRun) -> dict[str, Any]:
    """Find the entities, and divide the rows of each into train, validation or folds, and test."""
    from factory.training.entity_parts import EntityParts
    from factory.training.entity_rows import SPLIT, split_entities
    from factory.training.rows import model_rows
    from factory.training.trial import copy_trial_files

    model, folder = run.model, run.folder
    rows = model_rows(
        run.shared.reads, model.transforms, workspace=folder, lake=run.lake, versions=run.versions
    )
    found = split_entities(rows, model, folder, name=run.model_name)
    for part in EntityParts.of(folder).having(SPLIT, folder):
        copy_trial_files(model, run.project, part.folder(folder))
    return {"entities": found.as_json(), "reads": run.references}


def plan_trials(*, run: TaskRun) -> list[dict[str, Any]]:
    """Expand the search, and start the MLflow runs of all entities.

    Returns:
        What the mapped task is called with: a trial of an entity or, where these are more than Airflow maps over, all
        trials of an entity.
    """
    from airflow.sdk.configuration import conf

    from factory.airflow.tasks.training import say_origin
    from factory.training.kept_sweeps import forget_models_of_others

    forget_models_of_others(run.folder, run.model.packages)
    training = _training(run)
    whole, batches = training.plan(
        list(run.snapshots.values()), conf.getint("core", "max_map_length", fallback=1024)
    )
    run.link(training.tracking.run_page(whole.experiment_id, whole.parent_run_id))
    sweeps = (whole, *training.sweeps())
    say_origin(run, *(sweep.parent_run_id for sweep in sweeps))
    run.ti.xcom_push(key="sweep", value=whole.as_json())
    return [{"batch": batch.as_json()} for batch in batches]


def trial(*, run: TaskRun, batch: dict[str, Any]) -> dict[str, Any]:
    """Train one hyperparameter set of one entity, or all sets of some, measure them and log them to MLflow."""
    from factory.airflow.tasks.training import result_or_skip
    from factory.training.trial_batch import TrialBatch

    training = _training(run)
    found = training.train(TrialBatch.from_json(batch), run.ti.try_number)
    whole = _whole(run)
    run_id = found.mlflow_run_id or whole.parent_run_id
    run.link(training.tracking.run_page(whole.experiment_id, run_id))
    return result_or_skip(found)


def select_best(*, run: TaskRun) -> dict[str, int]:
    """Choose the best trial of each entity."""
    return _counted(_training(run).select_best(), run)


def test(*, run: TaskRun) -> dict[str, int]:
    """Measure the winner of each entity once, on rows that none of its trials has seen."""
    return _counted(_training(run).test(), run)


def register(*, run: TaskRun) -> dict[str, Any]:
    """Put the winner of each entity into MLflow's model registry.

    Returns:
        What a person wants to know of the run: how many models, which have failed, on what data.
    """
    training, whole = _training(run), _whole(run)
    done = training.register(whole)
    lines = _gate(run).write_table()
    run.link(training.tracking.run_page(whole.experiment_id, whole.parent_run_id))
    return {
        "model": run.model_name,
        "registered": len(done),
        "failed": lines.some_failed,
        "metric": run.model.objective.metric,
        "snapshots": run.versions,
        "mlflow_run_id": whole.parent_run_id,
    }


def gate(*, run: TaskRun, promotion: dict[str, Any]) -> str:
    """Compare the new version of each entity with its champion, on the same rows.

    Returns:
        The task to go on with.
    """
    from factory.models.entity_gate import question
    from factory.models.promotion import Promotion

    entities = _gate(run)
    decision = entities.decide(Promotion.model_validate(promotion))
    run.ti.xcom_push(key="decision", value=decision.as_json())
    if decision.verdict == "approve":
        asked = question(decision, entities.lines(), run.model_name, run.page)
        run.ti.xcom_push(key="approval", value=asked)
    return _NEXT[decision.verdict]


def promote(*, run: TaskRun, outlet_events: Any) -> dict[str, Any]:
    """Put the new versions into production that are better, and emit one event of the model's asset."""
    from factory.airflow.tasks.promotion import answer_of

    outcome, event = _gate(run).promote(
        answer_of(run), by=f"Airflow run {run.ti.run_id} of {run.ti.dag_id}"
    )
    _link_whole(run)
    outlet_events[run.ti.task.outlets[0]].extra = event
    return outcome.as_json()


def keep_champion(*, run: TaskRun) -> dict[str, Any]:
    """Leave all versions in production where they are, and say why.

    Raises:
        AirflowSkipException: New versions were promoted after all: their approval came.
    """
    from factory.airflow.tasks.promotion import answer_of

    answer = answer_of(run)
    if answer is not None and answer.approved:
        raise AirflowSkipException(f"{run.model_name}: {answer}, and promoted")
    _link_whole(run)
    return _gate(run).keep(answer).as_json()


def _training(run: TaskRun) -> "EntityTraining":
    from factory.airflow.masking import shown
    from factory.models.tracking import Tracking
    from factory.training.entity_training import EntityTraining

    return EntityTraining(run.model, run.folder, run.training_run, Tracking(), shown)


def _gate(run: TaskRun) -> "EntityGate":
    from factory.models.entity_gate import EntityGate
    from factory.models.tracking import Tracking

    return EntityGate(run.model, run.folder, Tracking(), run.model_name, _whole(run).parent_run_id)


def _whole(run: TaskRun) -> "Sweep":
    """The MLflow run of the whole training."""
    from factory.base.errors import TerminalError
    from factory.training.trial import Sweep

    found = run.result("plan_trials", "sweep")
    if found is None:
        raise TerminalError("`plan_trials` has started no trials: see its log")
    return Sweep.from_json(found)


def _link_whole(run: TaskRun) -> None:
    from factory.models.tracking import Tracking

    whole = _whole(run)
    run.link(Tracking().run_page(whole.experiment_id, whole.parent_run_id))


def _counted(done: list[Any], run: TaskRun) -> dict[str, int]:
    from factory.training.entity_parts import EntityParts

    return {"done": len(done), "of": len(EntityParts.of(run.folder).all)}
