"""A version's files: in a folder, as `factory serve --model-folder` reads them, and packed for SageMaker."""

import gzip
import tarfile
from pathlib import Path

import mlflow
import mlflow.artifacts

from factory.base.digests import sha256_of_file
from factory.deploy.build_context import EPOCH
from factory.models.record import ModelRecord
from factory.models.tracking import Tracking


def fill_model_folder(record: ModelRecord, folder: Path, tracking: Tracking) -> None:
    """Fetch a version's files from the registry, and write its record beside them.

    Args:
        record: The version.
        folder: Where to; it is made, and should be empty.
        tracking: The MLflow server.

    Raises:
        TrackingError: The MLflow server does not answer, or has not got the files.
    """
    folder.mkdir(parents=True, exist_ok=True)
    # What downloads knows no client, only the process's one server.
    mlflow.set_tracking_uri(tracking.uri)
    with tracking.asked():
        mlflow.artifacts.download_artifacts(record.uri, dst_path=str(folder))
    record.write(folder)


def pack(folder: Path, file: Path) -> str:
    """Pack a folder's files as `model.tar.gz`, without owners and times: the same bytes every time.

    Args:
        folder: Whose files are packed, with names relative to it.
        file: The archive to make.

    Returns:
        The archive's SHA-256.
    """
    with (
        file.open("wb") as raw,
        gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0, compresslevel=6) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                archive.add(
                    path, arcname=path.relative_to(folder).as_posix(), filter=_without_origin
                )
    return sha256_of_file(file)


def _without_origin(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    member.mtime = EPOCH
    member.mode = 0o644
    return member
