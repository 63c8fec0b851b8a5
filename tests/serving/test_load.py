"""Under load, promotions and rollbacks cost no request."""

import http.client
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import pytest

from factory.models import switching
from tests.harness.airflow import LONG
from tests.serving.service import serving, trained

SECONDS = 20
CLIENTS = 4


@dataclass
class Client:
    """One caller on one connection, who asks again as soon as the answer is there."""

    address: str
    name: str
    body: bytes
    stop: threading.Event
    failures: list[str] = field(default_factory=list)
    versions: list[int] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    @property
    def last(self) -> int | None:
        """The version that answered last."""
        return self.versions[-1] if self.versions else None

    def run(self) -> "Client":
        where = urlsplit(self.address)
        line = http.client.HTTPConnection(where.hostname, where.port, timeout=LONG)
        path = f"/models/{self.name.replace('.', '/')}/predict"
        while not self.stop.is_set():
            began = time.perf_counter()
            try:
                line.request("POST", path, self.body, {"Content-Type": "application/json"})
                response = line.getresponse()
                content = response.read()
            except (OSError, http.client.HTTPException) as error:
                self.failures.append(repr(error))
                line.close()
                continue
            self.seconds.append(time.perf_counter() - began)
            if response.status == 200:
                self.versions.append(json.loads(content)["version"])
            else:
                self.failures.append(f"{response.status} {content!r}")
        line.close()
        return self


def in_order(versions: list[int]) -> list[int]:
    """Versions as they followed each other."""
    return [each for i, each in enumerate(versions) if i == 0 or versions[i - 1] != each]


@pytest.mark.slow
def test_no_request_fails_while_versions_change_under_load(
    tmp_path, mlflow_server, tracking, promote
):
    name = "serving.loaded"
    numbers = [trained(tmp_path, mlflow_server, name, run=run) for run in (1, 2, 3)]
    promote(name, numbers[0])
    with serving(tmp_path, mlflow_server, name) as service:
        example = service.get(f"/models/{name.replace('.', '/')}")[1]["example"]
        body = json.dumps({"rows": example[:1]}).encode()
        stop = threading.Event()
        clients = [Client(service.address, name, body, stop) for _ in range(CLIENTS)]
        began = time.monotonic()
        took = []
        with ThreadPoolExecutor(CLIENTS) as pool:
            asking = [pool.submit(client.run) for client in clients]
            try:
                for number, switch in (
                    (2, lambda: promote(name, 2)),
                    (3, lambda: promote(name, 3)),
                    (2, lambda: switching.rollback(name, by="t", why="t", tracking=tracking)),
                ):
                    stop.wait(SECONDS / 5)
                    switch()
                    switched = time.monotonic()
                    service.until(lambda number=number: service.version(name) == number)
                    took.append(time.monotonic() - switched)
                    service.until(
                        lambda number=number: all(client.last == number for client in clients)
                    )
                stop.wait(max(0.0, SECONDS - (time.monotonic() - began)))
            finally:
                stop.set()
            for each in asking:
                each.result()

    assert [failure for client in clients for failure in client.failures] == []
    for client in clients:
        assert in_order(client.versions) == [1, 2, 3, 2]
    seconds = sorted(each for client in clients for each in client.seconds)
    p50, p99 = (seconds[int(len(seconds) * share)] * 1000 for share in (0.5, 0.99))
    print(
        f"{len(seconds)} requests, none failed; p50 {p50:.1f} ms, p99 {p99:.1f} ms; "
        f"new versions answered after {', '.join(f'{each:.1f} s' for each in took)}"
    )
    assert len(seconds) > 300
