"""Whether an estimator learns as many targets as a model has: it is fitted to a few made-up rows.

What estimators say of themselves in scikit-learn's tags does not tell: some learn several and do not say so, and of those
around others it depends on what is within.
"""

import warnings
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from factory.base.errors import TerminalError
from factory.base.findings import Finding
from factory.base.nested_estimators import is_named, is_nested, params_of
from factory.base.objects import NoSuchObjectError, import_object, known_params
from factory.trainers.trainer import WrittenEstimator
from factory.training.tasks import TASKS

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SHORT = {"n_estimators": 2, "max_iter": 20}
"""Parameters that are set where they are numbers, so that a fit takes milliseconds."""
_ITERATIONS = "iterations"
"""CatBoost's, which has other names for it too, and takes one of them."""
_OF_SEVERAL = ("ClassifierChain", "MultiOutput", "MultiTask", "RegressorChain")
"""What the names of scikit-learn's estimators begin with that learn nothing but several targets."""


def find_target_count(written: WrittenEstimator, factory: type) -> Iterator[Finding]:
    """That an estimator learns one target where there are several, or several where there is one."""
    task, name = TASKS[written.task], factory.__name__
    if not task.learns_target:
        return
    if task.has_several:
        if not _learns(written, is_several=True) and _learns(written, is_several=False):
            message = f"{name} learns one target, and this is {task.title}"
            advice = f"write `estimator: {task.wrapper}` with `params: {{estimator: {{estimator: {written.path}}}}}`"
            yield Finding("estimator", ("estimator",), message, advice)
        return
    is_of_several = written.path.startswith("sklearn.") and name.startswith(_OF_SEVERAL)
    if is_of_several and not _learns(written, is_several=False):
        message = f"{name} learns several targets, and `target` names one column"
        is_classifier = "classifier" in task.estimator_kinds
        other = "`task: multilabel` and a list of labels" if is_classifier else "a list"
        advice = f"name one such as {task.example_estimator}, or write {other} as `target`"
        yield Finding("estimator", ("estimator",), message, advice)


def _learns(written: WrittenEstimator, *, is_several: bool) -> bool:
    """Whether it learns made-up rows, by its own defaults and the words among its parameters."""
    # Late, because what reads a team file knows the tasks, and no library.
    from factory.trainers.scikit_learn.nested import build

    has_classes = "classifier" in TASKS[written.task].estimator_kinds
    rows, target = made_up_rows(60, 4, is_several=is_several, has_classes=has_classes)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            params = _in_short(written.path, written.params)
            build(written.path, params, 0, 1).fit(rows, target)
        except (TerminalError, NoSuchObjectError):
            return is_several  # something else is wrong, which is told elsewhere
        except Exception:  # noqa: BLE001 - each library has errors of its own for that
            return False
    return True


def _in_short(path: str, params: Mapping[str, Any]) -> dict[str, Any]:
    """The words and the estimators among parameters; of what is to be tried, the first."""
    known = known_params(import_object(path)) or {}
    found: dict[str, Any] = {
        name: few
        for name, few in _SHORT.items()
        if name in known and isinstance(known[name].default, int)
    }
    if _ITERATIONS in known:
        found = {_ITERATIONS: 2}
    for name, value in params.items():
        one = value[0] if isinstance(value, list) and value else value
        if is_nested(one):
            nested = one["estimator"]
            found[name] = {"estimator": nested, "params": _in_short(nested, params_of(one))}
        elif is_named(one):
            firsts = {key: each[0] if isinstance(each, list) else each for key, each in one.items()}
            found[name] = {
                key: {
                    "estimator": each["estimator"],
                    "params": _in_short(each["estimator"], params_of(each)),
                }
                for key, each in firsts.items()
                if is_nested(each)
            }
        elif isinstance(one, (str, bool)):
            found[name] = one
    return found


def made_up_rows(
    rows: int, features: int, *, is_several: bool, has_classes: bool
) -> "tuple[NDArray[Any], NDArray[Any]]":
    """Features, and targets that follow from the first of them; numbers are positive, and classes 0 and 1.

    Args:
        rows: How many.
        features: How many columns; two or more.
        is_several: Whether there are two targets, rows x targets.
        has_classes: Whether targets are classes.
    """
    import numpy as np

    values = np.random.default_rng(0).uniform(0.1, 2, (rows, features))
    target = (values[:, :2] > 1).astype(int) if has_classes else values[:, :2] + 0.1
    return values, target if is_several else target[:, 0]
