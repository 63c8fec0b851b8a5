"""The lake's storage: whether it can be written, and whether its clock goes with this machine's."""

import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

from factory.base.errors import FactoryError
from factory.base.files import TEMPORARY
from factory.diagnosis.finding import Diagnosis, Examined

_LARGEST_SKEW = 60.0
"""Seconds; S3 refuses requests whose clock is off by more than 15 minutes."""


def check_storage(examined: Examined) -> Iterator[Diagnosis]:
    """Write a small object, look at it, and take it away again."""
    from factory.lake.storage.files import Files

    address = examined.installation.storage
    name = f"_doctor-{uuid.uuid4().hex}"
    try:
        with examined.reached(), tempfile.TemporaryDirectory(prefix=TEMPORARY) as folder:
            file = Path(folder) / "written"
            file.write_bytes(b"factory doctor")
            files = Files.at(address)
            began = time.time()
            files.upload(file, name)
            try:
                facts, content = files.facts(name), files.read(name)
            finally:
                files.delete(name)
            took = time.time() - began
    except (FactoryError, OSError) as error:
        advice = "see docs/storage.md: the address, the credentials, and who may write there"
        yield Diagnosis("storage", "wrong", f"{address} cannot be written: {error}", advice)
        return
    if content != b"factory doctor" or facts is None:
        text = f"{address} does not give back what was written"
        yield Diagnosis("storage", "wrong", text, "use a storage that keeps what it has taken")
        return
    yield Diagnosis("storage", "ok", f"{address}: written and removed in {took:.1f} s")
    yield _of_clock(facts.modified - began)


def _of_clock(skew: float) -> Diagnosis:
    if abs(skew) <= _LARGEST_SKEW:
        return Diagnosis("clock", "ok", "goes with that of the storage")
    text = f"{abs(skew):.0f} s {'behind' if skew > 0 else 'ahead of'} that of the storage"
    return Diagnosis("clock", "wrong", text, "let this machine ask a time server (NTP)")
