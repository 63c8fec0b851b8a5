"""All that is known of a version in one archive, with fingerprints by which anybody can hold it against what there is."""

import importlib.metadata
import json
import platform
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

import mlflow
import yaml

from factory.base.digests import sha256_of_file
from factory.base.errors import FactoryError, TerminalError
from factory.base.files import TEMPORARY, whole_file
from factory.base.git import Commit
from factory.changes.plan import State
from factory.changes.revisions import project_at
from factory.documents.compile import compile_one
from factory.documents.rendering import to_yaml
from factory.documents.training import training_id
from factory.lake.table import Lake
from factory.models.champion_history import champion_history
from factory.models.configuration import recorded_section
from factory.models.files import digest, downloaded
from factory.models.registry import Version
from factory.models.tracking import Tracking
from factory.provenance.version import VersionOrigin

MANIFEST = "manifest.json"
_PACKAGES = ("requirements.txt", "python_env.yaml", "MLmodel")
"""Files of a model that say what it takes to read it."""


def write_evidence(
    version: Version,
    origin: VersionOrigin,
    file: Path,
    *,
    lake: Lake,
    tracking: Tracking,
    project: Path,
    environment: str,
    summary: str,
    with_data: bool = False,
) -> list[str]:
    """Put all that is known of a version into a new archive; its rows only if they are asked for.

    Args:
        version: Which one.
        origin: Where it comes from.
        file: The archive.
        lake: Where the snapshots lie.
        tracking: The MLflow server.
        project: The project's folder.
        environment: Whose overlays of team files apply.
        summary: The origin in a person's words.
        with_data: Whether the rows of its snapshots go into the archive too.

    Returns:
        The names of the files in it.

    Raises:
        TerminalError: There is such a file already.
        LakeError: Rows are asked for and cannot be read.
        TrackingError: The MLflow server does not answer.
    """
    if file.exists():
        raise TerminalError(f"{file} is there already: name another file, or take it away")
    with tempfile.TemporaryDirectory(prefix=TEMPORARY) as temporary:
        folder = Path(temporary)
        _write_facts(version, origin, folder, tracking)
        (folder / "why.txt").write_text(summary, encoding="utf-8")
        note = _write_document(origin, folder, project, environment)
        _write_model(version, folder, tracking)
        (folder / "reproduce.md").write_text(_how_to_reproduce(origin, note), encoding="utf-8")
        if with_data:
            _write_rows(version, folder, lake)
        _write_manifest(origin, folder)
        names = sorted(_names(folder))
        with whole_file(file) as unfinished, ZipFile(unfinished, "w", ZIP_DEFLATED) as archive:
            for name in names:
                archive.write(folder / name, name)
    return names


def _write_facts(version: Version, origin: VersionOrigin, folder: Path, tracking: Tracking) -> None:
    """What the registry and MLflow's run say."""
    facts: dict[str, Any] = {
        "record.json": version.record.as_json(),
        "origin.json": origin.as_json(),
        "metrics.json": origin.metrics,
        "parameters.json": {
            "trial": origin.trial,
            "estimator": origin.estimator,
            "params": origin.params,
        },
        "snapshots.json": [snapshot.as_json() for snapshot in origin.snapshots],
        "gate.json": {
            "verdict": origin.verdict,
            "why": origin.why,
            "approval": origin.approval,
            "outcome": origin.outcome,
            "decision": origin.gate.as_json() if origin.gate else None,
        },
        "history.json": champion_history(version.model, tracking=tracking).as_json(),
        "tags.json": dict(version.tags),
    }
    for name, value in facts.items():
        _write_json(folder / name, value)
    section = recorded_section(version.record.mlflow_run_id, tracking)
    if section is not None:
        text = yaml.safe_dump(section, sort_keys=False, allow_unicode=True)
        (folder / "configuration.yaml").write_text(text, encoding="utf-8")


def _write_document(origin: VersionOrigin, folder: Path, project: Path, environment: str) -> str:
    """The rendered DAG, of the commit of then where git has it, else as the team's file is now; which of these."""
    commit = origin.configuration.commit
    if commit is not None:
        try:
            with project_at(commit.sha, project) as then:
                text = _document(origin.model, then, project, environment)
        except FactoryError:
            text = None
        if text is not None:
            (folder / "dag.yaml").write_text(text, encoding="utf-8")
            return _of_commit(commit)
    text = _document(origin.model, project, project, environment)
    if text is None:
        return "There is no `dag.yaml`: the team's file has no such model now, or has problems."
    (folder / "dag.yaml").write_text(text, encoding="utf-8")
    return (
        "`dag.yaml` is the DAG as the team's file is now: the commit of then is not known here. "
        "`configuration.yaml` is what the version was trained by."
    )


def _of_commit(commit: Commit) -> str:
    changed = (
        " Files were changed and not committed then: `configuration.yaml` is what counts."
        if commit.is_changed
        else ""
    )
    return f"`dag.yaml` is the DAG of the commit {commit.sha}.{changed}"


def _document(model: str, state: Path, project: Path, environment: str) -> str | None:
    team, _, name = model.partition(".")
    then = State.of(state, project, environment)
    file = then.read.catalog.teams.get(team)
    if file is None or name not in file.team.models:
        return None
    dag_id = training_id(team, name)
    document = compile_one(file.team, dag_id, then.installation)
    return None if document is None else to_yaml({dag_id: document})


def _write_model(version: Version, folder: Path, tracking: Tracking) -> None:
    """The digests of the model's files, and what it takes to read them."""
    mlflow.set_tracking_uri(tracking.uri)
    with tracking.asked(), downloaded(version.uri) as files:
        found = {name: sha256_of_file(files / name) for name in sorted(_names(files))}
        described = {
            "sha256": digest(files),
            "registered_sha256": version.record.sha256,
            "files": found,
        }
        (folder / "model").mkdir()
        _write_json(folder / "model" / "digests.json", described)
        for name in _PACKAGES:
            if (files / name).is_file():
                (folder / "model" / name).write_bytes((files / name).read_bytes())


def _write_rows(version: Version, folder: Path, lake: Lake) -> None:
    import pyarrow.parquet as pq

    (folder / "data").mkdir()
    for name, number in version.record.snapshots.items():
        rows = lake.scan(name, number)
        with pq.ParquetWriter(folder / "data" / f"{name}@{number}.parquet", rows.schema) as writer:
            for batch in rows.to_batches():
                writer.write_batch(batch)


def _how_to_reproduce(origin: VersionOrigin, note: str) -> str:
    snapshots = [
        f"* {one.name}: {one.rows or 0:,} rows, content hash `{one.content_hash}`"
        if not one.problem
        else f"* {one.name}: {one.problem}"
        for one in origin.snapshots
    ]
    name = f"{origin.model}@{origin.version}"
    return "\n".join(
        [
            f"# {origin.model} version {origin.version}, trained again",
            "",
            "In the project, with its lake and its MLflow server:",
            "",
            "```sh",
            f"factory reproduce {name}",
            "```",
            "",
            "trains by `configuration.yaml`, the trial in `parameters.json` and these snapshots, and compares",
            "what both models say of the test rows, byte for byte. It registers nothing.",
            "",
            *snapshots,
            "",
            "The packages of then are in `model/requirements.txt`; with other versions the bytes may differ.",
            "The files of a model are never the same bytes: MLflow writes new ids into them. What it says is.",
            "",
            note,
            "",
            f"`{MANIFEST}` has the SHA-256 of each file here, and `model/digests.json` those of the model's.",
            "",
        ]
    )


def _write_manifest(origin: VersionOrigin, folder: Path) -> None:
    files = {
        name: {
            "sha256": sha256_of_file(folder / name),
            "bytes": (folder / name).stat().st_size,
        }
        for name in sorted(_names(folder))
    }
    manifest = {
        "model": origin.model,
        "version": origin.version,
        "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "made_by": {
            "ml-dag-factory": importlib.metadata.version("ml-dag-factory"),
            "python": platform.python_version(),
        },
        "files": files,
    }
    _write_json(folder / MANIFEST, manifest)


def _write_json(file: Path, value: Any) -> None:
    text = json.dumps(value, indent=2, ensure_ascii=False)
    file.write_text(text + "\n", encoding="utf-8")


def _names(folder: Path) -> Iterator[str]:
    for path in folder.rglob("*"):
        if path.is_file():
            yield path.relative_to(folder).as_posix()
