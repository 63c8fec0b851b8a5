"""`models`: what a team trains."""

import itertools
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, LiteralString

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from factory.base.calls import ask_about_call
from factory.base.digests import sha256
from factory.base.findings import Finding, KeyPath, Question
from factory.base.nested_estimators import NestedEstimator, nested_paths
from factory.base.rules import Broken, rule
from factory.base.section import (
    AddedLater,
    ListOf,
    NotTrained,
    Section,
    Surroundings,
    Text,
    sections_below,
)
from factory.base.texts import one_of
from factory.data.column_types import Types
from factory.data.transforms.transform import AnyTransform
from factory.kinds import BACKEND, DEPLOY_TARGET, KindOf
from factory.lake.verification import Verify
from factory.models.predict import Predict
from factory.models.promotion import Promotion, check_promotion
from factory.models.retraining import RetrainWhen
from factory.monitoring.sections import Monitor, check_monitor
from factory.team.after_tasks import OF_TRAININGS, AfterTasks, check_names
from factory.team.notify import Notify
from factory.team.resources import Resources, check_resources
from factory.team.schedule import InputsField, Schedule, ScheduleField
from factory.trainers.class_weights import mappings_by_class
from factory.trainers.column_steps import (
    Entries,
    Preprocessing,
    check_columns,
    check_entries,
    named_columns,
)
from factory.trainers.dispatch import (
    sampler_question,
    step_question,
    target_question,
    trainer_class,
    usable_cpus,
)
from factory.trainers.fitting import AnyTargetTransform, ClassWeight, Fitting, Resample
from factory.trainers.nested_rules import at_place
from factory.trainers.step_names import named_steps, paths_of, with_values
from factory.trainers.trainer import IMAGE_COLUMN, Trainer, WrittenEstimator
from factory.training.division import Method, Part, Split
from factory.training.entities import MODEL_COLUMN, Entities, check_entities
from factory.training.fitting import (
    FITTING,
    TRAIN,
    Refit,
    check_estimators,
    check_refit,
    check_task,
    check_together,
    with_params,
)
from factory.training.forecasting import rules as forecasting
from factory.training.forecasting.section import Forecast
from factory.training.guard.section import Guards
from factory.training.learning_task import LearningTask, TaskName
from factory.training.metrics import Class, Goal, Metric, NamableMetrics, builtin_metrics
from factory.training.model_metrics import (
    AnyModelMetric,
    ModelMetric,
    check_metrics,
    namable_metrics,
)
from factory.training.search.candidate import (
    check_spaces,
    count_values,
    is_distribution,
    places,
)
from factory.training.search.grid import check_countable
from factory.training.search.strategy import AnySearch, Estimator, Trial
from factory.training.tasks import TASKS

if TYPE_CHECKING:
    from factory.deploy.targets.target import AnyTarget
    from factory.training.backends.backend import AnyBackend
else:
    # Most models have neither: what both import is imported when one is written.
    AnyTarget = Annotated[Any, KindOf(DEPLOY_TARGET)]
    AnyBackend = Annotated[Any, KindOf(BACKEND)]


class Objective(Section):
    """The metric that ranks trials; `goal` follows from the metric unless it is written."""

    metric: Text = Field(examples=["f1_macro", "root_mean_squared_error"])
    """One of the task's metrics, of a plug-in's, or of those that `metrics` defines; `factory kinds metric` lists
    them."""
    goal: Goal | None = None
    """Whether the highest or the lowest value wins; follows from the metric when left out."""


class Model(Section):
    """Something the team trains; one consumer DAG `<team>.<model>.train`."""

    description: Annotated[str, NotTrained(is_read=True)] = ""
    """What it is, for people: shown as the description of its training DAG in Airflow, and of the model in MLflow."""
    task: TaskName
    """What is said of each row: a class (`classification`), a number (`regression`), whether it is unlike the others
    (`anomaly`) or which it belongs to (`clustering`); or of series their next values (`forecasting`)."""
    train_on: InputsField = Field(examples=["catches", {"all": ["catches", "weather"]}])
    """The datasets that it learns from: one name, `{all: […]}` or `{any: […]}`. Without `schedule`, a training starts
    when all of them, or one, have changed."""
    schedule: Annotated[ScheduleField | None, NotTrained()] = None
    """When it is trained; when the datasets of `train_on` change if left out."""
    transforms: ListOf[AnyTransform] = ()
    """What is done to the rows before they are divided; several datasets need one that brings them together."""
    target: Annotated[Text | None, AddedLater()] = Field(default=None, examples=["species"])
    """The column whose values are predicted. `anomaly` and `clustering` learn from none: there it may be left out, and
    measures how far the labels are met."""
    positive: Annotated[Class | None, AddedLater()] = Field(default=None, examples=["yes", 1])
    """Of two classes the one that counts: for `precision`, `recall`, `f1` and what else asks for it, and the label of
    anomalies. As the target has it: text, a whole number, true or false."""
    forecast: Annotated[Forecast | None, AddedLater()] = None
    """With `task: forecasting`: the column of time, how far ahead, and the past values to learn from."""
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

    @model_validator(mode="before")
    @classmethod
    def _divided_by_time(cls, value: Any) -> Any:
        return forecasting.divided_by_time(value)

    @rule
    def _names_of_after(self) -> Broken:
        yield from check_names(self.after, OF_TRAININGS)

    @rule
    def _metrics_are_known(self, surroundings: Surroundings | None) -> Broken:
        known = self._namable_metrics(surroundings)
        yield from known.check(self.objective.metric, ("objective", "metric"))
        yield from check_metrics(self.metrics, known)

    @rule
    def _target_is_there(self) -> Broken:
        if self.target is None and self.learning_task.learns_target:
            yield PydanticCustomError(
                "together",
                "{task} learns from a `target`, and there is none",
                {
                    "task": self.learning_task.title,
                    "advice": "add `target: ...`, the column whose values are predicted; `anomaly` and `clustering` "
                    "are the tasks without",
                    "at": ("task",),
                },
            )

    @rule
    def _positive_is_a_class(self) -> Broken:
        if self.positive is None:
            return
        advice = {"advice": "take it away", "at": ("positive",), "on_key": True}
        if self.learning_task.counted_class(self.positive) is None:
            yield PydanticCustomError(
                "together",
                "`positive` is a class, and a {task} has none",
                {"task": self.task, **advice},
            )
        elif self.target is None:
            yield PydanticCustomError(
                "together",
                "`positive` is one of the target's labels, and there is no `target`",
                advice,
            )

    @rule
    def _forecast_fits_the_task(self) -> Broken:
        yield from forecasting.check_task(self.task, self.forecast)

    @rule
    def _forecast_is_not_of_itself(self) -> Broken:
        if self._forecasts is not None:
            yield from forecasting.check_target(self._forecasts, self.target)

    @rule
    def _forecast_is_divided_by_time(self) -> Broken:
        if self._forecasts is not None:
            yield from forecasting.check_split(self._forecasts, self.split)

    @rule
    def _forecast_makes_its_features(self) -> Broken:
        if self._forecasts is not None:
            keep = self.predict.keep if self.predict is not None else ()
            yield from forecasting.check_features(self.features, keep)

    @rule
    def _forecast_is_not_deployed(self) -> Broken:
        if self._forecasts is not None and self.deploy is not None:
            yield from forecasting.check_deploy()

    @rule
    def _estimators_forecast(self, surroundings: Surroundings | None) -> Broken:
        if self._forecasts is None:
            return
        for path, one in sections_below(self.search, ("search",)):
            if isinstance(one, Estimator):
                trainer = trainer_class(one.estimator, surroundings)
                yield from forecasting.check_estimator(trainer, one.estimator, one.params, path)

    @rule
    def _split_fits_the_task(self) -> Broken:
        if self.split.method == "stratified" and not self.has_class_target:
            yield PydanticCustomError(
                "split",
                "`method: stratified` needs classes: use random, time or group for {task}",
                {
                    "task": f"a {self.task}"
                    if self.target is not None
                    else f"{self.learning_task.title} without `target`",
                    "at": ("split", "method"),
                },
            )

    @rule
    def _objective_ranks(self, surroundings: Surroundings | None) -> Broken:
        metric = self._namable_metrics(surroundings).find(self.objective.metric)
        if metric is None:
            return
        at = ("objective", "metric")
        if metric.describes:
            others = builtin_metrics(
                self.task, self.counted_class, has_target=self.target is not None
            )
            yield PydanticCustomError(
                "metric",
                "`{metric}` says what predictions are like, and not which are better",
                {
                    "metric": metric.name,
                    "advice": f"write {one_of(one.name for one in others if not one.describes)}; "
                    f"`promotion.require` may limit {metric.name}",
                    "at": at,
                },
            )
        if metric.needs == "points" and self.has_spaces and self._tries_preprocessing:
            yield PydanticCustomError(
                "metric",
                "`{metric}` measures distances between prepared rows, and trials that prepare them differently "
                "cannot be compared by it",
                {
                    "metric": metric.name,
                    "advice": "write one value for each parameter in `preprocessing`, or measure by labels: add "
                    "`target`, and write adjusted_rand",
                    "at": at,
                },
            )

    @rule
    def _trainers_know_the_task(self, surroundings: Surroundings | None) -> Broken:
        for path, one in sections_below(self.search, ("search",)):
            if isinstance(one, Estimator):
                trainer = trainer_class(one.estimator, surroundings)
                if self.task not in trainer.tasks:
                    yield PydanticCustomError(
                        "estimator",
                        "{title} has no estimators for {task}",
                        {
                            "title": trainer.title,
                            "task": self.learning_task.title,
                            "advice": f"name one such as {self.learning_task.example_estimator}",
                            "at": (*path, "estimator"),
                        },
                    )

    @rule
    def _kept_columns_are_free(self) -> Broken:
        if self.predict is not None:
            yield from self.predict.check_keep(self.learning_task)

    @rule
    def _choice_is_by_folds(self) -> Broken:
        if self.search.choose == "best":
            return
        if self.split.folds is None:
            yield PydanticCustomError(
                "folds",
                "`choose: {choose}` compares what folds have measured, and there are none",
                {
                    "choose": self.search.choose,
                    "at": ("search", "choose"),
                    "advice": "write `split: {validation: {folds: 5}}`, or take it away",
                },
            )
        elif not self.search.tries_all:
            yield PydanticCustomError(
                "folds",
                "`choose: {choose}` takes the trial that is written first, and `strategy: {strategy}` has no order",
                {
                    "choose": self.search.choose,
                    "strategy": self.search.strategy,
                    "at": ("search", "choose"),
                    "advice": "use `strategy: grid` or `strategy: list`, or take it away",
                },
            )

    @rule
    def _folds_can_be_trained(self, surroundings: Surroundings | None) -> Broken:
        if self.split.folds is None:
            return
        for path, one in sections_below(self.search, ("search",)):
            if isinstance(one, Estimator):
                trainer = trainer_class(one.estimator, surroundings)
                if why := trainer.refuses_folds(one.estimator, one.params):
                    yield PydanticCustomError(
                        "folds",
                        "{why}",
                        {
                            "why": why,
                            "at": (*path, "estimator"),
                            "advice": "write a fraction, such as `split: {validation: 0.2}`",
                        },
                    )

    @rule
    def _target_is_no_feature(self) -> Broken:
        for index, feature in enumerate(self.features or ()):
            if feature == self.target:
                yield PydanticCustomError(
                    "features",
                    "the target {target} is among the features: take it out",
                    {"target": repr(self.target), "at": ("features", index)},
                )

    @rule
    def _datasets_are_joined(self) -> Broken:
        if len(self.train_on.datasets) > 1 and not self.transforms:
            yield PydanticCustomError(
                "transforms",
                "several datasets need a transform that brings them together, such as "
                "{type: sql, query: select * from a.x join b.y using (id)}",
                {"at": ("train_on",)},
            )

    @rule
    def _entities_are_possible(self) -> Broken:
        if self.entities is None:
            return
        named = [(("preprocessing", *at), name) for at, name in named_columns(self.entries)]
        for key, columns in self.promotion.grouped_by.items():
            named += [(("promotion", key, "columns", at), name) for at, name in enumerate(columns)]
        keep = () if self.predict is None else self.predict.keep
        yield from check_entities(
            self.entities,
            target=self.target,
            features=self.features,
            others={
                **({} if self.weights is None else {self.weights: "what `weights` names"}),
                **dict.fromkeys(self.split.columns, "what `split` looks at"),
            },
            named=named,
            unfit=self._unfit_for_entities,
        )
        if not self.learning_task.learns_target:
            yield PydanticCustomError(
                "entities",
                "{task} learns from no target, by whose rows entities are counted",
                {
                    "task": self.learning_task.title,
                    "advice": "take it away",
                    "at": ("entities",),
                    "on_key": True,
                },
            )
        asked = () if self.predict is None else self.predict.model_fields_set
        for key in ("probabilities", "interval", "explain"):
            if key in asked:
                yield self._not_predicted(key, "each entity's model would have its own")
        if self.image_column is not None:
            yield PydanticCustomError(
                "entities",
                "this model learns from images, and entities are of rows",
                {"advice": "take it away", "at": ("entities",), "on_key": True},
            )
        for index, name in enumerate(keep):
            if name.lower() == MODEL_COLUMN:
                yield PydanticCustomError(
                    "keep",
                    "{value} cannot be kept: it is the column with the model that has answered",
                    {
                        "value": repr(name),
                        "at": ("predict", "keep", index),
                        "advice": "take it away, or rename it in a transform",
                    },
                )

    @property
    def _unfit_for_entities(self) -> dict[str, str]:
        """The keys that are written and are for one model only, and why."""
        unfit = {
            "forecast": "name the column in `forecast.series`, and one model forecasts them all",
            "refit": "winners of entities are trained once",
            "deploy": "one version is deployed, and there are many models",
            "monitor": "one model is watched, and there are many",
            "backend": "trials of entities are trained in their tasks",
        }
        written = {key for key in unfit if getattr(self, key) not in (None, TRAIN)}
        return {key: why for key, why in unfit.items() if key in written}

    @rule
    def _resources_are_used(self) -> Broken:
        yield from check_resources(self.resources, self.tasks_with_rows)

    @rule
    def _promotion_is_possible(self, surroundings: Surroundings | None) -> Broken:
        yield from check_promotion(self.promotion, self._namable_metrics(surroundings))

    @rule
    def _groups_are_of_features(self) -> Broken:
        """What is known without the datasets: test rows have the features, and nothing else."""
        for key, columns in self.promotion.grouped_by.items():
            if self.image_column is not None:
                yield PydanticCustomError(
                    "together",
                    "groups of rows are made by columns, and this model learns from images alone",
                    {"advice": "take it away", "at": ("promotion", key), "on_key": True},
                )
                continue
            for index, column in enumerate(columns):
                if (advice := self._feature_instead_of(column)) is not None:
                    yield PydanticCustomError(
                        "features",
                        "{column} is no feature, and test rows have nothing else to make groups by",
                        {
                            "column": repr(column),
                            "advice": advice,
                            "at": ("promotion", key, "columns", index),
                        },
                    )

    def _feature_instead_of(self, column: str) -> str | None:
        """What to write where a column is named that is no feature; None where it is one, or may be."""
        if column == self.target:
            return "name a feature"
        named = self.named_features
        if named is None:
            return "add it to `features`" if column in self.columns_beside_features else None
        if column in named:
            return None
        return f"name one of {one_of(named)}, or add it to `features`"

    @rule
    def _fairness_is_of_classes(self) -> Broken:
        if self.promotion.fairness is not None and self.counted_class is None:
            has_classes = self.has_class_target and self.learning_task.learns_target
            yield PydanticCustomError(
                "together",
                "`fairness` needs `positive`: which of two classes counts",
                {
                    "advice": 'add it to the model, such as `positive: "yes"`'
                    if has_classes
                    else f"take it away: {self.learning_task.title} has no classes"
                    + ("" if self.target else " without `target`"),
                    "at": ("promotion", "fairness"),
                    "on_key": True,
                },
            )

    @rule
    def _deployment_fits_the_model(self) -> Broken:
        if self.deploy is not None:
            yield from self.deploy.check_model(
                has_classes=self.learning_task.has_classes,
                takes_images=self.image_column is not None,
            )

    @rule
    def _predictions_fit_the_task(self) -> Broken:
        section, task = self.predict, self.learning_task
        if section is None:
            return
        if section.probabilities != "highest" and not task.has_classes:
            yield self._not_predicted("probabilities", "{task} has no classes")
        if section.interval is not None and not task.has_intervals:
            yield self._not_predicted(
                "interval", "intervals are for regressions, and this is {task}"
            )
        if section.explain is not None and self.forecast is not None:
            yield self._not_predicted(
                "explain", "{task} learns from past values, of which each step has others"
            )
        if section.explain is not None and self.image_column is not None:
            yield self._not_predicted(
                "explain", "this model learns from images alone, and has no features to tell apart"
            )

    def _not_predicted(self, key: str, why: LiteralString) -> PydanticCustomError:
        title = self.learning_task.title
        context = {"task": title, "advice": "take it away", "at": ("predict", key)}
        return PydanticCustomError("together", why, {**context, "on_key": True})

    @rule
    def _monitor_is_possible(self, surroundings: Surroundings | None) -> Broken:
        if self.monitor is not None:
            yield from check_monitor(
                self.monitor,
                metrics=self._namable_metrics(surroundings),
                target=self.target,
                features=self.features if self.forecast is None else self.forecast.compared,
                predictions=self.prediction_columns if self.predict else None,
                trains_at=self.schedule.cron if self.schedule else None,
                rules=self.retrain_when,
            )

    @rule
    def _estimators_go_together(self, surroundings: Surroundings | None) -> Broken:
        """What a sweep's estimators have in common: all learn from images, or none does."""
        paths = self.search.estimators
        trainers = {path: trainer_class(path, surroundings) for path in paths}
        seeing = [path for path in paths if trainers[path].learns_from_images(path)]
        if seeing and len(seeing) < len(paths):
            others = ", ".join(path for path in paths if path not in seeing)
            yield PydanticCustomError(
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
            yield PydanticCustomError(
                "features",
                "{seeing} learns from one column of images, and {count} are named",
                {"seeing": seeing[0], "count": len(self.features), "at": ("features",)},
            )
        takes_preprocessing = any(trainer.takes_preprocessing for trainer in trainers.values())
        if self.preprocessing is not None and not takes_preprocessing:
            titles = dict.fromkeys(trainer.title for trainer in trainers.values())
            yield PydanticCustomError(
                "preprocessing",
                "`preprocessing` is for estimators with scikit-learn's API, and there is none here: "
                "{titles} prepares its rows itself; take it away",
                {"titles": " and ".join(titles), "at": ("preprocessing",)},
            )

    @rule
    def _preprocessing_is_a_whole(self) -> Broken:
        for error in check_entries(self.entries):
            yield at_place(error, ("preprocessing",))

    @rule
    def _preprocessing_names_features(self) -> Broken:
        others = {
            **({} if self.weights is None else {self.weights: "what `weights` names"}),
            **dict.fromkeys(self.split.columns, "what `split` looks at"),
            **dict.fromkeys(self.target_columns, "the target"),
        }
        for error in check_columns(self.entries, self.named_features, others):
            yield at_place(error, ("preprocessing",))

    @rule
    def _steps_can_be_tried(self) -> Broken:
        errors = []
        steps: dict[KeyPath, dict[str, Any]] = {}
        if self.resample is not None:
            steps["resample",] = self.resample.params
        for place, step in named_steps(self.entries).values():
            steps["preprocessing", *place] = step.params
        for at, params in steps.items() if self.has_spaces else ():
            values = list(places(params))
            countable = check_countable(values) if self.search.tries_all else ()
            errors += [at_place(error, at) for error in (*check_spaces(values), *countable)]
        yield from errors
        limit = self.search.max_trials
        # Nothing can be counted that is no range.
        if not errors and self.search.most_trials <= limit < self.most_trials:
            keys = [key for key in ("preprocessing", "resample") if getattr(self, key) is not None]
            yield PydanticCustomError(
                "max_trials",
                "`search` and what {keys} to be tried make {trials} trials, more than "
                "`max_trials` ({limit}): raise `search.max_trials`, shorten the lists, or use `strategy: random`",
                {
                    "keys": f"`{keys[0]}` has"
                    if len(keys) == 1
                    else "`preprocessing` and `resample` have",
                    "trials": self.most_trials,
                    "limit": limit,
                    "at": (keys[0],),
                },
            )

    @rule
    def _fitting_goes_together(self) -> Broken:
        yield from check_together(self._fitting, self.target)

    @rule
    def _fitting_is_for_the_task(self) -> Broken:
        yield from check_task(self._fitting, self.learning_task)

    @rule
    def _estimators_can_be_fitted_so(self, surroundings: Surroundings | None) -> Broken:
        yield from check_estimators(self._fitting, self.search, surroundings)

    @rule
    def _winner_can_be_trained_again(self, surroundings: Surroundings | None) -> Broken:
        if self.refits:
            yield from check_refit(self.split, self.search, surroundings, backend=self.backend)

    def doubts(self) -> Iterator[Finding]:
        """A goal, and thresholds, that are the opposite of what their metrics are for."""
        known = self._namable_metrics()
        metric = known.find(self.objective.metric)
        if metric is not None and self.objective.goal not in (None, metric.goal):
            yield Finding(
                "goal_against_metric",
                ("objective", "goal"),
                f"`{metric.name}` is a metric to {metric.goal}: with this goal the worst trial wins",
                f"leave `goal` out, or write `goal: {metric.goal}`",
            )
        quality = self.monitor.quality if self.monitor is not None else None
        for at, limits in (
            (("promotion", "require"), self.promotion.required_metrics),
            (("monitor", "quality"), quality or {}),
        ):
            for name, bounds in limits.items():
                if (bounded := known.find(name)) is not None:
                    yield from bounds.doubts_about(bounded, (*at, name))

    def questions(self) -> Iterator[Question]:
        """Whether its estimators exist, fit the task and take their parameters, and the preprocessing takes rows."""
        is_exhaustive = self.search.tries_all and self.search.max_failed_trials == 0
        for path, one in sections_below(self.search, ("search",)):
            if isinstance(one, Estimator):
                written = WrittenEstimator(
                    one.estimator,
                    one.params,
                    self.task,
                    one.has_spaces,
                    is_exhaustive,
                    is_weighted=self.is_weighted,
                )
                for question in trainer_class(one.estimator).questions(written):
                    yield question.below(path)
        for place, step in named_steps(self.entries).values():
            question = step_question(
                step.nested, self.task, has_spaces=self.has_spaces, is_exhaustive=is_exhaustive
            )
            yield question.below(("preprocessing", *place))
        if self.resample is not None:
            yield sampler_question(
                self.resample.nested, self.task, has_spaces=self.has_spaces
            ).below(("resample",))
        if self.target_transform is not None and not self.target_transform.is_word:
            yield target_question(self.target_transform, self.task).below(("target_transform",))
        if isinstance(self.preprocessing, str):
            yield ask_about_call(
                self.preprocessing,
                (),
                at="preprocessing",
                gets="the features",
                takes_arguments=False,
            )

    @property
    def entity_columns(self) -> tuple[str, ...]:
        """The column that says which entity a row is of; none where there is one model for all rows."""
        return () if self.entities is None else (self.entities.column,)

    @property
    def for_entity(self) -> "Model":
        """The section of an entity's own model, without the entities' column, which never changes within one."""
        if self.entities is None or self.features is None:
            return self
        features = tuple(name for name in self.features if name != self.entities.column)
        return self.model_copy(update={"features": features})

    @property
    def when(self) -> Schedule:
        """Its schedule; without one, a model trains when the datasets that it reads change."""
        if self.schedule is not None:
            return self.schedule
        return Schedule(all=self.train_on.all, any=self.train_on.any)

    def expand(self) -> tuple[Trial, ...]:
        """The trials of its search, with what `preprocessing` has to be tried.

        Raises:
            TerminalError: The values cannot be drawn.
        """
        return self.search.expand(self._nested_steps, self._nested_sampler)

    @property
    def most_trials(self) -> int:
        """How many trials a training makes; fewer where some of them are the same."""
        return self.search.with_steps(self._nested_steps, self._nested_sampler).most_trials

    @property
    def entries(self) -> Entries:
        """The entries of `preprocessing`; none where it is no list."""
        return self.preprocessing if isinstance(self.preprocessing, tuple) else ()

    @property
    def _nested_steps(self) -> dict[str, NestedEstimator]:
        return {name: step.nested for name, (_, step) in named_steps(self.entries).items()}

    @property
    def _tries_preprocessing(self) -> bool:
        steps = (step for _, step in named_steps(self.entries).values())
        values = (value for step in steps for _, value in places(step.params))
        return any(is_distribution(value) or count_values(value) != 1 for value in values)

    @property
    def _nested_sampler(self) -> NestedEstimator | None:
        return None if self.resample is None else self.resample.nested

    @property
    def _fitting(self) -> dict[str, Any]:
        """What is written about fitting, by its keys; without what is wrong by itself."""
        found = {key: getattr(self, key, None) for key in FITTING}
        return {key: value for key, value in found.items() if value is not None}

    @property
    def columns_beside_features(self) -> tuple[str, ...]:
        """The columns that training reads and that are no features unless they are named as such; without the target."""
        return (*self.split.columns, *([] if self.weights is None else [self.weights]))

    @property
    def is_weighted(self) -> bool:
        """Whether training rows count by weights."""
        return self.weights is not None or self.class_weight is not None

    @property
    def refits(self) -> bool:
        """Whether the winner is trained once more, on the validation rows too."""
        return self.refit != TRAIN

    @property
    def tasks_with_rows(self) -> tuple[str, ...]:
        """The tasks of its training DAG that handle rows, in their order."""
        return ("split", "trial", *(("refit",) if self.refits else ()), "test")

    @property
    def learned_parts(self) -> tuple[Part, ...]:
        """The parts that a version has learned from."""
        return ("train", "validation") if self.refits else ("train",)

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
    def has_spaces(self) -> bool:
        """Whether lists and ranges in the parameters of its transformers and its sampler are values to try."""
        return any(one.has_spaces for one in self.search.tried)

    def trainer(
        self,
        estimator: str,
        *,
        files: Path | None = None,
        steps: Mapping[str, NestedEstimator] | None = None,
        resample: NestedEstimator | None = None,
    ) -> Trainer:
        """The trainer of one of its estimators; a sweep may mix those of several libraries.

        Trials that run at the same time share the processors.

        Args:
            estimator: The estimator's dotted path.
            files: Where copies of the project's files lie that parameters name.
            steps: The transformers of a trial, for a trainer that fits one.
            resample: The sampler of a trial, likewise.

        Raises:
            TerminalError: The estimator's library is an extra that is not installed.
        """
        found = trainer_class(estimator)
        found.check_installed(estimator)
        return found(
            self.task,
            threads=max(1, usable_cpus() // self.search.parallel_trials),
            preprocessing=with_values(self.entries, steps or {}) or self.preprocessing,
            files=files,
            fitting=Fitting(
                self.class_weight, with_params(self.resample, resample), self.target_transform
            ),
        )

    @property
    def image_column(self) -> str | None:
        """The column of images that it learns from; None for a model of rows."""
        paths = self.search.estimators
        if not any(trainer_class(path).learns_from_images(path) for path in paths):
            return None
        return self.features[0] if self.features else IMAGE_COLUMN

    @property
    def learning_task(self) -> LearningTask:
        """All that follows from its task."""
        return TASKS[self.task]

    @property
    def target_columns(self) -> tuple[str, ...]:
        """The target; none where it has none."""
        return () if self.target is None else (self.target,)

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
        return f"{self.task} {'of' if self.learning_task.learns_target else 'measured by'} `{self.target}`"

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
    def packages(self) -> tuple[str, ...]:
        """The top-level packages whose code it names, of whose types a trained model may consist."""
        search = self.search
        paths = [*search.estimators, *search.nested_estimators, *paths_of(self.entries)]
        if isinstance(self.preprocessing, str):
            paths.append(self.preprocessing)
        if self.target_transform is not None and not self.target_transform.is_word:
            transform = self.target_transform
            paths += [transform.transformer, *nested_paths(transform.params)]
        return tuple(dict.fromkeys(path.partition(".")[0] for path in paths))

    @property
    def goal(self) -> Goal:
        """Whether more or less of the objective's metric is better."""
        return self.objective.goal or self.objective_metric.goal

    @property
    def objective_metric(self) -> Metric:
        """The metric by which the best trial is chosen."""
        return self.metric(self.objective.metric)

    def metric(self, name: str) -> Metric:
        """The metric that a name means in this model: one that it defines, a built-in one or a plug-in's.

        Raises:
            LookupError: There is none of that name.
        """
        found = self._namable_metrics().find(name)
        if found is None:
            raise LookupError(f"there is no metric {name!r}: is its plug-in installed here?")
        return found

    def _namable_metrics(self, surroundings: Surroundings | None = None) -> NamableMetrics:
        return namable_metrics(
            self.metrics,
            self.task,
            self.counted_class,
            surroundings,
            has_target=self.target is not None,
        )

    @property
    def _usual_metrics(self) -> tuple[Metric, ...]:
        """Those of every such model of its task."""
        return builtin_metrics(self.task, self.counted_class, has_target=self.target is not None)

    @property
    def computed_metrics(self) -> tuple[Metric, ...]:
        """The metrics that are computed for it: those of its task, and what else it names.

        Other metrics of plug-ins are left alone: a task has nothing but this section, and so it needs
        no plug-in that the section does not name.
        """
        usual = self._usual_metrics
        others = dict.fromkeys(
            one.metric if one.name is None else one.name for one in self._further_metrics
        )
        return (*usual, *(self.metric(str(name)) for name in others))

    @property
    def _further_metrics(self) -> tuple[ModelMetric, ...]:
        """What it computes beside the metrics of every model of its task, once each."""
        quality = self.monitor.quality if self.monitor is not None else None
        known = {metric.name for metric in self._usual_metrics}
        known |= {one.name for one in self.metrics if one.name is not None}
        written = [one for one in self.metrics if one.name is not None or one.metric not in known]
        first, *others = (
            [ModelMetric(metric=name)] if name not in known else []
            for name in (
                self.objective.metric,
                *self.promotion.required_metrics,
                *(quality or ()),
            )
        )
        found = [*first, *written, *itertools.chain(*others)]
        return tuple(one for at, one in enumerate(found) if one not in found[:at])

    @property
    def config_hash(self) -> str:
        """Twelve hexadecimal digits that change when the trained model could change."""
        text = self.model_dump_json(exclude=_not_trained(self))
        # What an objective of that name is decides which trial wins.
        text += "".join(
            one.model_dump_json() for one in self.metrics if one.name == self.objective.metric
        )
        return sha256(text)[:12]

    def as_trained(self, *also: str) -> dict[str, Any]:
        """The section as plain data, without what training does not read and what has its default.

        Args:
            also: Keys that are kept all the same.
        """
        left_out = {
            name
            for name, mark in _marks(type(self)).items()
            if not mark.is_read and name not in also
        }
        # What the keys that are left out name must be computed too.
        whole = self.model_copy(update={"metrics": self._further_metrics})
        return whole.model_dump(mode="json", exclude_defaults=True, exclude=left_out)

    @property
    def uses_default_preprocessing(self) -> bool:
        """Whether one of its estimators gets columns as the default preprocessing prepares them."""
        paths = self.search.estimators
        return self.preprocessing is None and any(
            trainer_class(path).takes_preprocessing for path in paths
        )

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
    def rows_of_a_class(self) -> int:
        """How many rows a class has at least that is not rare."""
        return max(self.guard.rare_classes.rows, self.split.places)

    @property
    def split_method(self) -> Method:
        """How rows are divided: as written, else as is usual for the task."""
        usual = self.learning_task.default_split if self.target is not None else "random"
        return self.split.method or usual

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
        return {**self.predict.added_columns(self.learning_task), **of_entities}

    @property
    def prediction_columns(self) -> tuple[str, ...]:
        """All columns of predictions, in their order; none where there are no predictions."""
        kept = self.predict.keep if self.predict else ()
        return (*self.keys, *kept, *self.added_columns)


def _marks(section: type[Section]) -> dict[str, NotTrained]:
    """The marks of the fields that do not change what is trained."""
    return {
        name: mark
        for name, field in section.model_fields.items()
        for mark in field.metadata
        if isinstance(mark, NotTrained)
    }


def _not_trained(section: Section) -> dict[str, Any]:
    """The fields that do not change what is trained, in the section and in those below it."""
    found: dict[str, Any] = {}
    for name, field in type(section).model_fields.items():
        value = getattr(section, name)
        is_later = any(isinstance(mark, AddedLater) for mark in field.metadata)
        if any(isinstance(mark, NotTrained) for mark in field.metadata) or (
            is_later and value == field.get_default(call_default_factory=True)
        ):
            found[name] = True
        elif isinstance(value, Section) and (below := _not_trained(value)):
            whole = below == dict.fromkeys(type(value).model_fields, True)
            found[name] = True if whole else below
    return found
