"""The model registry: which version is in production, which was before, and which wants to be.

Three aliases say so. `challenger` is the newest version that is not in production, `champion` the one
that is, `previous` the one that was until the last promotion or rollback. Tags on the versions say
who changed that, when and why.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from types import MappingProxyType
from typing import Any, Literal

from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException, RestException

from factory.base.errors import NothingToDoError, TerminalError
from factory.base.texts import did_you_mean, one_of
from factory.models.record import ModelRecord
from factory.models.tracking import Tracking

logger = logging.getLogger(__name__)

CHALLENGER = "challenger"
CHAMPION = "champion"
PREVIOUS = "previous"

Reason = Literal["promotion", "rollback"]

_NAMED = 20
"""Models that an error names; those of entities may be hundreds."""

MISSING = ("INVALID_PARAMETER_VALUE", "RESOURCE_DOES_NOT_EXIST")
"""What MLflow answers where there is no such thing."""


class UnknownModelError(TerminalError):
    """There is no registered model, or no version of it, by this name or number."""


class NoChampionError(NothingToDoError):
    """No version of a model is in production."""


@dataclass(frozen=True)
class Version:
    """One version of a registered model."""

    record: ModelRecord
    """What it is, and has been since it was registered."""
    aliases: tuple[str, ...]
    tags: Mapping[str, str]
    """What was done with it since: promotions, rollbacks, deployments, the gate's reasons."""

    @property
    def model(self) -> str:
        """The full name, `team.model`."""
        return self.record.model

    @property
    def number(self) -> int:
        """Its number."""
        return self.record.version

    @property
    def uri(self) -> str:
        """What MLflow loads it by."""
        return self.record.uri

    def as_event(self, reason: Reason) -> dict[str, Any]:
        """The extra of the model's asset event, when this version goes into production."""
        return {
            "model": self.model,
            "version": self.number,
            "metrics": self.record.metrics,
            "snapshots": self.record.snapshots,
            "reason": reason,
        }


def champion(model: str, *, tracking: Tracking | None = None) -> Version | None:
    """The version in production; None as long as there is none.

    Raises:
        TrackingError: The MLflow server does not answer.
    """
    return with_alias(model, CHAMPION, tracking=tracking)


def with_alias(model: str, alias: str, *, tracking: Tracking | None = None) -> Version | None:
    """The version that has an alias, if one has.

    Raises:
        TrackingError: The MLflow server does not answer.
    """
    with (tracking or Tracking()).asked() as client:
        try:
            return as_version(client, client.get_model_version_by_alias(model, alias))
        except MlflowException as error:
            if error.error_code not in MISSING:
                raise
            return None


def version(model: str, number: int, *, tracking: Tracking | None = None) -> Version:
    """One version.

    Raises:
        UnknownModelError: There is no such version.
        TrackingError: The MLflow server does not answer.
    """
    known = versions(model, tracking=tracking)
    for one in known:
        if one.number == number:
            return one
    numbers = one_of(sorted(one.number for one in known))
    raise UnknownModelError(f"{model} has no version {number}: it has {numbers}")


def versions(model: str, *, tracking: Tracking | None = None) -> list[Version]:
    """All versions, the newest first.

    Raises:
        UnknownModelError: There is no such model; names the nearest, or those that there are.
        TrackingError: The MLflow server does not answer.
    """
    tracking = tracking or Tracking()
    found = search_versions(model, tracking=tracking)
    with tracking.asked() as client:
        if found:
            # The search leaves the aliases out.
            aliases = client.get_registered_model(model).aliases
            known = [as_version(client, one, aliases) for one in found]
            return sorted(known, key=lambda one: -one.number)
        names = sorted(one.name for one in client.search_registered_models())
    there = (
        f"there are {one_of(names, most=_NAMED)}" if names else "no model has been registered yet"
    )
    raise UnknownModelError(
        f"the registry has no model {model!r}: {did_you_mean(model, names, there)}"
    )


def search_versions(model: str, *, tracking: Tracking) -> list[ModelVersion]:
    """All versions as MLflow has them, without their aliases; none where there is no such model.

    Raises:
        TrackingError: The MLflow server does not answer.
    """
    found: list[ModelVersion] = []
    token = None
    with tracking.asked() as client:
        while True:
            page = client.search_model_versions(f"name = '{model}'", page_token=token)
            found += page
            if not (token := page.token):
                return found


def newest(model: str, *, tracking: Tracking | None = None) -> Version | None:
    """The newest version, in production or not; None as long as there is none.

    Raises:
        TrackingError: The MLflow server does not answer.
    """
    try:
        return versions(model, tracking=tracking)[0]
    except UnknownModelError:
        return None


def champion_to_use(
    model: str, events: Sequence[Mapping[str, Any]], *, tracking: Tracking
) -> Version:
    """The version that the newest event put into production, else the one that is there now.

    Args:
        model: The full name, `team.model`.
        events: The extras of the model's asset events that started the run, oldest first.
        tracking: The MLflow server.

    Raises:
        NoChampionError: No version is in production; says how one gets there.
        UnknownModelError: The event names a version that does not exist.
        TrackingError: The MLflow server does not answer.
    """
    # An event that somebody made by hand, in Airflow's UI say, names no version.
    named = [extra["version"] for extra in events if "version" in extra]
    if named:
        chosen = version(model, int(named[-1]), tracking=tracking)
    else:
        found = champion(model, tracking=tracking)
        if found is None:
            raise NoChampionError(_no_champion(model, tracking))
        chosen = found
    logger.info("uses %s version %d (%s)", model, chosen.number, chosen.uri)
    return chosen


def _no_champion(model: str, tracking: Tracking) -> str:
    nothing = f"{model} has no champion, so there is nothing to predict with"
    try:
        numbers = sorted(one.number for one in versions(model, tracking=tracking))
    except UnknownModelError:
        return (
            f"{nothing}: it has not been trained yet. Run the DAG {model}.train; when it promotes "
            "a version, predict again"
        )
    return (
        f"{nothing}: of its versions {one_of(numbers)} none was promoted. The task `gate` of "
        f"{model}.train says why; `factory rollback {model} --to {numbers[-1]}` promotes one by hand"
    )


def create_version(
    model: str,
    logged_model_id: str,
    run_id: str,
    *,
    tags: Mapping[str, str],
    about: str,
    description: str,
    tracking: Tracking,
    of_model: Mapping[str, str] = MappingProxyType({}),
) -> Version:
    """Register a logged model as the next version; the model itself first, if it is new.

    MLflow's errors come out as they are, for `factory.models.creation.created_once`.

    Args:
        model: The full name, `team.model`.
        logged_model_id: MLflow's id of the logged model.
        run_id: MLflow's id of the run that it comes from.
        tags: Of the version.
        about: What the model is, for people; what is there stays if this is empty.
        description: Of the version, as Markdown.
        tracking: The MLflow server.
        of_model: Tags of the model, if it is new.
    """
    client = tracking.client
    try:
        client.create_registered_model(model, tags=dict(of_model), description=about or None)
    except RestException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
        if about and client.get_registered_model(model).description != about:
            client.update_registered_model(model, about)
    made = client.create_model_version(
        model,
        f"models:/{logged_model_id}",
        run_id,
        tags=dict(tags),
        description=description,
        model_id=logged_model_id,
    )
    return as_version(client, made)


def set_alias(model: str, alias: str, number: int, *, tracking: Tracking) -> None:
    """Let an alias name a version, whatever it named before.

    Raises:
        TrackingError: The MLflow server does not answer, or there is no such version.
    """
    with tracking.asked() as client:
        repeated_if_overtaken(lambda: client.set_registered_model_alias(model, alias, str(number)))


def tag(model: str, number: int, tags: Mapping[str, str], *, tracking: Tracking) -> None:
    """Tag a version.

    Raises:
        TrackingError: The MLflow server does not answer, or there is no such version.
    """
    with tracking.asked() as client:
        for key, value in tags.items():
            repeated_if_overtaken(
                partial(client.set_model_version_tag, model, str(number), key, value)
            )


def repeated_if_overtaken(call: Callable[[], object]) -> None:
    """Set an alias or a tag of the registry, again if another caller has set the same one just now.

    MLflow 3.17 looks for it and inserts it in two steps: of two callers that set it for the first time,
    one may meet the other's row. Asked again, it updates that.
    """
    try:
        call()
    except RestException as error:
        if error.error_code != "BAD_REQUEST":
            raise
        call()


def as_version(
    client: MlflowClient, found: ModelVersion, aliases: Mapping[str, str] | None = None
) -> Version:
    """A version as MLflow hands it out.

    Args:
        client: Of the MLflow server that it comes from.
        found: The version.
        aliases: Those of the whole model, where the version itself does not name its own.
    """
    own = (
        found.aliases
        if aliases is None
        else [alias for alias, number in aliases.items() if int(number) == int(found.version)]
    )
    tags = dict(found.tags or {})
    record = ModelRecord.from_tags(
        tags if "task" in tags else {**tags, **_task_of_run(client, found.run_id)},
        model=found.name,
        version=int(found.version),
        registered_at=datetime.fromtimestamp(found.creation_timestamp / 1000, UTC),
        mlflow_run_id=found.run_id or "",
    )
    return Version(record, tuple(sorted(own or ())), tags)


def _task_of_run(client: MlflowClient, run_id: str | None) -> dict[str, str]:
    """The tag `task` of a version that has none itself, as the first releases left it to the run."""
    if not run_id:
        return {}
    try:
        tags = client.get_run(run_id).data.tags
    except MlflowException as error:
        if error.error_code not in MISSING:
            raise
        return {}
    return {"task": tags["task"]} if "task" in tags else {}
