import gzip
import io
import stat
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from factory.base.errors import TerminalError
from factory.data.archives import ArchiveError, Limits, extract, members
from tests.data.archives import add, special, tar_of, zip_entry, zip_of
from tests.harness.memory import REPOSITORY, peak_kilobytes

CONTENT = {"cats/1.jpg": b"one", "cats/deep/2.jpg": b"two" * 1000, "dogs/ä 3.jpg": b""}
ESCAPES = [
    "../outside",
    "/etc/outside",
    "a/../../outside",
    "C:/outside",
    "..\\outside",
    "\\outside",
]


def make(folder: Path, name: str, content: dict[str, bytes]) -> Path:
    return (zip_of if name.endswith("zip") else tar_of)(folder / name, content)


def refused(archive: Path, limits: Limits | None = None) -> str:
    """What is said of an archive that is refused; nothing of it is left."""
    folder = archive.parent / "out"
    with pytest.raises(ArchiveError) as caught:
        extract(archive, folder, limits or Limits())
    assert isinstance(caught.value, TerminalError)
    assert archive.name in str(caught.value)
    assert [path.name for path in archive.parent.iterdir()] == [archive.name]
    return str(caught.value)


@pytest.mark.parametrize("name", ["a.tar", "a.tar.gz", "a.zip"])
def test_archive_unpacks_to_what_went_in(tmp_path, name):
    files = extract(make(tmp_path, name, CONTENT), tmp_path / "out", Limits())
    found = {str(file.relative_to(tmp_path / "out")): file.read_bytes() for file in files}
    assert found == CONTENT
    assert all(stat.S_IMODE(file.stat().st_mode) == 0o600 for file in files)


def test_archive_made_of_a_folder_by_tar_unpacks(tmp_path):
    (tmp_path / "in" / "cats").mkdir(parents=True)
    (tmp_path / "in" / "cats" / "1.jpg").write_bytes(b"one")
    (tmp_path / "in" / ("long" * 50)).write_bytes(b"long")
    subprocess.run(["tar", "-czf", tmp_path / "a.tgz", "-C", tmp_path / "in", "."], check=True)
    files = extract(tmp_path / "a.tgz", tmp_path / "out", Limits())
    assert {file.name for file in files} == {"1.jpg", "long" * 50}


@pytest.mark.parametrize("method", ["a.tar", "a.tar.gz", "a.zip"])
def test_kind_is_told_by_content_and_not_by_name(tmp_path, method):
    archive = make(tmp_path, method, CONTENT).rename(tmp_path / "download")
    assert [member.name for member in members(archive, Limits())] == list(CONTENT)


@pytest.mark.parametrize("name", ESCAPES)
@pytest.mark.parametrize("kind", ["a.tar", "a.zip"])
def test_names_that_lead_elsewhere_are_refused(tmp_path, kind, name):
    archive = make(tmp_path, kind, {"good": b"", name: b"bad"})
    assert "leads out of the folder" in refused(archive)


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE], ids=["symbolic link", "hard link"]
)
def test_links_are_refused(tmp_path, kind):
    def link(entry):
        entry.type, entry.linkname = kind, "good.txt"

    assert "a link to 'good.txt'" in refused(special(tmp_path / "a.tar", link))


@pytest.mark.parametrize("kind", [tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
def test_devices_and_pipes_are_refused(tmp_path, kind):
    def device(entry):
        entry.type, entry.devmajor, entry.devminor = kind, 1, 3

    assert "device" in refused(special(tmp_path / "a.tar", device))


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFIFO])
def test_links_and_devices_in_a_zip_are_refused(tmp_path, kind):
    assert "only plain files" in refused(zip_entry(tmp_path / "a.zip", "bad", kind | 0o777))


@pytest.mark.parametrize("name", ["a.tar.gz", "a.zip"])
def test_bomb_is_refused_by_its_ratio(tmp_path, name):
    archive = make(tmp_path, name, {"zeros": bytes(101_000_000)})
    assert archive.stat().st_size < 1_000_000
    assert "100 times its size" in refused(archive)


@pytest.mark.parametrize("name", ["a.tar", "a.tar.gz", "a.zip"])
@pytest.mark.parametrize(
    ("limits", "said"),
    [
        (Limits(max_files=2), "max_files"),
        (Limits(max_file_bytes=2999), "max_file_bytes"),
        (Limits(max_total_bytes=3002), "max_total_bytes"),
    ],
)
def test_limits_are_kept(tmp_path, name, limits, said):
    assert said in refused(make(tmp_path, name, CONTENT), limits)


def test_limits_allow_what_is_just_within(tmp_path):
    limits = Limits(max_files=3, max_file_bytes=3000, max_total_bytes=3003)
    assert len(extract(tar_of(tmp_path / "a.tar", CONTENT), tmp_path / "out", limits)) == 3


def test_files_that_nobody_reads_count_too(tmp_path):
    archive = tar_of(tmp_path / "a.tar.gz", {"1": bytes(1000), "2": bytes(1000)})
    with pytest.raises(ArchiveError, match="max_total_bytes"):
        list(members(archive, Limits(max_total_bytes=1500)))


def test_size_that_a_zip_claims_is_not_believed(tmp_path):
    archive = zip_of(tmp_path / "a.zip", {"zeros": bytes(1_000_000)})
    claimed, real = (10).to_bytes(4, "little"), (1_000_000).to_bytes(4, "little")
    archive.write_bytes(archive.read_bytes().replace(real, claimed))
    assert "broken" in refused(archive, Limits(max_file_bytes=100))


def test_header_that_claims_a_great_length_takes_no_memory(tmp_path):
    # 200 MB of a name, which tarfile would read in one piece.
    entry = tarfile.TarInfo("x")
    entry.type, entry.size = tarfile.GNUTYPE_LONGNAME, 200_000_000
    archive = tmp_path / "a.tar.gz"
    with gzip.open(archive, "wb", compresslevel=1) as file:
        file.write(entry.tobuf(tarfile.GNU_FORMAT))
        for _ in range(40):
            file.write(bytes(5_000_000))
    before = peak_kilobytes()
    assert "impossible length" in refused(archive)
    assert peak_kilobytes() - before < 50_000


def test_headers_without_end_are_refused(tmp_path):
    entry = tarfile.TarInfo("x")
    entry.type, entry.size = tarfile.GNUTYPE_LONGNAME, 500_000
    archive = tmp_path / "a.tar.gz"
    with gzip.open(archive, "wb") as file:
        for _ in range(20):
            file.write(entry.tobuf(tarfile.GNU_FORMAT) + bytes(500_224))
    assert refused(archive)


def test_directory_of_a_zip_that_is_too_long_is_not_read(tmp_path):
    archive = zip_of(tmp_path / "a.zip", {f"{number:0200}": b"" for number in range(2_000)})
    assert "max_files" in refused(archive, Limits(max_files=10))


def test_file_with_holes_is_refused(tmp_path):
    holes = tmp_path / "holes"
    with holes.open("wb") as file:
        file.truncate(10_000_000)
    subprocess.run(["tar", "-cSf", tmp_path / "a.tar", "-C", tmp_path, "holes"], check=True)
    holes.unlink()
    assert "holes" in refused(tmp_path / "a.tar")


@pytest.mark.parametrize("name", ["a.tar", "a.tar.gz", "a.zip"])
def test_archive_that_is_cut_is_refused(tmp_path, name):
    archive = make(tmp_path, name, {"1": b"x" * 5000, "2": bytes(range(256)) * 40})
    archive.write_bytes(archive.read_bytes()[: archive.stat().st_size * 2 // 3])
    assert "broken" in refused(archive)


@pytest.mark.parametrize("cut", range(0, 3000, 100))
def test_tar_is_never_taken_for_whole_when_it_is_cut(tmp_path, cut):
    archive = tar_of(tmp_path / "a.tar", {"1": b"x" * 600, "2": b"y"})
    archive.write_bytes(archive.read_bytes()[:cut])
    refused(archive)


def test_broken_header_is_not_taken_for_the_end(tmp_path):
    archive = tar_of(tmp_path / "a.tar", {"1": b"x", "2": b"y"})
    content = bytearray(archive.read_bytes())
    content[1024 + 3] ^= 0xFF
    archive.write_bytes(content)
    assert "after 1 files" in refused(archive)


def test_damaged_zip_is_refused(tmp_path):
    archive = zip_of(tmp_path / "a.zip", {"1": b"abc" * 10}, zipfile.ZIP_STORED)
    archive.write_bytes(archive.read_bytes().replace(b"abcabc", b"abcabd", 1))
    assert "broken" in refused(archive)


@pytest.mark.parametrize("name", ["a.tar", "a.zip"])
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_same_name_twice_is_refused(tmp_path, name):
    if name == "a.tar":
        with tarfile.open(tmp_path / name, "w") as tar:
            add(tar, "x", b"1")
            add(tar, "./x", b"2")
    else:
        with zipfile.ZipFile(tmp_path / name, "w") as archive:
            archive.writestr("x", b"1")
            archive.writestr("x", b"2")
    assert "twice" in refused(tmp_path / name)


def test_name_that_is_a_file_and_a_folder_is_refused(tmp_path):
    assert "at once" in refused(tar_of(tmp_path / "a.tar", {"x": b"1", "x/y": b"2"}))


def test_names_that_no_file_system_takes_are_refused(tmp_path):
    assert "too long" in refused(tar_of(tmp_path / "a.tar", {"x" * 300: b"1"}))


def test_name_that_is_no_text_is_refused(tmp_path):
    with tarfile.open(tmp_path / "a.tar", "w", format=tarfile.GNU_FORMAT) as tar:
        add(tar, "caf\udce9.jpg", b"1")
    assert "UTF-8" in refused(tmp_path / "a.tar")


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_zip_of_another_compression_is_refused(tmp_path, method):
    assert "deflate" in refused(zip_of(tmp_path / "a.zip", {"x": b"1" * 100}, method))


def test_encrypted_zip_is_refused(tmp_path):
    archive = zip_of(tmp_path / "a.zip", {"x": b"1" * 100})
    content = bytearray(archive.read_bytes())
    content[content.rindex(b"PK\x01\x02") + 8] |= 1
    archive.write_bytes(content)
    assert "encrypted" in refused(archive)


def test_archive_within_an_archive_stays_a_file(tmp_path):
    inner = tar_of(tmp_path / "inner.tar.gz", {"../bad": b"1"}).read_bytes()
    files = extract(tar_of(tmp_path / "a.tar", {"inner.tar.gz": inner}), tmp_path / "out", Limits())
    assert [file.read_bytes() for file in files] == [inner]


@pytest.mark.parametrize("content", [b"", b"x", b"\x1f\x8b nothing", b"PK nothing", b"x" * 5000])
def test_what_is_no_archive_is_refused(tmp_path, content):
    (tmp_path / "a.tar.gz").write_bytes(content)
    refused(tmp_path / "a.tar.gz")


def test_gzip_within_gzip_is_refused(tmp_path):
    packed = io.BytesIO(tar_of(tmp_path / "a.tar.gz", CONTENT).read_bytes())
    (tmp_path / "a.tar.gz").write_bytes(gzip.compress(packed.getvalue()))
    refused(tmp_path / "a.tar.gz")


def test_many_files_take_little_memory(tmp_path):
    code = """
import sys
from pathlib import Path
from factory.data.archives import Limits, members
from tests.harness.memory import peak_kilobytes
before = peak_kilobytes()
count = sum(1 for _ in members(Path(sys.argv[1]), Limits()))
print(count, peak_kilobytes() - before)
"""
    archive = tar_of(tmp_path / "a.tar.gz", {f"{number}.jpg": b"x" for number in range(20_000)})
    done = subprocess.run(
        [sys.executable, "-c", code, str(archive)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    count, kilobytes = map(int, done.stdout.split())
    assert count == 20_000
    assert kilobytes < 30_000
