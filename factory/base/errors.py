"""What can go wrong while a step runs, and whether trying again can help."""


class FactoryError(Exception):
    """A failure whose message says place, what was found, and what to do; a retry may mend it."""


class TerminalError(FactoryError):
    """A failure that no retry can mend: configuration, code or data must change first."""


class NothingToDoError(FactoryError):
    """Nothing is wrong, and there is nothing to work on yet; Airflow skips the task, which says why."""


def may_pass(error: Exception) -> bool:
    """Whether trying again may mend it, such as a server that does not answer or a full disk."""
    return isinstance(error, (FactoryError, OSError, MemoryError)) and not isinstance(
        error, TerminalError
    )


def told(error: Exception) -> str:
    """What an error says, which of errors that are none of ours is not enough without their kind."""
    return str(error) if isinstance(error, FactoryError) else repr(error)
