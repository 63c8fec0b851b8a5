"""Which configuration is in force: the folder of team files, the project's around it, the environment."""

import os
from collections.abc import Mapping
from pathlib import Path

from factory.lake.storage import address

DEFAULT_ENVIRONMENT = "dev"

ARTIFACTS = "FACTORY_ARTIFACTS"
"""The variable that says where MLflow keeps models and plots: a folder, or an address such as `s3://bucket/artifacts`."""


def active_environment() -> str:
    """The environment whose overlays apply: FACTORY_ENVIRONMENT, `dev` unless it is set."""
    return os.environ.get("FACTORY_ENVIRONMENT") or DEFAULT_ENVIRONMENT


def configs_folder(dag_file: Path) -> Path:
    """The folder of the team files: FACTORY_CONFIGS, else `configs/` beside the DAG file's folder.

    It is found from the DAG file, so that a run of an older DAG bundle reads the configs of its time.
    """
    chosen = os.environ.get("FACTORY_CONFIGS")
    return Path(chosen) if chosen else dag_file.resolve().parent.parent / "configs"


def project_folder(dag_file: Path) -> Path:
    """The project's folder, which paths in team files start from: the one with the team files' folder."""
    return configs_folder(dag_file).resolve().parent


def storage_address(written: str, project: Path, environ: Mapping[str, str] = os.environ) -> str:
    """The lake's address: FACTORY_STORAGE, else what `_defaults.yaml` says.

    Args:
        written: `storage` of `_defaults.yaml`.
        project: The folder that a relative folder is below.
        environ: Environment variables.
    """
    return address.resolve(environ.get("FACTORY_STORAGE") or written, project)
