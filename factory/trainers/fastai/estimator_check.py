"""Whether fastai has an estimator that a team file names, and the estimator takes its parameters.

Names, types and bounds are looked at when the file is read. Architectures are timm's and torchvision's: they are asked
for in a process of its own when files are validated, and by a training run before its first trial.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError

from factory.base.answers import Reply
from factory.base.code import how_to_allow, is_within
from factory.base.findings import Finding, KeyPath
from factory.base.objects import NoSuchObjectError, import_object
from factory.base.rules import Broken
from factory.base.section import Section, Surroundings
from factory.base.texts import closest, did_you_mean
from factory.trainers.fastai.params import (
    HOW_TO_INSTALL,
    PARAMS,
    TORCHVISION,
    VisionParams,
    package_of_weights,
)
from factory.trainers.trainer import WrittenEstimator
from factory.training.search.distributions import DISTRIBUTIONS
from factory.training.search.spaces import SPACES, is_space, outermost

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
) -> Broken:
    """What tells, without an import, that fastai has no such estimator, or that it does not take the parameters.

    Args:
        estimator: Its dotted path.
        params: Values by name.
        surroundings: What the file is read against, if it is.
        spaces: The words for ranges and distributions; where there are any, a list is one of values
            to try.

    Returns:
        Errors with their places below the estimator's section in `at`.
    """
    known = PARAMS.get(estimator)
    if known is None:
        yield PydanticCustomError(
            "estimator",
            "fastai has no estimator {value}: write {known}",
            {
                "value": repr(estimator),
                "known": " or ".join(PARAMS),
                "at": ("estimator",),
                "choices": list(PARAMS),
            },
        )
        return
    for name, value in params.items():
        if name not in known.model_fields:
            yield _unknown(estimator, known, name)
            continue
        for index, single in _singles(value, spaces):
            if is_space(single, spaces):
                wrong = _wrong_space(known, name, single, index)
            else:
                wrong = _wrong_value(known, name, single, index)
                if wrong is None and name == "weights" and single is not None:
                    wrong = _wrong_place(single, surroundings, index)
            if wrong is not None:
                yield wrong
                if "advice" in (wrong.context or {}):
                    break  # It is about the whole list.
    if known is VisionParams and "arch" not in params:
        yield PydanticCustomError(
            "params",
            "`arch` is missing: {estimator} needs an architecture",
            {
                "estimator": estimator,
                "at": ("params",) if params else (),
                "advice": "add `arch: resnet18` to `params`, or another name of timm's",
            },
        )


def _unknown(estimator: str, known: type[Section], name: str) -> PydanticCustomError:
    meant = _ALIASES.get(name)
    return PydanticCustomError(
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
    """What a parameter may become, or the range that gives it, and where it stands below the parameter."""
    if spaces and isinstance(value, list):
        yield from (((index,), single) for index, single in enumerate(value))
    else:
        yield (), value


def _read(known: type[Section], name: str, value: object) -> ErrorDetails | None:
    """What pydantic says against a value of a parameter."""
    field = known.model_fields[name]
    form: Any = Annotated[field.annotation, field]
    reader: TypeAdapter[Any] = TypeAdapter(form, config={"strict": True})
    try:
        reader.validate_python(value)
    except ValidationError as error:
        return error.errors(include_url=False)[0]
    return None


def _wrong_value(
    known: type[Section], name: str, value: object, index: tuple[int, ...]
) -> PydanticCustomError | None:
    error = _read(known, name, value)
    if error is None:
        return None
    at = ("params", name, *index)
    if error["type"] == "weights":
        return PydanticCustomError("weights", "{message}", {"message": error["msg"], "at": at})
    choices = _choices(error)
    advice = "each inner list is a value to try: write [[200, 100]], say"
    return PydanticCustomError(
        "params",
        "`{name}` must be {wanted}, found {value}",
        {
            "name": name,
            "wanted": _wanted(error),
            "value": repr(value),
            "at": at,
            **({"choices": choices} if choices else {}),
            **({"advice": advice} if error["type"] == "tuple_type" and index else {}),
        },
    )


def _wrong_space(
    known: type[Section], name: str, space: dict[str, Any], index: tuple[int, ...]
) -> PydanticCustomError | None:
    """That a range or a distribution gives what the parameter does not take."""
    ((kind, numbers),) = space.items()
    for bound, value in enumerate(outermost(kind, numbers)):
        error = _read(known, name, value)
        if error is None:
            continue
        has_fractions = error["type"] in ("int_type", "int_from_float")
        at = ("params", name, *index, kind)
        context: dict[str, Any] = {
            "name": name,
            "wanted": _wanted(error),
            "kind": kind,
            "value": "fractions" if has_fractions else f"{value:g}",
            "at": at if has_fractions else (*at, bound),
        }
        if has_fractions and kind in DISTRIBUTIONS:
            context["advice"] = "`randint: [low, high]` draws whole numbers, from low to high - 1"
        return PydanticCustomError(
            "params", "`{name}` must be {wanted}, and `{kind}` gives {value}", context
        )
    return None


def _choices(error: ErrorDetails) -> list[str]:
    is_word = error["type"] == "literal_error"
    return re.findall(r"'(\w+)'", error["ctx"]["expected"]) if is_word else []


def _wanted(error: ErrorDetails) -> str:
    words = _WANTED.get(error["type"], "text")
    return words.format(choices=", ".join(_choices(error)), **error.get("ctx", {}))


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


def _wrong_place(
    weights: str, surroundings: object, index: tuple[int, ...]
) -> PydanticCustomError | None:
    """That there is no such file in the project, or that its package may not be named."""
    if not isinstance(surroundings, Surroundings):
        return None
    at = ("params", "weights", *index)
    package = package_of_weights(weights)
    if package is None:
        if (surroundings.project / weights).is_file():
            return None
        return PydanticCustomError(
            "weights",
            "there is no file {value} below the project's folder",
            {"value": repr(weights), "at": at},
        )
    if is_within(f"{package}.", surroundings.python_packages):
        return None
    return PydanticCustomError(
        "package",
        "`{value}` is outside the packages that may be named here: {packages}",
        {
            "value": package,
            "packages": ", ".join(surroundings.python_packages) or "none",
            "at": at,
            "advice": how_to_allow(package.partition(".")[0]),
        },
    )


def answer(argument: Mapping[str, Any]) -> Reply:
    """What is wrong with the architectures; the argument is that of `WrittenEstimator.as_json`."""
    written = WrittenEstimator(**argument)
    spaces = SPACES if written.has_spaces else ()
    found = [
        finding.as_json()
        for index, name in _singles(written.params["arch"], spaces)
        if isinstance(name, str)
        for finding in find_architecture(name, ("params", "arch", *index))
    ]
    return Reply(found)


def find_architecture(name: str, at: KeyPath = ()) -> Iterator[Finding]:
    """That there is no architecture of a name, or a warning where its library is not there to be asked.

    Args:
        name: As timm calls it, or `torchvision.models.` and what torchvision calls it.
        at: Where it stands.
    """
    library, known = "timm", name
    if name.startswith(TORCHVISION):
        library, known = "torchvision", name.removeprefix(TORCHVISION)
    try:
        if library == "timm":
            # Names with a colon would be looked up on a hub, or in a folder: they are none.
            is_known = import_object("timm.is_model")(known)
        else:
            is_known = known.lower() in import_object(f"{TORCHVISION}list_models")()
        if not is_known:
            message = f"{library} has no architecture {known!r}"
            yield Finding("params", at, message, _meant(library, known))
    except NoSuchObjectError as error:
        message = f"`arch: {name}` could not be looked at: {error.what}"
        yield Finding("not_looked_at", at, message, f"here as on the workers, {HOW_TO_INSTALL}")


def _meant(library: str, name: str) -> str | None:
    of_torchvision = import_object(f"{TORCHVISION}list_models")()
    if library == "torchvision":
        near = closest(name, of_torchvision)
        return f"did you mean `{TORCHVISION}{near}`?" if near else None
    if name.lower() in of_torchvision:
        return f"did you mean `{TORCHVISION}{name.lower()}`?"
    otherwise = f"one of torchvision is written {TORCHVISION}<name>"
    return did_you_mean(name, import_object("timm.list_models")(), otherwise)
