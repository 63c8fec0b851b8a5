"""A model of rows out of a folder, and folders that hold none."""

import asyncio
import json

import httpx
import pytest

from factory.base.errors import TerminalError
from factory.deploy.model_folder import fill_model_folder
from factory.models import registry
from factory.models.record import ModelRecord
from factory.serving.app import create_app
from factory.serving.folder import load_folder, models_of
from factory.serving.limits import ServingLimits


@pytest.fixture(scope="module")
def folder(tmp_path_factory, species, tracking):
    version = registry.champion(species, tracking=tracking)
    place = tmp_path_factory.mktemp("folder") / "model"
    fill_model_folder(version.record, place, tracking)
    return place


def test_the_folder_says_what_it_holds(folder, species):
    note = ModelRecord.read(folder)
    assert (note.model, note.version, note.task) == (species, 1, "classification")
    assert note.estimator == "sklearn.linear_model.LogisticRegression"
    assert (folder / "MLmodel").is_file()


def test_the_model_answers_without_a_registry(folder, species, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    served = load_folder(folder, ServingLimits())
    app = create_app(models_of(served), ServingLimits(), alone=species)

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return await client.post("/invocations", json={"rows": served.contract.example})

    answer = asyncio.run(ask()).json()
    assert (answer["model"], answer["version"]) == (species, 1)
    assert len(answer["predictions"]) == len(served.contract.example)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, r"release\.json cannot be read \(No such file or directory\)"),
        ("{", "is not what `factory` writes"),
        (json.dumps({"model": "x", "version": 0}), "is not what `factory` writes"),
    ],
)
def test_a_folder_without_a_release_is_refused(tmp_path, content, words):
    if content is not None:
        (tmp_path / "release.json").write_text(content)
    with pytest.raises(TerminalError, match=words):
        load_folder(tmp_path, ServingLimits())
