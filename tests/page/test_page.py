"""The pages of teams: what they show, to whom, and what they do for whom."""

import html
from contextlib import nullcontext
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from starlette.testclient import TestClient

from factory.models.tracking import Tracking
from factory.page.app import make_app
from factory.page.visit import Visit
from tests.lake.publisher import Publisher
from tests.status.stand_in import (
    BY_ENTITY,
    project_of,
    promote,
    register,
    register_islands,
    sweep,
)

HERE = "http://teams.example"


class Airflow:
    """An Airflow that knows the DAGs of a team, and writes down what it is told to do."""

    def __init__(self, *dag_ids: str) -> None:
        self.dag_ids = dag_ids
        self.told: list[tuple[str, str, bytes]] = []
        self.tokens: set[str] = set()

    def answer(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path.removeprefix("/api/v2")
        self.tokens.add(request.headers["authorization"])
        if request.method != "GET":
            self.told.append((request.method, path, request.content))
            return httpx.Response(200, json={"dag_id": "x", "dag_run_id": "1", "state": "queued"})
        if path == "/dags":
            facts = dict.fromkeys(("is_paused", "is_stale", "has_import_errors"), False)
            dags = [{"dag_id": one, "file_token": "", "tags": [], **facts} for one in self.dag_ids]
            return httpx.Response(200, json={"dags": dags, "total_entries": len(dags)})
        key = {"/dags/~/dagRuns": "dag_runs", "/dags/~/dagRuns/~/hitlDetails": "hitl_details"}[path]
        return httpx.Response(200, json={key: [], "total_entries": 0})


class Pages:
    """The pages of a project with one team, as a person sees them."""

    def __init__(self, folder: Path, uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
        monkeypatch.setenv("FACTORY_STORAGE", str(folder / "lake"))
        self.team = f"t{uuid4().hex[:6]}"
        self.project = project_of(folder, self.team)
        self.tracking = Tracking(uri)
        self.airflow = Airflow(f"{self.team}.penguins", f"{self.team}.species.train")
        self.may: set[str] = {"read", "edit", "run"}
        self.configs = folder / "configs"
        self._client = TestClient(self._app, base_url=HERE, follow_redirects=False)
        self._inner = make_app()

    async def _app(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            scope.setdefault("state", {})["visit"] = Visit(
                configs=self.configs,
                address=HERE,
                token="hers",
                transport=httpx.MockTransport(self.airflow.answer),
                may=lambda _, what: what in self.may,
                storage_access=lambda _: nullcontext(),
            )
        await self._inner(scope, receive, send)

    def get(self, path: str) -> httpx.Response:
        return self._client.get(path)

    def post(self, path: str, **headers: str) -> httpx.Response:
        return self._client.post(path, headers=headers)


@pytest.fixture
def pages(tmp_path: Path, mlflow_server: str, monkeypatch: pytest.MonkeyPatch) -> Pages:
    return Pages(tmp_path, mlflow_server, monkeypatch)


def test_first_page_names_datasets_models_and_champions(pages: Pages) -> None:
    model = f"{pages.team}.species"
    for _ in range(2):
        register(pages.tracking, model, {})
    promote(pages.tracking, model, 1)
    answer = pages.get("/")
    assert answer.status_code == 200
    for text in (f"{pages.team}.penguins", model, "accuracy 0.9", "never"):
        assert text in answer.text
    assert pages.airflow.tokens == {"Bearer hers"}


def test_dags_that_a_person_may_not_see_are_not_shown(pages: Pages) -> None:
    pages.may = set()
    assert f"{pages.team}.penguins" not in pages.get("/").text
    for path in (f"/datasets/{pages.team}.penguins", f"/models/{pages.team}.species"):
        assert pages.get(path).status_code == 404


def test_buttons_are_there_for_those_alone_who_may(pages: Pages) -> None:
    path = f"/models/{pages.team}.species"
    assert "Run now" in pages.get(path).text
    pages.may = {"read"}
    text = pages.get(path).text
    assert "Run now" not in text
    assert "Pause" not in text


def test_model_has_its_versions_and_what_went_into_production(pages: Pages) -> None:
    model = f"{pages.team}.species"
    for _ in range(2):
        register(pages.tracking, model, {f"{pages.team}.penguins": 3})
    promote(pages.tracking, model, 2)
    sweep(pages.tracking, model, [100.0, 80.0], cost_usd=0.456)
    text = pages.get(f"/models/{model}").text
    assert "<polyline" in text
    assert "2 trials, 3 minutes of fitting, 0.46 USD for jobs" in text
    assert f'/datasets/{pages.team}.penguins?version=3">{pages.team}.penguins 3</a>' in text
    assert "LogisticRegression" not in text  # these versions do not say what they are
    assert "champion</span>" in text


def test_model_of_each_entity_is_in_a_table_the_worst_first(pages: Pages, tmp_path: Path) -> None:
    model = f"{pages.team}.species"
    pages.project = project_of(tmp_path, pages.team, more=BY_ENTITY)
    register_islands(pages.tracking, model)
    assert "2 entities, others: 1" in pages.get("/").text
    text = pages.get(f"/models/{model}").text
    assert "2 models of one island each; for others: version 1" in text
    assert "<h2>By island, the worst first</h2>" in text
    assert text.index("<td>Biscoe</td>") < text.index("<td>Dream</td>")
    assert "<h2>Versions of the model of all rows</h2>" in text
    assert "Biscoe: drift of depth" in text


def test_rows_of_a_dataset_are_shown_as_text(pages: Pages, tmp_path: Path) -> None:
    publish = Publisher(tmp_path)
    pages.project = project_of(tmp_path, "marine")
    publish("select 1 as id, '<script>alert(1)</script>' as note, 'ab'::blob as image")
    text = pages.get("/datasets/marine.penguins").text
    assert "&lt;script&gt;alert(1)" in text
    assert "<script>alert" not in text
    assert "2 bytes" in text


def test_each_snapshot_of_a_dataset_has_a_page(pages: Pages, tmp_path: Path) -> None:
    publish = Publisher(tmp_path)
    pages.project = project_of(tmp_path, "marine")
    publish("select 'before' as note")
    publish("select 'after' as note")
    first = pages.get("/datasets/marine.penguins?version=0").text
    assert "before" in first
    assert 'not the newest: <a href="?">1</a>' in first
    assert '<a href="?version=0">0</a>' in pages.get("/datasets/marine.penguins").text
    for version in ("7", "x", "-1", "9" * 40):
        answer = pages.get(f"/datasets/marine.penguins?version={version}")
        assert answer.status_code == 404
        assert "version" in answer.text


def test_document_of_each_dag_is_shown_to_those_who_may_see_the_dag(pages: Pages) -> None:
    dag_id = f"{pages.team}.species.train"
    assert (
        f'href="/documents/{dag_id}">document</a>'
        in pages.get(f"/models/{pages.team}.species").text
    )
    text = html.unescape(pages.get(f"/documents/{dag_id}").text)
    assert f"{dag_id}:\n  description:" in text
    assert "estimator: sklearn" in text
    assert pages.get(f"/documents/{pages.team}.nothing").status_code == 404
    pages.may = set()
    assert pages.get(f"/documents/{dag_id}").status_code == 404


def test_unknown_name_says_what_may_be_meant(pages: Pages) -> None:
    answer = pages.get(f"/datasets/{pages.team}.penguin")
    assert answer.status_code == 404
    assert f"did you mean `{pages.team}.penguins`" in answer.text
    assert pages.get("/?team=nobody").status_code == 404


def test_form_of_these_pages_is_carried_out_by_the_rights_of_the_person(pages: Pages) -> None:
    dag_id = f"{pages.team}.species.train"
    back = f"{HERE}/models/{pages.team}.species"
    answer = pages.post(f"/dags/{dag_id}/pause", origin=HERE, referer=back)
    assert (answer.status_code, answer.headers["location"]) == (
        303,
        f"/models/{pages.team}.species",
    )
    assert pages.airflow.told == [("PATCH", f"/dags/{dag_id}", b'{"is_paused":true}')]
    assert pages.airflow.tokens == {"Bearer hers"}


@pytest.mark.parametrize("headers", [{}, {"origin": "http://evil.example"}, {"origin": "null"}])
def test_form_of_another_site_is_refused(pages: Pages, headers: dict[str, str]) -> None:
    answer = pages.post(f"/dags/{pages.team}.species.train/run", **headers)
    assert answer.status_code == 403
    assert pages.airflow.told == []


def test_nothing_leads_back_to_another_site(pages: Pages) -> None:
    path = f"/dags/{pages.team}.species.train/unpause"
    answer = pages.post(path, origin=HERE, referer="http://evil.example//evil.example/x")
    assert answer.headers["location"].startswith("/")
    assert not answer.headers["location"].startswith("//")


def test_pages_may_be_framed_by_airflow_alone_and_load_nothing_from_elsewhere(pages: Pages) -> None:
    policy = pages.get("/").headers["content-security-policy"]
    assert "frame-ancestors 'self'" in policy
    assert "default-src 'none'" in policy
    assert pages.get("/links.js").headers["content-type"].startswith("text/javascript")
