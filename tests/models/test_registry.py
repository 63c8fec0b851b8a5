"""The registry's aliases and tags, and reading versions back, on a real MLflow server."""

import tempfile

import mlflow
import pandas as pd
import pytest
import sklearn.linear_model
from mlflow.exceptions import RestException

from factory.base.errors import TerminalError
from factory.models import registry, switching
from factory.models.files import TamperedError
from factory.models.predictor import load_predictor
from factory.training.split import read_part

BY = {"by": "ana", "why": "it is better"}


def aliases(name, tracking) -> dict[str, int]:
    found = tracking.client.get_registered_model(name).aliases
    return {alias: int(number) for alias, number in found.items()}


def test_an_alias_that_another_caller_inserts_in_between_is_set_all_the_same(named, monkeypatch):
    name, tracking = named
    set_alias = tracking.client.set_registered_model_alias
    calls = []

    def overtaken(model, alias, number):
        calls.append(number)
        if len(calls) > 1:
            return set_alias(model, alias, number)
        # What MLflow answers when the row is there between its look and its insert.
        set_alias(model, alias, "3")
        raise RestException({"error_code": "BAD_REQUEST", "message": "(sqlite3.IntegrityError)"})

    monkeypatch.setattr(tracking.client, "set_registered_model_alias", overtaken)
    registry.set_alias(name, "champion", 2, tracking=tracking)
    assert calls == ["2", "2"]
    assert aliases(name, tracking) == {"champion": 2}


def test_versions_come_newest_first_with_aliases_and_what_they_learned_from(named):
    name, tracking = named
    switching.promote(name, 2, instead_of=None, tracking=tracking, **BY)
    found = registry.versions(name, tracking=tracking)
    assert [(one.number, one.aliases) for one in found] == [(3, ()), (2, ("champion",)), (1, ())]
    assert found[1].record.snapshots == {"marine.penguins": 3}
    assert len(found[1].record.config_hash) == 12
    assert registry.newest(name, tracking=tracking) == found[0]


def test_a_model_that_was_never_trained_has_no_champion_and_no_newest(trained):
    assert registry.champion("sea.nothing", tracking=trained.tracking) is None
    assert registry.newest("sea.nothing", tracking=trained.tracking) is None


def test_a_loaded_version_predicts_as_the_fitted_model_did(trained):
    version = registry.version(trained.name, 1, tracking=trained.tracking)
    predictor = load_predictor(version.record, tracking=trained.tracking)
    rows, target = read_part(trained.workspace, "test")
    found = predictor.predict(rows.assign(other=1))
    assert (found.values == target).mean() > 0.9
    assert found.probabilities.shape == (len(rows), 3)
    assert predictor.features == trained.split.features


def test_loading_a_version_brings_its_input_example_and_leaves_no_file(
    trained, monkeypatch, tmp_path
):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    version = registry.version(trained.name, 1, tracking=trained.tracking)
    predictor = load_predictor(version.record, tracking=trained.tracking)
    assert tuple(predictor.example.columns) == predictor.features
    assert len(predictor.predict(predictor.example).values) == len(predictor.example) > 0
    assert list(tmp_path.iterdir()) == []


def test_rows_that_lack_a_feature_or_have_it_in_another_form_are_refused(trained):
    version = registry.version(trained.name, 1, tracking=trained.tracking)
    predictor = load_predictor(version.record, tracking=trained.tracking)
    rows, _ = read_part(trained.workspace, "test")
    with pytest.raises(TerminalError) as refused:
        predictor.predict(rows.drop(columns="island").assign(sex=1.0, year="old"))
    assert str(refused.value).endswith(
        "cannot predict these rows: there is no column 'island'; 'sex' holds numbers, and it learned "
        "from texts; 'year' holds texts, and it learned from numbers"
    )
    unknown = predictor.predict(rows.assign(sex=None))
    assert len(unknown.values) == len(rows)


def test_a_version_with_types_of_other_packages_is_not_loaded(trained, monkeypatch):
    import skops.io

    version = registry.version(trained.name, 1, tracking=trained.tracking)
    monkeypatch.setattr(skops.io, "get_untrusted_types", lambda file: ["os.system"])
    with pytest.raises(TerminalError, match=r"types that are not trusted: os\.system"):
        load_predictor(version.record, tracking=trained.tracking)


def test_a_version_whose_files_were_changed_is_not_loaded(trained):
    version = registry.version(trained.name, 1, tracking=trained.tracking)
    assert len(version.record.sha256) == 64
    other = version.record.model_copy(update={"sha256": "0" * 64})
    with pytest.raises(TamperedError, match=f"hash to {version.record.sha256}, and 0000"):
        load_predictor(other, tracking=trained.tracking)


def test_a_version_that_is_stored_as_pickle_is_not_loaded(trained):
    mlflow.set_tracking_uri(trained.tracking.uri)
    rows = pd.DataFrame({"x": [0.0, 1.0]})
    fitted = sklearn.linear_model.LogisticRegression().fit(rows, [0, 1])
    name = f"{trained.name}_pickled"
    with mlflow.start_run(experiment_id=trained.planned.sweep.experiment_id):
        mlflow.sklearn.log_model(
            fitted,
            name="model",
            serialization_format="cloudpickle",
            input_example=rows,
            registered_model_name=name,
            pip_requirements=[],
        )
    registry.tag(name, 1, {"task": "classification"}, tracking=trained.tracking)
    version = registry.version(name, 1, tracking=trained.tracking)
    with pytest.raises(TerminalError, match="stored as cloudpickle, and reading that may run any"):
        load_predictor(version.record, tracking=trained.tracking)
