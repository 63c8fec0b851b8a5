"""The HTTP interface."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse
from fastapi_offline import FastAPIOffline
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from factory.models.tracking import Tracking
from factory.serving.answers import answer_together
from factory.serving.champions import ChampionWatcher
from factory.serving.endpoint import PredictionEndpoint
from factory.serving.entity_answers import answer_by_entity
from factory.serving.front_page import front_page
from factory.serving.limits import ServingLimits
from factory.serving.metrics import ServingMetrics
from factory.serving.openapi import OpenApiDocument
from factory.serving.prediction_queue import PredictionQueue
from factory.serving.schemas import Details, Health, Listing, Problem, Summary
from factory.serving.served_models import ServedModels

_ABOUT = "Models in production. Each follows its champion in the model registry."


def create_app(
    models: ServedModels,
    settings: ServingLimits,
    *,
    tracking: Tracking | None = None,
    alone: str | None = None,
) -> FastAPI:
    """The service.

    Args:
        models: Which models; all that have a champion, if it names none.
        settings: Its limits.
        tracking: The MLflow server whose champions are served; None for models that stay as they are.
        alone: The one model of the service, which SageMaker's paths ask; None for no such paths.
    """
    metrics = ServingMetrics()
    queue = PredictionQueue(
        answer_together,
        threads=settings.threads,
        waiting=settings.waiting,
        seconds=settings.seconds,
    )
    entity_queue = PredictionQueue(
        answer_by_entity,
        threads=settings.threads,
        waiting=settings.waiting,
        seconds=settings.seconds,
    )
    watcher = ChampionWatcher(tracking, models, metrics, settings) if tracking else None

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        if watcher:
            watcher.start()
        yield
        if watcher:
            watcher.stop()
        queue.close()
        entity_queue.close()

    # FastAPI's own page of documentation loads its scripts from elsewhere.
    app = FastAPIOffline(
        title="factory serve", description=_ABOUT, version="1", lifespan=lifespan, redoc_url=None
    )
    # FastAPI's own way to give another document: https://fastapi.tiangolo.com/how-to/extending-openapi/
    app.openapi = OpenApiDocument(app, models)  # type: ignore[method-assign]
    app.add_exception_handler(Exception, _unexpected)
    endpoint = PredictionEndpoint(models, queue, entity_queue, metrics, settings)
    _add_front_page(app, models)
    _add_models(app, models, endpoint)
    if alone:
        _add_invocations(app, alone, models, endpoint)
    _add_health(app, models, watcher)

    @app.get("/metrics", tags=["service"], response_class=Response)
    def show_metrics() -> Response:
        """Figures for Prometheus."""
        return Response(generate_latest(metrics.registry), media_type=CONTENT_TYPE_LATEST)

    return app


def _add_front_page(app: FastAPI, models: ServedModels) -> None:
    @app.get("/", include_in_schema=False)
    async def show_front_page() -> HTMLResponse:
        return HTMLResponse(front_page(Summary.of(model) for model in models.all()))


def _add_models(app: FastAPI, models: ServedModels, endpoint: PredictionEndpoint) -> None:
    @app.get("/models", tags=["models"])
    async def list_models() -> Listing:
        """All models, and which version of each answers."""
        return Listing(models=[Summary.of(model) for model in models.all()])

    @app.get("/models/{team}/{model}", tags=["models"], responses={404: {"model": Problem}})
    async def show_model(team: str, model: str) -> Details:
        """One model: its version, signature, metrics and the snapshots that it learned from."""
        return Details.of(endpoint.model(f"{team}.{model}"))

    # The document has a path for each model instead.
    @app.post("/models/{team}/{model}/predict", include_in_schema=False)
    async def predict(team: str, model: str, request: Request) -> Response:
        return await endpoint.predict(f"{team}.{model}", request)


def _add_invocations(
    app: FastAPI, name: str, models: ServedModels, endpoint: PredictionEndpoint
) -> None:
    """What SageMaker asks for: https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-inference-code.html."""

    @app.get("/ping", tags=["SageMaker"], response_class=Response)
    async def ping() -> Response:
        """Whether the service can answer: 200, otherwise 503."""
        return Response(status_code=200 if models.ready else 503)

    @app.post("/invocations", include_in_schema=False)
    async def invocations(request: Request) -> Response:
        return await endpoint.predict(name, request)


def _add_health(app: FastAPI, models: ServedModels, watcher: ChampionWatcher | None) -> None:
    def health() -> Health:
        answers = {None: "not asked yet", True: "answers", False: "does not answer"}
        return Health(
            live=True,
            ready=models.ready,
            registry=answers[watcher.registry_answers] if watcher else "not used",
            waiting_for=[model.name for model in models.all() if model.pending],
        )

    @app.get("/healthz/live", tags=["service"])
    async def show_live() -> Health:
        """Whether the service runs: 200."""
        return health()

    @app.get("/healthz", tags=["service"], responses={503: {"model": Health}})
    @app.get("/healthz/ready", tags=["service"], responses={503: {"model": Health}})
    async def show_ready(response: Response) -> Health:
        """Whether the service can answer: 200, and 503 until it can."""
        found = health()
        response.status_code = 200 if found.ready else 503
        return found


async def _unexpected(_request: Request, _error: Exception) -> JSONResponse:
    """The traceback goes to the log, where Starlette writes it, and not to the caller."""
    return JSONResponse({"detail": "the service failed: its log says why"}, status_code=500)
