"""A team file as a whole, and the platform's `_defaults.yaml`."""

import sys
from collections.abc import Iterator
from datetime import date
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, PrivateAttr, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from factory.base.code import OWN_PACKAGE
from factory.base.files import is_hidden
from factory.base.findings import Finding
from factory.base.rules import Broken, rule
from factory.base.section import (
    DATA_FOLDERS,
    KEPT_OUT,
    ListOf,
    Name,
    Seconds,
    Section,
    Surroundings,
    Text,
)
from factory.data.dataset import Dataset
from factory.team.maintenance import Maintenance
from factory.team.notify import Notify
from factory.team.schedule import TimeZone
from factory.training.model import Model


class Defaults(Section):
    """What holds for every task of a team's DAGs. The words are Airflow's."""

    retries: int = Field(default=1, ge=0, le=20)
    """How often a failed task is tried again."""
    retry_delay: Seconds = 30
    """How long to wait before a failed task is tried again."""
    execution_timeout: Seconds | None = None
    """How long one try of a task may take before it is stopped and has failed; no limit when left out."""
    pool: Text | None = None
    """The Airflow pool whose slots the tasks take; `default_pool` when left out."""
    queue: Text | None = None
    """The queue of the workers that run the tasks; the executor's default when left out."""
    priority_weight: int | None = Field(default=None, ge=1)
    """Of tasks that wait for a slot, those with the higher number come first; 1 when left out."""
    start_date: date = date(2024, 1, 1)
    """The first day of schedules. Runs that would lie in the past are not made up for."""
    timezone: TimeZone = Field(default="UTC", examples=["Europe/Berlin"])
    """The time zone of schedules, and of the dates that templates name."""


class TeamConfig(Section):
    """Everything that one team owns."""

    version: Literal[1]
    """Which version of this format the file is written in; there is 1 only."""
    team: Name
    """The team's name: that of the file without `.yaml`, and the prefix of all that the team owns."""
    owner: Text
    """Who is answerable: shown as the owner of every DAG, and in messages about failed runs."""
    description: str = ""
    """What the team does, for people who read the file; nothing else shows it."""
    defaults: Defaults = Defaults.unwritten()
    """What holds for every task of the team's DAGs."""
    notify: Notify = Notify.unwritten()
    """Whom to tell what becomes of the team's datasets and models."""
    datasets: dict[Name, Dataset] = Field(default_factory=dict)
    """What the team publishes, by name; each has a DAG `<team>.<dataset>`."""
    models: dict[Name, Model] = Field(default_factory=dict)
    """What the team trains, by name; each has a DAG `<team>.<model>.train`."""
    dags: dict[Name, dict[str, Any]] = Field(default_factory=dict)
    """DAGs in plain dag-factory format, for what the factory does not cover; `default` lies below each of them."""

    _models_elsewhere: frozenset[str] = PrivateAttr(default=frozenset())

    @field_validator("team")
    @classmethod
    def _named_like_its_file(cls, value: str, info: ValidationInfo) -> str:
        expected = info.context.team if isinstance(info.context, Surroundings) else None
        if expected not in (None, value):
            raise PydanticCustomError(
                "team",
                "the team is {value} here, but its file is {expected}.yaml: they must agree",
                {
                    "value": repr(value),
                    "expected": expected,
                    "advice": f"write `team: {expected}`, or rename the file to {value}.yaml",
                },
            )
        return value

    @rule
    def _something(self) -> Broken:
        if not (self.datasets or self.models or self.dags):
            yield PydanticCustomError(
                "empty_team", "this team owns nothing: add `datasets`, `models` or `dags`"
            )

    @property
    def own_names(self) -> frozenset[str]:
        """The names of its datasets, those of predictions among them, and of its models."""
        models = self.models.items()
        predictions = (model.predict.output_of(name) for name, model in models if model.predict)
        return frozenset((*self.datasets, *self.models, *predictions))

    @property
    def known_models(self) -> frozenset[str]:
        """The full names of its models, and of those of other teams that its own DAGs and tasks name."""
        return self._models_elsewhere.union(f"{self.team}.{name}" for name in self.models)

    def with_models_elsewhere(self, names: frozenset[str]) -> Self:
        """The same team, knowing which of the names that its own DAGs and tasks write are models of other teams.

        Nothing in the team's own file says so.
        """
        copy = self.model_copy()
        copy._models_elsewhere = names  # noqa: SLF001 - of the same class
        return copy

    def doubts(self) -> Iterator[Finding]:
        """Keys of its own DAGs that change nothing."""
        if self.dags:
            # Late: few teams write DAGs.
            from factory.team.own_dags import doubts_of_dags

            yield from doubts_of_dags(self.dags)


def _check_data_folder(value: str) -> str:
    path = PurePosixPath(value)
    kept_out = any(path.is_relative_to(folder) for folder in KEPT_OUT)
    if path.is_absolute() or is_hidden(path) or "://" in value or kept_out:
        raise PydanticCustomError(
            "data_folder",
            "{value} cannot be a folder of data: write a folder below the project's that is neither hidden "
            "nor one of {kept_out}; where data lies elsewhere, let it be a link",
            {"value": repr(value), "kept_out": ", ".join(KEPT_OUT)},
        )
    return value


def _check_allowed_package(value: str) -> str:
    package = value.partition(".")[0]
    if package == OWN_PACKAGE or package in sys.stdlib_module_names:
        raise PydanticCustomError(
            "package",
            "{value} cannot be allowed: with its functions a team file could do anything on a worker",
            {
                "value": repr(value),
                "advice": "allow a package of functions that were written for teams",
            },
        )
    return value


AllowedPackage = Annotated[Text, AfterValidator(_check_allowed_package)]


class TeamLimits(Section):
    """What one team may use: what is left out is what holds for all, but for connections."""

    python_packages: ListOf[AllowedPackage] | None = None
    """Packages whose code its file may name, in place of the platform's `python_packages`."""
    operators: ListOf[Text] | None = None
    """What its `dags` may name, in place of the platform's `operators`."""
    connections: ListOf[Text] = ()
    """The Airflow connections that its file may name."""
    storage_connection: Text | None = None
    """The Airflow connection by which its tasks reach the lake: one that may write below the team's prefix only."""
    queue: Text | None = None
    """The queue of all its tasks: workers of its own."""
    pool: Text | None = None
    """The pool of all its tasks."""


PositivePrice = Annotated[float, Field(gt=0)]


class PlatformConfig(Section):
    """What holds for every team: `configs/_defaults.yaml`.

    `defaults`, `notify`, `datasets` and `models` hold sections that are laid under each team's own;
    they are checked as part of the team files that inherit them.
    """

    version: Literal[1] = 1
    """Which version of this format the file is written in; there is 1 only."""
    storage: Text = Field(default=".factory/lake", examples=[".factory/lake", "s3://bucket/lake"])
    """Where the lake lies: a folder, relative to the project's, or an address such as s3://bucket/lake."""
    storage_connection: Text | None = None
    """The Airflow connection by which tasks reach a lake in S3; else the environment says how."""
    create_bucket: bool = False
    """Whether runs make the lake's bucket in S3 if it is not there."""
    workspace: Text = ".factory/workspace"
    """Scratch space that a run's tasks share; removed when the run ends."""
    data_folders: ListOf[Annotated[Text, AfterValidator(_check_data_folder)]] = DATA_FOLDERS
    """Folders of the project below which sources may read files; `.` is all of it, but for what is hidden,
    team files, DAG files, the lake and workspaces."""
    internal_hosts: ListOf[Text] = ()
    """Servers on the workers' own machines or network that sources may ask, and webhooks tell, by `url`; `*` is all."""
    python_packages: ListOf[AllowedPackage] = ("sklearn",)
    """Packages whose code team files may name by dotted path."""
    operators: ListOf[Text] = Field(
        default=(), examples=[["airflow.providers.standard.operators.empty.EmptyOperator"], ["*"]]
    )
    """Operators, notifiers and types of Airflow that `dags` may name, by dotted path or by package. `["*"]` is
    all of Airflow: whoever may write a team file can then run anything that a worker can."""
    teams: dict[Name, TeamLimits] = Field(
        default_factory=dict, examples=[{"harbour": {"connections": ["warehouse"]}}]
    )
    """What each team may use. Once one is listed, a file of a team that is not is refused."""
    plugins: ListOf[Text] = ()
    """Installed packages that may add kinds of sources, checks, metrics and so on: see `factory kinds`."""
    maintenance: Maintenance | None = None
    """A DAG that takes away what killed runs have left over; there is none if left out."""
    prices: dict[Text, PositivePrice] = Field(
        default_factory=dict, examples=[{"ml.m5.large": 0.115}]
    )
    """What an hour of an instance costs, in USD, by instance type; `max_cost` reckons with it."""
    defaults: dict[str, Any] = Field(default_factory=dict)
    """Laid under the `defaults` of every team."""
    notify: dict[str, Any] = Field(default_factory=dict)
    """Laid under the `notify` of every team."""
    datasets: dict[str, Any] = Field(default_factory=dict, examples=[{"verify": "full"}])
    """Laid under each dataset of every team: the keys of a dataset, without a name above them."""
    models: dict[str, Any] = Field(
        default_factory=dict, examples=[{"split": {"test": 0.2, "seed": 7}}]
    )
    """Laid under each model of every team: the keys of a model, without a name above them."""
