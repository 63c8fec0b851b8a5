"""A training run with `preprocessing` as a list, from the rows to the version that answers."""

import json

import mlflow
import numpy as np
import pandas as pd
import pyarrow as pa

from factory.models.predictor import load_predictor
from factory.serving.contract import contract_of, example_rows
from factory.training.split import read_part
from tests.training.models import model
from tests.training.training import Training

PREPROCESSING = [
    {
        "columns": ["bill"],
        "steps": [
            "sklearn.impute.SimpleImputer",
            {"transformer": "sklearn.preprocessing.SplineTransformer", "params": {"n_knots": 3}},
        ],
    },
    {
        "columns": {"regex": "^note"},
        "steps": [
            {
                "transformer": "sklearn.feature_extraction.text.TfidfVectorizer",
                "params": {"min_df": [1, 3], "ngram_range": [[1, 2]]},
            }
        ],
    },
    {"columns": "texts", "steps": ["sklearn.preprocessing.TargetEncoder"]},
    {
        "columns": "booleans",
        "steps": [
            {
                "transformer": "sklearn.impute.SimpleImputer",
                "params": {"strategy": "most_frequent"},
            }
        ],
    },
    {
        "steps": [
            {"transformer": "sklearn.feature_selection.SelectKBest", "params": {"k": [3, "all"]}}
        ]
    },
]
SEARCH = {
    "strategy": "grid",
    "candidates": [
        {"estimator": "sklearn.linear_model.LogisticRegression", "params": {"C": [1.0]}},
        {
            "estimator": "sklearn.ensemble.HistGradientBoostingClassifier",
            "params": {"max_iter": [5]},
        },
    ],
}


def birds() -> pa.Table:
    """Numbers, notes, islands, truth values with gaps, and days."""
    chance = np.random.default_rng(3)
    species = chance.choice(["Adelie", "Gentoo"], 240)
    is_gentoo = species == "Gentoo"
    return pa.table(
        {
            "species": species,
            "bill": pa.array(chance.normal(40 + 4 * is_gentoo, 3), mask=chance.random(240) < 0.1),
            "mass": chance.normal(4000 + 300 * is_gentoo, 400),
            "island": chance.choice(["Biscoe", "Dream"], 240),
            "note": pa.array(
                [
                    None if each % 10 == 0 else f"{'large' if large else 'small'} bird {each % 4}"
                    for each, large in enumerate(is_gentoo)
                ]
            ),
            "ringed": pa.array([None if each % 7 == 0 else each % 2 == 0 for each in range(240)]),
            "seen": pd.date_range("2024-01-01", periods=240),
        }
    )


def test_all_that_answers_says_what_the_trained_model_says(tmp_path, mlflow_server):
    config = model(preprocessing=PREPROCESSING, search=SEARCH)
    training = Training(birds(), config, tmp_path, mlflow_server)
    record = training.all().record
    assert len(training.planned.trials) == 8
    assert record.metrics["test_accuracy"] > 0.9
    assert record.packages == ("sklearn",)

    features, _ = read_part(tmp_path, "test")
    predictor = load_predictor(record, tracking=training.tracking)
    ours = predictor.predict(features)
    plain = mlflow.pyfunc.load_model(record.uri).predict(features)
    assert ours.values.tolist() == list(plain)

    few = features.head(20)
    contract = contract_of(record, few, most_rows=20)
    for number, row in enumerate(example_rows(few)):
        rows = contract.parse(json.dumps({"rows": [row]}).encode())
        answer = predictor.predict(contract.frame(rows))
        assert np.allclose(answer.probabilities[0], ours.probabilities[number], atol=1e-9)


def test_mlflow_shows_each_trials_steps_by_their_names(tmp_path, mlflow_server):
    config = model(preprocessing=PREPROCESSING, search=SEARCH)
    training = Training(birds(), config, tmp_path, mlflow_server)
    training.plan()
    run = training.tracking.client.get_run(training.evaluate(3).mlflow_run_id)
    assert run.info.run_name == (
        "LogisticRegression preprocessing__note__tfidfvectorizer__min_df=3 "
        "preprocessing__selectkbest__k=all"
    )
    assert run.data.params == {
        "estimator": "sklearn.linear_model.LogisticRegression",
        "C": "1.0",
        "preprocessing__bill__simpleimputer__transformer": "sklearn.impute.SimpleImputer",
        "preprocessing__bill__splinetransformer__transformer": (
            "sklearn.preprocessing.SplineTransformer"
        ),
        "preprocessing__bill__splinetransformer__n_knots": "3",
        "preprocessing__note__tfidfvectorizer__transformer": (
            "sklearn.feature_extraction.text.TfidfVectorizer"
        ),
        "preprocessing__note__tfidfvectorizer__min_df": "3",
        "preprocessing__note__tfidfvectorizer__ngram_range": "[1, 2]",
        "preprocessing__texts__targetencoder__transformer": "sklearn.preprocessing.TargetEncoder",
        "preprocessing__booleans__simpleimputer__transformer": "sklearn.impute.SimpleImputer",
        "preprocessing__booleans__simpleimputer__strategy": "most_frequent",
        "preprocessing__selectkbest__transformer": "sklearn.feature_selection.SelectKBest",
        "preprocessing__selectkbest__k": "all",
    }
