"""`factory serve`: models in production, asked over HTTP."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from factory.base.errors import TerminalError
from factory.cli.console import console, failed, failures_explained
from factory.cli.options import ProjectOption
from factory.cli.project import FULL_NAME, is_registered_name, model_of
from factory.runtime.home import Home
from factory.runtime.lock import addresses_of
from factory.runtime.signals import StopSignals
from factory.serving.limits import Callers, RequestImageLimits, ServingLimits
from factory.serving.processes import warm_up

_LIMITS = ServingLimits()
# Each request has a thread; native libraries that take all processors besides make all of them wait.
_NATIVE_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def serve(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            help="Models; all that have a champion if left out.", metavar="[TEAM.MODEL]…"
        ),
    ] = None,
    project: ProjectOption = Path(),
    host: Annotated[
        str, typer.Option(help="The address to listen on.", envvar="FACTORY_SERVE_HOST")
    ] = "127.0.0.1",
    port: Annotated[
        int,
        typer.Option(
            help="The port to listen on; 0 for a free one.",
            envvar="FACTORY_SERVE_PORT",
            min=0,
            max=65535,
        ),
    ] = 8000,
    threads: Annotated[int, typer.Option(help="Predictions at once.", min=1)] = _LIMITS.threads,
    max_rows: Annotated[
        int, typer.Option(help="Rows that one request may hold.", min=1)
    ] = _LIMITS.most_rows,
    max_bytes: Annotated[
        int, typer.Option(help="Length of a request's body.", min=1)
    ] = _LIMITS.most_bytes,
    timeout: Annotated[
        float, typer.Option(help="Seconds that a prediction may take.", min=0.1)
    ] = _LIMITS.seconds,
    max_image_bytes: Annotated[
        int, typer.Option(help="Length of an image's file.", min=1)
    ] = _LIMITS.images.most_bytes,
    max_pixels: Annotated[
        int, typer.Option(help="Width times height of an image.", min=1)
    ] = _LIMITS.images.most_pixels,
    max_entity_models: Annotated[
        int,
        typer.Option(
            help="Of models with `entities`: how many entities' models are in memory, those that were asked last.",
            min=1,
        ),
    ] = _LIMITS.entity_versions,
    token_file: Annotated[
        Path | None,
        typer.Option(
            help="A file with one token a line; callers bring one as `Authorization: Bearer …`. "
            "It may change while the service runs.",
            envvar="FACTORY_SERVE_TOKEN_FILE",
            dir_okay=False,
        ),
    ] = None,
    allowed_host: Annotated[
        list[str] | None,
        typer.Option(
            help="A name by which callers know the service, such as models.example.org or "
            "*.example.org; may be given several times. On the loopback interface localhost is one.",
            envvar="FACTORY_SERVE_HOSTS",
        ),
    ] = None,
    model_folder: Annotated[
        Path | None,
        typer.Option(
            help="Serve the one model in this folder instead, without a registry.",
            envvar="FACTORY_MODEL_FOLDER",
            file_okay=False,
        ),
    ] = None,
) -> None:
    """Answer requests for predictions with the models that are in production.

    Each model follows its champion in the model registry: after a promotion or a rollback the new
    version answers within seconds. The registry is that in MLFLOW_TRACKING_URI, or the project's own: that of
    the `factory up` that runs in it, or else its MLflow is started as long as models are served. Ctrl-C stops it.
    """
    wanted = list(dict.fromkeys(names or ()))
    if wanted and model_folder:
        raise failed("with --model-folder the folder says which model is served: name none")
    for name in wanted:
        if is_registered_name(name) and not FULL_NAME.fullmatch(name):
            raise failed(
                f"{name} is the model of one entity: serve {model_of(name)}, which picks it for the rows of its entity"
            )
        if not FULL_NAME.fullmatch(name):
            raise failed(f"{name!r} is no model's name: write team.model, such as marine.species")
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    _prepare()
    if not model_folder:
        warm_up()
    # Late, after what is imported here has been told about threads and patience.
    from factory.models.tracking import Tracking
    from factory.serving.server import serve as serve_models
    from factory.serving.server import serve_folder

    settings = ServingLimits(
        threads=threads,
        most_rows=max_rows,
        most_bytes=max_bytes,
        images=RequestImageLimits(max_image_bytes, max_pixels),
        seconds=timeout,
        entity_versions=max_entity_models,
    )
    callers = Callers(tuple(allowed_host or ()), token_file)
    try:
        if model_folder:
            serve_folder(model_folder, host=host, port=port, settings=settings, callers=callers)
            return
        with _registry(project) as uri:
            if uri is None:
                raise failed(
                    f"nothing has been trained in {project.resolve()}: `factory run TEAM.MODEL` trains and, if it is good "
                    "enough, promotes a model. Where models lie in another MLflow, name it: MLFLOW_TRACKING_URI"
                )
            serve_models(
                wanted,
                tracking=Tracking(uri),
                host=host,
                port=port,
                settings=settings,
                callers=callers,
            )
    except TerminalError as error:
        raise failed(str(error)) from None


def _prepare() -> None:
    """Set what libraries read when they are imported; an operator's own values win."""
    for name in _NATIVE_THREADS:
        os.environ.setdefault(name, "1")
    # The follower asks again by itself, and says so.
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "10")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    logging.getLogger("alembic").setLevel(logging.WARNING)
    # It tells of each try, and whoever asks tells of what came of them.
    logging.getLogger("urllib3").setLevel(logging.ERROR)


@contextmanager
def _registry(project: Path) -> Iterator[str | None]:
    """The address that is set, or that of the project's MLflow, which is started unless it runs; None before the first training."""
    if uri := os.environ.get("MLFLOW_TRACKING_URI"):
        yield uri
        return
    if running := addresses_of(project):
        yield running.mlflow
        return
    if not Home.of(project).mlflow_database.exists():
        yield None
        return
    from factory.runtime import foreground

    # The signal that ends the server comes once more when it has ended, and must not end MLflow's supervisor too.
    with (
        failures_explained(),
        StopSignals() as signals,
        foreground.tracking(
            project.resolve(), Home.of(project), signals.pause, stays=True, on_wait=console.print
        ) as variables,
    ):
        yield variables["MLFLOW_TRACKING_URI"]
