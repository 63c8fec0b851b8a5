"""What `promotion` may ask of groups of test rows, beside the rest of the model."""

from pydantic_core import PydanticCustomError

from factory.base.rules import Broken
from factory.base.texts import one_of
from factory.training.model_section import ModelSection


def check_groups(model: ModelSection) -> Broken:
    """The columns of groups that are no features, as far as that is known without the datasets.

    Test rows have the features, and nothing else.
    """
    for key, columns in model.promotion.grouped_by.items():
        if model.image_column is not None:
            yield PydanticCustomError(
                "together",
                "groups of rows are made by columns, and this model learns from images alone",
                {"advice": "take it away", "at": ("promotion", key), "on_key": True},
            )
            continue
        for index, column in enumerate(columns):
            if (advice := _feature_instead_of(column, model)) is not None:
                yield PydanticCustomError(
                    "features",
                    "{column} is no feature, and test rows have nothing else to make groups by",
                    {
                        "column": repr(column),
                        "advice": advice,
                        "at": ("promotion", key, "columns", index),
                    },
                )


def _feature_instead_of(column: str, model: ModelSection) -> str | None:
    """What to write where a column is named that is no feature; None where it is one, or may be."""
    if column in model.target_columns:
        return "name a feature"
    named = model.named_features
    if named is None:
        return "add it to `features`" if column in model.columns_beside_features else None
    if column in named:
        return None
    return f"name one of {one_of(named)}, or add it to `features`"


def check_fairness(model: ModelSection) -> Broken:
    """Whether one of two classes counts, which measures of fairness look at."""
    if model.promotion.fairness is None or model.counted_class is not None:
        return
    has_classes = model.has_class_target and model.learning_task.learns_target
    yield PydanticCustomError(
        "together",
        "`fairness` needs `positive`: which of two classes counts",
        {
            "advice": 'add it to the model, such as `positive: "yes"`'
            if has_classes
            else f"take it away: {model.learning_task.title} has no classes"
            + ("" if model.target else " without `target`"),
            "at": ("promotion", "fairness"),
            "on_key": True,
        },
    )
