"""examples/plugin in an environment of its own: installed, allowed, used by a team from end to end."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
EXAMPLE = ROOT / "examples" / "plugin"
UV = Path(sys.executable).with_name("uv")
KINDS = {
    "source": "sqlite",
    "check": "trimmed",
    "metric": "within_ten_percent",
    "notifier": "json_lines",
}

pytestmark = [
    pytest.mark.skipif(not UV.exists(), reason="`make install` brings uv, which is quick"),
]


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Path:
    """The example, copied, with its data; `.venv` in it has the factory and the plug-in."""
    folder = tmp_path_factory.mktemp("plugin")
    shutil.copytree(EXAMPLE, folder, dirs_exist_ok=True)
    venv = folder / ".venv"
    subprocess.run([UV, "venv", "--quiet", "--python", sys.executable, venv], check=True)
    install = [UV, "pip", "install", "--quiet", "--python", venv / "bin" / "python"]
    lock = ROOT / "requirements.lock"
    subprocess.run([*install, "--require-hashes", "-r", lock], check=True)
    subprocess.run([*install, "--no-deps", ROOT, folder], check=True)
    subprocess.run([venv / "bin" / "python", folder / "make_data.py"], check=True)
    return folder


def factory(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run(
        [project / ".venv" / "bin" / "factory", *arguments, "--project", project],
        env={**environ, "COLUMNS": "200"},
        cwd=project,
        capture_output=True,
        text=True,
        check=False,
    )


def test_factory_kinds_and_the_schema_have_the_plug_ins_kinds(project):
    listed = factory(project, "kinds").stdout
    schema = factory(project, "schema").stdout
    for name in KINDS.values():
        assert any(
            line.startswith(name) and "acme_factory" in line for line in listed.splitlines()
        ), name
    sections = json.loads(schema)["$defs"]
    assert sections["SqliteSource"]["properties"]["table"]["description"] == "The table's name."
    assert {"Trimmed", "JsonLinesNotifier"} <= sections.keys()


def test_team_that_uses_all_four_is_valid_and_renders(project):
    done = factory(project, "validate")
    assert done.returncode == 0, done.stdout
    rendered = factory(project, "render", "sales")
    assert rendered.returncode == 0, rendered.stderr
    for name in KINDS.values():
        assert name in rendered.stdout


def test_without_the_platforms_word_none_of_it_is_there(project, tmp_path):
    shutil.copytree(project / "configs", tmp_path / "configs")
    (tmp_path / "configs" / "_defaults.yaml").write_text("version: 1\n")
    (tmp_path / ".venv").symlink_to(project / ".venv")
    done = factory(tmp_path, "validate")
    assert done.returncode == 1
    assert "there is no `type: sqlite`" in done.stdout
    assert "acme_factory" not in factory(tmp_path, "kinds").stdout


def test_team_runs_from_the_source_to_the_message(project):
    done = factory(project, "run", "sales.price")
    assert done.returncode == 0, done.stdout + done.stderr
    [line] = (project / ".factory" / "promotions.jsonl").read_text().splitlines()
    message = json.loads(line)
    assert message["event"] == "on_promotion"
    assert "sales.price" in message["subject"]


@pytest.mark.nightly
def test_check_of_the_plug_in_halts_rows_that_do_not_pass(project, tmp_path):
    for name in ("configs", "dags", "data"):
        shutil.copytree(project / name, tmp_path / name)
    (tmp_path / ".venv").symlink_to(project / ".venv")
    code = (
        "import sqlite3; database = sqlite3.connect('data/houses.db'); "
        "database.execute(\"update houses set district = ' hills' where rowid = 1\"); "
        "database.commit()"
    )
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)
    done = factory(tmp_path, "run", "sales.houses")
    assert done.returncode == 1
    assert "trimmed(district)" in done.stdout + done.stderr
