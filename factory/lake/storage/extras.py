"""Whether what a storage needs is installed; asked before anything starts, without importing it."""

from importlib.util import find_spec

from factory.lake.storage.access import missing_extra
from factory.lake.storage.address import is_s3


def missing_for(storage: str, connection: str | None) -> str | None:
    """What to install for a storage, or None if nothing is missing.

    Args:
        storage: An address as `factory.lake.storage.address.resolve` returns it.
        connection: The Airflow connection by which it is reached, if any.
    """
    if not is_s3(storage):
        return None
    if find_spec("boto3") is None:
        return missing_extra(f"storage at {storage}")
    if connection is not None and not _has_amazon_provider():
        return missing_extra(f"storage by the connection {connection!r}")
    return None


def _has_amazon_provider() -> bool:
    # Not by `find_spec("airflow.providers.amazon")`, which would import Airflow.
    from importlib.metadata import PackageNotFoundError, distribution

    try:
        distribution("apache-airflow-providers-amazon")
    except PackageNotFoundError:
        return False
    return True
