"""`factory test`, as a person calls it."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from factory.cli.main import app

TEAM = """\
version: 1
team: shop
owner: shop@example.org
datasets:
  orders:
    source: {type: csv, path: data/orders.csv, decimal: ","}
    checks:
      - {check: row_count, min: 300}
      - {check: unique, columns: [id]}
      - {check: between, column: amount, min: 0}
  totals:
    source: {type: dataset, dataset: orders}
    reads: [orders]
    transforms:
      - type: sql
        query: select a.id, b.amount * 2 as twice, '{{ run.date }}' as day from source a join shop.orders b using (id)
"""
FILES = {
    "configs/shop.yaml": TEAM,
    "tests/shop/orders/input.csv": 'id;amount;note\n1;1,5;a\n2;2,5;""\n3;;x\n',
    "tests/shop/orders/expected.csv": "id,amount,note\n3,,x\n1,1.5,a\n2,2.5,\n",
    "tests/shop/totals/input.csv": "id\n1\n2\n",
    "tests/shop/totals/shop.orders.csv": "id,amount\n1,1.5\n2,2.5\n",
    "tests/shop/totals/expected.csv": "id,twice,day\n1,3.0,2024-01-01\n2,5.0,2024-01-01\n",
}


@pytest.fixture
def project(tmp_path, monkeypatch) -> Path:
    for name, text in FILES.items():
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: str):
    return CliRunner().invoke(app, ["test", "--no-build", *arguments])


def test_transforms_and_checks_give_the_expected_rows_without_a_lake(project):
    done = run()
    assert done.exit_code == 0, done.output
    assert "shop  2 DAGs rendered\n" in done.stdout
    assert "shop.orders  3 rows as expected" in done.stdout
    assert "shop.totals  2 rows as expected" in done.stdout
    assert not (project / ".factory").exists()


def test_checks_of_all_rows_are_left_out_and_said_to_be(project):
    assert "not of a few rows: row_count(at least 300)" in run().stdout


def test_what_differs_is_shown_cell_by_cell_and_fails(project):
    expected = project / "tests/shop/orders/expected.csv"
    expected.write_text("id,amount,note\n1,1.5,a\n2,2.6,\n4,1,x\n")
    done = run("shop")
    assert done.exit_code == 1
    assert "shop.orders  differs: 1 missing, 1 unexpected, 1 changed" in done.stdout
    assert ["changed", "2,", "2.6,", "null", "amount", "2.6", "2.5"] in [
        line.split() for line in done.stdout.splitlines()
    ]


def test_update_writes_what_came_out(project):
    file = project / "tests/shop/totals/expected.csv"
    file.write_text("id\n")
    assert run("--update").exit_code == 0
    assert file.read_text() == FILES["tests/shop/totals/expected.csv"]


def test_check_that_fails_on_the_inputs_fails_the_test(project):
    (project / "tests/shop/orders/input.csv").write_text("id;amount;note\n1;-1,5;a\n")
    (project / "tests/shop/orders/expected.csv").write_text("id,amount,note\n1,-1.5,a\n")
    done = run()
    assert done.exit_code == 1
    assert "between(amount: at least 0) fails: 1 rows" in done.stdout


def test_missing_input_is_named(project):
    (project / "tests/shop/totals/shop.orders.csv").unlink()
    done = run()
    assert done.exit_code == 1
    assert "tests/shop/totals/shop.orders.csv is not there" in done.stdout


@pytest.mark.parametrize("name", ["input.csv", "expected.csv"])
def test_link_that_leads_elsewhere_is_not_read(project, name):
    (project / "secret.csv").write_text("id,amount,note\n1,2,hidden\n")
    file = project / "tests/shop/orders" / name
    file.unlink()
    file.symlink_to(project / "secret.csv")
    done = run()
    assert done.exit_code == 1
    assert "leads outside of" in done.stdout
    assert "hidden" not in done.output


def test_dataset_without_a_test_is_said_to_have_none_and_does_not_fail(project):
    (project / "tests/shop/totals/input.csv").unlink()
    done = run()
    assert done.exit_code == 0
    assert "shop.totals  no test: tests/shop/totals/input.csv is not there" in done.stdout


def test_team_file_with_a_problem_fails(project):
    (project / "configs/broken.yaml").write_text("version: 1\nteam: broken\n")
    done = run()
    assert done.exit_code == 1
    assert "broken.yaml" in done.stderr


@pytest.mark.slow
def test_dags_are_built_too(project):
    done = CliRunner().invoke(app, ["test"])
    assert done.exit_code == 0, done.output
    assert "shop  2 DAGs rendered and built" in done.stdout
