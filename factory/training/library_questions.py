"""What the libraries of estimators and transformers are asked about a model before anything is trained."""

from collections.abc import Iterator

from factory.base.calls import ask_about_call
from factory.base.findings import Question
from factory.trainers.dispatch import (
    sampler_question,
    step_question,
    target_question,
    trainer_class,
)
from factory.trainers.step_names import named_steps
from factory.trainers.trainer import WrittenEstimator
from factory.training.model_section import ModelSection
from factory.training.search.strategy import written_estimators


def library_questions(model: ModelSection) -> Iterator[Question]:
    """Whether estimators exist, fit the task and take their parameters, and the preprocessing takes rows."""
    yield from _of_estimators(model)
    yield from _of_steps(model)
    if model.target_transform is not None and not model.target_transform.is_word:
        yield target_question(model.target_transform, model.learning_task.name).below(
            ("target_transform",)
        )
    if isinstance(model.preprocessing, str):
        yield ask_about_call(
            model.preprocessing,
            (),
            at="preprocessing",
            gets="the features",
            takes_arguments=False,
        )


def _of_estimators(model: ModelSection) -> Iterator[Question]:
    for path, one in written_estimators(model.search):
        written = WrittenEstimator(
            one.estimator,
            {**one.params, **model.search.sets},
            model.learning_task.name,
            one.has_spaces,
            model.search.is_exhaustive,
            is_weighted=model.is_weighted,
        )
        for question in trainer_class(one.estimator).questions(written):
            yield question.below(path)


def _of_steps(model: ModelSection) -> Iterator[Question]:
    """About transformers, and the sampler."""
    for place, step in named_steps(model.entries).values():
        question = step_question(
            step.nested,
            model.learning_task.name,
            has_spaces=model.has_spaces,
            is_exhaustive=model.search.is_exhaustive,
        )
        yield question.below(("preprocessing", *place))
    if model.resample is not None:
        yield sampler_question(
            model.resample.nested, model.learning_task.name, has_spaces=model.has_spaces
        ).below(("resample",))
