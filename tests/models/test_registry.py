"""The registry's aliases and tags, and reading versions back, on a real MLflow server."""

import tempfile
from concurrent.futures import ThreadPoolExecutor

import mlflow
import pandas as pd
import pytest
import sklearn.linear_model
from mlflow.exceptions import RestException

from factory.base.errors import TerminalError
from factory.models import registry, switching
from factory.models.files import TamperedError
from factory.models.predictor import load_predictor
from factory.models.record import RECORD
from factory.models.registry import UnknownModelError
from factory.models.switching import ChampionChangedError
from factory.models.tracking import Tracking
from factory.training.split import read_part
from tests.training.models import model, penguins
from tests.training.training import Training

BY = {"by": "ana", "why": "it is better"}


@pytest.fixture(scope="module")
def trained(tmp_path_factory, mlflow_server) -> Training:
    """A model of one version, whose files the other versions share."""
    training = Training(penguins(), model(), tmp_path_factory.mktemp("one"), mlflow_server)
    training.all()
    return training


@pytest.fixture
def named(trained, request) -> tuple[str, Tracking]:
    """A registered model of its own with versions 1 to 3, and the server."""
    client = trained.tracking.client
    name = f"{trained.name}_{request.node.name[-20:].strip('_[]-')}"
    source = client.get_model_version(trained.name, "1")
    mlflow.set_tracking_uri(trained.tracking.uri)
    tags = {key: value for key, value in source.tags.items() if key != RECORD}
    for number in (1, 2, 3):
        mlflow.register_model(source.source, name, tags={**tags, "test_f1_macro": f"0.{number}"})
    return name, trained.tracking


def aliases(name, tracking) -> dict[str, int]:
    found = tracking.client.get_registered_model(name).aliases
    return {alias: int(number) for alias, number in found.items()}


def test_first_promotion_makes_a_champion_and_no_previous(named):
    name, tracking = named
    tracking.client.set_registered_model_alias(name, "challenger", "1")
    switch = switching.promote(name, 1, instead_of=None, tracking=tracking, **BY)
    assert (switch.before, switch.now.aliases) == (None, ("champion",))
    assert aliases(name, tracking) == {"champion": 1}
    tags = switch.now.tags
    assert (tags["promoted_by"], tags["promoted_why"]) == ("ana", "it is better")
    assert tags["promoted_at"].endswith("+00:00")


def test_promotion_keeps_the_old_champion_as_previous_and_a_newer_challenger(named):
    name, tracking = named
    switching.promote(name, 1, instead_of=None, tracking=tracking, **BY)
    tracking.client.set_registered_model_alias(name, "challenger", "3")
    switching.promote(name, 2, instead_of=1, tracking=tracking, **BY)
    assert aliases(name, tracking) == {"champion": 2, "previous": 1, "challenger": 3}


def test_promotion_twice_is_promotion_once(named):
    name, tracking = named
    switching.promote(name, 1, instead_of=None, tracking=tracking, **BY)
    for _ in range(2):
        switch = switching.promote(name, 2, instead_of=1, tracking=tracking, **BY)
    assert (switch.before, switch.now.number) == (1, 2)
    assert aliases(name, tracking) == {"champion": 2, "previous": 1}


def test_promotion_against_a_champion_that_is_gone_is_refused(named):
    name, tracking = named
    switching.promote(name, 1, instead_of=None, tracking=tracking, **BY)
    switching.promote(name, 2, instead_of=1, tracking=tracking, **BY)
    with pytest.raises(ChampionChangedError, match="now the champion is version 2, which it was"):
        switching.promote(name, 3, instead_of=1, tracking=tracking, **BY)
    assert aliases(name, tracking) == {"champion": 2, "previous": 1}


def test_two_promotions_at_once_leave_one_champion_and_the_previous(named):
    name, tracking = named
    switching.promote(name, 1, instead_of=None, tracking=tracking, **BY)

    def promote(number):
        try:
            switching.promote(name, number, instead_of=1, tracking=tracking, **BY)
        except ChampionChangedError:
            return None
        return number

    with ThreadPoolExecutor(2) as threads:
        done = set(threads.map(promote, (2, 3))) - {None}
    found = aliases(name, tracking)
    assert found["champion"] in done
    assert found["previous"] == 1


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


def test_rollback_swaps_champion_and_previous_and_is_signed(named):
    name, tracking = named
    switching.promote(name, 1, instead_of=None, tracking=tracking, **BY)
    switching.promote(name, 2, instead_of=1, tracking=tracking, **BY)
    switch = switching.rollback(name, by="ben", why="complaints", tracking=tracking)
    assert (switch.before, switch.now.number) == (2, 1)
    assert aliases(name, tracking) == {"champion": 1, "previous": 2}
    left = registry.version(name, 2, tracking=tracking)
    assert (left.tags["rolled_back_by"], left.tags["rolled_back_why"]) == ("ben", "complaints")
    assert switch.now.tags["promoted_by"] == "ben"
    event = switch.now.as_event("rollback")
    assert (event["version"], event["reason"]) == (1, "rollback")
    assert event["snapshots"] == {"marine.penguins": 3}
    assert event["metrics"]["test_f1_macro"] == 0.1


def test_rollback_to_a_version_needs_no_previous(named):
    name, tracking = named
    tracking.client.set_registered_model_alias(name, "challenger", "3")
    switch = switching.rollback(name, 3, by="ben", why="by hand", tracking=tracking)
    assert switch.before is None
    assert aliases(name, tracking) == {"champion": 3}


def test_rollback_that_cannot_be_names_what_there_is(named):
    name, tracking = named
    who = {"by": "ben", "why": "", "tracking": tracking}
    with pytest.raises(TerminalError, match=r"no previous version .* it has 1, 2, 3"):
        switching.rollback(name, **who)
    with pytest.raises(UnknownModelError, match=r"has no version 7: it has 1, 2, 3"):
        switching.rollback(name, 7, **who)
    switching.rollback(name, 1, **who)
    with pytest.raises(TerminalError, match="version 1 is the champion already"):
        switching.rollback(name, 1, **who)
    with pytest.raises(UnknownModelError, match=f"did you mean `{name}`"):
        switching.rollback(f"{name}x", **who)


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
