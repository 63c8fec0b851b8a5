"""Hyperparameters of fastai's estimators, by fastai's own words; nothing here imports fastai or torch."""

import re
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, ValidationError
from pydantic_core import PydanticCustomError

from factory.base.errors import TerminalError
from factory.base.files import is_hidden
from factory.base.section import ListOf, Section, Text

VISION = "fastai.vision.learner.vision_learner"
TABULAR = "fastai.tabular.learner.tabular_learner"
TORCHVISION = "torchvision.models."
"""What the names of torchvision's architectures start with; the others are timm's."""
HOW_TO_INSTALL = 'pip install "ml-dag-factory[fastai]"'

_WEIGHTS_IN_PACKAGE = re.compile(r"([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*):(.+)")
_WEIGHTS_ENDINGS = (".safetensors", ".pth", ".pt")


def _check_weights(value: str) -> str:
    match = _WEIGHTS_IN_PACKAGE.fullmatch(value)
    file = Path(match[2] if match else value)
    if file.is_absolute() or is_hidden(file) or "://" in value:
        raise PydanticCustomError(
            "weights",
            "{value} is no file below the project's folder and none of a package: nothing is "
            "downloaded. Write a path such as weights/resnet18.safetensors, or `package:file`",
            {"value": repr(value)},
        )
    if file.suffix not in _WEIGHTS_ENDINGS:
        raise PydanticCustomError(
            "weights",
            "{value} ends in none of {endings}: weights are read from such files only",
            {"value": repr(value), "endings": ", ".join(_WEIGHTS_ENDINGS)},
        )
    return value


class _Training(Section):
    """What both learners have."""

    epochs: int = Field(default=5, ge=0, le=1000)
    """Epochs of one-cycle training; in vision with all layers unfrozen."""
    lr: float = Field(default=2e-3, gt=0, le=10)
    """The highest learning rate; in vision that of the frozen epochs, half of it after."""
    wd: float = Field(default=0.01, ge=0, le=1)
    """Weight decay."""
    bs: int = Field(default=64, ge=2, le=65_536)
    """Rows of a batch."""
    patience: int | None = Field(default=None, ge=1)
    """Stop after so many epochs without a lower validation loss, and keep the best epoch's weights."""


class VisionParams(_Training):
    """Hyperparameters of `fastai.vision.learner.vision_learner`."""

    arch: Text
    """An architecture of timm (`resnet18d`), or of torchvision (`torchvision.models.resnet18`)."""
    weights: Annotated[Text, AfterValidator(_check_weights)] | None = None
    """What the body starts from: a file below the project's folder or `package:file`; None: nothing."""
    freeze_epochs: int | None = Field(default=None, ge=0, le=1000)
    """Epochs that train the head alone, before the others; 1 with weights and 0 without."""
    lr_mult: float = Field(default=100, ge=1, le=1e6)
    """By how much the first layers learn more slowly than the head, once all are unfrozen."""
    size: int = Field(default=224, ge=8, le=2048)
    """Width and height that images are brought to, in pixels."""
    method: Literal["crop", "squish", "pad"] = "crop"
    """How images that are not square are made so."""
    augment: bool = False
    """Whether training images are flipped, turned, zoomed and lit at random (`aug_transforms`)."""
    train_bn: bool = False
    """Whether batch normalization of a frozen body learns; fastai's own default is true."""
    ps: float = Field(default=0.5, ge=0, lt=1)
    """Dropout in the head."""
    lin_ftrs: ListOf[Annotated[int, Field(ge=1, le=65_536)]] | None = None
    """Widths of the head's hidden layers; one of 512 when left out."""
    concat_pool: bool = True
    """Whether the head sees the highest value of each feature beside the mean."""

    @property
    def frozen_epochs(self) -> int:
        """Epochs that train the head alone."""
        if self.freeze_epochs is None:
            return 0 if self.weights is None else 1
        return self.freeze_epochs


class TabularParams(_Training):
    """Hyperparameters of `fastai.tabular.learner.tabular_learner`."""

    layers: ListOf[Annotated[int, Field(ge=1, le=65_536)]] = (200, 100)
    """Widths of the hidden layers."""
    ps: float = Field(default=0.0, ge=0, lt=1)
    """Dropout after each hidden layer."""
    embed_p: float = Field(default=0.0, ge=0, lt=1)
    """Dropout of the embeddings."""
    use_bn: bool = True
    """Whether hidden layers have batch normalization."""
    bn_final: bool = False
    """Whether the last layer has batch normalization."""
    bn_cont: bool = True
    """Whether numbers go through batch normalization."""


PARAMS: dict[str, type[VisionParams | TabularParams]] = {
    VISION: VisionParams,
    TABULAR: TabularParams,
}
"""What estimators of fastai there are, and what each takes."""


def weights_file(weights: str, folder: Path) -> Path:
    """Where the weights lie that a parameter names; no code of a package is run to find them.

    Args:
        weights: `package:file`, or a path.
        folder: What paths are below.

    Raises:
        FileNotFoundError: There is no such package, or no such file.
    """
    match = _WEIGHTS_IN_PACKAGE.fullmatch(weights)
    if match is None:
        candidates = [folder / weights]
    else:
        # Of the top-level package only: to find one within, Python would run the code of the outer.
        package, *inner = match[1].split(".")
        found = find_spec(package)
        places = found.submodule_search_locations if found else None
        if not places:
            raise FileNotFoundError(f"there is no package {package!r} on this worker: install it")
        candidates = [Path(place, *inner, match[2]) for place in places]
    for file in candidates:
        if file.is_file():
            return file
    raise FileNotFoundError(f"there is no file {weights!r} in {candidates[0].parent}")


def package_of_weights(weights: str) -> str | None:
    """The installed package that weights lie in; None for those below the project's folder."""
    match = _WEIGHTS_IN_PACKAGE.fullmatch(weights)
    return match[1] if match else None


def read_params(estimator: str, params: Mapping[str, Any]) -> VisionParams | TabularParams:
    """The hyperparameters of a trial.

    Raises:
        TerminalError: fastai has no such estimator, or the estimator no such parameter or value.
    """
    known = PARAMS.get(estimator)
    if known is None:
        raise TerminalError(f"fastai has no estimator {estimator}: there are {', '.join(PARAMS)}")
    try:
        return known.model_validate(dict(params))
    except ValidationError as error:
        wrong = "; ".join(
            f"`{'.'.join(map(str, each['loc']))}`: {each['msg']}" for each in error.errors()
        )
        raise TerminalError(f"{estimator} does not take {dict(params)}: {wrong}") from None
