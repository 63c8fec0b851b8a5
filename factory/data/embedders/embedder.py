"""What every kind of embedder has in common, and what it is given."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from factory.base.errors import TerminalError
from factory.base.section import Section
from factory.kinds import EMBEDDER, KindOf

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from factory.data.images.store import ImageStore
    from factory.data.transforms.transform import Reach

    Vectors = NDArray[np.float32]


class EmbedError(TerminalError):
    """Texts that cannot be embedded as a team file has it."""


@dataclass(frozen=True)
class EmbedContext:
    """What an embedder is given beside the texts."""

    what: str
    """What the transform is called in errors, such as `transform 2 (embed)`."""
    store: "ImageStore"
    """Takes files that are published with the rows that name them."""
    reach: "Reach"
    """What may be read beside rows and the lake."""


class Embedding(ABC):
    """An embedder at work, in one run."""

    model: str
    """What makes the vectors, to the version: texts of other models have vectors that cannot be compared."""
    size: int | None = None
    """How many numbers a vector has; None where only the first one tells."""
    at_once: int = 32
    """How many texts are embedded together."""

    @abstractmethod
    def embed(self, texts: Sequence[str]) -> "Vectors":
        """The vectors of some texts, one row each; none of them is empty.

        Raises:
            EmbedError: They cannot be embedded.
            FactoryError: They cannot be embedded now.
        """

    def close(self) -> None:
        """Give back what it holds."""
        return


class Embedder(Section, ABC):
    """What makes vectors of texts.

    A kind of embedder is a subclass with `type: Literal["its_name"]`, a docstring, the fields that a team may write, and
    `start`.
    """

    keeps: ClassVar[bool] = True
    """Whether the vector of a text depends on nothing but the text and this section, so that it is kept for later runs."""

    type: str

    @abstractmethod
    def start(self, texts: Iterable[str], context: EmbedContext) -> Embedding:
        """Get ready.

        Args:
            texts: The different texts that are to be embedded, which may be gone through more than once.
            context: What it may use.

        Raises:
            EmbedError: It cannot be used, or not on these texts.
        """

    def kept_as(self, context: EmbedContext) -> dict[str, Any]:
        """What decides the vector of a text, as JSON: who writes something else has all embedded anew."""
        del context
        return self.model_dump(mode="json")


AnyEmbedder = Annotated[Embedder, KindOf(EMBEDDER)]
"""Any kind of embedder."""
