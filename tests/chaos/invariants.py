"""What must hold whenever everything is at rest, whatever died before."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import pandas as pd
import psutil

from factory.lake.snapshot import Snapshot
from factory.models import registry
from factory.models.predictor import load_predictor
from factory.runtime.airflow_records import DagRun
from factory.runtime.follow import training_result
from factory.runtime.processes import members
from tests.chaos.world import HEIGHTS, MODEL, PREDICTIONS, READINGS, TRAIN, World

Rows = frozenset[tuple]


def rows_of(frame: pd.DataFrame, *columns: str) -> Rows:
    """The rows of some columns, whatever their order."""
    return frozenset(frame[list(columns)].itertuples(index=False, name=None))


@dataclass
class Invariants:
    """Looks at a world; what has been looked at and cannot change is not looked at again."""

    world: World
    _seen: set[tuple[str, int]] = field(default_factory=set)

    def violations(self) -> list[str]:
        """What does not hold, in words."""
        return [
            *self._runs(),
            *self._snapshots(),
            *self._events(),
            *self._trainings(),
            *self._champion(),
            *self._processes(),
            *self._leftovers(),
        ]

    def _runs(self) -> Iterator[str]:
        """Nothing is stuck, and each run that was interrupted was ended well by another try."""
        for run in self.world.airflow.runs():
            if run.state != "success":
                tasks = self.world.airflow.tasks(run.dag_id, run.dag_run_id)
                states = Counter(str(task.state) for task in tasks)
                yield f"{run.dag_id} {run.dag_run_id} is {run.state}: tasks {dict(states)}"

    def _snapshots(self) -> Iterator[str]:
        """Every snapshot is whole, and made of one of the source's states; predictions name a version."""
        states = self.world.states
        readings = {rows_of(state, "id", "gauge", "height") for state in states}
        heights = {
            rows_of(state.groupby("gauge", as_index=False)["height"].max(), "gauge", "height")
            for state in states
        }
        ids = {frozenset(state["id"]) for state in states}
        versions = {each.number for each in registry.versions(MODEL, tracking=self.world.tracking)}
        for snapshot in self._new_snapshots(READINGS):
            if rows_of(self._frame(snapshot), "id", "gauge", "height") not in readings:
                yield f"{READINGS} version {snapshot.version} is no state of the source"
        for snapshot in self._new_snapshots(HEIGHTS):
            if rows_of(self._frame(snapshot), "gauge", "height") not in heights:
                yield f"{HEIGHTS} version {snapshot.version} follows from no state of the source"
        for snapshot in self._new_snapshots(PREDICTIONS):
            frame = self._frame(snapshot)
            if frozenset(frame["id"]) not in ids or not frame["id"].is_unique:
                yield f"{PREDICTIONS} version {snapshot.version} has not one row for each reading"
            if unknown := set(map(int, frame["model_version"])) - versions:
                yield f"{PREDICTIONS} version {snapshot.version} names versions {unknown}"
        newest = rows_of(self._frame(self.world.lake.newest(READINGS)), "id", "gauge", "height")
        if newest != rows_of(states[-1], "id", "gauge", "height"):
            yield f"the newest snapshot of {READINGS} is not the source's last state"

    def _new_snapshots(self, dataset: str) -> Iterator[Snapshot]:
        for snapshot in self.world.lake.history(dataset):
            if (dataset, snapshot.version) not in self._seen:
                self._seen.add((dataset, snapshot.version))
                yield snapshot

    def _frame(self, snapshot: Snapshot) -> pd.DataFrame:
        table = self.world.lake.scan(snapshot.dataset, snapshot.version).to_table()
        if table.num_rows != snapshot.rows:
            raise AssertionError(f"{snapshot.dataset} {snapshot.version}: {table.num_rows} rows")
        return table.to_pandas()

    def _events(self) -> Iterator[str]:
        """Each event names a publication, and each dataset's last publication has one."""
        events: dict[str, list[int]] = {READINGS: [], HEIGHTS: [], PREDICTIONS: []}
        for event in self.world.airflow.asset_events():
            if event.name in events:
                events[event.name].append(int((event.extra or {})["version"]))
        for dataset, told in events.items():
            published = [snapshot.version for snapshot in self.world.lake.history(dataset)]
            if unknown := set(told) - set(published):
                yield f"events of {dataset} name versions {unknown}, which were not published"
            if published[0] not in told:
                yield f"no event of {dataset} names its newest version {published[0]}"

    def _trainings(self) -> Iterator[str]:
        """A training run that succeeded has one version, of its event's snapshot, and a run a set."""
        client = self.world.tracking.client
        experiment = client.get_experiment_by_name(MODEL)
        runs = client.search_runs([experiment.experiment_id], max_results=50_000)
        running = [run for run in runs if run.info.status == "RUNNING"]
        for run in running:
            yield f"MLflow's run {run.info.run_name} of {MODEL} is RUNNING"
        versions = registry.versions(MODEL, tracking=self.world.tracking)
        for training in self.world.airflow.runs(TRAIN):
            if training.state == "success":
                yield from self._training(training, runs, versions)

    def _training(self, training: DagRun, runs: list, versions: list) -> Iterator[str]:
        name = f"{TRAIN} {training.dag_run_id}"
        result = training_result(self.world.airflow, training)
        if result is None:  # the configuration or the rows were those of before
            return
        of_this = [run for run in runs if run.data.tags["airflow.run_id"] == training.dag_run_id]
        parents = {run.info.run_id for run in of_this if "mlflow.parentRunId" not in run.data.tags}
        own = [each for each in versions if each.record.mlflow_run_id in parents]
        if [each.number for each in own] != [int(result["version"])]:
            yield f"{name} says version {result['version']}, and has {[each.number for each in own]}"
        (event,) = self.world.airflow.upstream_asset_events(TRAIN, training.dag_run_id)[-1:]
        for version in own:
            if version.record.snapshots != {READINGS: event.extra["version"]}:
                yield f"{name} was started by {event.extra['version']}, not {version.record.snapshots}"
        trials = Counter(
            run.info.run_name
            for run in of_this
            if run.info.status == "FINISHED" and "mlflow.parentRunId" in run.data.tags
        )
        if sorted(trials.values()) != [1] * int(result["trials"]):
            yield f"{name} has runs {dict(trials)} for {result['trials']} sets"

    def _champion(self) -> Iterator[str]:
        """The version in production is whole: its files have their digest, and it predicts."""
        champion = registry.champion(MODEL, tracking=self.world.tracking)
        if champion is None:
            yield f"{MODEL} has no champion"
            return
        predictor = load_predictor(champion.record, tracking=self.world.tracking)
        rows = self.world.states[-1][["gauge", "rain", "hour"]].head(5)
        if len(predictor.predict(rows).values) != len(rows):
            yield f"{MODEL} version {champion.number} does not predict"

    def _processes(self) -> Iterator[str]:
        """Every process is a descendant of `factory up`: there is no orphan."""
        parent = psutil.Process(self.world.process.pid)
        family = set(parent.children(recursive=True))
        for orphan in set(members(self.world.home.folder)) - family:
            yield f"process {orphan.pid} is an orphan: {' '.join(orphan.cmdline())[:100]}"

    def _leftovers(self) -> Iterator[str]:
        """Runs that have ended left no scratch folder."""
        workspace = self.world.home.folder / "workspace"
        for folder in workspace.glob("*/*"):
            yield f"{folder.relative_to(workspace)} was left behind"
