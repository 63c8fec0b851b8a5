"""MLflow: whether it answers, and whether it is of the version that tasks talk to."""

import os
from base64 import b64encode
from collections.abc import Iterator
from http import HTTPStatus
from importlib.metadata import version

from factory.diagnosis.finding import Diagnosis, Examined

_SUBJECT = "MLflow"
_SECONDS = 10.0
_HOW = "start it, or set MLFLOW_TRACKING_URI to where it answers; `factory up` starts one"
_WHO = "set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN, here and where tasks run"


def check_server(examined: Examined) -> Iterator[Diagnosis]:
    """Whether MLflow answers."""
    # Late: importing it takes a fifth of a second.
    import httpx

    if examined.mlflow is None:
        text = "no server is named, and none runs in this project"
        yield Diagnosis(_SUBJECT, "warning", text, _HOW)
        return
    try:
        url = httpx.URL(examined.mlflow)
        # Without what may be a password.
        shown = str(url.copy_with(userinfo=b""))
        address = f"{str(url).rstrip('/')}/version"
        answer = httpx.get(address, timeout=_SECONDS, trust_env=False, headers=_login())
        if answer.status_code == HTTPStatus.UNAUTHORIZED:
            text = f"{shown} wants to know who asks, and refuses this environment's user"
            yield Diagnosis(_SUBJECT, "wrong", f"{text}: HTTP {answer.status_code}", _WHO)
            return
        answer.raise_for_status()
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        text = f"does not answer: {type(error).__name__}"
        yield Diagnosis(_SUBJECT, "wrong", text, _HOW)
        return
    yield _of_version(answer.text.strip(), shown)


def _login() -> dict[str, str]:
    """The header that says who asks, from the variables that MLflow's client reads; a name wins over a token."""
    name, password, token = (
        os.environ.get(f"MLFLOW_TRACKING_{key}") for key in ("USERNAME", "PASSWORD", "TOKEN")
    )
    if name and password:
        return {"Authorization": f"Basic {b64encode(f'{name}:{password}'.encode()).decode()}"}
    return {"Authorization": f"Bearer {token}"} if token else {}


def _of_version(server: str, address: str) -> Diagnosis:
    client = version("mlflow")
    if server.split(".")[:2] == client.split(".")[:2]:
        return Diagnosis(_SUBJECT, "ok", f"{server} answers at {address}")
    text = f"{server[:40]} answers at {address}, and tasks have {client}"
    return Diagnosis(_SUBJECT, "warning", text, f"let the server be of version {client} too")
