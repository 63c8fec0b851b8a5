"""What somebody reads who is asked for an approval: the scores, where to look, and what is other than in the champion."""

import re

import pytest

from factory.models import registry
from factory.models.gate import gate
from factory.models.promotion import Promotion
from factory.models.question import approval_question
from factory.training.model import Model
from tests.data.rows import lake_in
from tests.training.models import model, one_trial, penguins
from tests.training.training import Training

PAGE = "http://airflow.example/dags/ecology.species.train/runs/manual__2"


RULES = Promotion.model_validate(
    {
        "beat_champion": False,
        "require": {"model_mb": {"max": 50}},
        "slices": {"columns": ["sex"], "max_loss": 1, "min_rows": 20},
    }
)


class Asked:
    """A champion, and another version that somebody is asked about."""

    def __init__(self, folder, uri: str, first: Model, second: Model) -> None:
        self.champion = Training(penguins(), first, folder / "a", uri)
        self.champion.all()
        name = self.champion.name
        self.challenger = Training(
            penguins(), second, folder / "b", uri, run_id="manual__2", name=name
        )
        self.tracking = self.challenger.tracking
        registry.set_alias(name, "champion", 1, tracking=self.tracking)
        self.challenger.plan()
        trials = self.challenger.planned.trials
        selection = self.challenger.select([self.challenger.evaluate(one.index) for one in trials])
        tested = self.challenger.test(selection)
        registration = self.challenger.register(selection, tested)
        self.decision = gate(
            self.challenger.split,
            tested,
            second,
            RULES,
            folder / "b",
            name=name,
            version=2,
            mlflow_run_id=registration.record.mlflow_run_id,
            tracking=self.tracking,
        )
        versions = (registry.version(name, number, tracking=self.tracking) for number in (2, 1))
        self.text = approval_question(
            self.decision,
            *versions,
            tracking=self.tracking,
            lake=lake_in(folder),
            page=PAGE,
            snapshot_page=lambda name, number: f"{PAGE}/{name}/{number}",
        )


@pytest.fixture(scope="module")
def changed(tmp_path_factory, mlflow_server) -> Asked:
    folder = tmp_path_factory.mktemp("changed")
    forest = one_trial("sklearn.tree.DecisionTreeClassifier", max_depth=1)
    return Asked(folder, mlflow_server, model(), model(search=forest))


def test_it_shows_the_scores_of_both(changed):
    assert "| test metric | champion (version 1) | challenger (version 2) |" in changed.text


def test_it_shows_thresholds_and_slices(changed):
    assert "Thresholds:\n\n* met: model_mb 0." in changed.text
    assert (
        "0 of 2 slices are worse by more than 1; left out: 1 of fewer than 20 rows." in changed.text
    )
    assert "| sex = female | " in changed.text


def test_it_leads_to_the_version_its_training_its_plots_and_the_run(changed):
    links = dict(re.findall(r"\[([^]]+)\]\((\S+)\)", changed.text))
    address = changed.tracking.public_uri
    run_id = changed.decision.mlflow_run_id
    training = "?workflowType=machine_learning"
    page = f"{address}/#/models/{changed.decision.model}/versions"
    assert links["version 2"] == f"{page}/2{training}"
    assert links["champion, version 1"] == f"{page}/1{training}"
    assert links["its training"].endswith(f"/runs/{run_id}{training}")
    assert links["plots"].endswith(f"/runs/{run_id}/artifacts/test{training}")
    assert links["the run in Airflow"] == PAGE


def test_it_shows_what_each_was_trained_on(changed):
    version = f"[version 3]({PAGE}/marine.penguins/3)"
    assert f"| marine.penguins | {version} | {version} |" in changed.text


def test_it_shows_what_has_changed_in_the_configuration(changed):
    difference = changed.text.partition("```diff\n")[2].partition("```")[0].splitlines()
    assert "+  - estimator: sklearn.tree.DecisionTreeClassifier" in difference
    assert "-  - estimator: sklearn.linear_model.LogisticRegression" in difference
    assert not changed.decision.says_the_same


def test_one_that_says_the_same_as_the_champion_is_called_so(tmp_path, mlflow_server):
    same = Asked(tmp_path, mlflow_server, model(), model())
    assert same.decision.says_the_same
    assert "**It says the same as the champion of all 69 test rows.**" in same.text
    assert "The configuration is the same." in same.text


def test_addresses_for_people_may_be_others_than_those_for_tasks(changed, monkeypatch):
    monkeypatch.setenv("FACTORY_MLFLOW_URL", "https://mlflow.example.org/")
    page = changed.tracking.version_page("ecology.species", 7)
    assert page.startswith("https://mlflow.example.org/#/models/ecology.species/versions/7?")
