"""The keys of an entry of `models`, and what follows from them alone."""

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Self, TypeAlias

from pydantic import Field

from factory.base.nested_estimators import NestedEstimator
from factory.base.section import AddedLater, ListOf, ListOr, NotTrained, Section, Text
from factory.base.texts import one_of
from factory.data.column_types import Types
from factory.data.transforms.transform import AnyTransform
from factory.kinds import BACKEND, DEPLOY_TARGET, KindOf
from factory.lake.verification import Verify
from factory.models.predict import Predict
from factory.models.promotion import Promotion
from factory.models.retraining import RetrainWhen
from factory.monitoring.sections import Monitor
from factory.team.after_tasks import AfterTasks
from factory.team.notify import Notify
from factory.team.resources import Resources
from factory.team.schedule import InputsField, Schedule, ScheduleField
from factory.trainers.class_weights import mappings_by_class
from factory.trainers.column_steps import Entries, Preprocessing
from factory.trainers.dispatch import trainer_class
from factory.trainers.fitting import AnyTargetTransform, ClassWeight, Resample
from factory.trainers.step_names import named_steps
from factory.trainers.trainer import IMAGE_COLUMN
from factory.training.division import Method, Part, Split
from factory.training.entities import MODEL_COLUMN, Entities
from factory.training.fitting import TRAIN, Refit
from factory.training.forecasting.section import Forecast
from factory.training.guard.section import Guards
from factory.training.learning_task import LearningTask, WrittenTask
from factory.training.metrics import Class
from factory.training.model_metrics import AnyModelMetric
from factory.training.objective import Objective
from factory.training.search.strategy import AnySearch, Trial, task_of_wave
from factory.training.tasks import TASKS

if TYPE_CHECKING:
    from factory.deploy.targets.target import AnyTarget
    from factory.training.backends.backend import AnyBackend

    Target: TypeAlias = str | tuple[str, ...]
else:
    # Most models have neither: what both import is imported when one is written.
    AnyTarget = Annotated[Any, KindOf(DEPLOY_TARGET)]
    AnyBackend = Annotated[Any, KindOf(BACKEND)]
    Target = Annotated[ListOf[Text], ListOr(Text)]


class ModelSection(Section):
    """What a team writes of a model; `factory.training.model.Model` adds the rules between its keys."""

    description: Annotated[str, NotTrained(is_read=True)] = ""
    """What it is, for people: shown as the description of its training DAG in Airflow, and of the model in MLflow."""
    task: WrittenTask
    """What is said of each row: a class (`classification`), a number (`regression`), which of several labels it has
    (`multilabel`), whether it is unlike the others (`anomaly`), which it belongs to (`clustering`) or how far in front it
    is within its group (`ranking`); or of series their next values (`forecasting`)."""
    train_on: InputsField = Field(examples=["catches", {"all": ["catches", "weather"]}])
    """The datasets that it learns from: one name, `{all: […]}` or `{any: […]}`. Without `schedule`, a training starts
    when all of them, or one, have changed."""
    schedule: Annotated[ScheduleField | None, NotTrained()] = None
    """When it is trained; when the datasets of `train_on` change if left out."""
    transforms: ListOf[AnyTransform] = ()
    """What is done to the rows before they are divided; several datasets need one that brings them together."""
    target: Annotated[Target | None, AddedLater()] = Field(
        default=None, examples=["species", ["spam", "urgent"]]
    )
    """The column whose values are predicted; a list of them for a `regression` that learns several numbers together, and
    for `multilabel`, one for each label. `anomaly` and `clustering` learn from none: there it may be left out, and
    measures how far the labels are met."""
    positive: Annotated[Class | None, AddedLater()] = Field(default=None, examples=["yes", 1])
    """Of two classes the one that counts: for `precision`, `recall`, `f1` and what else asks for it, and the label of
    anomalies. As the target has it: text, a whole number, true or false."""
    forecast: Annotated[Forecast | None, AddedLater()] = None
    """With `task: forecasting`: the column of time, how far ahead, and the past values to learn from."""
    group: Annotated[Text | None, AddedLater()] = Field(default=None, examples=["query"])
    """With `task: ranking`: the column whose equal values are ranked together, such as a query. Rows of one group stay
    in one part, and nothing is learned from it."""
    features: ListOf[Text] | None = Field(default=None, min_length=1)
    """The columns to learn from; all but the target (and the split's column) when left out."""
    preprocessing: Preprocessing | None = Field(
        default=None,
        examples=[
            [{"columns": "numbers", "steps": ["sklearn.preprocessing.PowerTransformer"]}],
            "our_package.features.prepare",
        ],
    )
    """Columns with scikit-learn's transformers for them, in their order; what none of them takes is prepared as by default.
    Or a function `(features: DataFrame) -> transformer` that replaces the default preprocessing."""
    weights: Annotated[Text | None, AddedLater()] = Field(default=None, examples=["households"])
    """The column that says how much each row counts in training, a number of at least 0; it is no feature unless it is
    named as one. Metrics count each row once."""
    class_weight: Annotated[ClassWeight | None, AddedLater()] = Field(
        default=None, examples=["balanced", {"yes": 5, "no": 1}]
    )
    """How much each training row counts by its class: `balanced`, or a number for each class, for any estimator whose
    `fit` takes weights of rows."""
    resample: Annotated[Resample | None, AddedLater()] = None
    """imbalanced-learn's sampler, which adds or takes away training rows once they are prepared; for a classification."""
    target_transform: Annotated[AnyTargetTransform | None, AddedLater()] = Field(
        default=None,
        examples=["log1p", {"transformer": "sklearn.preprocessing.PowerTransformer"}],
    )
    """The scale on which the target of a regression is learned: `log1p`, `log`, `sqrt`, `yeo_johnson`, `quantile`,
    `standardize`, or a transformer. Predictions and metrics have the target's own."""
    entities: Annotated[Entities | None, AddedLater()] = Field(
        default=None, examples=[{"column": "carrier", "min_rows": 200}]
    )
    """One model for each value of a column, such as a store or a carrier; one model for all rows when left out."""
    split: Split = Split.unwritten()
    """How rows are divided into those for training, for validation and for the test."""
    guard: Guards = Guards.unwritten()
    """What makes a score unbelievable, and keeps a version out of production."""
    search: AnySearch
    """Which estimators and hyperparameters are tried."""
    refit: Annotated[Refit, AddedLater()] = "train"
    """On which rows the winner is trained: those of its trial, or once more on those and the validation rows
    (`train+validation`) before the test."""
    objective: Objective
    """The metric by which the best trial is chosen: on the validation rows, or by its mean over the folds."""
    metrics: Annotated[ListOf[AnyModelMetric], NotTrained(is_read=True)] = Field(
        default=(), examples=[["mean_squared_error"]]
    )
    """Metrics that are computed beside those of every model of the task, by name, with parameters, or functions of
    your own. What the objective, `promotion` or `monitor` name is computed anyway."""
    trial_plots: Annotated[bool, NotTrained(is_read=True)] = False
    """Whether each trial has plots in MLflow, on the validation rows. The winner has them on the test rows anyway."""
    promotion: Annotated[Promotion, NotTrained()] = Promotion.unwritten()
    """When a trained version goes live."""
    retrain_when: Annotated[RetrainWhen | None, NotTrained()] = None
    """When it is worth training again; always when left out."""
    predict: Annotated[Predict | None, NotTrained()] = None
    """Batch prediction with the champion."""
    monitor: Annotated[Monitor | None, NotTrained()] = None
    """How the model is watched once it is in use."""
    deploy: Annotated[AnyTarget | None, NotTrained()] = None
    """Where the champion answers."""
    backend: Annotated[AnyBackend | None, NotTrained()] = None
    """Where trials are trained; in their tasks when left out."""
    verify: Annotated[Verify, NotTrained()] = "sample"
    """How the files of the snapshots that it reads are looked at, in training, prediction and monitoring: the
    sizes of all and the content of a few, the content of all (`full`), or not at all (`"off"`)."""
    resources: Annotated[Resources, NotTrained()] = Field(default_factory=dict)
    """What is created for a training run and destroyed with it."""
    notify: Annotated[Notify | None, NotTrained()] = None
    """Whom to tell what becomes of it."""
    after: Annotated[AfterTasks, NotTrained()]
    """Tasks of your own, as in `dags`, that run once a version is registered and live, or kept back."""

    @property
    def when(self) -> Schedule:
        """Its schedule; without one, a model trains when the datasets that it reads change."""
        if self.schedule is not None:
            return self.schedule
        return Schedule(all=self.train_on.all, any=self.train_on.any)

    @property
    def learning_task(self) -> LearningTask:
        """All that follows from its task, and from whether it has a list of targets."""
        task = TASKS[self.task]
        has_list = isinstance(self.target, tuple)
        return TASKS[task.of_several] if has_list and task.of_several is not None else task

    @property
    def target_columns(self) -> tuple[str, ...]:
        """The target, or the targets in their order; none where it has none."""
        if self.target is None:
            return ()
        return (self.target,) if isinstance(self.target, str) else self.target

    @property
    def target_name(self) -> str | None:
        """The target where it is one column; None where there is none, or a list."""
        return self.target if isinstance(self.target, str) else None

    def target_place(self, index: int) -> tuple[str | int, ...]:
        """Where one of the targets is written, below the section."""
        return ("target", index) if isinstance(self.target, tuple) else ("target",)

    @property
    def targets_together(self) -> tuple[str, ...]:
        """The targets that are learned together; none where one is."""
        return self.target_columns if self.learning_task.has_several else ()

    @property
    def has_class_target(self) -> bool:
        """Whether there is a target, and its values are classes."""
        return self.target is not None and self.learning_task.has_classes

    @property
    def counted_class(self) -> Class | None:
        """The class of the prepared target that counts; None where none does."""
        return self.learning_task.counted_class(self.positive) if self.target is not None else None

    @property
    def absent_target(self) -> dict[str, str]:
        """The target, which new rows may lack, and the type that it is taken for."""
        kind = self.learning_task.target_type(self.positive)
        return dict.fromkeys(self.target_columns, kind)

    @property
    def task_in_words(self) -> str:
        """Its task, and its target."""
        if self.target is None:
            return self.task
        targets = one_of(f"`{name}`" for name in self.target_columns)
        within = f" within `{self.group}`" if self.group is not None else ""
        return f"{self.task} {'of' if self.learning_task.learns_target else 'measured by'} {targets}{within}"

    @property
    def _forecasts(self) -> Forecast | None:
        """`forecast`, where it is in its place."""
        return self.forecast if self.learning_task.step_column is not None else None

    @property
    def named_features(self) -> tuple[str, ...] | None:
        """The features that estimators learn from, where the section alone says which."""
        return self.features if self.forecast is None else self.forecast.learned

    @property
    def keys(self) -> tuple[str, ...]:
        """The columns of its input that predictions have without a word about it."""
        return () if self.forecast is None else self.forecast.keys

    @property
    def columns_beside_features(self) -> tuple[str, ...]:
        """The columns that training reads and that are no features unless they are named as such; without the target."""
        others = (one for one in (self.weights, self.group) if one is not None)
        return tuple(dict.fromkeys((*self.split.columns, *others)))

    @property
    def parts_beside_features(self) -> dict[str, str]:
        """What the columns of `columns_beside_features` are, in words."""
        return {
            **({} if self.weights is None else {self.weights: "what `weights` names"}),
            **dict.fromkeys(self.split.columns, "what `split` looks at"),
            **({} if self.group is None else {self.group: "what `group` names"}),
        }

    @property
    def image_column(self) -> str | None:
        """The column of images that it learns from; None for a model of rows."""
        paths = self.search.estimators
        if not any(trainer_class(path).learns_from_images(path) for path in paths):
            return None
        return self.features[0] if self.features else IMAGE_COLUMN

    @property
    def entries(self) -> Entries:
        """The entries of `preprocessing`; none where it is no list."""
        return self.preprocessing if isinstance(self.preprocessing, tuple) else ()

    @property
    def uses_default_preprocessing(self) -> bool:
        """Whether one of its estimators gets columns as the default preprocessing prepares them."""
        paths = self.search.estimators
        return self.preprocessing is None and any(
            trainer_class(path).takes_preprocessing for path in paths
        )

    @property
    def has_spaces(self) -> bool:
        """Whether lists and ranges in the parameters of its transformers and its sampler are values to try."""
        return any(one.has_spaces for one in self.search.tried)

    def expand(self) -> tuple[Trial, ...]:
        """The trials of its search, with what `preprocessing` has to be tried.

        Raises:
            TerminalError: The values cannot be drawn.
        """
        return self.search.expand(self._nested_steps, self._nested_sampler)

    def expand_wave(
        self, wave: int, scored: Sequence[tuple[Trial, float | None]]
    ) -> tuple[Trial, ...]:
        """The trials of a later wave of its search; see `SearchStrategy.expand_wave`."""
        return self.search.expand_wave(wave, scored, self._nested_steps, self._nested_sampler)

    @property
    def most_trials(self) -> int:
        """How many trials a training makes; fewer where some of them are the same."""
        return self.search.with_steps(self._nested_steps, self._nested_sampler).most_trials

    @property
    def _nested_steps(self) -> dict[str, NestedEstimator]:
        return {name: step.nested for name, (_, step) in named_steps(self.entries).items()}

    @property
    def _nested_sampler(self) -> NestedEstimator | None:
        return None if self.resample is None else self.resample.nested

    @property
    def is_weighted(self) -> bool:
        """Whether training rows count by weights."""
        return self.weights is not None or self.class_weight is not None

    @property
    def named_classes(self) -> Iterator[tuple[str, Iterable[str]]]:
        """The classes that weights and samplers name, as texts, each with its place in words."""
        if isinstance(self.class_weight, dict):
            yield "class_weight", self.class_weight
        steps = [(one.estimator, one.params) for one in self.search.tried]
        if self.resample is not None:
            steps.append((self.resample.sampler, self.resample.params))
        for path, params in steps:
            for at, found in mappings_by_class(params):
                yield f"{'.'.join(map(str, at))} of {path.rpartition('.')[2]}", found

    @property
    def split_method(self) -> Method:
        """How rows are divided: as written, else as is usual for the task."""
        usual = self.learning_task.default_split if self.target is not None else "random"
        return self.split.method or usual

    @property
    def rows_of_a_class(self) -> int:
        """How many rows a class has at least that is not rare."""
        return max(self.guard.rare_classes.rows, self.split.places)

    @property
    def fits_of_a_trial(self) -> int:
        """How many times a trial is trained: for each fold, and for the model itself."""
        return 1 if self.split.folds is None else self.split.folds.trainings + 1

    @property
    def measured_on(self) -> str:
        """On what trials are measured, in words."""
        folds = self.split.folds
        return "on the validation rows" if folds is None else f"as the mean over {folds.in_words}"

    @property
    def refits(self) -> bool:
        """Whether the winner is trained once more, on the validation rows too."""
        return self.refit != TRAIN

    @property
    def learned_parts(self) -> tuple[Part, ...]:
        """The parts that a version has learned from."""
        return ("train", "validation") if self.refits else ("train",)

    @property
    def tasks_with_rows(self) -> tuple[str, ...]:
        """The tasks of its training DAG that handle rows, in their order."""
        waves = range(1, self.search.wave_count + 1)
        trials = (task_of_wave("trial", wave) for wave in waves)
        return ("split", *trials, *(("refit",) if self.refits else ()), "test")

    @property
    def entity_columns(self) -> tuple[str, ...]:
        """The column that says which entity a row is of; none where there is one model for all rows."""
        return () if self.entities is None else (self.entities.column,)

    @property
    def for_entity(self) -> Self:
        """The section of an entity's own model, without the entities' column, which never changes within one."""
        if self.entities is None or self.features is None:
            return self
        features = tuple(name for name in self.features if name != self.entities.column)
        return self.model_copy(update={"features": features})

    @property
    def prediction_transforms(self) -> tuple[AnyTransform, ...]:
        """What happens to rows before they are predicted: as written, else as in training."""
        if self.predict is None or self.predict.transforms is None:
            return self.transforms
        return self.predict.transforms

    @property
    def prediction_reads(self) -> tuple[str, ...]:
        """The datasets that prediction reads, as written: its input first, without repetition."""
        if self.predict is None:
            return ()
        reads = self.predict.reads
        if reads is None:
            own = self.predict.transforms is None
            reads = self.train_on.datasets[1:] if own else ()
        return tuple(dict.fromkeys((self.predict.input, *reads)))

    @property
    def added_columns(self) -> Types:
        """The columns of predictions beside those of the input, and their types: see `Predict.added_columns`."""
        if self.predict is None:
            return {}
        of_entities = {} if self.entities is None else {MODEL_COLUMN: "VARCHAR"}
        of_task = self.predict.added_columns(self.learning_task, self.target_columns)
        return {**of_task, **of_entities}

    @property
    def prediction_columns(self) -> tuple[str, ...]:
        """All columns of predictions, in their order; none where there are no predictions."""
        kept = self.predict.keep if self.predict else ()
        return (*self.keys, *kept, *self.added_columns)
