"""The build context of a serving container image: everything that goes into it but the base."""

import os
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

import factory
from factory.base.digests import sha256_of_folder
from factory.deploy.container_image import ContainerImage
from factory.deploy.requirements import (
    SERVING,
    distributions_of,
    own_code,
    pinned,
    python_version,
)
from factory.models.record import ModelRecord
from factory.trainers.dispatch import trainer_class_of

MODEL = "model"
"""The folder of the context that holds the model."""

EPOCH = 315532800
"""1980-01-01, the earliest that every archive can hold: of when files are, nobody asks."""

_LEFT_OUT = ("__pycache__", "*.pyc", ".DS_Store")


@dataclass(frozen=True)
class BuildContext:
    """A folder that a container image can be built from."""

    folder: Path
    sha256: str
    """Of the names and contents of all its files: the same for the same version, wherever it is made."""
    reference: str
    """The container image's name with its tag."""
    labels: Mapping[str, str]


def make_context(
    folder: Path, container_image: ContainerImage, record: ModelRecord, model_folder: Path | None
) -> BuildContext:
    """Put a context together.

    Args:
        folder: Where; what is there is replaced.
        container_image: How it is made.
        record: What it serves.
        model_folder: The model as `factory serve --model-folder` reads it; None for a container image that
            is given one when it starts.

    Raises:
        TerminalError: A package that serving needs is not installed here.
    """
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    if model_folder is not None:
        shutil.copytree(model_folder, folder / MODEL)
    for package in (Path(factory.__file__).parent, *own_code(record.packages)):
        _copy(package, folder / "packages" / package.name)
    needed = requirements(record, container_image.provided)
    (folder / "requirements.txt").write_text("".join(f"{line}\n" for line in needed))
    # The labels are not of the content: they tell of it.
    content = sha256_of_folder(folder)
    labels = labels_of(record, content, with_model=model_folder is not None)
    dockerfile = render_dockerfile(
        container_image, record, labels, with_model=model_folder is not None
    )
    (folder / "Dockerfile").write_text(dockerfile)
    sha256 = sha256_of_folder(folder)
    _make_even(folder)
    tag = f"{record.version}-{sha256[:12]}" if model_folder is not None else sha256[:12]
    return BuildContext(folder, sha256, f"{container_image.repository}:{tag}", labels)


def requirements(record: ModelRecord, provided: Iterable[str] = ()) -> list[str]:
    """What the container image installs to serve a version: `name==version`, sorted.

    Args:
        record: The version.
        provided: Patterns of names that the base brings.

    Raises:
        TerminalError: A package is not installed here.
    """
    trainer = trainer_class_of(record)
    # A plug-in's trainer comes in its own distribution.
    packages = (*record.packages, trainer.__module__)
    roots = [*SERVING, *distributions_of(packages), *trainer.serving_distributions]
    patterns = tuple(provided)
    return [
        line
        for line in pinned(roots)
        if not any(fnmatch(line.partition("==")[0], pattern) for pattern in patterns)
    ]


def labels_of(record: ModelRecord, content: str, *, with_model: bool) -> dict[str, str]:
    """The container image's labels: which version it serves and what it was made of; sorted.

    Args:
        record: The version.
        content: The SHA-256 of the context but for its Dockerfile.
        with_model: Whether the model is in it; otherwise it serves any of the model's kind.
    """
    labels = {
        "org.opencontainers.image.title": record.model if with_model else "factory serve",
        "factory.content": content,
    }
    if with_model:
        labels |= {
            "org.opencontainers.image.version": str(record.version),
            "factory.model": record.model,
            "factory.version": str(record.version),
            "factory.task": record.task or "",
            "factory.estimator": record.estimator,
        }
        if record.sha256:
            labels["factory.model.sha256"] = record.sha256
    return dict(sorted(labels.items()))


def render_dockerfile(
    container_image: ContainerImage,
    record: ModelRecord,
    labels: Mapping[str, str],
    *,
    with_model: bool,
) -> str:
    """The Dockerfile's text."""
    environment = Environment(
        loader=PackageLoader("factory", "deploy"),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 - no HTML
    )
    return environment.get_template("serving.Dockerfile.jinja").render(
        title=f"{record.model} version {record.version}" if with_model else "models",
        base=container_image.base or f"python:{python_version()}-slim",
        labels=labels,
        with_model=with_model,
    )


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns(*_LEFT_OUT))
    else:
        shutil.copyfile(source, target)


def _make_even(folder: Path) -> None:
    """The same modes and times everywhere, so that builders find layers that they have."""
    for path in [*folder.rglob("*"), folder]:
        path.chmod(0o755 if path.is_dir() else 0o644)
        os.utime(path, (EPOCH, EPOCH))
