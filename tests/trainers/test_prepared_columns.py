"""`preprocessing` as a list gives what the same Pipeline, written by hand, gives."""

import logging
import re
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import skops.io
import yaml
from scipy import sparse
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.feature_extraction.text import HashingVectorizer, TfidfVectorizer
from sklearn.feature_selection import SelectFromModel, SelectKBest
from sklearn.impute import MissingIndicator, SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import (
    KBinsDiscretizer,
    OrdinalEncoder,
    PowerTransformer,
    SplineTransformer,
    StandardScaler,
    TargetEncoder,
)
from sklearn.svm import LinearSVC

from factory.base.errors import TerminalError
from factory.data.columns import learnable
from factory.trainers.scikit_learn.adapters import Dense, TextColumn
from factory.trainers.scikit_learn.preprocessing import default_preprocessing
from factory.trainers.scikit_learn.skops_types import trusted_types
from tests.training.models import model, one_trial

LOGISTIC = "sklearn.linear_model.LogisticRegression"
BOOSTING = "sklearn.ensemble.HistGradientBoostingClassifier"
TFIDF = "sklearn.feature_extraction.text.TfidfVectorizer"
HASHING = "sklearn.feature_extraction.text.HashingVectorizer"
IMPUTER = "sklearn.impute.SimpleImputer"
SCALER = "sklearn.preprocessing.StandardScaler"
ROWS = 200
SCHEMA = pa.schema(
    {
        "income": pa.float64(),
        "age": pa.float64(),
        "city": pa.string(),
        "note": pa.string(),
        "remark": pa.string(),
        "member": pa.bool_(),
        "born": pa.timestamp("us"),
    }
)
NUMBERS = ["income", "age"]


def rows() -> pd.DataFrame:
    """Numbers with gaps, texts, sentences, truth values and days, as models are given them."""
    chance = np.random.default_rng(0)
    table = pd.DataFrame(
        {
            "income": chance.lognormal(size=ROWS),
            "age": chance.integers(18, 80, ROWS).astype(float),
            "city": chance.choice(["Bonn", "Kiel", "Ulm", "Trier"], ROWS),
            "note": [f"came late {each % 7} wet{each % 5} box" for each in range(ROWS)],
            "remark": [None if each % 9 == 0 else f"red{each % 3}" for each in range(ROWS)],
            "member": [None if each % 11 == 0 else each % 2 == 0 for each in range(ROWS)],
            "born": pd.date_range("2020-01-01", periods=ROWS),
        }
    )
    table.loc[::13, "age"] = np.nan
    return as_given(table)


def as_given(table: pd.DataFrame) -> pd.DataFrame:
    whole = pa.Table.from_pandas(table, preserve_index=False, schema=SCHEMA)
    return learnable(whole, whole.column_names).to_pandas()


ALL = rows()
TARGET = np.where(ALL["income"] + (ALL["city"] == "Kiel") > 1.3, "yes", "no")


def fitted(preprocessing, estimator=LOGISTIC, features=ALL, **params):
    """The pipeline that the factory fits."""
    config = model(preprocessing=preprocessing, search=one_trial(estimator, **params))
    [trial] = config.expand()
    trainer = config.trainer(trial.estimator, steps=trial.preprocessing)
    return trainer.fit(trial.estimator, trial.params, features, TARGET, seed=0).model


def by_hand(preprocessing, estimator=None):
    estimator = estimator or LogisticRegression(random_state=0)
    return Pipeline([("columns", preprocessing), ("estimator", estimator)]).fit(ALL, TARGET)


def texts(column):
    return ALL[column].fillna("")


RECIPES = {
    "tfidf": (
        [
            {"columns": ["note"], "steps": [{"transformer": TFIDF, "params": {"min_df": 2}}]},
            {"columns": "rest", "steps": "drop"},
        ],
        ColumnTransformer([("note", TfidfVectorizer(min_df=2), "note")]),
    ),
    "word_pairs": (
        [
            {
                "columns": ["note"],
                "steps": [{"transformer": TFIDF, "params": {"ngram_range": [1, 2]}}],
            },
            {"columns": "rest", "steps": "drop"},
        ],
        ColumnTransformer([("note", TfidfVectorizer(ngram_range=(1, 2)), "note")]),
    ),
    "ordinal": (
        [
            {
                "columns": ["city"],
                "steps": [
                    {
                        "transformer": "sklearn.preprocessing.OrdinalEncoder",
                        "params": {"handle_unknown": "use_encoded_value", "unknown_value": -1},
                    }
                ],
            },
            {"columns": "rest", "steps": "drop"},
        ],
        ColumnTransformer(
            [
                (
                    "city",
                    OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1),
                    ["city"],
                )
            ]
        ),
    ),
    "target_encoding": (
        [
            {"columns": ["city"], "steps": ["sklearn.preprocessing.TargetEncoder"]},
            {"columns": "rest", "steps": "drop"},
        ],
        ColumnTransformer([("city", TargetEncoder(random_state=0), ["city"])]),
    ),
    "power": (
        [
            {"columns": ["income"], "steps": ["sklearn.preprocessing.PowerTransformer"]},
            {
                "columns": "numbers",
                "steps": [{"transformer": IMPUTER, "params": {"strategy": "median"}}, SCALER],
            },
            {"columns": "rest", "steps": "drop"},
        ],
        ColumnTransformer(
            [
                ("income", PowerTransformer(), ["income"]),
                (
                    "others",
                    make_pipeline(SimpleImputer(strategy="median"), StandardScaler()),
                    ["age", "member"],
                ),
            ]
        ),
    ),
    "bins": (
        [
            {
                "columns": ["income"],
                "steps": [
                    {
                        "transformer": "sklearn.preprocessing.KBinsDiscretizer",
                        "params": {"n_bins": 4, "quantile_method": "averaged_inverted_cdf"},
                    }
                ],
            },
            {"columns": "rest", "steps": "drop"},
        ],
        ColumnTransformer(
            [
                (
                    "income",
                    KBinsDiscretizer(
                        n_bins=4, quantile_method="averaged_inverted_cdf", random_state=0
                    ),
                    ["income"],
                )
            ]
        ),
    ),
    "selection": (
        [
            {"columns": NUMBERS, "steps": [IMPUTER, SCALER]},
            {"columns": ["note"], "steps": [TFIDF]},
            {"columns": "rest", "steps": "drop"},
            {
                "steps": [
                    {"transformer": "sklearn.feature_selection.SelectKBest", "params": {"k": 3}}
                ]
            },
        ],
        make_pipeline(
            ColumnTransformer(
                [
                    ("numbers", make_pipeline(SimpleImputer(), StandardScaler()), NUMBERS),
                    ("note", TfidfVectorizer(), "note"),
                ]
            ),
            SelectKBest(k=3),
        ),
    ),
    "selection_by_another_estimator": (
        [
            {"columns": NUMBERS, "steps": [IMPUTER, SCALER]},
            {"columns": "rest", "steps": "drop"},
            {
                "steps": [
                    {
                        "transformer": "sklearn.feature_selection.SelectFromModel",
                        "params": {
                            "estimator": {
                                "estimator": "sklearn.svm.LinearSVC",
                                "params": {"C": 0.1},
                            }
                        },
                    }
                ]
            },
        ],
        make_pipeline(
            ColumnTransformer(
                [("numbers", make_pipeline(SimpleImputer(), StandardScaler()), NUMBERS)]
            ),
            SelectFromModel(LinearSVC(C=0.1, random_state=0)),
        ),
    ),
    "components": (
        [
            {"columns": NUMBERS, "steps": [IMPUTER, SCALER]},
            {"columns": "rest", "steps": "drop"},
            {
                "steps": [
                    {"transformer": "sklearn.decomposition.PCA", "params": {"n_components": 1}}
                ]
            },
        ],
        make_pipeline(
            ColumnTransformer(
                [("numbers", make_pipeline(SimpleImputer(), StandardScaler()), NUMBERS)]
            ),
            PCA(n_components=1, random_state=0),
        ),
    ),
    "splines": (
        [
            {
                "columns": ["income"],
                "steps": [{"transformer": "sklearn.preprocessing.SplineTransformer", "params": {}}],
            },
            {"columns": "rest", "steps": "drop"},
        ],
        ColumnTransformer([("income", SplineTransformer(), ["income"])]),
    ),
    "missing": (
        [
            {"columns": ["age"], "steps": ["sklearn.impute.MissingIndicator"]},
            {"columns": ["income"], "steps": "passthrough"},
            {"columns": "rest", "steps": "drop"},
        ],
        ColumnTransformer(
            [("age", MissingIndicator(), ["age"]), ("income", "passthrough", ["income"])]
        ),
    ),
}


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_list_predicts_what_the_pipeline_by_hand_predicts(recipe):
    preprocessing, same = RECIPES[recipe]
    found, expected = fitted(preprocessing), by_hand(same)
    assert np.allclose(found.predict_proba(ALL), expected.predict_proba(ALL), atol=1e-12)


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_model_that_is_stored_and_read_back_predicts_the_same(recipe, tmp_path):
    found = fitted(RECIPES[recipe][0])
    skops.io.dump(found, tmp_path / "model.skops")
    trusted = trusted_types(found, ("sklearn",))
    again = skops.io.load(tmp_path / "model.skops", trusted=trusted)
    assert np.array_equal(again.predict_proba(ALL), found.predict_proba(ALL))


def test_a_vocabulary_is_not_stored_as_a_file_for_each_word(tmp_path):
    """With NumPy's integers it is, and 20,000 words take a minute."""

    def files(words: int) -> int:
        steps = [{"transformer": TFIDF, "params": {"max_features": words}}]
        found = fitted([{"columns": ["note"], "steps": steps}])
        skops.io.dump(found, tmp_path / "model.skops")
        with zipfile.ZipFile(tmp_path / "model.skops") as archive:
            return len(archive.namelist())

    assert files(2) == files(12)


PAGE = (Path(__file__).parents[2] / "docs/preprocessing.md").read_text()
OF_PAGE = [
    yaml.safe_load(block)["preprocessing"]
    for block in re.findall(r"^```yaml\n(preprocessing:\n.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
]


def test_the_page_about_preprocessing_has_recipes():
    assert len(OF_PAGE) >= 14


@pytest.mark.parametrize("preprocessing", OF_PAGE)
def test_what_the_page_about_preprocessing_shows_can_be_trained_and_stored(preprocessing):
    # Without gaps in numbers, since some of it passes them through to estimators that take none.
    table = ALL.drop(columns=["remark"]).fillna({"age": 40, "member": 0})
    table["height"] = table["income"] ** 2
    candidates = [{"estimator": LOGISTIC}, {"estimator": BOOSTING, "params": {"max_iter": 3}}]
    search = {"strategy": "random", "trials": 2, "candidates": candidates}
    config = model(preprocessing=preprocessing, search=search)
    for trial in config.expand():
        trainer = config.trainer(trial.estimator, steps=trial.preprocessing)
        found = trainer.fit(trial.estimator, trial.params, table, TARGET, seed=0).model
        trainer.check_stored(found, config.packages)
        assert len(trainer.predict(found, table).values) == ROWS


def test_one_row_gets_the_answer_that_it_gets_among_others():
    entries = [
        {"columns": "booleans", "steps": [IMPUTER]},
        {"columns": "texts", "steps": ["sklearn.preprocessing.TargetEncoder"]},
        {"columns": "times", "steps": "drop"},
    ]
    found = fitted(entries)
    # Row 0 has neither an age, nor a remark, nor a membership: alone, these columns hold no value.
    alone = [found.predict_proba(as_given(ALL.iloc[[each]])) for each in (0, 1)]
    assert np.allclose(np.concatenate(alone), found.predict_proba(ALL)[:2])


def test_columns_that_no_entry_takes_are_prepared_as_by_default():
    entries = [{"columns": ["note", "remark", "member", "born"], "steps": "drop"}]
    kept = ALL[["income", "age", "city"]]
    expected = by_hand(default_preprocessing(kept))
    assert np.allclose(fitted(entries).predict_proba(ALL), expected.predict_proba(ALL))


def test_steps_for_all_that_came_out_may_follow_on_the_default():
    entries = [
        {"columns": ["note", "remark", "member", "born"], "steps": "drop"},
        {"steps": [{"transformer": "sklearn.decomposition.PCA", "params": {"n_components": 2}}]},
    ]
    prepared = fitted(entries)[:-1].transform(ALL)
    assert prepared.shape == (ROWS, 2)


def test_an_earlier_entry_wins():
    entries = [
        {"columns": {"regex": "me|te"}, "steps": "drop"},
        {"columns": "numbers", "steps": "passthrough"},
        {"columns": "rest", "steps": "drop"},
    ]
    found = fitted(entries, BOOSTING, max_iter=2)["preprocessing"]["columns"]
    taken = {name: columns for name, _, columns in found.transformers}
    assert taken == {
        "me_te": ["income", "note", "member"],
        "numbers": ["age"],
        "rest": ["city", "remark", "born"],
    }


def test_an_entry_that_takes_nothing_is_told(caplog):
    caplog.set_level(logging.WARNING)
    fitted([{"columns": {"regex": "^xyz"}, "steps": "drop"}, {"columns": "texts", "steps": "drop"}])
    assert "no column is left for columns that match ^xyz" in caplog.text


def test_a_named_column_that_is_taken_already_is_told(caplog):
    entries = [
        {"columns": "numbers", "steps": [IMPUTER]},
        {"columns": ["member", "city"], "steps": "drop"},
    ]
    fitted(entries)
    assert "preprocessing: an entry above has taken member already" in caplog.text


def test_each_column_of_texts_has_a_vocabulary_of_its_own():
    entries = [
        {"columns": ["note", "remark"], "steps": [TFIDF]},
        {"columns": "rest", "steps": "drop"},
    ]
    columns = fitted(entries)["preprocessing"]["columns"].named_transformers_
    assert set(columns["note_remark_remark"]["tfidfvectorizer"].vocabulary_) == {
        "red0",
        "red1",
        "red2",
    }
    assert "late" in columns["note_remark_note"]["tfidfvectorizer"].vocabulary_


def test_missing_texts_are_empty_ones():
    entries = [{"columns": ["remark"], "steps": [TFIDF]}, {"columns": "rest", "steps": "drop"}]
    same = make_pipeline(TfidfVectorizer(), LogisticRegression(random_state=0))
    same.fit(texts("remark"), TARGET)
    expected = same.predict_proba(texts("remark"))
    assert np.allclose(fitted(entries).predict_proba(ALL), expected)


def test_what_is_sparse_stays_so_for_an_estimator_that_takes_it():
    entries = [{"columns": ["note"], "steps": [HASHING]}, {"columns": "rest", "steps": "drop"}]
    assert sparse.issparse(fitted(entries)[:-1].transform(ALL))


def test_what_is_sparse_becomes_dense_for_an_estimator_that_does_not_take_it():
    hashing = {"transformer": HASHING, "params": {"n_features": 32}}
    entries = [{"columns": ["note"], "steps": [hashing]}, {"columns": "rest", "steps": "drop"}]
    found = fitted(entries, BOOSTING, max_iter=3, min_samples_leaf=2)
    same = HistGradientBoostingClassifier(max_iter=3, min_samples_leaf=2, random_state=0)
    dense = HashingVectorizer(n_features=32).transform(ALL["note"]).toarray()
    expected = same.fit(dense, TARGET).predict_proba(dense)
    assert np.allclose(found.predict_proba(ALL), expected)


def test_what_would_not_fit_into_memory_is_refused_with_a_way_out():
    entries = [{"columns": ["note"], "steps": [HASHING]}, {"columns": "rest", "steps": "drop"}]
    many = pd.concat([ALL] * 2)
    config = model(preprocessing=entries, search=one_trial(BOOSTING))
    trainer = config.trainer(BOOSTING)
    with pytest.raises(TerminalError, match=r"1,048,576 columns of 400 rows.*lower `max_features`"):
        trainer.fit(BOOSTING, {}, many, np.tile(TARGET, 2), seed=0)


def test_dense_rows_are_left_as_they_are():
    table = np.ones((3, 2))
    assert Dense(most_bytes=1).fit_transform(table) is table


def test_a_step_that_refuses_the_rows_is_not_laid_at_the_estimators_door():
    entries = [{"columns": ["city"], "steps": [SCALER]}, {"columns": "rest", "steps": "drop"}]
    with pytest.raises(TerminalError, match=r"^preprocessing refuses the rows: could not conv"):
        fitted(entries)


def test_columns_without_any_value_are_left_out(caplog):
    table = ALL.assign(empty=np.nan)
    entries = [
        {"columns": ["empty", "income"], "steps": "passthrough"},
        {"columns": "rest", "steps": "drop"},
    ]
    found = fitted(entries, features=table)["preprocessing"]["columns"]
    assert found.transformers[0][2] == ["income"]
    assert "Left out columns without any value: empty" in caplog.text


def test_a_column_that_is_not_there_is_named():
    with pytest.raises(
        TerminalError, match="'incom' is none of the features: did you mean `income`"
    ):
        fitted([{"columns": ["incom"], "steps": "drop"}])


def test_a_model_without_columns_is_refused():
    with pytest.raises(TerminalError, match="no column is left to learn from"):
        fitted([{"columns": "rest", "steps": "drop"}])


def test_booleans_are_numbers_of_nothing_but_0_and_1():
    entries = [
        {"columns": "booleans", "steps": "passthrough"},
        {"columns": "numbers", "steps": "passthrough"},
        {"columns": "rest", "steps": "drop"},
    ]
    found = fitted(entries, BOOSTING, max_iter=2)["preprocessing"]["columns"]
    taken = {name: columns for name, _, columns in found.transformers}
    assert taken["booleans"] == ["member"]
    assert taken["numbers"] == ["income", "age"]


def test_texts_are_read_from_one_column_only():
    with pytest.raises(ValueError, match="from one column, and the step before makes 2"):
        TextColumn().fit(ALL[NUMBERS])


def test_random_steps_get_the_seed():
    entries = [{"columns": "numbers", "steps": [IMPUTER, "sklearn.decomposition.PCA"]}]
    steps = fitted(entries)["preprocessing"]["columns"].named_transformers_["numbers"]
    assert steps["pca"].random_state == 0
