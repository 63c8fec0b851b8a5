"""The same model again from what is recorded of it, however far datasets and files have gone on."""

import numpy as np
import pytest

from factory.base.errors import TerminalError
from factory.models import switching
from factory.models.predictor import load_predictor
from factory.models.registry import Version
from factory.provenance.reproduction import reproduce
from factory.training.split import read_part
from tests.provenance.conftest import DATASET, Past
from tests.training.models import clustering, model, one_trial

FEW_ADELIES = {
    "type": "sql",
    "query": "select * from source where species <> 'Adelie' or (bill_length_mm * 10) % 4 = 0",
}


def reproduced(past: Past, version: Version, folder):
    return reproduce(
        version, lake=past.lake, tracking=past.tracking, project=folder, workspace=folder
    )


def test_it_says_the_same_bytes_after_the_dataset_has_got_three_more_versions(past, tmp_path):
    assert past.lake.newest(DATASET).version == 4
    found = reproduced(past, past.version(1), tmp_path)
    assert (found.is_equal, found.different, found.shown) == (True, 0, ())
    assert (found.trial, found.rows, found.same_training_rows) == (
        "LogisticRegression C=1",
        60,
        True,
    )
    assert found.packages == ""
    versions = past.tracking.client.search_model_versions(f"name = '{past.name}'")
    assert len(versions) == 3


def test_a_version_that_was_trained_once_more_comes_out_the_same(mlflow_server, tmp_path):
    past = Past(tmp_path / "past", mlflow_server)
    past.folder.mkdir()
    forest = one_trial("sklearn.ensemble.RandomForestClassifier", n_estimators=5)
    section = model(
        train_on=DATASET,
        weights="year",
        class_weight="balanced",
        refit="train+validation",
        search=forest,
    )
    past.train(section, past.publish(300))
    (tmp_path / "again").mkdir()
    found = reproduced(past, past.version(1), tmp_path / "again")
    assert (found.is_equal, found.same_training_rows) == (True, True)


def test_rows_of_which_it_says_something_else_are_shown(past, tmp_path):
    version = past.version(1)
    other = version.record.model_copy(update={"snapshots": {DATASET: 1}})
    found = reproduced(past, Version(other, version.aliases, version.tags), tmp_path)
    assert (found.is_equal, found.same_training_rows) == (False, False)
    assert 0 < len(found.shown) <= 10
    assert found.shown[0].then != found.shown[0].now


def test_a_version_from_before_sections_were_kept_says_so(past, tmp_path, monkeypatch):
    monkeypatch.setattr("factory.models.configuration.CONFIGURATION", "configuration/none.json")
    with pytest.raises(TerminalError, match="its section was not kept"):
        reproduced(past, past.version(1), tmp_path)


def test_a_trial_that_the_section_does_not_make_is_named(past, tmp_path):
    version = past.version(1)
    tags = {**version.tags, "trial": "Perceptron"}
    with pytest.raises(TerminalError, match="makes no trial 'Perceptron' any more"):
        reproduced(past, Version(version.record, version.aliases, tags), tmp_path)


def test_clusters_that_have_the_numbers_of_an_earlier_version_are_made_again(
    tmp_path_factory, mlflow_server, tmp_path
):
    """The second version alone would number them otherwise: of its rows another cluster is the largest."""
    past = Past(tmp_path_factory.mktemp("clusters"), mlflow_server)
    section = {
        "train_on": DATASET,
        "features": ["bill_length_mm", "flipper_length_mm", "body_mass_g"],
        "search": one_trial("sklearn.cluster.KMeans", n_clusters=3),
    }
    past.train(clustering(**section), past.publish(344))
    switching.promote(past.name, 1, instead_of=None, by="ana", why="first", tracking=past.tracking)
    training, _ = past.train(clustering(transforms=[FEW_ADELIES], **section), 0)
    said = load_predictor(past.version(2).record, tracking=past.tracking)
    counts = np.bincount(said.predict(read_part(training.workspace, "train")[0]).values)
    assert counts.tolist() != sorted(counts, reverse=True)
    for number in (1, 2):
        folder = tmp_path / str(number)
        folder.mkdir()
        found = reproduced(past, past.version(number), folder)
        assert (found.is_equal, found.different) == (True, 0)
