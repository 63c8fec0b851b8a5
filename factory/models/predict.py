"""`predict`: what the champion says about new rows, published as a dataset."""

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator, Field, PlainValidator
from pydantic_core import PydanticCustomError

from factory.base.rules import Broken, rule
from factory.base.section import ListOf, ListOr, Name, Reference, Section, Text, also_written
from factory.base.texts import did_you_mean
from factory.data.checks.check import AnyCheck
from factory.data.column_types import Types
from factory.data.transforms.transform import AnyTransform
from factory.lake.write import Write
from factory.models.export import Export
from factory.models.prediction_columns import (
    INTERVAL,
    VERSIONS,
    class_columns,
    explanation_columns,
)
from factory.team.schedule import Schedule, ScheduleField
from factory.training.learning_task import LearningTask
from factory.training.metrics import Class


def _read_word(value: object) -> object:
    if value in ("highest", "all"):
        return value
    raise PydanticCustomError(
        "not_a_choice",
        "{value} is none of the words that `probabilities` may be",
        {
            "value": repr(value),
            "advice": did_you_mean(
                str(value), ("all", "highest"), "write `all`, `highest` or a list of classes"
            ),
        },
    )


if TYPE_CHECKING:
    Probabilities = tuple[Class, ...] | Literal["highest", "all"]
else:
    _Word = Annotated[
        Any,
        PlainValidator(_read_word, json_schema_input_type=Literal["highest", "all"]),
    ]
    Probabilities = Annotated[ListOf[Class], Field(min_length=1), ListOr(_Word)]


def _read_number(value: object) -> object:
    return {"features": value} if isinstance(value, int) else value


class Explain(Section):
    """Which features made a prediction what it is; the number of features alone will do: `explain: 3`."""

    features: int = Field(ge=1, le=20)
    """How many features of each row are told, those first that contribute the most."""
    max_rows: int = Field(default=1000, ge=1, le=1_000_000)
    """How many rows are explained, the first ones; the others have nulls."""
    samples: int = Field(default=20, ge=1, le=1000)
    """With how many other rows of the input each row is compared; more take longer, and are more precise."""


class OnRequest(Section):
    """What predictions hold where it is written, beside what all of them do."""

    probabilities: Probabilities = Field(default="highest", examples=["all", ["late", "on time"]])
    """`all`: a column `probability_<class>` for each class that the model knows. A list of classes: for each of these, so
    that the columns are known before a model is trained. `highest`: only `probability`, of the predicted class."""
    interval: float | None = Field(default=None, examples=[0.9])
    """For a regression: columns `lower` and `upper`, between which the truth lies in that share of rows like those that the
    model was measured on. From 0.5 to 0.99, in steps of 0.01."""
    explain: Annotated[
        Explain | None, BeforeValidator(_read_number), also_written({"type": "integer"})
    ] = Field(default=None, examples=[3])
    """Columns `feature_1`, `contribution_1`, `feature_2` …: which features made a prediction what it is, and by how
    much."""

    @rule
    def _level_is_recorded(self) -> Broken:
        """Versions have the widths of intervals in steps of a hundredth; see `factory.models.conformal`."""
        level = self.interval
        if level is None or (0.5 <= level <= 0.99 and round(level, 2) == level):
            return
        yield PydanticCustomError(
            "together",
            "`interval` is a share of rows from 0.5 to 0.99 in steps of 0.01, and {value} is none",
            {
                "value": f"{level:g}",
                "at": ("interval",),
                "advice": f"write {level / 100:g}"
                if 50 <= level <= 99
                else "write one such as 0.9",
            },
        )

    @rule
    def _classes_once(self) -> Broken:
        for index, name in enumerate(self.listed_classes):
            if name in self.listed_classes[:index]:
                yield PydanticCustomError(
                    "together",
                    "the class {value} is named twice",
                    {"value": repr(name), "at": ("probabilities", index), "advice": "take it away"},
                )

    @property
    def listed_classes(self) -> tuple[Class, ...]:
        """The classes that `probabilities` lists; none where it is a word."""
        return self.probabilities if isinstance(self.probabilities, tuple) else ()

    @property
    def has_columns_of_the_model(self) -> bool:
        """Whether only the trained model says what some of the columns are called."""
        return self.probabilities == "all"

    @property
    def types(self) -> Types:
        """The columns that follow from it, and their types; without those that only the model knows."""
        return {
            **dict.fromkeys(class_columns(self.listed_classes), "DOUBLE"),
            **(INTERVAL if self.interval is not None else {}),
            **explanation_columns(self.explain.features if self.explain else 0),
        }


class Predict(OnRequest):
    """Batch prediction: one DAG `<team>.<model>.predict`, which publishes a dataset.

    The rows are what `keep` names and, beside it, `prediction`, what else the task says (`probability` of the predicted
    class or cluster, `score` of an anomaly, `distance` to a cluster's centre; of several targets `prediction_…` of each, and
    of labels `probability_…`), what `probabilities`, `interval` and
    `explain` add, `model_version` and `input_version`.
    """

    description: str = ""
    """What the predictions are, for people: shown as the description of their DAG in Airflow."""
    input: Reference
    """The dataset whose rows are predicted."""
    schedule: ScheduleField | None = Field(
        default=None, examples=["@daily", "30 2 * * 1-5", {"any": ["sightings", "species"]}]
    )
    """When to predict; when left out, whenever the input has changed or the model has a new champion."""
    transforms: ListOf[AnyTransform] | None = None
    """What happens to the rows first; the model's own transforms when left out."""
    reads: ListOf[Reference] | None = None
    """Further datasets that SQL transforms read; for the model's own transforms, when left out,
    those that it trains on but for the first, which `input` stands in for."""
    keep: ListOf[Text] = ()
    """Columns of the input that the predictions keep, such as an id."""
    output: Name | None = None
    """The dataset's name; `<model>_predictions` when left out."""
    batch_rows: int = Field(default=50_000, ge=1, le=1_000_000)
    """How many rows are held in memory and predicted at once."""
    checks: ListOf[AnyCheck] = ()
    """What must be true of the predictions before they are published."""
    write: Write = Write.unwritten()
    """How new predictions meet the published ones; they replace them when left out."""
    share_with: ListOf[Name] | Literal["*"] = ()
    """Teams that may read the predictions; `"*"` is every team."""
    export: Export | None = None
    """A table of a database that the predictions are written to as well."""

    @rule
    def _different_columns(self) -> Broken:
        own = map(str.lower, ("prediction", *VERSIONS, *self.types))
        taken = dict.fromkeys(own, _OF_THEIR_OWN)
        for index, name in enumerate(self.keep):
            if name.lower() in taken:
                yield _cannot_be_kept(name, taken[name.lower()], ("keep", index))
            taken[name.lower()] = "there already is a column"

    def check_keep(self, task: LearningTask, targets: tuple[str, ...] = ()) -> Broken:
        """What `keep` names that the predictions of a task have beside `prediction`.

        Args:
            task: The model's task.
            targets: The names of its targets.

        Returns:
            Errors with their places below the model in `at`.
        """
        taken = {name.lower() for name in task.columns_of(targets)} - {"prediction"}
        for index, name in enumerate(self.keep):
            if name.lower() in taken:
                yield _cannot_be_kept(name, _OF_THEIR_OWN, ("predict", "keep", index))

    @property
    def on_request(self) -> OnRequest:
        """What is written of it, without the rest of the section."""
        return OnRequest.model_construct(
            **{name: getattr(self, name) for name in OnRequest.model_fields}
        )

    def output_of(self, model: str) -> str:
        """The name of the dataset that the model's predictions are published as."""
        return self.output or f"{model}_predictions"

    def added_columns(self, task: LearningTask, targets: tuple[str, ...] = ()) -> Types:
        """The columns beside those of the input, and their types; none where it follows from the target's.

        Those are left out that only a model knows, see `has_columns_of_the_model`.

        Args:
            task: The model's task.
            targets: The names of its targets.
        """
        return {
            **task.key_columns,
            **task.columns_of(targets),
            **self.types,
            **VERSIONS,
        }

    def when(self, model: str) -> Schedule:
        """Its schedule; without one, it runs when the input has changed or the model is promoted."""
        if self.schedule is not None:
            return self.schedule
        return Schedule(any=(self.input, model))


_OF_THEIR_OWN = "the predictions have a column of their own"


def _cannot_be_kept(name: str, why: str, at: tuple[str | int, ...]) -> PydanticCustomError:
    return PydanticCustomError(
        "keep",
        "{value} cannot be kept: {why} of this name",
        {
            "value": repr(name),
            "why": why,
            "at": at,
            "advice": "take it away, or rename it in a transform",
        },
    )
