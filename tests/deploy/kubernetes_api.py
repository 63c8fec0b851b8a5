"""A small Kubernetes API over HTTP: server-side apply, watch, and Deployments that roll out.

It keeps objects, merges what is applied field by field, and moves a Deployment's status along in steps,
as its controller would. Images can be told to fail.
"""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.harness.servers import answering

NAMESPACE = "models"
KINDS = {
    "deployments": ("apps/v1", "Deployment"),
    "services": ("v1", "Service"),
    "horizontalpodautoscalers": ("autoscaling/v2", "HorizontalPodAutoscaler"),
}
APPLY = "application/apply-patch+yaml"


@dataclass
class Request:
    method: str
    path: str
    query: dict[str, str]
    content_type: str
    body: Any


@dataclass
class Cluster:
    """What the API holds and how it behaves."""

    address: str = ""
    requests: list[Request] = field(default_factory=list)
    objects: dict[tuple[str, str], dict] = field(default_factory=dict)
    failing_images: set[str] = field(default_factory=set)
    silent_images: set[str] = field(default_factory=set)
    """Images whose pods never become ready, and whose deadline nobody watches."""
    answers: list[tuple[int, Any]] = field(default_factory=list)
    """What comes next, whatever is asked: status and message."""
    cut_watches: int = 0
    """How many watches end with "too old" at once."""
    proxied: Any = None
    """A function of path, content type and body, for requests to a Service."""
    token: str | None = None
    _version: int = 0
    _changed: threading.Condition = field(default_factory=threading.Condition)
    _threads: list[threading.Thread] = field(default_factory=list)

    def applied(self, kind: str) -> list[dict]:
        """The bodies of all server-side applies of a kind, in order."""
        return [r.body for r in self.requests if r.method == "PATCH" and r.body.get("kind") == kind]

    def image(self, name: str) -> str:
        spec = self.objects["deployments", name]["spec"]
        return spec["template"]["spec"]["containers"][0]["image"]

    def apply(self, plural: str, name: str, body: dict) -> dict:
        with self._changed:
            before = self.objects.get((plural, name))
            now = _merged(deepcopy(before) if before else {}, body)
            meta = now["metadata"]
            changed = before is None or before["spec"] != now["spec"]
            meta["generation"] = meta.get("generation", 0) + (1 if changed else 0)
            meta.setdefault("uid", f"uid-{len(self.objects)}")
            self._put(plural, name, now)
        if plural == "deployments" and changed:
            now["spec"].setdefault("replicas", 1)
            thread = threading.Thread(target=self._roll_out, args=(name, meta["generation"]))
            self._threads.append(thread)
            thread.start()
        return now

    def _put(self, plural: str, name: str, item: dict) -> None:
        self._version += 1
        item["metadata"]["resourceVersion"] = str(self._version)
        self.objects[plural, name] = item
        self._changed.notify_all()

    def _roll_out(self, name: str, generation: int) -> None:
        """The controller: one step at a time, each an event that watchers see."""
        image = self.image(name)
        wanted = self.objects["deployments", name]["spec"]["replicas"]
        old = self.objects["deployments", name].get("status", {}).get("replicas", 0)
        base = {"observedGeneration": generation, "replicas": old + 1, "updatedReplicas": 1}
        steps = [base]
        if image in self.failing_images:
            steps.append(
                {**base, "conditions": [_progressing("ProgressDeadlineExceeded", "False")]}
            )
        elif image not in self.silent_images:
            done = {"replicas": wanted, "updatedReplicas": wanted}
            steps.append({**base, **done})
            available = _progressing("NewReplicaSetAvailable", "True")
            steps.append({**base, **done, "availableReplicas": wanted, "conditions": [available]})
        for status in steps:
            with self._changed:
                item = self.objects.get(("deployments", name))
                if item is None or item["metadata"]["generation"] != generation:
                    return
                item = deepcopy(item)
                item["status"] = status
                self._put("deployments", name, item)

    def watch(self, plural: str, name: str, seconds: float) -> Iterator[dict]:
        seen = ""
        with self._changed:
            while True:
                item = self.objects.get((plural, name))
                version = item["metadata"]["resourceVersion"] if item else ""
                if item and version != seen:
                    yield {"type": "MODIFIED" if seen else "ADDED", "object": deepcopy(item)}
                    seen = version
                elif not item and seen:
                    yield {"type": "DELETED", "object": {"metadata": {"name": name}}}
                    return
                elif not self._changed.wait(seconds):
                    return

    def pods(self) -> list[dict]:
        """One pod for each Deployment whose image fails, as its probe leaves it."""
        found = []
        for (plural, name), item in self.objects.items():
            if plural == "deployments" and self.image(name) in self.failing_images:
                found.append(
                    {
                        "metadata": {"name": f"{name}-x1", "labels": item["metadata"]["labels"]},
                        "status": {
                            "containerStatuses": [
                                {
                                    "name": "serve",
                                    "ready": False,
                                    "restartCount": 4,
                                    "image": self.image(name),
                                    "imageID": "",
                                    "state": {"waiting": {"reason": "CrashLoopBackOff"}},
                                    "lastState": {"terminated": {"exitCode": 1, "reason": "Error"}},
                                }
                            ]
                        },
                    }
                )
        return found


def _progressing(reason: str, status: str) -> dict:
    return {"type": "Progressing", "reason": reason, "status": status}


def _merged(into: dict, applied: dict) -> dict:
    """Objects are merged, lists and values replaced: near enough to server-side apply for ours."""
    for key, value in applied.items():
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            _merged(into[key], value)
        else:
            into[key] = deepcopy(value)
    return into


def _status(code: int, message: str) -> dict:
    return {"kind": "Status", "status": "Failure", "code": code, "message": message}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    @property
    def cluster(self) -> Cluster:
        return self.server.cluster  # type: ignore[attr-defined]

    def log_message(self, *_: object) -> None:
        pass

    def read(self) -> Request:
        parts = urlsplit(self.path)
        query = {key: values[0] for key, values in parse_qs(parts.query).items()}
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        kind = self.headers.get("Content-Type", "")
        body: Any = raw
        if raw and "/proxy/" not in parts.path and ("json" in kind or kind == APPLY):
            body = json.loads(raw)
        return Request(self.command, parts.path, query, kind, body)

    def handle_one(self) -> None:
        request = self.read()
        self.cluster.requests.append(request)
        if (
            self.cluster.token
            and self.headers.get("Authorization") != f"Bearer {self.cluster.token}"
        ):
            return self.say(401, _status(401, "Unauthorized"))
        if self.cluster.answers:
            code, message = self.cluster.answers.pop(0)
            return self.say(code, _status(code, message))
        if "/proxy/" in request.path:
            path = request.path.partition("/proxy")[2]
            return self.say(*self.cluster.proxied(path, request.content_type, request.body))
        return self.route(request)

    def route(self, request: Request) -> None:
        names = request.path.strip("/").split("/")
        at = names.index("namespaces")
        if names[at + 1] != NAMESPACE:
            return self.say(404, _status(404, f'namespaces "{names[at + 1]}" not found'))
        plural, name = names[at + 2], names[at + 3] if len(names) > at + 3 else None
        if plural == "pods":
            return self.say(200, {"kind": "PodList", "items": self.cluster.pods()})
        if name is None:
            return self.follow(plural, request.query)
        return self.of_one(plural, name, request.query, request.body)

    def of_one(self, plural: str, name: str, query: dict, body: Any) -> None:
        found = self.cluster.objects.get((plural, name))
        if self.command == "PATCH":
            assert self.headers["Content-Type"] == APPLY
            assert query["fieldManager"]
            if "spec" not in body:
                return self.say(422, _status(422, "spec: Required value"))
            return self.say(200 if found else 201, self.cluster.apply(plural, name, body))
        if found is None:
            return self.say(404, _status(404, f'{plural} "{name}" not found'))
        if self.command == "DELETE":
            with self.cluster._changed:
                del self.cluster.objects[plural, name]
                self.cluster._changed.notify_all()
            return self.say(200, {"kind": "Status", "status": "Success"})
        return self.say(200, found)

    def follow(self, plural: str, query: dict) -> None:
        name = query["fieldSelector"].removeprefix("metadata.name=")
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        if self.cluster.cut_watches:
            self.cluster.cut_watches -= 1
            error = {**_status(410, "too old resource version"), "reason": "Expired"}
            self.chunk({"type": "ERROR", "object": error})
        else:
            for event in self.cluster.watch(plural, name, float(query["timeoutSeconds"])):
                self.chunk(event)
        self.wfile.write(b"0\r\n\r\n")

    def chunk(self, event: dict) -> None:
        line = json.dumps(event).encode() + b"\n"
        self.wfile.write(f"{len(line):x}\r\n".encode() + line + b"\r\n")
        self.wfile.flush()

    def say(self, code: int, body: Any) -> None:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def do_GET(self) -> None:
        try:
            self.handle_one()
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    do_POST = do_PATCH = do_DELETE = do_GET  # noqa: N815 - named by http.server


@contextmanager
def running_cluster() -> Iterator[Cluster]:
    """An API on a free port of the loopback interface."""
    cluster = Cluster()

    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    server.cluster = cluster  # type: ignore[attr-defined]
    cluster.address = f"http://127.0.0.1:{server.server_port}"
    with answering(server):
        yield cluster
