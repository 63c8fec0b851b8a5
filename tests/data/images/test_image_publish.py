"""From images in a folder to a snapshot, and what happens in between when things fail."""

import threading

import pytest

from factory.data.checks.report import CheckReport
from factory.data.folders import DataFolders
from factory.data.images.store import read_from
from factory.data.publish import publish
from factory.data.sources.dataset import DatasetSource
from factory.data.sources.source import IngestContext
from factory.data.transforms.images import ImagesTransform
from factory.data.transforms.run import transform
from factory.data.transforms.sql import SqlTransform
from factory.lake.snapshot import NoSnapshotError
from factory.lake.storage.errors import StorageError
from factory.lake.storage.files import Files
from factory.lake.write import Write
from tests.data.images.images import PETS, image, pets, write
from tests.data.rows import lake_in, read_snapshot
from tests.harness.s3 import BUCKET

pytestmark = pytest.mark.usefixtures("each_storage")


class Counting:
    """A lake's files, and what was uploaded to them; fails at the upload of a given number."""

    def __init__(self, files: Files) -> None:
        self.files = files
        self.uploaded: list[str] = []
        self.fail_after: int | None = None
        self.lock = threading.Lock()

    def upload(self, file, name):
        with self.lock:
            if self.fail_after is not None and len(self.uploaded) >= self.fail_after:
                raise StorageError("the line is down")
            self.uploaded.append(name)
        self.files.upload(file, name)

    def __getattr__(self, name):
        return getattr(self.files, name)


@pytest.fixture
def lake(tmp_path):
    lake = lake_in(tmp_path)
    lake.files = Counting(lake.files)
    return lake


def published(rows, lake, run_id, write=Write(), dataset="pets.photos"):  # noqa: B008
    return publish(
        dataset, rows, write, lake=lake, run_id=run_id, report=CheckReport((), rows.rows)
    )


def addresses(lake, version=0, dataset="pets.photos"):
    return {row[2] for row in read_snapshot(lake, dataset, version)}


def run(folder, lake, content, run_id, **keys):
    """One run of the dataset's DAG, in a workspace of its own."""
    write(folder / "pets", content)
    rows = pets(folder, folder / f"workspace_{run_id}", lake)
    return published(rows, lake, run_id, **keys)


def test_snapshot_has_its_bytes_in_the_lake(tmp_path, lake):
    made = run(tmp_path, lake, PETS, "1")
    assert made.changed
    assert made.snapshot.rows == 4
    assert made.event["columns"]["image"] == "VARCHAR"
    found = {read_from(lake, address) for address in addresses(lake)}
    assert found == set(PETS.values())
    assert sorted(lake.files.uploaded) == sorted(addresses(lake))


def test_the_same_content_is_no_change_and_uploads_nothing(tmp_path, lake):
    run(tmp_path, lake, PETS, "1")
    lake.files.uploaded.clear()
    made = run(tmp_path, lake, PETS, "2")
    assert not made.changed
    assert lake.files.uploaded == []


def test_only_new_bytes_are_uploaded(tmp_path, lake):
    run(tmp_path, lake, PETS, "1")
    lake.files.uploaded.clear()
    # One more, a copy of one that is there, and one under another name.
    more = {
        "cats/3.png": image("pink"),
        "cats/4.png": PETS["cats/1.png"],
        "x/5.png": image(90, mode="L"),
    }
    made = run(tmp_path, lake, more, "2")
    assert (made.changed, made.snapshot.rows) == (True, 7)
    assert len(lake.files.uploaded) == 1
    assert set(lake.files.uploaded) == addresses(lake, 1) - addresses(lake, 0)


def test_lake_is_not_asked_about_what_the_newest_snapshot_names(tmp_path, lake, monkeypatch):
    run(tmp_path, lake, PETS, "1")
    asked = []
    facts = lake.files.files.facts
    monkeypatch.setattr(lake.files.files, "facts", lambda name: asked.append(name) or facts(name))
    run(tmp_path, lake, {"x/9.png": image("pink")}, "2")
    assert len([name for name in asked if "/_files/" in name]) == 1


def test_bytes_that_another_dataset_has_brought_are_not_uploaded_again(tmp_path, lake):
    run(tmp_path, lake, PETS, "1")
    lake.files.uploaded.clear()
    assert run(tmp_path, lake, PETS, "2", dataset="pets.copies").changed
    assert lake.files.uploaded == []


def test_failure_in_the_middle_leaves_no_snapshot_and_a_retry_goes_on(tmp_path, lake):
    content = {f"x/{number}.png": image((number, 0, 0)) for number in range(30)}
    write(tmp_path / "pets", content)
    rows = pets(tmp_path, lake=lake)
    lake.files.fail_after = 12
    with pytest.raises(StorageError, match="the line is down"):
        published(rows, lake, "1")
    with pytest.raises(NoSnapshotError):
        lake.newest("pets.photos")
    first = set(lake.files.uploaded)
    assert len(first) == 12
    lake.files.fail_after = None
    made = published(rows, lake, "1")
    assert (made.changed, made.snapshot.version, made.snapshot.rows) == (True, 0, 30)
    # Each once: the second try has not brought again what the first one had.
    assert len(lake.files.uploaded) == len(set(lake.files.uploaded)) == 30


def test_rows_that_are_appended_bring_their_own_bytes_only(tmp_path, lake):
    run(tmp_path, lake, PETS, "1")
    lake.files.uploaded.clear()
    for name in PETS:
        (tmp_path / "pets" / name).unlink()
    made = run(tmp_path, lake, {"x/1.png": image("pink")}, "2", write=Write(mode="append"))
    assert made.snapshot.rows == 5
    assert len(lake.files.uploaded) == 1


def test_images_that_a_transform_replaced_are_not_published(tmp_path, lake):
    write(tmp_path / "pets", PETS)
    rows = pets(tmp_path, lake=lake)
    step = ImagesTransform.model_validate({"type": "images", "convert": "webp", "mode": "RGB"})
    only = SqlTransform(type="sql", query="select * from source where label = 'dogs'")
    workspace = tmp_path / "workspace"
    made = transform([step, only], rows, workspace=workspace, lake=lake, versions={}, team="pets")
    published(made, lake, "1")
    assert len(lake.files.uploaded) == 2
    assert all(name.endswith(".webp") for name in lake.files.uploaded)


def test_dataset_made_of_another_names_the_same_bytes(tmp_path, lake):
    run(tmp_path, lake, PETS, "1")
    lake.files.uploaded.clear()
    workspace = tmp_path / "other"
    workspace.mkdir()
    context = IngestContext(
        DataFolders(tmp_path), workspace, "pets", lake, versions={"pets.photos": 0}
    )
    rows = DatasetSource(type="dataset", dataset="pets.photos").ingest(context)
    published(rows, lake, "1", dataset="pets.dogs")
    assert lake.files.uploaded == []
    assert addresses(lake, 0, "pets.dogs") == addresses(lake)


def test_dataset_without_images_asks_nothing_of_the_files(tmp_path, lake):
    from tests.data.rows import rows_of

    rows = rows_of(f"select 'pets/_files/ab/{'ab' * 32}.png' as image", tmp_path)
    published(rows, lake, "1")
    assert lake.files.uploaded == []


@pytest.mark.slow
def test_error_of_s3_in_the_middle_leaves_no_snapshot(tmp_path, request):
    if request.getfixturevalue("each_storage") != "s3":
        pytest.skip("about S3")
    s3 = request.getfixturevalue("s3")
    lake = lake_in(tmp_path)
    content = {f"x/{number}.png": image((number, 0, 0)) for number in range(20)}
    write(tmp_path / "pets", content)
    rows = pets(tmp_path, lake=lake)
    seen = []

    def after_ten(request):
        if request.method == "PUT" and "/_files/" in request.path:
            seen.append(request.path)
            return len(set(seen)) > 10
        return False

    s3.fail(after_ten, status="503 Slow Down", code="SlowDown")
    with pytest.raises(StorageError):
        published(rows, lake, "1")
    assert not [key for key in s3.keys(bucket=BUCKET) if "_delta_log" in key]
    s3.heal()
    assert published(rows, lake, "1").snapshot.rows == 20
    assert len([key for key in s3.keys(bucket=BUCKET) if "/_files/" in key]) == 20
