"""Which trainer an estimator gets, and what that imports."""

import subprocess
import sys

import pytest

from factory.base.errors import TerminalError
from factory.trainers.dispatch import trainer_for, trainer_of
from factory.trainers.fastai import entry as package
from factory.trainers.fastai.params import TABULAR, VISION
from tests.training.models import model


@pytest.mark.extras
def test_a_sweep_may_mix_libraries():
    section = model()
    assert type(trainer_for(section, "sklearn.svm.SVC")).__name__ == "ScikitLearnTrainer"
    assert type(trainer_for(section, TABULAR)).__name__ == "FastaiTrainer"
    assert type(trainer_of("classification", VISION)).__name__ == "FastaiTrainer"
    assert type(trainer_of("classification")).__name__ == "ScikitLearnTrainer"


@pytest.mark.slow
def test_scikit_learn_needs_no_torch():
    code = (
        "import sys, factory.training.trial, factory.training.register, factory.trainers.dispatch, factory.models.predictor\n"
        "factory.trainers.dispatch.trainer_of('classification', 'sklearn.svm.SVC')\n"
        "print([name for name in ('torch', 'fastai', 'timm', 'torchvision') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_without_the_extra_its_name_is_said(monkeypatch):
    monkeypatch.setattr(package, "find_spec", lambda name: None if name == "torch" else True)
    with pytest.raises(
        TerminalError, match=r'needs torch, .* pip install "ml-dag-factory\[fastai\]"'
    ):
        trainer_of("classification", VISION)
