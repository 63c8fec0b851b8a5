"""A team file as a whole, and the platform's `_defaults.yaml`."""

from datetime import date
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationInfo, field_validator, model_validator
from pydantic_core import PydanticCustomError

from factory.base.section import ListOf, Name, Seconds, Section, Surroundings, Text
from factory.data.dataset import Dataset
from factory.team.notify import Notify
from factory.training.model import Model


class Defaults(Section):
    """What holds for every task of a team's DAGs. The words are Airflow's."""

    retries: int = Field(default=1, ge=0, le=20)
    retry_delay: Seconds = 30
    execution_timeout: Seconds | None = None
    pool: Text | None = None
    queue: Text | None = None
    priority_weight: int | None = Field(default=None, ge=1)
    start_date: date = date(2024, 1, 1)


class TeamConfig(Section):
    """Everything that one team owns."""

    version: Literal[1]
    team: Name
    owner: Text
    description: str = ""
    defaults: Defaults = Defaults()
    notify: Notify = Notify()
    """Whom to tell what becomes of the team's datasets and models."""
    datasets: dict[Name, Dataset] = Field(default_factory=dict)
    models: dict[Name, Model] = Field(default_factory=dict)
    dags: dict[Name, dict[str, Any]] = Field(default_factory=dict)
    """DAGs in plain dag-factory format, for what the factory does not cover."""

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

    @model_validator(mode="after")
    def _something(self) -> "TeamConfig":
        if not (self.datasets or self.models or self.dags):
            raise PydanticCustomError(
                "empty_team", "this team owns nothing: add `datasets`, `models` or `dags`"
            )
        return self


PositivePrice = Annotated[float, Field(gt=0)]


class PlatformConfig(Section):
    """What holds for every team: `configs/_defaults.yaml`.

    `defaults`, `notify`, `datasets` and `models` hold sections that are laid under each team's own;
    they are checked as part of the team files that inherit them.
    """

    version: Literal[1] = 1
    storage: Text = ".factory/lake"
    """Where the lake lies: a folder, relative to the project's, or an address such as s3://bucket/lake."""
    storage_connection: Text | None = None
    """The Airflow connection by which tasks reach a lake in S3; else the environment says how."""
    create_bucket: bool = False
    """Whether runs make the lake's bucket in S3 if it is not there."""
    workspace: Text = ".factory/workspace"
    """Scratch space that a run's tasks share; removed when the run ends."""
    python_packages: ListOf[Text] = ("sklearn",)
    """Packages whose code team files may name by dotted path."""
    plugins: ListOf[Text] = ()
    """Installed packages that may add kinds of sources, checks, metrics and so on: see `factory kinds`."""
    prices: dict[Text, PositivePrice] = Field(default_factory=dict)
    """What an hour of an instance costs, in USD, by instance type; `max_cost` reckons with it."""
    defaults: dict[str, Any] = Field(default_factory=dict)
    notify: dict[str, Any] = Field(default_factory=dict)
    datasets: dict[str, Any] = Field(default_factory=dict)
    models: dict[str, Any] = Field(default_factory=dict)
