"""Jobs as processes of this machine, which outlive the task that started them.

Each has a folder in the workspace that stands for /opt/ml, and beside SageMaker's files there:
`process.json` says which process it is (id and creation time, since ids are used again), `lock` is held
by it as long as it lives, `stopped` says that it was ended on purpose, and `log.txt` is its output.
"""

import fcntl
import json
import logging
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from factory.base.errors import FactoryError
from factory.base.files import write_json
from factory.base.processes import end, kill
from factory.training.backends.failures import STOPPED, Failure, from_reason
from factory.training.backends.layout import BASE_VARIABLE, SETTINGS, SPLIT, Layout
from factory.training.backends.protocol import Description, Job, TrainingData
from factory.training.backends.results import FIT
from factory.training.backends.settings import data_digest, hyperparameters

logger = logging.getLogger(__name__)

GRACE = 3.0
"""Seconds between asking a job to end and ending it. An Airflow task that is stopped has five."""

_INHERITED = (
    *("PATH", "HOME", "LANG", "LANGUAGE", "LC_ALL", "TMPDIR", "TZ", "VIRTUAL_ENV"),
    *("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "CUDA_VISIBLE_DEVICES", "SPT_NOENV"),
    *("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"),
)
_INHERITED_BEGINNINGS = ("PYTHON", "FACTORY_", "TORCH_", "FASTAI_")
"""What a job sees of its worker's environment: no credentials, as in a training container."""

_SAME_TIME = 2.0
"""Seconds by which two creation times of one process may differ."""
_SHOWN_LINES = 40
_LOOK = 0.02
"""Seconds until it is looked again whether the lock is free: no event tells."""


class OtherMachineError(FactoryError):
    """A job runs on another machine, where nothing of it can be seen or done from here."""


@dataclass(frozen=True)
class LocalProcesses:
    """The jobs of one run; see `factory.training.backends.protocol.Backend`."""

    workspace: Path
    """The run's scratch folder."""
    prefix: str
    """What the names of this run's jobs begin with."""

    def prepare(self, workspace: Path, settings: Path) -> TrainingData:
        """See `Backend.prepare`; the rows stay where they are."""
        return TrainingData(address=str(workspace), digest=data_digest(workspace, settings))

    def release(self) -> None:
        """See `Backend.release`; the workspace goes at the end of the run."""

    def check(self, job: Job) -> None:
        """See `Backend.check`; what SageMaker would not take is not taken here either."""
        hyperparameters(job.trial)

    def start(self, job: Job) -> None:
        """See `Backend.start`."""
        layout = self._layout(job.name)
        layout.make(hyperparameters(job.trial))
        with _locked(layout.base) as lock:
            if lock is None or _record(layout.base).exists():
                return
            _link(layout.channel(SPLIT), Path(job.data.address) / SPLIT)
            _link(layout.channel(SETTINGS), Path(job.data.address) / "jobs" / SETTINGS)
            process = _launch(layout.base, lock)
        logger.info("training job %s is process %d, in %s", job.name, process.pid, layout.base)

    def describe(self, name: str) -> Description | None:
        """See `Backend.describe`.

        Raises:
            OtherMachineError: It was started on another machine.
        """
        folder = self._layout(name).base
        if not folder.is_dir():
            return None
        if _is_alive(folder):
            return Description(name, "running", detail="training")
        if (folder / "stopped").exists():
            return Description(name, "stopped", failure=STOPPED)
        return self._ended(name)

    def _ended(self, name: str) -> Description | None:
        layout = self._layout(name)
        if (layout.model / FIT).exists():
            return Description(name, "completed")
        if layout.failure.exists():
            reason = layout.failure.read_text(encoding="utf-8")
            return Description(name, "failed", failure=from_reason(reason))
        if not _record(layout.base).exists():
            return None  # its folder was made, and then whoever was about to start it ended
        lost = "its process ended without a word: it was killed, or ran out of memory"
        return Description(name, "failed", failure=Failure(lost))

    def wait(self, name: str, seconds: float) -> bool:
        """Wait for a job's end for at most so many seconds; returns whether it has ended."""
        deadline = time.monotonic() + seconds
        folder = self._layout(name).base
        process = _process(folder)
        try:
            if process is not None:
                process.wait(timeout=seconds)
        except psutil.TimeoutExpired:
            return False
        # Without its first process a job is over, whatever that has left behind.
        kill(_members(folder))
        return _is_over(folder, deadline)

    def stop(self, name: str) -> None:
        """See `Backend.stop`; returns when no process of the job is left."""
        folder = self._layout(name).base
        if not folder.is_dir() or not _is_alive(folder):
            return
        (folder / "stopped").touch()
        end(_members(folder), grace=GRACE)
        kill(_members(folder))  # those that were started meanwhile
        _is_over(folder, time.monotonic() + GRACE)
        logger.info("training job %s is stopped", name)

    def collect(self, name: str, folder: Path) -> Path:  # noqa: ARG002 - it is on this disk
        """See `Backend.collect`."""
        return self._layout(name).model

    def names(self) -> list[str]:
        """See `Backend.names`."""
        folders = self._folder.iterdir() if self._folder.is_dir() else ()
        return sorted(one.name for one in folders if one.name.startswith(self.prefix))

    def where(self, name: str) -> str:
        """See `Backend.where`: the last lines themselves, since the file goes with the run."""
        file = self._layout(name).base / "log.txt"
        lines = file.read_text(errors="replace").splitlines() if file.exists() else []
        shown = "\n".join(lines[-_SHOWN_LINES:])
        return f"The end of its log:\n{shown}" if shown else "It left no log"

    def printed(self, name: str) -> Iterator[str]:
        """What a job prints, line by line, as far as it has; never ends by itself."""
        with (self._layout(name).base / "log.txt").open(errors="replace") as file:
            while True:
                yield file.readline().rstrip("\n")

    @property
    def _folder(self) -> Path:
        return self.workspace / "jobs"

    def _layout(self, name: str) -> Layout:
        return Layout(self._folder / name)


def _record(folder: Path) -> Path:
    return folder / "process.json"


@contextmanager
def _locked(folder: Path) -> Iterator[int | None]:
    """The descriptor of the folder's lock; None if somebody holds it.

    A process that inherits the descriptor holds the lock on, until it and all that inherit it from
    it have ended: so there is no moment in which a job that was just started has no lock.
    """
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield None
        else:
            yield descriptor
    finally:
        os.close(descriptor)


def _link(link: Path, target: Path) -> None:
    link.unlink(missing_ok=True)
    link.symlink_to(target, target_is_directory=True)


def _launch(folder: Path, lock: int) -> psutil.Process:
    """Start the entry point in a session of its own, and write down which process it is."""
    with (folder / "log.txt").open("ab") as output:
        started = subprocess.Popen(
            [sys.executable, "-m", "factory.training.backends.entry_point"],
            cwd=folder,
            env={**_environment(os.environ), BASE_VARIABLE: str(folder)},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            pass_fds=(lock,),
        )
    process = psutil.Process(started.pid)
    write_json(
        _record(folder),
        {"pid": process.pid, "created": process.create_time(), "host": socket.gethostname()},
    )
    return process


def _environment(environ: Mapping[str, str]) -> dict[str, str]:
    return {
        name: value
        for name, value in environ.items()
        if name in _INHERITED or name.startswith(_INHERITED_BEGINNINGS)
    }


def _is_alive(folder: Path) -> bool:
    if _process(folder) is not None:
        return True
    with _locked(folder) as lock:
        return lock is None


def _is_over(folder: Path, deadline: float) -> bool:
    """Whether nothing of a job is left, by a point of the monotonic clock at the latest.

    A killed process of several threads is a zombie while the last of them still holds the lock.
    """
    while _is_alive(folder):
        if time.monotonic() > deadline:
            return False
        time.sleep(_LOOK)
    return True


def _process(folder: Path) -> psutil.Process | None:
    """The job's first process, if it lives."""
    try:
        record = json.loads(_record(folder).read_bytes())
    except FileNotFoundError:
        # Whoever started it may have ended before it could write down which one it is.
        return next(iter(_members(folder)), None)
    if record["host"] != socket.gethostname():
        raise OtherMachineError(
            f"the training job {folder.name} was started on the machine {record['host']}, and this "
            f"is {socket.gethostname()}: with `local-process`, all workers must be on one machine"
        )
    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(record["pid"])
        # The clock may have been set since: the time is not the very same then.
        is_it = abs(process.create_time() - record["created"]) < _SAME_TIME
        if is_it and process.status() != psutil.STATUS_ZOMBIE:
            return process
    return None


def _members(folder: Path) -> list[psutil.Process]:
    """All processes of a job, by the folder that stands in their environment; the oldest first."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if process.environ().get(BASE_VARIABLE) == str(folder):
                found.append(process)
    return sorted(found, key=lambda one: one.pid)
