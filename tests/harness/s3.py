"""S3 over HTTP for tests: moto behind a server that can be told to fail.

The fixtures `s3_server` and `s3` are for every test; `running_s3` is for fixtures of wider scope.
"""

import json
import re
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import pytest

from tests.harness.servers import answering

STORAGE = "TEST_STORAGE"
"""The environment variable by which tests say where `lake_in` makes lakes."""

BUCKET = "lake"
REGION = "eu-central-1"
ACCESS_KEY = "AKIAPLANTEDKEYID0001"
SECRET_KEY = "planted/secret+0123456789abcdefghijklmnop"

_SIGNED = (
    f"AWS4-HMAC-SHA256 Credential={ACCESS_KEY}/20260101/{REGION}/s3/aws4_request, "
    "SignedHeaders=host, Signature=0"
)
_CREDENTIAL = re.compile(r"Credential=([^/]+)/")


@dataclass(frozen=True)
class Request:
    """What somebody asked for."""

    method: str
    path: str
    query: str

    @property
    def is_part(self) -> bool:
        """Whether it is a part of a multipart upload."""
        return self.method == "PUT" and "partNumber=" in self.query


@dataclass
class _Failure:
    when: Callable[[Request], bool]
    status: str
    code: str
    times: float


@dataclass
class S3Server:
    """A running server, what it was asked, and what it answers with an error."""

    resets: ClassVar[tuple[str, ...]] = ("s3",)
    """The services of moto's that `reset` empties."""
    endpoint: str = ""
    requests: list[Request] = field(default_factory=list)
    known_keys: set[str] | None = None
    """The access keys that it accepts; all if None."""
    unsigned: bool = False
    """Whether it lets everybody in, whatever they show."""
    _failures: list[_Failure] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def fail(
        self,
        when: Callable[[Request], bool],
        *,
        status: str = "500 Internal Server Error",
        code: str = "InternalError",
        times: float = float("inf"),
    ) -> None:
        """Answer requests with an error from now on, so many times."""
        self._failures.append(_Failure(when, status, code, times))

    def heal(self) -> None:
        """Answer everything as it should be again."""
        self._failures.clear()
        self.known_keys = None
        self.unsigned = False

    def reset(self) -> None:
        """Forget everything: buckets, requests, failures."""
        from moto.backends import get_backend

        for service in self.resets:
            for account in get_backend(service).values():
                for backend in account.values():
                    backend.reset()
        self.heal()
        self.requests.clear()

    def client(self) -> Any:
        """A boto3 client of it, apart from the code under test."""
        import boto3

        return boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            region_name=REGION,
            aws_access_key_id=ACCESS_KEY,
            aws_secret_access_key=SECRET_KEY,
        )

    def make_bucket(self, name: str = BUCKET) -> None:
        self.client().create_bucket(
            Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION}
        )

    def keys(self, prefix: str = "", bucket: str = BUCKET) -> list[str]:
        """The names of what lies in a bucket."""
        pages = (
            self.client().get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        )
        return [entry["Key"] for page in pages for entry in page.get("Contents", ())]

    def unfinished_uploads(self, bucket: str = BUCKET) -> list[str]:
        """The names whose parts lie in a bucket, seen by nobody and paid for."""
        found = self.client().list_multipart_uploads(Bucket=bucket)
        return [upload["Key"] for upload in found.get("Uploads", ())]

    def variables(self) -> dict[str, str]:
        """The environment in which AWS's libraries find it and nothing else."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": "/nonexistent",
            "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent",
        }

    def answer(self, app: Any, environ: dict[str, Any], start: Any) -> Iterable[bytes]:
        request = Request(
            environ["REQUEST_METHOD"], environ["PATH_INFO"], environ.get("QUERY_STRING", "")
        )
        with self._lock:
            self.requests.append(request)
            failure = self._failure(request, environ.get("HTTP_AUTHORIZATION", ""))
        if failure is not None:
            _read_body(environ)
            return _error(failure.status, failure.code, environ, start)
        if self.unsigned:
            environ["HTTP_AUTHORIZATION"] = _SIGNED
        # What Google calls the same thing: its XML API is otherwise that of S3.
        if environ.pop("HTTP_X_GOOG_IF_GENERATION_MATCH", None) == "0":
            environ["HTTP_IF_NONE_MATCH"] = "*"
        if "HTTP_IF_NONE_MATCH" in environ and request.method == "PUT":
            # moto looks and then writes; S3 does both in one step.
            with self._lock:
                return list(app(environ, start))
        return app(environ, start)

    def _failure(self, request: Request, authorization: str) -> _Failure | None:
        for failure in self._failures:
            if failure.times > 0 and failure.when(request):
                failure.times -= 1
                return failure
        key = _CREDENTIAL.search(authorization)
        if self.known_keys is not None and (key is None or key[1] not in self.known_keys):
            return _Failure(lambda _: True, "403 Forbidden", "InvalidAccessKeyId", 1)
        return None


def _read_body(environ: Mapping[str, Any]) -> None:
    length = int(environ.get("CONTENT_LENGTH") or 0)
    if length:
        environ["wsgi.input"].read(length)


def _error(status: str, code: str, environ: Mapping[str, Any], start: Any) -> list[bytes]:
    """An error as S3 writes it: with the key's id, and what was signed."""
    key = _CREDENTIAL.search(environ.get("HTTP_AUTHORIZATION", ""))
    token = environ.get("HTTP_X_AMZ_SECURITY_TOKEN", "")
    body = (
        f"<?xml version='1.0' encoding='UTF-8'?><Error><Code>{code}</Code>"
        f"<Message>We encountered {code}.</Message>"
        f"<AWSAccessKeyId>{key[1] if key else ''}</AWSAccessKeyId>"
        f"<StringToSign>x-amz-security-token:{token}</StringToSign></Error>"
    ).encode()
    start(status, [("Content-Type", "application/xml"), ("Content-Length", str(len(body)))])
    return [body] if environ["REQUEST_METHOD"] != "HEAD" else []


@contextmanager
def running_s3(server: S3Server | None = None) -> Iterator[S3Server]:
    """A server on a free port of the loopback interface; one with nothing in it if none is given."""
    from moto.moto_server.werkzeug_app import (
        DomainDispatcherApplication,
        MotoRequestHandler,
        create_backend_app,
    )
    from werkzeug.serving import make_server

    app = DomainDispatcherApplication(create_backend_app)
    server = server or S3Server()
    # moto keeps its state in this process, from one server to the next.
    server.reset()

    def middleware(environ: dict[str, Any], start: Any) -> Iterable[bytes]:
        return server.answer(app, environ, start)

    class Quiet(MotoRequestHandler):
        def log_request(self, *_: object) -> None:
            pass

    http = make_server("127.0.0.1", 0, middleware, threaded=True, request_handler=Quiet)
    server.endpoint = f"http://127.0.0.1:{http.server_port}"
    with answering(http):
        yield server


@pytest.fixture(scope="session")
def s3_server() -> Iterator[S3Server]:
    """One server for the whole session."""
    with running_s3() as server:
        yield server


@pytest.fixture
def s3(s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> S3Server:
    """The server with an empty bucket `lake`, which the environment leads to."""
    s3_server.reset()
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL_S3", "AWS_SECURITY_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    for name, value in s3_server.variables().items():
        monkeypatch.setenv(name, value)
    s3_server.make_bucket()
    return s3_server


@pytest.fixture
def gcs(s3: S3Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> S3Server:
    """A bucket `lake` of Google's, which the environment leads to; its XML API is nearly that of S3."""
    account = {"gcs_base_url": s3.endpoint, "disable_oauth": True, "client_email": ""}
    file = tmp_path / "account.json"
    file.write_text(json.dumps({**account, "private_key": "", "private_key_id": ""}))
    monkeypatch.setenv("GOOGLE_SERVICE_ACCOUNT", str(file))
    monkeypatch.setenv("GOOGLE_BASE_URL", s3.endpoint)
    s3.unsigned = True
    return s3


@pytest.fixture(params=["folder", pytest.param("s3", marks=pytest.mark.extras)])
def each_storage(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Runs a test twice: with lakes in a folder, and in S3 over HTTP."""
    if request.param == "s3":
        request.getfixturevalue("s3")
    monkeypatch.setenv(STORAGE, request.param)
    return str(request.param)
