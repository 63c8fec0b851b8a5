"""The commit of a folder, on a real repository."""

import subprocess

from factory.base.git import commit_of


def git(folder, *arguments):
    identity = ("-c", "user.name=ana", "-c", "user.email=ana@example.org")
    command = ["git", "-C", str(folder), *identity, *arguments]
    subprocess.run(command, check=True, capture_output=True)


def test_a_folder_in_a_repository_has_its_commit_and_tells_of_changes(tmp_path):
    git(tmp_path, "init")
    assert commit_of(tmp_path) is None
    project = tmp_path / "project"
    project.mkdir()
    (project / "team.yaml").write_text("version: 1\n")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-m", "first")
    clean = commit_of(project)
    assert (len(clean.sha), clean.is_changed) == (40, False)
    (project / "team.yaml").write_text("version: 2\n")
    changed = commit_of(project)
    assert (changed.sha, changed.is_changed) == (clean.sha, True)
    assert "not committed" in changed.short


def test_without_git_or_outside_of_a_repository_nobody_knows_and_nothing_fails(
    tmp_path, monkeypatch
):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert commit_of(tmp_path) is None
    monkeypatch.setenv("PATH", str(tmp_path))
    assert commit_of(tmp_path) is None
