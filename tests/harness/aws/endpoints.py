"""Endpoints of SageMaker that really serve: each runs `factory serve` on its model's archive.

moto keeps the models and configurations; what becomes of an endpoint is done here. An update starts the
new version beside the old one and goes back by itself when the new one does not become healthy.
"""

import json
import os
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from tests.harness.aws.server import Answer, AwsServer, Operation, RefusalError
from tests.harness.servers import free_port

_SECONDS = 90.0

Started = tuple[subprocess.Popen[bytes] | None, int]


@dataclass
class Endpoint:
    """One endpoint: what it is at, and the process that answers."""

    name: str
    config: str
    status: str = "Creating"
    reason: str = ""
    port: int = 0
    process: subprocess.Popen[bytes] | None = None
    tags: list[dict[str, str]] = field(default_factory=list)
    last_deployment: dict[str, Any] | None = None


class Endpoints:
    """A service of `tests.harness.aws.server`; see there."""

    def __init__(self, folder: Path, server: AwsServer) -> None:
        self.endpoints: dict[str, Endpoint] = {}
        self.hold = threading.Event()
        """While it is clear, nothing that is being created or updated gets any further."""
        self.hold.set()
        self._folder = folder
        self._server = server
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._started: list[subprocess.Popen[bytes]] = []
        self.start: Callable[[str], Started | None] = self._start
        """Makes a configuration's model answer: a process (or None) and its port; None if it fails."""

    @property
    def operations(self) -> Mapping[str, Operation]:
        return {
            "CreateEndpoint": self._create,
            "UpdateEndpoint": self._update,
            "DescribeEndpoint": self._describe,
            "DeleteEndpoint": self._delete,
            "ListEndpoints": self._list,
        }

    @property
    def processes(self) -> list[subprocess.Popen[bytes]]:
        """Those that run."""
        return [process for process in self._started if process.poll() is None]

    def route(self, environ: dict[str, Any], start: Any) -> Iterable[bytes] | None:
        """`POST /endpoints/<name>/invocations`, which is InvokeEndpoint."""
        parts = environ["PATH_INFO"].strip("/").split("/")
        if len(parts) != 3 or (parts[0], parts[2]) != ("endpoints", "invocations"):
            return None
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        found = self.endpoints.get(parts[1])
        if found is None or not found.port:
            said = {"__type": "ValidationError", "Message": f"Endpoint {parts[1]} not found."}
            return _say(start, "400 Bad Request", "ValidationError", json.dumps(said).encode())
        answer = httpx.post(
            f"http://127.0.0.1:{found.port}/invocations",
            content=body,
            headers={"Content-Type": environ.get("CONTENT_TYPE", "")},
            timeout=60,
        )
        if answer.is_success:
            return _say(start, "200 OK", "", answer.content)
        refused = {
            "OriginalStatusCode": answer.status_code,
            "OriginalMessage": answer.text,
            "Message": f"Received client error ({answer.status_code}) from {found.config}",
        }
        return _say(start, "424 Failed Dependency", "ModelError", json.dumps(refused).encode())

    def close(self) -> None:
        self.hold.set()
        for thread in self._threads:
            thread.join()
        for process in self.processes:
            _end(process)

    def _create(self, request: dict[str, Any]) -> Answer:
        name = request["EndpointName"]
        with self._lock:
            if name in self.endpoints:
                raise RefusalError(
                    "ValidationException", f"Cannot create already existing endpoint {name}."
                )
            self._require_config(request["EndpointConfigName"])
            endpoint = Endpoint(name, request["EndpointConfigName"], tags=request.get("Tags", []))
            self.endpoints[name] = endpoint
        self._in_background(self._bring_up, endpoint)
        return {"EndpointArn": _arn(name)}

    def _update(self, request: dict[str, Any]) -> Answer:
        endpoint = self._known(request["EndpointName"])
        config = request["EndpointConfigName"]
        with self._lock:
            if endpoint.status != "InService":
                raise RefusalError(
                    "ValidationException",
                    f"Cannot update endpoint {endpoint.name} in status {endpoint.status}.",
                )
            if config == endpoint.config:
                raise RefusalError(
                    "ValidationException", "The endpoint has this configuration already."
                )
            self._require_config(config)
            endpoint.status = "Updating"
            endpoint.last_deployment = request.get("DeploymentConfig")
        self._in_background(self._replace, endpoint, config)
        return {"EndpointArn": _arn(endpoint.name)}

    def _describe(self, request: dict[str, Any]) -> Answer:
        endpoint = self._known(request["EndpointName"])
        now = datetime.now(UTC).timestamp()
        found: Answer = {
            "EndpointName": endpoint.name,
            "EndpointArn": _arn(endpoint.name),
            "EndpointConfigName": endpoint.config,
            "EndpointStatus": endpoint.status,
            "CreationTime": now,
            "LastModifiedTime": now,
        }
        if endpoint.reason:
            found["FailureReason"] = endpoint.reason
        return found

    def _delete(self, request: dict[str, Any]) -> Answer:
        endpoint = self._known(request["EndpointName"])
        del self.endpoints[endpoint.name]
        if endpoint.process is not None:
            _end(endpoint.process)
        return {}

    def _list(self, _request: dict[str, Any]) -> Answer:
        names = sorted(self.endpoints)
        return {"Endpoints": [self._describe({"EndpointName": name}) for name in names]}

    def _known(self, name: str) -> Endpoint:
        if name not in self.endpoints:
            raise RefusalError("ValidationException", f'Could not find endpoint "{_arn(name)}".')
        return self.endpoints[name]

    def _require_config(self, name: str) -> None:
        client = self._server.session("sagemaker")
        try:
            client.describe_endpoint_config(EndpointConfigName=name)
        except client.exceptions.ClientError:
            message = f"Could not find endpoint configuration {name}."
            raise RefusalError("ValidationException", message) from None

    def _in_background(self, target: Any, *arguments: Any) -> None:
        thread = threading.Thread(target=target, args=arguments)
        self._threads.append(thread)
        thread.start()

    def _bring_up(self, endpoint: Endpoint) -> None:
        self.hold.wait()
        started = self.start(endpoint.config)
        if started is None:
            endpoint.reason = "The primary container did not pass the ping health check."
            endpoint.status = "Failed"
            return
        endpoint.process, endpoint.port = started
        endpoint.status = "InService"

    def _replace(self, endpoint: Endpoint, config: str) -> None:
        self.hold.wait()
        started = self.start(config)
        if started is None:
            endpoint.reason = "The new container did not pass the ping health check; rolled back."
            endpoint.status = "InService"
            return
        old, endpoint.reason = endpoint.process, ""
        endpoint.process, endpoint.port = started
        endpoint.config = config
        if old is not None:
            _end(old)
        endpoint.status = "InService"

    def _start(self, config: str) -> Started | None:
        """A process that serves a configuration's model, once it is healthy; None if it never is."""
        client = self._server.session("sagemaker")
        found = client.describe_endpoint_config(EndpointConfigName=config)
        model = client.describe_model(ModelName=found["ProductionVariants"][0]["ModelName"])
        container = model["PrimaryContainer"]
        folder = self._folder / f"{config}-{len(self._started)}"
        bucket, _, key = container["ModelDataUrl"].removeprefix("s3://").partition("/")
        archive = folder / "model.tar.gz"
        folder.mkdir(parents=True)
        self._server.client().download_file(bucket, key, str(archive))
        with tarfile.open(archive) as packed:
            packed.extractall(folder / "model", filter="data")
        port = free_port()
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                # As SageMaker starts the image: its entry point with the one argument `serve`.
                [sys.executable, "-m", "factory", "serve"],
                stdout=log,
                stderr=subprocess.STDOUT,
                env={
                    **{name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
                    **container.get("Environment", {}),
                    "FACTORY_MODEL_FOLDER": str(folder / "model"),
                    "FACTORY_SERVE_PORT": str(port),
                },
                start_new_session=True,
            )
        self._started.append(process)
        return (process, port) if _healthy(process, port) else None


def _healthy(process: subprocess.Popen[bytes], port: int) -> bool:
    deadline = time.monotonic() + _SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        try:
            if httpx.get(f"http://127.0.0.1:{port}/ping", timeout=5).is_success:
                return True
        except httpx.TransportError:
            time.sleep(0.2)
    _end(process)
    return False


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _arn(name: str) -> str:
    return f"arn:aws:sagemaker:eu-central-1:123456789012:endpoint/{name}"


def _say(start: Any, status: str, error: str, body: bytes) -> list[bytes]:
    headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
    if error:
        headers.append(("x-amzn-ErrorType", error))
    start(status, headers)
    return [body]
