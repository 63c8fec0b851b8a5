"""Hyperparameters of fastai's estimators, by fastai's own words; nothing here imports fastai or torch."""

import re
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError

from factory.base.code import how_to_allow
from factory.base.errors import TerminalError
from factory.base.files import is_hidden
from factory.base.section import ListOf, Section, Surroundings, Text

VISION = "fastai.vision.learner.vision_learner"
TABULAR = "fastai.tabular.learner.tabular_learner"

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

_ALIASES = {
    "architecture": "arch",
    "model": "arch",
    "pretrained": "weights",
    "learning_rate": "lr",
    "base_lr": "lr",
    "lr_max": "lr",
    "weight_decay": "wd",
    "batch_size": "bs",
    "image_size": "size",
    "img_size": "size",
    "dropout": "ps",
    "early_stopping": "patience",
    "frozen_epochs": "freeze_epochs",
    "n_epoch": "epochs",
    "n_epochs": "epochs",
    "num_epochs": "epochs",
    "hidden_layers": "layers",
    "augmentation": "augment",
    "resize_method": "method",
}
"""Other libraries' words, and fastai's."""


def check_params(
    estimator: str,
    params: Mapping[str, Any],
    surroundings: object,
    *,
    spaces: tuple[str, ...] = (),
) -> None:
    """Raise a located error unless fastai has the estimator, and it takes the parameters.

    Args:
        estimator: Its dotted path.
        params: Values by name.
        surroundings: What the file is read against, if it is.
        spaces: The words for ranges and distributions; where there are any, a list is one of values
            to try.

    Raises:
        PydanticCustomError: With its place below the estimator's section in `at`.
    """
    known = PARAMS.get(estimator)
    if known is None:
        raise PydanticCustomError(
            "estimator",
            "fastai has no estimator {value}: write {known}",
            {
                "value": repr(estimator),
                "known": " or ".join(PARAMS),
                "at": ("estimator",),
                "choices": list(PARAMS),
            },
        )
    for name, value in params.items():
        _check_name(estimator, known, name)
        for index, single in _singles(value, spaces):
            _check_value(known, name, single, index)
            if name == "weights" and single is not None and isinstance(surroundings, Surroundings):
                _check_there(single, surroundings, index)
    if known is VisionParams and "arch" not in params:
        raise PydanticCustomError(
            "params",
            "`arch` is missing: {estimator} needs an architecture",
            {
                "estimator": estimator,
                "at": ("params",) if params else (),
                "advice": "add `arch: resnet18` to `params`, or another name of timm's",
            },
        )


def _check_name(estimator: str, known: type[Section], name: str) -> None:
    if name in known.model_fields:
        return
    meant = _ALIASES.get(name)
    raise PydanticCustomError(
        "params",
        "{estimator} has no parameter {value}",
        {
            "estimator": estimator.rpartition(".")[2],
            "value": repr(name),
            "at": ("params", name),
            "on_key": True,
            "advice": f"known here: {', '.join(sorted(known.model_fields))}",
            **(
                {"suggestion": meant}
                if meant in known.model_fields
                else {"choices": sorted(known.model_fields)}
            ),
        },
    )


def _singles(value: object, spaces: tuple[str, ...]) -> Iterator[tuple[tuple[int, ...], Any]]:
    """What a parameter may become, as far as that is written, and where it stands below it."""
    if not spaces:
        yield (), value
    elif isinstance(value, list):
        yield from (((index,), single) for index, single in enumerate(value))
    elif not (isinstance(value, dict) and len(value) == 1 and next(iter(value)) in spaces):
        yield (), value


def _check_value(known: type[Section], name: str, value: object, index: tuple[int, ...]) -> None:
    field = known.model_fields[name]
    form: Any = Annotated[field.annotation, field]
    reader: TypeAdapter[Any] = TypeAdapter(form, config={"strict": True})
    try:
        reader.validate_python(value)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise _refusal(first, name, value, ("params", name, *index)) from None


def _refusal(
    error: ErrorDetails, name: str, value: object, at: tuple[str | int, ...]
) -> PydanticCustomError:
    kind, context = error["type"], error.get("ctx", {})
    if kind == "weights":
        return PydanticCustomError("weights", "{message}", {"message": error["msg"], "at": at})
    choices = re.findall(r"'(\w+)'", context["expected"]) if kind == "literal_error" else []
    wanted = _WANTED.get(kind, "text").format(choices=", ".join(choices), **context)
    in_list = len(at) > len(("params", name))
    advice = "each inner list is a value to try: write [[200, 100]], say"
    return PydanticCustomError(
        "params",
        "`{name}` must be {wanted}, found {value}",
        {
            "name": name,
            "wanted": wanted,
            "value": repr(value),
            "at": at,
            **({"choices": choices} if choices else {}),
            **({"advice": advice} if kind == "tuple_type" and in_list else {}),
        },
    )


_WANTED = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "tuple_type": "a list of whole numbers",
    "greater_than": "above {gt:g}",
    "greater_than_equal": "at least {ge:g}",
    "less_than": "below {lt:g}",
    "less_than_equal": "at most {le:g}",
    "literal_error": "one of {choices}",
}
"""What is said of a value that is none of these, by pydantic's word for what is wrong."""


def _check_there(weights: str, surroundings: Surroundings, index: tuple[int, ...]) -> None:
    at = ("params", "weights", *index)
    match = _WEIGHTS_IN_PACKAGE.fullmatch(weights)
    if match is None:
        if not (surroundings.project / weights).is_file():
            raise PydanticCustomError(
                "weights",
                "there is no file {value} below the project's folder",
                {"value": repr(weights), "at": at},
            )
        return
    package = match[1]
    if not any(
        package == one or package.startswith(f"{one}.") for one in surroundings.python_packages
    ):
        raise PydanticCustomError(
            "package",
            "`{value}` is outside the packages that may be named here: {packages}",
            {
                "value": package,
                "packages": ", ".join(surroundings.python_packages) or "none",
                "at": at,
                "advice": how_to_allow(package.partition(".")[0]),
            },
        )


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


def is_in_package(weights: str) -> bool:
    """Whether weights lie in an installed package, not below the project's folder."""
    return _WEIGHTS_IN_PACKAGE.fullmatch(weights) is not None


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
