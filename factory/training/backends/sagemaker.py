"""Jobs on Amazon SageMaker."""

import logging
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from factory.base.aws import calling, client_of, described
from factory.base.errors import TerminalError
from factory.data.archives import Limits, extract
from factory.lake.storage.access import Access, current
from factory.lake.storage.address import is_s3
from factory.lake.storage.files import Files
from factory.training.backends.failures import STOPPED, Failure, from_sagemaker
from factory.training.backends.layout import SETTINGS
from factory.training.backends.protocol import Description, Job, State, TrainingData
from factory.training.backends.request import training_request
from factory.training.backends.rules import check_request
from factory.training.backends.sections import SageMaker
from factory.training.backends.settings import data_digest, given_files

logger = logging.getLogger(__name__)

FOLDER = "_training"
"""The folder of the storage that the jobs' data and models lie in."""

_STATES: dict[str, State] = {
    "InProgress": "running",
    "Stopping": "stopping",
    "Completed": "completed",
    "Failed": "failed",
    "Stopped": "stopped",
}
_OUT_OF_TIME = {
    "MaxRuntimeExceeded": Failure(
        "it was not done within `max_runtime`: raise that, or train less", terminal=True
    ),
    "MaxWaitTimeExceeded": Failure(
        "there was no spot capacity for long enough within `max_wait`: raise that, name another "
        "`instance_type`, or leave `spot` out"
    ),
}
_HINTS = {
    "denied": "allow it sagemaker:CreateTrainingJob, sagemaker:DescribeTrainingJob, "
    "sagemaker:StopTrainingJob, sagemaker:ListTrainingJobs, sagemaker:AddTags, and iam:PassRole on "
    "the job's role",
    "throttled": "lower `parallel_trials`, or raise `poll`",
    "ResourceLimitExceeded": "raise the account's quota at Service Quotas, or lower `parallel_trials`",
}
_MODEL_LIMITS = Limits(
    max_files=1_000, max_file_bytes=20_000_000_000, max_total_bytes=20_000_000_000, max_ratio=1_000
)


@dataclass(frozen=True)
class SageMakerJobs:
    """The jobs of one run; see `factory.training.backends.protocol.Backend`."""

    config: SageMaker
    storage: str
    """An address in S3."""
    prefix: str
    """What the names of this run's jobs begin with."""
    access: Access | None = None
    """How AWS is reached; as everything in this process does if left out."""

    @classmethod
    def of(
        cls, config: SageMaker, storage: str, prefix: str, access: Access | None = None
    ) -> "SageMakerJobs":
        """The jobs of a run.

        Args:
            config: The section of the team file.
            storage: The lake's address, unless the section has one of its own.
            prefix: What the names of this run's jobs begin with.
            access: How AWS is reached; as everything in this process does if left out.

        Raises:
            TerminalError: Their data would not lie in S3.
        """
        where = config.storage or storage
        if not is_s3(where):
            raise TerminalError(
                f"SageMaker reads training data from S3, and storage is {where}: set `storage` of "
                "the backend, or that in configs/_defaults.yaml, to s3://bucket/prefix"
            )
        return cls(config, f"{where}/{FOLDER}", prefix, access)

    def prepare(self, workspace: Path, settings: Path) -> TrainingData:
        """See `Backend.prepare`; the rows are uploaded once for all jobs of the run."""
        digest = data_digest(workspace, settings)
        folder = f"{self._run}/{digest[:16]}"
        for file in given_files(workspace):
            self._upload(file, f"{folder}/{file.relative_to(workspace).as_posix()}")
        self._upload(settings, f"{folder}/{SETTINGS}/{settings.name}")
        return TrainingData(address=self._files.uri(folder), digest=digest)

    def _upload(self, file: Path, name: str) -> None:
        # The folder's name follows from the content: what is there is what would be put there.
        if not self._files.exists(name):
            self._files.upload(file, name)

    def release(self) -> None:
        """See `Backend.release`; the models stay, beside what MLflow has."""
        for name in list(self._files.names(f"{self._run}/")):
            if not name.startswith(f"{self._run}/models/"):
                self._files.delete(name)

    def check(self, job: Job) -> None:
        """See `Backend.check`.

        Raises:
            InvalidRequestError: AWS would refuse it.
        """
        self._request(job)

    def _request(self, job: Job) -> dict[str, Any]:
        request = training_request(self.config, job, self._files.uri(f"{self._run}/models"))
        check_request(request)
        return request

    def start(self, job: Job) -> None:
        """See `Backend.start`.

        Raises:
            AwsError: SageMaker did not take the job.
        """
        request = self._request(job)
        with calling(
            f"start the training job {job.name}", hints=_HINTS, ignored=("ResourceInUse",)
        ):
            self._client.create_training_job(**request)
            logger.info("training job %s is created. %s", job.name, self.where(job.name))

    def describe(self, name: str) -> Description | None:
        """See `Backend.describe`."""
        found = self._described(name)
        if found is None:
            return None
        state = _STATES[found["TrainingJobStatus"]]
        secondary = found.get("SecondaryStatus", "")
        return Description(
            name,
            state,
            detail=_detail(found),
            failure=_failure(state, secondary, found.get("FailureReason", "")),
            billed=found.get("BillableTimeInSeconds"),
        )

    def stop(self, name: str) -> None:
        """See `Backend.stop`; SageMaker takes up to two minutes to do it."""
        described = self.describe(name)
        if described is None or described.state != "running":
            return
        # It may have ended since it was described: that is refused, and all right.
        with calling(
            f"stop the training job {name}", hints=_HINTS, ignored=("ValidationException",)
        ):
            self._client.stop_training_job(TrainingJobName=name)
            logger.info("training job %s was asked to stop", name)

    def collect(self, name: str, folder: Path) -> Path:
        """See `Backend.collect`."""
        found = self._described(name) or {}
        address = found.get("ModelArtifacts", {}).get("S3ModelArtifacts", "")
        if not address.startswith(f"{self.storage}/"):
            raise TerminalError(
                f"training job {name} left its model at {address or 'no place'}, which is not below "
                f"{self.storage}: clear the task to train it again"
            )
        archive = folder / "model.tar.gz"
        self._files.download(address.removeprefix(f"{self.storage}/"), archive)
        extract(archive, folder / "model", _MODEL_LIMITS)
        return folder / "model"

    def names(self) -> list[str]:
        """See `Backend.names`."""
        with calling("list the training jobs of this run", hints=_HINTS):
            pages = self._client.get_paginator("list_training_jobs").paginate(
                NameContains=self.prefix, PaginationConfig={"PageSize": 100}
            )
            names = [
                job["TrainingJobName"] for page in pages for job in page["TrainingJobSummaries"]
            ]
        return sorted(name for name in names if name.startswith(self.prefix))

    def where(self, name: str) -> str:
        """See `Backend.where`."""
        return f"Its log is in CloudWatch: group /aws/sagemaker/TrainingJobs, streams {name}/…"

    @property
    def _run(self) -> str:
        return self.prefix.rstrip("-")

    @cached_property
    def _files(self) -> Files:
        return Files.at(self.storage)

    @cached_property
    def _client(self) -> Any:
        access = self.access or current()
        return client_of(access.session, "sagemaker", self.config.region)

    def _described(self, name: str) -> dict[str, Any] | None:
        return described(
            f"describe the training job {name}",
            self._client.describe_training_job,
            {"TrainingJobName": name},
            hints=_HINTS,
        )


def _failure(state: State, secondary: str, reason: str) -> Failure | None:
    if state == "failed":
        return from_sagemaker(reason)
    if state == "stopped":
        return _OUT_OF_TIME.get(secondary) or STOPPED
    return None


def _detail(found: dict[str, Any]) -> str:
    """The secondary status, and what SageMaker last said of it."""
    transitions = found.get("SecondaryStatusTransitions") or [{}]
    message = transitions[-1].get("StatusMessage", "")
    return ": ".join(filter(None, (found.get("SecondaryStatus", ""), message)))
