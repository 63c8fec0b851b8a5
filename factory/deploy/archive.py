"""A model's folder as `model.tar.gz`, the form that SageMaker unpacks; the same bytes every time."""

import gzip
import tarfile
from pathlib import Path

from factory.base.digests import sha256_of_file
from factory.deploy.build_context import EPOCH


def pack(folder: Path, file: Path) -> str:
    """Pack a folder's files, without their owners and times.

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
