"""How a model is fitted, beside its estimator: weights of classes, new training rows, another scale for the target."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo
from pydantic_core import PydanticCustomError

from factory.base.nested_estimators import NestedEstimator, flat_params
from factory.base.rules import Broken, rule
from factory.base.section import (
    DOTTED_PATH,
    DottedPath,
    Section,
    Surroundings,
    Text,
    also_written,
    check_path,
)
from factory.base.texts import closest, one_of
from factory.trainers.nested_rules import check_nested

if TYPE_CHECKING:
    from numpy.typing import NDArray

RESAMPLE = "resample"
"""The name under which a sampler stands among an estimator's parameters while these are tried."""
TRANSFORMS: Mapping[str, tuple[str, float | None]] = {
    "log1p": ("above -1", -1.0),
    "log": ("above 0", 0.0),
    "sqrt": ("of at least 0", 0.0),
    "yeo_johnson": ("", None),
    "quantile": ("", None),
    "standardize": ("", None),
}
"""What `target_transform` may say in a word, each with the values that it takes: in words, and from where on."""
_TAKES_ITS_BOUND = ("sqrt",)
BALANCED = "balanced"
"""scikit-learn's word for weights by which all classes together count the same."""


class Resample(Section):
    """imbalanced-learn's sampler for the training rows, once they are prepared."""

    sampler: DottedPath = Field(examples=["imblearn.over_sampling.SMOTE"])
    """The sampler's class by dotted path, of a package that the platform allows in `python_packages`."""
    params: dict[str, Any] = Field(default_factory=dict, examples=[{"k_neighbors": 3}])
    """Its parameters by name. What is to be tried for them is written as in `search`: lists and ranges with the
    strategies that have candidates, one value each with `strategy: list`."""

    @rule
    def _nested_are_allowed(self, surroundings: Surroundings | None) -> Broken:
        yield from check_nested(self.params, surroundings)

    @property
    def nested(self) -> NestedEstimator:
        """The sampler in the form of an estimator within the parameters of another."""
        return {"estimator": self.sampler, "params": self.params}


def resample_params(sampler: NestedEstimator) -> dict[str, Any]:
    """A sampler as parameters with names such as `resample__k_neighbors`."""
    named = {f"{RESAMPLE}__sampler": sampler["estimator"]}
    return named | flat_params(sampler["params"], f"{RESAMPLE}__")


def _check_transformer(value: str, info: ValidationInfo) -> str:
    if value in TRANSFORMS:
        return value
    if DOTTED_PATH.fullmatch(value):
        return check_path(value, info.context)
    raise PydanticCustomError(
        "target_transform",
        "{value} is no transform of a target",
        {
            "value": repr(value),
            "suggestion": closest(value, TRANSFORMS) or "",
            "advice": f"write {one_of(TRANSFORMS)}, or the dotted path of a transformer",
        },
    )


class TargetTransform(Section):
    """Another scale for the target while it is learned; predictions have the target's own."""

    transformer: Annotated[Text, AfterValidator(_check_transformer)] = Field(
        examples=["log1p", "sklearn.preprocessing.PowerTransformer"]
    )
    """A word (`log1p`, `log`, `sqrt`, `yeo_johnson`, `quantile`, `standardize`), or the dotted path of a class with `fit`,
    `transform` and `inverse_transform`, of a package that the platform allows in `python_packages`."""
    params: dict[str, Any] = Field(default_factory=dict, examples=[{"method": "box-cox"}])
    """The class's parameters by name, each with one value."""

    @rule
    def _words_have_no_params(self) -> Broken:
        if self.is_word and self.params:
            yield PydanticCustomError(
                "target_transform",
                "`{word}` takes no parameters",
                {
                    "word": self.transformer,
                    "at": ("params",),
                    "on_key": True,
                    "advice": "write the class: `transformer: sklearn.preprocessing.QuantileTransformer`",
                },
            )

    @rule
    def _nested_are_allowed(self, surroundings: Surroundings | None) -> Broken:
        yield from check_nested(self.params, surroundings)

    @property
    def is_word(self) -> bool:
        """Whether it is one of the words, and no class."""
        return self.transformer in TRANSFORMS

    @property
    def values_in_words(self) -> str:
        """Which values it takes: `above 0`; empty where it takes all, or nobody knows."""
        return TRANSFORMS[self.transformer][0] if self.is_word else ""

    def count_refused(self, target: "NDArray[Any]") -> int:
        """How many values it cannot take, as far as that is known without a fit."""
        least = TRANSFORMS[self.transformer][1] if self.is_word else None
        if least is None:
            return 0
        takes_bound = self.transformer in _TAKES_ITS_BOUND
        return int((target < least if takes_bound else target <= least).sum())


def _read_transform(value: object) -> object:
    return {"transformer": value} if isinstance(value, str) else value


AnyTargetTransform = Annotated[
    TargetTransform, BeforeValidator(_read_transform), also_written({"type": "string"})
]


def _read_class_weight(value: object) -> object:
    if isinstance(value, str) and value != BALANCED:
        raise PydanticCustomError(
            "fitting",
            "{value} is no weight of classes",
            {
                "value": repr(value),
                "suggestion": closest(value, (BALANCED,)) or "",
                "advice": "write `balanced`, or a number for each class",
            },
        )
    return value


ClassWeight = Annotated[
    Literal["balanced"] | dict[str, Annotated[float, Field(ge=0)]],
    BeforeValidator(_read_class_weight),
]
"""scikit-learn's word, or the weight of each class by the class as text."""


@dataclass(frozen=True)
class Fitting:
    """What a trainer does beside fitting the estimator."""

    class_weight: ClassWeight | None = None
    """How much each training row counts by its class."""
    resample: Resample | None = None
    """The sampler, in whose parameters nothing is to be tried any more."""
    target_transform: TargetTransform | None = None
