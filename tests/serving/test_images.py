"""Images over HTTP: what is taken, what is refused and with which words."""

import asyncio
import json
import struct
import zlib
from base64 import b64encode
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from factory.serving.app import create_app
from factory.serving.folder import models_of
from factory.serving.limits import RequestImageLimits, ServingLimits
from tests.serving.image_models import NAME, Brightness, image, served

URL = "/models/pets/detector/predict"
SETTINGS = ServingLimits(
    images=RequestImageLimits(most_bytes=20_000, most_pixels=1_000_000), most_rows=3
)

Post = Callable[..., httpx.Response]


@pytest.fixture(scope="module")
def app():
    model = served(SETTINGS)
    return create_app(models_of(model), SETTINGS, alone=NAME)


@pytest.fixture
def ask(app) -> Callable[..., httpx.Response]:
    """One request to the service, in this process."""

    def send(method: str, url: str, **arguments: Any) -> httpx.Response:
        async def call() -> httpx.Response:
            transport = httpx.ASGITransport(app, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
                return await client.request(method, url, **arguments)

        return asyncio.run(call())

    return send


def finding(answer: httpx.Response) -> dict[str, Any]:
    assert answer.status_code == 422, answer.text
    (found,) = answer.json()["detail"]
    return found


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_a_form_with_one_image_is_answered_with_a_label_and_probabilities(ask, kind):
    answer = ask("POST", URL, files={"image": ("cat.png", image(255, kind=kind))})
    assert answer.status_code == 200
    content = answer.json()
    assert (content["model"], content["version"], content["label"]) == (NAME, 1, "light")
    assert content["probabilities"] == pytest.approx({"dark": 0, "light": 1}, abs=0.01)


def test_the_image_itself_may_be_the_body(ask):
    answer = ask("POST", URL, content=image(0, kind="JPEG"), headers={"Content-Type": "image/jpeg"})
    assert answer.json()["label"] == "dark"


def test_several_images_in_json_are_answered_with_lists(ask):
    rows = [{"image": b64encode(image(level)).decode()} for level in (0, 255)]
    answer = ask("POST", URL, json={"rows": rows}).json()
    assert answer["predictions"] == ["dark", "light"]
    assert [row["light"] for row in answer["probabilities"]] == [0, 1]


@pytest.mark.parametrize(
    ("content", "kind", "words"),
    [
        (b"GIF89a" + b"\0" * 50, "image_format", "no image in JPEG, PNG or WebP"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "image_format", "whatever its name says"),
        (b"%PDF-1.7 and so on", "image_format", "convert it first"),
        (b"", "image_empty", "is empty"),
        (image(9, (300, 300), "JPEG")[:300], "image_broken", "damaged or incomplete"),
        (image(9)[:40], "image_broken", "damaged or incomplete"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 30, "image_broken", "damaged or incomplete"),
        (b"RIFF\x10\0\0\0WEBPVP8 ", "image_broken", "damaged or incomplete"),
        (image(9, (2000, 600)), "image_pixels", "2,000 x 600 pixels, and 1,000,000 in all"),
        (image(9) + b"\0" * 20_000, "image_too_long", "longer than 20,000 bytes"),
    ],
)
def test_what_is_no_image_is_refused_by_its_content(ask, content, kind, words):
    found = finding(ask("POST", URL, files={"image": ("cat.jpg", content, "image/jpeg")}))
    assert found["type"] == kind
    assert found["loc"] == ["body", "image"]
    assert words in found["msg"]


def test_an_extension_and_a_type_that_are_wrong_do_no_harm(ask):
    answer = ask("POST", URL, files={"image": ("cat.txt", image(255), "text/plain")})
    assert answer.json()["label"] == "light"


def test_a_bomb_is_refused_before_it_is_decoded(ask):
    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    head = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    bomb = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" * 99))
    found = finding(ask("POST", URL, files={"image": ("cat.png", bomb)}))
    assert found["type"] == "image_pixels"


@pytest.mark.parametrize(
    ("files", "data", "words"),
    [
        (
            {"photo": ("c.png", image())},
            {},
            "`curl -F image=@cat.jpg`; the form holds `photo`",
        ),
        ({"photo": ("c.png", image())}, {"note": "a cat"}, "the form holds"),
        (
            [("image", ("a.png", image())), ("image", ("b.png", image()))],
            {},
            "`image`, `image`",
        ),
    ],
)
def test_a_form_of_other_parts_is_told_what_to_send(ask, files, data, words):
    assert words in finding(ask("POST", URL, files=files, data=data))["msg"]


def test_a_text_in_the_place_of_the_file_is_told_about_the_at_sign(ask):
    body = b'--x\r\nContent-Disposition: form-data; name="image"\r\n\r\ncat.jpg\r\n--x--\r\n'
    head = {"Content-Type": "multipart/form-data; boundary=x"}
    found = finding(ask("POST", URL, content=body, headers=head))
    assert "with curl, `-F image=@cat.jpg` with an `@`" in found["msg"]


@pytest.mark.parametrize(
    ("body", "boundary"),
    [(b"", "; boundary=x"), (b"nonsense", "; boundary=x"), (b"nonsense", "")],
)
def test_a_form_that_is_none_is_refused(ask, body, boundary):
    head = {"Content-Type": f"multipart/form-data{boundary}"}
    assert finding(ask("POST", URL, content=body, headers=head))["loc"][0] == "body"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"rows": []}, "at least one"),
        ({"rows": [{"image": "no base64!"}]}, "no text in base64"),
        ({"rows": [{"image": 3}]}, "no text in base64"),
        ({"rows": [{"photo": "eA=="}]}, '{"image": "<base64>"}'),
        ({"rows": [{"image": b64encode(b"text").decode()}]}, "no image in JPEG"),
        ({"rows": [{"image": b64encode(image()).decode()}] * 4}, "at most 3 images"),
        ({}, "at least one"),
    ],
)
def test_json_that_holds_no_images_is_refused(ask, content, words):
    assert words in finding(ask("POST", URL, json=content))["msg"]


def test_a_body_that_is_too_long_is_not_read(ask):
    answer = ask("POST", URL, files={"image": ("cat.jpg", b"\0" * 200_000)})
    assert answer.status_code == 413
    assert "send a smaller image" in answer.json()["detail"]


def test_other_types_are_told_what_is_taken(ask):
    answer = ask("POST", URL, content=b"x", headers={"Content-Type": "text/plain"})
    assert answer.status_code == 415
    assert "multipart/form-data" in answer.json()["detail"]


def test_requests_that_wait_are_predicted_together():
    predictor = Brightness()
    slow = ServingLimits(threads=1)
    app = create_app(models_of(served(slow, predictor)), slow)
    before = len(predictor.asked)

    async def all_at_once() -> list[httpx.Response]:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return await asyncio.gather(
                *(client.post(URL, files={"image": ("a.png", image(n * 20))}) for n in range(12))
            )

    answers = asyncio.run(all_at_once())
    assert [answer.json()["label"] for answer in answers] == ["dark"] * 7 + ["light"] * 5
    asked = predictor.asked[before:]
    assert (sum(asked), len(asked) < 12) == (12, True)


def test_one_bad_image_harms_no_other_request(app):
    async def both() -> list[httpx.Response]:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return await asyncio.gather(
                *(
                    client.post(URL, files={"image": ("a.png", content)})
                    for content in (image(), b"no image", image(0))
                )
            )

    assert [answer.status_code for answer in asyncio.run(both())] == [200, 422, 200]


def test_openapi_shows_the_form(ask):
    found = ask("GET", "/openapi.json").json()["paths"][URL]["post"]
    content = found["requestBody"]["content"]
    form = content["multipart/form-data"]["schema"]
    assert form["properties"]["image"]["format"] == "binary"
    assert form["required"] == ["image"]
    assert {"image/jpeg", "image/png", "image/webp", "application/json"} <= content.keys()
    assert found["responses"]["200"]["content"]["application/json"]["schema"]["$ref"].endswith(
        "Recognized"
    )


def test_the_model_says_what_it_takes_without_showing_images(ask):
    found = ask("GET", "/models/pets/detector").json()
    assert found["signature"]["inputs"] == [{"name": "image", "type": "binary", "nullable": False}]
    assert found["example"] == []


def test_figures_count_images_as_rows(ask):
    before = ask("GET", "/metrics").text
    ask("POST", URL, files={"image": ("cat.png", image())})
    after = ask("GET", "/metrics").text
    assert _rows(after) == _rows(before) + 1


def _rows(text: str) -> float:
    (line,) = [each for each in text.splitlines() if each.startswith("factory_serving_rows_total{")]
    return float(line.rpartition(" ")[2])


def test_sagemakers_paths_answer_for_the_one_model(ask):
    assert ask("GET", "/ping").status_code == 200
    answered = ask("POST", "/invocations", content=image(0), headers={"Content-Type": "image/png"})
    assert answered.json()["label"] == "dark"
    rows = json.dumps({"rows": [{"image": b64encode(image()).decode()}]})
    head = {"Content-Type": "application/json"}
    assert ask("POST", "/invocations", content=rows, headers=head).json()["predictions"] == [
        "light"
    ]
    assert ask("GET", "/healthz").json()["registry"] == "not used"


def test_a_service_of_a_registry_has_no_paths_of_sagemaker():
    app = create_app(models_of(served()), ServingLimits())

    async def ping() -> int:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return (await client.get("/ping")).status_code

    assert asyncio.run(ping()) == 404
