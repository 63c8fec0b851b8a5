"""The names that the steps of `preprocessing` have in trials, in scikit-learn's pipelines and in MLflow."""

import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from factory.base.findings import KeyPath
from factory.base.nested_estimators import NestedEstimator, flat_params, nested_paths
from factory.trainers.column_steps import ByRegex, ColumnSteps, Entries, Step

PREFIX = "preprocessing__"
"""What the names of the steps' parameters begin with, where they stand beside an estimator's."""

_TAKEN = (
    "default",
    "force_int_remainder_cols",
    "n_jobs",
    "remainder",
    "sparse_threshold",
    "transformer_weights",
    "transformers",
    "verbose",
    "verbose_feature_names_out",
)
"""Names that no entry can have: those of a ColumnTransformer's own parameters, and ours for what no entry takes."""
_LONGEST_NAME = 40


def entry_names(entries: Entries) -> list[str]:
    """A name for each entry, by which scikit-learn and MLflow show it: `numbers`, `income_age`; unique."""
    seen = {*_TAKEN}
    return [_unique(_name(entry), seen) for entry in entries]


def _name(entry: ColumnSteps) -> str:
    if isinstance(entry.columns, ByRegex):
        text = entry.columns.regex
    elif isinstance(entry.columns, str):
        text = entry.columns
    else:
        text = "_".join(entry.columns or ("all",))
    return re.sub(r"[\W_]+", "_", text).strip("_")[:_LONGEST_NAME].rstrip("_") or "columns"


def _unique(name: str, seen: set[str]) -> str:
    """The name, with a number where it is among those that were seen, to which it is added."""
    found, number = name, 2
    while found in seen:
        found, number = f"{name}_{number}", number + 1
    seen.add(found)
    return found


def unique_names(names: Iterable[str], seen: Collection[str] = ()) -> list[str]:
    """The names in their order, with numbers at those that were there before."""
    known = set(seen)
    return [_unique(name, known) for name in names]


def transformer_names(entry: ColumnSteps) -> list[str]:
    """A name for each transformer of an entry, as scikit-learn's `make_pipeline` has it: `simpleimputer`."""
    return unique_names(step.transformer.rpartition(".")[2].lower() for step in entry.transformers)


def named_steps(entries: Entries) -> dict[str, tuple[KeyPath, Step]]:
    """Each transformer by a name such as `numbers__simpleimputer`, with its place below the list.

    That of an entry without columns is its own: `pca`.
    """
    found: dict[str, tuple[KeyPath, Step]] = {}
    seen: set[str] = set()
    for index, (entry, name) in enumerate(zip(entries, entry_names(entries), strict=True)):
        for number, (step, own) in enumerate(
            zip(entry.transformers, transformer_names(entry), strict=True)
        ):
            whole = _unique(own if entry.columns is None else f"{name}__{own}", seen)
            found[whole] = ((index, "steps", number), step)
    return found


def with_values(entries: Entries, values: Mapping[str, NestedEstimator]) -> Entries:
    """The entries with the parameters of a trial in place of what is to be tried.

    Args:
        entries: The list.
        values: The steps of the trial by their names; those that are not there stay as they are written.
    """
    names = iter(named_steps(entries))
    return tuple(
        entry
        if isinstance(entry.steps, str)
        else entry.model_copy(
            update={"steps": tuple(_filled(step, values.get(next(names))) for step in entry.steps)}
        )
        for entry in entries
    )


def _filled(step: Step, drawn: NestedEstimator | None) -> Step:
    return step if drawn is None else step.model_copy(update={"params": drawn["params"]})


def step_params(steps: Mapping[str, NestedEstimator]) -> dict[str, Any]:
    """Steps, by the names of `named_steps`, as parameters with names such as `preprocessing__pca__n_components`.

    Which transformer it is stands under `transformer` after the step's name.
    """
    found: dict[str, Any] = {}
    for name, step in steps.items():
        found[f"{PREFIX}{name}__transformer"] = step["estimator"]
        found |= flat_params(step["params"], f"{PREFIX}{name}__")
    return found


def paths_of(entries: Entries) -> tuple[str, ...]:
    """The dotted paths of all transformers, and of estimators within their parameters, sorted."""
    steps = [step for entry in entries for step in entry.transformers]
    nested = {path for step in steps for path in nested_paths(step.params)}
    return tuple(sorted({step.transformer for step in steps} | nested))
