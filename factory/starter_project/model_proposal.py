"""The section of a model that is proposed from rows: task, features, search and metric, and why each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from factory.base.errors import TerminalError
from factory.base.section import as_name
from factory.base.texts import closest, one_of, shown
from factory.data.profile.facts import TIMES
from factory.data.profile.proposal import comment, flow

if TYPE_CHECKING:
    import pyarrow as pa

    from factory.data.profile.facts import ColumnFacts
    from factory.data.profile.inspection import Inspection
    from factory.data.rows import Rows

_CLASSES = 50
"""More different texts are no classes."""
_LEVELS = 10
"""Up to how many different whole numbers are taken for classes."""
_SAMPLE = 20_000
"""Rows by which features are found that tell the target too well."""
_LEFT_OUT = frozenset({"identifier", "constant", "empty", "copy", "nearly_constant"})
"""Suspicions about a column that keep it out of the features."""

_SEARCH = {
    "classification": """\
        - estimator: sklearn.linear_model.LogisticRegression
          params: {C: [0.1, 1.0, 10.0], max_iter: [1000]}
        - estimator: sklearn.ensemble.HistGradientBoostingClassifier
          params: {max_leaf_nodes: [7, 31]}
""",
    "regression": """\
        - estimator: sklearn.linear_model.Ridge
          params: {alpha: [0.1, 1.0, 10.0]}
        - estimator: sklearn.ensemble.HistGradientBoostingRegressor
          params: {max_leaf_nodes: [7, 31]}
""",
}
_METRIC = {
    "classification": ("f1_macro", "each class counts the same, however rare it is"),
    "regression": ("root_mean_squared_error", "in the unit of the target; large errors count more"),
}


class UnusableTargetError(TerminalError):
    """A column that no model can predict."""


@dataclass(frozen=True)
class ModelProposal:
    """A model's section, and what was assumed for it."""

    name: str
    section: str
    """The YAML, with its name above it."""
    assumed: Mapping[str, str]
    """What was assumed, and why, by key of the section."""


def propose_model(found: "Inspection", rows: "Rows", dataset: str, target: str) -> ModelProposal:
    """The section of a model that predicts a column of a dataset.

    Args:
        found: What is in the data.
        rows: All rows, as the dataset publishes them.
        dataset: Its name.
        target: The column.

    Raises:
        UnusableTargetError: There is no such column, or it cannot be predicted; says why.
    """
    facts = {one.name: one for one in _facts(found, rows)}
    if target not in rows.columns:
        near = closest(target, rows.columns)
        meant = f"did you mean {near}?" if near else f"it has {one_of(rows.columns)}"
        raise UnusableTargetError(f"--target {target}: the data have no such column: {meant}")
    task, why = _task(facts[target], found, target)
    left_out = {
        one.column: one.text
        for one in reversed(found.suspicions)
        if one.kind in _LEFT_OUT and one.column != target
    }
    left_out |= {
        name: f"holds {one.kind}" for name, one in facts.items() if one.is_nested and name != target
    }
    features = [name for name in rows.columns if name != target and name not in left_out]
    telling = _telling(rows, features, target, task) if features else {}
    left_out |= dict.fromkeys(
        telling, f"alone tells {target} almost perfectly: known only once the target is?"
    )
    features = [name for name in features if name not in telling]
    if not features:
        raise UnusableTargetError(
            f"--target {target}: nothing is left to learn from: "
            + "; ".join(f"{name} {text}" for name, text in left_out.items())
        )
    metric, metric_why = _METRIC[task]
    name = _model_name(target, dataset)
    names = "\n".join(_wrapped(features))
    reasons = "".join(
        f"    # Not a feature: {comment(f'{one}: {why}')}\n" for one, why in left_out.items()
    )
    section = (
        f"  {flow(name)}:\n"
        f"    task: {task}  # {comment(why)}\n"
        f"    train_on: {flow(dataset)}\n"
        f"    target: {flow(target)}\n"
        f"{reasons}"
        f"    features:\n{names}\n"
        "    search:\n"
        "      strategy: grid\n"
        "      candidates:\n"
        f"{_SEARCH[task]}"
        f"    objective: {{metric: {metric}}}  # {metric_why}\n"
    )
    assumed = {
        "task": f"{task}: {why}",
        "metric": f"{metric}: {metric_why}",
        "features": f"{len(features)} of {len(rows.columns) - 1} columns",
        **{f"not {shown(one)}": text for one, text in left_out.items()},
        **{
            f"words of {shown(one.column)}": f"{one.text}: how often each comes is learned from"
            for one in found.suspicions
            if one.kind == "free_text" and one.column in features
        },
        "split": _split(rows.columns, features),
        **_without_target(facts[target], target),
    }
    return ModelProposal(name, section, assumed)


def _without_target(facts: "ColumnFacts", target: str) -> dict[str, str]:
    if not facts.nulls:
        return {}
    return {"rows": f"{facts.nulls:,} of {facts.rows:,} have no {target}, and are left out"}


def _facts(found: "Inspection", rows: "Rows") -> "Sequence[ColumnFacts]":
    """The facts of columns, under the names and in the order that the dataset has."""
    from dataclasses import replace

    names = list(rows.columns)
    known = [column.facts for column in found.columns]
    return [
        replace(one, name=name) for name, one in zip(names, known, strict=False) if one is not None
    ]


def _task(facts: "ColumnFacts", found: "Inspection", target: str) -> tuple[str, str]:
    if facts.distinct < 2:
        raise UnusableTargetError(
            f"--target {target}: it has {facts.distinct} value: there is nothing to predict"
        )
    suspicious = {one.kind: one.text for one in found.suspicions if one.column == target}
    if text := suspicious.get("identifier") or suspicious.get("free_text"):
        raise UnusableTargetError(f"--target {target}: {text}: nothing tells it of new rows")
    if facts.is_time or facts.is_nested:
        raise UnusableTargetError(
            f"--target {target}: it holds {facts.kind}: a number or a class can be predicted"
        )
    if facts.is_number and not (
        facts.minimum % 1 == 0 and facts.distinct <= _LEVELS and _is_whole(facts)
    ):
        return "regression", f"{target} has {facts.distinct:,} different numbers"
    if not facts.is_number and facts.distinct > _CLASSES:
        raise UnusableTargetError(
            f"--target {target}: {facts.distinct:,} different texts are too many classes: bring them "
            "into fewer by a transform"
        )
    if facts.is_number and facts.distinct > 2:
        return (
            "classification",
            f"{target} has only {facts.distinct} whole numbers; write regression if they are amounts",
        )
    return "classification", f"{target} has {facts.distinct} different values"


def _is_whole(facts: "ColumnFacts") -> bool:
    return all(float(value) % 1 == 0 for value, _ in facts.top)


def _telling(rows: "Rows", features: Sequence[str], target: str, task: str) -> Mapping[str, float]:
    """The features that alone tell the target too well, by the guard that would keep the model out of production."""
    from factory.data.columns import learnable
    from factory.lake import engine
    from factory.training.guard.features import Columns, Leakage
    from factory.training.tasks import TASKS

    with engine.connect(rows.file.parent) as connection:
        engine.create_view(connection, "made", [rows.file])
        some = connection.sql(
            f"from made where {engine.quote(target)} is not null "
            f"using sample reservoir({_SAMPLE} rows) repeatable (7)"
        )
        known: pa.Table = some.to_arrow_table()
    values = TASKS[task].prepare_target(target, known.column(target))
    looked = learnable(known, list(features)).append_column(target, values)
    columns = Columns(looked, (target,), task == "classification", takes_texts_as_categories=True)
    return Leakage.unwritten().telling(columns, target)


def _model_name(target: str, dataset: str) -> str:
    name = as_name(target) or "model"
    return f"{name}_model" if name == dataset else name


def _wrapped(names: Sequence[str], width: int = 90) -> list[str]:
    """Names as a flow sequence in lines."""
    lines, line = [], "      ["
    for number, name in enumerate(names, 1):
        item = flow(name) + ("]" if number == len(names) else ", ")
        if len(line) + len(item) > width:
            lines.append(line.rstrip())
            line = "       "
        line += item
    return [*lines, line]


def _split(columns: Mapping[str, str], features: Sequence[str]) -> str:
    times = [name for name in features if columns[name] in TIMES]
    if not times:
        return "by chance: 60 % to train on, 20 % to choose by, 20 % for the test"
    return (
        "by chance; if later rows are to be predicted from earlier ones, write "
        f"`split: {{method: time, column: {times[0]}}}`"
    )
