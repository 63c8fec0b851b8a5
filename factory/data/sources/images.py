"""`source: {type: images}`: from folders, archives, an address, an object store."""

from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field
from pydantic_core import PydanticCustomError

from factory.base.hosts import PublicUrl
from factory.base.rules import Broken, rule
from factory.base.section import DataPath, Section
from factory.data.files_place import FilesPlace
from factory.data.found_files import Found, has_suffix, in_archive
from factory.data.images.labels import FolderLabels, Labels
from factory.data.images.store import ImageStore
from factory.data.sources.object_stores import StorePrefix
from factory.data.sources.source import IngestContext, Source
from factory.data.sources.waiting import Wait

if TYPE_CHECKING:
    from factory.data.rows import Rows

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff"})
"""How the names of files end that are taken for images, in lower case."""


class ImageLimits(Section):
    """How much may come in, counted as it does."""

    max_files: int = Field(default=200_000, ge=1)
    """The most images; more fail the run."""
    max_file_bytes: int = Field(default=50_000_000, ge=1)
    """The most bytes of one image; a larger one fails the run."""
    max_total_bytes: int = Field(default=50_000_000_000, ge=1)
    """The most bytes of all images together; more fail the run."""
    max_pixels: int = Field(default=50_000_000, ge=1, le=178_000_000)
    """Width times height; an image with more counts as one that cannot be read."""


class ImagesSource(Source):
    """Images: one row a file, its bytes kept beside the table.

    They come from the project (`path`: a folder, a glob, or tar, tar.gz and zip archives), from an
    archive behind an address (`url`), or from an object store (`prefix`).
    """

    places: ClassVar[tuple[str, ...]] = ("path", "prefix", "connection")

    type: Literal["images"]
    path: DataPath | None = Field(
        default=None, examples=["data/pets", "data/*/*.jpg", "data/pets.tar.gz"]
    )
    """A folder, a glob, or archives (tar, tar.gz, zip) below one of the platform's `data_folders`. Images come from
    `path`, `url` or `prefix`."""
    url: PublicUrl | None = None
    """The http(s) address of an archive (tar, tar.gz, zip)."""
    prefix: StorePrefix | None = Field(default=None, examples=["s3://inbox/photos"])
    """A folder in an object store, or one archive in it."""
    connection: str | None = None
    """An Airflow HTTP connection, which adds its login and headers to `url`."""
    max_bytes: int = Field(default=5_000_000_000, ge=1)
    """The most bytes of the archive behind `url`; a larger one fails the run."""
    labels: Labels = FolderLabels(type="folder")
    """How an image gets its label; it is its folder's name when left out."""
    limits: ImageLimits = ImageLimits.unwritten()
    """How much may come in."""
    wait: Wait | None = None
    """How long a run waits until there is an image, or with `incremental: {by: file}` a new one; it does not wait when left
    out."""

    @rule
    def _one_place(self) -> Broken:
        if sum(place is not None for place in (self.path, self.url, self.prefix)) != 1:
            yield PydanticCustomError(
                "images", "images come from one place: write `path`, `url` or `prefix`"
            )
        if self.url is None and {"connection", "max_bytes"} & self.model_fields_set:
            yield PydanticCustomError("images", "`connection` and `max_bytes` belong to `url` only")
        if self.url is not None and self.wait is not None:
            yield PydanticCustomError(
                "images",
                "`wait` is for `path` and `prefix`: nobody looks whether there is an archive behind `url`",
                {"at": ("wait",), "advice": "take it away: a run fails while there is none"},
            )

    @property
    def has_files(self) -> bool:
        """See `Source.has_files`; what is behind `url` is one archive, whose content is not known without reading it."""
        return self.url is None

    def waiting(self) -> Wait | None:
        """See `Source.waiting`."""
        return self.wait

    def missing(self, context: IngestContext) -> str:
        """See `Source.missing`; nothing is downloaded."""
        return self._place.missing(context)

    def read(self, context: IngestContext) -> "Rows":
        """The rows, sorted by path: one a file, with nulls where a file cannot be decoded."""
        from factory.data.images.ingest import ingest_images

        return ingest_images(
            islice(self.find(context), context.most_rows),
            self.labels.reader(context.folders, context.workspace),
            max_pixels=self.limits.max_pixels,
            store=ImageStore(context.workspace, context.team, context.lake),
            file=context.file,
        )

    def find(self, context: IngestContext) -> Iterator[Found]:
        """The files that are taken for images by their names, one after the other.

        Hidden files and folders are left out, and files whose names do not end as images' do.

        Raises:
            TerminalError: The source cannot be used as it is, or breaks its limits.
            FactoryError: A server does not answer.
        """
        if self.url is not None:
            return self._place.counted(self._behind_address(str(self.url), context))
        return self._place.found(context)

    @property
    def _place(self) -> FilesPlace:
        names = f"Names of images end with {', '.join(sorted(SUFFIXES))}"
        return FilesPlace(self.limits, is_image, "image", names, self.path, self.prefix)

    def _behind_address(self, url: str, context: IngestContext) -> Iterator[Found]:
        from factory.data.download import download

        login = context.login(self.connection, str(self.url))
        archive = context.workspace / "download.archive"
        try:
            download(
                url,
                archive,
                max_bytes=self.max_bytes,
                login=login,
                internal_hosts=context.internal_hosts,
            )
            yield from in_archive(self.limits, archive, "", url)
        finally:
            archive.unlink(missing_ok=True)

    def known_columns(self) -> tuple[str, ...]:
        """The same of all images: `image` is the address of the bytes."""
        return ("path", "label", "image", "format", "width", "height", "bytes")


def is_image(path: str) -> bool:
    """Whether a file is taken for an image by its name."""
    return has_suffix(path, SUFFIXES)
