"""Every classifier, regressor, outlier detector and clusterer of scikit-learn: trained, stored as a registry stores it,
read back, asked; classifiers and regressors of several targets too.

`pytest tests/trainers/test_all_estimators.py --rewrite-golden` writes the table in docs/estimators.md.
"""

import inspect
import re
from collections import defaultdict
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pytest
from sklearn.base import ClusterMixin, DensityMixin, OutlierMixin
from sklearn.utils import all_estimators

from factory.base.errors import TerminalError
from factory.models.predictor import load_predictor
from factory.trainers.trainer import WrittenEstimator
from factory.training.model import Model
from factory.training.several_targets.estimators import find_target_count
from factory.training.split import read_part
from tests.training.models import (
    anomaly,
    cells,
    clustering,
    diabetes,
    model,
    one_trial,
    penguins,
    regression,
    wines,
)
from tests.training.several_targets.fish import fish, labels, mails, sizes, table
from tests.training.training import Training

PAGE = Path(__file__).parents[2] / "docs" / "estimators.md"
BEGIN, END = "<!-- scikit-learn's estimators -->\n", "<!-- end -->\n"

INNER = {
    "classification": {"estimator": "sklearn.linear_model.LogisticRegression"},
    "regression": {"estimator": "sklearn.linear_model.Ridge"},
}
PARAMS: dict[str, dict[str, Any]] = {
    "BayesianGaussianMixture": {"n_components": 3, "reg_covar": 0.1},
    "CCA": {"n_components": 1},
    "GaussianMixture": {"n_components": 3, "reg_covar": 0.1},
    "LocalOutlierFactor": {"novelty": True},
    "MeanShift": {"bandwidth": 3.0},
    "PLSCanonical": {"n_components": 1},
    "QuadraticDiscriminantAnalysis": {"reg_param": 0.1},
    "RadiusNeighborsClassifier": {"radius": 10.0},
    "RadiusNeighborsRegressor": {"radius": 10.0},
    "SelfTrainingClassifier": {"estimator": INNER["classification"]},
}
"""What those need that cannot be trained by their own defaults on these rows, or find one cluster."""
TWO_CLASSES = ("FixedThresholdClassifier", "TunedThresholdClassifierCV")
NO_NEGATIVE, SEVERAL = (
    "negative numbers are refused, which the default preprocessing makes: see `preprocessing`",
    "made for several targets",
)
NO_PREDICT = "no `predict`: they divide the rows that they learn from, and say nothing of new ones"
WHY_NOT = {
    "CategoricalNB": ("Negative values", NO_NEGATIVE),
    "ComplementNB": ("Negative values", NO_NEGATIVE),
    "MultinomialNB": ("Negative values", NO_NEGATIVE),
    "IsotonicRegression": ("1 feature", "made for one feature: name it in `features`"),
    "ClassifierChain": ("tuple index", SEVERAL),
    "RegressorChain": ("tuple index", SEVERAL),
    "MultiOutputClassifier": ("at least two dimensions", SEVERAL),
    "MultiOutputRegressor": ("at least two dimensions", SEVERAL),
    "MultiTaskElasticNet": ("mono-task", SEVERAL),
    "MultiTaskElasticNetCV": ("mono-task", SEVERAL),
    "MultiTaskLasso": ("mono-task", SEVERAL),
    "MultiTaskLassoCV": ("mono-task", SEVERAL),
    **dict.fromkeys(
        (
            *("AgglomerativeClustering", "DBSCAN", "FeatureAgglomeration", "HDBSCAN"),
            *("OPTICS", "SpectralClustering"),
        ),
        ("has no `predict`", NO_PREDICT),
    ),
}
"""What the library says of those that cannot be trained for one target, and what it comes to."""
OF_SEVERAL = {
    "multioutput_regression": (
        *("BaggingRegressor", "CCA", "DecisionTreeRegressor", "DummyRegressor", "ElasticNet"),
        *("ExtraTreeRegressor", "ExtraTreesRegressor", "GaussianProcessRegressor"),
        *("KNeighborsRegressor", "KernelRidge", "Lars", "Lasso", "LassoLars", "LinearRegression"),
        *("MLPRegressor", "MultiOutputRegressor", "MultiTaskElasticNet", "MultiTaskElasticNetCV"),
        *("MultiTaskLasso", "MultiTaskLassoCV", "OrthogonalMatchingPursuit", "PLSCanonical"),
        *("PLSRegression", "RANSACRegressor", "RadiusNeighborsRegressor", "RandomForestRegressor"),
        *("RegressorChain", "Ridge", "RidgeCV", "TransformedTargetRegressor"),
    ),
    "multilabel": (
        *("ClassifierChain", "DecisionTreeClassifier", "DummyClassifier", "ExtraTreeClassifier"),
        *("ExtraTreesClassifier", "KNeighborsClassifier", "MLPClassifier"),
        *("MultiOutputClassifier", "OneVsRestClassifier", "RadiusNeighborsClassifier"),
        *("RandomForestClassifier", "RidgeClassifier", "RidgeClassifierCV"),
    ),
}
"""Those that learn several targets together."""
LEARNED_TOGETHER = {"regression": "multioutput_regression", "classification": "multilabel"}


def listed() -> Iterator[tuple[str, str, type]]:
    for task, kinds in (("classification", "classifier"), ("regression", "regressor")):
        for name, kind in all_estimators(type_filter=kinds):
            yield task, name, kind
    for task, mixins in (("anomaly", OutlierMixin), ("clustering", (ClusterMixin, DensityMixin))):
        for name, kind in all_estimators():
            if issubclass(kind, mixins):
                yield task, name, kind


LISTED = [
    pytest.param(task, f"{'.'.join(kind.__module__.split('.')[:2])}.{name}", id=name)
    for task, name, kind in listed()
]
NAMES = [path for _, path in (one.values for one in LISTED)]
TOGETHER = [one for one in LISTED if one.values[0] in LEARNED_TOGETHER]


def params_of(task: str, path: str) -> dict[str, Any]:
    """What must be given: other estimators, where it is made of some."""
    name = path.rpartition(".")[2]
    module = __import__(path.rpartition(".")[0], fromlist=[name])
    needed = (
        key
        for key, one in inspect.signature(getattr(module, name)).parameters.items()
        if one.default is inspect.Parameter.empty and one.kind is one.POSITIONAL_OR_KEYWORD
    )
    inner = INNER.get(task)
    made = {key: {"one": inner} if key == "estimators" else inner for key in needed}
    return made | PARAMS.get(name, {})


def rows_of(task: str, path: str):
    if task != "classification":
        return {"regression": diabetes, "anomaly": cells, "clustering": wines}[task]()
    rows = penguins()
    if path.endswith(TWO_CLASSES):
        return rows.filter([one != "Gentoo" for one in rows["species"].to_pylist()])
    return rows


def section_of(task: str, path: str) -> Model:
    make = {"regression": regression, "anomaly": anomaly, "clustering": clustering}
    return make.get(task, model)(search=one_trial(path, **params_of(task, path)))


@pytest.mark.parametrize(("task", "path"), LISTED)
def test_it_is_trained_stored_and_asked_or_is_known_not_to_be(task: str, path: str) -> None:
    section, frame = section_of(task, path), rows_of(task, path).to_pandas().dropna()
    features = frame.drop(columns=[*section.target_columns])
    target = None if section.target is None else frame[section.target].to_numpy()
    trainer = section.trainer(path)

    def trained() -> Any:
        return trainer.fit(path, params_of(task, path), features, target, 0).model

    if (known := WHY_NOT.get(path.rpartition(".")[2])) is not None:
        with pytest.raises(TerminalError, match=known[0]):
            trained()
        return
    fitted = trained()
    trainer.check_stored(fitted, section.packages)  # read back, it says the same
    values = trainer.predict(fitted, features).values
    assert len(values) == len(features)
    if task == "classification":
        assert set(values) <= set(target)
    elif task == "anomaly":
        assert set(values.tolist()) == {False, True}
    elif task == "clustering":
        assert values.dtype == np.int64
        assert len(set(values)) > 1


@pytest.mark.parametrize(("task", "path"), TOGETHER)
def test_it_learns_several_targets_or_is_refused_before_a_trial(task: str, path: str) -> None:
    several, params = LEARNED_TOGETHER[task], params_of(task, path)
    module, _, name = path.rpartition(".")
    written = WrittenEstimator(path, params, several)
    found = list(find_target_count(written, getattr(import_module(module), name)))
    if name not in OF_SEVERAL[several]:
        # It needs one feature, and says so of one target too.
        assert found or name == "IsotonicRegression"
        return
    assert not found
    make, rows = (sizes, fish()) if task == "regression" else (labels, mails())
    section = make(search=one_trial(path, **params))
    features = rows[[*section.features]]
    target = np.column_stack(
        [
            section.learning_task.prepare_target(one, table(rows).column(one)).to_numpy()
            for one in section.target_columns
        ]
    )
    trainer = section.trainer(path)
    fitted = trainer.fit(path, params, features, target, 0).model
    trainer.check_stored(fitted, section.packages)
    values = trainer.predict(fitted, features).values
    assert values.shape == target.shape
    assert task == "regression" or set(np.unique(values)) <= {0, 1}


@pytest.mark.nightly
@pytest.mark.parametrize(("task", "path"), [one for one in LISTED if one.id not in WHY_NOT])
def test_it_is_registered_and_plain_mlflow_says_the_same(
    task: str, path: str, tmp_path: Path, mlflow_server: str
) -> None:
    training = Training(rows_of(task, path), section_of(task, path), tmp_path, mlflow_server)
    record = training.all().record
    features, _ = read_part(training.workspace, "test")
    ours = load_predictor(record, tracking=training.tracking).predict(features).values
    plain = np.asarray(mlflow.pyfunc.load_model(record.uri).predict(features)).ravel()
    np.testing.assert_array_equal(ours, plain)


def page_table() -> str:
    """The table of the docs."""
    found: dict[str, list[str]] = defaultdict(list)
    refused: dict[str, list[str]] = defaultdict(list)
    for path in NAMES:
        module, _, name = path.rpartition(".")
        if name in WHY_NOT and WHY_NOT[name][1] != SEVERAL:
            refused[WHY_NOT[name][1]].append(f"`{name}`")
        else:
            found[module].append(name)
    yes = [f"| `{module}` | {', '.join(names)} |" for module, names in sorted(found.items())]
    no = [f"| {', '.join(names)} | {why} |" for why, names in refused.items()]
    return "\n".join(
        [
            "| module | estimators |",
            "|---|---|",
            *yes,
            "",
            "| not trained | why |",
            "|---|---|",
            *no,
            "",
            "| learn several targets together | estimators |",
            "|---|---|",
            *(
                f"| {words} | {', '.join(OF_SEVERAL[task])} |"
                for task, words in (
                    ("multioutput_regression", "numbers: a list of targets of a regression"),
                    ("multilabel", "labels: `task: multilabel`"),
                )
            ),
            "",
        ]
    )


def test_docs_have_the_table_of_them(request: pytest.FixtureRequest) -> None:
    text = PAGE.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    written, after = rest.split(END)
    if request.config.option.rewrite_golden:
        PAGE.write_text(f"{before}{BEGIN}\n{page_table()}\n{END}{after}", encoding="utf-8")
    assert written.strip() == page_table().strip()


def test_no_reason_is_left_of_an_estimator_that_is_not_there() -> None:
    names = {path.rpartition(".")[2] for path in NAMES}
    assert WHY_NOT.keys() | PARAMS.keys() | set(TWO_CLASSES) <= names
    assert {name for several in OF_SEVERAL.values() for name in several} <= names
    assert all(re.compile(said) for said, _ in WHY_NOT.values())
