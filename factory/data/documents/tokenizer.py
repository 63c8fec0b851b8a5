"""A tokenizer of Hugging Face, from its file."""

from pathlib import Path
from typing import TYPE_CHECKING

from factory.data.documents.model_files import NoModelError

if TYPE_CHECKING:
    from tokenizers import Tokenizer


def read_tokenizer(file: "Path") -> "Tokenizer":
    """The tokenizer in a file, without a limit of its own.

    Raises:
        NoModelError: The file holds none.
    """
    from tokenizers import Tokenizer

    try:
        found = Tokenizer.from_file(str(file))
    # The library raises Exception itself.
    except Exception as error:
        raise NoModelError(f"{file.name} is no tokenizer of Hugging Face: {error}") from error
    found.no_truncation()
    found.no_padding()
    return found
