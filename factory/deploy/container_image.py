"""From a version to an image in its registry: what all targets that run images share."""

from contextlib import ExitStack
from pathlib import Path

from factory.deploy.access import Places
from factory.deploy.build_context import make_context
from factory.deploy.builders import Job, build_image
from factory.deploy.container_image_section import Image
from factory.deploy.ecr import Registry
from factory.deploy.protocol import Built, Release


def make_image(
    image: Image, release: Release, folder: Path, places: Places, *, model_folder: Path | None
) -> Built:
    """Build the image that serves a version, and push it; nothing if the registry has it already.

    Args:
        image: How it is made.
        release: What it serves.
        folder: An empty folder to work in.
        places: Where things are.
        model_folder: The model; None for an image that is given one when it starts.

    Raises:
        TerminalError: A program, a package or a permission is missing.
        FactoryError: The builder or the registry failed.
    """
    context = make_context(folder / "context", image, release, model_folder)
    facts = {"context": f"sha256:{context.sha256}", "tag": context.reference}
    registry = Registry.of(image.repository) if image.push else None
    with ExitStack() as stack:
        login = None
        if registry is not None:
            session = places.session(image.connection)
            if digest := registry.digest_of(context.reference, session):
                return Built(
                    reference=f"{image.repository}@{digest}",
                    facts={**facts, "made": "earlier, from the same content"},
                )
            login = stack.enter_context(registry.login(session))
        reference = build_image(
            Job(
                context=context,
                image=image,
                scratch=folder / "notes",
                pip_conf=places.project / image.pip_conf if image.pip_conf else None,
                login=login,
            )
        )
    return Built(reference=reference, facts={**facts, "made": "now"})
