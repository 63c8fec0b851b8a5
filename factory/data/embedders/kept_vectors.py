"""Vectors that runs of a dataset keep in the lake's storage, so that a text is embedded once.

They lie at `<team>/_vectors/<dataset>/<what decides them>/<SHA-256>.parquet`: the hash of each text and its vector. New ones
are kept some hundred at a time, so that a run that fails loses few; a run that ends well leaves those that it used.
Nothing breaks without them: whoever removes a file has its texts embedded again.
"""

import io
import logging
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from factory.base.digests import sha256, sha256_of_json
from factory.lake.storage.errors import NoFileError

if TYPE_CHECKING:
    import pyarrow as pa

    from factory.data.embedders.embedder import Vectors
    from factory.lake.table import Lake

log = logging.getLogger(__name__)

_AT_ONCE = 500
_DIGITS = 32


def text_hash(text: str) -> str:
    """What a text is known by."""
    return sha256(text.encode())


class KeptVectors:
    """The vectors of one dataset and embedder: those of earlier runs, and this run's."""

    def __init__(self, lake: "Lake", dataset: str | None, decided_by: Any, scratch: Path) -> None:
        """Read those of earlier runs.

        Args:
            lake: Where they are kept.
            dataset: The full name; None to keep them for this run alone.
            decided_by: What decides the vector of a text beside the text, as JSON.
            scratch: A folder for a file on its way.
        """
        self.lake = lake
        self.folder = None
        self.scratch = scratch
        self.size: int | None = None
        self._vectors: dict[str, Any] = {}
        self._pending: list[str] = []
        self._files: list[str] = []
        self.found = 0
        """How many there were from earlier runs."""
        if dataset is not None:
            digest = sha256_of_json(decided_by)[:_DIGITS]
            team, _, name = dataset.partition(".")
            self.folder = f"{team}/_vectors/{name}/{digest}"
            for file in sorted(lake.files.names(f"{self.folder}/")):
                self._read(file)
            self.found = len(self._vectors)

    def __contains__(self, key: str) -> bool:
        return key in self._vectors

    def of(self, keys: Sequence[str]) -> list[Any]:
        """The vectors of texts, by their hashes; None for those that there are none of."""
        return [self._vectors.get(key) for key in keys]

    def add(self, keys: Sequence[str], vectors: "Vectors") -> None:
        """Keep new ones."""
        self.size = vectors.shape[1]
        self._vectors.update(zip(keys, vectors, strict=True))
        self._pending += keys
        if len(self._pending) >= _AT_ONCE:
            self.flush()

    def flush(self) -> None:
        """Bring new ones into storage."""
        if self.folder is not None and self._pending:
            self._files.append(self._write(self._pending))
        self._pending = []

    def finish(self, used: Iterable[str]) -> None:
        """Leave those that were used in one file, where that is not so already."""
        self.flush()
        keys = sorted(used)
        if self.folder is None or (len(self._files) <= 1 and len(keys) == len(self._vectors)):
            return
        kept = [self._write(keys)] if keys else []
        for file in self._files:
            if file not in kept:
                self.lake.files.delete(file)
        self._files = kept

    def _write(self, keys: Sequence[str]) -> str:
        import numpy as np
        import pyarrow as pa
        import pyarrow.parquet as pq

        vectors = np.stack([self._vectors[key] for key in keys])
        target = io.BytesIO()
        flat = pa.FixedSizeListArray.from_arrays(vectors.ravel(), vectors.shape[1])
        pq.write_table(pa.table({"text": list(keys), "vector": flat}), target)
        name = f"{self.folder}/{sha256(target.getvalue())}.parquet"
        file = self.scratch / "vectors.parquet"
        file.write_bytes(target.getvalue())
        try:
            self.lake.files.upload(file, name)
        finally:
            file.unlink()
        return name

    def _read(self, name: str) -> None:
        import pyarrow.parquet as pq

        try:
            content = self.lake.files.read(name)
        except NoFileError:
            return  # another run has ended meanwhile
        self._files.append(name)
        if sha256(content) != Path(name).stem:
            log.warning("%s is damaged: its texts are embedded again", self.lake.files.uri(name))
            return
        table: pa.Table = pq.read_table(io.BytesIO(content))
        vectors = table["vector"].combine_chunks()
        self.size = vectors.type.list_size
        numbers = vectors.flatten().to_numpy().reshape(-1, self.size)
        self._vectors.update(zip(table["text"].to_pylist(), numbers, strict=True))
