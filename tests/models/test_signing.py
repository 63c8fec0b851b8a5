"""Signatures of versions, by a key that the registry does not hold."""

import pytest

from factory.base.errors import TerminalError
from factory.models import registry
from factory.models.files import TamperedError
from factory.models.predictor import load_predictor
from factory.models.record import ModelRecord
from factory.models.signing import KEY, check_signature, signed
from factory.models.tracking import Tracking
from tests.models.records import record
from tests.serving.service import trained

OURS, THEIRS = "k" * 48, "t" * 48


@pytest.fixture
def key(monkeypatch):
    """Sets the key."""

    def use(value: str | None) -> None:
        if value is None:
            monkeypatch.delenv(KEY, raising=False)
        else:
            monkeypatch.setenv(KEY, value)

    use(OURS)
    return use


def version(**facts) -> ModelRecord:
    made = record(sha256="ab" * 32, estimator="sklearn.svm.SVC", packages=("sklearn",), **facts)
    return signed(made, made.model)


def test_a_signed_version_is_read(key):
    check_signature(version())


def test_the_signature_survives_the_registrys_tags(key):
    made = version()
    again = ModelRecord.from_tags(
        made.as_tags(),
        model=made.model,
        version=made.version,
        registered_at=made.registered_at,
        mlflow_run_id="",
    )
    assert again.hmac == made.hmac
    check_signature(again)


def test_without_a_key_nothing_is_signed_or_asked(key):
    key(None)
    assert version().hmac is None
    check_signature(version())


def test_a_version_without_a_signature_is_refused_where_there_is_a_key(key):
    with pytest.raises(TamperedError, match="is not signed, and FACTORY_SIGNING_KEY is set"):
        check_signature(record(sha256="ab" * 32))


@pytest.mark.parametrize(
    "change",
    [
        {"sha256": "cd" * 32},
        {"packages": ("sklearn", "evil")},
        {"trainer": "fastai"},
        {"model": "other.model"},
        {"hmac": "0" * 64},
    ],
)
def test_what_decides_how_a_version_is_read_cannot_be_changed(key, change):
    with pytest.raises(TamperedError, match="is not signed by the key"):
        check_signature(version().model_copy(update=change))


def test_another_key_refuses(key):
    made = version()
    key(THEIRS)
    with pytest.raises(TamperedError, match="registered with another one, or somebody"):
        check_signature(made)


def test_a_key_that_can_be_guessed_is_refused(key):
    key("short")
    with pytest.raises(TerminalError, match="fewer than 32 characters") as caught:
        check_signature(record())
    assert "short" not in str(caught.value)


def test_a_version_is_signed_when_it_is_registered_and_read_with_its_key(
    key, tmp_path, mlflow_server
):
    tracking = Tracking(mlflow_server)
    number = trained(tmp_path, mlflow_server, "signed.model")
    made = registry.version("signed.model", number, tracking=tracking).record
    assert made.hmac
    assert load_predictor(made, tracking=tracking).record.version == number
    key(THEIRS)
    with pytest.raises(TamperedError):
        load_predictor(made, tracking=tracking)
