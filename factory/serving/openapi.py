"""The service's OpenAPI document: one path a model, its features by name, as its version takes them."""

from collections.abc import Sequence
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from pydantic import BaseModel

from factory.serving.answers import Measured, Recognized, form_of
from factory.serving.contract import Contract
from factory.serving.entity_answers import AnsweredByEntity, ServedEntities
from factory.serving.image_contract import ImageContract
from factory.serving.images import FIELD, KINDS
from factory.serving.loading import LoadedVersion
from factory.serving.schemas import Problem
from factory.serving.served_models import ServedModels

_PROBLEMS: dict[int | str, dict[str, Any]] = {
    413: {"model": Problem, "description": "The body is too long"},
    415: {"model": Problem, "description": "The body is of no type that the model takes"},
    503: {"model": Problem, "description": "No version answers, or too many requests wait"},
    504: {"model": Problem, "description": "The prediction took too long"},
}


_Answering = LoadedVersion | ServedEntities


class OpenApiDocument:
    """Made anew whenever another version answers."""

    def __init__(self, app: FastAPI, models: ServedModels) -> None:
        self._app = app
        self._models = models
        self._made: tuple[Sequence[_Answering], dict[str, Any]] | None = None

    def __call__(self) -> dict[str, Any]:
        """The document."""
        found = [model.entities or model.served for model in self._models.all()]
        served = [each for each in found if each is not None]
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


def _route(served: _Answering) -> APIRoute:
    """The path of one model, for documentation only: requests go through a path for all models."""
    if isinstance(served, ServedEntities):
        return _route_by_entity(served)
    contract = served.contract
    if isinstance(contract, ImageContract):
        return _documented(
            served.version.model,
            f"Version {served.version.number} answers.",
            _takes_an_image,
            Recognized if served.classifies else Measured,
            openapi_extra={"requestBody": _image_body(contract)},
        )
    body = contract.request

    def predict(rows: body) -> None:  # type: ignore[valid-type]
        del rows

    return _documented(
        served.version.model,
        f"Version {served.version.number} answers.",
        predict,
        form_of(served.version.record.learning_task),
    )


def _route_by_entity(served: ServedEntities) -> APIRoute:
    """Rows as the fallback takes them, which has the features of all; where there is none, any rows."""
    fallback = served.fallback
    body = served.request
    if fallback is not None and isinstance(fallback.contract, Contract):
        body = fallback.contract.request

    def predict(rows: body) -> None:  # type: ignore[valid-type]
        del rows

    return _documented(
        served.name,
        f"The champion of each row's `{served.column}` answers, and the fallback for others.",
        predict,
        AnsweredByEntity,
    )


def _documented(
    name: str, description: str, endpoint: Any, answer: type[BaseModel], **arguments: Any
) -> APIRoute:
    team, _, model = name.partition(".")
    return APIRoute(
        f"/models/{team}/{model}/predict",
        endpoint,
        methods=["POST"],
        response_model=answer,
        response_model_exclude_none=True,
        operation_id=f"predict_{team}_{model}",
        tags=[team],
        summary=f"Ask {name}",
        description=description,
        responses=_PROBLEMS,
        **arguments,
    )


def _takes_an_image() -> None:
    """What it takes is described apart: the body is no JSON."""


def _image_body(contract: ImageContract) -> dict[str, Any]:
    """A form with one file, the file itself, or several in JSON, which is answered with lists."""
    file = {"type": "string", "format": "binary"}
    text = {"type": "string", "contentEncoding": "base64"}
    return {
        "required": True,
        "description": f"JPEG, PNG or WebP, at most {contract.limits.most_bytes:,} bytes and "
        f"{contract.limits.most_pixels:,} pixels.",
        "content": {
            "multipart/form-data": {
                "schema": _object({FIELD: {**file, "description": "The image's file."}})
            },
            **{kind: {"schema": file} for kind in KINDS.values()},
            "application/json": {
                "schema": _object(
                    {
                        "rows": {
                            "type": "array",
                            "minItems": 1,
                            "maxItems": contract.most_rows,
                            "items": _object({contract.column: text}),
                        }
                    }
                )
            },
        },
    }


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "required": list(properties),
        "properties": properties,
        "additionalProperties": False,
    }
