"""`source: {type: documents}`: from folders, archives, an object store."""

from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from factory.base.rules import Broken, rule
from factory.base.section import DataPath, ListOf, Section
from factory.data.documents.formats import (
    BY_SUFFIX,
    FORMATS,
    FormatName,
    format_of,
    missing_packages,
)
from factory.data.files_place import FilesPlace
from factory.data.found_files import Found, has_suffix
from factory.data.images.store import ImageStore
from factory.data.sources.object_stores import StorePrefix
from factory.data.sources.source import IngestContext, Source
from factory.data.sources.text_dialect import known_encoding
from factory.data.sources.waiting import Wait

if TYPE_CHECKING:
    from factory.data.rows import Rows

COLUMNS = (
    "id",
    "uri",
    "title",
    "text",
    "metadata",
    "content_hash",
    "media_type",
    "bytes",
    "file",
)
"""The columns of every dataset of documents, before its transforms."""


class DocumentLimits(Section):
    """How much may come in, counted as it does."""

    max_files: int = Field(default=100_000, ge=1)
    """The most documents; more fail the run."""
    max_file_bytes: int = Field(default=100_000_000, ge=1)
    """The most bytes of one document; a larger one fails the run."""
    max_total_bytes: int = Field(default=20_000_000_000, ge=1)
    """The most bytes of all documents together; more fail the run."""
    max_pages: int = Field(default=5_000, ge=1)
    """The most pages of a PDF; one with more counts as one that cannot be read."""
    max_characters: int = Field(default=20_000_000, ge=1)
    """The most characters of one document's text; one with more counts as one that cannot be read."""
    seconds: int = Field(default=60, ge=1, le=3600)
    """How long one document may take to read; one that takes longer counts as one that cannot be read."""


class DocumentsSource(Source):
    """Documents: one row a file with its title and text, its bytes kept beside the table.

    They come from the project (`path`: a folder, a glob, or tar, tar.gz and zip archives), or from an object store
    (`prefix`). Markdown, HTML and DOCX become Markdown with its headings; PDF, plain text, CSV and code become plain
    text.
    """

    places: ClassVar[tuple[str, ...]] = ("path", "prefix")

    type: Literal["documents"]
    path: DataPath | None = Field(
        default=None, examples=["data/handbook", "data/**/*.md", "data/speeches.zip"]
    )
    """A folder, a glob, or archives (tar, tar.gz, zip) below one of the platform's `data_folders`. Documents come from
    `path` or `prefix`."""
    prefix: StorePrefix | None = Field(default=None, examples=["s3://inbox/contracts"])
    """A folder in an object store, or one archive in it."""
    formats: ListOf[FormatName] = Field(default=(), examples=[["markdown", "pdf"]])
    """Which documents are taken: `text`, `markdown`, `csv`, `code`; and, with the extra `text`, `html`, `pdf`, `docx`. The
    names of their files tell what they are. All when left out."""
    encoding: Annotated[str, AfterValidator(known_encoding)] | None = None
    """The encoding of all documents but PDF and DOCX, as Python calls it: `cp1252`, `latin-1`. Found for each by itself,
    and told where it is a guess, when left out."""
    on_doubt: Literal["halt", "warn"] = "halt"
    """What to do about a document that cannot be read, is encrypted, or breaks a limit of one document's pages, characters or
    seconds: the run fails, or it is left out with a warning that names it."""
    limits: DocumentLimits = DocumentLimits.unwritten()
    """How much may come in."""
    wait: Wait | None = None
    """How long a run waits until there is a document, or with `incremental: {by: file}` a new one; it does not wait when left
    out."""

    @rule
    def _one_place(self) -> Broken:
        if (self.path is None) == (self.prefix is None):
            yield PydanticCustomError(
                "together", "documents come from one place: write `path` or `prefix`"
            )

    @rule
    def _installed(self) -> Broken:
        for number, name in enumerate(self.formats):
            yield from missing_packages(
                f"a document in {name}", FORMATS[name].needs, "formats", number
            )

    @rule
    def _installed_for_the_path(self) -> Broken:
        named = format_of(self.path or "")
        if named is not None:
            yield from missing_packages(f"a document in {named.name}", named.needs, "path")

    def read(self, context: IngestContext) -> "Rows":
        """The rows, sorted by `uri`."""
        from factory.data.documents.ingest import Manner, ingest_documents

        limits = self.limits
        return ingest_documents(
            islice(self.find(context), context.most_rows),
            Manner(
                self.encoding,
                self.on_doubt == "halt",
                limits.max_pages,
                limits.max_characters,
                limits.seconds,
            ),
            store=ImageStore(context.workspace, context.team, context.lake),
            file=context.file,
        )

    def find(self, context: IngestContext) -> Iterator[Found]:
        """The files that are taken for documents by their names, one after the other.

        Hidden files and folders are left out.

        Raises:
            TerminalError: The source cannot be used as it is, or breaks its limits.
            FactoryError: An object store does not answer.
        """
        return self._place.found(context)

    @property
    def has_files(self) -> bool:
        """See `Source.has_files`."""
        return True

    def waiting(self) -> Wait | None:
        """See `Source.waiting`."""
        return self.wait

    def missing(self, context: IngestContext) -> str:
        """See `Source.missing`; nothing is downloaded."""
        return self._place.missing(context)

    @property
    def _place(self) -> FilesPlace:
        suffixes = [
            end for end, one in BY_SUFFIX.items() if not self.formats or one.name in self.formats
        ]

        def wanted(path: str) -> bool:
            return has_suffix(path, suffixes)

        names = f"Names of the documents that are taken end with {', '.join(suffixes)}"
        return FilesPlace(self.limits, wanted, "document", names, self.path, self.prefix)

    def known_columns(self) -> tuple[str, ...]:
        """The same of all documents: `text` is what they say, `file` the address of the bytes."""
        return COLUMNS
