"""The service's OpenAPI document: one path a model, its features by name, as its version takes them."""

from collections.abc import Sequence
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute

from factory.serving.answers import Classified, Estimated
from factory.serving.loading import Served
from factory.serving.models import Models
from factory.serving.pages import Problem

_PROBLEMS: dict[int | str, dict[str, Any]] = {
    413: {"model": Problem, "description": "The body is too long"},
    415: {"model": Problem, "description": "The body is no JSON"},
    503: {"model": Problem, "description": "No version answers, or too many requests wait"},
    504: {"model": Problem, "description": "The prediction took too long"},
}


class Document:
    """Made anew whenever another version answers."""

    def __init__(self, app: FastAPI, models: Models) -> None:
        self._app = app
        self._models = models
        self._made: tuple[Sequence[Served], dict[str, Any]] | None = None

    def __call__(self) -> dict[str, Any]:
        """The document."""
        served = [model.served for model in self._models.all() if model.served]
        if self._made is None or self._made[0] != served:
            routes = [*self._app.routes, *map(_route, served)]
            document = get_openapi(
                title=self._app.title,
                version=self._app.version,
                description=self._app.description,
                routes=routes,
            )
            self._made = (served, document)
        return self._made[1]


def _route(served: Served) -> APIRoute:
    """The path of one model, for documentation only: requests go through a path for all models."""
    body = served.contract.request

    def predict(rows: body) -> None:  # type: ignore[valid-type]
        del rows

    version = served.version
    team, _, model = version.model.partition(".")
    return APIRoute(
        f"/models/{team}/{model}/predict",
        predict,
        methods=["POST"],
        response_model=Classified if served.classifies else Estimated,
        response_model_exclude_none=True,
        operation_id=f"predict_{team}_{model}",
        tags=[team],
        summary=f"Ask {version.model}",
        description=f"Version {version.number} answers.",
        responses=_PROBLEMS,
    )
