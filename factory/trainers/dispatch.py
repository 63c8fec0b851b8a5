"""Which trainer an estimator gets: that of its library, or the one for scikit-learn's API."""

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pydantic_core import PydanticCustomError

from factory.base.errors import TerminalError
from factory.base.findings import Question, as_findings
from factory.base.nested_estimators import NestedEstimator, nested_paths
from factory.base.rules import Broken
from factory.base.section import Surroundings
from factory.kinds import TRAINER, find, kinds, package_of
from factory.trainers.fitting import TargetTransform
from factory.trainers.trainer import Trainer, WrittenEstimator

if TYPE_CHECKING:
    from factory.models.record import ModelRecord

_ANY_OTHER = "scikit_learn"
_OURS = ("sklearn", *TRAINER.builtin)
"""Packages whose estimators no plug-in trains, so that nobody need look at what is installed."""


def trainer_name(estimator: str, surroundings: Surroundings | None = None) -> str:
    """The name in the register of the trainer that an estimator gets.

    Args:
        estimator: Its dotted path.
        surroundings: What a team file is read against: its plug-ins may be asked, and no others.
            Without, as in a task, whatever was validated before is.
    """
    name = estimator.partition(".")[0]
    if name in _OURS:
        known = name in TRAINER.builtin
    elif surroundings is None:
        known = package_of(TRAINER, name) is not None
    else:
        known = name in {kind.name for kind in kinds(TRAINER, surroundings.plugins)}
    return name if known and find(TRAINER, name).handles(estimator) else _ANY_OTHER


def trainer_class(estimator: str, surroundings: Surroundings | None = None) -> type[Trainer]:
    """The trainer that an estimator gets; see `trainer_name`."""
    found: type[Trainer] = find(TRAINER, trainer_name(estimator, surroundings))
    return found


def check_estimator(
    estimator: str,
    params: Mapping[str, Any],
    context: object,
    *,
    spaces: tuple[str, ...] = (),
) -> Broken:
    """What tells that an estimator's trainer may not be used, or does not take the parameters.

    Args:
        estimator: Its dotted path.
        params: Values by name.
        context: What the file is read against, if it is.
        spaces: See `Trainer.check`.

    Returns:
        Errors with their places below the estimator's section in `at`.
    """
    surroundings = context if isinstance(context, Surroundings) else None
    if surroundings is not None and (package := _forbidden_package(estimator, surroundings)):
        yield PydanticCustomError(
            "plugin",
            "{estimator} is trained by the plug-in `{package}`, which is not allowed here",
            {
                "estimator": estimator,
                "package": package,
                "at": ("estimator",),
                "advice": f"add {package} to `plugins` in _defaults.yaml, or uninstall it",
            },
        )
        return
    trainer = trainer_class(estimator, surroundings)
    yield from trainer.check(estimator, params, context, spaces=spaces)


def step_question(
    step: NestedEstimator, task: str, *, has_spaces: bool = False, is_exhaustive: bool = True
) -> Question:
    """Ask whether a transformer is one, and takes its parameters; findings are told from the step.

    Args:
        step: The step as `Step.nested` has it.
        task: What the model does.
        has_spaces: See `WrittenEstimator`.
        is_exhaustive: See `WrittenEstimator`.
    """
    path, params = step["estimator"], step["params"]
    written = WrittenEstimator(path, params, task, has_spaces, is_exhaustive)
    return Question(
        "factory.trainers.scikit_learn.step_check:answer",
        written.as_json(),
        as_findings,
        imports=(path, *nested_paths(params)),
    )


def sampler_question(sampler: NestedEstimator, task: str, *, has_spaces: bool) -> Question:
    """Ask whether a sampler is one, and takes its parameters; findings are told from the section `resample`."""
    written = WrittenEstimator(sampler["estimator"], sampler["params"], task, has_spaces)
    return _ask("answer_sampler", written)


def target_question(transform: TargetTransform, task: str) -> Question:
    """Ask whether a transformer of the target is one, and takes its parameters."""
    return _ask("answer_target", WrittenEstimator(transform.transformer, transform.params, task))


def _ask(function: str, written: WrittenEstimator) -> Question:
    return Question(
        f"factory.trainers.scikit_learn.fitting_check:{function}",
        written.as_json(),
        as_findings,
        imports=(written.path, *nested_paths(written.params)),
    )


def _forbidden_package(estimator: str, surroundings: Surroundings) -> str | None:
    """A task asks every trainer that is installed: one that is not allowed must not wait for it."""
    name = estimator.partition(".")[0]
    package = None if name in _OURS else package_of(TRAINER, name)
    return package if package not in surroundings.plugins else None


def trainer_of(record: "ModelRecord", *, limit_threads: bool = True) -> Trainer:
    """The trainer that reads a registered model back, and asks it.

    Args:
        record: What the model is.
        limit_threads: Whether each prediction sets how many threads native libraries may take; for
            single rows, the process had better set that once.

    Raises:
        TerminalError: No training run registered it, or its trainer is not installed.
    """
    found = trainer_class_of(record)
    found.check_installed(record.estimator)
    threads = usable_cpus() if limit_threads else None
    return found(record.learning_task.name, threads=threads, targets=record.targets)


def trainer_class_of(record: "ModelRecord") -> type[Trainer]:
    """The class of the trainer that a registered model was made by.

    Raises:
        TerminalError: It came from a plug-in that is not installed here.
    """
    try:
        found: type[Trainer] = find(TRAINER, record.trainer or _before_records(record.estimator))
    except LookupError as error:
        raise TerminalError(f"{record.model} version {record.version}: {error}") from None
    return found


def _before_records(estimator: str) -> str:
    """The trainer of a version that was registered when there were no others than the built-in ones."""
    name = estimator.partition(".")[0]
    return name if name in TRAINER.builtin else _ANY_OTHER


def usable_cpus() -> int:
    """How many processors this process may use, which in a container is fewer than there are."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
