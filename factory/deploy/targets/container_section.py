"""`deploy: {type: container}`: one container on the machine of a Docker or Podman engine."""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from factory.base.section import Text
from factory.deploy.common import DeploySection
from factory.deploy.container_image_section import Image

_MEMORY = re.compile(r"[1-9]\d*[kmg]")


def _check_memory(value: str) -> str:
    if not _MEMORY.fullmatch(value):
        raise PydanticCustomError(
            "memory",
            "{value} is no amount of memory for a container: write a whole number and k, m or g, "
            "such as 512m or 2g",
            {"value": repr(value)},
        )
    return value


class ContainerDeploy(DeploySection):
    """An image with the champion in it, run as one container.

    The container of the earlier version is stopped when the new one starts, since both answer on
    one port: callers wait for some seconds. Where they must not, deploy to Kubernetes.
    """

    type: Literal["container"]
    image: Image
    engine: Literal["docker", "podman"] | None = None
    """What runs it; the first of them that the machine has when left out."""
    host: Text = "127.0.0.1"
    """The address of the engine's machine that it listens on, and that it is asked at."""
    port: int = Field(default=8080, ge=1, le=65535)
    """The port of the engine's machine."""
    memory: Annotated[Text, AfterValidator(_check_memory)] | None = None
    """Most memory, such as `2g`; no limit when left out."""
    cpus: float | None = Field(default=None, gt=0)
    """Most processors; no limit when left out."""
