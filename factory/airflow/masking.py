"""Reading Airflow's connections so that what they hold is shown nowhere.

Airflow masks passwords and extras in its logs, in every way in which they may be written: see
`factory.base.secrets.spellings`, which the setting `secret_mask_adapter` names. Here it is told the rest, and
what leaves a task by other ways than its log goes through `shown`.
"""

import os
import sys
from collections.abc import Iterable
from typing import Any

from factory.base.secrets import secrets_of_address, secrets_of_environment

_READ_LATER = ("AIRFLOW_CONN_", "AIRFLOW_VAR_")
_OPENLINEAGE = "airflow.providers.openlineage.plugins.listener"


def connection(name: str) -> Any:
    """An Airflow connection; whatever is secret in it is masked from now on.

    A login without a password is taken for a token, as some servers have it.

    Raises:
        AirflowNotFoundException: There is none of this name.
    """
    from airflow.sdk import BaseHook

    found = BaseHook.get_connection(name)
    tokens = [found.login] if found.login and not found.password else []
    mask((*tokens, *secrets_of_address(found.host or "")))
    return found


def mask(secrets: Iterable[str]) -> None:
    """Have Airflow hide secrets wherever it writes, in this process and in the one that keeps its log."""
    from airflow.sdk.log import mask_secret

    if found := sorted(set(secrets)):
        mask_secret(found)


def mask_environment() -> None:
    """Mask what the environment holds: keys, tokens, and logins in addresses.

    Connections and variables of Airflow are masked when they are read: there may be many.
    """
    others = {key: value for key, value in os.environ.items() if not key.startswith(_READ_LATER)}
    mask(secrets_of_environment(others))


def shown(text: str) -> str:
    """A text without the secrets that are known by now, for what is written elsewhere than into Airflow's logs."""
    from airflow.sdk.log import redact

    return str(redact(text))


def renew_openlineage() -> None:
    """Let OpenLineage's events of this process hide what is masked by now.

    Its provider takes a copy of Airflow's masks when Airflow starts, when there are none.
    """
    listener = sys.modules.get(_OPENLINEAGE)
    if listener is None:
        return
    from airflow.providers.openlineage.utils.utils import OpenLineageRedactor
    from airflow.sdk._shared.secrets_masker import _secrets_masker

    adapter = listener.get_openlineage_listener().adapter
    adapter._redacter = OpenLineageRedactor.from_masker(_secrets_masker())  # noqa: SLF001 - no other way in
