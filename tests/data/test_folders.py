"""Sources read what lies below the platform's folders of data, whatever a path or a link says."""

from pathlib import Path

import pytest

from factory.base.errors import TerminalError
from factory.data.folders import DataFolders, FileOutsideError
from factory.data.sources.csv import CsvSource
from factory.data.sources.files import project_files
from factory.data.sources.images import ImagesSource
from factory.data.sources.source import IngestContext
from factory.lake.table import Lake


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with secrets, a lake, a workspace, team files, and data."""
    folder = tmp_path / "project"
    for name in (
        ".env",
        ".factory/secrets.json",
        ".factory/lake/owner/priv/part-0.csv",
        "configs/marine.yaml",
        "dags/teams.py",
        "lake/owner/priv/part-0.csv",
        "work/run/rows.csv",
        "data/a.csv",
        "data/.hidden.csv",
        "data/.cache/b.csv",
        "other/c.csv",
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("id\n1\n")
    return folder


def folders(project: Path, *names: str) -> DataFolders:
    lake = (project / "lake").as_uri()
    return DataFolders.of(project, names or ("data",), lake=lake, workspace=project / "work")


def test_files_of_the_data_folder_are_found(project: Path) -> None:
    assert [f.name for f in project_files(folders(project), "data/*.csv")] == ["a.csv"]


@pytest.mark.parametrize("names", [("data",), (".",), ("data", "lake", "work")], ids=str)
@pytest.mark.parametrize(
    "path",
    [
        ".env",
        ".factory/secrets.json",
        ".factory/lake/owner/priv/*.csv",
        "configs/*.yaml",
        "dags/teams.py",
        "lake/owner/priv/part-0.csv",
        "lake/**/*.csv",
        "work/run/rows.csv",
        "data/.hidden.csv",
        "data/[.]hidden.csv",
        "data/.cache/*.csv",
        "[.]env",
    ],
)
def test_what_the_platform_keeps_is_not_read_even_if_the_section_were_made_in_code(
    project: Path, names: tuple[str, ...], path: str
) -> None:
    with pytest.raises(TerminalError, match=r"copy the file below one|no file matches"):
        project_files(folders(project, *names), path)


@pytest.mark.parametrize(
    "target",
    ["/etc/passwd", ".env", ".factory/secrets.json", "lake/owner/priv/part-0.csv", "other/c.csv"],
)
def test_a_link_counts_as_what_it_leads_to(project: Path, target: str) -> None:
    (project / "data" / "link.csv").symlink_to(project / target)
    with pytest.raises(FileOutsideError, match=r"data/link\.csv is a link that leads outside data"):
        project_files(folders(project), "data/link.csv")


def test_a_link_to_a_folder_counts_as_what_it_leads_to(project: Path) -> None:
    (project / "data" / "lake").symlink_to(project / ".factory" / "lake")
    with pytest.raises(FileOutsideError):
        project_files(folders(project), "data/lake/owner/priv/part-0.csv")


def test_a_folder_of_data_may_itself_lie_elsewhere(project: Path, tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "disk" / "d.csv").write_text("id\n1\n")
    (project / "archive").symlink_to(tmp_path / "disk")
    assert project_files(folders(project, "archive"), "archive/*.csv")


def test_a_source_of_csv_files_asks(project: Path, tmp_path: Path) -> None:
    (project / "data" / "link.csv").symlink_to(project / ".env")
    context = IngestContext(folders(project), tmp_path, "team", Lake((project / "lake").as_uri()))
    with pytest.raises(FileOutsideError):
        CsvSource(type="csv", path="data/link.csv").ingest(context)


@pytest.mark.parametrize("path", ["data/link", "data/link/*.png"])
def test_a_source_of_images_asks(project: Path, tmp_path: Path, path: str) -> None:
    (project / ".factory" / "lake" / "x.png").write_bytes(b"x")
    (project / "data" / "link").symlink_to(project / ".factory" / "lake")
    context = IngestContext(folders(project), tmp_path, "team", Lake((project / "lake").as_uri()))
    with pytest.raises(FileOutsideError):
        ImagesSource(type="images", path=path).ingest(context)
