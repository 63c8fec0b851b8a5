"""Files that are no team files at all: each is a problem, none is a traceback."""

import os
from pathlib import Path

import pytest

from factory.team.problems import ReadFailed
from factory.team.source_text import MAX_BYTES, read_text
from tests.team.folder import MARINE, Folder


def test_byte_that_is_not_utf8_is_located_by_line_and_column(folder: Folder) -> None:
    text = MARINE.replace("marine-data@", "mé@").encode("latin-1")
    (folder.configs / "marine.yaml").write_bytes(text)
    assert folder.problems() == [
        "marine.yaml:3:9: this is not UTF-8: byte 0xe9 at offset 32",
    ]


def test_byte_order_mark_is_tolerated_and_not_counted(folder: Folder) -> None:
    (folder.configs / "marine.yaml").write_bytes(b"\xef\xbb\xbf" + MARINE.encode())
    assert folder.read().name == "marine"
    (folder.configs / "marine.yaml").write_bytes(b"\xef\xbb\xbfversion: 3\n" + MARINE[11:].encode())
    assert folder.problems() == ["marine.yaml:1:10: `version` cannot be the number 3"]


def test_utf16_is_refused(folder: Folder) -> None:
    (folder.configs / "marine.yaml").write_bytes(MARINE.encode("utf-16"))
    assert folder.problems()[0].startswith("marine.yaml:1:1: this is not UTF-8: byte 0xff")


@pytest.mark.parametrize(
    ("character", "code"), [("\0", "0000"), ("\x1b", "001B"), ("\x7f", "007F")]
)
def test_control_character_is_located(folder: Folder, character: str, code: str) -> None:
    folder.write("marine", MARINE.replace("data@", f"da{character}ta@"))
    assert folder.problems() == [
        f"marine.yaml:3:17: a character that does not belong into text: U+{code}"
    ]


def test_file_of_50_megabytes_is_refused_without_being_read(folder: Folder) -> None:
    path = folder.configs / "marine.yaml"
    with path.open("wb") as stream:
        stream.truncate(50_000_000)
    before = Path("/proc/self/io").read_text() if Path("/proc/self/io").exists() else ""
    assert folder.problems() == [
        "marine.yaml:1:1: the file has 50,000,000 bytes, more than 1,000,000"
    ]
    if before:
        read = [int(text.split()[1]) for text in (before, Path("/proc/self/io").read_text())]
        assert read[1] - read[0] < 5_000_000


def test_largest_allowed_file_is_read(folder: Folder) -> None:
    path = folder.write("marine", MARINE + "#" * (MAX_BYTES - len(MARINE)))
    assert path.stat().st_size == MAX_BYTES
    assert folder.read().name == "marine"


def test_folder_instead_of_a_file(folder: Folder) -> None:
    (folder.configs / "marine.yaml").mkdir()
    assert folder.problems() == ["marine.yaml:1:1: this is a folder, not a file"]


def test_pipe_does_not_block(folder: Folder) -> None:
    os.mkfifo(folder.configs / "marine.yaml")
    assert folder.problems() == ["marine.yaml:1:1: this is not a regular file"]


def test_dangling_link_says_where_it_points(folder: Folder) -> None:
    (folder.configs / "marine.yaml").symlink_to("elsewhere.yaml")
    assert folder.problems() == [
        "marine.yaml:1:1: this link points to a file that does not exist: elsewhere.yaml"
    ]


def test_link_that_points_to_itself(folder: Folder) -> None:
    (folder.configs / "marine.yaml").symlink_to("marine.yaml")
    assert "marine.yaml:1:1: the file cannot be read" in folder.problems()[0]


def test_file_that_may_not_be_read(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    path = folder.write("marine", MARINE)
    monkeypatch.setattr(Path, "open", denied)
    with pytest.raises(ReadFailed, match="the file cannot be read: Permission denied"):
        read_text(path)
