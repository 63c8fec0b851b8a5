"""What happens in the story, and the question at its end."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from factory.runtime.embedded import EmbeddedRuntime
from factory.runtime.errors import EmbeddedRuntimeError
from factory.scenarios.story import Chapter, Story

PHOTOS = "pets.photos"
TRAIN = "pets.detector.train"
DEPLOY = "pets.detector.deploy"

EACH = 1500
"""Cats, and dogs: 2,000 photos to learn from, 400 to choose a trial by, 600 held out."""

CAT = "data/cat.png"
"""Below the project's folder: what the deployed model is asked about."""


def story(downloads: Path) -> Story:
    """The story; its photos are downloaded, unless they are there from an earlier time.

    Raises:
        EmbeddedRuntimeError: The photos cannot be had, or the extras are not installed.
    """
    from factory.scenarios.pets import photos

    _check_extras()
    archive = photos.fetch(downloads)
    return Story(
        (
            Chapter(
                "Photos of cats and dogs arrive: a detector is trained, and deployed.",
                partial(bring_photos, archive, each=EACH),
                "photos",
                PHOTOS,
                frozenset({PHOTOS, TRAIN, DEPLOY}),
            ),
        ),
        environment="local",
        prepare=write_cat,
        ending=ask_about_a_cat,
    )


def bring_photos(archive: Path, data: Path, *, each: int) -> int:
    """Put photos into `data/photos`; how many.

    Args:
        archive: What `photos.fetch` returned.
        data: The project's folder `data`.
        each: How many cats, and how many dogs.
    """
    from factory.scenarios.pets.photos import write_photos

    return write_photos(archive, data / "photos", each=each)


def write_cat(project: Path) -> None:
    """Write the photo of a cat that nothing is trained or tested on: 451 x 300 pixels, PNG."""
    from PIL import Image
    from skimage.data import chelsea

    file = project / CAT
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(chelsea()).save(file)


def ask_about_a_cat(runtime: EmbeddedRuntime) -> Iterator[str]:
    """Send the photo of the cat to the deployed model, as anybody could."""
    import httpx

    address = f"{runtime.ports.serving_url}/models/pets/detector/predict"
    photo = runtime.project / CAT
    answer = httpx.post(
        address, files={"image": (photo.name, photo.read_bytes(), "image/png")}, timeout=30
    )
    if not answer.is_success:
        raise EmbeddedRuntimeError(f"{address} answers with {answer.status_code}: {answer.text}")
    said = answer.json()
    yield ""
    yield f"$ curl -F image=@{CAT} {address}"
    yield answer.text
    yield f"The photo of a cat is a {said['label']}."


def _check_extras() -> None:
    from importlib.util import find_spec

    missing = [name for name in ("fastai", "timm", "skimage") if find_spec(name) is None]
    if missing:
        raise EmbeddedRuntimeError(
            f"this scenario needs {', '.join(missing)}: make install-extras, or "
            'pip install "ml-dag-factory[fastai,pets]"'
        )
