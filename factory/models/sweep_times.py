"""How long the trials of a model took, and what they cost."""

from dataclasses import dataclass

from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID

from factory.models.tracking import Tracking

_MOST = 1000


@dataclass(frozen=True)
class SweepTimes:
    """What a sweep took."""

    trials: int
    """Those that were trained to their end."""
    seconds: float
    """Of all their fits together."""
    cost_usd: float | None
    """What the training jobs cost; None where trials were trained in Airflow's tasks, or prices are not known."""

    @property
    def seconds_per_fit(self) -> float:
        """How long a fit took on the average."""
        return self.seconds / self.trials


def last_sweep(model: str, tracking: Tracking) -> SweepTimes | None:
    """What the last sweep took that has ended; None where there is none.

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
    if not took:
        return None
    return SweepTimes(len(took), sum(took), sweeps[0].data.metrics.get("cost_usd"))
