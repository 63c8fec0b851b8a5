"""The tasks of a model's training DAG."""

from pathlib import Path
from typing import Any

from factory.airflow.tasks import workspace as workspaces
from factory.airflow.tasks.inputs import chosen, inputs, references, versions
from factory.airflow.tasks.trigger import trigger_of, why
from factory.airflow.tasks.workspace import folder, open_workspace

__all__ = [
    "close_workspace",
    "evaluate",
    "fit",
    "inputs",
    "open_workspace",
    "plan_trials",
    "register",
    "select_best",
    "split",
    "test",
    "trial",
]


def split(
    *,
    datasets: list[str],
    config: dict[str, Any],
    storage: str,
    workspace: str,
    ti: Any,
    dag: Any,
) -> dict[str, Any]:
    """Divide the rows of the chosen snapshots into train, validation and test, once for all trials."""
    from factory.lake.table import Lake
    from factory.training.model import Model
    from factory.training.project_files import copy_project_files
    from factory.training.rows import model_images, model_rows
    from factory.training.split import split as step

    model = Model.model_validate(config)
    place, lake = folder(workspace, ti), Lake(storage)
    # The DAG file lies in dags/, one below the project's folder; DAG bundles move both.
    copy_project_files(model, Path(dag.fileloc).resolve().parent.parent, place)
    rows = model_rows(datasets, model.transforms, workspace=place, lake=lake, versions=versions(ti))
    images = model_images(datasets, workspace=place, lake=lake)
    return {"split": step(rows, model, place, images=images).as_json(), "reads": references(ti)}


def plan_trials(
    *, model: str, config: dict[str, Any], ti: Any, dag_run: Any
) -> list[dict[str, Any]]:
    """Expand the search into trials, and start the MLflow run of this training run.

    Returns:
        The trials that the mapped task group is expanded over.
    """
    from factory.models.tracking import Tracking
    from factory.training.model import Model
    from factory.training.sweep import plan_trials as step

    section = Model.model_validate(config)
    plan = step(
        section,
        _split(ti),
        tracking=Tracking(),
        run=_training_run(model, section, ti, dag_run),
        snapshots=list(chosen(ti).values()),
    )
    _say_why(model, plan.sweep.parent_run_id, ti, dag_run)
    ti.xcom_push(key="sweep", value=plan.sweep.as_json())
    return [planned.as_json() for planned in plan.trials]


def trial(trial: dict[str, Any]) -> None:
    """One hyperparameter set: fitted on the training rows, evaluated on the validation rows."""


def fit(
    *, trial: dict[str, Any], config: dict[str, Any], workspace: str, ti: Any
) -> dict[str, Any]:
    """Train one trial."""
    from factory.training.fit import fit as step
    from factory.training.model import Model
    from factory.training.search.trial import Trial

    return step(
        Trial.from_json(trial),
        _split(ti),
        Model.model_validate(config),
        folder(workspace, ti),
    ).as_json()


def evaluate(
    *,
    trial: dict[str, Any],  # noqa: ARG001 - names the map index
    model: str,
    config: dict[str, Any],
    workspace: str,
    ti: Any,
    dag_run: Any,
) -> dict[str, Any]:
    """Measure one trial on the validation rows and log it to MLflow."""
    from factory.models.tracking import Tracking
    from factory.training.evaluate import evaluate as step
    from factory.training.fit import Fit
    from factory.training.model import Model

    section = Model.model_validate(config)
    return step(
        Fit.from_json(ti.xcom_pull(task_ids="trial.fit", map_indexes=ti.map_index)),
        section,
        folder(workspace, ti),
        tracking=Tracking(),
        run=_training_run(model, section, ti, dag_run),
        sweep=_sweep(ti),
        attempt=ti.try_number,
    ).as_json()


def select_best(*, config: dict[str, Any], ti: Any) -> dict[str, Any]:
    """Rank the trials and choose the best."""
    from factory.models.tracking import Tracking
    from factory.training.evaluate import Evaluation
    from factory.training.model import Model
    from factory.training.select import select_best as step

    # As a list of one task id, so that one trial comes back as a list too.
    results = ti.xcom_pull(task_ids=["trial.evaluate"])
    return step(
        [Evaluation.from_json(result) for result in results if result is not None],
        Model.model_validate(config),
        planned=len(ti.xcom_pull(task_ids="plan_trials")),
        tracking=Tracking(),
        sweep=_sweep(ti),
    ).as_json()


def test(*, config: dict[str, Any], workspace: str, ti: Any) -> dict[str, Any]:
    """Measure the winner once, on rows that no trial has seen."""
    from factory.models.tracking import Tracking
    from factory.training.holdout import final_test
    from factory.training.model import Model
    from factory.training.select import Selection

    return final_test(
        Selection.from_json(ti.xcom_pull(task_ids="select_best")),
        Model.model_validate(config),
        folder(workspace, ti),
        tracking=Tracking(),
        sweep=_sweep(ti),
    ).as_json()


def register(
    *, model: str, config: dict[str, Any], workspace: str, ti: Any, dag_run: Any
) -> dict[str, Any]:
    """Put the winner into MLflow's model registry.

    Returns:
        What a person wants to know of the run: the winner, its scores, its version, its data.
    """
    from factory.models.tracking import Tracking
    from factory.training.holdout import FinalTest
    from factory.training.model import Model
    from factory.training.register import register as step
    from factory.training.select import Selection

    section = Model.model_validate(config)
    selection = Selection.from_json(ti.xcom_pull(task_ids="select_best"))
    tested = FinalTest.from_json(ti.xcom_pull(task_ids="test"))
    registration = step(
        selection,
        tested,
        section,
        folder(workspace, ti),
        tracking=Tracking(),
        run=_training_run(model, section, ti, dag_run),
        sweep=_sweep(ti),
    )
    return {
        "model": model,
        "version": str(registration.version),
        "trials": selection.trials,
        "best_trial": selection.winner.fit.trial.name,
        "metric": selection.metric,
        "score": selection.score,
        "test_score": tested.metrics.get(selection.metric),
        "snapshots": versions(ti),
        "mlflow_run_id": registration.mlflow_run_id,
    }


def close_workspace(*, root: str, model: str, ti: Any) -> None:
    """Remove the run's folder; end the MLflow run of a training run that did not get to its end."""
    from factory.models.tracking import Tracking

    workspaces.close_workspace(root=root, ti=ti)
    Tracking().abandon(model, dag_id=ti.dag_id, run_id=ti.run_id)


def _training_run(model: str, section: Any, ti: Any, dag_run: Any) -> Any:
    from factory.models.tracking import TrainingRun

    return TrainingRun(
        model=model,
        dag_id=ti.dag_id,
        run_id=ti.run_id,
        config_hash=section.config_hash,
        trigger=trigger_of(model, dag_run),
        snapshots=versions(ti),
    )


def _say_why(model: str, mlflow_run_id: str, ti: Any, dag_run: Any) -> None:
    """Write into the MLflow run's note why it ran, and on what."""
    from factory.models.run_description import write_note
    from factory.models.tracking import Tracking

    reason = ti.xcom_pull(task_ids="retrain", key="reason")
    rule = [f"`retrain_when` agrees: {reason}."] if reason else []
    read = [f"* {name} version {version}" for name, version in versions(ti).items()]
    text = "\n\n".join([why(model, dag_run), *rule, "It reads:\n\n" + "\n".join(read)])
    write_note(Tracking(), mlflow_run_id, "Why it ran", text)


def _split(ti: Any) -> Any:
    from factory.training.split import Split

    return Split.from_json(ti.xcom_pull(task_ids="split")["split"])


def _sweep(ti: Any) -> Any:
    from factory.training.sweep import Sweep

    return Sweep.from_json(ti.xcom_pull(task_ids="plan_trials", key="sweep"))
