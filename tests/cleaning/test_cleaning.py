"""What killed runs leave over: found, and taken away; what is in use stays."""

import os
import sqlite3
import tempfile
import time
from pathlib import Path

import pytest

from factory.base.files import TEMPORARY
from factory.base.workspace import OWNER, open_workspace
from factory.cleaning.leftover import Leftover, Stays, clean
from factory.cleaning.old_logs import old_logs
from factory.cleaning.old_workspaces import temporary_folders, workspaces
from factory.cleaning.unnamed_files import unnamed_files
from factory.data.images.store import address_of
from factory.data.publish import publish_images
from factory.lake import publishing
from factory.lake.table import Lake
from factory.runtime.home import Home
from factory.runtime.recorded_runs import RecordedRuns, in_foreground
from tests.data.rows import rows_of
from tests.lake.publisher import DATASET, REPLACE, Publisher

NOW = time.time()
GRACE = 3600.0
DAY = 24 * GRACE


def age(path: Path, seconds: float = DAY) -> Path:
    """Make a file, or a folder and all in it, that old."""
    for one in (*(path.rglob("*") if path.is_dir() else ()), path):
        os.utime(one, (NOW - seconds, NOW - seconds))
    return path


def names(found) -> list[str]:
    return [one.what for one in found if isinstance(one, Leftover)]


@pytest.fixture
def publish(tmp_path: Path) -> Publisher:
    return Publisher(tmp_path)


def never_live(dag_id: str, run_id: str, home: str | None) -> bool:
    return False


class TestWorkspaces:
    def found(self, root: Path, is_live=never_live, now: float = NOW):
        return list(workspaces(root.glob("*/*"), is_live, now=now, grace=GRACE))

    def test_workspace_of_a_killed_run_is_removed_and_its_folder_with_it(self, tmp_path):
        folder = open_workspace(tmp_path, "sea.raw", "manual__1")
        (folder / "rows.parquet").write_bytes(b"x" * 1000)
        age(folder)
        cleaned = clean("workspaces", self.found(tmp_path), dry_run=False)
        assert names(cleaned.removed) == ["workspace of sea.raw manual__1"]
        assert 1000 < cleaned.bytes < 1300
        assert list(tmp_path.iterdir()) == []

    def test_dry_run_removes_nothing_and_says_the_same(self, tmp_path):
        folder = age(open_workspace(tmp_path, "sea.raw", "manual__1"))
        dry = clean("workspaces", self.found(tmp_path), dry_run=True)
        assert folder.is_dir()
        assert dry.as_json() == clean("workspaces", self.found(tmp_path), dry_run=False).as_json()

    def test_workspace_of_a_live_run_stays_however_old_it_is(self, tmp_path):
        age(open_workspace(tmp_path, "sea.raw", "manual__1"), 100 * DAY)
        asked: list[tuple] = []
        found = self.found(tmp_path, lambda *run: bool(asked.append(run)) or True)
        assert found == []
        assert asked == [("sea.raw", "manual__1", os.environ["AIRFLOW_HOME"])]

    def test_workspace_in_which_something_has_changed_stays(self, tmp_path):
        folder = age(open_workspace(tmp_path, "sea.raw", "manual__1"))
        (folder / "trials").mkdir()
        (folder / "trials" / "1").write_bytes(b"")
        age(folder)
        os.utime(folder / "trials" / "1", (NOW - GRACE / 2,) * 2)
        assert self.found(tmp_path) == []

    def test_clock_that_was_set_back_removes_nothing(self, tmp_path):
        age(open_workspace(tmp_path, "sea.raw", "manual__1"))
        assert self.found(tmp_path, now=NOW - 10 * DAY) == []

    @pytest.mark.parametrize("owner", [None, "{", "{}"])
    def test_workspace_that_does_not_say_whose_it_is_stays_and_is_named(self, tmp_path, owner):
        folder = open_workspace(tmp_path, "sea.raw", "manual__1")
        (folder / OWNER).unlink() if owner is None else (folder / OWNER).write_text(owner)
        age(folder)
        [stays] = self.found(tmp_path)
        assert isinstance(stays, Stays)
        assert "does not say whose it is" in stays.what

    def test_workspace_of_which_nobody_knows_stays_and_is_named(self, tmp_path):
        age(open_workspace(tmp_path, "sea.raw", "manual__1"))
        [stays] = self.found(tmp_path, lambda *_: None)
        assert "sea.raw manual__1: no Airflow says whether the run is over" in stays.what

    def test_temporary_folders_of_killed_processes_are_found(self, tmp_path, monkeypatch):
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
        killed = Path(tempfile.mkdtemp(prefix=TEMPORARY))
        tempfile.mkdtemp(prefix=TEMPORARY)
        others = ("factory-demo", "somebody-else", "ml-dag-factory", f"{TEMPORARY}project-of-mine")
        for name in others:
            (tmp_path / name).mkdir()
            age(tmp_path / name)
        age(killed)
        found = temporary_folders(now=NOW, grace=GRACE)
        assert names(found) == [f"temporary folder {killed}"]

    def test_what_cannot_be_removed_is_named_and_the_rest_goes(self):
        def refuse() -> None:
            raise PermissionError("not yours")

        gone: list[str] = []
        found = [Leftover("one", 1, refuse), Leftover("other", 2, lambda: gone.append("other"))]
        cleaned = clean("things", found, dry_run=False)
        assert (gone, cleaned.bytes, cleaned.stays) == (["other"], 2, ["one: not yours"])


class TestRecordedRuns:
    @pytest.fixture
    def home(self, tmp_path: Path) -> Home:
        home = Home(tmp_path / ".factory")
        for each in (home, home.foreground):
            each.airflow.mkdir(parents=True)
            with sqlite3.connect(each.airflow_database) as database:
                database.execute("create table dag_run (dag_id text, run_id text, state text)")
        with sqlite3.connect(home.airflow_database) as database:
            database.execute("insert into dag_run values ('sea.raw', 'live', 'running')")
            database.execute("insert into dag_run values ('sea.raw', 'over', 'failed')")
        with sqlite3.connect(home.foreground.airflow_database) as database:
            database.execute("insert into dag_run values ('sea.raw', 'manual', 'running')")
        return home

    @pytest.mark.parametrize(
        ("run_id", "live"), [("live", True), ("over", False), ("deleted", False)]
    )
    def test_airflows_own_database_says_what_is_live(self, home, run_id, live):
        recorded = RecordedRuns(home)
        assert recorded.is_live("sea.raw", run_id, str(home.airflow)) is live
        assert recorded.is_live("sea.raw", run_id, None) is live

    def test_run_of_another_airflow_is_unknown(self, home):
        assert RecordedRuns(home).is_live("sea.raw", "live", "/opt/airflow") is None

    def test_run_of_a_killed_factory_run_is_over_and_that_of_one_at_work_is_not(self, home):
        recorded, own = RecordedRuns(home), str(home.foreground.airflow)
        with in_foreground(home):
            assert recorded.is_live("sea.raw", "manual", own) is True
        assert recorded.is_live("sea.raw", "manual", own) is False


class TestLake:
    def found(self, lake: Lake):
        return list(unnamed_files(lake, now=NOW, grace=GRACE))

    def image(self, publish: Publisher, letter: str) -> tuple[str, Path]:
        address = address_of("marine", letter * 64, "jpg")
        file = publish.folder / "lake" / address
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(letter.encode())
        return address, file

    def test_what_snapshots_name_stays_in_old_versions_too(self, publish):
        address, file = self.image(publish, "a")
        publish(f"select 1 as id, '{address}' as image")
        publish("select 2 as id")
        age(publish.folder / "lake")
        assert self.found(publish.lake) == []
        assert file.exists()

    def test_images_and_data_that_no_snapshot_names_are_removed(self, publish):
        publish("select 1 as id")
        _, file = self.image(publish, "b")
        table = publish.folder / "lake" / "marine" / "penguins"
        killed = table / f"part-00000-killed-{'0' * 64}.parquet"
        unfinished = table / ".unfinished-0"
        for one in (killed, unfinished):
            one.write_bytes(b"x" * 10)
        age(publish.folder / "lake")
        cleaned = clean("files", self.found(publish.lake), dry_run=False)
        assert (len(cleaned.removed), cleaned.bytes) == (3, 21)
        assert not any(one.exists() for one in (file, killed, unfinished))
        assert publish.rows(0) == [(1,)]

    def test_another_teams_dataset_keeps_an_image(self, publish, tmp_path):
        address, _ = self.image(publish, "c")
        rows = rows_of(f"select '{address}' as photo", tmp_path, "other")
        publishing.publish(publish.lake, "lab.photos", rows.file, REPLACE, run_id="1")
        age(publish.folder / "lake")
        assert self.found(publish.lake) == []

    def test_what_is_young_stays_and_so_does_what_was_written_anew_meanwhile(self, publish):
        publish("select 1 as id")
        _, young = self.image(publish, "d")
        _, old = self.image(publish, "e")
        age(old)
        found = self.found(publish.lake)
        assert len(found) == 1
        os.utime(old)
        clean("files", found, dry_run=False)
        assert young.exists()
        assert old.exists()

    def test_damaged_log_keeps_everything_that_it_may_name(self, publish):
        publish("select 1 as id")
        _, image = self.image(publish, "f")
        log = publish.folder / "lake/marine/penguins/_delta_log" / f"{0:020d}.json"
        log.write_text("{")
        age(publish.folder / "lake")
        [stays] = self.found(publish.lake)
        assert stays.what.startswith(f"files of {DATASET}, and all images")
        assert image.exists()


def test_old_logs_go_and_empty_folders_with_them(tmp_path):
    old = tmp_path / "dag_id=a" / "run_id=1" / "task_id=t" / "attempt=1.log"
    young = tmp_path / "dag_id=a" / "run_id=2" / "task_id=t" / "attempt=1.log"
    for file in (old, young):
        file.parent.mkdir(parents=True)
        file.write_text("line\n")
    age(old)
    clean("logs", old_logs(tmp_path, now=NOW, keep=GRACE), dry_run=False)
    assert [path.name for path in (tmp_path / "dag_id=a").iterdir()] == ["run_id=2"]
    assert young.exists()


def test_publication_writes_old_bytes_anew_so_that_cleaning_leaves_them(tmp_path):
    """Bytes that no snapshot names may be in the lake when a publication comes that names them."""
    lake = Lake((tmp_path / "lake").as_uri())
    address = address_of("marine", "a" * 64, "jpg")
    for folder in ("lake", "files"):
        (tmp_path / folder / address).parent.mkdir(parents=True)
        (tmp_path / folder / address).write_bytes(b"bytes")
    age(tmp_path / "lake")
    found = list(unnamed_files(lake, now=NOW, grace=GRACE))
    assert len(found) == 1
    rows = rows_of(f"select '{address}' as image", tmp_path)
    assert publish_images(DATASET, rows, lake) == 1
    clean("files", found, dry_run=False)
    assert (tmp_path / "lake" / address).exists()
    assert publish_images(DATASET, rows, lake) == 0, "young bytes are not written again"
