"""Trials that cannot be trained are refused before one is."""

import pytest

from factory.base.errors import TerminalError
from factory.training.sweep import refuse_wrong
from tests.training.models import model

LOGISTIC = "sklearn.linear_model.LogisticRegression"


def planned(*params, **search):
    trials = [{"estimator": LOGISTIC, "params": one} for one in params]
    one = model(search={"strategy": "list", "trials": trials, **search})
    return one.search.expand(), one


def test_the_sixth_of_six_stops_the_run_with_the_words_of_validate():
    rights = [{"C": 0.1 * number} for number in range(1, 6)]
    with pytest.raises(TerminalError) as caught:
        refuse_wrong(*planned(*rights, {"C": -1}))
    assert str(caught.value) == (
        "1 of 6 trials cannot be trained, and `search.max_failed_trials` is 0. LogisticRegression C=-1: "
        "`C` of LogisticRegression must be a number above 0, found the number -1: its default is 1.0"
    )


def test_as_many_as_may_fail_are_only_told(caplog):
    refuse_wrong(*planned({"C": 1}, {"C": 1, "penalty": "l1"}, max_failed_trials=1))
    assert "LogisticRegression penalty=l1: LogisticRegression refuses `penalty: l1`" in caplog.text


def test_where_none_is_left_nothing_is_trained():
    with pytest.raises(TerminalError, match="1 of 1 trials cannot be trained"):
        refuse_wrong(*planned({"max_dept": 1}, max_failed_trials=3))


def test_trials_without_mistakes_go_on():
    refuse_wrong(*planned({"C": 1}, {"C": 10, "solver": "saga"}))
