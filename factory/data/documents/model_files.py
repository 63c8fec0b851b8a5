"""Where the files of a language model lie that a team names: below a data folder, or in an installed package."""

import re
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator, ValidationInfo
from pydantic_core import PydanticCustomError

from factory.base.errors import TerminalError
from factory.base.section import Text, check_data_path

if TYPE_CHECKING:
    from factory.data.folders import DataFolders

_PACKAGE = "package:"
_IN_PACKAGE = re.compile(r"package:[A-Za-z_]\w*(/[\w-][\w.-]*)*")


def _check_place(value: str, info: ValidationInfo) -> str:
    if not value.startswith(_PACKAGE):
        return check_data_path(value, info)
    if not _IN_PACKAGE.fullmatch(value):
        raise PydanticCustomError(
            "data_path",
            "{value} names no folder of a package",
            {"value": repr(value), "advice": "write such as package:our_models/minilm"},
        )
    return value


ModelPlace = Annotated[Text, AfterValidator(_check_place)]
"""A folder or file below a folder that sources may read, or `package:name/folder` in an installed package."""


class NoModelError(TerminalError):
    """A model's files are not where they are said to be."""


def model_file(place: str, folders: "DataFolders", *names: str) -> Path:
    """A file of a model.

    Args:
        place: As the team names it: a folder with the file, or the file itself.
        folders: Where files may be read.
        names: What the file may be called in the folder, the first that is there.

    Raises:
        NoModelError: There is none; says where it was looked for.
        FileOutsideError: It is not for sources to read.
    """
    if not (folders.folders or place.startswith(_PACKAGE)):
        raise NoModelError(
            f"{place}: no file is read here. Let the dataset's own transforms do this, or name a package as "
            "package:name/folder"
        )
    root = _root(place, folders)
    if root.is_file():
        found = root
    else:
        there = (root / name for name in names if (root / name).is_file())
        if (found := next(there, root)) == root:
            raise NoModelError(
                f"{place} holds no {' or '.join(names)}: name the folder that has it"
                if root.is_dir()
                else f"there is no {place}: name a folder below the project's folder, or one of a package as "
                "package:name/folder"
            )
    if not place.startswith(_PACKAGE):
        folders.check(found)
    return found


def _root(place: str, folders: "DataFolders") -> Path:
    if not place.startswith(_PACKAGE):
        return folders.project / place
    package, _, below = place.removeprefix(_PACKAGE).partition("/")
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise NoModelError(
            f"{place}: the package {package} is not installed where this task runs: install it, or name a folder"
        )
    return Path(spec.origin).parent / below
