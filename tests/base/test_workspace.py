import os
import stat

import pytest

from factory.base.workspace import close_workspace, open_workspace, workspace_path


def test_workspace_is_made_for_its_owner_alone(tmp_path):
    folder = open_workspace(tmp_path / "scratch", "marine.penguins", "manual__2026-01-01T00:00:00")
    assert folder.is_dir()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_workspace_is_private_under_any_umask(tmp_path):
    before = os.umask(0)
    try:
        folder = open_workspace(tmp_path, "a.b", "run")
    finally:
        os.umask(before)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_opening_twice_keeps_what_is_inside(tmp_path):
    folder = open_workspace(tmp_path, "a.b", "run")
    (folder / "rows").write_text("kept")
    assert open_workspace(tmp_path, "a.b", "run") == folder
    assert (folder / "rows").read_text() == "kept"


def test_closing_removes_this_run_only_and_may_be_repeated(tmp_path):
    one, other = open_workspace(tmp_path, "a.b", "one"), open_workspace(tmp_path, "a.b", "other")
    (one / "spill").mkdir()
    close_workspace(tmp_path, "a.b", "one")
    close_workspace(tmp_path, "a.b", "one")
    assert not one.exists()
    assert other.is_dir()


@pytest.mark.parametrize("run_id", ["..", "../../etc", "/etc/passwd", "", ".", "a/../../b", "x\0y"])
def test_no_name_leads_out_of_the_root(tmp_path, run_id):
    for folder in (
        workspace_path(tmp_path, "a.b", run_id),
        workspace_path(tmp_path, run_id, "run"),
    ):
        assert folder.parent.parent == tmp_path.resolve()
        assert folder.resolve() == folder


def test_runs_whose_safe_names_are_equal_stay_apart(tmp_path):
    names = ["run:1", "run/1", "run_1", "x" * 300, "x" * 301]
    assert len({workspace_path(tmp_path, "a.b", name) for name in names}) == len(names)
