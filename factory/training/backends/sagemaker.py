"""`backend: {type: sagemaker}`: jobs on Amazon SageMaker."""

import logging
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, StringConstraints
from pydantic_core import PydanticCustomError

from factory.base.aws import calling, described
from factory.base.aws_section import InstanceType, RoleArn, S3Address, Tags, Vpc
from factory.base.errors import TerminalError
from factory.base.rules import Broken, rule
from factory.base.section import Seconds, Section, Text
from factory.lake.storage.address import is_s3
from factory.training.backends.backend import (
    HOUR,
    Backend,
    CostProblem,
    JobRun,
    JobStatus,
    TrainingData,
    TrainingJob,
    cost_of,
)
from factory.training.backends.job_layout import SETTINGS, SPLIT
from factory.training.backends.sagemaker_states import STATES, detail_of, failure_in

if TYPE_CHECKING:
    from factory.lake.storage.files import Files

logger = logging.getLogger(__name__)

ENTRY_POINT = "factory-train"
FOLDER = "_training"
"""The folder of the storage that the jobs' data and models lie in."""

_DAYS_28 = 28 * 24 * 3600
"""SageMaker's longest training job, in seconds."""
_HINTS = {
    "denied": "allow it sagemaker:CreateTrainingJob, sagemaker:DescribeTrainingJob, "
    "sagemaker:StopTrainingJob, sagemaker:ListTrainingJobs, sagemaker:AddTags, and iam:PassRole on "
    "the job's role",
    "throttled": "lower `parallel_trials`, or raise `poll`",
    "ResourceLimitExceeded": "raise the account's quota at Service Quotas, or lower `parallel_trials`",
}
_MOST_MODEL_BYTES = 20_000_000_000
_NOT_IN_TAGS = re.compile(r"[^\w\s.:/=+\-@]")
_LONGEST_TAG = 256


class Spot(Section):
    """Spare capacity at a discount, which AWS may take back: a job then begins anew."""

    max_wait: Seconds
    """How long a job may take in all, waiting for capacity included."""


class SageMaker(Backend):
    """Each trial is a training job on Amazon SageMaker."""

    type: Literal["sagemaker"]
    role: RoleArn = Field(examples=["arn:aws:iam::123456789012:role/training"])
    """What the jobs may do: read the training data and write the models."""
    image: Annotated[
        str, StringConstraints(min_length=1, max_length=255, strip_whitespace=True)
    ] = Field(examples=["123456789012.dkr.ecr.eu-central-1.amazonaws.com/training:1"])
    """The training image, with `factory-train` in it; see docker/training/Dockerfile."""
    instance_type: InstanceType = Field(examples=["ml.m5.large"])
    """What kind of instance a job runs on; each trial has one instance."""
    volume_gb: int = Field(default=30, ge=1, le=16384)
    """The disk beside the instance, in gigabytes."""
    max_runtime: Seconds = Field(default=3600)
    """How long a job may train before SageMaker stops it."""
    spot: Spot | None = None
    """Train on spare capacity at a discount; on instances at full price when left out."""
    tags: Tags
    """Tags of the jobs, beside the factory's own."""
    vpc: Vpc | None = None
    """The network that the jobs are in; SageMaker's own when left out."""
    network_isolation: bool = False
    """Whether the training container is kept from every network."""
    kms_key: Text | None = None
    """The key that disks and models are encrypted with; SageMaker's own when left out."""
    region: Text | None = None
    """Where jobs run; the region of the credentials when left out."""
    storage: S3Address | None = Field(default=None, examples=["s3://bucket/folder"])
    """Where the jobs' data and models lie; the lake's storage when left out."""
    max_cost: float | None = Field(default=None, gt=0)
    """The most that a sweep may cost, in USD; needs the instance type's price in `_defaults.yaml`."""
    poll: Seconds = Field(default=30)
    """How often a job is asked how it is getting on."""

    @rule
    def _consistent(self) -> Broken:
        if not 1 <= self.max_runtime <= _DAYS_28:
            yield PydanticCustomError(
                "max_runtime",
                "SageMaker trains between 1s and 28d: `max_runtime` cannot be {value}s",
                {"value": self.max_runtime, "at": ("max_runtime",)},
            )
        if self.spot is not None and self.spot.max_wait < self.max_runtime:
            yield PydanticCustomError(
                "spot",
                "`max_wait` ({wait}s) counts the training too, so it cannot be shorter than "
                "`max_runtime` ({runtime}s)",
                {
                    "wait": self.spot.max_wait,
                    "runtime": self.max_runtime,
                    "at": ("spot", "max_wait"),
                    "advice": f"write `max_wait: {self.max_runtime}s` or more",
                },
            )
        if self.poll < 1:
            yield PydanticCustomError("poll", "`poll` must be 1s or longer", {"at": ("poll",)})

    @property
    def poll_seconds(self) -> int:
        """See `Backend.poll_seconds`."""
        return self.poll

    @property
    def container_image(self) -> str:
        """See `Backend.container_image`."""
        return self.image

    @property
    def priced_as(self) -> str:
        """See `Backend.priced_as`: the instance type."""
        return self.instance_type

    def most_cost(self, trials: int, price: float) -> float:
        """See `Backend.most_cost`; if each trial is trained once and for as long as it may.

        Spot instances are reckoned at the full price: how much cheaper they are is not known before.
        Storage and transfer are left out; they are cents beside the instances.
        """
        return trials * cost_of(self.max_runtime, price)

    def cost_problem(self, trials: int, price: float | None) -> CostProblem | None:
        """See `Backend.cost_problem`."""
        if self.max_cost is None:
            return None
        if price is None:
            return CostProblem(
                f"`max_cost` needs the price of {self.instance_type}",
                f"write `prices: {{{self.instance_type}: <USD an hour>}}` into "
                "configs/_defaults.yaml",
            )
        cost = self.most_cost(trials, price)
        if cost <= self.max_cost:
            return None
        return CostProblem(
            f"{trials} trial{'s' if trials > 1 else ''} of up to {self.max_runtime / HOUR:.4g} h at "
            f"{price:.4g} USD an hour may cost {cost:.2f} USD, more than `max_cost` "
            f"({self.max_cost:.2f} USD)",
            "raise it, shorten `max_runtime`, or try fewer sets",
        )

    def prepare(self, run: JobRun, settings: Path) -> TrainingData:
        """See `Backend.prepare`; the rows are uploaded once for all jobs of the run."""
        from factory.training.backends.job_files import data_digest, given_files

        files = self._files(run)
        digest = data_digest(run.workspace, settings)
        folder = f"{_folder(run)}/{digest[:16]}"
        given = {
            f"{folder}/{file.relative_to(run.workspace).as_posix()}": file
            for file in given_files(run.workspace)
        }
        for name, file in {**given, f"{folder}/{SETTINGS}/{settings.name}": settings}.items():
            # The folder's name follows from the content: what is there is what would be put there.
            if not files.exists(name):
                files.upload(file, name)
        return TrainingData(address=files.uri(folder), digest=digest)

    def release(self, run: JobRun) -> None:
        """See `Backend.release`; the models stay, beside what MLflow has."""
        files = self._files(run)
        for name in list(files.names(f"{_folder(run)}/")):
            if not name.startswith(f"{_folder(run)}/models/"):
                files.delete(name)

    def check(self, run: JobRun, job: TrainingJob) -> None:
        """See `Backend.check`.

        Raises:
            InvalidRequestError: AWS would refuse it.
        """
        self.request(run, job)

    def request(self, run: JobRun, job: TrainingJob) -> dict[str, Any]:
        """What `CreateTrainingJob` is asked for a job.

        Raises:
            InvalidRequestError: AWS would refuse it.
        """
        from factory.training.backends.job_files import hyperparameters
        from factory.training.backends.sagemaker_rules import check_request

        request = {
            "TrainingJobName": job.name,
            "HyperParameters": hyperparameters(job.trial),
            "AlgorithmSpecification": {
                "TrainingImage": self.image,
                "TrainingInputMode": "File",
                "ContainerEntrypoint": [ENTRY_POINT],
            },
            "RoleArn": self.role,
            "InputDataConfig": [
                _channel(name, f"{job.data.address}/{name}/") for name in (SPLIT, SETTINGS)
            ],
            "OutputDataConfig": {
                # SageMaker puts `<job>/output/model.tar.gz` below it.
                "S3OutputPath": f"{self._address(run)}/{_folder(run)}/models",
                **({"KmsKeyId": self.kms_key} if self.kms_key else {}),
            },
            "ResourceConfig": {
                "InstanceType": self.instance_type,
                "InstanceCount": 1,
                "VolumeSizeInGB": self.volume_gb,
                **({"VolumeKmsKeyId": self.kms_key} if self.kms_key else {}),
            },
            "StoppingCondition": {
                "MaxRuntimeInSeconds": self.max_runtime,
                **({"MaxWaitTimeInSeconds": self.spot.max_wait} if self.spot else {}),
            },
            "EnableManagedSpotTraining": self.spot is not None,
            "EnableNetworkIsolation": self.network_isolation,
            "Tags": [
                {"Key": key, "Value": _NOT_IN_TAGS.sub("_", value)[:_LONGEST_TAG]}
                for key, value in {**job.labels, **self.tags}.items()
            ],
            **({"VpcConfig": self.vpc.as_request()} if self.vpc else {}),
        }
        check_request(request)
        return request

    def start(self, run: JobRun, job: TrainingJob) -> None:
        """See `Backend.start`.

        Raises:
            AwsError: SageMaker did not take the job.
        """
        request = self.request(run, job)
        with calling(
            f"start the training job {job.name}", hints=_HINTS, ignored=("ResourceInUse",)
        ):
            self._client(run).create_training_job(**request)
            logger.info("training job %s is created. %s", job.name, self.where(run, job.name))

    def describe(self, run: JobRun, name: str) -> JobStatus | None:
        """See `Backend.describe`."""
        found = self._described(run, name)
        if found is None:
            return None
        state = STATES[found["TrainingJobStatus"]]
        secondary = found.get("SecondaryStatus", "")
        return JobStatus(
            name,
            state,
            detail=detail_of(found),
            failure=failure_in(state, secondary, found.get("FailureReason", "")),
            billed=found.get("BillableTimeInSeconds"),
        )

    def stop(self, run: JobRun, name: str) -> None:
        """See `Backend.stop`; SageMaker takes up to two minutes to do it."""
        described = self.describe(run, name)
        if described is None or described.state != "running":
            return
        # It may have ended since it was described: that is refused, and all right.
        with calling(
            f"stop the training job {name}", hints=_HINTS, ignored=("ValidationException",)
        ):
            self._client(run).stop_training_job(TrainingJobName=name)
            logger.info("training job %s was asked to stop", name)

    def collect(self, run: JobRun, name: str, folder: Path) -> Path:
        """See `Backend.collect`."""
        from factory.data.archives import Limits, extract

        limits = Limits(
            max_files=1_000,
            max_file_bytes=_MOST_MODEL_BYTES,
            max_total_bytes=_MOST_MODEL_BYTES,
            max_ratio=1_000,
        )
        found = self._described(run, name) or {}
        address = found.get("ModelArtifacts", {}).get("S3ModelArtifacts", "")
        storage = self._address(run)
        if not address.startswith(f"{storage}/"):
            raise TerminalError(
                f"training job {name} left its model at {address or 'no place'}, which is not below "
                f"{storage}: clear the task to train it again"
            )
        archive = folder / "model.tar.gz"
        self._files(run).download(address.removeprefix(f"{storage}/"), archive)
        extract(archive, folder / "model", limits)
        return folder / "model"

    def names(self, run: JobRun) -> list[str]:
        """See `Backend.names`."""
        with calling("list the training jobs of this run", hints=_HINTS):
            pages = (
                self._client(run)
                .get_paginator("list_training_jobs")
                .paginate(NameContains=run.prefix, PaginationConfig={"PageSize": 100})
            )
            names = [
                job["TrainingJobName"] for page in pages for job in page["TrainingJobSummaries"]
            ]
        return sorted(name for name in names if name.startswith(run.prefix))

    def where(self, run: JobRun, name: str) -> str:  # noqa: ARG002 - of every run
        """See `Backend.where`."""
        return f"Its log is in CloudWatch: group /aws/sagemaker/TrainingJobs, streams {name}/…"

    def _address(self, run: JobRun) -> str:
        """The address in S3 of what belongs to training jobs.

        Raises:
            TerminalError: Their data would not lie in S3.
        """
        where = self.storage or run.storage
        if not is_s3(where):
            raise TerminalError(
                f"SageMaker reads training data from S3, and storage is {where}: set `storage` of "
                "the backend, or that in configs/_defaults.yaml, to s3://bucket/prefix"
            )
        return f"{where}/{FOLDER}"

    def _files(self, run: JobRun) -> "Files":
        from factory.lake.storage.files import Files

        return Files.at(self._address(run))

    def _client(self, run: JobRun) -> Any:
        return run.aws.get("sagemaker", region=self.region)

    def _described(self, run: JobRun, name: str) -> dict[str, Any] | None:
        return described(
            f"describe the training job {name}",
            self._client(run).describe_training_job,
            {"TrainingJobName": name},
            hints=_HINTS,
        )


def _folder(run: JobRun) -> str:
    return run.prefix.rstrip("-")


def _channel(name: str, address: str) -> dict[str, Any]:
    return {
        "ChannelName": name,
        "DataSource": {
            "S3DataSource": {
                "S3DataType": "S3Prefix",
                "S3Uri": address,
                "S3DataDistributionType": "FullyReplicated",
            }
        },
    }
