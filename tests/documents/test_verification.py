"""Who reads snapshots says how their files are looked at; the platform may say it for all."""

from pathlib import Path

import pytest

from factory.catalog import read_all
from factory.documents.compile import compile_team
from factory.documents.dag import Shared
from factory.documents.installation import Installation

TEAM = """\
version: 1
team: sea
owner: sea@example.org
datasets:
  raw: {source: {type: csv, path: data/a.csv}}
  clean: {source: {type: dataset, dataset: raw}, verify: VERIFY}
models:
  species:
    task: classification
    train_on: clean
    target: species
    search: {strategy: list, trials: [{estimator: sklearn.dummy.DummyClassifier}]}
    objective: {metric: accuracy}
    predict: {input: clean}
    monitor: {}
"""


def verified(folder: Path, team: str, defaults: str = "") -> dict[str, str]:
    """How each DAG looks at snapshots."""
    (folder / "_defaults.yaml").write_text(f"version: 1\n{defaults}")
    (folder / "sea.yaml").write_text(team)
    read = read_all(folder, None)
    assert read.problems == ()
    documents = compile_team(read.teams["sea"].team, Installation("lake", "/scratch", folder))
    return {
        dag_id: Shared.from_data(document["default_args"]["shared"]).verify
        for dag_id, document in documents.items()
    }


def test_a_sample_is_looked_at_unless_a_section_says_otherwise(tmp_path):
    found = verified(tmp_path, TEAM.replace("VERIFY", "full"))
    assert found == {
        "sea.raw": "sample",
        "sea.clean": "full",
        "sea.species.train": "sample",
        "sea.species.predict": "sample",
        "sea.species.monitor": "sample",
    }


@pytest.mark.parametrize("how", ["full", "off"])
def test_the_platform_may_say_it_for_all_and_a_team_for_its_own(tmp_path, how):
    defaults = f"datasets: {{verify: '{how}'}}\nmodels: {{verify: '{how}'}}\n"
    found = verified(tmp_path, TEAM.replace("VERIFY", "sample"), defaults)
    assert found.pop("sea.clean") == "sample"
    assert set(found.values()) == {how}
