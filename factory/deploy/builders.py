"""From a version to a container image in its registry, by docker, buildah or kaniko."""

import json
import re
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from factory.base.processes import CommandError, first_of, run
from factory.deploy.build_context import EPOCH, BuildContext, make_context
from factory.deploy.container_image import ContainerImage
from factory.deploy.ecr import EcrRegistry
from factory.deploy.model_folder import fill_model_folder
from factory.deploy.targets.target import Built, DeployContext
from factory.models.record import ModelRecord

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_SECONDS = 3600.0
"""For one build, and for one push; packages for images are some gigabytes."""

PROGRAMS = ("docker", "buildah", "executor", "/kaniko/executor")
"""What builds container images, the first choice first; kaniko's program is called `executor`."""


@dataclass(frozen=True)
class ImageBuild:
    """What a builder needs to know."""

    context: BuildContext
    container_image: ContainerImage
    scratch: Path
    """A folder for notes about the build, outside the context."""
    pip_conf: Path | None
    """Configuration of pip for the build alone."""
    login: Path | None
    """A folder with a `config.json` as Docker writes it, for the registry; None for the builder's own."""

    @property
    def reference(self) -> str:
        """The container image's name with its tag."""
        return self.context.reference


def make_container_image(
    container_image: ContainerImage,
    record: ModelRecord,
    folder: Path,
    context: DeployContext,
    *,
    model_folder: Path | None,
) -> Built:
    """Build the container image that serves a version, and push it; nothing if the registry has it already.

    Args:
        container_image: How it is made.
        record: What it serves.
        folder: An empty folder to work in.
        context: Where things are.
        model_folder: The model; None for a container image that is given one when it starts.

    Raises:
        TerminalError: A program, a package or a permission is missing.
        FactoryError: The builder or the registry failed.
    """
    content = make_context(folder / "context", container_image, record, model_folder)
    facts = {"context": f"sha256:{content.sha256}", "tag": content.reference}
    registry = EcrRegistry.of(container_image.repository) if container_image.push else None
    with ExitStack() as stack:
        login = None
        if registry is not None:
            ecr = context.aws.get(
                "ecr", connection=container_image.connection, region=registry.region
            )
            if digest := registry.digest_of(content.reference, ecr):
                return Built(
                    reference=f"{container_image.repository}@{digest}",
                    facts={**facts, "made": "earlier, from the same content"},
                )
            login = stack.enter_context(registry.login(ecr))
        reference = build_container_image(
            ImageBuild(
                context=content,
                container_image=container_image,
                scratch=folder / "notes",
                pip_conf=context.project / container_image.pip_conf
                if container_image.pip_conf
                else None,
                login=login,
            )
        )
    return Built(reference=reference, facts={**facts, "made": "now"})


def make_container_image_with_model(
    container_image: ContainerImage, record: ModelRecord, folder: Path, context: DeployContext
) -> Built:
    """Fetch a version's files, and build the container image that holds them.

    Args:
        container_image: How it is made.
        record: The version.
        folder: An empty folder to work in.
        context: Where things are.

    Raises:
        TerminalError: A program, a package or a permission is missing.
        FactoryError: The model cannot be fetched, or the builder or the registry failed.
    """
    model_folder = folder / "model"
    fill_model_folder(record, model_folder, context.tracking)
    return make_container_image(container_image, record, folder, context, model_folder=model_folder)


def build_container_image(build: ImageBuild) -> str:
    """Build a container image, and push it where that is wanted.

    Returns:
        `repository@sha256:…`; without a push, `repository:tag`.

    Raises:
        TerminalError: This machine has no builder.
        CommandError: The builder failed.
    """
    wanted = build.container_image.builder
    programs = [p for p in PROGRAMS if wanted is None or _name(p) == wanted]
    program = first_of(programs, None, "builds images")
    build.scratch.mkdir(parents=True, exist_ok=True)
    digest = _BUILD[_name(program)](program, build)
    return build.reference if digest is None else f"{build.container_image.repository}@{digest}"


def _name(program: str) -> str:
    return "kaniko" if program.endswith("executor") else program


def _docker(program: str, build: ImageBuild) -> str | None:
    run(
        [
            *(program, "build", "--file", str(build.context.folder / "Dockerfile")),
            *("--tag", build.reference, "--platform", build.container_image.platform),
            *_secret(build),
            str(build.context.folder),
        ],
        seconds=_SECONDS,
        environment={"DOCKER_BUILDKIT": "1"},
    )
    if not build.container_image.push:
        return None
    login = {"DOCKER_CONFIG": str(build.login)} if build.login else {}
    run([program, "push", build.reference], seconds=_SECONDS, environment=login)
    found = run(
        [program, "image", "inspect", "--format", "{{json .RepoDigests}}", build.reference],
        seconds=60,
        quiet=True,
    )
    for name in json.loads(found):
        repository, _, digest = name.partition("@")
        if repository == build.container_image.repository:
            return _checked(digest, program)
    raise CommandError(f"docker knows no digest of {build.reference}, which it has pushed: {found}")


def _buildah(program: str, build: ImageBuild) -> str | None:
    run(
        [
            # OCI's own format has no health check.
            *(program, "build", "--format", "docker", "--timestamp", str(EPOCH)),
            *("--file", str(build.context.folder / "Dockerfile")),
            *("--tag", build.reference, "--platform", build.container_image.platform),
            *_secret(build),
            str(build.context.folder),
        ],
        seconds=_SECONDS,
    )
    if not build.container_image.push:
        return None
    note = build.scratch / "digest"
    login = {"REGISTRY_AUTH_FILE": str(build.login / "config.json")} if build.login else {}
    run(
        [
            program,
            "push",
            "--digestfile",
            str(note),
            build.reference,
            f"docker://{build.reference}",
        ],
        seconds=_SECONDS,
        environment=login,
    )
    return _checked(note.read_text(), program)


def _kaniko(program: str, build: ImageBuild) -> str | None:
    note = build.scratch / "digest"
    run(
        [
            *(program, "--context", f"dir://{build.context.folder}", "--dockerfile", "Dockerfile"),
            *(
                "--destination",
                build.reference,
                "--custom-platform",
                build.container_image.platform,
            ),
            *("--reproducible", "--digest-file", str(note)),
        ],
        seconds=_SECONDS,
        environment={"DOCKER_CONFIG": str(build.login)} if build.login else {},
    )
    return _checked(note.read_text(), program)


_BUILD: dict[str, Callable[[str, ImageBuild], str | None]] = {
    "docker": _docker,
    "buildah": _buildah,
    "kaniko": _kaniko,
}


def _secret(build: ImageBuild) -> tuple[str, ...]:
    return ("--secret", f"id=pip_conf,src={build.pip_conf}") if build.pip_conf else ()


def _checked(text: str, program: str) -> str:
    digest = text.strip()
    if not _DIGEST.fullmatch(digest):
        raise CommandError(f"{program} noted no digest of the image, but {digest[:100]!r}")
    return digest
