"""What a training run has trained that did not get to its end, for the next one that learns the same from the same.

A run that ends without a version leaves its trained models in its workspace, and nothing else. The next run of the
DAG takes them over; it measures and logs them anew, as trials of its own.
"""

import importlib.metadata
import importlib.util
import json
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from factory.base.digests import sha256_of_file, sha256_of_json
from factory.base.files import write_json
from factory.base.workspace import OWNER

_KEPT = "kept.json"
"""Says what the models of a workspace were made of whose run has ended."""
_TRIALS, _SPLIT = "trials", "split"
_FIT = ".fit.json"
_OF_ONE_RUN = ("*.begun.json", "*.failure.json", "*.evaluation.json")


def keep_models(workspace: Path, packages: Sequence[str]) -> bool:
    """Leave nothing in the workspace of a run that ends but the models that it has trained; False if it has none.

    Args:
        workspace: The run's scratch folder.
        packages: Those whose code the model consists of.
    """
    folders = [folder for folder in workspace.rglob(_TRIALS) if any(folder.glob(f"*{_FIT}"))]
    if not folders:
        return False
    made_of = _made_of(workspace, packages)
    for folder in folders:
        for pattern in _OF_ONE_RUN:
            for file in folder.glob(pattern):
                file.unlink()
    _remove_all_but({*folders, workspace / OWNER}, workspace)
    write_json(workspace / _KEPT, made_of)
    return True


def take_over_models(workspace: Path, others: Iterable[Path]) -> None:
    """Move the models of an ended run here, those that were kept last.

    Args:
        workspace: The scratch folder of the run that begins.
        others: Those of other runs of the DAG.
    """
    if any((folder / _TRIALS).exists() for folder in (workspace, *workspace.glob("entities/*"))):
        return
    kept = [folder / _KEPT for folder in others if (folder / _KEPT).exists()]
    if not kept:
        return
    folder = max(kept, key=lambda file: file.stat().st_mtime).parent
    for entry in folder.iterdir():
        if entry.name != OWNER:
            entry.rename(workspace / entry.name)


def forget_models_of_others(workspace: Path, packages: Sequence[str]) -> None:
    """Remove models that were taken over and are of other rows, or of other code.

    Args:
        workspace: The run's scratch folder, with the rows that it divided.
        packages: Those whose code the model consists of.
    """
    file = workspace / _KEPT
    if not file.exists():
        return
    if json.loads(file.read_text("utf-8")) != _made_of(workspace, packages):
        for folder in list(workspace.rglob(_TRIALS)):
            shutil.rmtree(folder)
    file.unlink()


def _made_of(workspace: Path, packages: Sequence[str]) -> Mapping[str, object]:
    """What decides, beside the configuration and the snapshots, what comes of a trial."""
    files = sorted(
        file for folder in workspace.rglob(_SPLIT) for file in folder.rglob("*") if file.is_file()
    )
    rows = [(str(file.relative_to(workspace)), sha256_of_file(file)) for file in files]
    return {"rows": sha256_of_json(rows), "code": {name: _code_of(name) for name in packages}}


def _code_of(package: str) -> str:
    """The version of an installed package, or the digest of one's own code."""
    distributions = importlib.metadata.packages_distributions().get(package)
    if distributions:
        return importlib.metadata.version(distributions[0])
    spec = importlib.util.find_spec(package)
    folders = [] if spec is None else list(spec.submodule_search_locations or ())
    files = sorted(file for folder in folders for file in Path(folder).rglob("*.py"))
    if spec is not None and spec.origin is not None:
        files.append(Path(spec.origin))
    return sha256_of_json([(str(file), sha256_of_file(file)) for file in files])


def _remove_all_but(kept: set[Path], folder: Path) -> None:
    for entry in folder.iterdir():
        if entry in kept:
            continue
        if entry.is_dir() and any(one.is_relative_to(entry) for one in kept):
            _remove_all_but(kept, entry)
        elif entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()
