"""One request for predictions, from its body to its answer."""

import time

from fastapi import HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.requests import ClientDisconnect

from factory.base.texts import did_you_mean, one_of
from factory.serving.answers import Answer
from factory.serving.bodies import read_body, read_image
from factory.serving.entity_answers import ServedEntities
from factory.serving.image_contract import ImageContract
from factory.serving.limits import ServingLimits
from factory.serving.loading import LoadedVersion
from factory.serving.metrics import ServingMetrics
from factory.serving.prediction_queue import BusyError, PredictionQueue
from factory.serving.served_models import ServedModel, ServedModels

_NOBODY_WAITS = 499
"""What nginx counts a request as whose caller has gone."""


class PredictionEndpoint:
    """Answers requests with whatever version is at hand when they arrive."""

    def __init__(
        self,
        models: ServedModels,
        queue: PredictionQueue[LoadedVersion, Answer],
        entity_queue: PredictionQueue[ServedEntities, Answer],
        metrics: ServingMetrics,
        settings: ServingLimits,
    ) -> None:
        self._models = models
        self._queue = queue
        self._entity_queue = entity_queue
        self._metrics = metrics
        self._settings = settings

    async def predict(self, name: str, request: Request) -> Response:
        """The answer to one request; every outcome is counted.

        Raises:
            HTTPException: There is no answer; says what the caller can do.
            RequestValidationError: The body is not what the model takes.
        """
        started = time.perf_counter()
        status = 500
        try:
            response = await self._answer(name, request)
            status = response.status_code
        except HTTPException as error:
            status = error.status_code
            raise
        except RequestValidationError:
            status = 422
            raise
        except ClientDisconnect:
            status = _NOBODY_WAITS
            return Response(status_code=400)
        else:
            return response
        finally:
            # Names that nobody serves come from callers: they must not become labels.
            label = name if self._models.get(name) else "unknown"
            self._metrics.requests.labels(label, str(status)).inc()
            self._metrics.seconds.labels(label).observe(time.perf_counter() - started)

    def model(self, name: str) -> ServedModel:
        """One model.

        Raises:
            HTTPException: 404, there is no such model; names the nearest, or all.
        """
        model = self._models.get(name)
        if model is None:
            names = [each.name for each in self._models.all()]
            otherwise = f"there are {one_of(names)}" if names else "there is none yet"
            raise HTTPException(404, f"there is no model: {did_you_mean(name, names, otherwise)}")
        return model

    async def _answer(self, name: str, request: Request) -> Response:
        model = self.model(name)
        served = model.served
        if not model.answers:
            raise _none_answers(name)
        if served is not None and isinstance(served.contract, ImageContract):
            body = await read_image(request, self._settings, served.contract.most_bytes)
        else:
            body = await read_body(request, self._settings)
        try:
            answered = await self._asked(model, body)
        except BusyError:
            raise HTTPException(
                503, "too many requests wait for an answer: try again", {"Retry-After": "1"}
            ) from None
        except TimeoutError:
            raise HTTPException(
                504, f"no prediction within {self._settings.seconds:g} seconds: send fewer rows"
            ) from None
        self._metrics.rows.labels(name).inc(answered.rows)
        return Response(answered.body, media_type="application/json")

    async def _asked(self, model: ServedModel, body: bytes) -> Answer:
        if model.entities is not None:
            # Its threads may load versions, and others do not wait for that.
            return await self._entity_queue.ask(model.entities, body)
        if model.served is None:
            raise _none_answers(model.name)
        return await self._queue.ask(model.served, body)


def _none_answers(name: str) -> HTTPException:
    return HTTPException(503, f"no version of {name} answers yet: see GET /models")
