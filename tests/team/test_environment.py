"""Where team files are, and what their paths start from."""

import pytest

from factory.team.environment import configs_folder, project_folder


@pytest.mark.parametrize("chosen", [None, "elsewhere/configs"])
def test_paths_start_from_the_folder_around_the_team_files(tmp_path, monkeypatch, chosen):
    monkeypatch.delenv("FACTORY_CONFIGS", raising=False)
    dag_file = tmp_path / "project" / "dags" / "teams.py"
    expected = tmp_path / "project" / "configs"
    if chosen:
        expected = tmp_path / chosen
        monkeypatch.setenv("FACTORY_CONFIGS", str(expected))
    assert configs_folder(dag_file) == expected
    assert project_folder(dag_file) == expected.parent
