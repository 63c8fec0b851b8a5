import hashlib
import json
import logging
import os
import subprocess
import sys

import pytest

from factory.base.errors import TerminalError
from factory.data.found_files import UnusableFilesError
from factory.data.images.store import ImageError
from factory.lake import publishing
from factory.lake.write import Write
from tests.data.archives import tar_of, zip_of
from tests.data.images.images import COLUMNS, PETS, bomb, encoded, image, pets, source, write
from tests.data.rows import lake_in, read
from tests.data.sources.test_http import Server
from tests.harness.memory import REPOSITORY
from tests.harness.s3 import BUCKET
from tests.harness.servers import answering


def table(rows) -> dict[str, dict]:
    """The rows by path, with the column names."""
    return {row[0]: dict(zip(COLUMNS, row, strict=True)) for row in read(rows)}


def test_every_image_is_a_row_and_its_bytes_lie_under_their_hash(tmp_path):
    write(tmp_path / "pets", PETS)
    rows = pets(tmp_path)
    assert tuple(rows.columns) == COLUMNS == source(path="pets").known_columns()
    found = table(rows)
    assert list(found) == ["cats/1.png", "cats/2.jpg", "dogs/1.webp", "dogs/2.PNG"]
    for path, row in found.items():
        digest = hashlib.sha256(PETS[path]).hexdigest()
        ending = {"png": "png", "jpeg": "jpg", "webp": "webp"}[row["format"]]
        assert row["image"] == f"pets/_files/{digest[:2]}/{digest}.{ending}"
        assert (tmp_path / "workspace" / "files" / row["image"]).read_bytes() == PETS[path]
        assert row["bytes"] == len(PETS[path])
    assert [row["label"] for row in found.values()] == ["cats", "cats", "dogs", "dogs"]
    assert (found["dogs/1.webp"]["width"], found["dogs/1.webp"]["height"]) == (20, 50)


def test_the_same_bytes_are_kept_once(tmp_path):
    write(tmp_path / "pets", {"a/1.png": image(), "b/2.png": image()})
    assert len({row["image"] for row in table(pets(tmp_path)).values()}) == 1
    kept = [file for file in (tmp_path / "workspace" / "files").rglob("*") if file.is_file()]
    assert len(kept) == 1


def test_rows_do_not_depend_on_the_order_of_the_file_system(tmp_path, monkeypatch):
    lake = lake_in(tmp_path)
    found = []
    scandir = os.scandir
    for number, order in enumerate((sorted, lambda entries, key: sorted(entries, key=key)[::-1])):
        project = tmp_path / f"project{number}"
        content = PETS if number else dict(reversed(PETS.items()))
        write(project / "pets", content)
        monkeypatch.setattr(
            "os.scandir", lambda p, order=order: order(scandir(p), key=lambda e: e.name)
        )
        found.append(pets(project))
    monkeypatch.undo()
    assert read(found[0]) == read(found[1])
    hashes = {
        publishing.publish(
            lake, f"a.b{number}", rows.file, Write(), run_id="run"
        ).snapshot.content_hash
        for number, rows in enumerate(found)
    }
    assert len(hashes) == 1


@pytest.mark.parametrize("name", ["all.tar", "all.tar.gz", "all.zip"])
def test_an_archive_gives_the_rows_of_its_folder(tmp_path, name):
    write(tmp_path / "pets", PETS)
    make = zip_of if name.endswith("zip") else tar_of
    make(tmp_path / name, dict(reversed(PETS.items())))
    from_folder = read(pets(tmp_path, tmp_path / "one"))
    assert read(pets(tmp_path, tmp_path / "two", path=name)) == from_folder


def test_several_archives_give_the_folders_of_their_names(tmp_path):
    for team in ("cats", "dogs"):
        tar_of(tmp_path / f"{team}.tar.gz", {"1.png": image("red" if team == "cats" else "blue")})
    found = table(pets(tmp_path, path="*.tar.gz"))
    assert {path: row["label"] for path, row in found.items()} == {
        "cats/1.png": "cats",
        "dogs/1.png": "dogs",
    }


def test_glob_counts_from_its_first_wildcard(tmp_path):
    write(tmp_path / "data" / "pets", PETS)
    assert list(table(pets(tmp_path, path="data/pets/*/*.png"))) == ["cats/1.png"]
    assert list(table(pets(tmp_path, path="data/*/dogs/*"))) == [
        "pets/dogs/1.webp",
        "pets/dogs/2.PNG",
    ]
    assert list(table(pets(tmp_path, path="data/pets/cats/1.png"))) == ["1.png"]


def test_files_that_are_no_images_by_name_are_left_out(tmp_path, caplog):
    others = {
        "README.txt": b"",
        ".hidden.png": b"",
        "__MACOSX/cats/._1.png": b"",
        "x/.git/1.png": b"",
    }
    write(tmp_path / "pets", PETS | others)
    tar_of(tmp_path / "all.tar", PETS | others)
    with caplog.at_level(logging.INFO):
        assert pets(tmp_path).rows == len(PETS)
    assert "README.txt" in caplog.text
    assert pets(tmp_path, path="all.tar").rows == len(PETS)


@pytest.mark.parametrize("content", [{}, {"notes.txt": b"x"}])
def test_source_without_images_is_an_error_that_says_what_is_there(tmp_path, content):
    write(tmp_path / "pets", content).mkdir(exist_ok=True)
    with pytest.raises(
        UnusableFilesError, match=r"no image.*notes\.txt" if content else "no image"
    ):
        pets(tmp_path)
    with pytest.raises(UnusableFilesError, match="no image"):
        pets(tmp_path, path="nowhere")


BROKEN = {
    "text.jpg": b"<html>not found</html>",
    "empty.png": b"",
    "cut.jpg": image(size=(300, 300), kind="JPEG")[:900],
    "cut.png": image(size=(300, 300))[:-40],
    "cut.webp": image(size=(300, 300), kind="WEBP")[:-10],
    "bomb.png": bomb(),
    "page.png": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n",
    "vector.png": b"<svg xmlns='http://www.w3.org/2000/svg'/>",
}


def test_what_cannot_be_read_stays_a_row_without_a_size(tmp_path, caplog):
    write(tmp_path / "pets" / "cats", BROKEN | {"good.png": image()})
    found = table(pets(tmp_path))
    for name, content in BROKEN.items():
        row = found[f"cats/{name}"]
        assert (row["format"], row["width"], row["height"]) == (None, None, None), name
        assert row["image"].endswith(f"{hashlib.sha256(content).hexdigest()}.bin")
        assert row["bytes"] == len(content)
        assert name in caplog.text
    assert found["cats/good.png"]["format"] == "png"


def test_image_with_too_many_pixels_is_not_decoded(tmp_path):
    write(tmp_path / "pets", {"1.png": image(size=(40, 30)), "2.png": image(size=(41, 30))})
    found = table(pets(tmp_path, limits={"max_pixels": 1200}))
    assert [row["format"] for row in found.values()] == ["png", None]


@pytest.mark.parametrize("path", ["pets", "pets.tar"])
@pytest.mark.parametrize(
    ("limits", "said"),
    [
        ({"max_files": 3}, "max_files"),
        ({"max_file_bytes": 100}, "max_file_bytes"),
        ({"max_total_bytes": 400}, "max_total_bytes"),
    ],
)
def test_limits_halt_and_name_their_key(tmp_path, path, limits, said):
    write(tmp_path / "pets", PETS)
    tar_of(tmp_path / "pets.tar", PETS)
    with pytest.raises(TerminalError, match=said):
        pets(tmp_path, path=path, limits=limits)


def test_limits_hold_for_all_archives_together(tmp_path):
    tar_of(tmp_path / "1.tar", PETS)
    tar_of(tmp_path / "2.tar", PETS)
    assert pets(tmp_path, path="*.tar").rows == 8
    with pytest.raises(TerminalError, match="max_files"):
        pets(tmp_path, path="*.tar", limits={"max_files": 7})


@pytest.mark.parametrize("link", ["pets/cats/link.png", "pets/link", "pets"])
def test_link_out_of_the_project_is_refused(tmp_path, link):
    project = tmp_path / "project"
    outside = write(tmp_path / "outside", PETS)
    place = project / link
    place.parent.mkdir(parents=True)
    place.symlink_to(outside / "cats/1.png" if link.endswith("png") else outside)
    with pytest.raises(TerminalError, match="link"):
        pets(project)


def test_poisoned_archive_gives_no_rows(tmp_path):
    tar_of(tmp_path / "all.tar", PETS | {"../../escape.png": image()})
    with pytest.raises(TerminalError, match="leads out"):
        pets(tmp_path, path="all.tar")
    assert not (tmp_path / "workspace" / "source.parquet").exists()
    assert [path.name for path in tmp_path.rglob("escape.png")] == []


def test_pattern_tells_labels(tmp_path, caplog):
    write(
        tmp_path / "pets",
        {"cat.1.png": image(), "dog.1.png": image("blue"), "x.png": image()},
    )
    labels = {"type": "pattern", "pattern": r"(?P<label>cat|dog)\."}
    found = table(pets(tmp_path, labels=labels))
    assert [row["label"] for row in found.values()] == ["cat", "dog", None]
    assert "1 of 3 images have no label" in caplog.text
    with pytest.raises(ImageError, match=r"labels\.pattern"):
        pets(tmp_path, labels={"type": "pattern", "pattern": "(?P<label>bird)"})


def test_csv_tells_labels_by_path_or_name(tmp_path, caplog):
    write(tmp_path / "pets", PETS)
    lines = ["file,breed", "cats/1.png,007", "2.jpg,Manx", "dogs/1.webp,", "gone.png,Manx"]
    (tmp_path / "labels.csv").write_text("\n".join(lines))
    labels = {"type": "csv", "path": "labels.csv", "file_column": "file", "label_column": "breed"}
    found = table(pets(tmp_path, labels=labels))
    assert {path: row["label"] for path, row in found.items()} == {
        "cats/1.png": "007",
        "cats/2.jpg": "Manx",
        "dogs/1.webp": None,
        "dogs/2.PNG": None,
    }
    assert "gone.png" in caplog.text


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["name,breed", "1.png,Manx"], "did you mean|no column 'file'"),
        (["file,breed", "1.png,Manx", "1.png,Siam"], r"several labels to 1\.png"),
        (["file,breed", "a/1.png,Manx"], "not one of 4 images"),
    ],
)
def test_csv_that_does_not_fit_is_an_error(tmp_path, lines, said):
    write(tmp_path / "pets", PETS)
    (tmp_path / "labels.csv").write_text("\n".join(lines))
    labels = {"type": "csv", "path": "labels.csv", "file_column": "file", "label_column": "breed"}
    with pytest.raises(TerminalError, match=said):
        pets(tmp_path, labels=labels)


def test_images_in_one_folder_have_no_labels(tmp_path):
    write(tmp_path / "pets", {"1.png": image(), "2.png": image("blue")})
    assert [row["label"] for row in table(pets(tmp_path)).values()] == [None, None]


def test_prefix_gives_the_rows_of_the_folder(tmp_path, s3):
    write(tmp_path / "pets", PETS)
    for name, content in (PETS | {"README.md": b"x"}).items():
        s3.client().put_object(Bucket=BUCKET, Key=f"in/{name}", Body=content)
    expected = read(pets(tmp_path, tmp_path / "one"))
    s3.requests.clear()
    assert read(pets(tmp_path, tmp_path / "two", prefix=f"s3://{BUCKET}/in")) == expected
    assert not [request for request in s3.requests if "README" in request.path]


def test_archive_in_an_object_store_is_unpacked(tmp_path, s3):
    content = tar_of(tmp_path / "all.tar.gz", PETS).read_bytes()
    s3.client().put_object(Bucket=BUCKET, Key="in/all.tar.gz", Body=content)
    assert pets(tmp_path, prefix=f"s3://{BUCKET}/in/all.tar.gz").rows == len(PETS)


def test_object_that_is_too_large_is_not_read_whole(tmp_path, s3):
    s3.client().put_object(Bucket=BUCKET, Key="in/1.png", Body=image())
    with pytest.raises(TerminalError, match="max_file_bytes"):
        pets(tmp_path, prefix=f"s3://{BUCKET}/in", limits={"max_file_bytes": 50})


def test_archive_behind_an_address_is_unpacked_and_not_kept(tmp_path):
    content = zip_of(tmp_path / "all.zip", PETS).read_bytes()
    with answering(Server()) as server:
        url = server.answer("/pets", content)
        assert pets(tmp_path, url=url, max_bytes=len(content)).rows == len(PETS)
        with pytest.raises(TerminalError, match="max_bytes"):
            pets(tmp_path, url=url, max_bytes=len(content) - 1)
    assert [file.name for file in (tmp_path / "workspace").glob("*.archive")] == []


def test_metadata_of_a_camera_do_no_harm(tmp_path):
    from PIL import Image

    image = Image.new("RGB", (40, 30))
    exif = Image.Exif()
    exif[0x0112] = 6
    write(tmp_path / "pets", {"1.jpg": encoded(image, "JPEG", exif=exif)})
    [row] = table(pets(tmp_path)).values()
    assert (row["width"], row["height"]) == (40, 30)


MEMORY = """
import json, sys
from pathlib import Path
from tests.harness.memory import peak_kilobytes
from tests.data.images.images import pets
count = int(sys.argv[2])
before = peak_kilobytes()
rows = pets(Path(sys.argv[1]), path=f"{count}.tar")
print(json.dumps([rows.rows, (peak_kilobytes() - before) / 1024]))
"""


@pytest.mark.nightly
def test_memory_stays_flat_over_many_images(tmp_path):
    noise = os.urandom(3 * 200 * 200)
    used = {}
    for count in (50, 1500):
        import tarfile

        from PIL import Image

        from tests.data.archives import add

        with tarfile.open(tmp_path / f"{count}.tar", "w") as tar:
            for number in range(count):
                content = number.to_bytes(4, "big") + noise[4:]
                image = Image.frombytes("RGB", (200, 200), content)
                add(tar, f"x/{number}.bmp", encoded(image, "BMP"))
        done = subprocess.run(
            [sys.executable, "-c", MEMORY, str(tmp_path), str(count)],
            capture_output=True,
            text=True,
            check=True,
            cwd=REPOSITORY,
        )
        rows, used[count] = json.loads(done.stdout)
        assert rows == count
    # 180 MB of images.
    assert used[1500] - used[50] < 30
