"""`factory-train`: trains one trial, in the manner of a SageMaker training container.

Below /opt/ml (FACTORY_TRAIN_BASE, where that is set) are read `input/config/hyperparameters.json` and
the channels `input/data/split` and `input/data/settings`; the trained model and `fit.json` are left in
`model/`, and if it fails, the reason in `output/failure`. Exit codes: 0 trained, 1 failed, 2 failed and
would fail again, 143 asked to end.
"""

import json
import logging
import signal
import sys
import tempfile
import traceback
from pathlib import Path
from types import FrameType

from factory.base.errors import TerminalError
from factory.base.files import TEMPORARY
from factory.training.backends.job_layout import SPLIT, JobLayout, as_reason

log = logging.getLogger(__name__)

TRAINED = 0
FAILED = 1
REFUSED = 2
STOPPED = 128 + signal.SIGTERM


class _Asked(BaseException):
    """The process was asked to end: not for anybody to handle on the way."""


def main() -> int:
    """Train the trial that this container was started for; returns the exit code."""
    logging.basicConfig(
        level=logging.INFO, stream=sys.stdout, format="%(asctime)s %(levelname)s %(message)s"
    )
    layout = JobLayout.here()
    signal.signal(signal.SIGTERM, _asked)
    try:
        train(layout)
    except _Asked:
        layout.fail("it was asked to end (SIGTERM)")
        return STOPPED
    except Exception as error:  # noqa: BLE001 - whatever it is, it is the reason of the failure
        traceback.print_exc(file=sys.stdout)
        layout.fail(as_reason(error))
        return REFUSED if isinstance(error, TerminalError) else FAILED
    return TRAINED


def _asked(_number: int, _frame: FrameType | None) -> None:
    raise _Asked


def train(layout: JobLayout) -> None:
    """Train the trial that the folders describe, and leave the model in them.

    Raises:
        TerminalError: The input is not what it should be, or the trial refuses to be trained.
    """
    # Late: a process that is asked to end while it imports these for seconds can say so.
    from factory.training.backends.job_files import leave, read_settings, read_trial
    from factory.training.trial import fit

    try:
        given = json.loads(layout.hyperparameters.read_bytes())
    except (OSError, ValueError) as error:
        raise TerminalError(f"{layout.hyperparameters} cannot be read: {error}") from error
    trial = read_trial(given)
    settings = read_settings(layout)
    log.info("Training trial %d, %s", trial.index, trial.name)
    with tempfile.TemporaryDirectory(prefix=TEMPORARY) as folder:
        workspace = Path(folder)
        (workspace / SPLIT).symlink_to(layout.channel(SPLIT), target_is_directory=True)
        fitted = fit(trial, settings.split, settings.section(), workspace)
        leave(fitted, workspace, layout.model)
    log.info("Trained %s in %.2f s", trial.name, fitted.fit_seconds)


if __name__ == "__main__":
    sys.exit(main())
