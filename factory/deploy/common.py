"""What deployments of every type have in common."""

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from factory.base.section import ListOf, ProjectFile, Seconds, Section

PICTURES: Mapping[str, str] = {
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".png": "image/png",
    ".webp": "image/webp",
}
"""The pictures that a served model takes, by their files' suffixes."""


def _check_suffix(value: str) -> str:
    suffix = PurePosixPath(value).suffix.lower()
    if suffix not in (*PICTURES, ".json"):
        raise PydanticCustomError(
            "smoke_test_file",
            "{value} is neither a picture (.jpg, .png, .webp) nor rows (.json)",
            {"value": repr(value)},
        )
    return value


class SmokeTest(Section):
    """What a new deployment is asked, and what it must answer.

    Without `file` and `rows` it is asked about the input example that the version was registered
    with. Without `expect`, any sensible answer of the right version will do.
    """

    file: Annotated[ProjectFile, AfterValidator(_check_suffix)] | None = None
    """A picture, or JSON: rows, or `{"rows": […]}`."""
    rows: ListOf[dict[str, Any]] | None = Field(default=None, min_length=1, max_length=1000)
    """Rows with the model's features, in place of a file."""
    expect: str | int | float | bool | None = None
    """The class, or the number, that must come back for each of them."""
    tolerance: float | None = Field(default=None, ge=0)
    """How far a regression's number may be from `expect`."""

    @model_validator(mode="after")
    def _consistent(self) -> "SmokeTest":
        if self.file is not None and self.rows is not None:
            raise PydanticCustomError("smoke_test", "write either `file` or `rows`")
        if self.expect is not None and self.file is None and self.rows is None:
            raise PydanticCustomError(
                "smoke_test",
                "`expect` needs `file` or `rows`: what an input example is, changes with every version",
                {"at": ("expect",)},
            )
        if self.tolerance is not None and self.expect is None:
            raise PydanticCustomError(
                "smoke_test", "`tolerance` belongs to `expect`", {"at": ("tolerance",)}
            )
        return self


class DeploySection(Section):
    """What every `deploy` has beside its `type`."""

    builds: ClassVar[bool] = True
    """Whether something must be made of a version before it can run there."""

    smoke_test: SmokeTest = SmokeTest()
    """What the deployment is asked before it counts as deployed."""
    timeout: Seconds = 600
    """How long it may take to answer."""


def check_deploy(deploy: DeploySection, *, has_classes: bool, takes_pictures: bool) -> None:
    """Check that a deployment can be asked about what its model takes and gives.

    Args:
        deploy: The section.
        has_classes: Whether the model predicts classes, and not numbers.
        takes_pictures: Whether it learns from images.

    Raises:
        PydanticCustomError: with the way to the first thing that is wrong.
    """
    test = deploy.smoke_test
    at = ("deploy", "smoke_test")
    is_picture = test.file is not None and PurePosixPath(test.file).suffix.lower() in PICTURES
    if is_picture and not takes_pictures:
        raise PydanticCustomError(
            "smoke_test",
            "this model takes rows and no pictures: name a .json file, or write `rows`",
            {"at": (*at, "file")},
        )
    if takes_pictures and (test.rows is not None or (test.file is not None and not is_picture)):
        raise PydanticCustomError(
            "smoke_test",
            "this model takes a picture: name a file that ends with .jpg, .png or .webp",
            {"at": (*at, "rows" if test.rows is not None else "file")},
        )
    if has_classes and test.tolerance is not None:
        raise PydanticCustomError(
            "smoke_test",
            "`tolerance` belongs to a regression: a class is right or wrong",
            {"at": (*at, "tolerance")},
        )
    if not has_classes and isinstance(test.expect, (str, bool)):
        raise PydanticCustomError(
            "smoke_test",
            "{value} is no number, and a regression says numbers",
            {"value": repr(test.expect), "at": (*at, "expect")},
        )
