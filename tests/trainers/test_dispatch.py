"""Which trainer an estimator gets, and what that imports."""

import subprocess
import sys

import pytest
from pydantic import ValidationError

from factory.base.errors import TerminalError
from factory.base.section import Surroundings
from factory.trainers.dispatch import trainer_class, trainer_class_of, trainer_name, trainer_of
from factory.trainers.fastai.params import TABULAR, VISION
from factory.training.model import Model
from tests.models.records import record
from tests.plugins import installed
from tests.training.models import model

SVC = "sklearn.svm.SVC"
PLUGIN = """
from factory.trainers.trainer import Trainer
from pydantic_core import PydanticCustomError


class Constant(Trainer):
    title = "acme"
    suffix = ".txt"

    @classmethod
    def handles(cls, estimator):
        return estimator.startswith("acme_models.constant.")

    @classmethod
    def check(cls, estimator, params, surroundings, *, spaces=()):
        if "value" not in params:
            yield PydanticCustomError("params", "`value` is missing", {"at": ("params",)})

    def fit(self, estimator, params, features, target, seed, validation=None): ...
    def save(self, model, file): ...
    def load(self, file): ...
    def predict(self, model, features): ...
    def log_model(self, model, logged): ...
    def load_logged(self, folder, packages): ...
"""
CONSTANT = "acme_models.constant.Constant"


@pytest.fixture
def plugin(tmp_path):
    """A plug-in that trains some estimators of the package acme_models."""
    with installed(tmp_path, "acme", PLUGIN, trainer={"acme_models": "Constant"}):
        yield "acme"


def section(estimator, **params):
    trial = {"estimator": estimator, "params": params}
    given = model().model_dump(mode="json", exclude_defaults=True)
    return {**given, "search": {"strategy": "list", "trials": [trial]}}


def around(tmp_path, *plugins):
    return Surroundings(project=tmp_path, python_packages=("acme_models",), plugins=plugins)


@pytest.mark.extras
def test_a_sweep_may_mix_libraries():
    assert type(model().trainer(SVC)).__name__ == "ScikitLearnTrainer"
    assert type(model().trainer(TABULAR)).__name__ == "FastaiTrainer"
    assert type(trainer_of(record(estimator=VISION))).__name__ == "FastaiTrainer"
    assert type(trainer_of(record(estimator=SVC))).__name__ == "ScikitLearnTrainer"
    assert type(trainer_of(record())).__name__ == "ScikitLearnTrainer"


def test_trials_at_the_same_time_share_the_processors(monkeypatch):
    monkeypatch.setattr("factory.training.model.usable_cpus", lambda: 8)
    parallel = model().search.model_copy(update={"parallel_trials": 4})
    assert model().model_copy(update={"search": parallel}).trainer(SVC).threads == 2


@pytest.mark.slow
def test_scikit_learn_needs_no_torch_and_choosing_a_trainer_nothing_heavy():
    code = (
        "import sys, factory.trainers.dispatch as dispatch\n"
        "names = ('fastai.vision.learner.vision_learner', 'sklearn.svm.SVC')\n"
        "print([dispatch.trainer_class(name).learns_from_images(name) for name in names])\n"
        "heavy = ('pandas', 'numpy', 'sklearn', 'mlflow', 'torch', 'fastai')\n"
        "print([name for name in heavy if name in sys.modules])\n"
        "import factory.training.trial, factory.training.register, factory.models.predictor\n"
        "dispatch.trainer_class('sklearn.svm.SVC')('classification')\n"
        "print([name for name in ('torch', 'fastai', 'timm', 'torchvision') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:3] == ["[True, False]", "[]", "[]"]


def test_without_the_extra_its_name_is_said(monkeypatch):
    found = "factory.trainers.trainer.find_spec"
    monkeypatch.setattr(found, lambda name: None if name == "torch" else True)
    with pytest.raises(
        TerminalError, match=r'needs torch, .* pip install "ml-dag-factory\[fastai\]"'
    ):
        trainer_of(record(estimator=VISION))


def test_a_plugins_trainer_gets_the_estimators_that_it_claims(plugin):
    assert trainer_class(CONSTANT).title == "acme"
    assert trainer_name("acme_models.other.Model") == "scikit_learn"
    assert trainer_class_of(record(estimator=CONSTANT, trainer="acme_models")).title == "acme"


def test_a_plugins_trainer_checks_its_parameters(plugin, tmp_path):
    allowed = around(tmp_path, plugin)
    Model.model_validate(section(CONSTANT, value=1), context=allowed)
    with pytest.raises(ValidationError, match="`value` is missing"):
        Model.model_validate(section(CONSTANT), context=allowed)


def test_a_plugins_trainer_that_is_not_allowed_is_not_loaded(plugin, tmp_path):
    with pytest.raises(ValidationError, match="by the plug-in `acme`, which is not allowed here"):
        Model.model_validate(section(CONSTANT, value=1), context=around(tmp_path))
    assert "acme" not in sys.modules


def test_a_version_is_read_by_the_trainer_that_made_it(plugin):
    """It was registered before the plug-in was installed."""
    before = record(estimator=CONSTANT, trainer="scikit_learn")
    assert trainer_class_of(before).title == "scikit-learn"
    assert trainer_class_of(record(estimator=CONSTANT)).title == "scikit-learn"


def test_a_version_whose_plugin_is_gone_is_refused():
    gone = record("sea.cod", 3, estimator=CONSTANT, trainer="acme_models")
    with pytest.raises(
        TerminalError, match=r"sea\.cod version 3: there is no trainer 'acme_models'"
    ):
        trainer_class_of(gone)
