"""`transforms`: what happens to rows on their way."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, ValidationInfo, model_validator
from pydantic_core import PydanticCustomError

from factory.config.base import DottedPath, Section, Surroundings, Text
from factory.config.sources import ProjectPath


def _check_exists(value: str, info: ValidationInfo) -> str:
    surroundings = info.context
    if not isinstance(surroundings, Surroundings):
        return value
    project = surroundings.project.resolve()
    found = (project / value).resolve()
    if not found.is_file() or not found.is_relative_to(project):
        raise PydanticCustomError(
            "sql_file",
            "there is no file {value} in the project",
            {"value": repr(value), "advice": "paths start at the project's folder, above configs/"},
        )
    return value


class SqlTransform(Section):
    """A DuckDB query; `source` is the rows so far, other datasets that are read are `team.dataset`."""

    type: Literal["sql"]
    query: Text | None = None
    file: Annotated[ProjectPath, AfterValidator(_check_exists)] | None = None

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


Transform = Annotated[SqlTransform | PythonTransform, Field(discriminator="type")]
