"""`factory init`, as a person calls it."""

from pathlib import Path

import pandas as pd
import pytest
import yaml
from typer.testing import CliRunner

from benchmarks.first_hour import write_messy_csv
from factory.catalog import check_project
from factory.cli.main import app
from tests.harness.project import REPOSITORY


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FACTORY_STORAGE", raising=False)
    write_messy_csv(tmp_path / "orders.csv", 400)
    return tmp_path


def call(*arguments: str):
    return CliRunner().invoke(app, list(arguments))


def init(*arguments: str):
    done = call("init", "shop", *arguments)
    assert done.exit_code == 0, done.output
    return done.stdout


def team(folder: Path, name: str = "orders") -> dict:
    return yaml.safe_load((folder / "shop" / "configs" / f"{name}.yaml").read_text())


def test_project_validates_and_its_test_passes(folder):
    said = init("--from", "orders.csv", "--target", "late")
    assert "Next: cd shop && factory run orders.late" in said
    assert check_project(folder / "shop" / "configs") == []
    tested = call("test", "--no-build", "-C", "shop")
    assert (tested.exit_code, "5 rows as expected" in tested.stdout) == (0, True), tested.output


def test_features_leave_out_identifiers_and_what_is_known_too_late(folder):
    said = init("--from", "orders.csv", "--target", "late")
    model = team(folder)["models"]["late"]
    features = ["ordered", "city", "amount", "weight", "express", "items", "remark"]
    assert model["features"] == features
    assert model["task"] == "classification"
    for name, why in (
        ("order_no", "tells rows apart"),
        ("late_days", "alone tells late almost perfectly"),
    ):
        assert any(f"not {name} " in line and why in line for line in said.splitlines()), said
    assert "words of remark" in said


def test_number_with_many_values_is_predicted_by_a_regression(folder):
    init("--from", "orders.csv", "--target", "amount")
    model = team(folder)["models"]["amount"]
    assert (model["task"], model["objective"]["metric"]) == (
        "regression",
        "root_mean_squared_error",
    )


def test_without_a_target_there_is_a_dataset_and_no_model(folder):
    assert "factory run sales.orders" in init("--from", "orders.csv", "--team", "sales")
    assert team(folder, "sales").keys() == {"version", "team", "owner", "datasets"}


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("lat", "did you mean late?"),
        ("order_no", "nothing tells it of new rows"),
        ("remark", "nothing tells it of new rows"),
        ("ordered", "it holds DATE"),
    ],
)
def test_column_that_cannot_be_predicted_is_refused_and_nothing_is_written(folder, target, said):
    done = call("init", "shop", "--from", "orders.csv", "--target", target)
    assert done.exit_code == 1
    assert said in done.stderr
    assert not (folder / "shop").exists()


def test_dates_of_two_readings_are_asked_where_they_are_to_be_answered(folder):
    rows = "".join(f"{n};{n % 12 + 1:02}/{n % 11 + 1:02}/2024;{n % 3}\n" for n in range(200))
    (folder / "trips.csv").write_text(f"trip;day;stops\n{rows}")
    said = init("--from", "trips.csv")
    lines = (folder / "shop/configs/trips.yaml").read_text().splitlines()
    number = next(n for n, line in enumerate(lines, 1) if 'date_format: "?"' in line)
    assert f"To decide: shop/configs/trips.yaml:{number}: how day is written" in said
    assert "write '%d/%m/%Y' or '%m/%d/%Y'" in said
    assert "factory validate" in said
    refused = call("validate", "-C", "shop")
    assert refused.exit_code == 1
    assert f"trips.yaml:{number}:" in refused.stdout
    assert "F089" in refused.stdout
    text = "\n".join(lines).replace('"?"', "'%d/%m/%Y'")
    (folder / "shop/configs/trips.yaml").write_text(text)
    assert call("validate", "-C", "shop").exit_code == 0
    assert call("test", "--no-build", "--update", "-C", "shop").exit_code == 0
    assert "2024-01-01" in (folder / "shop/tests/trips/trips/expected.csv").read_text()


def test_other_formats_become_a_first_test_in_plain_csv(folder):
    frame = pd.DataFrame({"id": range(60), "size": ["s", "m", "l"] * 20})
    frame.to_parquet(folder / "sizes.parquet")
    init("--from", "sizes.parquet")
    assert (folder / "shop/tests/sizes/sizes/input.csv").read_text().startswith("id,size\n0,s\n")
    assert call("test", "--no-build", "-C", "shop").exit_code == 0


def test_few_rows_are_said_to_be_few(folder):
    (folder / "few.csv").write_text("a,b\n1,x\n2,y\n3,x\n")
    said = init("--from", "few.csv", "--target", "b")
    assert "3 are few: no model goes live that has learned from fewer than 30" in said
    assert "trains and tests it" in said


def test_file_with_letters_of_other_languages_has_a_name_that_can_be_read(folder):
    (folder / "Größe (neu) 2024.csv").write_text("a,b\n1,x\n2,y\n3,x\n")
    init("--from", "Größe (neu) 2024.csv")
    assert (folder / "shop" / "configs" / "grosse_neu_2024.yaml").exists()


@pytest.mark.parametrize(("text", "said"), [("", "empty.csv is empty"), ("a,b\n", "no rows")])
def test_data_without_rows_are_refused_by_their_own_name(folder, text, said):
    (folder / "empty.csv").write_text(text)
    done = call("init", "shop", "--from", "empty.csv")
    assert (done.exit_code, said in done.stderr) == (1, True)
    assert "factory-init-" not in done.stderr
    assert not (folder / "shop").exists()


def test_names_of_columns_are_values_and_nothing_else(folder):
    name = "x\ndatasets: {y: 1}  [red]"
    rows = "".join(f"{n % 9},{n % 2}\n" for n in range(80))
    (folder / "odd.csv").write_text(f'a,"{name}"\n{rows}')
    said = init("--from", "odd.csv", "--target", name)
    model = next(iter(team(folder, "odd")["models"].values()))
    assert model["target"] == name
    assert team(folder, "odd")["datasets"].keys() == {"odd"}
    assert "[red]" in said


def test_what_may_be_otherwise_is_said_with_its_line(folder):
    rows = "".join(f'{n % 9},{n % 7 or -999},"1,{n % 900 + 100}"\n' for n in range(300))
    (folder / "doubts.csv").write_text(f"a,weight,price\n{rows}")
    said = init("--from", "doubts.csv")
    lines = (folder / "shop/configs/doubts.yaml").read_text().splitlines()
    for name, advice in (("price", "`thousands:"), ("weight", "nullif")):
        number = next(n for n, line in enumerate(lines, 1) if line.startswith(f"      {name}: "))
        assert any(
            line.startswith(f"shop/configs/doubts.yaml:{number} ") and advice in line
            for line in said.splitlines()
        ), said


def test_files_that_are_there_stay_as_they_are(folder):
    (folder / "shop").mkdir()
    (folder / "shop/README.md").write_text("mine")
    assert "was there already" in init("--from", "orders.csv")
    assert (folder / "shop/README.md").read_text() == "mine"


def test_team_that_is_there_is_refused_with_what_to_do(folder):
    init("--from", "orders.csv")
    before = (folder / "shop/configs/orders.yaml").read_text()
    done = call("init", "shop", "--from", "orders.csv", "--target", "late")
    assert done.exit_code == 1
    assert "name another team: --team" in done.stderr
    assert (folder / "shop/configs/orders.yaml").read_text() == before


def test_project_without_data_says_how_to_add_a_team(folder):
    assert "factory new team NAME" in init()
    assert (folder / "shop/dags/teams.py").is_file()


def test_dag_files_are_those_of_this_repository(folder):
    init()
    for name in ("teams.py", "config_errors.py"):
        written = (folder / "shop/dags" / name).read_text()
        assert written == (REPOSITORY / "dags" / name).read_text()
    assert yaml.safe_load((folder / "shop/.github/workflows/factory.yaml").read_text())["jobs"]
