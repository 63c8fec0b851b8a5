import pytest
from pydantic import ValidationError

from factory.base.section import Surroundings
from factory.team.reader import read_platform, read_team
from factory.training.model import Model
from tests.plugins import installed
from tests.test_architecture import PACKAGE
from tests.training.models import model, regression

METRIC = """
from factory.training.metrics import Metric

def _cost(target, predicted, each=1.0):
    return each * float((target != predicted).sum())

COST = Metric("acme_cost", ("classification",), "minimize", _cost, options={"each": 5.0})
"""


@pytest.fixture
def plugin(tmp_path):
    with installed(tmp_path, "acme_metrics", METRIC, metric={"acme_cost": "COST"}):
        yield Surroundings(tmp_path, ("sklearn",), plugins=("acme_metrics",))


def read(section, surroundings):
    return Model.model_validate(section, context=surroundings)


def section_of(**changes):
    return model().model_dump(mode="json", exclude_defaults=True) | changes


@pytest.mark.parametrize(
    ("team", "name", "expected"),
    [("clinic", "progression", "f39393a767b9"), ("ecology", "species", "b32be46f02a1")],
)
def test_the_configuration_hash_of_shipped_models_is_that_of_registered_versions(
    team, name, expected
):
    configs = PACKAGE.parent / "configs"
    file = read_team(configs / f"{team}.yaml", read_platform(configs, None), None)
    assert file.team.models[name].config_hash == expected


def test_the_configuration_hash_of_a_model_with_every_key_is_that_of_registered_versions():
    candidate = {
        "estimator": "sklearn.linear_model.Ridge",
        "params": {"alpha": {"loguniform": [1e-4, 1.0]}, "solver": ["svd", None]},
    }
    every = {
        "description": "All there is.",
        "task": "regression",
        "train_on": {"any": ["a", "marine.b"]},
        "schedule": "@daily",
        "transforms": [{"type": "sql", "query": "select * from source"}],
        "target": "y",
        "features": ["x1", "x2"],
        "preprocessing": "acme.f",
        "split": {"method": "time", "column": "day", "seed": 3},
        "search": {
            "strategy": "random",
            "trials": 3,
            "seed": 7,
            "parallel_trials": 9,
            "max_failed_trials": 1,
            "candidates": [candidate],
        },
        "objective": {"metric": "r2", "goal": "maximize"},
        "promotion": {"require": {"r2": {"min": 0.1}}, "dry_run": True},
        "retrain_when": {"rows_added": 5},
        "predict": {"input": "a", "keep": ["id"]},
        "notify": {"on_failure": []},
    }
    assert Model.model_validate(every).config_hash == "1860e5652a58"


def test_the_configuration_hash_follows_what_decides_the_model():
    plain = model().config_hash
    assert model(description="Other words.").config_hash == plain
    assert model(metrics=["accuracy"]).config_hash == plain
    assert model(verify="full").config_hash == plain
    assert model(promotion={"require": {"accuracy": {"min": 0.5}}}).config_hash == plain
    rules = {
        "require": {"model_mb": {"max": 5}},
        "confidence": 0.9,
        "slices": {"columns": ["sex"]},
    }
    assert model(promotion=rules).config_hash == plain
    # A cost is no metric, which would be computed for each trial.
    assert model(promotion=rules).as_trained() == model().as_trained()
    assert model(split={"seed": 1}).config_hash != plain
    parallel = {**model().search.model_dump(), "parallel_trials": 9}
    assert model(search=parallel).config_hash == plain


def test_training_reads_what_is_not_marked_and_what_is_marked_as_read():
    section = section_of(
        description="Birds.",
        schedule="@daily",
        predict={"input": "penguins"},
        search={**model().search.model_dump(exclude_defaults=True), "parallel_trials": 3},
    )
    trained = Model.model_validate(section).as_trained()
    assert set(trained) == {"description", "task", "train_on", "target", "search", "objective"}
    assert trained["search"]["parallel_trials"] == 3
    assert "predict" in Model.model_validate(section).as_trained("predict")


def test_a_split_is_stratified_for_classes_and_random_for_numbers():
    assert (model().split_method, regression().split_method) == ("stratified", "random")
    assert model(split={"method": "random"}).split_method == "random"


def test_a_metric_of_a_plugin_may_be_the_objective(plugin):
    found = read(section_of(objective={"metric": "acme_cost"}), plugin)
    assert found.goal == "minimize"
    assert found.computed_metrics[-1].name == "acme_cost"
    # A task reads its document without knowing what plug-ins are allowed.
    again = Model.model_validate(found.as_trained())
    assert again.computed_metrics == found.computed_metrics


def test_a_metric_of_a_plugin_that_only_promotion_names_is_computed_in_training(plugin):
    found = read(section_of(promotion={"require": {"acme_cost": {"max": 10}}}), plugin)
    again = Model.model_validate(found.as_trained())
    assert [one.name for one in again.computed_metrics][-1] == "acme_cost"
    assert "acme_cost" not in [one.name for one in model().computed_metrics]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"metrics": ["acme_cost"], "task": "regression"}, "'f1_macro' is not computed for reg"),
        ({"metrics": ["acme_costs"]}, "'acme_costs' is not computed for classification"),
        ({"promotion": {"require": {"acme_cost": {"max": -1}}}}, "acme_cost is at least 0"),
    ],
)
def test_a_metric_of_a_plugin_is_checked_as_any_other(plugin, changes, message):
    with pytest.raises(ValidationError, match=message):
        read(section_of(**changes), plugin)


def test_a_metric_of_a_plugin_that_is_not_allowed_is_unknown(plugin):
    surroundings = Surroundings(plugin.project, plugin.python_packages)
    with pytest.raises(ValidationError, match="'acme_cost' is not computed for classification"):
        read(section_of(metrics=["acme_cost"]), surroundings)
