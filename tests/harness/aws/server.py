"""AWS for tests: moto over HTTP, and what moto does not do, really done.

`running_aws(folder)` starts it; `variables()` are what leads AWS's libraries to it. Services that do
more than moto are objects with `operations` (what a SageMaker operation answers, by its name) and `route`
(for requests that are no such operations); see `tests.harness.aws.training_jobs.TrainingJobs`.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Protocol

from tests.harness.s3 import S3Server, running_s3

Answer = dict[str, Any]
Operation = Callable[[dict[str, Any]], Answer]


class RefusalError(Exception):
    """What AWS answers with an error code."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code = code
        self.status = status


class Service(Protocol):
    """What does more than moto."""

    @property
    def operations(self) -> Mapping[str, Operation]:
        """What answers an operation of SageMaker, by its name; `RefusalError` is an error's answer."""

    def route(self, environ: dict[str, Any], start: Any) -> Iterable[bytes] | None:
        """The answer to a request of another kind; None if it is none of this service's."""

    def close(self) -> None:
        """End everything that runs."""


@dataclass
class _Throttle:
    operation: str
    code: str
    times: int


@dataclass
class AwsServer(S3Server):
    """A running server: S3 and all the rest by moto, SageMaker for real as far as services do it."""

    resets: ClassVar[tuple[str, ...]] = ("s3", "sagemaker")
    services: list[Service] = field(default_factory=list)
    called: list[str] = field(default_factory=list)
    """The names of the operations that were called, refused ones too, in their order."""
    _throttles: list[_Throttle] = field(default_factory=list)

    def throttle(self, operation: str, times: int, code: str = "ThrottlingException") -> None:
        """Refuse the next calls of an operation, so many."""
        self._throttles.append(_Throttle(operation, code, times))

    def session(self, service: str) -> Any:
        """A boto3 client of any service, apart from the code under test."""
        import boto3

        variables = self.variables()
        return boto3.client(
            service,
            endpoint_url=self.endpoint,
            region_name=variables["AWS_REGION"],
            aws_access_key_id=variables["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=variables["AWS_SECRET_ACCESS_KEY"],
        )

    def answer(self, app: Any, environ: dict[str, Any], start: Any) -> Iterable[bytes]:
        target = environ.get("HTTP_X_AMZ_TARGET", "")
        if target.startswith("SageMaker."):
            name = target.removeprefix("SageMaker.")
            offered = (service.operations.get(name) for service in self.services)
            operation = self._throttled(name) or next(filter(None, offered), None)
            if operation is not None:
                return _operate(operation, environ, start)
        for service in self.services:
            if (routed := service.route(environ, start)) is not None:
                return routed
        return super().answer(app, environ, start)

    def _throttled(self, name: str) -> Operation | None:
        """What refuses a call, if it is to be refused; counts it in any case."""
        with self._lock:
            self.called.append(name)
            for one in self._throttles:
                if one.operation == name and one.times > 0:
                    one.times -= 1
                    return _refuser(one.code)
        return None


def _refuser(code: str) -> Operation:
    def refuse(_: dict[str, Any]) -> Answer:
        raise RefusalError(code, "Rate exceeded")

    return refuse


def _operate(operation: Operation, environ: dict[str, Any], start: Any) -> list[bytes]:
    length = int(environ.get("CONTENT_LENGTH") or 0)
    request = json.loads(environ["wsgi.input"].read(length) or b"{}")
    try:
        return _reply(start, 200, operation(request))
    except RefusalError as refusal:
        said = {"__type": refusal.code, "message": str(refusal)}
        return _reply(start, refusal.status, said)


def _reply(start: Any, status: int, answer: Answer) -> list[bytes]:
    body = json.dumps(answer).encode()
    headers = [
        ("Content-Type", "application/x-amz-json-1.1"),
        ("Content-Length", str(len(body))),
    ]
    start(f"{status} {'OK' if status == 200 else 'Bad Request'}", headers)
    return [body]


@contextmanager
def running_aws(folder: Path, *services: Service) -> Iterator[AwsServer]:
    """A server on a free port of the loopback interface, with SageMaker's training jobs and
    endpoints.

    Args:
        folder: Where what runs has its files.
        services: Further ones.
    """
    from tests.harness.aws.endpoints import Endpoints
    from tests.harness.aws.training_jobs import TrainingJobs

    server = AwsServer()
    with running_s3(server):
        server.services += [
            TrainingJobs(folder / "training", server),
            Endpoints(folder / "endpoints", server),
            *services,
        ]
        try:
            yield server
        finally:
            for service in server.services:
                service.close()
