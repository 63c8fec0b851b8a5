"""The notifier behind `{type: webhook}`: it knows Airflow's connections."""

from collections.abc import Mapping
from typing import Any

from airflow.sdk import BaseNotifier, Context

PATIENCE = 10.0
"""Seconds that the receiver may take to connect, and to answer."""


class PostJson(BaseNotifier):  # type: ignore[misc]
    """Posts a JSON object.

    Args:
        body: The object.
        url: Where to; an address that is a secret belongs into a connection.
        connection: An Airflow HTTP connection: its address, login and headers.
    """

    def __init__(
        self, *, body: Mapping[str, Any], url: str | None = None, connection: str | None = None
    ) -> None:
        super().__init__()
        self.body = body
        self.url = url
        self.connection = connection

    def notify(self, context: Context) -> None:  # noqa: ARG002 - the message is complete
        """Post it.

        Raises:
            httpx.HTTPError: It could not be delivered, or was not accepted.
        """
        import httpx

        from factory.airflow import connections

        url, login = self.url, None
        if self.connection:
            url, login = connections.http_address(self.connection)
        answer = httpx.post(
            str(url),
            json=dict(self.body),
            headers=login.headers if login else None,
            auth=(login.user or "", login.password or "") if login and login.user else None,
            timeout=PATIENCE,
        )
        if not answer.is_success:
            # httpx's own message shows the address, which may be a secret.
            raise httpx.HTTPStatusError(
                f"the receiver answered {answer.status_code}",
                request=answer.request,
                response=answer,
            )
