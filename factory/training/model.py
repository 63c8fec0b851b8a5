"""`models`: what a team trains."""

import itertools
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import model_validator

from factory.base.digests import sha256
from factory.base.findings import Finding, Question
from factory.base.nested_estimators import NestedEstimator, nested_paths
from factory.base.rules import Broken, rule
from factory.base.section import AddedLater, NotTrained, Section, Surroundings
from factory.models.predict_rules import check_predictions
from factory.models.promotion import check_promotion
from factory.models.promotion_rules import check_fairness, check_groups
from factory.monitoring.sections import check_monitor
from factory.team.after_tasks import OF_TRAININGS, check_names
from factory.team.resources import check_resources
from factory.trainers.column_steps import check_entries
from factory.trainers.dispatch import (
    trainer_class,
    usable_cpus,
)
from factory.trainers.fitting import Fitting
from factory.trainers.nested_rules import at_place
from factory.trainers.step_names import paths_of, with_values
from factory.trainers.trainer import Trainer
from factory.training import ranking_rules as ranking
from factory.training.entity_rules import check_entities
from factory.training.fitting import (
    FITTING,
    check_estimators,
    check_refit,
    check_task,
    check_together,
    with_params,
)
from factory.training.forecasting import rules as forecasting
from factory.training.learning_rules import (
    check_datasets,
    check_features,
    check_images,
    check_positive,
    check_trainers,
)
from factory.training.library_questions import library_questions
from factory.training.metrics import Goal, Metric, NamableMetrics, builtin_metrics
from factory.training.model_metrics import ModelMetric, check_metrics, namable_metrics
from factory.training.model_section import ModelSection
from factory.training.objective import check_comparable, check_ranks
from factory.training.preprocessing_rules import check_named, check_needed, check_tried, has_choices
from factory.training.search.strategy import check_waves, written_estimators
from factory.training.several_targets.rules import check_beside, check_targets
from factory.training.split_rules import check_choice, check_folds, check_method


class Model(ModelSection):
    """Something the team trains; one consumer DAG `<team>.<model>.train`."""

    @model_validator(mode="before")
    @classmethod
    def _divided_as_the_task_needs(cls, value: Any) -> Any:
        return ranking.divided_by_group(forecasting.divided_by_time(value))

    @rule
    def _names_of_after(self) -> Broken:
        yield from check_names(self.after, OF_TRAININGS)

    @rule
    def _metrics_are_known(self, surroundings: Surroundings | None) -> Broken:
        known = self._namable_metrics(surroundings)
        yield from known.check(self.objective.metric, ("objective", "metric"))
        yield from check_metrics(self.metrics, known)

    @rule
    def _targets_are_there(self) -> Broken:
        yield from check_targets(self)

    @rule
    def _keys_go_with_several_targets(self) -> Broken:
        yield from check_beside(self)

    @rule
    def _positive_is_a_class(self) -> Broken:
        yield from check_positive(self)

    @rule
    def _forecast_fits_the_task(self) -> Broken:
        yield from forecasting.check_task(self.task, self.forecast)

    @rule
    def _forecast_is_not_of_itself(self) -> Broken:
        if self._forecasts is not None:
            yield from forecasting.check_target(self._forecasts, self.target_name)

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
        for path, one in written_estimators(self.search):
            trainer = trainer_class(one.estimator, surroundings)
            yield from forecasting.check_estimator(trainer, one.estimator, one.params, path)

    @rule
    def _group_fits_the_task(self) -> Broken:
        yield from ranking.check_task(self.task, self.group)

    @rule
    def _group_is_not_learned(self) -> Broken:
        if self.group is not None:
            yield from ranking.check_column(self.group, self.target_name, self.features)

    @rule
    def _groups_stay_together(self) -> Broken:
        if self.group is not None and self.learning_task.has_groups:
            yield from ranking.check_split(self.group, self.split)

    @rule
    def _split_fits_the_task(self) -> Broken:
        yield from check_method(self.split, self.learning_task, has_target=self.target is not None)

    @rule
    def _objective_ranks(self, surroundings: Surroundings | None) -> Broken:
        metric = self._namable_metrics(surroundings).find(self.objective.metric)
        if metric is not None:
            yield from check_ranks(metric, self._usual_metrics)
            differs = self.has_spaces and has_choices(self.entries)
            yield from check_comparable(metric, prepares_differently=differs)

    @rule
    def _trainers_know_the_task(self, surroundings: Surroundings | None) -> Broken:
        yield from check_trainers(self.learning_task, self.search, surroundings)

    @rule
    def _kept_columns_are_free(self) -> Broken:
        if self.predict is not None:
            yield from self.predict.check_keep(self.learning_task, self.target_columns)

    @rule
    def _choice_is_by_folds(self) -> Broken:
        yield from check_choice(self.split, self.search)

    @rule
    def _folds_can_be_trained(self, surroundings: Surroundings | None) -> Broken:
        yield from check_folds(self.split, self.search, surroundings)

    @rule
    def _target_is_no_feature(self) -> Broken:
        yield from check_features(self.features, self.target_columns)

    @rule
    def _datasets_are_joined(self) -> Broken:
        yield from check_datasets(self.train_on, self.transforms)

    @rule
    def _entities_are_possible(self) -> Broken:
        if self.entities is not None:
            yield from check_entities(self, self.entities)

    @rule
    def _resources_are_used(self) -> Broken:
        yield from check_resources(self.resources, self.tasks_with_rows)

    @rule
    def _promotion_is_possible(self, surroundings: Surroundings | None) -> Broken:
        yield from check_promotion(self.promotion, self._namable_metrics(surroundings))

    @rule
    def _groups_are_of_features(self) -> Broken:
        yield from check_groups(self)

    @rule
    def _fairness_is_of_classes(self) -> Broken:
        yield from check_fairness(self)

    @rule
    def _deployment_fits_the_model(self) -> Broken:
        if self.deploy is not None:
            yield from self.deploy.check_model(
                has_classes=self.learning_task.has_categories,
                takes_images=self.image_column is not None,
            )

    @rule
    def _predictions_fit_the_task(self) -> Broken:
        yield from check_predictions(self)

    @rule
    def _monitor_is_possible(self, surroundings: Surroundings | None) -> Broken:
        if self.monitor is not None:
            yield from check_monitor(
                self.monitor,
                metrics=self._namable_metrics(surroundings),
                targets=self.target_columns,
                features=self.features if self.forecast is None else self.forecast.compared,
                predictions=self.prediction_columns if self.predict else None,
                trains_at=self.schedule.cron if self.schedule else None,
                rules=self.retrain_when,
            )

    @rule
    def _estimators_go_together(self, surroundings: Surroundings | None) -> Broken:
        paths = self.search.estimators
        trainers = {path: trainer_class(path, surroundings) for path in paths}
        yield from check_images(self, trainers)
        if self.preprocessing is not None:
            yield from check_needed(trainers.values())

    @rule
    def _preprocessing_is_a_whole(self) -> Broken:
        for error in check_entries(self.entries):
            yield at_place(error, ("preprocessing",))

    @rule
    def _preprocessing_names_features(self) -> Broken:
        yield from check_named(self)

    @rule
    def _steps_can_be_tried(self) -> Broken:
        yield from check_tried(self)

    @rule
    def _fitting_goes_together(self) -> Broken:
        yield from check_together(self._fitting, self.target_columns)

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

    @rule
    def _trials_suit_jobs_and_entities(self) -> Broken:
        excluding = "backend" if self.backend is not None else "entities"
        is_excluded = self.backend is not None or self.entities is not None
        yield from check_waves(self.search, excluding if is_excluded else None)

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
        yield from library_questions(self)

    @property
    def _fitting(self) -> dict[str, Any]:
        """What is written about fitting, by its keys; without what is wrong by itself."""
        found = {key: getattr(self, key, None) for key in FITTING}
        return {key: value for key, value in found.items() if value is not None}

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
            self.learning_task.name,
            threads=max(1, usable_cpus() // self.search.parallel_trials),
            preprocessing=with_values(self.entries, steps or {}) or self.preprocessing,
            files=files,
            fitting=Fitting(
                self.class_weight, with_params(self.resample, resample), self.target_transform
            ),
            targets=self.targets_together,
            positive=self.counted_class if self.learning_task.learns_target else None,
        )

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
            self.learning_task.name,
            self.counted_class,
            surroundings,
            has_target=self.target is not None,
            of_targets=self._metrics_of_targets,
        )

    @property
    def _metrics_of_targets(self) -> tuple[Metric, ...]:
        """Those of each target, where there are several."""
        return self.learning_task.metrics_of(self.targets_together)

    @property
    def _usual_metrics(self) -> tuple[Metric, ...]:
        """Those of every such model of its task."""
        has_target = self.target is not None
        of_all = builtin_metrics(self.learning_task.name, self.counted_class, has_target=has_target)
        return (*of_all, *self._metrics_of_targets)

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
