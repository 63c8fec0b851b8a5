"""Anything with the scikit-learn API: a pipeline of preprocessing and estimator."""

import logging
import traceback
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from factory.base.errors import TerminalError
from factory.base.files import whole_file
from factory.base.findings import Question, as_findings
from factory.base.nested_estimators import nested_paths
from factory.base.objects import Component, fix_random_states, import_object
from factory.trainers.class_scores import with_scorers
from factory.trainers.class_weights import weights_of_rows, with_classes
from factory.trainers.column_steps import without_columns
from factory.trainers.native_categories import are_texts, category_columns, with_places
from factory.trainers.trainer import (
    Fitted,
    Groups,
    LoggedModel,
    Predictions,
    Rows,
    Steps,
    TrainedModel,
    Trainer,
    Weights,
    WrittenEstimator,
    mean_step,
)
from factory.training.tasks import TASKS

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray
    from sklearn.pipeline import Pipeline

    from factory.trainers.column_steps import Preprocessing, Step

logger = logging.getLogger(__name__)

_MOST_WARNINGS = 10


@dataclass(frozen=True)
class ScikitLearnTrainer(Trainer):
    """Anything with scikit-learn's API: scikit-learn itself, XGBoost, LightGBM, a package of your own.

    It trains `Pipeline(preprocessing, estimator)`, both fitted on the training rows only.

    `threads` are those of the native libraries (OpenMP, BLAS). Parallel trials that each take all
    processors wait for each other: a fit of milliseconds then takes seconds. Setting them takes 2 ms,
    as long as predicting a row, which is what None is for.
    """

    title: ClassVar[str] = "scikit-learn"
    tasks: ClassVar[tuple[str, ...]] = tuple(TASKS)
    takes_preprocessing: ClassVar[bool] = True
    takes_fitting: ClassVar[tuple[str, ...]] = (
        "weights",
        "class_weight",
        "resample",
        "target_transform",
    )
    suffix: ClassVar[str] = ".joblib"

    @classmethod
    def handles(cls, estimator: str) -> bool:
        """See `Trainer.handles`: all that no other trainer has claimed."""
        del estimator
        return True

    @classmethod
    def looks_at_validation(cls, estimator: str, params: Mapping[str, Any]) -> bool:
        """See `Trainer.looks_at_validation`: where it stops early, and is not within another one."""
        from factory.trainers.scikit_learn.early_stopping import stops_early

        del estimator
        return stops_early(params)

    def params_after_folds(
        self, estimator: str, params: Mapping[str, Any], best: Sequence[int]
    ) -> Mapping[str, Any]:
        """See `Trainer.params_after_folds`: as many iterations as were best in the folds, on average."""
        from factory.trainers.scikit_learn.early_stopping import stops_early, without_stopping

        if not stops_early(params):
            return params
        return without_stopping(estimator, params, mean_step(best) if best else None)

    @classmethod
    def questions(cls, written: WrittenEstimator) -> Iterator[Question]:
        """See `Trainer.questions`."""
        yield Question(
            "factory.trainers.scikit_learn.estimator_check:answer",
            written.as_json(),
            as_findings,
            imports=(written.path, *nested_paths(written.params)),
        )

    def fit(
        self,
        estimator: str,
        params: Mapping[str, Any],
        features: "pd.DataFrame",
        target: "NDArray[Any] | None",
        seed: int,
        validation: "Rows | None" = None,
        weights: Weights | None = None,
        groups: Groups | None = None,
    ) -> Fitted:
        """See `Trainer.fit`."""
        import numpy as np
        from sklearn.pipeline import Pipeline

        from factory.trainers.scikit_learn.boosting import as_used
        from factory.trainers.scikit_learn.model_parts import make_plain
        from factory.trainers.scikit_learn.nested import build

        of_classes = with_scorers(estimator, self._of_classes(params, target), self.positive)
        made_of = with_places(of_classes, category_columns(params))
        unfitted = build(estimator, made_of, seed, self.threads)
        self._check_kind(estimator, unfitted)
        task = TASKS[self.task]
        taught = unfitted if task.has_several else as_used(unfitted)
        used = task.adapt(self._on_its_scale(taught, target, seed))
        if not task.learns_target:
            target = None
        step = task.step_column
        learned = features if step is None else features.drop(columns=step)
        transformer = self._with_categories(learned, params, seed, used)
        sampler = self._sampler(target, seed)
        has_steps = isinstance(self.preprocessing, tuple)
        if step is not None:
            from factory.trainers.scikit_learn.each_step import BesideStep, EachStep

            transformer, used = BesideStep(transformer, step), EachStep(used)
        pipeline = Pipeline([("preprocessing", transformer), ("estimator", used)])
        if validation is not None:
            validation, weights = self._of_known_classes(validation, weights, target)
        told = _as_told(self._counted(target, validation, weights))
        if groups is not None:
            features, target, validation, told = _side_by_side(features, target, validation, groups)
        with self._limited(), warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("default")
            # Some estimators of other libraries draw from numpy's global state instead of a `random_state`.
            np.random.seed(seed)
            try:
                history, steps = _train(pipeline, sampler, features, target, validation, told)
            except Exception as error:
                if not _is_refusal(error):
                    raise  # another try may go well
                what = f"{estimator} with {dict(params)} refuses to be trained"
                if sampler is not None and _passed_through(error, sampler):
                    what = f"resample: {type(sampler).__name__} refuses the rows"
                elif has_steps and not _passed_through(error, used):
                    what = "preprocessing refuses the rows"
                raise TerminalError(f"{what}: {_words_of(error)}") from error
        make_plain(pipeline)
        texts = dict.fromkeys(f"{entry.category.__name__}: {entry.message}" for entry in caught)
        for text in texts:
            logger.warning("%s: %s", estimator, text)
        return Fitted(pipeline, tuple(texts)[:_MOST_WARNINGS], history, steps)

    def _of_classes(
        self, params: Mapping[str, Any], target: "NDArray[Any] | None"
    ) -> Mapping[str, Any]:
        """Parameters with classes in place of the texts that stand for them."""
        task = TASKS[self.task]
        if target is None or not (task.has_classes and task.learns_target):
            return params
        import numpy as np

        return with_classes(params, np.unique(target).tolist())

    def _on_its_scale(
        self, estimator: Component, target: "NDArray[Any] | None", seed: int
    ) -> Component:
        """The estimator as it learns the target: transformed, if the model says so."""
        written = self.fitting.target_transform
        if written is None or target is None:
            return estimator
        from factory.trainers.scikit_learn.nested import build
        from factory.trainers.scikit_learn.target_transform import transformed, transformer_of

        if written.is_word:
            return transformed(estimator, transformer_of(written.transformer, len(target), seed))
        return transformed(
            estimator, build(written.transformer, written.params, seed, self.threads)
        )

    def _sampler(self, target: "NDArray[Any] | None", seed: int) -> Component | None:
        """What makes other training rows of those that are there, unfitted."""
        written = self.fitting.resample
        if written is None:
            return None
        from factory.trainers.scikit_learn.nested import build

        params = self._of_classes(written.params, target)
        return build(written.sampler, params, seed, self.threads)

    def _counted(
        self, target: "NDArray[Any] | None", validation: "Rows | None", weights: Weights | None
    ) -> Weights | None:
        """How much the rows count: by their own weights, those of their classes, or the product of both."""
        by_class = self.fitting.class_weight
        if by_class is None or target is None:
            return weights
        training = weights_of_rows(by_class, target, target)
        truth = None if validation is None else validation[1]
        watched = None if truth is None else weights_of_rows(by_class, target, truth)
        if weights is None:
            return Weights(training, watched)
        own = weights.validation
        return Weights(
            training * weights.training,
            watched if watched is None or own is None else watched * own,
        )

    def _of_known_classes(
        self, validation: "Rows", weights: Weights | None, target: "NDArray[Any] | None"
    ) -> "tuple[Rows, Weights | None]":
        """The validation rows without those of classes that the training rows have not, and their weights."""
        import numpy as np

        features, truth = validation
        if truth is None or target is None or not TASKS[self.task].has_classes:
            return validation, weights
        known = np.isin(truth, np.unique(target))
        if weights is not None and weights.validation is not None:
            weights = Weights(weights.training, weights.validation[known])
        return (features[known], truth[known]), weights

    def save(self, model: TrainedModel, file: Path) -> None:
        """See `Trainer.save`."""
        from pickle import PicklingError

        import joblib

        with whole_file(file) as unfinished:
            try:
                joblib.dump(model, unfinished)
            except (PicklingError, AttributeError, TypeError) as error:
                raise TerminalError(
                    f"the model {model[-1]} cannot be stored: {error}. Use functions and classes that are defined "
                    "at the top level of a module"
                ) from error

    def load(self, file: Path) -> TrainedModel:
        """See `Trainer.load`."""
        import joblib

        return joblib.load(file)

    def predict(self, model: TrainedModel, features: "pd.DataFrame") -> Predictions:
        """See `Trainer.predict`."""
        try:
            with self._limited():
                # Once for all that is asked: it takes longer than that.
                prepared = model[:-1].transform(features)
                task = TASKS[self.task]
                return task.of_targets(task.ask_estimator(model[-1], prepared), self.targets)
        except Exception as error:
            if not _is_refusal(error):
                raise
            raise TerminalError(
                f"{model[-1]} cannot predict these rows: {_words_of(error)}"
            ) from error

    def renumber(self, model: TrainedModel, numbers: Mapping[int, int]) -> None:
        """See `Trainer.renumber`."""
        model[-1].renumber(numbers)

    def check_stored(self, model: TrainedModel, packages: Sequence[str]) -> None:
        """See `Trainer.check_stored`."""
        from factory.trainers.scikit_learn.skops_types import check_round_trip

        check_round_trip(model, packages)

    def log_model(self, model: TrainedModel, logged: LoggedModel) -> str:
        """See `Trainer.log_model`."""
        # Late, because fitting needs no MLflow, and importing it takes more than a second.
        from factory.trainers.scikit_learn.skops_model import log_pipeline

        return log_pipeline(model, logged, self.targets)

    def load_logged(self, folder: Path, packages: Sequence[str]) -> TrainedModel:
        """See `Trainer.load_logged`."""
        from factory.trainers.scikit_learn.skops_model import load_pipeline

        return load_pipeline(folder, packages)

    def _limited(self) -> AbstractContextManager[object]:
        if self.threads is None:
            return nullcontext()
        from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

        limits: AbstractContextManager[object] = threadpool_limits(limits=self.threads)
        return limits

    def _check_kind(self, path: str, estimator: Component) -> None:
        from factory.trainers.scikit_learn.estimator_check import wrong_kind

        for finding in wrong_kind(path, estimator, self.task):
            raise TerminalError(f"{finding.message}: {finding.suggestion}")

    def _with_categories(
        self,
        features: "pd.DataFrame",
        params: Mapping[str, Any],
        seed: int,
        estimator: Component,
    ) -> Component:
        """What prepares all features; first come those that the estimator takes as categories by itself."""
        columns = category_columns(params)
        if not columns:
            return self._transformer(features, self.preprocessing, seed, estimator)
        from factory.trainers.scikit_learn.prepared_columns import beside_categories

        of_others = without_columns(self.preprocessing, columns)
        return beside_categories(
            features,
            columns,
            lambda others: self._transformer(others, of_others, seed, estimator),
            are_texts=are_texts(params),
        )

    def _transformer(
        self,
        features: "pd.DataFrame",
        preprocessing: "Preprocessing | None",
        seed: int,
        estimator: Component,
    ) -> Component:
        if preprocessing is None:
            from factory.trainers.scikit_learn.preprocessing import default_preprocessing

            return default_preprocessing(features)
        if not isinstance(preprocessing, str):
            from factory.trainers.scikit_learn.prepared_columns import prepared_columns

            make_step = partial(self._step, seed=seed)
            return prepared_columns(features, preprocessing, make_step, estimator)
        make = import_object(preprocessing)
        transformer = make(features)
        if not (hasattr(transformer, "fit") and hasattr(transformer, "transform")):
            raise TerminalError(
                f"preprocessing: {preprocessing} returned a {type(transformer).__name__}, "
                "which has no `fit` and `transform`: return a scikit-learn transformer"
            )
        return fix_random_states(transformer, seed) if _has_params(transformer) else transformer

    def _step(self, step: "Step", *, seed: int) -> Component:
        from factory.trainers.scikit_learn.nested import build

        return build(step.transformer, step.params, seed, self.threads)


@dataclass(frozen=True)
class _Told:
    """What an estimator's `fit` is told of rows beside features and target."""

    training: Mapping[str, Any] = field(default_factory=dict)
    """Arguments for the training rows."""
    validation: Mapping[str, Any] = field(default_factory=dict)
    """Arguments of `fit_watching` for the validation rows."""


def _as_told(weights: Weights | None) -> _Told:
    if weights is None:
        return _Told()
    return _Told({"sample_weight": weights.training}, {"validation_weights": weights.validation})


def _side_by_side(
    features: "pd.DataFrame",
    target: "NDArray[Any] | None",
    validation: "Rows | None",
    groups: Groups,
) -> "tuple[pd.DataFrame, NDArray[Any] | None, Rows | None, _Told]":
    """The rows of each group side by side, as libraries want them, and what they are told of groups."""
    (features, target), ordered = _in_order((features, target), groups.training)
    if validation is None or groups.validation is None:
        return features, target, validation, _Told({"groups": ordered})
    validation, watched = _in_order(validation, groups.validation)
    return features, target, validation, _Told({"groups": ordered}, {"validation_groups": watched})


def _in_order(rows: "Rows", groups: "NDArray[Any]") -> "tuple[Rows, NDArray[Any]]":
    features, target = rows
    order = groups.argsort(kind="stable")
    sorted_target = None if target is None else target[order]
    return (features.iloc[order], sorted_target), groups[order]


def _train(
    pipeline: "Pipeline",
    sampler: Component | None,
    features: "pd.DataFrame",
    target: "NDArray[Any] | None",
    validation: "Rows | None",
    told: _Told,
) -> tuple[tuple[Mapping[str, float], ...], Steps]:
    """Fit it, its estimator with a look at validation rows if there are some; what that has measured."""
    if validation is None and sampler is None:
        of_estimator = {f"estimator__{name}": values for name, values in told.training.items()}
        pipeline.fit(features, target, **of_estimator)
        return (), Steps()
    from factory.trainers.scikit_learn.early_stopping import fit_watching, measured

    preprocessing, estimator = pipeline[0], pipeline[-1]
    prepared = _prepared(preprocessing, features, target)
    if sampler is not None:
        prepared, target = sampler.fit_resample(prepared, target)
    if validation is None:
        estimator.fit(prepared, target, **told.training)
        return (), Steps()
    rows, truth = validation
    watched = (preprocessing.transform(rows), truth)
    fit_watching(estimator, prepared, target, watched, **told.validation, **told.training)
    return measured(_within(estimator))


def _within(estimator: Component) -> Component:
    """The library's estimator, within those of ours and the one that transforms the target; all are fitted."""
    from sklearn.compose import TransformedTargetRegressor

    from factory.trainers.scikit_learn.boosting import EncodedClasses
    from factory.trainers.scikit_learn.ranker import RankedWithin

    if isinstance(estimator, TransformedTargetRegressor):
        return estimator.regressor_
    is_ours = isinstance(estimator, (EncodedClasses, RankedWithin))
    return estimator.estimator if is_ours else estimator


def _prepared(
    transformer: Component, features: "pd.DataFrame", target: "NDArray[Any] | None"
) -> Any:
    """The training rows as the estimator gets them, the transformer fitted."""
    if hasattr(transformer, "fit_transform"):
        return transformer.fit_transform(features, target)
    return transformer.fit(features, target).transform(features)


_REFUSALS = (TypeError, ValueError, LookupError, ArithmeticError, AttributeError)
"""What Python raises where values do not fit; they do not fit the next time either."""
_WITH_OWN_ERRORS = ("catboost", "lightgbm")
"""Libraries that raise errors of their own instead."""


def _is_refusal(error: Exception) -> bool:
    """Whether an error is about rows or parameters, which would be refused once more."""
    package = type(error).__module__.partition(".")[0].lstrip("_")
    return isinstance(error, _REFUSALS) or package in _WITH_OWN_ERRORS


def _words_of(error: Exception) -> str:
    """What a library says; with the kind of error, unless it is one that says what is wrong with values."""
    is_of_values = isinstance(error, (TypeError, ValueError))
    return str(error) if is_of_values else f"{type(error).__name__}: {error}"


def _passed_through(error: Exception, estimator: Component) -> bool:
    """Whether an error came out of an estimator's own methods."""
    frames = (frame for frame, _ in traceback.walk_tb(error.__traceback__))
    return any(frame.f_locals.get("self") is estimator for frame in frames)


def _has_params(component: Component) -> bool:
    return hasattr(component, "get_params") and hasattr(component, "set_params")
