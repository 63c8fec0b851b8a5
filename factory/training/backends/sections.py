"""`backend`: where a model's trials are trained, when not in the tasks themselves."""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from factory.base.section import ListOf, Seconds, Section, Text

_DAYS_28 = 28 * 24 * 3600
"""SageMaker's longest training job, in seconds."""
_MOST_TAGS = 45
"""SageMaker takes 50; some are the factory's own."""


def _like(pattern: str, what: str, example: str) -> AfterValidator:
    """Text that matches a pattern as a whole; else a problem that says what to write."""
    compiled = re.compile(pattern)

    def check(value: str) -> str:
        if compiled.fullmatch(value):
            return value
        raise PydanticCustomError(
            "format",
            "{value} is not {what}: write one such as `{example}`",
            {"value": repr(value), "what": what, "example": example},
        )

    return AfterValidator(check)


RoleArn = Annotated[
    str,
    _like(
        r"arn:aws[a-z\-]*:iam::\d{12}:role/[A-Za-z0-9+=,.@\-_/]{1,512}",
        "the ARN of a role",
        "arn:aws:iam::123456789012:role/training",
    ),
]
InstanceType = Annotated[
    str,
    _like(r"ml\.[a-z0-9-]+\.[a-z0-9-]+", "an instance type of SageMaker", "ml.m5.large"),
]
SubnetId = Annotated[str, _like(r"subnet-[0-9a-z]{1,25}", "a subnet", "subnet-0a1b2c3d")]
SecurityGroupId = Annotated[str, _like(r"sg-[0-9a-z]{1,29}", "a security group", "sg-0a1b2c3d")]
TagKey = Annotated[
    str,
    _like(
        r"(?!aws:)[A-Za-z0-9 _.:/=+\-@]{1,128}",
        "the key of a tag (which also must not begin with `aws:`)",
        "cost-center",
    ),
]
TagValue = Annotated[str, _like(r"[A-Za-z0-9 _.:/=+\-@]{0,256}", "the value of a tag", "research")]
S3Address = Annotated[
    str,
    _like(
        r"s3://[a-z0-9][a-z0-9.\-]{1,61}[a-z0-9](/[^/\s]+)*",
        "an address in S3",
        "s3://bucket/prefix",
    ),
]


class LocalProcess(Section):
    """Each trial is a process of its own on the worker's machine: what SageMaker does, rehearsed."""

    type: Literal["local-process"]


class Spot(Section):
    """Spare capacity at a discount, which AWS may take back: a job then begins anew."""

    max_wait: Seconds
    """How long a job may take in all, waiting for capacity included."""


class Vpc(Section):
    """The network that jobs run in."""

    subnets: ListOf[SubnetId] = Field(min_length=1, max_length=16)
    security_groups: ListOf[SecurityGroupId] = Field(min_length=1, max_length=5)


class SageMaker(Section):
    """Each trial is a training job on Amazon SageMaker."""

    type: Literal["sagemaker"]
    role: RoleArn
    """What the jobs may do: read the training data and write the models."""
    image: Annotated[str, StringConstraints(min_length=1, max_length=255, strip_whitespace=True)]
    """The training image, with `factory-train` in it; see docker/training/Dockerfile."""
    instance_type: InstanceType
    volume_gb: int = Field(default=30, ge=1, le=16384)
    """The disk beside the instance, in gigabytes."""
    max_runtime: Seconds = Field(default=3600)
    """How long a job may train before SageMaker stops it."""
    spot: Spot | None = None
    tags: dict[TagKey, TagValue] = Field(default_factory=dict, max_length=_MOST_TAGS)
    vpc: Vpc | None = None
    network_isolation: bool = False
    """Whether the training container is kept from every network."""
    kms_key: Text | None = None
    """The key that disks and models are encrypted with; SageMaker's own when left out."""
    region: Text | None = None
    """Where jobs run; the region of the credentials when left out."""
    storage: S3Address | None = None
    """Where the jobs' data and models lie; the lake's storage when left out."""
    max_cost: float | None = Field(default=None, gt=0)
    """The most that a sweep may cost, in USD; needs the instance type's price in `_defaults.yaml`."""
    poll: Seconds = Field(default=30)
    """How often a job is asked how it is getting on."""

    @model_validator(mode="after")
    def _consistent(self) -> "SageMaker":
        if not 1 <= self.max_runtime <= _DAYS_28:
            raise PydanticCustomError(
                "max_runtime",
                "SageMaker trains between 1s and 28d: `max_runtime` cannot be {value}s",
                {"value": self.max_runtime, "at": ("max_runtime",)},
            )
        if self.spot is not None and self.spot.max_wait < self.max_runtime:
            raise PydanticCustomError(
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
            raise PydanticCustomError("poll", "`poll` must be 1s or longer", {"at": ("poll",)})
        return self


Backend = Annotated[LocalProcess | SageMaker, Field(discriminator="type")]
"""Where trials are trained."""
