"""The pages, as an application that Airflow's API server mounts."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from typing import Any
from urllib.parse import urlsplit

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from factory.base.errors import FactoryError
from factory.base.texts import age, score_text, shown
from factory.page.dataset import dataset_page
from factory.page.document import document_page
from factory.page.model import model_page
from factory.page.overview import overview
from factory.page.visit import NotThereError, Visit
from factory.runtime.airflow_api import AirflowRefusedError
from factory.runtime.errors import EmbeddedRuntimeError

_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; script-src 'self'; form-action 'self'; "
    "frame-ancestors 'self'; base-uri 'none'",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
}

View = Callable[[Visit, Mapping[str, str]], Any]


def make_app() -> Starlette:
    """The application; each request brings its `Visit` in `request.state.visit`."""
    return Starlette(
        routes=[
            Route("/", _shown("overview.html.jinja", overview)),
            Route("/datasets/{name}", _shown("dataset.html.jinja", dataset_page)),
            Route("/models/{name}", _shown("model.html.jinja", model_page)),
            Route("/documents/{dag_id}", _shown("document.html.jinja", document_page)),
            Route("/dags/{dag_id}/{action}", _acted, methods=["POST"]),
            Route("/links.js", _script),
        ]
    )


def _shown(template: str, view: View) -> Callable[[Request], Response]:
    def answer(request: Request) -> Response:
        visit: Visit = request.state.visit
        asked = {**request.query_params, **request.path_params}
        try:
            page = view(visit, asked)
        except NotThereError as error:
            return _failed(request, 404, str(error))
        except (FactoryError, EmbeddedRuntimeError) as error:
            return _failed(request, 502, str(error))
        return _rendered(request, template, page=page)

    return answer


def _acted(request: Request) -> Response:
    """Start a run of a DAG, pause it or let it run, by the rights of the person who asks."""
    if not _is_from_here(request):
        raise HTTPException(403, "this comes from another site")
    visit: Visit = request.state.visit
    dag_id, action = request.path_params["dag_id"], request.path_params["action"]
    try:
        if action == "run":
            visit.client.trigger(dag_id)
        elif action in ("pause", "unpause"):
            visit.client.unpause(dag_id, paused=action == "pause")
        else:
            raise HTTPException(404, f"there is no {action!r}")
    except AirflowRefusedError as error:
        return _failed(request, error.status, str(error))
    # With two slashes at its start, a path would be the address of another site.
    back = "/" + urlsplit(request.headers.get("referer", "")).path.lstrip("/")
    root = request.scope.get("root_path", "")
    return RedirectResponse(back if back.startswith(f"{root}/") else f"{root}/", status_code=303)


def _script(request: Request) -> Response:
    del request
    text = files("factory.page").joinpath("links.js").read_text()
    return Response(text, media_type="text/javascript", headers=_HEADERS)


def _is_from_here(request: Request) -> bool:
    """Whether a form of these pages was sent, and not one of another site with this person's cookie."""
    origin = request.headers.get("origin")
    return origin is not None and urlsplit(origin).netloc == request.headers.get("host")


def _failed(request: Request, status: int, message: str) -> Response:
    return _rendered(request, "failed.html.jinja", status=status, message=message)


def _rendered(request: Request, template: str, *, status: int = 200, **values: Any) -> Response:
    visit: Visit = request.state.visit
    text = (
        _templates()
        .get_template(template)
        .render(
            root=request.scope.get("root_path", ""),
            airflow=visit.address,
            now=datetime.now(UTC),
            status=status,
            **values,
        )
    )
    return HTMLResponse(text, status_code=status, headers=_HEADERS)


@cache
def _templates() -> Environment:
    found = Environment(
        loader=PackageLoader("factory.page"), autoescape=True, undefined=StrictUndefined
    )
    found.filters |= {"age": age, "shown": shown, "number": "{:,}".format, "score": score_text}
    return found
