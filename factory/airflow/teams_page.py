"""The page of the teams within Airflow: who may see it, and by whose rights Airflow is asked."""

from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from factory.team.environment import configs_folder

if TYPE_CHECKING:
    import httpx

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class TeamsPage:
    """An application that loads what it needs when somebody opens it for the first time.

    Each of Airflow's processes makes one, since it is part of a plug-in.
    """

    def __init__(self) -> None:
        self._pages: Any = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As ASGI has it."""
        if scope["type"] != "http":
            return
        from starlette.requests import Request

        answer = await self._visit(Request(scope, receive))
        await answer(scope, receive, send)

    async def _visit(self, request: Any) -> Any:
        """The pages for whoever is logged in; for others, the way to log in."""
        from airflow.api_fastapi.core_api.security import resolve_user_from_token
        from fastapi import HTTPException
        from starlette.responses import RedirectResponse

        token = _token(request)
        try:
            user = await resolve_user_from_token(token)
        except HTTPException:
            login = request.base_url.replace(path="/api/v2/auth/login")
            return RedirectResponse(str(login.include_query_params(next=str(request.url))))
        if self._pages is None:
            from factory.page.app import make_app

            self._pages = make_app()
        request.state.visit = _visit_of(request, user, str(token))
        return self._pages


def _token(request: Any) -> str | None:
    from airflow.api_fastapi.auth.managers.base_auth_manager import COOKIE_NAME_JWT_TOKEN

    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return str(given)
    found = request.cookies.get(COOKIE_NAME_JWT_TOKEN)
    return None if found is None else str(found)


def _visit_of(request: Any, user: Any, token: str) -> Any:
    from airflow.configuration import conf

    from factory.airflow.storage_access import storage_access
    from factory.page.visit import Visit

    address = str(request.base_url.replace(path="")).rstrip("/")
    return Visit(
        configs=configs_folder(Path(conf.get("core", "dags_folder")) / "teams.py"),
        address=address,
        token=token,
        transport=_within(request.scope["app"]),
        may=_may(user),
        storage_access=storage_access,
    )


def _may(user: Any) -> Callable[[str, str], bool]:
    from airflow.api_fastapi.app import get_auth_manager
    from airflow.api_fastapi.auth.managers.models.resource_details import (
        DagAccessEntity,
        DagDetails,
    )

    methods: dict[str, tuple[Any, Any]] = {
        "read": ("GET", None),
        "edit": ("PUT", None),
        "run": ("POST", DagAccessEntity.RUN),
    }

    def may(dag_id: str, what: str) -> bool:
        method, entity = methods[what]
        found: bool = get_auth_manager().is_authorized_dag(
            method=method, access_entity=entity, details=DagDetails(id=dag_id), user=user
        )
        return found

    return may


def _within(app: Any) -> "httpx.BaseTransport":
    """Carries requests to the application that this is part of, without a network in between."""
    import anyio.from_thread
    import httpx

    class Within(httpx.BaseTransport):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            inner = httpx.ASGITransport(app=app)

            async def ask() -> httpx.Response:
                answer = await inner.handle_async_request(request)
                # Read, it is unpacked: what the other headers say of it does not hold any more.
                kind = {"Content-Type": answer.headers.get("content-type", "")}
                return httpx.Response(
                    answer.status_code, headers=kind, content=await answer.aread()
                )

            # The pages run in threads of the server, whose loop answers meanwhile.
            return anyio.from_thread.run(ask)

    return Within()
