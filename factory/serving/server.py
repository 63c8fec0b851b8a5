"""Run the service on a port until somebody stops it."""

import logging
import socket
from collections.abc import Sequence
from ipaddress import ip_address
from pathlib import Path

import uvicorn
from fastapi import FastAPI
from starlette.middleware.trustedhost import TrustedHostMiddleware

from factory.base.errors import TerminalError
from factory.models.tracking import Tracking
from factory.serving.app import create_app
from factory.serving.connections import bounded_protocol
from factory.serving.folder import load_folder, models_of
from factory.serving.limits import Callers, ServingLimits
from factory.serving.served_models import ServedModels
from factory.serving.tokens import RequireToken, TokenFile

logger = logging.getLogger(__name__)

LOOPBACK_NAMES = ("localhost", "127.0.0.1", "[::1]")
"""By what names a caller on this machine knows a service that only this machine reaches."""
_BACKLOG = 2048
_OPEN_AT_MOST = 1000
"""Connections; a caller that only connects must not use up the memory."""


def serve(
    names: Sequence[str],
    *,
    tracking: Tracking,
    host: str,
    port: int,
    settings: ServingLimits,
    callers: Callers,
) -> None:
    """Serve champions until SIGTERM or SIGINT; requests that have begun are then finished.

    Args:
        names: Full names; none for all models that have a champion.
        tracking: The MLflow server.
        host: The address to listen on.
        port: The port; 0 for a free one.
        settings: Limits.
        callers: Whom to answer.

    Raises:
        TerminalError: Nothing can listen on that address, or there are no tokens in the callers' file.
    """
    app = create_app(ServedModels.named(names), settings, tracking=tracking)
    _run(app, host, port, settings, callers)


def serve_folder(
    folder: Path, *, host: str, port: int, settings: ServingLimits, callers: Callers
) -> None:
    """Serve the one model in a folder, once it is loaded; otherwise as `serve` does.

    Raises:
        TerminalError: It does not load, or nothing can listen on that address.
    """
    served = load_folder(folder, settings)
    app = create_app(models_of(served), settings, alone=served.version.model)
    _run(app, host, port, settings, callers)


def _run(app: FastAPI, host: str, port: int, settings: ServingLimits, callers: Callers) -> None:
    tokens = TokenFile(callers.token_file) if callers.token_file else None
    listener = _listen(host, port)
    address, number = listener.getsockname()[:2]
    if ip_address(address).is_loopback:
        # A page in a browser on this machine can make its own name lead here.
        trusted = [*LOOPBACK_NAMES, *callers.hosts]
        app.add_middleware(TrustedHostMiddleware, allowed_hosts=trusted, www_redirect=False)
    elif callers.hosts:
        app.add_middleware(TrustedHostMiddleware, allowed_hosts=callers.hosts, www_redirect=False)
    if tokens:
        app.add_middleware(RequireToken, tokens=tokens)
    elif not ip_address(address).is_loopback:
        logger.warning(
            "Whoever can reach %s:%d may ask: name a file of tokens with --token-file",
            address,
            number,
        )
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        http=bounded_protocol(settings),
        limit_concurrency=_OPEN_AT_MOST,
        timeout_graceful_shutdown=settings.grace_seconds,
    )
    shown = f"[{address}]" if ":" in address else address
    logger.info("Serving on http://%s:%d, documentation at /docs", shown, number)
    uvicorn.Server(config).run(sockets=[listener])


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family)
    # A port that merely has old connections closing is free.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise TerminalError(
            f"port {port} on {host} is taken or not allowed ({error.strerror}): "
            "choose another with --port, or another address with --host"
        ) from None
    listener.listen(_BACKLOG)
    return listener
