"""Mistakes in fastai's estimators that are found without a row of data; `golden_problems/fastai` has more."""

import sys

from factory.trainers.fastai.estimator_check import answer
from factory.trainers.fastai.params import VISION
from factory.trainers.fastai.trainer import FastaiTrainer
from factory.trainers.trainer import WrittenEstimator


def test_without_timm_its_architectures_are_not_judged_and_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "timm", None)
    written = WrittenEstimator(VISION, {"arch": ["resnet43"]}, "classification", has_spaces=True)
    [question] = FastaiTrainer.questions(written)
    [one] = question.tell(answer(question.argument).value)
    assert (one.name, one.path) == ("not_looked_at", ("params", "arch", 0))
    assert one.message.endswith(
        "could not be looked at: there is no package 'timm' on this machine"
    )
    assert one.suggestion.endswith('pip install "ml-dag-factory[fastai]"')


def test_where_no_architecture_is_written_nobody_is_asked():
    assert list(FastaiTrainer.questions(WrittenEstimator(VISION, {}, "classification"))) == []
