"""Programs that make an image of a context: docker, buildah, kaniko."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from factory.base.processes import CommandError, first_of, run
from factory.deploy.build_context import Context
from factory.deploy.container_image_section import Image

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_EPOCH = "315532800"
_SECONDS = 3600.0
"""For one build, and for one push; packages for pictures are some gigabytes."""

PROGRAMS = ("docker", "buildah", "executor", "/kaniko/executor")
"""What builds images, the first choice first; kaniko's program is called `executor`."""


@dataclass(frozen=True)
class Job:
    """What a builder needs to know."""

    context: Context
    image: Image
    scratch: Path
    """A folder for notes about the build, outside the context."""
    pip_conf: Path | None
    """Configuration of pip for the build alone."""
    login: Path | None
    """A folder with a `config.json` as Docker writes it, for the registry; None for the builder's own."""

    @property
    def reference(self) -> str:
        """The image's name with its tag."""
        return self.context.reference


def build_image(job: Job) -> str:
    """Build an image, and push it where that is wanted.

    Returns:
        `repository@sha256:…`; without a push, `repository:tag`.

    Raises:
        TerminalError: This machine has no builder.
        CommandError: The builder failed.
    """
    wanted = job.image.builder
    programs = [p for p in PROGRAMS if wanted is None or _name(p) == wanted]
    program = first_of(programs, None, "builds images")
    job.scratch.mkdir(parents=True, exist_ok=True)
    digest = _BUILD[_name(program)](program, job)
    return job.reference if digest is None else f"{job.image.repository}@{digest}"


def _name(program: str) -> str:
    return "kaniko" if program.endswith("executor") else program


def _docker(program: str, job: Job) -> str | None:
    run(
        [
            *(program, "build", "--file", str(job.context.folder / "Dockerfile")),
            *("--tag", job.reference, "--platform", job.image.platform),
            *_secret(job),
            str(job.context.folder),
        ],
        seconds=_SECONDS,
        environment={"DOCKER_BUILDKIT": "1"},
    )
    if not job.image.push:
        return None
    login = {"DOCKER_CONFIG": str(job.login)} if job.login else {}
    run([program, "push", job.reference], seconds=_SECONDS, environment=login)
    found = run(
        [program, "image", "inspect", "--format", "{{json .RepoDigests}}", job.reference],
        seconds=60,
        quiet=True,
    )
    for name in json.loads(found):
        repository, _, digest = name.partition("@")
        if repository == job.image.repository:
            return _checked(digest, program)
    raise CommandError(f"docker knows no digest of {job.reference}, which it has pushed: {found}")


def _buildah(program: str, job: Job) -> str | None:
    run(
        [
            # OCI's own format has no health check.
            *(program, "build", "--format", "docker", "--timestamp", _EPOCH),
            *("--file", str(job.context.folder / "Dockerfile")),
            *("--tag", job.reference, "--platform", job.image.platform),
            *_secret(job),
            str(job.context.folder),
        ],
        seconds=_SECONDS,
    )
    if not job.image.push:
        return None
    note = job.scratch / "digest"
    login = {"REGISTRY_AUTH_FILE": str(job.login / "config.json")} if job.login else {}
    run(
        [program, "push", "--digestfile", str(note), job.reference, f"docker://{job.reference}"],
        seconds=_SECONDS,
        environment=login,
    )
    return _checked(note.read_text(), program)


def _kaniko(program: str, job: Job) -> str | None:
    note = job.scratch / "digest"
    run(
        [
            *(program, "--context", f"dir://{job.context.folder}", "--dockerfile", "Dockerfile"),
            *("--destination", job.reference, "--custom-platform", job.image.platform),
            *("--reproducible", "--digest-file", str(note)),
        ],
        seconds=_SECONDS,
        environment={"DOCKER_CONFIG": str(job.login)} if job.login else {},
    )
    return _checked(note.read_text(), program)


_BUILD: dict[str, Callable[[str, Job], str | None]] = {
    "docker": _docker,
    "buildah": _buildah,
    "kaniko": _kaniko,
}


def _secret(job: Job) -> tuple[str, ...]:
    return ("--secret", f"id=pip_conf,src={job.pip_conf}") if job.pip_conf else ()


def _checked(text: str, program: str) -> str:
    digest = text.strip()
    if not _DIGEST.fullmatch(digest):
        raise CommandError(f"{program} noted no digest of the image, but {digest[:100]!r}")
    return digest
