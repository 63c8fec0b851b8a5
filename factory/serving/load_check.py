"""A version is loaded and asked in a process of its own first: one that ends or holds it does the service no harm."""

import logging
import resource
from multiprocessing.connection import Connection
from pathlib import Path

from factory.base.errors import FactoryError
from factory.models.record import ModelRecord
from factory.models.registry import Version
from factory.models.tracking import Tracking, TrackingError
from factory.serving.limits import ServingLimits
from factory.serving.processes import PROCESSES
from factory.serving.refusals import UnfitVersionError

logger = logging.getLogger(__name__)


def check_version(version: Version, *, tracking: Tracking, settings: ServingLimits) -> None:
    """Load a version in a process of its own, which predicts the version's input example.

    Raises:
        UnfitVersionError: It does not load, predicts nothing sensible, or takes more time or memory than
            the settings allow; or the process has ended.
        TrackingError: The MLflow server does not answer.
    """
    receiver, sender = PROCESSES.Pipe(duplex=False)
    process = PROCESSES.Process(
        target=_check,
        args=(sender, version.record.model_dump_json(), tracking.uri, settings),
        name=f"check {version.model} {version.number}",
        daemon=True,
    )
    process.start()
    sender.close()
    try:
        if not receiver.poll(settings.load_seconds):
            raise UnfitVersionError(
                f"it has not loaded and predicted its input example within {settings.load_seconds:g} s"
            )
        outcome: Exception | None = receiver.recv()
    except EOFError:
        raise UnfitVersionError("it ends the process that loads it") from None
    finally:
        process.kill()
        process.join()
        receiver.close()
    if outcome is not None:
        raise outcome


def _check(sender: Connection, record: str, tracking_uri: str, settings: ServingLimits) -> None:
    """What the process does: send the error that a version is refused with, or None."""
    resource.setrlimit(resource.RLIMIT_AS, (settings.load_bytes, settings.load_bytes))
    _be_the_first_to_go()
    from factory.serving.loading import load

    version = Version(ModelRecord.model_validate_json(record), aliases=(), tags={})
    outcome: Exception | None = None
    try:
        load(version, tracking=Tracking(tracking_uri), settings=settings)
    except MemoryError:
        outcome = UnfitVersionError(f"it takes more than {settings.load_bytes:,} bytes of memory")
    except (UnfitVersionError, TrackingError) as error:
        logger.exception("%s version %d is refused", version.model, version.number)
        outcome = type(error)(str(error))
    # Whatever reading a file raises; it may pass.
    except Exception:
        logger.exception("%s version %d is refused", version.model, version.number)
        outcome = FactoryError("it does not load")
    sender.send(outcome)


def _be_the_first_to_go() -> None:
    """Where memory runs out, the system shall end this process and not the service."""
    score = Path("/proc/self/oom_score_adj")
    if score.exists():
        score.write_text("1000")
