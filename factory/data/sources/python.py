"""`source: {type: python}`."""

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from factory.base.calls import ask_about_call
from factory.base.errors import TerminalError
from factory.base.findings import Question
from factory.base.objects import import_object
from factory.base.section import FunctionPath, Text
from factory.data.sources.source import IngestContext, Source

if TYPE_CHECKING:
    from factory.data.rows import Piece, Rows


class PythonSource(Source):
    """What a function returns: a pandas DataFrame, a pyarrow Table, or an iterable of either."""

    places: ClassVar[tuple[str, ...]] = ("call",)

    type: Literal["python"]
    call: FunctionPath = Field(examples=["sklearn.datasets.load_wine", "our_package.landings.read"])
    """A function by dotted path, of a package that the platform allows in `python_packages`."""
    arguments: dict[str, Any] = Field(default_factory=dict, examples=[{"as_frame": True}])
    """What the function is called with, by name; texts may have templates."""
    attribute: Text | None = None
    """The part of the result that holds the rows, such as `frame` of scikit-learn's loaders."""

    def questions(self) -> Iterator[Question]:
        """Whether the function takes the arguments."""
        yield ask_about_call(self.call, self.arguments)

    def read(self, context: IngestContext) -> "Rows":
        """Call the function; its rows are held in memory unless it returns an iterable."""
        return context.write(self._pieces(), self.call)

    def _pieces(self) -> "Iterator[Piece]":
        import pandas as pd
        import pyarrow as pa

        function = import_object(self.call)
        try:
            returned: Any = self._rows_of(function(**self.arguments))
            # A dict, a list of dicts or a text is an iterable too, of something that makes no table.
            several = isinstance(returned, Iterable) and not isinstance(
                returned, (str, bytes, Mapping, pd.DataFrame, pa.Table, pa.RecordBatch)
            )
            if several:
                yield from returned
            else:
                yield returned
        except Exception as error:
            error.add_note(f"raised in {self.call}({', '.join(self.arguments)})")
            raise

    def _rows_of(self, returned: object) -> object:
        if self.attribute is None:
            return returned
        try:
            return getattr(returned, self.attribute)
        except AttributeError:
            raise TerminalError(
                f"source.attribute: {self.call} returns a {type(returned).__name__} without "
                f"{self.attribute!r}: name an attribute that holds the rows, or leave it out"
            ) from None
