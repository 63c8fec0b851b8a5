"""`factory new`, as a person calls it."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from factory.catalog import check_project
from factory.cli.main import app

TEAM = """\
# Ours.
version: 1
team: shop
owner: shop@example.org
datasets:
    orders:  # from the shop's system
        source: {type: csv, path: data/orders.csv}
        columns: {id: BIGINT, paid: BOOLEAN}
        # No check as yet.

# What follows is of others.
environments: {prod: {owner: boss@example.org}}
"""


@pytest.fixture
def project(tmp_path, monkeypatch) -> Path:
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "shop.yaml").write_text(TEAM)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def new(*arguments: str):
    return CliRunner().invoke(app, ["new", *arguments])


def lines(project: Path) -> list[str]:
    return (project / "configs" / "shop.yaml").read_text().splitlines()


@pytest.mark.parametrize("what", ["dataset", "model"])
def test_section_is_added_at_the_end_of_its_part_and_validates(project, what):
    done = new(what, "returns")
    assert done.exit_code == 0, done.output
    assert check_project(project / "configs") == []
    found = lines(project)
    number = next(n for n, line in enumerate(found, 1) if line.strip().startswith("returns:"))
    assert f"configs/shop.yaml:{number}: a {what} returns" in done.stdout
    assert [line for line in TEAM.splitlines() if line not in found] == []
    others = found.index("# What follows is of others.")
    assert (number < others) == (what == "dataset")


def test_added_section_is_indented_as_its_neighbours(project):
    new("dataset", "returns")
    assert "    returns:" in lines(project)
    new("dataset", "refunds")
    found = lines(project)
    assert found.index("    orders:  # from the shop's system") < found.index("    returns:")
    assert found.index("    returns:") < found.index("    refunds:")


def test_model_learns_the_last_declared_column(project):
    new("model", "payment")
    found = "\n".join(lines(project))
    assert "train_on: orders" in found
    assert "target: paid" in found
    assert "task: classification" in found


def test_model_of_an_amount_is_a_regression(project):
    file = project / "configs" / "shop.yaml"
    file.write_text(TEAM.replace("BOOLEAN", "DOUBLE"))
    new("model", "payment")
    assert "sklearn.linear_model.Ridge" in file.read_text()
    assert check_project(project / "configs") == []


def test_new_team_validates_and_is_refused_where_it_is_there(project):
    assert new("team", "sales").exit_code == 0
    assert check_project(project / "configs") == []
    done = new("team", "sales")
    assert (done.exit_code, "is there already" in done.stderr) == (1, True)


@pytest.mark.parametrize("what", ["dataset", "model"])
def test_name_that_is_there_is_refused_with_its_line(project, what):
    done = new(what, "orders")
    assert done.exit_code == 1
    assert "configs/shop.yaml:6: there is `orders` already" in done.stderr
    assert "\n".join(lines(project)) + "\n" == TEAM


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (TEAM.replace("datasets:\n", "datasets: {}\nx:\n"), "written in braces"),
        ("version: 1\n  team: shop\n", "Mend that first"),
        (TEAM.replace("datasets:\n", "models: {a: 1}\ndatasets:\n"), "written in braces"),
    ],
)
def test_file_that_cannot_be_added_to_is_left_as_it_is(project, text, said):
    file = project / "configs" / "shop.yaml"
    file.write_text(text)
    done = new("model" if "models" in text else "dataset", "returns", "--train-on", "shop.orders")
    assert done.exit_code == 1
    assert said in done.stderr
    assert file.read_text() == text


def test_model_without_a_dataset_asks_for_one(project):
    (project / "configs" / "shop.yaml").write_text(TEAM.partition("datasets:")[0])
    assert "--train-on TEAM.DATASET" in new("model", "payment").stderr


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("order", "the team shop has no dataset `order`: did you mean `orders`?"),
        ("lab.sales", "the team lab has no dataset `sales`: it has rows, sale_predictions"),
        ("labs.rows", "configs/labs.yaml is not there: did you mean `lab`?"),
    ],
)
def test_dataset_to_learn_from_must_be_there(project, name, said):
    rows = "rows: {source: {type: csv, path: data/a.csv}}"
    model = "sale: {predict: {input: rows}}"
    (project / "configs" / "lab.yaml").write_text(f"datasets: {{{rows}}}\nmodels: {{{model}}}\n")
    done = new("model", "payment", "--team", "shop", "--train-on", name)
    assert done.exit_code == 1
    assert said in " ".join(done.stderr.split())
    assert new("model", "payment", "--team", "shop", "--train-on", "lab.rows").exit_code == 0


def test_folder_without_a_project_is_left_empty(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for what in ("team", "dataset"):
        assert "`factory init FOLDER` makes a project" in new(what, "sales").stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("datasets", ["[a, b]", "{orders: [1]}", "7"])
def test_file_with_other_problems_gets_a_message(project, datasets):
    file = project / "configs" / "shop.yaml"
    file.write_text(f"version: 1\nteam: shop\ndatasets: {datasets}\n")
    done = new("model", "payment")
    assert (done.exit_code, done.exception.__class__) in ((0, type(None)), (1, SystemExit))


def test_model_does_not_predict_a_day(project):
    file = project / "configs" / "shop.yaml"
    file.write_text(TEAM.replace("paid: BOOLEAN", "day: DATE"))
    new("model", "payment")
    assert "target: id" in file.read_text()
    assert check_project(project / "configs") == []


def test_team_must_be_named_where_there_are_several(project):
    new("team", "sales")
    assert "--team; there are sales, shop" in new("dataset", "returns").stderr
    assert "did you mean `sales`?" in new("dataset", "returns", "--team", "sale").stderr


def test_line_breaks_stay_what_they_are(project):
    file = project / "configs" / "shop.yaml"
    file.write_bytes(TEAM.replace("\n", "\r\n").encode())
    assert new("dataset", "returns").exit_code == 0
    text = file.read_bytes()
    assert text.count(b"\r\n") == text.count(b"\n")
