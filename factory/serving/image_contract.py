"""What a model of images takes: one image as it is, or several in JSON, in base64."""

import binascii
import json
from base64 import b64decode
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd
import pyarrow as pa

from factory.models.record import IMAGE, ModelColumn, ModelRecord
from factory.serving.contract import Row
from factory.serving.images import check_image, refusal
from factory.serving.limits import RequestImageLimits

_BYTES = pd.ArrowDtype(pa.large_binary())


@dataclass(frozen=True)
class ImageContract:
    """What a request must hold, and how it becomes a table with one column of bytes."""

    column: str
    """The model's one feature."""
    outputs: tuple[str, ...]
    """The types of what is predicted."""
    most_rows: int
    """Images of one request in JSON."""
    limits: RequestImageLimits
    example: list[Row] = field(default_factory=list)
    """None: an image is too long to be shown."""

    @property
    def features(self) -> tuple[ModelColumn, ...]:
        """The one column that the model takes."""
        return (ModelColumn(name=self.column, type=IMAGE, nullable=False),)

    @property
    def most_bytes(self) -> int:
        """Length of one request's body: an image's, in base64 or with a form around it."""
        return self.limits.most_bytes * 4 // 3 + 64 * 1024

    def is_one(self, body: bytes) -> bool:
        """Whether a body is one image, and not rows in JSON."""
        return body[:64].lstrip()[:1] != b"{"

    def parse(self, body: bytes) -> list[Row]:
        """The images of a request.

        Raises:
            RequestValidationError: It holds something else.
        """
        if self.is_one(body):
            check_image(body, self.limits, self.column)
            return [{self.column: body}]
        return [
            {self.column: self._from_text(text, ("rows", number, self.column))}
            for number, text in enumerate(self._texts(body))
        ]

    def frame(self, rows: Sequence[Row]) -> pd.DataFrame:
        """Images as the model has seen them in training: one column of bytes."""
        content = [row[self.column] for row in rows]
        return pd.DataFrame({self.column: pd.Series(content, dtype=_BYTES)})

    def _texts(self, body: bytes) -> list[Any]:
        try:
            rows = json.loads(body)["rows"]
            texts = [row[self.column] for row in rows if row.keys() == {self.column}]
        except (ValueError, KeyError, TypeError, AttributeError):
            texts, rows = [], None
        if not isinstance(rows, list) or not rows or len(texts) != len(rows):
            shape = f'{{"rows": [{{"{self.column}": "<base64>"}}, …]}}'
            raise refusal("rows", f"send images in JSON as {shape}, at least one")
        if len(rows) > self.most_rows:
            raise refusal("too_long", f"send at most {self.most_rows} images at a time", "rows")
        return texts

    def _from_text(self, text: Any, where: tuple[str | int, ...]) -> bytes:
        try:
            content = b64decode(text, validate=True)
        except (binascii.Error, ValueError, TypeError):
            raise refusal("base64", "this is no text in base64", *where) from None
        check_image(content, self.limits, *where)
        return content


def image_column_of(record: ModelRecord) -> str | None:
    """The one column of bytes that a model takes; None for a model of rows."""
    return record.image_column if len(record.inputs) == 1 else None
