"""A stored model in other versions of its packages."""

import importlib.metadata

import numpy as np
import pandas as pd
import pytest

from factory.models.predictor import read_predictor
from factory.models.replay import OtherPredictionsError, RecordedExample, check_replay
from factory.trainers.trainer import Predictions
from tests.training.models import model, one_trial, penguins
from tests.training.training import Training

ROWS = pd.DataFrame({"x": [1.0, 2.0]})


class Says:
    """A trainer whose models say what they are made of."""

    def predict(self, said, rows) -> Predictions:
        assert rows is ROWS
        if isinstance(said, Exception):
            raise said
        return Predictions(np.asarray(said))


def replay(said, recorded) -> None:
    check_replay("a.b version 3", recorded, Says(), said, ROWS)


OLD = {"scikit-learn": "0.1"}


def test_model_that_says_the_same_in_another_version_is_taken():
    replay([1.0, 2.0 + 1e-9], RecordedExample(predictions=(1.0, 2.0), packages=OLD))
    replay(np.array(["a", "b"], object), RecordedExample(predictions=("a", "b"), packages=OLD))


def test_model_that_says_something_else_in_another_version_is_refused():
    with pytest.raises(OtherPredictionsError) as refused:
        replay([1.0, 2.5], RecordedExample(predictions=(1.0, 2.0), packages=OLD))
    here = importlib.metadata.version("scikit-learn")
    assert str(refused.value) == (
        "a.b version 3 says something else for 1 of the 2 rows that it was registered with: it was "
        f"trained with scikit-learn 0.1 (here: {here}). Train it again, or install the versions in its "
        "requirements.txt"
    )


def test_model_that_cannot_be_asked_in_another_version_is_refused():
    with pytest.raises(OtherPredictionsError, match=r"cannot be asked here \(no attribute x\)"):
        replay(
            AttributeError("no attribute x"), RecordedExample(predictions=(1.0, 2.0), packages=OLD)
        )


def test_model_in_its_own_versions_is_not_asked():
    own = {"scikit-learn": importlib.metadata.version("scikit-learn")}
    replay(AssertionError("asked"), RecordedExample(predictions=(1.0, 2.0), packages=own))
    replay(AssertionError("asked"), None)


def test_registered_version_says_what_it_said_and_in_which_packages(tmp_path, mlflow_server):
    section = model(search=one_trial("sklearn.linear_model.LogisticRegression"))
    training = Training(penguins(), section, tmp_path, mlflow_server)
    record = training.all().record
    assert record.example is not None
    assert set(record.example.predictions) <= {"Adelie", "Chinstrap", "Gentoo"}
    versions = record.example.packages
    assert versions["scikit-learn"] == importlib.metadata.version("scikit-learn")
    assert read_predictor(record, record.uri).record == record

    said = tuple("Adelie" if each == "Gentoo" else "Gentoo" for each in record.example.predictions)
    other = record.example.model_copy(
        update={"predictions": said, "packages": {**versions, "scikit-learn": "0.1"}}
    )
    with pytest.raises(OtherPredictionsError, match="was registered with"):
        read_predictor(record.model_copy(update={"example": other}), record.uri)
