"""Generated images: bright circles and squares on dark noise, which a small network tells apart."""

import io

import numpy as np
import pandas as pd
import pyarrow as pa
from PIL import Image, ImageDraw

BYTES = pd.ArrowDtype(pa.large_binary())


def shapes(count, seed=0, size=32, kind="PNG"):
    """Encoded images and what they show, in turns: a bytes column `image`, and an array of labels."""
    random = np.random.default_rng(seed)
    labels = np.array(["circle", "square"] * (count // 2), dtype=object)
    images = [encoded(draw(label, random, size), kind) for label in labels]
    return pd.DataFrame({"image": pd.Series(images, dtype=BYTES)}), labels


def draw(label, random, size=32):
    noise = random.integers(0, 80, (size, size, 3), dtype=np.uint8)
    image = Image.fromarray(noise)
    radius = int(random.integers(size // 5, size // 3))
    across, down = random.integers(radius, size - radius, 2).tolist()
    box = (across - radius, down - radius, across + radius, down + radius)
    color = tuple(random.integers(150, 256, 3).tolist())
    pen = ImageDraw.Draw(image)
    (pen.ellipse if label == "circle" else pen.rectangle)(box, fill=color)
    return image


def encoded(image, kind="PNG"):
    content = io.BytesIO()
    image.save(content, kind)
    return content.getvalue()
