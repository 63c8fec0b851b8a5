"""Whether functions that a team file names are there, and take the arguments that it gives them."""

import inspect
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from factory.base.findings import Finding, KeyPath, Question, as_findings
from factory.base.objects import NoSuchObjectError, files_of, import_object
from factory.base.texts import did_you_mean, one_of

if TYPE_CHECKING:
    from factory.base.answers import Reply


def ask_about_call(
    path: str,
    arguments: Collection[str],
    *,
    at: str = "call",
    gets: str | Sequence[str] = (),
    adds: Collection[str] = (),
    may_add: Collection[str] = (),
    takes_arguments: bool = True,
) -> Question:
    """Ask whether a function is there, and can be called in this way; its package's code is imported.

    Args:
        path: Its dotted path.
        arguments: The names of what `arguments` gives it.
        at: The key of the section that names it.
        gets: What it is given first, for messages, such as `the rows`; several things in their order.
        adds: The names of what it is given besides.
        may_add: The names of what it is given besides if it has parameters of these names.
        takes_arguments: Whether the section can have `arguments`.
    """
    argument = {
        "path": path,
        "arguments": list(arguments),
        "at": at,
        "gets": [gets] if isinstance(gets, str) else list(gets),
        "adds": list(adds),
        "may_add": list(may_add),
        "takes_arguments": takes_arguments,
    }
    return Question(f"{__name__}:answer", argument, as_findings, imports=(path,))


def answer(argument: Mapping[str, Any]) -> "Reply":
    """What is wrong with a call; see `ask_about_call`."""
    from factory.base.answers import Reply

    found = [finding.as_json() for finding in _find(**argument)]
    return Reply(found, files_of(argument["path"]))


def not_there(error: NoSuchObjectError, path: str, at: KeyPath, name: str) -> Finding:
    """The problem that a dotted path names nothing, or the warning that it could not be looked at.

    Args:
        error: What was found when it was imported.
        path: The dotted path.
        at: Where it stands.
        name: Of the problem's code.
    """
    if error.is_certain:
        return Finding(name, at, f"`{path}`: {error.what}", error.suggestion)
    message = f"`{path}` could not be looked at: {error.what}"
    return Finding("not_looked_at", at, message, error.suggestion)


def _find(
    path: str,
    at: str,
    gets: list[str],
    **given: Any,
) -> Iterator[Finding]:
    try:
        function = import_object(path)
    except NoSuchObjectError as error:
        yield not_there(error, path, (at,), "call")
        return
    if not callable(function):
        message = f"`{path}` is a {type(function).__name__}, and cannot be called"
        yield Finding("call", (at,), message, "name a function")
        return
    try:
        signature = inspect.signature(function).parameters
    except (TypeError, ValueError):  # Compiled code need not have one.
        return
    positional = [one.name for one in signature.values() if one.kind in _POSITIONAL]
    takes_more = any(one.kind is one.VAR_POSITIONAL for one in signature.values())
    if len(positional) < len(gets) and not takes_more:
        place, what = len(positional), gets[len(positional)]
        message = f"`{path}` has no parameter that could take {what}"
        advice = f"let its {_ORDINALS[place]} parameter take {what}"
        yield Finding("call", (at,), message, advice)
        return
    first = dict(zip(positional, gets, strict=False))
    yield from _Call(path, at, first, signature, **given).find()


@dataclass(frozen=True)
class _Call:
    """A function, and what it is given."""

    path: str
    at: str
    first: Mapping[str, str]
    """The parameters that take what it gets, each with what that is."""
    signature: Mapping[str, inspect.Parameter]
    arguments: list[str]
    adds: list[str]
    may_add: list[str]
    takes_arguments: bool

    def find(self) -> Iterator[Finding]:
        """What is wrong with it."""
        if not any(one.kind is one.VAR_KEYWORD for one in self.signature.values()):
            yield from self._unknown()
        for name in self.first.keys() & set(self.arguments):
            what = self.first[name]
            message = f"`{name}` of `{self.path}` is {what}, which it is given first"
            yield Finding("call", ("arguments", name), message, "take it away", on_key=True)
        yield from self._missing()

    @property
    def _named(self) -> list[str]:
        return [
            name
            for name, one in self.signature.items()
            if one.kind in _NAMED and name not in self.first
        ]

    def _unknown(self) -> Iterator[Finding]:
        known = [name for name in self._named if name not in (*self.adds, *self.may_add)]
        for name in self.arguments:
            if name not in (*self.first, *known):
                otherwise = f"it takes {one_of(known)}" if known else "it takes none"
                message = f"`{self.path}` has no parameter `{name}`"
                advice = did_you_mean(name, known, otherwise)
                yield Finding("call", ("arguments", name), message, advice, on_key=True)
        for name in self.adds:
            if name not in self._named:
                message = f"`{self.path}` has no parameter `{name}`, which it is given"
                yield Finding("call", (self.at,), message, f"add `{name}` to its parameters")

    def _missing(self) -> Iterator[Finding]:
        given = (*self.first, *self.arguments, *self.adds, *self.may_add)
        needed = [
            name
            for name, one in self.signature.items()
            if one.default is one.empty
            and one.kind in (*_POSITIONAL, *_NAMED)
            and name not in given
        ]
        if not needed:
            return
        what = ", ".join(f"`{name}`" for name in needed)
        message = f"`{self.path}` needs {what}"
        if self.arguments:
            advice = f"add {what} to `arguments`"
            yield Finding("call", ("arguments",), message, advice, on_key=True)
            return
        advice = f"write `arguments: {{{', '.join(f'{name}: ...' for name in needed)}}}`"
        if not self.takes_arguments:
            advice = "give what it needs a default, or take it away"
        yield Finding("call", (self.at,), message, advice)


_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
_NAMED = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
_ORDINALS = ("first", "second")
