"""Code of the team of `test_secrets`, which says whatever it gets to know, in every way that it can."""

import json
import logging
import os
import subprocess
import sys
import warnings
from base64 import b64encode
from typing import Any, Self
from urllib.parse import quote

import pandas as pd
from airflow.sdk import BaseHook
from sklearn.linear_model import LogisticRegression

CONNECTIONS = ("planted_sql", "planted_http", "planted_stored")


def known() -> list[str]:
    """What connections and the environment hold, as libraries write it."""
    told = [os.environ.get(name, "") for name in ("PLANTED_API_KEY", "FACTORY_SIGNING_KEY")]
    for name in CONNECTIONS:
        found = BaseHook.get_connection(name)
        extra = json.loads(found.extra or "{}")
        login = b64encode(f"{found.login}:{found.password}".encode()).decode()
        told += [
            found.get_uri(),
            str(found.password),
            quote(str(found.password), safe=""),
            repr({"password": found.password}),
            json.dumps({"value": found.password}),
            f"Authorization: Basic {login}",
            str(found.extra),
            *(f"{key}: {value}" for key, value in extra.get("headers", {}).items()),
            *(str(value) for value in extra.values()),
        ]
    return told


def rows(*, broken: bool) -> pd.DataFrame:
    """Rows, or an error with causes and notes."""
    told = known()
    for line in told:
        print(line)
        print(line, file=sys.stderr)
        logging.getLogger("leaks").warning("about to read: %s", line)
        logging.getLogger("leaks").info("as an argument", extra={"line": line})
    warnings.warn("\n".join(told), stacklevel=1)
    subprocess.run([sys.executable, "-c", "print(input())"], input=told[0], text=True, check=True)
    if not broken:
        return pd.DataFrame({"n": [1, 2, 3]})
    error = RuntimeError("\n".join(told), told)
    error.add_note("\n".join(told))
    raise error from KeyError(told[1])


def make(*, name: str) -> dict[str, str]:
    """A resource that is described with its password."""
    return {"name": name, "address": BaseHook.get_connection("planted_sql").get_uri()}


def drop(**_: Any) -> None:
    """Nothing."""


class Leaky(LogisticRegression):
    """Fails with secrets in its error where `C` is above one."""

    def fit(self, *arguments: Any, **named: Any) -> Self:
        if self.C > 1:
            raise ValueError("\n".join(known()))
        return super().fit(*arguments, **named)
