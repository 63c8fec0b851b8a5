"""`backend: {type: local-process}`: jobs as processes of this machine, which outlive their task.

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
from pathlib import Path
from typing import ClassVar, Literal

import psutil

from factory.base.errors import FactoryError
from factory.base.files import write_json
from factory.base.processes import end, kill
from factory.training.backends.backend import (
    STOPPED,
    Backend,
    Failure,
    JobRun,
    JobStatus,
    TrainingData,
    TrainingJob,
)
from factory.training.backends.job_layout import (
    BASE_VARIABLE,
    FIT,
    SETTINGS,
    SPLIT,
    JobLayout,
    read_reason,
)

logger = logging.getLogger(__name__)

GRACE = 3.0
"""Seconds between asking a job to end and ending it. An Airflow task that is stopped has five."""

_INHERITED = (
    *("PATH", "HOME", "LANG", "LANGUAGE", "LC_ALL", "TMPDIR", "TZ", "VIRTUAL_ENV"),
    *(
        "LD_LIBRARY_PATH",
        "DYLD_LIBRARY_PATH",
        "CUDA_VISIBLE_DEVICES",
        "CUDA_DEVICE_ORDER",
        "SPT_NOENV",
    ),
    *("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"),
)
_INHERITED_BEGINNINGS = ("PYTHON", "FACTORY_", "TORCH_", "PYTORCH_", "CUBLAS_", "FASTAI_")
"""What a job sees of its worker's environment: no credentials, as in a training container."""

_SAME_TIME = 2.0
"""Seconds by which two creation times of one process may differ."""
_SHOWN_LINES = 40
_LOOK = 0.02
"""Seconds until it is looked again whether the lock is free: no event tells."""


class OtherMachineError(FactoryError):
    """A job runs on another machine, where nothing of it can be seen or done from here."""


class LocalProcess(Backend):
    """Each trial is a process of its own on the worker's machine: what SageMaker does, rehearsed."""

    type: Literal["local-process"]

    own_machine: ClassVar[bool] = False
    waits_in_task: ClassVar[bool] = True

    def prepare(self, run: JobRun, settings: Path) -> TrainingData:
        """See `Backend.prepare`; the rows stay where they are, and go with the workspace."""
        from factory.training.backends.job_files import data_digest

        digest = data_digest(run.workspace, settings)
        return TrainingData(address=str(run.workspace), digest=digest)

    def check(self, run: JobRun, job: TrainingJob) -> None:  # noqa: ARG002 - every run takes it
        """See `Backend.check`; what SageMaker would not take is not taken here either."""
        from factory.training.backends.job_files import hyperparameters

        hyperparameters(job.trial)

    def start(self, run: JobRun, job: TrainingJob) -> None:
        """See `Backend.start`."""
        from factory.training.backends.job_files import hyperparameters

        layout = _layout(run, job.name)
        layout.make(hyperparameters(job.trial))
        with _locked(layout.base) as lock:
            if lock is None or _record(layout.base).exists():
                return
            _link(layout.channel(SPLIT), Path(job.data.address) / SPLIT)
            _link(layout.channel(SETTINGS), Path(job.data.address) / "jobs" / SETTINGS)
            process = _launch(layout.base, lock)
        logger.info("training job %s is process %d, in %s", job.name, process.pid, layout.base)

    def describe(self, run: JobRun, name: str) -> JobStatus | None:
        """See `Backend.describe`.

        Raises:
            OtherMachineError: It was started on another machine.
        """
        folder = _layout(run, name).base
        if not folder.is_dir():
            return None
        if _is_alive(folder):
            return JobStatus(name, "running", detail="training")
        if (folder / "stopped").exists():
            return JobStatus(name, "stopped", failure=STOPPED)
        return _ended(name, _layout(run, name))

    def wait(self, run: JobRun, name: str, seconds: float) -> bool:
        """See `Backend.wait`."""
        deadline = time.monotonic() + seconds
        folder = _layout(run, name).base
        process = _process(folder)
        try:
            if process is not None:
                process.wait(timeout=seconds)
        except psutil.TimeoutExpired:
            return False
        # Without its first process a job is over, whatever that has left behind.
        kill(_members(folder))
        return _is_over(folder, deadline)

    def stop(self, run: JobRun, name: str) -> None:
        """See `Backend.stop`; returns when no process of the job is left."""
        folder = _layout(run, name).base
        if not folder.is_dir() or not _is_alive(folder):
            return
        (folder / "stopped").touch()
        end(_members(folder), grace=GRACE)
        kill(_members(folder))  # those that were started meanwhile
        _is_over(folder, time.monotonic() + GRACE)
        logger.info("training job %s is stopped", name)

    def collect(self, run: JobRun, name: str, folder: Path) -> Path:  # noqa: ARG002 - it is on this disk
        """See `Backend.collect`."""
        return _layout(run, name).model

    def names(self, run: JobRun) -> list[str]:
        """See `Backend.names`."""
        jobs = run.workspace / "jobs"
        folders = jobs.iterdir() if jobs.is_dir() else ()
        return sorted(one.name for one in folders if one.name.startswith(run.prefix))

    def where(self, run: JobRun, name: str) -> str:
        """See `Backend.where`: the last lines themselves, since the file goes with the run."""
        file = _layout(run, name).base / "log.txt"
        lines = file.read_text(errors="replace").splitlines() if file.exists() else []
        shown = "\n".join(lines[-_SHOWN_LINES:])
        return f"The end of its log:\n{shown}" if shown else "It left no log"

    def printed(self, run: JobRun, name: str) -> Iterator[str]:
        """See `Backend.printed`; never ends by itself."""
        with (_layout(run, name).base / "log.txt").open(errors="replace") as file:
            while True:
                yield file.readline().rstrip("\n")


def _layout(run: JobRun, name: str) -> JobLayout:
    return JobLayout(run.workspace / "jobs" / name)


def _ended(name: str, layout: JobLayout) -> JobStatus | None:
    if (layout.model / FIT).exists():
        return JobStatus(name, "completed")
    if layout.failure.exists():
        failure = Failure(*read_reason(layout.failure.read_text(encoding="utf-8")))
        return JobStatus(name, "failed", failure=failure)
    if not _record(layout.base).exists():
        return None  # its folder was made, and then whoever was about to start it ended
    lost = "its process ended without a word: it was killed, or ran out of memory"
    return JobStatus(name, "failed", failure=Failure(lost))


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
