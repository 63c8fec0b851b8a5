"""A model of images without a training: it tells light ones from dark ones."""

from io import BytesIO

import numpy as np
import pandas as pd
from PIL import Image

from factory.base.errors import TerminalError
from factory.models.record import IMAGE, ModelColumn
from factory.models.registry import Version
from factory.serving.limits import ServingLimits
from factory.serving.loading import LoadedVersion, warmed_up
from factory.trainers.trainer import Predictions
from tests.models.records import record

CLASSES = np.array(["dark", "light"])
NAME = "pets.detector"


def image(
    level: int = 255, size: tuple[int, int] = (8, 8), kind: str = "PNG", **options: object
) -> bytes:
    """A grey image as a file."""
    file = BytesIO()
    Image.new("RGB", size, (level,) * 3).save(file, kind, **options)
    return file.getvalue()


class Brightness:
    """A predictor that decodes images, as one of fastai does, and counts how often it is asked."""

    def __init__(self) -> None:
        self.record = version().record
        self.example = pd.DataFrame({"image": [image(10), image(250)]})
        self.asked: list[int] = []

    def predict(self, rows: pd.DataFrame) -> Predictions:
        self.asked.append(len(rows))
        if not all(isinstance(content, bytes) for content in rows["image"]):
            raise TerminalError("these are no images")
        light = np.array([_brightness(content) for content in rows["image"]])
        chances = np.column_stack([1 - light, light])
        return Predictions(CLASSES[chances.argmax(axis=1)], chances, CLASSES)


def _brightness(content: bytes) -> float:
    return float(np.asarray(Image.open(BytesIO(content)).convert("L")).mean() / 255)


def version(number: int = 1) -> Version:
    found = record(
        NAME,
        number,
        estimator="fastai.vision.learner.vision_learner",
        inputs=(ModelColumn(name="image", type=IMAGE, nullable=False),),
        outputs=("string",),
    )
    return Version(found, aliases=(), tags={})


def served(
    settings: ServingLimits | None = None, predictor: Brightness | None = None
) -> LoadedVersion:
    """The model, as if it had been loaded."""
    return warmed_up(version(), predictor or Brightness(), settings or ServingLimits())
