"""One archive with all that is known of a version."""

import json
from zipfile import ZipFile

import pytest

from factory.base.digests import sha256
from factory.base.errors import TerminalError
from factory.base.git import Commit, commit_of
from factory.provenance.evidence import write_evidence
from factory.provenance.version import version_origin
from tests.base.test_git import git
from tests.provenance.conftest import DATASET

TEAM = """\
version: 1
team: {team}
owner: marine@example.org
datasets:
  penguins: {{source: {{type: csv, path: data/penguins.csv}}}}
models:
  {model}:
    description: {description}
    task: classification
    train_on: penguins
    target: species
    search: {{strategy: list, trials: [{{estimator: sklearn.linear_model.LogisticRegression}}]}}
    objective: {{metric: f1_macro}}
"""


@pytest.fixture(scope="module")
def archive(past, tmp_path_factory):
    file = tmp_path_factory.mktemp("evidence") / "evidence.zip"
    write(past, file)
    with ZipFile(file) as archive:
        yield {name: archive.read(name) for name in archive.namelist()}


def write(past, file, origin=None, **how):
    project = file.parent / "project"
    (project / "configs").mkdir(parents=True, exist_ok=True)
    version = past.version(1)
    return write_evidence(
        version,
        origin or version_origin(version, lake=past.lake, tracking=past.tracking),
        file,
        lake=past.lake,
        tracking=past.tracking,
        project=project,
        environment="dev",
        summary="why",
        **how,
    )


def test_the_manifest_has_the_digest_of_every_other_file(archive):
    manifest = json.loads(archive["manifest.json"])
    assert manifest["files"].keys() == archive.keys() - {"manifest.json"}
    for name, described in manifest["files"].items():
        assert (described["sha256"], described["bytes"]) == (
            sha256(archive[name]),
            len(archive[name]),
        )


def test_facts_of_the_version_are_there_and_rows_are_not(past, archive):
    assert not [name for name in archive if name.startswith("data/")]
    [snapshot] = json.loads(archive["snapshots.json"])
    assert snapshot["content_hash"] == past.lake.snapshot(DATASET, 0).content_hash
    assert json.loads(archive["gate.json"])["approval"] == "approved by ana"
    assert json.loads(archive["history.json"])["entries"][0]["kind"] == "promotion"
    assert json.loads(archive["parameters.json"])["params"] == {"C": "1.0"}
    assert b"train_on" in archive["configuration.yaml"]
    digests = json.loads(archive["model/digests.json"])
    assert digests["sha256"] == digests["registered_sha256"] == past.version(1).record.sha256
    assert b"scikit-learn==" in archive["model/requirements.txt"]
    told = archive["reproduce.md"].decode()
    assert f"factory reproduce {past.name}@1" in told
    assert "There is no `dag.yaml`" in told


def test_rows_come_along_when_they_are_asked_for_and_no_file_is_written_over(past, tmp_path):
    file = tmp_path / "with data.zip"
    assert f"data/{DATASET}@0.parquet" in write(past, file, with_data=True)
    with pytest.raises(TerminalError, match="is there already"):
        write(past, file)


def test_the_dag_is_that_of_the_recorded_commit(past, tmp_path):
    project = tmp_path / "project"
    team, _, name = past.name.partition(".")
    (project / "configs").mkdir(parents=True)
    file = project / "configs" / f"{team}.yaml"
    git(project, "init")

    def commit(description: str) -> str:
        file.write_text(TEAM.format(team=team, model=name, description=description))
        (project / "configs" / "_defaults.yaml").write_text("version: 1\n")
        git(project, "add", ".")
        git(project, "commit", "-m", description)
        return commit_of(project).sha

    then = commit("as it was then")
    commit("as it is now")
    version = past.version(1)
    origin = version_origin(version, lake=past.lake, tracking=past.tracking)
    configuration = origin.configuration.model_copy(
        update={"commit": Commit(sha=then, is_changed=False)}
    )
    write(past, tmp_path / "then.zip", origin.model_copy(update={"configuration": configuration}))
    with ZipFile(tmp_path / "then.zip") as archive:
        assert b"as it was then" in archive.read("dag.yaml")
        assert f"the DAG of the commit {then}" in archive.read("reproduce.md").decode()
    write(past, tmp_path / "now.zip", origin)
    with ZipFile(tmp_path / "now.zip") as archive:
        assert b"as it is now" in archive.read("dag.yaml")
        assert b"as the team's file is now" in archive.read("reproduce.md")
