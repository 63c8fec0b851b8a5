"""How long the trials of a model took."""

from statistics import fmean

from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID

from factory.models.tracking import Tracking

_MOST = 1000


def seconds_per_fit(model: str, tracking: Tracking) -> float | None:
    """How long a fit took on the average in the last sweep; None where no sweep has ended yet.

    Args:
        model: The full name, `team.model`, which is that of its experiment too.
        tracking: The MLflow server.

    Raises:
        TrackingError: The server does not answer, or refuses.
    """
    with tracking.asked() as client:
        experiment = client.get_experiment_by_name(model)
    if experiment is None:
        return None
    finished = "attributes.status = 'FINISHED'"
    at = experiment.experiment_id
    sweeps = tracking.find_runs(at, {"role": "sweep"}, most=1, condition=finished)
    if not sweeps:
        return None
    of_it = {MLFLOW_PARENT_RUN_ID: sweeps[0].info.run_id}
    trials = tracking.find_runs(at, of_it, most=_MOST, condition=finished)
    took = [one.data.metrics["fit_seconds"] for one in trials if "fit_seconds" in one.data.metrics]
    return fmean(took) if took else None
