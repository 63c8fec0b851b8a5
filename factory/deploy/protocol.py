"""What a deployment needs of whatever runs a model."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from pydantic import Field

from factory.base.values import Result
from factory.models.record import ModelRecord

Release = ModelRecord
"""The version of a model that is to be deployed."""


class Built(Result):
    """What was made of a version so that a target can run it: an image, an archive."""

    reference: str
    """An image's name with its digest, or an archive's address."""
    facts: Mapping[str, str] = Field(default_factory=dict)
    """What a person, or `deploy`, wants to know of it."""


class Deployed(Result):
    """A version that a target runs."""

    model: str
    version: int
    address: str
    """Where it answers, as a person would write it."""
    details: Mapping[str, Any] = Field(default_factory=dict)
    """What the target needs to ask it, and to come back to it: small JSON without secrets."""


@dataclass(frozen=True)
class Question:
    """The body of one request."""

    body: bytes
    content_type: str
    """`image/jpeg`, `image/png`, `image/webp`, or `application/json` for `{"rows": […]}`."""


@dataclass(frozen=True)
class Answer:
    """What a deployment said, in its own words: a value a row."""

    values: tuple[Any, ...]
    """Classes or numbers."""
    probabilities: tuple[Mapping[str, float], ...] | None = None
    """For each row, that of each class."""
    version: int | None = None
    """Which version answered, where the answer says so."""


class Target(Protocol):
    """Runs versions of one model in one place.

    Everything may be called again after it has failed or was interrupted, and then goes on from
    what it finds. A `FactoryError` is tried again, a `TerminalError` is not.
    """

    def running(self, model: str) -> Deployed | None:
        """What the target runs of a model now; None for nothing. Changes nothing.

        Raises:
            FactoryError: The target cannot be asked.
        """
        ...

    def build(self, release: Release, folder: Path) -> Built | None:
        """Make what the target runs; None where it needs nothing made. Nothing that runs is changed.

        Args:
            release: The version.
            folder: An empty folder to work in.

        Raises:
            FactoryError: It cannot be made.
        """
        ...

    def deploy(self, release: Release, built: Built | None) -> Deployed:
        """Run a version and wait until it is ready to answer.

        Raises:
            FactoryError: It did not become ready in time, or the target cannot be reached.
            TerminalError: It never will.
        """
        ...

    def predict(self, deployed: Deployed, question: Question) -> Answer:
        """Ask what was deployed, over the interface that its callers use.

        Raises:
            FactoryError: It does not answer, or answers with an error.
        """
        ...

    def restore(self, release: Release, before: Deployed | None) -> None:
        """Run again what ran before, after `release` has failed or only half got there.

        By now the registry's champion is the earlier version again, where there is one. Where nothing
        ran before, what was begun is taken away.

        Args:
            release: What failed.
            before: What `running` said before anything was changed.

        Raises:
            FactoryError: It could not be brought back: says what runs now, and what a person must do.
        """
        ...
