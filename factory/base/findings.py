"""What is wrong with a section, before anybody knows where in which file it stands."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

KeyPath = tuple[str | int, ...]
"""The way to a value: keys of mappings and indexes of lists."""


def take_away(value: Any, path: KeyPath, *, with_rest: bool = False) -> None:
    """Take away what stands at a path, if there is something; other items of lists keep their places.

    Args:
        value: The mapping or list that the path starts at, which is changed.
        path: The way to what is taken away; the empty one takes nothing.
        with_rest: Whether items of a list go with all that follow; else there is nothing (None) in their place.
    """
    if not path:
        return
    *above, last = path
    for step in above:
        try:
            value = value[step]
        except (LookupError, TypeError):
            return
    if isinstance(value, dict):
        value.pop(last, None)
    elif isinstance(value, list) and isinstance(last, int) and last < len(value):
        value[last:] = [] if with_rest else [None, *value[last + 1 :]]


@dataclass(frozen=True)
class Finding:
    """A problem or a warning before it is located: what is wrong with the value at a path, or with its key."""

    name: str
    """Of its code: see `factory.team.codes`."""
    path: KeyPath
    """From the section that finds it."""
    message: str
    suggestion: str | None = None
    on_key: bool = False
    or_path: KeyPath | None = None
    """Where to show it if `path` is in the platform's file, which other teams read too."""
    within: "Span | None" = None
    """Which part of the text at the path is meant, where that is not the whole of it."""

    def below(self, path: KeyPath) -> "Finding":
        """The same, as seen from a section above."""
        or_path = (*path, *self.or_path) if self.or_path is not None else None
        return replace(self, path=(*path, *self.path), or_path=or_path)

    def as_json(self) -> dict[str, Any]:
        """The finding in a reply; see `as_findings`."""
        return {name: value for name, value in asdict(self).items() if value is not None}


def as_findings(value: Iterable[Mapping[str, Any]]) -> Iterator[Finding]:
    """The findings of a reply that has them as JSON: a `tell` for who answers with findings."""
    for one in value:
        paths = {name: tuple(one[name]) for name in ("path", "or_path") if name in one}
        yield Finding(**{**one, **paths})


@dataclass(frozen=True)
class Span:
    """A part of a text: of a value in a team file, or of a file that a team file names."""

    start: int
    """Of its first character, counted from 0; white space before the text does not count."""
    length: int
    file: Path | None = None
    """The file whose text is meant, where the value names one."""


@dataclass(frozen=True)
class Question:
    """What `factory validate` has answered in a process of its own, which may import what is heavy.

    A section asks it, since whether something is right can take more than the file to tell: what an
    estimator takes as its parameters, say. Answers are kept: see `factory.base.answers`.
    """

    function: str
    """Who answers, as `package.module:function`: takes the argument, returns a `factory.base.answers.Reply`."""
    argument: Any
    """A JSON value."""
    tell: Callable[[Any], Iterable[Finding]]
    """What is wrong, by the reply's value."""
    imports: tuple[str, ...] = ()
    """The dotted paths of the team that are imported for the answer. It is asked only where their packages
    are allowed."""

    def below(self, path: KeyPath) -> "Question":
        """The same, as asked by a section above."""

        def tell(value: Any) -> Iterator[Finding]:
            return (finding.below(path) for finding in self.tell(value))

        return replace(self, tell=tell)
