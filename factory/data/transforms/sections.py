"""`transforms`: what happens to rows on their way."""

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from factory.base.section import DottedPath, ProjectFile, Section, Text


class SqlTransform(Section):
    """A DuckDB query; `source` is the rows so far, other datasets that are read are `team.dataset`."""

    type: Literal["sql"]
    query: Text | None = None
    file: ProjectFile | None = None

    @model_validator(mode="after")
    def _one_text(self) -> "SqlTransform":
        if (self.query is None) == (self.file is None):
            raise PydanticCustomError("sql", "write either `query` or `file`")
        return self


class PythonTransform(Section):
    """A function that takes the rows so far as a pandas DataFrame and returns one; held in memory."""

    type: Literal["python"]
    call: DottedPath
    arguments: dict[str, Any] = Field(default_factory=dict)


class Resize(Section):
    """How pictures are brought to a size, in pixels.

    `fit` keeps the proportions and stays within width and height, `fill` keeps them and cuts off
    what is too much, `exact` stretches.
    """

    width: int = Field(ge=1, le=10_000)
    height: int = Field(ge=1, le=10_000)
    mode: Literal["fit", "fill", "exact"] = "fit"


class ImagesTransform(Section):
    """Pictures made anew: resized, in one format, in one mode; turned upright, without metadata."""

    type: Literal["images"]
    resize: Resize | None = None
    convert: Literal["png", "jpeg", "webp"] | None = None
    quality: int = Field(default=90, ge=1, le=100)
    """Of JPEG and WebP."""
    mode: Literal["RGB", "L", "RGBA"] | None = None
    """The colours: `L` is grey, `RGBA` has transparency, which JPEG has not."""

    @model_validator(mode="after")
    def _something(self) -> "ImagesTransform":
        if self.resize is None and self.convert is None and self.mode is None:
            raise PydanticCustomError("images", "write what to do: `resize`, `convert` or `mode`")
        if self.convert == "jpeg" and self.mode == "RGBA":
            raise PydanticCustomError(
                "images",
                "JPEG holds no transparency: write `mode: RGB`, or convert to png or webp",
                {"at": ("mode",)},
            )
        return self


Transform = Annotated[SqlTransform | PythonTransform | ImagesTransform, Field(discriminator="type")]
