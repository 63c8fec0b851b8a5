"""`source: {type: dataset}`."""

from typing import TYPE_CHECKING, ClassVar, Literal

from factory.base.errors import TerminalError
from factory.base.section import Reference
from factory.data.sources.source import IngestContext, Source

if TYPE_CHECKING:
    from factory.data.rows import Rows


class DatasetSource(Source):
    """Another dataset, of this team or one that another team shares."""

    places: ClassVar[tuple[str, ...]] = ("dataset",)

    type: Literal["dataset"]
    dataset: Reference
    """The dataset whose snapshot is read: `dataset` of this team, or `team.dataset` of another."""

    def read(self, context: IngestContext) -> "Rows":
        """The rows of the version that the run reads; `dataset` is the full name here."""
        from factory.data.rows import write_rows
        from factory.lake import engine

        if self.dataset not in context.versions:
            known = ", ".join(sorted(context.versions)) or "none"
            raise TerminalError(f"no version of {self.dataset} is given; known: {known}")
        rows = context.lake.rows(self.dataset, context.versions[self.dataset])
        with engine.connect(context.workspace) as connection:
            engine.create_view(connection, "rows", rows)
            return write_rows(connection.table("rows"), context.file)

    def references(self) -> dict[str, str]:
        """The dataset."""
        return {"dataset": self.dataset}
