"""What notebooks and programs ask a project for: rows of datasets, the champion of a model, versions of both.

The project is the one in FACTORY_PROJECT, or the nearest folder with `configs/`, from the current one upwards.
"""

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from factory.base.errors import TerminalError
from factory.base.section import NAME
from factory.base.texts import did_you_mean, one_of

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from factory.lake.table import Lake
    from factory.models.predictor import Predictor
    from factory.models.registry import Version
    from factory.models.tracking import Tracking

_TRACKING_URI = "MLFLOW_TRACKING_URI"


class NoProjectError(TerminalError):
    """There is no project here."""


class UnknownNameError(TerminalError):
    """The project has nothing of a name, or something of another kind."""


@dataclass(frozen=True)
class Champion:
    """The version of a model that is in production, loaded."""

    model: str
    """The full name, `team.model`."""
    version: int
    metrics: Mapping[str, float]
    """Of its training run, such as `test_f1_macro`."""
    snapshots: Mapping[str, int]
    """The version of each dataset that it learned from."""
    features: tuple[str, ...]
    """The columns that `predict` needs."""
    _predictor: "Predictor" = field(repr=False)

    def predict(self, rows: Any) -> "pd.DataFrame":
        """What the model says about rows, in their order: the columns that predictions of its task have, such as `prediction`.

        A model that forecasts is given the history of its series, and what is known of the future; it says the next
        steps of each series, with the columns that tell them apart, the time and `step`.

        Args:
            rows: A pandas or Polars DataFrame, a pyarrow Table, or what else hands out Arrow data, with the features;
                as they are once the model's own `transforms` are applied. Further columns do not matter.

        Raises:
            TerminalError: A feature is missing or of another form.
        """
        import pandas as pd
        import pyarrow as pa

        from factory.data.columns import learnable

        is_frame = isinstance(rows, pd.DataFrame)
        form = self._predictor.record.forecast
        table = pa.Table.from_pandas(rows, preserve_index=False) if is_frame else pa.table(rows)
        if form is not None:
            from factory.models.forecasts import forecast

            pieces = list(forecast(table, self._predictor, form, max(1, table.num_rows)))
            forecasts: pd.DataFrame = pa.concat_tables(pieces).to_pandas()
            return forecasts
        said = self._predictor.predict(learnable(table, self.features).to_pandas())
        record, found = self._predictor.record, {}
        for name in record.learning_task.columns_of(record.targets):
            values = said.values if name == "prediction" else said.column(name)
            if values is not None:
                found[name] = values
        return pd.DataFrame(found, index=rows.index if is_frame else None)


def read(name: str, version: int | None = None) -> "pa.Table":
    """See `factory.read`."""
    with _lake(name) as lake:
        snapshot = lake.newest(name) if version is None else lake.snapshot(name, version)
        return lake.scan(name, snapshot.version).to_table()


def champion(name: str) -> Champion:
    """See `factory.champion`."""
    _check(name)
    with _tracking() as tracking:
        from factory.models import registry
        from factory.models.predictor import load_predictor

        version = registry.champion(name, tracking=tracking)
        if version is None:
            numbers = one_of([one.number for one in registry.versions(name, tracking=tracking)])
            raise registry.NoChampionError(
                f"no version of {name} is in production: it has {numbers}"
            )
        predictor = load_predictor(version.record, tracking=tracking)
    record, form = version.record, version.record.forecast
    needed = record.features if form is None else form.columns
    return Champion(name, version.number, record.metrics, record.snapshots, needed, predictor)


def history(name: str) -> "pd.DataFrame":
    """See `factory.history`."""
    import pandas as pd

    if not _is_model(name):
        with _lake(name) as lake:
            snapshots = [
                {
                    "version": one.version,
                    "published_at": pd.Timestamp(one.published_at),
                    "rows": one.rows,
                    "columns": len(one.columns),
                    "content_hash": one.content_hash,
                }
                for one in lake.history(name)
            ]
        return pd.DataFrame(snapshots).set_index("version")
    with _tracking() as tracking:
        from factory.models import registry

        versions = registry.versions(name, tracking=tracking)
    return pd.DataFrame([_row(one) for one in versions]).set_index("version")


def _row(version: "Version") -> dict[str, Any]:
    record = version.record
    return {
        "version": version.number,
        "aliases": ", ".join(version.aliases),
        "registered_at": record.registered_at,
        "estimator": record.estimator,
        "trained_on": ", ".join(f"{name} {number}" for name, number in record.snapshots.items()),
        **record.metrics,
    }


def _project() -> Path:
    """The project's folder.

    Raises:
        NoProjectError: There is none.
    """
    if named := os.environ.get("FACTORY_PROJECT"):
        if (Path(named) / "configs").is_dir():
            return Path(named).resolve()
        raise NoProjectError(f"FACTORY_PROJECT is {named}, where there is no folder `configs`")
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / "configs").is_dir():
            return folder
    raise NoProjectError(
        f"there is no project at {here} nor above: name its folder in the variable FACTORY_PROJECT"
    )


def _check(name: str) -> tuple[str, str]:
    """The team, and the name of its dataset or model."""
    team, dot, own = name.partition(".")
    if dot and NAME.fullmatch(team) and NAME.fullmatch(own):
        return team, own
    raise UnknownNameError(f"{name!r} names no dataset and no model: write `team.name`")


def _is_model(name: str) -> bool:
    """Whether a name is a model's; else it is a dataset's.

    Raises:
        UnknownNameError: The project has neither.
    """
    from factory.catalog.project import read_one
    from factory.catalog.published import published
    from factory.team.environment import active_environment

    team, own = _check(name)
    project = _project()
    found = read_one(project / "configs", team, active_environment())
    if found is None:
        names = [path.stem for path in (project / "configs").glob("[!_.]*.yaml")]
        near = did_you_mean(team, names, f"there are {one_of(sorted(names))}")
        raise UnknownNameError(f"{project} has no team {team!r}: {near}")
    models, datasets = found[1].team.models, [one.name for one in published(found[1])]
    if own in models:
        return True
    if own in datasets:
        return False
    known = [f"{team}.{one}" for one in (*datasets, *models)]
    raise UnknownNameError(
        f"there is no {name}: {did_you_mean(name, known, f'there are {one_of(known)}')}"
    )


@contextmanager
def _lake(name: str) -> "Iterator[Lake]":
    """The lake of the project, as its tasks reach it.

    Raises:
        UnknownNameError: The project has no such dataset.
    """
    from factory.documents.installation import Installation
    from factory.lake.table import Lake
    from factory.runtime.lake_access import reaching
    from factory.team.environment import active_environment
    from factory.team.reader import read_platform

    if _is_model(name):
        raise UnknownNameError(f"{name} is a model, and has no rows: `factory.champion` loads it")
    project = _project()
    platform = read_platform(project / "configs", active_environment())
    installation = Installation.of(platform.config, project)
    with reaching(installation.of_team(name.partition(".")[0]), project):
        yield Lake(installation.storage)


@contextmanager
def _tracking() -> "Iterator[Tracking]":
    """The MLflow in MLFLOW_TRACKING_URI, or the project's own, which is started unless it runs."""
    import mlflow

    from factory.models.tracking import Tracking

    if uri := os.environ.get(_TRACKING_URI):
        yield Tracking(uri)
        return
    from factory.runtime import foreground
    from factory.runtime.home import Home

    before = mlflow.get_tracking_uri()
    try:
        with foreground.tracking(
            _project(), Home.of(_project()), time.sleep, brief=True
        ) as variables:
            yield Tracking(variables[_TRACKING_URI])
    finally:
        # Loading a model makes this server MLflow's own, which it notes in the variable, and which has ended now.
        mlflow.set_tracking_uri(before)
        os.environ.pop(_TRACKING_URI, None)
