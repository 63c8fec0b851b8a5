"""SageMaker's training jobs: each really runs `factory-train` on what lies in S3.

As there, a job goes from Starting over Downloading, Training and Uploading to Completed; it can fail,
be stopped, run out of time, and on spot instances be interrupted and begun anew.
"""

import os
import signal
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from factory.training.backends.job_layout import JobLayout
from factory.training.backends.sagemaker_rules import InvalidRequestError, check_request

if TYPE_CHECKING:
    from tests.harness.aws.server import AwsServer, Operation

ARN = "arn:aws:sagemaker:eu-central-1:123456789012:training-job/"
GRACE = 10.0
"""Seconds between SIGTERM and SIGKILL; SageMaker gives 120."""

_PASSED_ON = ("PATH", "HOME", "LANG", "PYTHONPATH", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")


@dataclass
class TrainingJob:
    """One job."""

    request: dict[str, Any]
    layout: JobLayout
    created: float = field(default_factory=time.time)
    status: str = "InProgress"
    secondary: str = "Starting"
    transitions: list[dict[str, Any]] = field(default_factory=list)
    reason: str = ""
    billable: float = 0.0
    started: float | None = None
    ended: float | None = None
    process: subprocess.Popen[bytes] | None = None
    starts: int = 0
    """How often training began: more than once after interruptions."""
    stopping: threading.Event = field(default_factory=threading.Event)
    interrupted: threading.Event = field(default_factory=threading.Event)
    capacity: threading.Event = field(default_factory=threading.Event)
    thread: threading.Thread | None = None

    @property
    def name(self) -> str:
        return str(self.request["TrainingJobName"])

    @property
    def artifact(self) -> str:
        path = self.request["OutputDataConfig"]["S3OutputPath"].rstrip("/")
        return f"{path}/{self.name}/output/model.tar.gz"

    @property
    def is_active(self) -> bool:
        return self.status in ("InProgress", "Stopping")

    def now(self, secondary: str, message: str = "") -> None:
        self.secondary = secondary
        self.transitions.append(
            {"Status": secondary, "StartTime": time.time(), "StatusMessage": message}
        )

    def end(self, status: str, secondary: str | None = None, reason: str = "") -> None:
        self.reason = reason
        self.ended = time.time()
        self.now(secondary or status, reason)
        # Last: whoever sees the status sees the rest too.
        self.status = status

    def described(self) -> dict[str, Any]:
        shown = {key: value for key, value in self.request.items() if key != "Tags"}
        described = {
            **shown,
            "TrainingJobArn": ARN + self.name,
            "TrainingJobStatus": self.status,
            "SecondaryStatus": self.secondary,
            "SecondaryStatusTransitions": list(self.transitions),
            "CreationTime": self.created,
            "ModelArtifacts": {"S3ModelArtifacts": self.artifact},
        }
        if self.started is not None:
            described["TrainingStartTime"] = self.started
        if self.reason:
            described["FailureReason"] = self.reason
        if not self.is_active:
            described["TrainingEndTime"] = self.ended
            described["TrainingTimeInSeconds"] = int(self.billable + 0.999)
            described["BillableTimeInSeconds"] = int(self.billable + 0.999)
        return described


class TrainingJobs:
    """The service; see `tests.harness.aws.server.Service`."""

    def __init__(self, folder: Path, server: "AwsServer") -> None:
        self.folder = folder
        self.server = server
        self.jobs: dict[str, TrainingJob] = {}
        self.environment: dict[str, str] = {}
        """Further variables of the containers."""
        self.failures: list[str] = []
        """Reasons that the next jobs fail for before they train, such as `CapacityError: …`."""
        self._lock = threading.Lock()

    @property
    def operations(self) -> "Mapping[str, Operation]":
        return {
            "CreateTrainingJob": self.create,
            "DescribeTrainingJob": self.describe,
            "StopTrainingJob": self.stop,
            "ListTrainingJobs": self.search,
        }

    def route(self, environ: dict[str, Any], start: Any) -> Iterable[bytes] | None:
        return None

    def close(self) -> None:
        for job in list(self.jobs.values()):
            job.stopping.set()
            job.capacity.set()
            _end(job.process, grace=0)
        for job in list(self.jobs.values()):
            if job.thread is not None:
                job.thread.join(timeout=30)

    # What AWS is asked

    def create(self, request: dict[str, Any]) -> dict[str, Any]:
        from tests.harness.aws.server import RefusalError

        try:
            check_request(request)
        except InvalidRequestError as error:
            raise RefusalError("ValidationException", str(error)) from error
        name = request["TrainingJobName"]
        with self._lock:
            if name in self.jobs:
                raise RefusalError(
                    "ResourceInUse",
                    f"Training job names must be unique within an AWS account and region, and a "
                    f"training job with this name already exists ({ARN}{name})",
                )
            job = TrainingJob(request, JobLayout(self.folder / name / "opt" / "ml"))
            self.jobs[name] = job
        job.thread = threading.Thread(target=self._run, args=(job,), daemon=True)
        job.thread.start()
        return {"TrainingJobArn": ARN + name}

    def describe(self, request: dict[str, Any]) -> dict[str, Any]:
        return self._job(request).described()

    def stop(self, request: dict[str, Any]) -> dict[str, Any]:
        from tests.harness.aws.server import RefusalError

        job = self._job(request)
        if not job.is_active:
            raise RefusalError(
                "ValidationException",
                f"The request was rejected because the training job is in status {job.status}.",
            )
        job.status = "Stopping"
        job.stopping.set()
        job.capacity.set()
        return {}

    def search(self, request: dict[str, Any]) -> dict[str, Any]:
        first, most = int(request.get("NextToken", 0)), int(request.get("MaxResults", 10))
        found = [
            job
            for job in sorted(self.jobs.values(), key=lambda job: job.created)
            if request.get("NameContains", "") in job.name
            and request.get("StatusEquals", job.status) == job.status
        ]
        summaries = [
            {
                "TrainingJobName": job.name,
                "TrainingJobArn": ARN + job.name,
                "CreationTime": job.created,
                "TrainingJobStatus": job.status,
            }
            for job in found[first : first + most]
        ]
        rest = {"NextToken": str(first + most)} if len(found) > first + most else {}
        return {"TrainingJobSummaries": summaries, **rest}

    def _job(self, request: dict[str, Any]) -> TrainingJob:
        from tests.harness.aws.server import RefusalError

        job = self.jobs.get(request["TrainingJobName"])
        if job is None:
            raise RefusalError("ValidationException", "Requested resource not found.")
        return job

    # What tests make happen

    @property
    def active(self) -> list[str]:
        """The jobs that are paid for at this moment."""
        return [job.name for job in self.jobs.values() if job.is_active]

    def interrupt(self, name: str) -> None:
        """Take a spot instance away; the job waits until `give_back`."""
        job = self.jobs[name]
        assert job.request.get("EnableManagedSpotTraining")
        job.capacity.clear()
        job.interrupted.set()

    def give_back(self, name: str) -> None:
        """Let an interrupted job have an instance again."""
        self.jobs[name].capacity.set()

    # What happens on the instance

    def _run(self, job: TrainingJob) -> None:
        try:
            self._train(job)
        except Exception as error:  # noqa: BLE001
            job.end("Failed", reason=f"InternalServerError: {error!r}")

    def _train(self, job: TrainingJob) -> None:
        job.now("Starting", "Preparing the instances for training")
        with self._lock:
            if self.failures:
                job.end("Failed", reason=self.failures.pop(0))
                return
        job.started = time.time()
        job.now("Downloading", "Downloading input data")
        job.layout.make(job.request["HyperParameters"])
        for channel in job.request["InputDataConfig"]:
            address = channel["DataSource"]["S3DataSource"]["S3Uri"]
            if not self._download(address, job.layout.channel(channel["ChannelName"])):
                job.end("Failed", reason=f"ClientError: no objects under {address}")
                return
        while not self._container(job):
            pass

    def _container(self, job: TrainingJob) -> bool:
        """Run the container once; whether the job has come to its end."""
        limits = job.request["StoppingCondition"]
        job.now("Training", "Training image download completed. Training in progress.")
        job.starts += 1
        begun = time.time()
        job.process = self._start(job)
        why = self._watch(job, begun + limits["MaxRuntimeInSeconds"])
        if why == "Interrupted":
            _end(job.process, grace=0)
        elif why:
            _end(job.process, grace=GRACE)
        code = job.process.wait()
        job.billable += time.time() - begun
        if why == "Interrupted":
            job.interrupted.clear()
            job.now("Interrupted", "The instance was taken back")
            left = job.created + limits["MaxWaitTimeInSeconds"] - time.time()
            if job.capacity.wait(timeout=max(0.0, left)) and not job.stopping.is_set():
                return False
            why = "Stopped" if job.stopping.is_set() else "MaxWaitTimeExceeded"
        if why:
            job.end("Stopped", why)
        elif code:
            said = job.layout.failure.read_text() if job.layout.failure.exists() else ""
            shown = 128 - code if code < 0 else code
            job.end("Failed", reason=f"AlgorithmError: {said}, exit code: {shown}")
        else:
            job.now("Uploading", "Uploading generated training model")
            self._upload(job)
            job.end("Completed")
        return True

    def _watch(self, job: TrainingJob, deadline: float) -> str:
        """Wait for the container's end, or for what ends it; empty for the first."""
        assert job.process is not None
        while True:
            with suppress(subprocess.TimeoutExpired):
                job.process.wait(timeout=0.05)
                return ""
            if job.stopping.is_set():
                return "Stopped"
            if job.interrupted.is_set():
                return "Interrupted"
            if time.time() > deadline:
                return "MaxRuntimeExceeded"

    def _start(self, job: TrainingJob) -> subprocess.Popen[bytes]:
        # An image has the script; here its module stands for it, in the tests' own Python.
        assert job.request["AlgorithmSpecification"]["ContainerEntrypoint"] == ["factory-train"]
        with (job.layout.base / "log.txt").open("ab") as output:
            return subprocess.Popen(
                [sys.executable, "-m", "factory.training.backends.entry_point"],
                env={
                    **{name: os.environ[name] for name in _PASSED_ON if name in os.environ},
                    "TRAINING_JOB_NAME": job.name,
                    "FACTORY_TRAIN_BASE": str(job.layout.base),
                    **self.environment,
                },
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _download(self, address: str, folder: Path) -> int:
        bucket, _, prefix = address.removeprefix("s3://").partition("/")
        folder.mkdir(parents=True, exist_ok=True)
        client = self.server.client()
        pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        names = [entry["Key"] for page in pages for entry in page.get("Contents", ())]
        for name in names:
            target = folder / name.removeprefix(prefix)
            target.parent.mkdir(parents=True, exist_ok=True)
            client.download_file(bucket, name, str(target))
        return len(names)

    def _upload(self, job: TrainingJob) -> None:
        archive = job.layout.base / "model.tar.gz"
        with tarfile.open(archive, "w:gz") as tar:
            for file in sorted(job.layout.model.iterdir()):
                tar.add(file, arcname=file.name)
        bucket, _, key = job.artifact.removeprefix("s3://").partition("/")
        self.server.client().upload_file(str(archive), bucket, key)


def _end(process: "subprocess.Popen[bytes] | None", grace: float) -> None:
    """End a process and all that it has started."""
    if process is None or process.poll() is not None:
        return
    with suppress(ProcessLookupError):
        if grace:
            os.killpg(process.pid, signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                process.wait(timeout=grace)
        os.killpg(process.pid, signal.SIGKILL)
