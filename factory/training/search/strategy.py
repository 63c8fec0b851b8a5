"""Search strategies say which hyperparameter sets a model tries: its trials. The words are Katib's."""

import json
import logging
from abc import abstractmethod
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, field_serializer, field_validator
from pydantic_core import PydanticCustomError

from factory.base.findings import KeyPath
from factory.base.nested_estimators import NestedEstimator, flat_params, nested_paths
from factory.base.rules import Broken, rule
from factory.base.section import (
    AddedLater,
    DottedPath,
    NotTrained,
    Seconds,
    Section,
    Surroundings,
    sections_below,
)
from factory.base.values import Result
from factory.kinds import SEARCH_STRATEGY, KindOf
from factory.trainers.dispatch import trainer_class
from factory.trainers.fitting import RESAMPLE, resample_params
from factory.trainers.nested_rules import check_nested
from factory.trainers.step_names import PREFIX, step_params

logger = logging.getLogger(__name__)

# Airflow cuts a rendered map index off at 250 characters.
_LONGEST = 200

MOST_WAVES = 10
"""Into how many waves a search may be divided, each of which is two tasks of the training DAG."""

HyperparameterSet = tuple[str, dict[str, Any]]
"""The dotted path of an estimator, and its parameters."""

ScoreOf = Callable[[HyperparameterSet], float | None]
"""What a set has come to; None where it has failed, or was not tried."""


def task_of_wave(task: str, wave: int) -> str:
    """What a task of the training DAG is called in a wave: `trial`, `trial_2`."""
    return task if wave == 1 else f"{task}_{wave}"


class Trial(Result):
    """One hyperparameter set."""

    index: int
    """Its place in the sweep, the map index of its task group."""
    name: str
    """What a person calls it: the estimator and the parameters that vary. Unique in the sweep."""
    estimator: str
    params: dict[str, Any]
    preprocessing: dict[str, NestedEstimator] = Field(default_factory=dict)
    """The transformers of `preprocessing` with their parameters, by the names of `step_names.named_steps`; none where
    it is no list."""
    resample: NestedEstimator | None = None
    """The sampler of `resample` with its parameters."""

    @property
    def all_params(self) -> dict[str, Any]:
        """Its parameters by the names that MLflow shows: `estimator__C`, `preprocessing__pca__n_components`."""
        sampler = {} if self.resample is None else resample_params(self.resample)
        return {**flat_params(self.params), **step_params(self.preprocessing), **sampler}

    @property
    def drawn(self) -> HyperparameterSet:
        """The set as a strategy draws it, with what is tried for `preprocessing` and `resample`."""
        steps = {f"{PREFIX}{name}": step for name, step in self.preprocessing.items()}
        sampler = {} if self.resample is None else {RESAMPLE: self.resample}
        return self.estimator, {**self.params, **steps, **sampler}

    @field_serializer("params", "preprocessing", "resample")
    def _write(self, params: dict[str, Any] | None) -> dict[str, Any] | None:
        return params and {name: _encode(value) for name, value in params.items()}

    @field_validator("params", "preprocessing", "resample", mode="before")
    @classmethod
    def _read(cls, params: dict[str, Any] | None) -> dict[str, Any] | None:
        return params and {name: _decode(value) for name, value in params.items()}


class Estimator(Section):
    """An estimator by its dotted path, and its parameters as they are written."""

    estimator: DottedPath = Field(examples=["sklearn.linear_model.LogisticRegression"])
    """The estimator's class or function by dotted path, of a package that the platform allows in `python_packages`."""
    params: dict[str, Any] = Field(default_factory=dict)
    """Its parameters by name; those that are left out have the library's defaults. Another estimator is
    `{estimator: its path, params: {...}}`, and several are a mapping of such by name."""

    has_spaces: ClassVar[bool] = False
    """Whether a list holds values to try, and a mapping may be a range or a distribution."""

    @rule
    def _nested_are_allowed(self, surroundings: Surroundings | None) -> Broken:
        yield from check_nested(self.params, surroundings)


class SearchStrategy(Section):
    """Which hyperparameter sets a model tries.

    A strategy is a subclass with `strategy: Literal["its_name"]`, a docstring that says which sets it
    tries, and the fields that a team may write. It has `tried`, `most_trials` and `draw`. What is to be tried for the
    transformers of `preprocessing` and the sampler of `resample` is put among the parameters of the `Estimator`s that its fields list.
    """

    limited: ClassVar[tuple[str, str]] = ("the search makes", "max_trials")
    """What a message says before the number of trials, and the field at which it points."""

    tries_all: ClassVar[bool] = False
    """Whether each combination of the values of an estimator is a trial, in the order in which they are written."""

    parallel_trials: Annotated[int, NotTrained(is_read=True)] = Field(default=2, ge=1, le=1024)
    """How many trials run at the same time."""
    batch: Annotated[
        Literal["auto"] | Annotated[int, Field(ge=1, le=1024)], NotTrained(is_read=True)
    ] = "auto"
    """How many trials a task trains, one after the other. `auto`: one and, with more than 12 trials, which are timed by
    the first of them, as many as take about twenty seconds."""
    max_trials: int = Field(default=50, ge=1, le=1024)
    """The most trials that the search may make; more are a problem of the file."""
    max_failed_trials: int = Field(default=0, ge=0)
    """How many trials may fail without failing the run."""
    trial_timeout: Annotated[Seconds | None, AddedLater()] = None
    """How long a trial may take; one that takes longer is stopped, and has failed. Each trial is a process of its own
    then, so that one that wants too much memory is ended alone."""
    max_minutes: Annotated[int | None, AddedLater()] = Field(default=None, ge=1)
    """After so many minutes no further trial begins; the best of those that were tried wins."""
    choose: Annotated[Literal["best", "one_standard_error"], AddedLater()] = "best"
    """Which trial wins: that with the best mean or, with folds, the one written first among those that are within
    one standard error of the best (`one_standard_error`): write simple candidates and values first."""
    strategy: str

    @property
    @abstractmethod
    def tried(self) -> Sequence[Estimator]:
        """The estimators that it tries, as they are written."""

    @property
    @abstractmethod
    def most_trials(self) -> int:
        """How many trials it makes; fewer where some of them are the same."""

    @abstractmethod
    def draw(self) -> Iterator[HyperparameterSet]:
        """The hyperparameter sets, always the same ones in the same order.

        Raises:
            TerminalError: The values cannot be drawn.
        """

    @property
    def sets(self) -> Mapping[str, Any]:
        """Parameters that it sets itself for each estimator, with the values that they get."""
        return {}

    @property
    def wave_count(self) -> int:
        """In how many parts its trials are made, each of them by what those before have come to; 10 at most."""
        return 1

    def draw_wave(self, wave: int, score_of: ScoreOf) -> Iterator[HyperparameterSet]:
        """The hyperparameter sets of a later wave, the same ones for the same scores.

        Args:
            wave: Which one, from 2.
            score_of: What the sets of the waves before have come to; more is better.
        """
        raise NotImplementedError(
            f"{type(self).__name__} makes all trials at once, not wave {wave}"
        )

    def grows(self, wave: int) -> float:  # noqa: ARG002 - for those that grow
        """How many times as long a trial of a wave takes as one of the wave before."""
        return 1.0

    def expand(
        self,
        steps: Mapping[str, NestedEstimator] | None = None,
        resample: NestedEstimator | None = None,
    ) -> tuple[Trial, ...]:
        """The trials: the sets that it draws, none of them twice.

        Args:
            steps: The transformers of `preprocessing` by their names, with what is to be tried for their parameters.
            resample: The sampler likewise.

        Raises:
            TerminalError: The values cannot be drawn.
        """
        drawn = list(self.with_steps(steps or {}, resample).draw())
        trials = [_trial(*one, steps or {}, resample) for one in different(drawn)]
        if len(trials) < len(drawn):
            logger.warning("Left out %d trials that are there twice", len(drawn) - len(trials))
        return named(trials)

    def expand_wave(
        self,
        wave: int,
        scored: Sequence[tuple[Trial, float | None]],
        steps: Mapping[str, NestedEstimator] | None = None,
        resample: NestedEstimator | None = None,
    ) -> tuple[Trial, ...]:
        """The trials of a later wave; those that were there before are left out.

        Args:
            wave: Which one, from 2.
            scored: All trials before, in their order, each with its score, of which more is better; None of one that
                has failed.
            steps: As for `expand`.
            resample: The same.
        """
        scores = {key_of(*trial.drawn): score for trial, score in scored}

        def score_of(one: HyperparameterSet) -> float | None:
            return scores.get(key_of(*one))

        drawn = self.with_steps(steps or {}, resample).draw_wave(wave, score_of)
        new = [one for one in different(drawn) if key_of(*one) not in scores]
        trials = [_trial(*one, steps or {}, resample) for one in new]
        return named(trials, [trial for trial, _ in scored])

    def with_steps(
        self, steps: Mapping[str, NestedEstimator], resample: NestedEstimator | None = None
    ) -> Self:
        """The search with transformers and a sampler among the parameters of each estimator that takes them.

        Args:
            steps: As for `expand`.
            resample: The same.
        """
        more = {f"{PREFIX}{name}": step for name, step in steps.items()}
        if resample is not None:
            more[RESAMPLE] = resample
        if not more:
            return self
        changed = {
            name: tuple(_with_params(one, more) for one in value)
            for name in type(self).model_fields
            if isinstance(value := getattr(self, name), tuple)
            and all(isinstance(one, Estimator) for one in value)
        }
        return self.model_copy(update=changed)

    @property
    def is_exhaustive(self) -> bool:
        """Whether each combination is a trial, none of which may fail or be left out."""
        return self.tries_all and not self.max_failed_trials and self.max_minutes is None

    @property
    def estimators(self) -> tuple[str, ...]:
        """The dotted paths of the estimators that it tries, sorted; not of those within them."""
        return tuple(sorted({entry.estimator for entry in self.tried}))

    @property
    def nested_estimators(self) -> tuple[str, ...]:
        """The dotted paths of the estimators within those that it tries, sorted."""
        return tuple(sorted({path for entry in self.tried for path in nested_paths(entry.params)}))

    def written_values(self, parameter: str) -> Iterator[tuple[str, Any]]:
        """Each estimator with each value that is written for one of its parameters, in their order."""
        for entry in self.tried:
            value = entry.params.get(parameter)
            for one in value if isinstance(value, list) else [value]:
                yield entry.estimator, one

    @rule
    def _within_limit(self) -> Broken:
        if self.most_trials > self.max_trials:
            what, listed = self.limited
            is_written = "max_trials" in self.model_fields_set
            at, or_at = (("max_trials",), (listed,)) if is_written else ((listed,), None)
            yield PydanticCustomError(
                "max_trials",
                "{what} {trials} trials, more than `max_trials` ({limit}): raise `max_trials`, "
                "shorten the lists, or use `strategy: random`",
                {
                    "what": what,
                    "trials": self.most_trials,
                    "limit": self.max_trials,
                    "at": at,
                    "or_at": or_at,
                },
            )


def check_waves(search: SearchStrategy, beside: str | None) -> Broken:
    """What a search cannot be beside another key of the model.

    Args:
        search: The search.
        beside: `backend` or `entities`, if the model has one of them.
    """
    if beside == "backend" and search.batch not in ("auto", 1):
        yield PydanticCustomError(
            "batch",
            "with `backend` each trial is a job of its own, and `batch` is {batch}",
            {
                "batch": search.batch,
                "at": ("search", "batch"),
                "advice": "take it away, or write 1",
            },
        )
    if beside == "backend" and search.trial_timeout is not None:
        yield PydanticCustomError(
            "trial_timeout",
            "with `backend` each trial is a job, and how long it may take is said there",
            {
                "at": ("search", "trial_timeout"),
                "advice": "take it away; `backend: {type: sagemaker}` has `max_runtime`",
            },
        )
    if beside is not None and search.wave_count > 1:
        yield PydanticCustomError(
            "waves",
            "`strategy: {strategy}` looks at what its first trials have come to, which it cannot with `{beside}`",
            {
                "strategy": search.strategy,
                "beside": beside,
                "at": ("search", "strategy"),
                "advice": "use `strategy: random`, which takes the same candidates",
            },
        )


def written_estimators(search: SearchStrategy) -> Iterator[tuple[KeyPath, Estimator]]:
    """The estimators of a search as they are written, each with its place in the model."""
    for path, one in sections_below(search, ("search",)):
        if isinstance(one, Estimator):
            yield path, one


def named(trials: Sequence[Trial], before: Sequence[Trial] = ()) -> tuple[Trial, ...]:
    """Trials with their places and names, after those that were there before, which keep theirs."""
    both = [*before, *trials]
    names = name_trials([(trial.estimator, trial.all_params) for trial in both])
    taken = {trial.name for trial in before}
    found = []
    for index, (trial, name) in enumerate(zip(both, names, strict=True)):
        if index >= len(before):
            unique = f"{name} #{index}" if name in taken else name
            found.append(trial.model_copy(update={"index": index, "name": unique}))
    return tuple(found)


def _with_params(one: Estimator, more: Mapping[str, Any]) -> Estimator:
    if not trainer_class(one.estimator).takes_preprocessing:
        return one
    return one.model_copy(update={"params": {**one.params, **more}})


def _trial(
    estimator: str,
    params: dict[str, Any],
    steps: Mapping[str, Any],
    resample: NestedEstimator | None,
) -> Trial:
    """A trial without a name of its own, the steps' parameters taken from among the estimator's.

    Of a strategy that draws from other fields than lists of estimators, they are as they are written.
    """
    own = dict(params)
    drawn = {name: own.pop(f"{PREFIX}{name}") for name in steps if f"{PREFIX}{name}" in own}
    if not drawn and trainer_class(estimator).takes_preprocessing:
        drawn = dict(steps)
    sampler = resample if resample is None else own.pop(RESAMPLE, resample)
    return Trial(
        index=0, name="", estimator=estimator, params=own, preprocessing=drawn, resample=sampler
    )


def different(drawn: Iterable[HyperparameterSet]) -> Iterator[HyperparameterSet]:
    """Hyperparameter sets without those that were there before."""
    seen = set()
    for estimator, params in drawn:
        key = key_of(estimator, params)
        if key not in seen:
            seen.add(key)
            yield estimator, params


def key_of(estimator: str, params: Mapping[str, Any]) -> tuple[str, str]:
    """What tells a set from others."""
    # repr, because 1 and 1.0 mean different things to some estimators and True is not 1.
    return estimator, repr(sorted(params.items()))


def name_trials(trials: Sequence[tuple[str, dict[str, Any]]]) -> list[str]:
    """A unique name for each (estimator, parameters): `LogisticRegression C=0.1`.

    Only parameters that vary among trials of the same estimator are named; where that leaves two
    trials with one name, their place in the sweep is added.
    """
    names = []
    flat = [(estimator, flat_params(params)) for estimator, params in trials]
    for estimator, params in flat:
        alike = [other for path, other in flat if path == estimator]
        shown = [
            f"{name}={_brief(value)}"
            for name, value in params.items()
            if any(name not in other or repr(other[name]) != repr(value) for other in alike)
        ]
        names.append(" ".join([estimator.rpartition(".")[2], *shown])[:_LONGEST])
    often = Counter(names)
    return [
        f"{name} #{place}" if often[name] > 1 else name for place, name in enumerate(names, start=0)
    ]


def _brief(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    return str(value).replace(" ", "")


_MAPPING = "__mapping__"


def _encode(value: Any) -> Any:
    """A value as JSON; mappings as pairs where JSON would turn their keys into strings."""
    if isinstance(value, (list, tuple)):
        return [_encode(item) for item in value]
    if not isinstance(value, dict):
        return value
    if all(isinstance(key, str) for key in value) and _MAPPING not in value:
        return {key: _encode(item) for key, item in value.items()}
    return {_MAPPING: [[_encode(key), _encode(item)] for key, item in value.items()]}


def _decode(value: Any) -> Any:
    if isinstance(value, list):
        return [_decode(item) for item in value]
    if not isinstance(value, dict):
        return value
    if list(value) == [_MAPPING]:
        return {_decode(key): _decode(item) for key, item in value[_MAPPING]}
    return {key: _decode(item) for key, item in value.items()}


def as_text(value: Any) -> str:
    """A parameter's value as MLflow and tables show it."""
    return value if isinstance(value, str) else json.dumps(value, default=str)


AnySearch = Annotated[SearchStrategy, KindOf(SEARCH_STRATEGY)]
"""Any search strategy."""
