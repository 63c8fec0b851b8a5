"""`embedder: {type: sklearn}`: the words of a dataset's own texts, weighed and brought into few numbers."""

import io
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from factory.data.embedders.embedder import EmbedContext, Embedder, Embedding, EmbedError

if TYPE_CHECKING:
    import pyarrow as pa

    from factory.data.embedders.embedder import Vectors
    from factory.data.images.store import ImageStore

_AT_ONCE = 1000


class ScikitLearnEmbedder(Embedder):
    """TF-IDF and truncated SVD (latent semantic analysis), fitted on the dataset's own texts.

    No model is needed. The fitted one is published with the rows: the column of models has its address. Vectors are
    made anew whenever the texts change.
    """

    keeps: ClassVar[bool] = False

    type: Literal["sklearn"]
    dimensions: int = Field(default=128, ge=2, le=4096)
    """How many numbers a vector has. Where there are fewer texts or words, the last ones are 0."""
    max_words: int = Field(default=50_000, ge=2)
    """The most different words that count; the most frequent ones do."""
    seed: int = Field(default=0, ge=0)
    """Of the approximation: the same texts and seed give the same vectors."""

    def start(self, texts: Iterable[str], context: EmbedContext) -> Embedding:
        """Fit, and keep what was fitted."""
        from sklearn.decomposition import TruncatedSVD
        from sklearn.feature_extraction.text import TfidfVectorizer

        words = TfidfVectorizer(sublinear_tf=True, max_features=self.max_words)
        try:
            weights = words.fit_transform(texts)
        except ValueError as error:
            raise EmbedError(
                f"{context.what}: no text has a word of two letters or more, and so there is nothing to fit"
            ) from error
        number = min(self.dimensions, *weights.shape)
        svd = TruncatedSVD(number, random_state=self.seed).fit(weights)
        fitted = FittedWords.of(words, svd.components_, self.dimensions)
        stored = context.store.add_bytes(fitted.content, "parquet")
        fitted.model = stored.address
        return fitted


class FittedWords(Embedding):
    """A fitted vocabulary, and the directions that words point in."""

    at_once = _AT_ONCE

    def __init__(self, table: "pa.Table") -> None:
        """Make it of a table of words, as `content` has it."""
        import numpy as np
        from sklearn.feature_extraction.text import TfidfVectorizer

        self.table = table
        self.words = TfidfVectorizer(
            sublinear_tf=True,
            vocabulary=dict(zip(table["word"].to_pylist(), range(len(table)), strict=True)),
        )
        self.words.idf_ = table["idf"].to_numpy()
        directions = table["direction"].combine_chunks()
        self.size = directions.type.list_size
        self.directions = directions.flatten().to_numpy().reshape(-1, self.size).astype(np.float32)

    @classmethod
    def of(cls, words: Any, components: Any, size: int) -> "FittedWords":
        """What scikit-learn has fitted, in as many dimensions as are asked for."""
        import numpy as np
        import pyarrow as pa

        directions = np.zeros((len(words.vocabulary_), size), np.float32)
        directions[:, : len(components)] = components.T
        return cls(
            pa.table(
                {
                    "word": words.get_feature_names_out().tolist(),
                    "idf": words.idf_,
                    "direction": pa.FixedSizeListArray.from_arrays(directions.ravel(), size),
                }
            )
        )

    @classmethod
    def stored(cls, store: "ImageStore", address: str) -> "FittedWords":
        """What a snapshot names in its column of models, to embed questions as its texts were embedded.

        Raises:
            ImageError: There is no such file.
        """
        import pyarrow.parquet as pq

        found = cls(pq.read_table(io.BytesIO(store.read(address))))
        found.model = address
        return found

    @property
    def content(self) -> bytes:
        """The table as a parquet file, the same for the same table."""
        import pyarrow.parquet as pq

        target = io.BytesIO()
        pq.write_table(self.table, target)
        return target.getvalue()

    def embed(self, texts: Sequence[str]) -> "Vectors":
        """See `Embedding.embed`; each has length 1, or is 0 where no word is known."""
        import numpy as np

        vectors = np.asarray(self.words.transform(texts) @ self.directions, np.float32)
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        made: Vectors = np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0)
        return made
