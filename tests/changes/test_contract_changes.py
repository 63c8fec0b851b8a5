"""What a change of a dataset's contract breaks: which readers, by which of their columns."""

from pathlib import Path

import pytest

from factory.catalog import read_all
from factory.changes.contract_changes import contract_changes

SEA = """\
version: 1
team: sea
owner: sea@example.org
datasets:
  catches:
    source: {type: csv, path: data/catches.csv}
    columns: {id: BIGINT, species: VARCHAR, weight: DOUBLE, port: VARCHAR}
    checks:
      - {check: not_null, columns: [id, species]}
      - {check: between, column: weight, min: 0, max: 10}
      - {check: accepted_values, column: port, values: [Kiel, Oslo]}
      - {check: row_count, min: 10}
    share_with: [lab]
"""
LAB = """\
version: 1
team: lab
owner: lab@example.org
datasets:
  heavy:
    source: {type: dataset, dataset: sea.catches}
    transforms: [{type: sql, query: "select id from source where weight > 2"}]
  copy:
    source: {type: dataset, dataset: sea.catches}
    transforms: [{type: python, call: our_package.tidy}]
    checks:
      - {check: relationships, column: port, to: sea.catches, field: port}
models:
  species:
    task: classification
    train_on: sea.catches
    target: species
    features: [weight]
    search: {strategy: list, trials: [{estimator: sklearn.linear_model.LogisticRegression}]}
    objective: {metric: f1_macro}
"""


def catalog(folder: Path, sea: str, lab: str = LAB):
    configs = folder / "configs"
    configs.mkdir(parents=True)
    (configs / "_defaults.yaml").write_text("version: 1\npython_packages: [sklearn, our_package]\n")
    (configs / "sea.yaml").write_text(sea)
    (configs / "lab.yaml").write_text(lab)
    return read_all(configs, None).catalog


def changed(folder: Path, *replaced: tuple[str, str], lab: str = LAB, sea: str = SEA):
    before = catalog(folder / "before", sea)
    assert not before.unreadable
    for old, new in replaced:
        assert old in sea
        sea = sea.replace(old, new)
    now = catalog(folder / "now", sea, lab)
    found = contract_changes(before, now, ["sea.catches"], folder)
    return {one.text: set(one.breaks) for one in found}


def test_nothing_is_said_of_a_contract_that_stays_the_same(tmp_path):
    assert changed(tmp_path, ("[id, species]", "[species, id]")) == {}


def test_a_column_that_is_gone_breaks_who_uses_it_by_name_or_in_sql(tmp_path):
    found = changed(tmp_path, (", weight: DOUBLE", ""))
    assert found == {
        "the column `weight` is gone": {
            "lab.heavy (uses weight)",
            "lab.copy (may use weight)",
            "lab.species (uses weight)",
        }
    }


def test_who_is_known_not_to_use_a_column_is_left_alone(tmp_path):
    assert changed(tmp_path, (", port: VARCHAR", "")) == {
        "the column `port` is gone": {"lab.copy (uses port)"}
    }


def test_a_column_that_no_reader_uses_any_more_breaks_nobody(tmp_path):
    lab = LAB[: LAB.index("  copy:")] + LAB[LAB.index("models:") :]
    found = changed(tmp_path, (", port: VARCHAR", ""), lab=lab)
    assert found == {"the column `port` is gone": set()}


@pytest.mark.parametrize(
    ("old", "new", "text", "breaks"),
    [
        ("BIGINT", "INTEGER", "the column `id` is INTEGER, and was BIGINT", True),
        ("BIGINT", "DOUBLE", "the column `id` is DOUBLE, and was BIGINT, which is wider", False),
        ("DOUBLE", "VARCHAR", "the column `weight` is VARCHAR, and was DOUBLE", True),
        ("port: VARCHAR", "port: VARCHAR, day: DATE", "the column `day` is new", False),
        ("[id, species]", "[id]", "not_null(species) is no longer checked", True),
        ("max: 10", "max: 20", "between(weight: 0 to 10) is loosened to between(weight: 0 to 20)", True),
        ("max: 10", "max: 5", "between(weight: 0 to 5) is checked now", False),
        (
            "[Kiel, Oslo]", "[Kiel, Oslo, Riga]",
            "accepted_values(port: Kiel, Oslo) is loosened to accepted_values(port: Kiel, Oslo, Riga)",
            True,
        ),
        ("[Kiel, Oslo]", "[Kiel]", "accepted_values(port: Kiel) is checked now", False),
        ("min: 10", "min: 10, on_fail: warn", "row_count(at least 10) only warns now", True),
        ("share_with: [lab]", "share_with: []", "it is no longer shared with lab", True),
        ("  catches:", "  landings:", "the dataset is gone", True),
        (
            "    columns: {id: BIGINT, species: VARCHAR, weight: DOUBLE, port: VARCHAR}\n", "",
            "only a run tells the columns now",
            True,
        ),
    ],
)  # fmt: skip
def test_what_lets_more_through_or_takes_away_breaks_and_what_promises_more_does_not(
    tmp_path, old, new, text, breaks
):
    found = changed(tmp_path, (old, new))
    assert bool(found[text]) == breaks
    assert all(not readers for other, readers in found.items() if other != text)


def test_what_breaks_comes_first(tmp_path):
    found = changed(tmp_path, ("port: VARCHAR", "day: DATE"))
    assert list(found) == ["the column `port` is gone", "the column `day` is new"]


def test_a_file_that_cannot_be_read_now_takes_no_promise_back(tmp_path):
    assert changed(tmp_path, ("owner:", "ownr:")) == {}


def test_where_no_file_tells_columns_what_is_read_by_name_is_known_and_sql_may_use_it(tmp_path):
    sea = SEA.replace(
        "    columns: {id: BIGINT, species: VARCHAR, weight: DOUBLE, port: VARCHAR}\n", ""
    )
    found = changed(tmp_path, ("[id, species]", "[species]"), ("max: 10", "max: 20"), sea=sea)
    assert found == {
        "not_null(id) is no longer checked": {"lab.heavy (may use id)", "lab.copy (may use id)"},
        "between(weight: 0 to 10) is loosened to between(weight: 0 to 20)": {
            "lab.heavy (may use weight)",
            "lab.copy (may use weight)",
            "lab.species (uses weight)",
        },
    }
