"""Files that are there whole or not at all."""

from pathlib import Path

import pytest

from factory.base.files import UNFINISHED, copy_file, whole_file, write_json


def test_file_appears_when_it_is_whole(tmp_path: Path) -> None:
    file = tmp_path / "new" / "file"
    with whole_file(file) as unfinished:
        unfinished.write_text("text")
        assert not file.exists()
        assert unfinished.parent == file.parent
        assert unfinished.name.startswith(UNFINISHED)
    assert file.read_text() == "text"
    assert list(file.parent.iterdir()) == [file]


def test_after_an_error_the_file_is_what_it_was(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("before")

    def write() -> None:
        with whole_file(file) as unfinished:
            unfinished.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write()
    assert file.read_text() == "before"
    assert list(tmp_path.iterdir()) == [file]


def test_content_is_copied_and_json_written(tmp_path: Path) -> None:
    write_json(tmp_path / "a", {"key": "ä"})
    copy_file(tmp_path / "a", tmp_path / "b")
    assert (tmp_path / "b").read_bytes() == b'{"key": "\\u00e4"}'
