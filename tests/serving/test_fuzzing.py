"""A service under attack: hostile requests, connections that bring none, and versions that do harm, at once."""

import http.client
import json
import os
import random
import re
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import pytest

from factory.models import registry
from tests.harness.airflow import LONG
from tests.serving.fuzzer import Case, Fuzzer
from tests.serving.service import Service, broken, circular, poisoned, serving, trained
from tests.training.models import model, one_trial

SEED = int(os.environ.get("FUZZ_SEED") or random.SystemRandom().randrange(10**9))
AT_ONCE = 6
SECONDS = 1.0
"""Within which 99 of 100 healthy callers are to have their answer."""
PATIENCE = 0.5
"""Seconds for an answer to a request that may not be whole; then the caller hangs up."""
_NEVER = 599
"""In place of a status: no answer, and the connection is still open long after the caller has hung up."""
_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3}) ")


@dataclass
class Healthy:
    """A caller with good rows, who asks again and again on connections of its own."""

    service: Service
    name: str
    stop: threading.Event
    statuses: Counter[int | str] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)

    def run(self) -> None:
        where = urlsplit(self.service.address)
        path = f"/models/{self.name.replace('.', '/')}"
        body = json.dumps({"rows": self.service.get(path)[1]["example"][:1]})
        while not self.stop.wait(0.05):
            began = time.perf_counter()
            line = http.client.HTTPConnection(where.hostname, where.port, timeout=10)
            try:
                line.request("POST", f"{path}/predict", body, {"Content-Type": "application/json"})
                answer = line.getresponse()
                answer.read()
                self.statuses[answer.status] += 1
            except OSError as error:
                self.statuses[repr(error)] += 1
            finally:
                line.close()
            self.seconds.append(time.perf_counter() - began)


class Attack:
    """Hostile requests from several callers, each the next one."""

    def __init__(self, service: Service, cases: Iterator[Case]) -> None:
        self._service = service
        self._cases = cases
        self._lock = threading.Lock()
        self.outcomes: Counter[tuple[str, int | None]] = Counter()
        self.wrong: list[str] = []
        self.done = 0

    def run(self) -> None:
        while True:
            with self._lock:
                case = next(self._cases, None)
            if case is None:
                return
            began = time.perf_counter()
            try:
                status, content = answered(self._service, case)
            except TimeoutError:
                status, content = _NEVER, b""
            took = time.perf_counter() - began
            with self._lock:
                self.outcomes[case.what, status] += 1
                self.done += 1
                if not _is_fine(case, status, content):
                    self.wrong.append(f"{status} after {took:.1f} s: {case}")


def answered(service: Service, case: Case) -> tuple[int | None, bytes]:
    """Status and content of the answer to a case; no status where the service only hangs up."""
    where = urlsplit(service.address)
    patience = 20.0 if case.what == "valid" else PATIENCE
    content = b""
    address = (where.hostname, where.port)
    with socket.create_connection(address, timeout=20) as line, suppress(ConnectionResetError):
        # The service may hang up in the middle of what it does not want.
        with suppress(BrokenPipeError, ConnectionResetError):
            line.sendall(case.content)
        line.settimeout(patience)
        try:
            content += line.recv(65536)
        except TimeoutError:
            # The rest of a request that is not whole will not come.
            line.settimeout(20)
            line.shutdown(socket.SHUT_WR)
        while data := line.recv(65536):
            content += data
    if not content:
        return None, content
    found = _STATUS.match(content)
    assert found, f"FUZZ_SEED={SEED}, {case}: {content[:200]!r}"
    return int(found[1]), content


def half_open(service: Service, count: int, stop: threading.Event) -> None:
    """Open connections, of which half begin a request that never comes."""
    where = urlsplit(service.address)
    lines = []
    for number in range(count):
        line = socket.create_connection((where.hostname, where.port), timeout=20)
        with suppress(ConnectionError):
            if number % 2:
                line.sendall(b"POST /models/a/b/predict HTTP/1.1\r\nHost: localhost\r\n")
        lines.append(line)
        stop.wait(0.002)
    stop.wait()
    for line in lines:
        line.close()


@pytest.fixture(scope="module")
def tree(tmp_path_factory, mlflow_server, promote) -> str:
    """A model whose version in production can be served."""
    name = "serving.fuzzed"
    config = model(search=one_trial("sklearn.tree.DecisionTreeClassifier", random_state=0))
    promote(name, trained(tmp_path_factory.mktemp("fuzzed"), mlflow_server, name, config=config))
    return name


@pytest.fixture(scope="module")
def harmful(mlflow_server, tree, tracking) -> list[int]:
    """Versions of it that would end the service, and hold it."""
    fine = registry.champion(tree, tracking=tracking).number
    return [broken(mlflow_server, tree, fine, harm) for harm in (poisoned, circular)]


@pytest.mark.parametrize(
    ("count", "connections", "most_seconds"),
    [
        # Every day it runs beside other tests, on whatever machine there is.
        pytest.param(1_000, 200, 20 * SECONDS, id="short"),
        pytest.param(10_000, 2_000, SECONDS, id="long", marks=pytest.mark.nightly),
    ],
)
def test_hostile_callers_and_versions_do_no_harm(
    *,
    tmp_path,
    mlflow_server,
    species,
    progression,
    tree,
    harmful,
    promote,
    count,
    connections,
    most_seconds,
):
    print(f"FUZZ_SEED={SEED}")
    limits = ("--max-rows", "20", "--max-bytes", "20000", "--timeout", "3")
    names = (species, progression, tree)
    with serving(tmp_path, mlflow_server, *names, options=limits) as service:
        fuzzer = Fuzzer(service.get("/openapi.json")[1], SEED)
        stop = threading.Event()
        healthy = [Healthy(service, name, stop) for name in (species, tree)]
        attack = Attack(service, fuzzer.cases(count))
        with ThreadPoolExecutor(AT_ONCE + len(healthy) + 1) as pool:
            others = [pool.submit(half_open, service, connections, stop)]
            others += [pool.submit(each.run) for each in healthy]
            attackers = [pool.submit(attack.run) for _ in range(AT_ONCE)]
            try:
                for number, part in zip(harmful, (0.25, 0.5), strict=True):
                    service.until(lambda part=part: attack.done >= count * part, 900)
                    promote(tree, number)
                for each in attackers:
                    each.result()
                page = f"/models/{tree.replace('.', '/')}"
                refused = service.until(
                    lambda: (
                        (now := service.get(page)[1]["refused"])
                        and now["version"] == harmful[-1]
                        and now
                    ),
                    # Each may take as long to be given up as a version has to load.
                    3 * LONG,
                )
            finally:
                stop.set()
            for each in others:
                each.result()
        assert refused["reason"] == "it does not load"
        assert service.process.poll() is None
        figures = service.get("/metrics")[1]
        log = service.log.read_text()

    for (what, status), number in sorted(attack.outcomes.items(), key=str):
        print(f"{what:14} {status}: {number}")
    seconds = sorted(second for each in healthy for second in each.seconds)
    print(
        f"healthy: {len(seconds)} answers, p50 {seconds[len(seconds) // 2]:.3f} s, "
        f"p99 {seconds[int(len(seconds) * 0.99)]:.3f} s, longest {seconds[-1]:.3f} s"
    )
    assert not attack.wrong, f"FUZZ_SEED={SEED}\n" + "\n".join(attack.wrong)
    assert 'status="500"' not in figures, log
    assert [set(each.statuses) for each in healthy] == [{200}] * len(healthy)
    assert seconds[int(len(seconds) * 0.99)] < most_seconds
    # On a machine that has other work, too, some wait for that.
    assert seconds[-1] < 5 * most_seconds


def _is_fine(case: Case, status: int | None, content: bytes) -> bool:
    if case.what == "valid" and status == 422:
        # The model itself may refuse, such as numbers that 32 bits do not hold.
        return b'"cannot_predict"' in content
    if case.what == "valid":
        return status in (200, 503)
    return status is None or status < 500 or status == 503
