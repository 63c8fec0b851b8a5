"""Trials as jobs in the document: only `trial` changes, between a setup and a teardown."""

from pathlib import Path
from typing import Any

import pytest

from factory.catalog import read_all
from factory.documents.compile import compile_one
from factory.documents.installation import Installation
from factory.training.model import Model

MODEL = """\
version: 1
team: sea
owner: sea@example.org
datasets:
  a: {source: {type: csv, path: data/a.csv}}
models:
  m:
    task: regression
    train_on: a
    target: mass
    search: {strategy: list, trials: [{estimator: sklearn.linear_model.Ridge}]}
    objective: {metric: r2}
"""
LOCAL = "    backend: {type: local-process}\n"
REMOTE = """\
    backend:
      type: sagemaker
      role: arn:aws:iam::123456789012:role/training
      image: 123456789012.dkr.ecr.us-east-1.amazonaws.com/training:1
      instance_type: ml.m5.large
      max_cost: 0.5
"""
PRICES = {"ml.m5.large": 0.115}


def document(project: Path, backend: str) -> dict[str, Any]:
    configs = project / "configs"
    configs.mkdir(exist_ok=True)
    (configs / "_defaults.yaml").write_text("prices: {ml.m5.large: 0.115}\n")
    (configs / "sea.yaml").write_text(MODEL + backend)
    read = read_all(configs, "dev")
    assert not read.problems
    installation = Installation(
        storage="s3://lake", workspace="/scratch", project=project, prices=PRICES
    )
    found = compile_one(read.teams["sea"].team, "sea.m.train", installation)
    assert found is not None
    return found


def test_model_without_backend_trains_in_its_tasks(tmp_path):
    tasks = document(tmp_path, "")["tasks"]
    assert "start_training" not in tasks
    assert tasks["trial"]["dependencies"] == ["plan_trials"]


@pytest.mark.parametrize("backend", [LOCAL, REMOTE])
def test_backend_stands_around_the_trials_and_changes_nothing_else(tmp_path, backend):
    plain, jobs = document(tmp_path, "")["tasks"], document(tmp_path, backend)["tasks"]
    assert list(jobs) == [
        *("open_workspace", "inputs", "split", "plan_trials", "start_training", "trial"),
        *("stop_training", "select_best", "test", "register", "gate", "promote"),
        *("keep_champion", "close_workspace"),
    ]
    assert jobs["start_training"]["dependencies"] == ["plan_trials"]
    assert jobs["trial"]["dependencies"] == ["plan_trials", "start_training"]
    assert jobs["stop_training"]["dependencies"] == ["open_workspace", "start_training", "trial"]
    assert "stop_training" in jobs["close_workspace"]["dependencies"]
    changed = {name for name in plain if plain[name] != jobs[name]}
    assert changed == {"trial", "close_workspace"}
    assert (
        jobs["trial"]["expand"] == plain["trial"]["expand"] == {"op_kwargs": "plan_trials.output"}
    )


def test_price_of_the_instance_is_known_to_the_tasks(tmp_path):
    remote = document(tmp_path, REMOTE)
    shared = remote["default_args"]["shared"]
    assert shared["price"] == 0.115
    assert shared["section"]["backend"]["max_cost"] == 0.5
    assert remote["tasks"]["trial"]["max_active_tis_per_dagrun"] == 2
    assert "price" not in document(tmp_path, LOCAL)["default_args"]["shared"]


def test_backend_does_not_change_what_is_trained(tmp_path):
    sections = [
        document(tmp_path, backend)["default_args"]["shared"]["section"]
        for backend in ("", LOCAL, REMOTE)
    ]
    for section in sections[1:]:
        assert {key: value for key, value in section.items() if key != "backend"} == sections[0]
    assert len({Model.model_validate(section).config_hash for section in sections}) == 1
