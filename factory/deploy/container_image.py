"""`image`: how the container image that serves a model is built, and where it is kept."""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from factory.base.rules import Broken, rule
from factory.base.section import ListOf, ProjectPath, Section, Text

_REPOSITORY = re.compile(
    r"(?:[a-zA-Z0-9](?:[a-zA-Z0-9.-]*[a-zA-Z0-9])?(?::\d{1,5})?/)?"
    r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*"
)
_REFERENCE = re.compile(
    rf"{_REPOSITORY.pattern}(?::[A-Za-z0-9_][A-Za-z0-9_.-]{{0,127}})?(?:@sha256:[0-9a-f]{{64}})?"
)


def _check_repository(value: str) -> str:
    if _REPOSITORY.fullmatch(value):
        return value
    bare = value.removeprefix("https://").removeprefix("http://").partition("@")[0]
    if bare.rfind(":") > bare.rfind("/"):
        bare = bare.rpartition(":")[0]
    bare = bare.lower()
    raise PydanticCustomError(
        "repository",
        "{value} is no repository of images: write registry/name in lower case, without "
        "https:// and without a tag, which the factory adds",
        {"value": repr(value), "suggestion": bare if _REPOSITORY.fullmatch(bare) else ""},
    )


def _check_reference(value: str) -> str:
    if not _REFERENCE.fullmatch(value):
        raise PydanticCustomError(
            "image_reference",
            "{value} is no image: write name, name:tag or name@sha256:digest",
            {"value": repr(value)},
        )
    return value


ContainerImageReference = Annotated[Text, AfterValidator(_check_reference)]
"""A container image by name, with a tag or a digest if need be."""


class ContainerImage(Section):
    """The container image that serves a model: Python, what serving needs, and the model.

    It is built where the task runs, and named `<repository>:<version>-<digest of its content>`.
    """

    repository: Annotated[Text, AfterValidator(_check_repository)] = Field(
        examples=["registry.example.org/harbour/species"]
    )
    """Where it is kept: `registry/name`, without a tag."""
    push: bool = True
    """Whether it is sent there; without, only the machine that built it has it."""
    builder: Literal["docker", "buildah", "kaniko"] | None = None
    """What builds it; the first of them that the machine has when left out."""
    base: ContainerImageReference | None = None
    """What it is built on: Debian or the like with Python; `python:<version here>-slim` when left out."""
    platform: Literal["linux/amd64", "linux/arm64"] = "linux/amd64"
    """The operating system and the processor that it is for."""
    provided: ListOf[Text] = Field(default=(), examples=[["torch*", "nvidia-*"]])
    """Packages that the base brings, such as `torch` or `nvidia-*`: they are not installed."""
    pip_conf: ProjectPath | None = None
    """A configuration of pip for the build alone; it is in no layer of the image."""
    connection: Text | None = None
    """The Airflow connection that logs in to Amazon's registry; storage's credentials when left
    out. Other registries use what the builder is logged in to."""

    @rule
    def _within_kaniko(self) -> Broken:
        if self.builder != "kaniko":
            return
        if not self.push:
            yield PydanticCustomError(
                "kaniko",
                "kaniko keeps no images: take `push: false` out, or build with docker or buildah",
                {"at": ("push",)},
            )
        if self.pip_conf is not None:
            yield PydanticCustomError(
                "kaniko",
                "kaniko knows no secrets of a build, so `pip_conf` would be in the image: build with "
                "docker or buildah",
                {"at": ("pip_conf",)},
            )
