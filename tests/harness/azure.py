"""Azure's blobs over HTTP for tests: Azurite, Microsoft's own emulator.

It comes with npm (`npm install azurite`); tests that need it are skipped where neither the variable
AZURITE nor the PATH leads to its program `azurite-blob`.
"""

import base64
import hashlib
import hmac
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from email.utils import formatdate
from pathlib import Path

import httpx
import pytest

ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
"""The account that Azurite has, and its key, which its documentation names."""
CONTAINER = "lake"


@dataclass(frozen=True)
class Azurite:
    """A running emulator."""

    endpoint: str

    def make_container(self, name: str) -> None:
        """Make a container if there is none of that name."""
        date = formatdate(usegmt=True)
        signed = (
            f"PUT{chr(10) * 12}x-ms-date:{date}\nx-ms-version:2021-08-06\n"
            f"/{ACCOUNT}/{ACCOUNT}/{name}\nrestype:container"
        )
        signature = hmac.new(base64.b64decode(KEY), signed.encode(), hashlib.sha256).digest()
        answer = httpx.put(
            f"{self.endpoint}/{name}?restype=container",
            headers={
                "x-ms-date": date,
                "x-ms-version": "2021-08-06",
                "Authorization": f"SharedKey {ACCOUNT}:{base64.b64encode(signature).decode()}",
            },
        )
        assert answer.status_code in (201, 409), answer.text


@pytest.fixture(scope="session")
def azurite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azurite]:
    """One emulator for the whole session; all that it holds is in its memory."""
    program = os.environ.get("AZURITE") or shutil.which("azurite-blob")
    if program is None:
        pytest.skip("needs Azurite: npm install azurite, and AZURITE=…/azurite-blob")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log: Path = tmp_path_factory.mktemp("azurite") / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [
                *(program, "--blobHost", "127.0.0.1", "--blobPort", str(port)),
                *(
                    "--inMemoryPersistence",
                    "--silent",
                    "--skipApiVersionCheck",
                    "--disableTelemetry",
                ),
            ],
            cwd=log.parent,
            stdout=output,
            stderr=output,
        )
    try:
        server = Azurite(f"http://127.0.0.1:{port}/{ACCOUNT}")
        _wait_for(port, process, log)
        yield server
    finally:
        process.terminate()
        process.wait()


def _wait_for(port: int, process: "subprocess.Popen[bytes]", log: Path) -> None:
    for _ in range(300):
        assert process.poll() is None, log.read_text()
        with socket.socket() as asking:
            if asking.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    pytest.fail("Azurite did not answer within 30 s")


@pytest.fixture
def azure(azurite: Azurite, monkeypatch: pytest.MonkeyPatch) -> Azurite:
    """The emulator with a container `lake`, which the environment leads to."""
    azurite.make_container(CONTAINER)
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", ACCOUNT)
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_KEY", KEY)
    monkeypatch.setenv("AZURE_STORAGE_ENDPOINT", azurite.endpoint)
    return azurite
