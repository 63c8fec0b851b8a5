"""What becomes of one piece of work among several that do not depend on each other: its result, or why there is none."""

import logging
from collections.abc import Callable
from typing import TypeVar

from factory.base.errors import TerminalError, may_pass, told
from factory.base.values import Result

logger = logging.getLogger(__name__)

ResultType = TypeVar("ResultType", bound=Result)

_LONGEST = 2_000


class Failure(Result):
    """Why something was not done."""

    error: str

    @classmethod
    def of(cls, error: Exception) -> "Failure":
        """What an error says."""
        return cls(error=told(error)[:_LONGEST])


def outcome_of(what: str, work: Callable[[], ResultType]) -> "ResultType | Failure":
    """What some work comes to, or why it comes to nothing.

    What a retry may mend is raised: it is no matter of this work alone.

    Args:
        what: What the work is about, for the log.
        work: The work.
    """
    try:
        return work()
    except TerminalError as error:
        logger.error("%s: %s", what, error)  # noqa: TRY400 - its text says all
        return Failure.of(error)
    # What a library raises about some rows or parameters must not sink the others; the log has all of it.
    except Exception as error:
        if may_pass(error):
            raise
        logger.exception("%s", what)
        return Failure.of(error)
