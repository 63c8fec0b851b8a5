"""What can go wrong between a task and its storage, and whether trying again can help."""

from factory.base.errors import FactoryError, TerminalError


class StorageError(FactoryError):
    """Storage did not do what it was asked; it may the next time."""


class NoFileError(StorageError, TerminalError):
    """A file is not there."""


class AccessDeniedError(StorageError, TerminalError):
    """Storage does not know the credentials, or they may not do this."""


class NoCredentialsError(StorageError, TerminalError):
    """There is nothing to show to the storage."""


class NoBucketError(StorageError, TerminalError):
    """A bucket does not exist, or lies in another region."""


class NoSuchStorageError(StorageError, TerminalError):
    """An address or a name is of no kind that is known."""


class MissingExtraError(StorageError, TerminalError):
    """The packages of an extra are needed and not installed."""
