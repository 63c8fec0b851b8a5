"""The files of a new project, and how they are written: all, or none, and none over another."""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from factory.base.errors import TerminalError
from factory.base.texts import one_of

_TEMPLATES = {
    "configs/_defaults.yaml": "defaults.yaml",
    "dags/teams.py": "teams.py",
    "dags/config_errors.py": "config_errors.py",
    ".github/workflows/factory.yaml": "check.yaml",
    ".gitignore": "gitignore",
    "README.md": "README.md",
}
"""The template of each file that every project has."""


class FileThereError(TerminalError):
    """A file that would be written is there already."""


def from_template(name: str, /, **values: str) -> str:
    """The text of a template of this package, without `.jinja`."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    # The texts are no HTML.
    environment = Environment(  # noqa: S701
        loader=PackageLoader("factory.starter_project"),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
    )
    return environment.get_template(f"{name}.jinja").render(values)


def common_files(name: str, first: str) -> dict[str, str]:
    """The texts of the files that every project has, by path.

    Args:
        name: The project's.
        first: What `factory run` runs first, such as `team.model`.
    """
    return {
        path: from_template(template, name=name, first=first)
        for path, template in _TEMPLATES.items()
    }


def dag_files() -> dict[str, str]:
    """The texts of the DAG files, by path."""
    paths = [path for path in _TEMPLATES if path.startswith("dags/")]
    return {path: from_template(_TEMPLATES[path]) for path in paths}


def write_files(
    folder: Path, texts: Mapping[str, str | bytes], copies: Mapping[str, Path]
) -> tuple[list[str], list[str]]:
    """Write the files of a project; those that are there stay as they are.

    Args:
        folder: The project; made if it is not there.
        texts: By path below it.
        copies: Files to copy, by path below it.

    Returns:
        The paths that were written, and those that were there already.

    Raises:
        FileThereError: A folder cannot be made, or a file cannot be written.
    """
    written, kept = [], []
    for path in [*texts, *copies]:
        file = folder / path
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            # Refuses a file that is there, even one that has come up since somebody looked.
            descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        except FileExistsError:
            kept.append(path)
            continue
        except OSError as error:
            raise FileThereError(f"{file} cannot be written: {error.strerror}") from error
        with os.fdopen(descriptor, "wb") as target:
            if path in texts:
                text = texts[path]
                target.write(text.encode() if isinstance(text, str) else text)
            else:
                with copies[path].open("rb") as source:
                    shutil.copyfileobj(source, target)
        written.append(path)
    return written, kept


def refuse_files(folder: Path, paths: "tuple[str, ...]", advice: str) -> None:
    """Check that files are not there.

    Raises:
        FileThereError: One is; says what to do.
    """
    if found := [path for path in paths if os.path.lexists(folder / path)]:
        raise FileThereError(
            f"{one_of([str(folder / path) for path in found])} is there already, and nothing is overwritten: {advice}"
        )
