"""A model out of a folder: baked into an image, or unpacked by SageMaker. There is no registry to ask.

The folder is what MLflow stores of a version, and beside it `release.json`, which says what the
registry knows of it.
"""

from datetime import datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from factory.base.errors import TerminalError
from factory.models.files import RELEASE_FILE
from factory.models.predictor import read_predictor
from factory.models.registry import Version
from factory.serving.limits import ServingLimits
from factory.serving.loading import LoadedVersion, warmed_up
from factory.serving.served_models import ServedModels
from factory.training.tasks import TaskName

NOTE = RELEASE_FILE
"""The file's name."""


class ReleaseNote(BaseModel):
    """What `release.json` holds."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    model: str = Field(pattern=r"^[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*$")
    version: int = Field(ge=1)
    task: TaskName
    estimator: str = ""
    """Its dotted path, which says what trainer reads it."""
    packages: tuple[str, ...] = ()
    """Packages whose types the model may hold."""
    sha256: str | None = None
    """Of the model's files."""
    registered_at: datetime

    def write(self, folder: Path) -> None:
        """Put it beside a model's files."""
        (folder / NOTE).write_text(self.model_dump_json(indent=2) + "\n", encoding="utf-8")


def read_note(folder: Path) -> ReleaseNote:
    """What a folder says of its model.

    Raises:
        TerminalError: It says nothing, or nothing that makes sense.
    """
    file = folder / NOTE
    try:
        return ReleaseNote.model_validate_json(file.read_bytes())
    except OSError as error:
        raise TerminalError(
            f"{file} cannot be read ({error.strerror}): name a folder that `factory` has filled with a "
            "model"
        ) from None
    except ValidationError as error:
        raise TerminalError(f"{file} is not what `factory` writes: {error}") from None


def load_folder(folder: Path, settings: ServingLimits) -> LoadedVersion:
    """The version in a folder, once it has predicted its own input example.

    Raises:
        TerminalError: It is damaged, has been tampered with, or is none that can be served.
    """
    note = read_note(folder)
    version = _version(note)
    predictor = read_predictor(version, str(folder), task=note.task, limit_threads=False)
    return warmed_up(version, predictor, settings)


def models_of(served: LoadedVersion) -> ServedModels:
    """A service's models, of which there is one."""
    models = ServedModels()
    version = served.version
    models.update(version.model, served=served, champion=version.number)
    return models


def _version(note: ReleaseNote) -> Version:
    """The version as the registry would describe it."""
    tags = {
        "task": note.task,
        "estimator": note.estimator,
        "packages": ",".join(note.packages),
        **({"sha256": note.sha256} if note.sha256 else {}),
    }
    return Version(
        note.model,
        note.version,
        aliases=(),
        tags=tags,
        run_id="",
        registered_at=note.registered_at,
    )
