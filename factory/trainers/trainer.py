"""What every trainer has: the library that trains an estimator, stores it and asks it.

A trainer is chosen by an estimator's dotted path. To add one from a package of your own: subclass
`Trainer`, and name it by an entry point of the group `ml_dag_factory.trainer`. The entry point's name
is the top-level package of the estimators that it trains, such as `lightning`; `handles` then says
which of them are its own. Whatever no trainer claims is taken to have scikit-learn's API.
"""

import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

from factory.base.errors import TerminalError
from factory.base.findings import Question
from factory.base.rules import Broken
from factory.trainers.fitting import Fitting

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from factory.trainers.column_steps import Preprocessing

IMAGE_COLUMN = "image"
"""The column that estimators for images learn from where no feature is named."""

TrainedModel: TypeAlias = Any
"""A model of some library; only its trainer knows what it can do."""

Rows: TypeAlias = "tuple[pd.DataFrame, NDArray[Any] | None]"
"""Features, and the target: one value a row; None where rows have none."""

LabelledRows: TypeAlias = "tuple[pd.DataFrame, NDArray[Any]]"
"""The same of rows that have a target."""


@dataclass(frozen=True, eq=False)
class Weights:
    """How much rows count: one number a row."""

    training: "NDArray[Any]"
    validation: "NDArray[Any] | None" = None
    """None where there are no validation rows."""


@dataclass(frozen=True, eq=False)
class Groups:
    """What rows are ranked with: the number of its group, one a row."""

    training: "NDArray[Any]"
    validation: "NDArray[Any] | None" = None
    """None where there are no validation rows."""


@dataclass(frozen=True)
class Steps:
    """What a training consists of, step after step."""

    name: str = "epoch"
    """What a step is, such as `epoch` or `iteration`."""
    every: int = 1
    """One of so many is told of: the last one of each group."""
    best: int | None = None
    """The step, from 1, whose model is used; None where it is the last one, or is not known."""


def mean_step(best: Sequence[int]) -> int:
    """The number of steps for a training on all rows, of the best step of each fold."""
    return max(1, round(sum(best) / len(best)))


@dataclass(frozen=True)
class Fitted:
    """A trained model, and what is to be told of its training."""

    model: TrainedModel
    warnings: tuple[str, ...] = ()
    """What the library complained about."""
    history: tuple[Mapping[str, float], ...] = ()
    """What was measured after each step, the first one first; empty for what has no steps."""
    steps: Steps = Steps()
    """What the steps of `history` are."""


@dataclass(frozen=True)
class Predictions:
    """What a model says about rows."""

    values: "NDArray[Any]"
    """One class or number a row; of several targets rows x targets, 1 where a row has a label and 0 where not."""
    probabilities: "NDArray[Any] | None" = None
    """Rows x classes, in the order of `classes`; None where the estimator gives none."""
    classes: "NDArray[Any] | None" = None
    """The classes that the model knows, or its labels; None for a regression."""
    columns: "Mapping[str, NDArray[Any]]" = field(default_factory=dict)
    """What else it says, one number a row, by the name of the column that predictions have for it."""
    points: "NDArray[Any] | None" = None
    """The rows as the estimator gets them, between which distances are measured; None where nothing needs them."""
    background: "NDArray[Any] | None" = None
    """What it says, as `score`, of rows that were drawn at random; see `factory.training.mass_volume`."""
    about: "Mapping[str, NDArray[Any]]" = field(default_factory=dict)
    """What is known of the rows beside what the model says, by name, one value a row; see
    `factory.training.about_rows`."""
    targets: tuple[str, ...] = ()
    """The names of several targets, in the order of the columns of `values`; empty where there is one."""

    def with_about(self, about: "Mapping[str, NDArray[Any]]") -> "Predictions":
        """The same with what is known of the rows."""
        return replace(self, about=about)

    def probability_of(self, values: "NDArray[Any]") -> "NDArray[Any] | None":
        """How probable one class is for each row; None where the estimator gives no probabilities.

        Args:
            values: The class, one a row: `self.values` for the predicted one, which is not the most probable where
                the estimator decides by a threshold.
        """
        if self.probabilities is None or self.classes is None:
            return None
        places = {one: place for place, one in enumerate(self.classes.tolist())}
        chosen = [places[one] for one in values.tolist()]
        found: NDArray[Any] = self.probabilities[range(len(chosen)), chosen]
        return found

    def of_target(self, place: int) -> "Predictions":
        """What it says of one of several targets; of a label as of the classes 0 and 1."""
        import numpy as np

        if self.probabilities is None:
            return Predictions(self.values[:, place], about=self.about)
        likely = self.probabilities[:, place]
        both = np.column_stack([1 - likely, likely])
        return Predictions(self.values[:, place], both, np.array([0, 1]), about=self.about)

    def of_rows(self, places: "NDArray[Any] | slice") -> "Predictions":
        """What it says about some of the rows, by their places; one may be there several times."""
        return replace(
            self,
            values=self.values[places],
            probabilities=None if self.probabilities is None else self.probabilities[places],
            columns={name: values[places] for name, values in self.columns.items()},
            points=None if self.points is None else self.points[places],
            about={name: values[places] for name, values in self.about.items()},
        )

    def column(self, name: str) -> "NDArray[Any] | None":
        """One of the columns beside `prediction`; None where the model does not say it."""
        if name == "probability" and name not in self.columns:
            return self.probability_of(self.values)
        return self.columns.get(name)


@dataclass(frozen=True)
class LoggedModel:
    """What MLflow is told about a model besides the model itself."""

    model_id: str
    """MLflow's id of the entry that its files go to; see `factory.models.logged_model`."""
    features: "pd.DataFrame"
    """Training rows: what the signature is inferred from, and the first few its input example."""
    packages: tuple[str, ...]
    """Top-level packages whose types the model may consist of, besides the library's own."""


@dataclass(frozen=True)
class WrittenEstimator:
    """An estimator as a search has it, or as one trial has it."""

    path: str
    """Its dotted path."""
    params: Mapping[str, Any]
    """Values by name, or what is to be tried for them."""
    task: str
    has_spaces: bool = False
    """Whether a list holds values to try, and a mapping may be a range or a distribution."""
    is_exhaustive: bool = True
    """Whether each combination of the values is tried, and none of them may fail."""
    is_weighted: bool = False
    """Whether rows count by weights, which `fit` must take."""

    def as_json(self) -> dict[str, Any]:
        """The estimator as the argument of a question; dates become texts."""
        argument: dict[str, Any] = json.loads(json.dumps(asdict(self), default=str))
        return argument


@dataclass(frozen=True)
class Trainer(ABC):
    """Trains models of one library, stores them, and asks them for predictions.

    Its module is imported when team files are read: what is heavy is imported inside the methods of
    instances. Methods of the class are asked about estimators that a team file names.
    """

    task: str
    """What the models do, such as `classification`; see `factory.training.tasks`."""
    preprocessing: "Preprocessing | None" = None
    """How the rows are prepared, for trainers that take that: a function `(features: DataFrame) -> transformer`, or columns
    with the transformers for them, in which nothing is to be tried any more. None is the trainer's own way."""
    threads: int | None = 1
    """How many processors a native library may take; None leaves it to the process."""
    files: Path | None = None
    """Where copies of the project's files lie that parameters name; None where nothing is trained."""
    fitting: Fitting = field(default_factory=Fitting)
    """What is done beside fitting the estimator, for trainers whose `takes_fitting` names it."""
    targets: tuple[str, ...] = ()
    """The names of the targets, for tasks that learn several together."""
    positive: bool | int | str | None = None
    """Of two classes the one that counts, for parameters that are about one of them; None where none does."""

    title: ClassVar[str]
    """The library's name, for messages."""
    needs: ClassVar[tuple[str, ...]] = ()
    """Top-level packages that must be importable where a model is trained or asked."""
    how_to_install: ClassVar[str] = ""
    """What to do where `needs` are missing, such as a command of pip's."""
    serving_distributions: ClassVar[tuple[str, ...]] = ()
    """What a container image that serves a model must install besides `factory` and the packages of
    the model's record."""
    tasks: ClassVar[tuple[str, ...]] = ("classification", "regression")
    """The tasks of learning that its estimators can be trained for."""
    may_be_quick: ClassVar[bool] = True
    """Whether a trial may take less than a task takes to start, so that it is worth finding out."""
    takes_preprocessing: ClassVar[bool] = False
    """Whether the rows may be prepared by a team's function, or by scikit-learn's transformers."""
    takes_fitting: ClassVar[tuple[str, ...]] = ()
    """The keys of a model about fitting that its estimators take: `weights`, `class_weight`, `resample`,
    `target_transform`. Of `weights` and no others, `fit` is given the argument `weights`."""
    file_params: ClassVar[tuple[str, ...]] = ()
    """Parameters that may name files of the project; see `project_file`."""
    suffix: ClassVar[str]
    """What the names of the files that `save` makes end in, such as `.joblib`."""

    @classmethod
    @abstractmethod
    def handles(cls, estimator: str) -> bool:
        """Whether an estimator is one of this trainer's, by its dotted path."""

    @classmethod
    def learns_from_images(cls, estimator: str) -> bool:
        """Whether an estimator learns from one column of images, and not from rows."""
        del estimator
        return False

    @classmethod
    def check(
        cls,
        estimator: str,
        params: Mapping[str, Any],
        surroundings: object,
        *,
        spaces: tuple[str, ...] = (),
    ) -> Broken:
        """What tells, without an import, that an estimator does not exist or does not take the parameters.

        A library whose code would have to be imported for that checks nothing here.

        Args:
            estimator: Its dotted path, as the team file has it.
            params: Values by name.
            surroundings: What the file is read against, if it is.
            spaces: The words for ranges and distributions; where there are any, a list is one of
                values to try.

        Returns:
            Errors with their places below the estimator's section in `at`.
        """
        del estimator, params, surroundings, spaces
        return iter(())

    @classmethod
    def questions(cls, written: WrittenEstimator) -> Iterable[Question]:
        """What must be imported to know whether an estimator exists, and takes its parameters.

        Findings are told by their way from the section that has `estimator` and `params`. The same is
        asked about each trial before the first is trained.
        """
        del written
        return ()

    @classmethod
    def project_file(cls, value: object) -> str | None:
        """The path below the project's folder that a value of `file_params` names, if it names one."""
        del value
        return None

    @classmethod
    def looks_at_validation(cls, estimator: str, params: Mapping[str, Any]) -> bool:
        """Whether `fit` makes use of validation rows; for others they are not even read."""
        del estimator, params
        return False

    @classmethod
    def refuses_folds(cls, estimator: str, params: Mapping[str, Any]) -> str | None:
        """Why an estimator cannot be chosen by folds, and what to write instead; None where it can.

        Args:
            estimator: Its dotted path.
            params: Values by name, or what is to be tried for them.
        """
        del estimator, params
        return None

    @classmethod
    def refuses_refit(cls, estimator: str, params: Mapping[str, Any]) -> str | None:
        """Why an estimator cannot be trained once more without validation rows; None where it can.

        Args:
            estimator: Its dotted path.
            params: Values by name, or what is to be tried for them.
        """
        del estimator, params
        return None

    def params_after_folds(
        self, estimator: str, params: Mapping[str, Any], best: Sequence[int]
    ) -> Mapping[str, Any]:
        """The parameters for the training on all rows, where there are no validation rows to stop early by.

        Args:
            estimator: Its dotted path.
            params: Its hyperparameters, by which each fold, or the trial, was trained.
            best: The best step of each of these trainings that has told of one.

        Raises:
            TerminalError: It is not known how to train so many steps.
        """
        del estimator, best
        return params

    @classmethod
    def check_installed(cls, estimator: str) -> None:
        """Refuse an estimator whose library is not there.

        Raises:
            TerminalError: Says what is missing, and how to install it.
        """
        missing = [name for name in cls.needs if find_spec(name) is None]
        if missing:
            raise TerminalError(
                f"{estimator} needs {', '.join(missing)}, which this installation lacks: "
                f"{cls.how_to_install}"
            )

    @abstractmethod
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
        """Train on rows; the same rows, parameters and seed give the same model.

        Args:
            estimator: Its dotted path.
            params: Its hyperparameters.
            features: The training rows.
            target: The truth, one value a row, or rows x targets; None where rows have none. A task that does not learn from it, see
                `LearningTask.learns_target`, leaves it alone.
            seed: What everything that is drawn at random starts from.
            validation: Rows that are not learned from, to measure each step on; see `looks_at_validation`.
            weights: How much each row counts. A trainer that does not take `weights` may leave the argument out.
            groups: What each row is ranked with, for the task `ranking`; other trainers may leave the argument out.

        Raises:
            TerminalError: The estimator does not exist, or refuses its parameters or the rows.
        """

    @abstractmethod
    def save(self, model: TrainedModel, file: Path) -> None:
        """Store a model for this run's later tasks; whole or not at all."""

    @abstractmethod
    def load(self, file: Path) -> TrainedModel:
        """A model that `save` stored. Only for files that this run wrote."""

    @abstractmethod
    def predict(self, model: TrainedModel, features: "pd.DataFrame") -> Predictions:
        """What a model says about rows.

        Raises:
            TerminalError: The model cannot predict these rows.
        """

    def renumber(self, model: TrainedModel, numbers: Mapping[int, int]) -> None:
        """Give clusters other numbers; for trainers of the task `clustering`.

        Args:
            model: What `fit` made; it is changed.
            numbers: Each number as it is, and as it becomes.
        """
        raise NotImplementedError(f"{self.title} has no clusters")

    def check_stored(self, model: TrainedModel, packages: Sequence[str]) -> None:  # noqa: B027 - most can store all
        """Refuse a trained model that `log_model` could not store, before others like it are trained.

        Args:
            model: What `fit` made.
            packages: As in `LoggedModel`.

        Raises:
            TerminalError: It cannot be stored; says why.
        """

    @abstractmethod
    def log_model(self, model: TrainedModel, logged: LoggedModel) -> str:
        """Log a model to MLflow in a format that runs no code from the file when it is read.

        Returns:
            The model's MLflow URI.

        Raises:
            TerminalError: The model holds something that the format, or we, do not trust.
        """

    @abstractmethod
    def load_logged(self, folder: Path, packages: Sequence[str]) -> TrainedModel:
        """The model that `log_model` logged; see `factory.models.files.downloaded`.

        Args:
            folder: A copy of its files.
            packages: As in `LoggedModel`: whose types the model may consist of.

        Raises:
            TerminalError: It consists of types that are not trusted, or is stored in another format.
        """
