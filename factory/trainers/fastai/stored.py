"""What a stored model holds: weights as safetensors, and a description of all that it takes to rebuild it.

Reading either runs no code.
"""

import json
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import safetensors.torch
import torch  # noqa: TID253 - whoever imports this module wants torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from safetensors import SafetensorError, safe_open

from factory.base.errors import TerminalError
from factory.base.files import whole_file
from factory.training.tasks import TASKS

WEIGHTS = "weights.safetensors"
DESCRIPTION = "description.json"
_IN_HEADER = "description"

TensorsByName = dict[str, torch.Tensor]


class DescriptionPart(BaseModel):
    """What a description consists of: nothing unknown, and nothing that changes."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Classes(DescriptionPart):
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


class Number(DescriptionPart):
    """A target of numbers, of which the network learns (number - mean) / deviation."""

    kind: Literal["number"] = "number"
    mean: float
    deviation: float = Field(gt=0)

    @property
    def outputs(self) -> int:
        """How many numbers the network gives for a row."""
        return 1


TargetDescription = Annotated[Classes | Number, Field(discriminator="kind")]


class Head(DescriptionPart):
    """The layers that fastai puts behind a body."""

    ps: float
    lin_ftrs: tuple[int, ...] | None
    concat_pool: bool


class VisionDescription(DescriptionPart):
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


class TextColumn(DescriptionPart):
    """A feature of texts: the network sees the place among the categories, from 1; 0 is any other."""

    kind: Literal["text"] = "text"
    name: str
    categories: tuple[str, ...]


class NumberColumn(DescriptionPart):
    """A feature of numbers: missing ones are the median; then (number - mean) / deviation."""

    kind: Literal["number"] = "number"
    name: str
    median: float
    mean: float
    deviation: float = Field(gt=0)
    flagged: bool
    """Whether the network is told which ones were missing, for there were some in training."""


class TimeColumn(DescriptionPart):
    """A feature of points in time: four numbers, as `factory.trainers.scikit_learn.preprocessing.DateParts` says."""

    kind: Literal["time"] = "time"
    name: str
    parts: tuple[NumberColumn, ...]


Column = Annotated[TextColumn | NumberColumn | TimeColumn, Field(discriminator="kind")]


class TabularDescription(DescriptionPart):
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


def write_file(description: Description, tensors: TensorsByName, file: Path) -> None:
    """Both in one file, the description in its header; it appears only when it is whole."""
    header = {_IN_HEADER: description.model_dump_json()}
    with whole_file(file) as unfinished:
        safetensors.torch.save_file(_storable(tensors), unfinished, metadata=header)


def read_file(file: Path) -> tuple[Description, TensorsByName]:
    """What `write_file` wrote.

    Raises:
        TerminalError: It is something else.
    """
    try:
        with safe_open(file, framework="pt") as opened:
            text = (opened.metadata() or {}).get(_IN_HEADER, "")
            tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise TerminalError(f"{file.name} is no file of weights: {error}") from error
    return read_description(text), tensors


def write_folder(description: Description, tensors: TensorsByName, folder: Path) -> None:
    """Each in a file of its own, so that people can read the description."""
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(json.loads(description.model_dump_json()), indent=2)
    (folder / DESCRIPTION).write_text(text + "\n", encoding="utf-8")
    safetensors.torch.save_file(_storable(tensors), folder / WEIGHTS)


def read_folder(folder: Path) -> tuple[Description, TensorsByName]:
    """What `write_folder` wrote.

    Raises:
        TerminalError: It is something else.
    """
    try:
        description = read_description((folder / DESCRIPTION).read_bytes())
        return description, safetensors.torch.load_file(folder / WEIGHTS)
    except (SafetensorError, OSError) as error:
        raise TerminalError(f"{folder.name} holds no model of fastai: {error}") from error


def _storable(tensors: TensorsByName) -> TensorsByName:
    """Each tensor with memory of its own, in rows, on the CPU."""
    return {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
