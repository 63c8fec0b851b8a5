"""Why there is no newer version of a model: each reason with the command that changes it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING

from factory.base.section import qualify
from factory.base.texts import one_of, shown
from factory.base.values import Result
from factory.catalog.project import Project
from factory.documents.compile import producer_id
from factory.documents.training import training_id
from factory.status.airflow_facts import Airflow, RunFacts, TaskFacts
from factory.training.model import Model

if TYPE_CHECKING:
    from factory.lake.snapshot import Snapshot
    from factory.lake.table import Lake
    from factory.models.registry import Version
    from factory.models.tracking import Tracking


class Reason(Result):
    """One reason, and what changes it."""

    what: str
    """A sentence."""
    command: str = ""
    """What to run, or where to look; empty where there is nothing to do but wait."""


class Waiting(Result):
    """Why there is nothing newer."""

    name: str
    """The full name, `team.model` or `team.dataset`."""
    newest: str
    """What there is: the newest version or snapshot, and when it came."""
    reasons: tuple[Reason, ...]
    airflow: str | None
    """Where Airflow answers; None where nobody could be asked about runs."""


@dataclass(frozen=True)
class Surroundings:
    """Whom to ask."""

    project: Project
    lake: "Lake"
    tracking: "Tracking | None"
    """Only models need it."""
    airflow: Airflow | None
    now: datetime


def why_no_newer_snapshot(name: str, around: Surroundings) -> Waiting:
    """Why a dataset has no newer snapshot.

    Args:
        name: The full name, `team.dataset`.
        around: Whom to ask.
    """
    team, _, own = name.partition(".")
    newest = _newest(name, around.lake)
    dag_id = producer_id(around.project.catalog.teams[team].team, own)
    section = around.project.catalog.teams[team].team.datasets.get(own)
    return Waiting(
        name=name,
        newest=f"snapshot {newest.version} of {_day(newest.published_at)}"
        if newest
        else "no snapshot yet",
        reasons=(
            *_problems(team, around),
            *_of_dag(name, dag_id, around),
            *_unchanged(name, dag_id, newest, around),
            *_time(dag_id, around, only_by_hand=section is not None and section.schedule is None),
        ),
        airflow=None if around.airflow is None else around.airflow.address,
    )


def why_no_newer_version(name: str, around: Surroundings) -> Waiting:
    """Why a model has no newer version, or why its newest one is not in production.

    Args:
        name: The full name, `team.model`; or that of an entity's model, `team.model.UA`.
        around: Whom to ask.

    Raises:
        TrackingError: The MLflow server does not answer.
    """
    from factory.models import registry

    registered = name
    team, own, *entity = registered.split(".")
    name = f"{team}.{own}"
    model = around.project.catalog.teams[team].team.models[own]
    newest = registry.newest(registered, tracking=around.tracking)
    if model.entities is not None and not entity and around.tracking is not None:
        from factory.models.entity_models import newest_version

        newest = newest_version(name, tracking=around.tracking)
    dag_id = training_id(team, own)
    asked = _Training(name, registered, team, model, newest, dag_id, around)
    return Waiting(
        name=registered,
        newest=_version_text(newest, registered),
        reasons=(
            *_problems(team, around),
            *_of_dag(name, dag_id, around),
            *asked.outcome(),
            *asked.data(),
            *asked.rules(),
        ),
        airflow=None if around.airflow is None else around.airflow.address,
    )


def _version_text(newest: "Version | None", registered: str) -> str:
    if newest is None:
        return "no version yet"
    of_entity = "" if newest.model == registered else f" of {newest.model}"
    return f"version {newest.number}{of_entity} of {newest.record.registered_at:%Y-%m-%d %H:%M} UTC"


def _problems(team: str, around: Surroundings) -> Iterator[Reason]:
    found = [one for one in around.project.problems if one.file.stem in (team, "_defaults")]
    if found:
        first = str(found[0]).partition("\n")[0]
        yield Reason(
            what=f"The team's file has {len(found)} problem{'s' if len(found) > 1 else ''}: {first}",
            command="factory validate",
        )


def _of_dag(name: str, dag_id: str, around: Surroundings) -> Iterator[Reason]:
    """What Airflow says of the DAG and its last run."""
    airflow = around.airflow
    if airflow is None:
        return
    dag = airflow.dags().get(dag_id)
    if dag is None:
        yield Reason(
            what=f"Airflow does not know the DAG {dag_id}: it has not read the team's file yet, or could not.",
            command="factory validate",
        )
        return
    run = airflow.last_runs([dag_id]).get(dag_id)
    if dag.is_paused:
        yield _paused(name, dag_id, airflow)
        if run is not None and run.state == "queued":
            return  # until then
    if run is None and not dag.is_paused:
        yield Reason(
            what=f"{dag_id} has not run yet in this Airflow, or not lately.",
            command=f"factory run {name}",
        )
    elif run is not None and not run.has_ended:
        yield from _at_work(run, airflow)
    elif run is not None and run.state == "failed":
        yield _failed(run, airflow)


def _paused(name: str, dag_id: str, airflow: Airflow) -> Reason:
    by = airflow.paused_by(dag_id)
    since = "since Airflow met it" if by is None else f"since {_moment(by[0])}, by {by[1]}"
    return Reason(
        what=f"{dag_id} is paused {since}: no event and no time starts it. The first event afterwards brings "
        "along those that came meanwhile.",
        command=f"factory unpause {name}",
    )


def _at_work(run: RunFacts, airflow: Airflow) -> Iterator[Reason]:
    approval = next((one for one in airflow.approvals() if one.run_id == run.run_id), None)
    if approval is not None:
        who = one_of(approval.who) if approval.who else "whoever may edit its runs"
        since = f" since {_moment(approval.asked_at)}" if approval.asked_at else ""
        yield Reason(
            what=f"A run waits{since} for an approval by {who}: {approval.subject}",
            command=_page(run, airflow),
        )
        return
    tasks = airflow.tasks(run)
    waiting = [task for task in tasks if task.state in ("queued", "scheduled")]
    full = [
        pool
        for pool in {task.pool for task in waiting if task.pool}
        if airflow.open_slots(pool) == 0
    ]
    for pool in sorted(full):
        yield Reason(
            what=f"A run waits for a slot of the pool {pool}, which has none free.",
            command=f"airflow pools set {pool} SLOTS 'more slots'",
        )
    if full:
        return
    at = one_of((f"{task.task} ({task.state})" for task in tasks), most=4) or "nothing yet"
    since = f" since {_moment(run.started)}" if run.started else ""
    yield Reason(what=f"A run is {run.state}{since}; it is at: {at}", command=_page(run, airflow))


def _failed(run: RunFacts, airflow: Airflow) -> Reason:
    failed = [task for task in airflow.tasks(run) if task.state == "failed"]
    first: TaskFacts | None = next(iter(failed), None)
    said = f" in {first.task}: {shown(first.error, 300)}" if first else ""
    when = f" at {_moment(run.ended)}" if run.ended else ""
    return Reason(
        what=f"Its last run failed{when}{said}",
        command=f"{_page(run, airflow)} (correct it, then clear the task that failed)",
    )


def _page(run: RunFacts, airflow: Airflow) -> str:
    from urllib.parse import quote

    return f"{airflow.address}/dags/{run.dag_id}/runs/{quote(run.run_id)}"


def _unchanged(
    name: str, dag_id: str, newest: "Snapshot | None", around: Surroundings
) -> Iterator[Reason]:
    """That the last run has published nothing, though it ended well."""
    run = None if around.airflow is None else around.airflow.last_runs([dag_id]).get(dag_id)
    if run is None or run.state != "success" or run.started is None or newest is None:
        return
    if run.started > datetime.fromisoformat(newest.published_at):
        yield Reason(
            what=f"Its last run, at {_moment(run.started)}, ended well and published nothing: the rows are those "
            f"of snapshot {newest.version}, or there were none.",
            command=f"factory replay {name} (tells its readers all the same)",
        )


def _time(dag_id: str, around: Surroundings, *, only_by_hand: bool) -> Iterator[Reason]:
    dag = None if around.airflow is None else around.airflow.dags().get(dag_id)
    if dag is not None and dag.next_run is not None and not dag.is_paused:
        yield Reason(
            what=f"Its time comes next at {_moment(dag.next_run)}.", command=f"factory run {dag_id}"
        )
    elif only_by_hand and _is_calm(dag_id, around):
        yield Reason(
            what="It has no schedule: only people start it.", command=f"factory run {dag_id}"
        )


def _is_calm(dag_id: str, around: Surroundings) -> bool:
    """Whether the last run, if there is one, has ended well: else another one would wait or fail likewise."""
    run = None if around.airflow is None else around.airflow.last_runs([dag_id]).get(dag_id)
    return run is None or run.state == "success"


@dataclass(frozen=True)
class _Training:
    """A model, its newest version, and what would have to come for another one."""

    name: str
    """The full name, `team.model`."""
    registered: str
    """The registered model that is asked about, which may be that of an entity."""
    team: str
    model: Model
    newest: "Version | None"
    dag_id: str
    around: Surroundings

    @cached_property
    def snapshots(self) -> "Mapping[str, Snapshot]":
        """The newest snapshots of what it is trained on, as far as there are some."""
        names = (qualify(one, self.team) for one in self.model.train_on.datasets)
        found = {name: _newest(name, self.around.lake) for name in names}
        return {name: snapshot for name, snapshot in found.items() if snapshot is not None}

    def outcome(self) -> Iterator[Reason]:
        """Why the newest version is not in production."""
        newest = self.newest
        if newest is None and self.registered != self.name:
            yield self._no_entity()
        if newest is None or "champion" in newest.aliases or "outcome_why" not in newest.tags:
            return
        yield Reason(
            what=f"Version {newest.number} was trained and is not in production: {newest.tags['outcome_why']}",
            command=f"factory why {newest.model}@{newest.number}; factory rollback {newest.model} --to {newest.number}",
        )

    def _no_entity(self) -> Reason:
        entities = self.model.entities
        if entities is None:
            return Reason(
                what=f"{self.name} has one model for all rows.",
                command=f"factory why-not {self.name}",
            )
        return Reason(
            what=f"No value of {entities.column} has a model of that name: it had fewer than {entities.min_rows} rows "
            "with a target when the last training ran, or is called otherwise.",
            command=f"factory champion {self.name} (lists those that have one)",
        )

    def data(self) -> Iterator[Reason]:
        """What starts a training, and which of it has come."""
        when = self.model.when
        if when.cron is not None:
            yield from self._clock(when.cron)
        names = [qualify(one, self.team) for one in when.datasets]
        if not names:
            if when.cron is None:
                yield Reason(
                    what="It has no schedule: only people start its training.",
                    command=f"factory run {self.name}",
                )
            return
        news = {} if self.around.airflow is None else self.around.airflow.news(self.dag_id)
        missing = [name for name in names if name not in news]
        if when.all and len(names) > 1:
            come = [f"{name} ({_moment(news[name])})" for name in names if name in news]
            yield Reason(
                what=f"A training starts once all of {one_of(names)} have changed since the last one: "
                f"{'of ' + one_of(come) if come else 'of none'} there are news, {one_of(missing) or 'none'} "
                "is missing.",
            )
        for name in missing:
            yield from self._dataset(name)

    def _clock(self, cron: str) -> Iterator[Reason]:
        airflow = self.around.airflow
        dag = None if airflow is None else airflow.dags().get(self.dag_id)
        at = f", next at {_moment(dag.next_run)}" if dag and dag.next_run else ""
        yield Reason(what=f"Its time comes by `{cron}`{at}.", command=f"factory run {self.name}")

    def _dataset(self, name: str) -> Iterator[Reason]:
        """What there is of a dataset that has no news for the next training."""
        airflow = self.around.airflow
        team, _, own = name.partition(".")
        if own in self.around.project.catalog.teams[team].team.models:
            yield Reason(
                what=f"The model {name} has had no promotion since.",
                command=f"factory why-not {name}",
            )
            return
        snapshot = _newest(name, self.around.lake)
        if snapshot is None:
            yield Reason(
                what=f"Nothing has been published of {name} yet.", command=f"factory run {name}"
            )
            return
        event = None if airflow is None else airflow.last_event(name)
        trained = None if self.newest is None else self.newest.record.snapshots.get(name)
        there = (
            f"{name}: the newest snapshot is {snapshot.version} of {_day(snapshot.published_at)}"
        )
        last = f"; its last event came at {_moment(event.at)}" if event else ""
        if trained is not None and trained >= snapshot.version:
            yield Reason(
                what=f"{there}, which version {self.newest.number if self.newest else 0} was trained on{last}.",
                command=f"factory why-not {name}",
            )
        else:
            yield Reason(
                what=f"{there}, and no version was trained on it{last}. Its event did not start a training that "
                "came to a version.",
                command=f"factory replay {name}",
            )

    def rules(self) -> Iterator[Reason]:
        """What `retrain_when` would say of a training that data started now."""
        from factory.models.retraining import retrain

        rules = self.model.retrain_when
        if rules is None:
            return
        found = retrain(
            rules,
            self.newest,
            self.snapshots,
            lake=self.around.lake,
            trigger="asset",
            now=self.around.now,
        )
        if not found.train:
            yield Reason(
                what=f"A run that data starts now would skip itself: {found.reason}.",
                command=f"factory run {self.name} (runs by hand always train)",
            )


def _newest(name: str, lake: "Lake") -> "Snapshot | None":
    from factory.lake.snapshot import NoSnapshotError

    try:
        return lake.newest(name)
    except NoSnapshotError:
        return None


def _moment(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _day(text: str) -> str:
    return _moment(datetime.fromisoformat(text))
