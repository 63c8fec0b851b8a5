"""Models that rank rows within groups: from the section to what a version says, on a real MLflow server."""

import json
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.dataset
import pytest
from pydantic import ValidationError
from sklearn.linear_model import Ridge
from sklearn.metrics import ndcg_score

from factory.base.errors import TerminalError
from factory.models import registry
from factory.models.batch_prediction import PredictionForm, predict
from factory.models.predictor import load_predictor
from factory.serving.answers import answer_together
from factory.serving.limits import ServingLimits
from factory.serving.loading import load
from factory.trainers.scikit_learn.preprocessing import default_preprocessing
from factory.training.about_rows import read_about
from factory.training.ranking_rules import GROUP
from factory.training.split import read_part, split
from tests.models.life import Life
from tests.training.models import one_trial
from tests.training.shows import frame, ranker, table

MIXED_UP = one_trial("sklearn.linear_model.Ridge", alpha=1e9)


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory, mlflow_server: str) -> Life:
    """A model that ranks, in production."""
    life = Life(tmp_path_factory.mktemp("shown"), mlflow_server)
    life.train(ranker(), table(), plots=True)
    life.promote(life.decide())
    return life


def test_rows_of_a_group_stay_in_one_part(tmp_path: Path) -> None:
    divided = split(table(), ranker(), tmp_path)
    assert divided.method == "group"
    assert divided.features == ("match", "clicks", "level")
    groups = {part: set(read_about(tmp_path, part)[GROUP]) for part in divided.rows}
    assert sum(map(len, groups.values())) == 80
    assert len(set.union(*groups.values())) == 80


def test_its_scores_are_those_of_plain_scikit_learn(shown: Life) -> None:
    folder = shown.training.workspace
    features, truth = read_part(folder, "train")
    test, relevance = read_part(folder, "test")
    prepare = default_preprocessing(features).fit(features)
    model = Ridge().fit(prepare.transform(features), truth)
    said, group = model.predict(prepare.transform(test)), read_about(folder, "test")[GROUP]
    expected = [
        ndcg_score(relevance[None, group == one], said[None, group == one], k=10)
        for one in np.unique(group)
        if relevance[group == one].any()
    ]
    assert shown.tested.metrics.keys() == {
        "mean_average_precision",
        "mean_reciprocal_rank",
        "ndcg",
        "ndcg_at_10",
    }
    assert shown.tested.metrics["ndcg_at_10"] == pytest.approx(np.mean(expected))
    assert shown.tested.baseline["ndcg_at_10"] < shown.tested.metrics["ndcg_at_10"] - 0.1


def test_a_version_goes_live_and_is_drawn(shown: Life) -> None:
    assert shown.champion == 1
    found = shown.tracking.client.list_artifacts(shown.version.mlflow_run_id, "test")
    assert {one.path for one in found} >= {"test/ndcg_at_k.png", "test/feature_importance.png"}


def test_nothing_is_learned_from_the_group_and_nobody_who_asks_needs_it(
    shown: Life, tmp_path: Path
) -> None:
    assert shown.version.features == ("match", "clicks", "level")
    rows = frame().drop(columns=["query", "relevance"])
    made = predict(
        pyarrow.dataset.dataset(pa.Table.from_pandas(rows, preserve_index=False)),
        load_predictor(shown.version, tracking=shown.tracking),
        PredictionForm("ranking", ("document",), 1),
        batch_rows=100,
        file=tmp_path / "predictions.parquet",
    )
    said = pyarrow.dataset.dataset(made.file).to_table()["prediction"].to_numpy()
    features = rows[list(shown.version.features)]
    mlflow.set_tracking_uri(shown.uri)
    plain = mlflow.pyfunc.load_model(shown.version.uri).predict(features)
    np.testing.assert_allclose(np.ravel(plain), said)
    version = registry.version(shown.name, 1, tracking=shown.tracking)
    served = load(version, tracking=shown.tracking, settings=ServingLimits())
    body = json.dumps({"rows": features.to_dict("records")}).encode()
    (answer,) = answer_together(served, [body])
    assert json.loads(answer.body)["predictions"] == pytest.approx(said.tolist())


def test_the_gate_compares_with_the_champion_by_whole_groups(shown: Life) -> None:
    again = Life(shown.folder / "again", shown.uri, shown.name)
    again.run = 10
    again.train(ranker(search=one_trial("sklearn.linear_model.Ridge", alpha=1e4)), table())
    decision = again.decide(confidence=0.9)
    assert decision.champion_metrics == pytest.approx(shown.tested.metrics)
    interval = decision.interval
    assert interval is not None
    assert interval.resamples == 1000
    assert interval.low <= interval.high


def test_folds_are_of_whole_groups(tmp_path: Path, mlflow_server: str) -> None:
    life = Life(tmp_path, mlflow_server)
    life.train(ranker(split={"validation": {"folds": 4}}), table())
    found = life.training.evaluate(0)
    assert found.metrics["ndcg_at_10"] > 0.8
    assert found.deviations["ndcg_at_10"] > 0


def test_the_winner_is_trained_on_validation_rows_too(tmp_path: Path, mlflow_server: str) -> None:
    life = Life(tmp_path, mlflow_server)
    life.train(ranker(refit="train+validation"), table())
    again = life.training.refit(life.training.select([life.training.evaluate(0)]))
    assert life.training.test(again).metrics["ndcg"] > 0.8


def test_numbers_of_lines_and_missing_groups_are_refused_in_words(tmp_path: Path) -> None:
    lines = frame().assign(query=lambda rows: rows["document"])
    with pytest.raises(TerminalError, match=r"each of the .* values of 'query' has one row"):
        split(table(lines), ranker(), tmp_path)
    rows = frame()
    rows.loc[:4, "query"] = None
    with pytest.raises(TerminalError, match="rows have no 'query'"):
        split(table(rows), ranker(), tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda rows: rows.assign(relevance=rows["relevance"] - 1), "the lowest value is -1"),
        (lambda rows: rows.assign(relevance=0), "no row is relevant"),
        (lambda rows: rows.assign(relevance="good"), "a ranking predicts numbers"),
    ],
)
def test_what_is_no_relevance_is_refused_in_words(
    tmp_path: Path, change: Any, message: str
) -> None:
    with pytest.raises(TerminalError, match=message):
        split(table(change(frame())), ranker(), tmp_path)


def test_relevant_or_not_is_a_relevance(tmp_path: Path) -> None:
    rows = frame()
    split(table(rows.assign(relevance=rows["relevance"] > 1)), ranker(), tmp_path)
    _, target = read_part(tmp_path, "test")
    assert set(target) == {0.0, 1.0}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"group": None}, "`task: ranking` needs `group`"),
        (
            {"task": "regression", "objective": {"metric": "r2"}},
            "`group` belongs to `task: ranking`",
        ),
        ({"group": "relevance"}, "cannot be the group too"),
        ({"features": ["match", "query"]}, "nothing is learned from it"),
        ({"split": {"method": "random"}}, "divided by groups"),
        ({"split": {"method": "group", "column": "level"}}, "divided by its groups"),
        ({"split": {"method": "hash", "key": ["document"]}}, "the group decides on the part"),
        ({"class_weight": "balanced"}, "`class_weight` is for a target of rows"),
        ({"weights": "clicks"}, "`weights` is for a target of rows"),
        ({"objective": {"metric": "r2"}}, "'r2' is not computed for ranking"),
        ({"predict": {"input": "shows", "interval": 0.9}}, "intervals are for regressions"),
    ],
)
def test_what_does_not_go_with_a_ranking_is_refused(changes: Any, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        ranker(**changes)


@pytest.mark.parametrize("how", [{"method": "hash", "key": ["query"]}, {"test": 0.3}])
def test_groups_may_be_divided_by_their_hash_and_into_other_shares(how: Any) -> None:
    ranker(split=how)


def test_the_order_in_which_rows_come_makes_no_difference(tmp_path: Path) -> None:
    mixed = frame().sample(frac=1, random_state=3)
    for name, rows in (("one", frame()), ("other", mixed)):
        split(table(rows), ranker(), tmp_path / name)
    one, other = (read_part(tmp_path / name, "test")[0] for name in ("one", "other"))
    pd.testing.assert_frame_equal(one, other)
    groups = [read_about(tmp_path / name, "test")[GROUP].tolist() for name in ("one", "other")]
    assert groups[0] == groups[1]
