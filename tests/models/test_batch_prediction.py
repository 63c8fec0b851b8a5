from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset
import pytest

from factory.base.errors import TerminalError
from factory.catalog.contract_questions import contract_questions
from factory.data.sql_binding import bind
from factory.data.transforms.sql import SqlTransform
from factory.lake import publishing
from factory.lake.write import Write
from factory.models.batch_prediction import PredictionForm, predict, prediction_rows
from factory.models.conformal import IntervalWidths
from factory.models.predict import OnRequest
from factory.models.predictor import Predictor, load_predictor
from tests.data.rows import lake_in, rows_of
from tests.team.folder import make_folder
from tests.training.models import model, one_trial, penguins, regression
from tests.training.training import Training

FEATURES = ["bill_length_mm", "bill_depth_mm", "flipper_length_mm", "sex"]


def trained(rows, config, folder, mlflow_server):
    training = Training(rows, config, folder, mlflow_server)
    found = training.all()
    return load_predictor(found.record, tracking=training.tracking)


@pytest.fixture(scope="module")
def species(tmp_path_factory, mlflow_server):
    folder = tmp_path_factory.mktemp("species")
    return trained(penguins(), model(features=FEATURES), folder, mlflow_server)


@pytest.fixture(scope="module")
def mass(tmp_path_factory, mlflow_server):
    config = regression(target="body_mass_g", features=["flipper_length_mm", "sex"])
    return trained(penguins(), config, tmp_path_factory.mktemp("mass"), mlflow_server)


@pytest.fixture
def predicted(tmp_path):
    def run(rows, predictor, *, task="classification", keep=(), batch_rows=50_000, **on_request):
        (tmp_path / "run").mkdir(exist_ok=True)
        made = predict(
            pyarrow.dataset.dataset(rows),
            predictor,
            PredictionForm(task, keep, 4, OnRequest.model_validate(on_request)),
            batch_rows=batch_rows,
            file=tmp_path / "run" / "predictions.parquet",
        )
        return made, pyarrow.dataset.dataset(made.file).to_table()

    return run


def test_rows_are_what_is_kept_and_what_the_model_says(species, predicted):
    made, table = predicted(penguins(), species, keep=["island", "year"])
    assert made.rows == table.num_rows == 344
    assert made.columns == {
        "island": "VARCHAR",
        "year": "BIGINT",
        "prediction": "VARCHAR",
        "probability": "DOUBLE",
        "model_version": "BIGINT",
        "input_version": "BIGINT",
    }
    truth = penguins().column("species").to_pylist()
    right = [
        one == other for one, other in zip(truth, table["prediction"].to_pylist(), strict=True)
    ]
    assert sum(right) / len(right) > 0.95
    assert table["island"].to_pylist() == penguins().column("island").to_pylist()
    assert all(1 / 3 <= one <= 1 for one in table["probability"].to_pylist())
    assert set(table["model_version"].to_pylist()) == {species.record.version}
    assert set(table["input_version"].to_pylist()) == {4}


def test_a_regression_has_no_probability(mass, predicted):
    made, table = predicted(penguins(), mass, task="regression")
    assert made.columns == {
        "prediction": "DOUBLE",
        "model_version": "BIGINT",
        "input_version": "BIGINT",
    }
    assert all(2000 < value < 7000 for value in table["prediction"].to_pylist())


def test_the_size_of_a_batch_changes_nothing_but_the_memory(species, predicted, monkeypatch):
    sizes = []
    ask = Predictor.predict

    def counted(self, rows):
        sizes.append(len(rows))
        return ask(self, rows)

    monkeypatch.setattr(Predictor, "predict", counted)
    # Many small files and few large ones are predicted in the same batches.
    rows = pa.concat_tables([penguins().slice(start, 30) for start in range(0, 344, 30)])
    _, at_once = predicted(rows, species, keep=["island"])
    _, in_batches = predicted(rows, species, keep=["island"], batch_rows=100)
    assert sizes == [344, 100, 100, 100, 44]
    assert at_once.equals(in_batches)


def test_each_class_has_a_column_on_request(species, predicted):
    names = ["probability_Adelie", "probability_Chinstrap", "probability_Gentoo"]
    _, table = predicted(penguins(), species, probabilities="all", batch_rows=100)
    assert table.column_names == [
        *("prediction", "probability", *names, "model_version", "input_version")
    ]
    shares = np.column_stack([table[name].to_numpy() for name in names])
    assert np.allclose(shares.sum(axis=1), 1)
    said = [names[place].partition("_")[2] for place in shares.argmax(axis=1)]
    assert said == table["prediction"].to_pylist()
    assert np.array_equal(shares.max(axis=1), table["probability"].to_numpy())
    asked = {"probabilities": ["Gentoo", "Adelie"]}
    _, listed = predicted(penguins(), species, **asked)
    assert listed.column_names[2:4] == ["probability_Gentoo", "probability_Adelie"]
    assert listed["probability_Adelie"].equals(table["probability_Adelie"])


def test_no_rows_have_the_columns_of_classes_too(species, predicted):
    made, _ = predicted(penguins().slice(0, 0), species, probabilities="all", explain=1)
    assert list(made.columns)[2:7] == [
        *("probability_Adelie", "probability_Chinstrap", "probability_Gentoo"),
        *("feature_1", "contribution_1"),
    ]


def test_class_that_the_model_does_not_know_is_named(species, predicted):
    with pytest.raises(TerminalError, match="knows no class 'Emperor': it knows 'Adelie', 'Chin"):
        predicted(penguins(), species, probabilities=["Adelie", "Emperor"])


def test_kept_column_of_a_class_is_refused(species, predicted):
    rows = penguins().append_column("Probability_gentoo", pa.array(range(344)))
    with pytest.raises(TerminalError, match="'probability_gentoo' is the column with a class's"):
        predicted(rows, species, keep=["Probability_gentoo"], probabilities="all")


def test_probability_is_that_of_the_predicted_class(tmp_path_factory, mlflow_server, predicted):
    """Not the highest, where a threshold decides: see the recipe in docs/prediction.md."""
    classifier = {"estimator": "sklearn.linear_model.LogisticRegression"}
    config = model(
        target="sex",
        features=["body_mass_g", "bill_depth_mm"],
        search=one_trial(
            "sklearn.model_selection.FixedThresholdClassifier",
            estimator=classifier,
            threshold=0.8,
            pos_label="male",
        ),
    )
    rows = penguins().filter(pc.is_valid(penguins()["sex"]))
    sex = trained(rows, config, tmp_path_factory.mktemp("sex"), mlflow_server)
    _, table = predicted(rows, sex, probabilities=["male"])
    male = table["probability_male"].to_numpy()
    said = np.array(table["prediction"].to_pylist())
    assert np.array_equal(said == "male", male >= 0.8)
    assert ((male > 0.5) & (said == "female")).any()
    expected = np.where(said == "male", male, 1 - male)
    assert np.allclose(table["probability"].to_numpy(), expected)


def test_interval_is_as_wide_as_the_recorded_errors_say(mass, predicted):
    _, table = predicted(penguins(), mass, task="regression", interval=0.9)
    assert table.column_names[:3] == ["prediction", "lower", "upper"]
    said = table["prediction"].to_numpy()
    width = mass.record.interval.half_width(0.9)
    assert np.allclose(table["lower"].to_numpy(), said - width)
    assert np.allclose(table["upper"].to_numpy(), said + width)
    truth = penguins()["body_mass_g"].to_numpy()
    held = np.abs(truth - said)[~np.isnan(truth)] <= width
    assert 0.8 <= held.mean() <= 0.97


def test_interval_needs_a_record_of_enough_errors(mass, predicted):
    for recorded, expected in (
        (None, "without a record of how far off it is: train the model again"),
        (IntervalWidths.of([1.0] * 5), "was measured on 5 rows, and an interval of 0.9 needs 9"),
    ):
        record = mass.record.model_copy(update={"interval": recorded})
        with pytest.raises(TerminalError, match=expected):
            predicted(penguins(), replace(mass, record=record), task="regression", interval=0.9)


def test_first_rows_are_explained(mass, predicted, caplog):
    asked = {"explain": {"features": 3, "max_rows": 150, "samples": 10}}
    with caplog.at_level("INFO"):
        _, table = predicted(penguins(), mass, task="regression", batch_rows=100, **asked)
    assert "The first 150 of 344 rows are explained" in caplog.text
    assert "Explained 90 rows" not in caplog.text
    assert "Explained 150 rows" in caplog.text
    assert table.column_names[1:7] == [
        *("feature_1", "contribution_1", "feature_2", "contribution_2"),
        *("feature_3", "contribution_3"),
    ]
    first = table.slice(0, 150)
    assert {*first["feature_1"].to_pylist()} <= {"flipper_length_mm", "sex"}
    assert first["feature_2"].null_count == 0
    # The model has two features.
    assert first["feature_3"].null_count == 150
    assert table.slice(150)["contribution_1"].null_count == 194
    total = first["contribution_1"].to_numpy() + first["contribution_2"].to_numpy()
    apart = total - first["prediction"].to_numpy()
    assert np.allclose(apart, apart[0])


def test_no_rows_have_predictions_without_rows(species, predicted):
    made, _ = predicted(penguins().slice(0, 0), species, keep=["island"])
    assert made.rows == 0
    assert list(made.columns)[:3] == ["island", "prediction", "probability"]


def test_a_column_without_any_value_is_no_column_of_texts(species, predicted):
    # A CSV file with an empty column gives texts, all null.
    place = penguins().column_names.index("bill_depth_mm")
    rows = penguins().set_column(place, "bill_depth_mm", pa.nulls(344, pa.string()))
    made, _ = predicted(rows, species)
    assert made.rows == 344


def test_a_missing_feature_is_named_before_anything_is_predicted(species, predicted, tmp_path):
    rows = penguins().rename_columns({"sex": "sexx"})
    with pytest.raises(TerminalError, match=r"'sex' \(did you mean `sexx`\?\)"):
        predicted(rows, species)
    assert list((tmp_path / "run").iterdir()) == []


def test_a_feature_of_another_form_is_named(species, predicted, tmp_path):
    place = penguins().column_names.index("bill_depth_mm")
    texts = pa.array([None] * 200 + ["deep"] * 144)
    rows = penguins().set_column(place, "bill_depth_mm", texts)
    with pytest.raises(TerminalError, match="'bill_depth_mm' holds texts, and it learned from num"):
        predicted(rows, species, batch_rows=100)
    assert not (tmp_path / "run" / "predictions.parquet").exists()


def test_a_column_to_keep_must_be_there(species, predicted):
    with pytest.raises(TerminalError, match=r"keep: .*'iland' \(did you mean `island`\?\)"):
        predicted(penguins(), species, keep=["iland"])


@pytest.fixture
def after(tmp_path):
    """Rows of a snapshot without the column `species`, after SQL that was written for training."""
    lake = lake_in(tmp_path)
    rows = rows_of("select i as id, i * 2.0 as mass from range(5) t(i)", tmp_path)
    publishing.publish(lake, "sea.new", rows.file, Write(), run_id="run")

    def run(*queries, absent=None):
        found = prediction_rows(
            ["sea.new"],
            [SqlTransform(type="sql", query=query) for query in queries],
            absent={"species": "VARCHAR"} if absent is None else absent,
            workspace=tmp_path,
            lake=lake,
            versions={"sea.new": 0},
        )
        return found.to_table()

    return run


def test_rows_are_transformed_as_in_training(after):
    assert after().column_names == ["id", "mass"]
    assert after("select *, mass / 2 as half from source").column("half").to_pylist() == [
        *(0, 1, 2, 3, 4)
    ]


def test_transforms_that_name_the_target_find_it_without_a_value(after):
    table = after("select *, upper(species) as loud from source", "select * from source")
    assert table.num_rows == 5
    assert table.column("species").null_count == table.column("loud").null_count == 5


def test_transforms_that_make_the_target_still_can(after):
    assert after("select *, mass > 3 as species from source").column_names[-1] == "species"


def test_transforms_that_leave_only_rows_with_a_target_are_refused(after):
    with pytest.raises(TerminalError, match=r"none of the rows of sea.new.*its own `transforms`"):
        after("select * from source where species is not null")


def test_other_mistakes_in_transforms_are_not_hidden(after):
    with pytest.raises(TerminalError, match="weight"):
        after("select weight from source")
    with pytest.raises(TerminalError, match="species"):
        after("select species from source", absent={})


LAB = """\
version: 1
team: lab
owner: lab@example.org
datasets:
  penguins:
    source: {type: csv, path: data/penguins.csv}
    columns:
      id: SMALLINT
      caught: DATE
      species: VARCHAR
      male: BOOLEAN
      year: INTEGER
      whole: "DECIMAL(9, 1)"
      mass: DOUBLE
      bill: FLOAT
"""
MODEL = """\
  {name}:
    task: {task}
    train_on: penguins
    target: {name}
    features: [bill]
    search: {{strategy: list, trials: [{{estimator: sklearn.{estimator}}}]}}
    objective: {{metric: {metric}}}
    predict: {{input: penguins, keep: [id, caught, bill]}}
"""
CLASSES = ("species", "male", "year", "whole")


def test_published_predictions_have_the_columns_that_the_catalog_knows(tmp_path, mlflow_server):
    project = make_folder(tmp_path)
    models = [
        *({"task": "classification", "name": name, "metric": "f1_macro"} for name in CLASSES),
        {"task": "regression", "name": "mass", "metric": "r2"},
    ]
    estimators = {
        "classification": "tree.DecisionTreeClassifier",
        "regression": "linear_model.Ridge",
    }
    text = "".join(MODEL.format(**one, estimator=estimators[one["task"]]) for one in models)
    project.write("lab", f"{LAB}models:\n{text}")
    catalog = project.read_all().catalog
    lake = lake_in(tmp_path / "lake")
    rows = rows_of(
        "select i::smallint as id, date '2024-01-31' as caught, if(i % 2 = 0, 'a', 'b') as species, "
        "i % 2 = 0 as male, 2007 + i % 3 as year, (i % 2)::decimal(9, 1) as whole, i * 1.5e0 as mass, "
        "(i % 7)::float as bill from range(60) r(i)",
        tmp_path,
    )
    publishing.publish(lake, "lab.penguins", rows.file, Write(), run_id="one")
    _of_the_dataset, *questions = contract_questions(catalog)
    sections = catalog.teams["lab"].team.models.items()
    for (_, question), (name, section) in zip(questions, sections, strict=True):
        _, expected = bind(question.argument).value
        predictor = trained(
            lake.scan("lab.penguins", 0).to_table(), section, tmp_path / name, mlflow_server
        )
        made = predict(
            lake.scan("lab.penguins", 0),
            predictor,
            PredictionForm(section.task, section.predict.keep, 0),
            batch_rows=50,
            file=tmp_path / f"{name}.parquet",
        )
        output = f"lab.{name}_predictions"
        publishing.publish(lake, output, made.file, Write(), run_id="one")
        assert lake.newest(output).columns == expected["columns"], name
        assert tuple(expected["columns"]) == catalog.datasets[output].columns
