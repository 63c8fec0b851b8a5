"""`embedder: {type: onnx}`: a sentence transformer on the worker, without PyTorch."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from factory.base.digests import sha256_of_file
from factory.base.rules import Broken, rule
from factory.data.documents.formats import missing_packages
from factory.data.documents.model_files import ModelPlace, NoModelError, model_file
from factory.data.documents.tokenizer import read_tokenizer
from factory.data.embedders.embedder import EmbedContext, Embedder, Embedding, EmbedError

if TYPE_CHECKING:
    from factory.data.embedders.embedder import Vectors

_MODELS = ("model.onnx", "onnx/model.onnx")
_TOKENIZERS = ("tokenizer.json",)
_INPUTS = ("input_ids", "attention_mask", "token_type_ids")
_DIGITS = 12


class OnnxEmbedder(Embedder):
    """A model of sentences in ONNX with its tokenizer, as Hugging Face keeps them: no server, no PyTorch, no network."""

    type: Literal["onnx"]
    model: ModelPlace = Field(examples=["data/models/minilm", "package:our_models/minilm"])
    """The folder with model.onnx (or onnx/model.onnx) and tokenizer.json: below one of the platform's `data_folders`, or
    in an installed package."""
    pooling: Literal["mean", "first"] = "mean"
    """What makes one vector of those of a text's tokens: their mean, or the first one (CLS). The model's page tells which."""
    normalize: bool = True
    """Whether each vector is brought to length 1."""
    max_tokens: int = Field(default=256, ge=1, le=1_000_000)
    """The most tokens of a text; what comes after them is not read."""
    batch: int = Field(default=32, ge=1, le=10_000)
    """How many texts are embedded together."""

    @rule
    def _installed(self) -> Broken:
        yield from missing_packages("`type: onnx`", ("onnxruntime", "tokenizers"), "type")

    def start(self, texts: Iterable[str], context: EmbedContext) -> Embedding:
        """Load the model and its tokenizer."""
        del texts
        folders = context.reach.folders
        return _OnnxEmbedding(
            self,
            model_file(self.model, folders, *_MODELS),
            model_file(self.model, folders, *_TOKENIZERS),
        )

    def kept_as(self, context: EmbedContext) -> dict[str, Any]:
        """See `Embedder.kept_as`: the files' content counts, wherever they lie."""
        folders = context.reach.folders
        files = [model_file(self.model, folders, *names) for names in (_MODELS, _TOKENIZERS)]
        said = self.model_dump(mode="json", exclude={"model", "batch"})
        return {**said, "files": [sha256_of_file(file) for file in files]}


class _OnnxEmbedding(Embedding):
    def __init__(self, section: OnnxEmbedder, model: Path, tokenizer: Path) -> None:
        import onnxruntime

        try:
            self.session = onnxruntime.InferenceSession(
                str(model), providers=["CPUExecutionProvider"]
            )
        # Its errors have no class of their own in common.
        except Exception as error:
            raise NoModelError(
                f"{section.model}: {model.name} cannot be loaded: {error}"
            ) from error
        self.inputs = [one.name for one in self.session.get_inputs()]
        if unknown := [name for name in self.inputs if name not in _INPUTS]:
            raise NoModelError(
                f"{section.model}: {model.name} wants {', '.join(unknown)}, and a model of sentences takes "
                f"{', '.join(_INPUTS)}: export it for feature extraction"
            )
        self.tokenizer = read_tokenizer(tokenizer)
        self.tokenizer.enable_truncation(section.max_tokens)
        self.tokenizer.enable_padding()
        self.section = section
        self.at_once = section.batch
        name = Path(section.model.partition(":")[2] or section.model).name
        self.model = f"{name}@{sha256_of_file(model)[:_DIGITS]}"
        self.size = self.embed(["size"]).shape[1]

    def embed(self, texts: Sequence[str]) -> "Vectors":
        """See `Embedding.embed`."""
        import numpy as np

        encoded = self.tokenizer.encode_batch(list(texts))
        mask = np.array([one.attention_mask for one in encoded], np.int64)
        given = {
            "input_ids": np.array([one.ids for one in encoded], np.int64),
            "attention_mask": mask,
            "token_type_ids": np.array([one.type_ids for one in encoded], np.int64),
        }
        found = self.session.run(None, {name: given[name] for name in self.inputs})
        names = [one.name for one in self.session.get_outputs()]
        whole = "sentence_embedding"
        vectors = np.asarray(found[names.index(whole) if whole in names else 0], np.float32)
        if vectors.ndim == 3:
            vectors = self._pooled(vectors, mask)
        if vectors.ndim != 2 or len(vectors) != len(texts):
            raise EmbedError(
                f"{self.section.model} gives numbers of the shape {vectors.shape} for {len(texts)} texts, and not one "
                "vector each: export it for feature extraction"
            )
        if not self.section.normalize:
            return vectors
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        made: Vectors = np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0)
        return made

    def _pooled(self, tokens: "Vectors", mask: Any) -> "Vectors":
        import numpy as np

        if self.section.pooling == "first":
            return tokens[:, 0]
        shares = mask[:, :, None].astype(np.float32)
        means: Vectors = (tokens * shares).sum(axis=1) / np.maximum(shares.sum(axis=1), 1e-9)
        return means
