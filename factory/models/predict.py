"""`predict`: what the champion says about new rows, published as a dataset."""

from typing import Literal

from pydantic import Field
from pydantic_core import PydanticCustomError

from factory.base.rules import Broken, rule
from factory.base.section import ListOf, Name, Reference, Section, Text
from factory.data.checks.check import AnyCheck
from factory.data.column_types import Types
from factory.data.transforms.transform import AnyTransform
from factory.lake.write import Write
from factory.team.schedule import Schedule, ScheduleField
from factory.training.tasks import TASKS, LearningTask

_VERSIONS = {"model_version": "BIGINT", "input_version": "BIGINT"}
"""The columns that say what a prediction was made with, and from, and their types."""


class Predict(Section):
    """Batch prediction: one DAG `<team>.<model>.predict`, which publishes a dataset.

    The rows are what `keep` names and, beside it, `prediction`, `probability` (of the predicted
    class, for a classification), `model_version` and `input_version`.
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

    @rule
    def _different_columns(self) -> Broken:
        reserved = [name for task in TASKS.values() for name in task.prediction_columns]
        taken = dict.fromkeys((*reserved, *_VERSIONS), "the predictions have a column of their own")
        for index, name in enumerate(self.keep):
            if name.lower() in taken:
                yield PydanticCustomError(
                    "keep",
                    "{value} cannot be kept: {why} of this name",
                    {
                        "value": repr(name),
                        "why": taken[name.lower()],
                        "at": ("keep", index),
                        "advice": "take it away, or rename it in a transform",
                    },
                )
            taken[name.lower()] = "there already is a column"

    def output_of(self, model: str) -> str:
        """The name of the dataset that the model's predictions are published as."""
        return self.output or f"{model}_predictions"

    def added_columns(self, task: LearningTask) -> Types:
        """The columns beside those of the input, and their types; none where it follows from the target's."""
        return {**task.prediction_columns, **_VERSIONS}

    def when(self, model: str) -> Schedule:
        """Its schedule; without one, it runs when the input has changed or the model is promoted."""
        if self.schedule is not None:
            return self.schedule
        return Schedule(any=(self.input, model))
