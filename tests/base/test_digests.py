"""Digests, by which stored things are recognised: they must never change."""

from pathlib import Path

from factory.base.digests import sha256, sha256_of_file, sha256_of_folder, sha256_of_json

ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
"""That of NIST's example."""


def test_text_bytes_and_file_of_the_same_content_have_the_same_digest(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("abc")
    assert sha256("abc") == sha256(b"abc") == sha256_of_file(tmp_path / "file") == ABC


def test_order_of_keys_does_not_matter() -> None:
    assert sha256_of_json({"a": 1, "b": [2]}) == sha256_of_json({"b": [2], "a": 1})
    assert sha256_of_json(["abc"]) == sha256('["abc"]')


def test_digest_of_a_folder_is_that_of_its_names_and_contents(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    for name in ("b/c", "a", "left_out"):
        (tmp_path / name).write_text("abc")
    found = sha256_of_folder(tmp_path, without=["left_out", "missing"])
    assert found == sha256(f"{ABC}  a\n{ABC}  b/c\n")
    (tmp_path / "left_out").unlink()
    (tmp_path / "b" / "c").rename(tmp_path / "b" / "d")
    assert sha256_of_folder(tmp_path) == sha256(f"{ABC}  a\n{ABC}  b/d\n")
