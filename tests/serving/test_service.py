"""The HTTP interface of a real service: answers, refusals, documentation, figures."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
from urllib.parse import urlsplit

import pytest

from factory.runtime.home import Home
from factory.runtime.lock import HomeLock
from factory.runtime.ports import Ports
from tests.harness.airflow import LONG
from tests.harness.browser import browsing, needs_browser
from tests.harness.servers import free_port
from tests.serving.service import serving

PENGUIN = {
    "island": "Biscoe",
    "bill_length_mm": 46.1,
    "bill_depth_mm": 13.2,
    "flipper_length_mm": 211,
    "body_mass_g": 4500,
    "sex": None,
    "year": 2007,
}


def test_a_classification_answers_with_version_class_and_probabilities(service, species):
    status, found = service.ask(species, [PENGUIN, {**PENGUIN, "body_mass_g": None}])
    assert status == 200
    assert (found["model"], found["version"]) == (species, 1)
    assert found["predictions"] == ["Gentoo", "Gentoo"]
    assert [set(each) for each in found["probabilities"]] == [{"Adelie", "Chinstrap", "Gentoo"}] * 2
    assert sum(found["probabilities"][0].values()) == pytest.approx(1)


def test_a_regression_answers_with_numbers(service, progression):
    example = service.get(f"/models/{progression.replace('.', '/')}")[1]["example"]
    status, found = service.ask(progression, example)
    assert status == 200
    assert len(found["predictions"]) == len(example)
    assert all(isinstance(each, float) for each in found["predictions"])
    assert "probabilities" not in found


def test_wrong_rows_are_told_by_row_and_feature(service, species):
    wrong = {**PENGUIN, "year": "2007", "colour": "black"}
    del wrong["island"]
    status, found = service.ask(species, [PENGUIN, wrong])
    assert status == 422
    assert {(each["type"], *each["loc"]) for each in found["detail"]} == {
        ("missing", "body", "rows", 1, "island"),
        ("float_type", "body", "rows", 1, "year"),
        ("extra_forbidden", "body", "rows", 1, "colour"),
    }


def test_null_is_allowed_where_training_had_it_and_nowhere_else(service, species):
    assert service.ask(species, [{**PENGUIN, "sex": None}])[0] == 200
    status, found = service.ask(species, [{**PENGUIN, "island": None}])
    assert status == 422
    assert [each["loc"] for each in found["detail"]] == [["body", "rows", 0, "island"]]


def test_nan_and_infinity_are_told_and_are_no_failure(service, species):
    row = {**PENGUIN, "bill_length_mm": float("nan"), "bill_depth_mm": float("inf")}
    status, found = service.ask(species, [row])
    assert status == 422
    assert {each["type"] for each in found["detail"]} == {"finite_number"}


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"{", "application/json", 422),
        (b"\xff", "application/json", 422),
        (b"[" * 10_000, "application/json", 422),
        (b'{"rows": []}', "application/json", 422),
        (json.dumps({"rows": [PENGUIN] * 21}).encode(), "application/json", 422),
        (b'{"rows": []}', "text/plain", 415),
        (b" " * 20_001, "application/json", 413),
    ],
)
def test_a_bad_body_is_refused_and_the_service_goes_on(service, species, body, kind, status):
    found, answer = service.post(species, body, kind)
    assert found == status
    assert answer["detail"]
    assert service.ask(species, [PENGUIN])[0] == 200


def talk(service, *parts: bytes) -> bytes:
    """Send raw bytes and read until the service hangs up."""
    where = urlsplit(service.address)
    with socket.create_connection((where.hostname, where.port), timeout=LONG) as line:
        for part in parts:
            line.sendall(part)
        answer = b""
        while data := line.recv(65536):
            answer += data
    return answer


def head(name: str, *headers: str) -> bytes:
    lines = [
        f"POST /models/{name.replace('.', '/')}/predict HTTP/1.1",
        "Host: localhost",
        "Content-Type: application/json",
        "Connection: close",
        *headers,
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def test_a_body_in_pieces_without_a_length_is_bounded_too(service, species):
    piece = b"1000\r\n" + b" " * 4096 + b"\r\n"
    answer = talk(service, head(species, "Transfer-Encoding: chunked"), piece * 5)
    assert answer.startswith(b"HTTP/1.1 413 ")


def test_a_body_that_does_not_arrive_is_given_up(service, species):
    answer = talk(service, head(species, "Content-Length: 1000"), b'{"rows": ')
    assert answer.startswith(b"HTTP/1.1 408 ")


def test_an_unknown_model_is_told_with_the_nearest(service, species):
    status, found = service.ask("serving.speces", [PENGUIN])
    assert status == 404
    assert found == {"detail": f"there is no model: did you mean `{species}`?"}
    assert service.get("/models/serving/speces")[0] == 404


def test_models_say_what_they_are(service, species, progression):
    listed = service.get("/models")[1]["models"]
    assert [each["model"] for each in listed] == [progression, species]
    assert [(each["version"], each["champion"], each["refused"]) for each in listed] == [
        (1, 1, None)
    ] * 2
    page = f"/models/{species.replace('.', '/')}"
    found = service.until(lambda: (now := service.get(page)[1])["promoted_at"] and now)
    assert found["signature"]["outputs"] == ["string"]
    assert found["signature"]["inputs"][0] == {
        "name": "island",
        "type": "string",
        "nullable": False,
    }
    assert found["metrics"]["test_f1_macro"] > 0.9
    assert found["snapshots"] == {"marine.penguins": 3}
    assert service.ask(species, found["example"])[0] == 200


def test_openapi_shows_each_model_with_its_features_and_an_example(service, species):
    status, document = service.get("/openapi.json")
    assert status == 200
    path = document["paths"][f"/models/{species.replace('.', '/')}/predict"]["post"]
    schemas = document["components"]["schemas"]

    def resolved(schema):
        return schemas[schema["$ref"].rpartition("/")[2]]

    request = resolved(path["requestBody"]["content"]["application/json"]["schema"])
    row = resolved(request["properties"]["rows"]["items"])
    assert list(row["properties"]) == list(PENGUIN)
    assert row["required"] == list(PENGUIN)
    assert row["additionalProperties"] is False
    assert row["properties"]["year"]["type"] == "number"
    assert row["properties"]["year"]["examples"]
    assert {"type": "null"} in row["properties"]["sex"]["anyOf"]
    assert service.ask(species, request["examples"][0]["rows"])[0] == 200
    answer = resolved(path["responses"]["200"]["content"]["application/json"]["schema"])
    assert {"model", "version", "predictions", "probabilities"} == set(answer["properties"])
    assert "422" in path["responses"]
    assert "/models/{team}/{model}/predict" not in document["paths"]


def test_front_page_says_what_is_there(service, species, progression):
    status, page = service.get("/")
    assert status == 200
    for name in (species, progression):
        assert f'<a href="models/{name.replace(".", "/")}">{name}</a></td><td>1</td>' in page
    for path in re.findall(r'href="([^"]+)"', page):
        assert service.get(f"/{path}")[0] == 200, path


@needs_browser
def test_models_can_be_tried_in_a_browser_without_the_internet(service, species):
    from playwright.sync_api import expect

    asked: list[str] = []
    with browsing() as page:
        page.on("request", lambda request: asked.append(request.url))
        page.goto(service.address)
        page.get_by_role("link", name="Try them").click()
        path = f"/models/{species.replace('.', '/')}/predict"
        operation = page.locator(f".opblock-post:has([data-path='{path}'])")
        operation.click()
        operation.get_by_role("button", name="Try it out").click()
        operation.get_by_role("button", name="Execute").click()
        expect(operation.locator(".live-responses-table")).to_contain_text("predictions")
    assert {urlsplit(url).hostname for url in asked if not url.startswith("data:")} == {"127.0.0.1"}


def test_figures_count_every_outcome(service, species):
    def count(model, status):
        return service.metric(
            f'factory_serving_requests_total{{model="{model}",status="{status}"}}'
        )

    def observed():
        return service.metric(f'factory_serving_request_seconds_count{{model="{species}"}}')

    before = count(species, 200), count(species, 422), count("unknown", 404), observed()
    service.ask(species, [PENGUIN])
    service.ask(species, [{}])
    service.ask("no.such", [PENGUIN])
    after = count(species, 200), count(species, 422), count("unknown", 404), observed()
    assert [new - old for old, new in zip(before, after, strict=True)] == [1, 1, 1, 2]
    assert service.metric(f'factory_serving_loaded_version{{model="{species}"}}') == 1
    assert 'model="no.such"' not in service.get("/metrics")[1]


def test_health_tells_live_from_ready(service):
    for page in ("/healthz", "/healthz/live", "/healthz/ready"):
        status, found = service.get(page)
        assert (status, found["live"], found["ready"]) == (200, True, True)


def test_sigterm_finishes_the_request_that_has_begun(tmp_path, mlflow_server, species):
    body = json.dumps({"rows": [PENGUIN]}).encode()
    with serving(tmp_path, mlflow_server, species) as service:
        where = urlsplit(service.address)
        with socket.create_connection((where.hostname, where.port), timeout=LONG) as line:
            line.sendall(head(species, f"Content-Length: {len(body)}") + body[:10])
            # An answer on another line shows that the service has read this one's beginning.
            assert service.ask(species, [PENGUIN])[0] == 200
            service.process.send_signal(signal.SIGTERM)
            service.until(lambda: "Shutting down" in service.log.read_text())
            line.sendall(body[10:])
            answer = b""
            while data := line.recv(65536):
                answer += data
        assert answer.startswith(b"HTTP/1.1 200 ")
        assert b'"version":1' in answer
        service.process.wait(timeout=LONG)
        assert "Traceback" not in service.log.read_text()


def test_a_model_without_champion_is_waited_for(tmp_path, mlflow_server):
    # No address is set: that of the factory which runs in the project is taken.
    ports = Ports(airflow=free_port(), mlflow=urlsplit(mlflow_server).port)
    lock = HomeLock(Home.of(tmp_path).lock)
    lock.acquire()
    lock.announce(ports)
    project = ("--project", str(tmp_path))
    with serving(tmp_path, "", "serving.later", options=project, ready=False) as service:
        service.until(lambda: service.get("/healthz")[1]["registry"] == "answers")
        assert service.get("/healthz/ready")[0] == 503
        status, found = service.ask("serving.later", [PENGUIN])
        assert status == 503
        assert found == {"detail": "no version of serving.later answers yet: see GET /models"}
        assert "serving.later has no champion" in service.log.read_text()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "address", "said"),
    [
        (("species",), "http://127.0.0.1:1", "write team.model, such as marine.species"),
        (("--host", "192.0.2.1"), "http://127.0.0.1:1", "choose another with --port"),
        (("--project", "/"), "", "nothing has been trained in /: `factory run TEAM.MODEL` trains"),
    ],
)
def test_what_cannot_be_served_is_said_at_once(arguments, address, said):
    done = subprocess.run(
        [sys.executable, "-m", "factory", "serve", "--port", str(free_port()), *arguments],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "MLFLOW_TRACKING_URI": address},
        timeout=LONG,
    )
    assert done.returncode == 1
    assert said in done.stderr
