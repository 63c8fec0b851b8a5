"""What a stored model says about itself beside its weights: all that it takes to rebuild it."""

from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from factory.base.errors import TerminalError
from factory.training.tasks import TASKS


class Part(BaseModel):
    """A part of a description: nothing unknown, and nothing that changes."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Classes(Part):
    """A target of classes, in the order of the network's outputs."""

    kind: Literal["classes"] = "classes"
    form: Literal["text", "whole", "truth"]
    """Whether the classes are strings, integers or booleans."""
    values: tuple[str, ...] | tuple[int, ...] | tuple[bool, ...]

    @property
    def outputs(self) -> int:
        """How many numbers the network gives for a row."""
        return len(self.values)

    def array(self) -> NDArray[Any]:
        """The classes as predictions hold them."""
        kinds: dict[str, Any] = {"text": object, "whole": np.int64, "truth": np.bool_}
        return np.asarray(self.values, dtype=kinds[self.form])


class Number(Part):
    """A target of numbers, of which the network learns (number - mean) / deviation."""

    kind: Literal["number"] = "number"
    mean: float
    deviation: float = Field(gt=0)

    @property
    def outputs(self) -> int:
        """How many numbers the network gives for a row."""
        return 1


TargetDescription = Annotated[Classes | Number, Field(discriminator="kind")]


class Head(Part):
    """The layers that fastai puts behind a body."""

    ps: float
    lin_ftrs: tuple[int, ...] | None
    concat_pool: bool


class VisionDescription(Part):
    """A model of images."""

    format: Literal[1] = 1
    """The version of this form; whoever does not know it refuses the model."""
    kind: Literal["vision"] = "vision"
    column: str
    """The feature: a column of encoded images."""
    target: TargetDescription
    arch: str
    head: Head
    size: int = Field(ge=8, le=2048)
    method: Literal["crop", "squish", "pad"]
    mean: tuple[float, float, float]
    """Of each colour's brightness, from 0 to 1; what the network sees is (brightness - mean) / std."""
    std: tuple[float, float, float]


class TextColumn(Part):
    """A feature of texts: the network sees the place among the categories, from 1; 0 is any other."""

    kind: Literal["text"] = "text"
    name: str
    categories: tuple[str, ...]


class NumberColumn(Part):
    """A feature of numbers: missing ones are the median; then (number - mean) / deviation."""

    kind: Literal["number"] = "number"
    name: str
    median: float
    mean: float
    deviation: float = Field(gt=0)
    flagged: bool
    """Whether the network is told which ones were missing, for there were some in training."""


class TimeColumn(Part):
    """A feature of points in time: four numbers, as `factory.trainers.scikit_learn.preprocessing.DateParts` says."""

    kind: Literal["time"] = "time"
    name: str
    parts: tuple[NumberColumn, ...]


Column = Annotated[TextColumn | NumberColumn | TimeColumn, Field(discriminator="kind")]


class TabularDescription(Part):
    """A model of tables."""

    format: Literal[1] = 1
    """The version of this form; whoever does not know it refuses the model."""
    kind: Literal["tabular"] = "tabular"
    columns: tuple[Column, ...]
    """Every feature, in the order of the training rows."""
    target: TargetDescription
    layers: tuple[int, ...]
    ps: float
    embed_p: float
    use_bn: bool
    bn_final: bool
    bn_cont: bool


Description = VisionDescription | TabularDescription

_READER: TypeAdapter[Description] = TypeAdapter(
    Annotated[VisionDescription | TabularDescription, Field(discriminator="kind")]
)


def read_description(text: str | bytes) -> Description:
    """The description that a model's file holds.

    Raises:
        TerminalError: It is not one.
    """
    try:
        return _READER.validate_json(text)
    except ValidationError as error:
        raise TerminalError(
            f"the model's description is not what this version of the factory writes: {error}. "
            "Train the model again"
        ) from None


def describe_target(task: str, target: NDArray[Any]) -> Classes | Number:
    """What is to be learned of the training rows' target.

    Args:
        task: The model's task.
        target: Classes as strings, integers or booleans; numbers for a regression.
    """
    if not TASKS[task].has_classes:
        deviation = float(np.std(target))
        return Number(mean=float(np.mean(target)), deviation=deviation if deviation > 0 else 1.0)
    values = np.unique(target).tolist()
    if isinstance(values[0], bool):
        return Classes(form="truth", values=tuple(values))
    if isinstance(values[0], int):
        return Classes(form="whole", values=tuple(values))
    return Classes(form="text", values=tuple(map(str, values)))


def encode(described: Classes | Number, target: NDArray[Any]) -> NDArray[Any]:
    """A target as the network learns it: int64 places of classes, or float32 numbers.

    Raises:
        TerminalError: A class is not among those that are described.
    """
    if isinstance(described, Number):
        scaled = (np.asarray(target, dtype=np.float64) - described.mean) / described.deviation
        return scaled.astype(np.float32)
    places = {value: place for place, value in enumerate(described.values)}
    unknown = sorted({str(value) for value in target.tolist() if value not in places})
    if unknown:
        raise TerminalError(
            f"there are rows of the classes {', '.join(unknown)}, which no training row has: use "
            "`method: stratified`, or another `split.column`"
        )
    return np.asarray([places[value] for value in target.tolist()], dtype=np.int64)
