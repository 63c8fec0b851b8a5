"""`models`: what a team trains."""

import hashlib
from typing import Literal

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from factory.base.section import DottedPath, ListOf, Section, Text
from factory.data.transforms.sections import Transform
from factory.deploy.common import check_deploy
from factory.deploy.sections import Deploy
from factory.models.predict import Predict
from factory.models.promotion import Promotion, RetrainWhen, check_promotion
from factory.monitoring.sections import Monitor, check_monitor
from factory.team.notify import Notify
from factory.team.resources import Resources, check_resources
from factory.team.schedule import InputsField, Schedule, ScheduleField
from factory.trainers.fastai.params import IMAGE_COLUMN, is_fastai, is_vision
from factory.training.backends.sections import Backend
from factory.training.search.sections import Search, estimators

Task = Literal["classification", "regression"]

METRICS: dict[str, dict[str, Literal["maximize", "minimize"]]] = {
    "classification": {
        "accuracy": "maximize",
        "balanced_accuracy": "maximize",
        "f1_macro": "maximize",
        "f1_weighted": "maximize",
        "log_loss": "minimize",
        "precision_macro": "maximize",
        "recall_macro": "maximize",
        "roc_auc": "maximize",
    },
    "regression": {
        "max_error": "minimize",
        "mean_absolute_error": "minimize",
        "mean_absolute_percentage_error": "minimize",
        "median_absolute_error": "minimize",
        "r2": "maximize",
        "root_mean_squared_error": "minimize",
    },
}
"""Every metric that is computed for a task, by scikit-learn's names, and which way is better."""


TASKS_WITH_ROWS = ("split", "trial", "test")
"""The tasks of a training DAG that handle rows, in their order."""


AROUND = (
    "description",
    "schedule",
    "promotion",
    "retrain_when",
    "predict",
    "monitor",
    "backend",
    "deploy",
    "notify",
    "resources",
)
"""Keys of a model that do not change what is trained."""


class Split(Section):
    """How rows are divided into train, validation and test; fractions of all rows.

    `stratified` keeps the classes' proportions, `time` puts the newest rows of `column` last,
    `group` keeps rows with the same `column` together.
    """

    test: float = Field(default=0.2, gt=0, lt=1)
    validation: float = Field(default=0.2, gt=0, lt=1)
    seed: int = Field(default=0, ge=0, le=2**32 - 1)
    method: Literal["random", "stratified", "time", "group"] | None = None
    column: Text | None = None

    @model_validator(mode="after")
    def _consistent(self) -> "Split":
        if self.test + self.validation >= 1:
            raise PydanticCustomError(
                "split",
                "`test` {test} and `validation` {validation} leave no rows to train on: "
                "together they must stay below 1",
                {"test": self.test, "validation": self.validation},
            )
        if (self.method in ("time", "group")) != (self.column is not None):
            raise PydanticCustomError(
                "split",
                "`method: {method}` needs `column`"
                if self.column is None
                else "`column` belongs to `method: time` or `method: group` only",
                {"method": str(self.method)},
            )
        return self


class Objective(Section):
    """The metric that ranks trials; `goal` follows from the metric unless it is written."""

    metric: Text
    goal: Literal["maximize", "minimize"] | None = None


class Model(Section):
    """Something the team trains; one consumer DAG `<team>.<model>.train`."""

    description: str = ""
    task: Task
    train_on: InputsField
    schedule: ScheduleField | None = None
    transforms: ListOf[Transform] = ()
    target: Text
    features: ListOf[Text] | None = Field(default=None, min_length=1)
    """The columns to learn from; all but the target (and the split's column) when left out."""
    preprocessing: DottedPath | None = None
    """A function `(features: DataFrame) -> transformer` that replaces the default preprocessing."""
    split: Split = Split()
    search: Search
    objective: Objective
    promotion: Promotion = Promotion()
    """When a trained version goes live."""
    retrain_when: RetrainWhen | None = None
    """When it is worth training again; always when left out."""
    predict: Predict | None = None
    """Batch prediction with the champion."""
    monitor: Monitor | None = None
    """How the model is watched once it is in use."""
    deploy: Deploy | None = None
    """Where the champion answers."""
    backend: Backend | None = None
    """Where trials are trained; in their tasks when left out."""
    resources: Resources = Field(default_factory=dict)
    """What is created for a training run and destroyed with it."""
    notify: Notify | None = None
    """Whom to tell what becomes of it."""

    @model_validator(mode="after")
    def _consistent(self) -> "Model":
        known = METRICS[self.task]
        if self.objective.metric not in known:
            raise PydanticCustomError(
                "metric",
                "{value} is not computed for {task}: write one of {known}",
                {
                    "value": repr(self.objective.metric),
                    "task": self.task,
                    "known": ", ".join(sorted(known)),
                    "at": ("objective", "metric"),
                    "choices": sorted(known),
                },
            )
        if self.split.method == "stratified" and self.task == "regression":
            raise PydanticCustomError(
                "split",
                "`method: stratified` needs classes: use random, time or group for a regression",
                {"at": ("split", "method")},
            )
        if self.features is not None and self.target in self.features:
            raise PydanticCustomError(
                "features",
                "the target {target} is among the features: take it out",
                {"target": repr(self.target), "at": ("features",)},
            )
        if len(self.train_on.datasets) > 1 and not self.transforms:
            raise PydanticCustomError(
                "transforms",
                "several datasets need a transform that brings them together, such as "
                "{type: sql, query: select * from a.x join b.y using (id)}",
                {"at": ("train_on",)},
            )
        self._check_libraries()
        check_resources(self.resources, TASKS_WITH_ROWS)
        check_promotion(self.promotion, task=self.task, metrics=known)
        if self.deploy is not None:
            takes_pictures = self.image_column is not None
            check_deploy(self.deploy, task=self.task, takes_pictures=takes_pictures)
        if self.monitor is not None:
            check_monitor(
                self.monitor,
                metrics=known,
                target=self.target,
                features=self.features,
                predictions=self.predict.columns(self.task) if self.predict else None,
                trains_at=self.schedule.cron if self.schedule else None,
                rules=self.retrain_when,
            )
        return self

    def _check_libraries(self) -> None:
        """What a sweep's estimators have in common: all learn from images, or none does."""
        paths = estimators(self.search)
        seeing = [path for path in paths if is_vision(path)]
        if seeing and len(seeing) < len(paths):
            others = ", ".join(path for path in paths if path not in seeing)
            raise PydanticCustomError(
                "search",
                "{seeing} learns from images, and {others} from rows: one sweep cannot try both",
                {
                    "seeing": seeing[0],
                    "others": others,
                    "at": ("search",),
                    "advice": "make them two models",
                },
            )
        if seeing and self.features is not None and len(self.features) != 1:
            raise PydanticCustomError(
                "features",
                "{seeing} learns from one column of images, and {count} are named",
                {"seeing": seeing[0], "count": len(self.features), "at": ("features",)},
            )
        if self.preprocessing is not None and all(map(is_fastai, paths)):
            raise PydanticCustomError(
                "preprocessing",
                "`preprocessing` is for estimators with scikit-learn's API, and there is none here: "
                "fastai prepares its rows itself; take it away",
                {"at": ("preprocessing",)},
            )

    @property
    def when(self) -> Schedule:
        """Its schedule; without one, a model trains when the datasets that it reads change."""
        if self.schedule is not None:
            return self.schedule
        return Schedule(all=self.train_on.all, any=self.train_on.any)

    @property
    def image_column(self) -> str | None:
        """The column of images that it learns from; None for a model of rows."""
        if not any(map(is_vision, estimators(self.search))):
            return None
        return self.features[0] if self.features else IMAGE_COLUMN

    @property
    def goal(self) -> Literal["maximize", "minimize"]:
        """Whether more or less of the objective's metric is better."""
        return self.objective.goal or METRICS[self.task][self.objective.metric]

    @property
    def split_method(self) -> str:
        """How rows are divided: as written, else stratified for classes and random for numbers."""
        return self.split.method or ("stratified" if self.task == "classification" else "random")

    @property
    def prediction_transforms(self) -> tuple[Transform, ...]:
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


def config_hash(model: Model) -> str:
    """Twelve hexadecimal digits that change when the trained model could change.

    What only describes a model, says when and how many at once, or what becomes of it, is left out.
    """
    text = model.model_dump_json(
        exclude={**dict.fromkeys(AROUND, True), "search": {"parallel_trials"}}
    )
    return hashlib.sha256(text.encode()).hexdigest()[:12]
