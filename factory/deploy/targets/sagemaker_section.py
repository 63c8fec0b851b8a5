"""`deploy: {type: sagemaker}`: a real-time endpoint of Amazon SageMaker."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from factory.base.aws_section import InstanceType, RoleArn, S3Address, Tags, Vpc
from factory.base.section import ListOf, Seconds, Section, Text
from factory.deploy.common import DeploySection
from factory.deploy.container_image_section import Image, ImageReference

AlarmName = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=255)]


class Rollout(Section):
    """How requests move from the earlier version to the new one: both run until it has proved itself.

    SageMaker goes back by itself when new instances do not become healthy, or when one of `alarms`
    goes off before `wait` is over.
    """

    strategy: Literal["all_at_once", "canary", "linear"] = "all_at_once"
    percent: int | None = Field(default=None, ge=1, le=50)
    """Of the capacity: the first part of a canary, or each step of a linear one."""
    wait: Seconds = 0
    """After each step, and after the last one before the earlier version's instances go."""
    alarms: ListOf[AlarmName] = Field(default=(), max_length=10)
    """CloudWatch alarms, by name."""

    @model_validator(mode="after")
    def _consistent(self) -> "Rollout":
        if (self.percent is None) != (self.strategy == "all_at_once"):
            raise PydanticCustomError(
                "rollout",
                "`strategy: {strategy}` needs `percent`, such as 10"
                if self.percent is None
                else "`percent` belongs to `strategy: canary` or `strategy: linear`",
                {"strategy": self.strategy, "at": ("percent",)},
            )
        if self.strategy == "linear" and (self.percent or 0) < 10:
            raise PydanticCustomError(
                "rollout",
                "SageMaker's linear steps are 10 to 50 percent: `percent` cannot be {value}",
                {"value": self.percent, "at": ("percent",)},
            )
        if self.wait > 3600:
            raise PydanticCustomError(
                "rollout",
                "SageMaker waits at most an hour between steps: write `wait: 60m` or less",
                {"at": ("wait",)},
            )
        return self


class SageMakerDeploy(DeploySection):
    """An endpoint, named as the model with dashes; callers ask it by `InvokeEndpoint`."""

    type: Literal["sagemaker"]
    role: RoleArn
    """What the endpoint may do: fetch the image and read the model."""
    image: ImageReference | None = None
    """A serving image in Amazon's registry, made earlier; or else `build`."""
    build: Image | None = None
    """How to make the serving image; the model is not in it, but in an archive beside it."""
    instance_type: InstanceType
    instances: int = Field(default=1, ge=1, le=100)
    rollout: Rollout = Rollout()
    storage: S3Address | None = None
    """Where archives of models lie; the lake's storage when left out."""
    connection: Text | None = None
    """The Airflow connection of type `aws`; storage's credentials when left out."""
    region: Text | None = None
    """The connection's when left out."""
    tags: Tags
    vpc: Vpc | None = None
    network_isolation: bool = False
    """Whether the container is kept from every network."""
    kms_key: Text | None = None
    """The key that the instances' disks are encrypted with."""
    keep: int = Field(default=2, ge=1, le=50)
    """How many earlier versions stay ready to come back to."""
    timeout: Seconds = 1800

    @model_validator(mode="after")
    def _one_image(self) -> "SageMakerDeploy":
        if (self.image is None) == (self.build is None):
            raise PydanticCustomError(
                "serving_image",
                "a serving image is needed: write `image` for one that there is, or `build`"
                if self.image is None
                else "write either `image` or `build`: each names the serving image",
                {"at": () if self.image is None else ("build",)},
            )
        if self.build is not None and not self.build.push:
            raise PydanticCustomError(
                "push",
                "SageMaker fetches the image: take `push: false` out",
                {"at": ("build", "push")},
            )
        return self
