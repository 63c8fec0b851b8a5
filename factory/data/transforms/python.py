"""`transforms: [{type: python}]`."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from factory.base.calls import ask_about_call
from factory.base.errors import TerminalError
from factory.base.findings import Question
from factory.base.objects import import_object
from factory.base.section import FunctionPath
from factory.data.transforms.transform import Transform, TransformContext

if TYPE_CHECKING:
    from factory.data.rows import Rows


class PythonTransform(Transform):
    """A function that takes the rows so far as a pandas DataFrame and returns one; held in memory."""

    type: Literal["python"]
    call: FunctionPath = Field(examples=["our_package.landings.clean"])
    """A function by dotted path, of a package that the platform allows in `python_packages`; it takes the
    rows first."""
    arguments: dict[str, Any] = Field(default_factory=dict)
    """What the function is called with beside the rows, by name; texts may have templates."""

    def questions(self) -> Iterator[Question]:
        """Whether the function takes rows and the arguments."""
        yield ask_about_call(self.call, self.arguments, gets="the rows")

    def describe(self) -> str:
        """The function."""
        return self.call

    def apply(self, context: TransformContext) -> "Rows":
        """The rows that the function returns."""
        import pandas as pd
        import pyarrow.parquet as pq

        from factory.data.rows import as_table, unwritable_values, write_rows
        from factory.lake import engine

        rows, what = context.rows, context.what
        function = import_object(self.call)
        before = pq.read_table(rows.file).to_pandas()
        try:
            after = function(before, **self.arguments)
        except Exception as error:
            error.add_note(f"raised in {what}, given {rows.rows} rows of {', '.join(rows.columns)}")
            raise
        if not isinstance(after, pd.DataFrame):
            raise TerminalError(
                f"{what} returned {type(after).__name__}: let it return a pandas DataFrame"
            )
        table = as_table(after, what)
        with engine.connect(context.file.parent) as connection, unwritable_values(what):
            return write_rows(connection.from_arrow(table), context.file)
