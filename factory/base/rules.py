"""Rules between the fields of a section, all of which are asked, whatever else is wrong with it.

pydantic asks no validator of a model when one of its fields is wrong, and the first that raises is the
last that is asked. A method marked by `rule` yields everything that it finds, and is asked about the
fields that are right even where others are wrong; where it needs one of those, it is left out.
"""

import inspect
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from types import FunctionType
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, Field, ValidationError, ValidationInfo, create_model
from pydantic_core import InitErrorDetails, PydanticCustomError

from factory.base.texts import closest

Broken = Iterator[PydanticCustomError]
"""What a rule finds; see `factory.team.explain` for what the errors' contexts say."""

Rules = tuple[tuple[str, bool], ...]
"""The names of a section's rules, each with whether it takes the surroundings."""

_MARK = "_is_rule"
_MANY = 100
"""Errors beside which nobody misses what rules would find."""
AnySection = TypeVar("AnySection", bound=BaseModel)
Method = TypeVar("Method", bound=Callable[..., Broken | None])


def rule(method: Method) -> Method:
    """Mark a method of a section as a rule: `(self)`, or `(self, surroundings)`, and it yields errors.

    It may also raise one, which is then the last that it finds.
    """
    setattr(method, _MARK, True)
    return method


class UnknownFieldError(AttributeError):
    """A rule asks for a field that is wrong, or missing."""


class Partial:
    """Marks the class of sections of which only the fields are there that are right."""

    def __getattr__(self, name: str) -> Any:
        """Whatever is not there.

        Raises:
            UnknownFieldError: Always.
        """
        raise UnknownFieldError(name)


class Unchecked:
    """As validation's context: no rule is asked."""


UNCHECKED = Unchecked()


def with_rules(
    section: type[AnySection],
    value: Any,
    handler: Callable[[Any], AnySection],
    info: ValidationInfo,
) -> AnySection:
    """A section, validated, and its rules asked; for a validator around it.

    Raises:
        ValidationError: With all that pydantic and the rules find.
    """
    found = rules_of(section)
    if not found:
        return handler(value)
    try:
        whole = handler(value)
    except ValidationError as error:
        if error.error_count() > _MANY:
            raise
        broken = list(_broken(_partial(section, value, error, info), found, info))
        if not broken:
            raise
        raise _error(section, [*map(_again, error.errors()), *broken]) from None
    if broken := list(_broken(whole, found, info)):
        raise _error(section, broken)
    return whole


@cache
def rules_of(section: type[BaseModel]) -> Rules:
    """A section's rules, which are looked for once a process."""
    if issubclass(section, Partial):
        return ()
    # Functions alone: to ask pydantic's attributes for a mark would have it build the class first.
    return tuple(
        dict.fromkeys(
            (name, len(inspect.signature(method).parameters) > 1)
            for part in reversed(section.__mro__)
            for name, method in vars(part).items()
            if isinstance(method, FunctionType) and hasattr(method, _MARK)
        )
    )


def _broken(section: Any, rules: Rules, info: ValidationInfo) -> Iterator[InitErrorDetails]:
    if section is None or info.context is UNCHECKED:
        return
    for name, takes_surroundings in rules:
        method = getattr(section, name)
        try:
            for error in (method(info.context) if takes_surroundings else method()) or ():
                yield InitErrorDetails(type=error, loc=(), input=section)
        except UnknownFieldError:
            continue
        except PydanticCustomError as error:
            yield InitErrorDetails(type=error, loc=(), input=section)


def _partial(
    section: type[BaseModel], value: Any, error: ValidationError, info: ValidationInfo
) -> Any:
    """The section with the fields that are right, and no others; None where there is nothing to ask."""
    places = [found["loc"] for found in error.errors(include_input=False)]
    if not isinstance(value, Mapping) or not all(places):
        return None
    wrong = {place[0] for place in places}
    # What a misspelt key means is not known either.
    unknown = [str(name) for name in wrong if name not in section.model_fields]
    wrong |= {near for name in unknown if (near := closest(name, section.model_fields))}
    right = {
        name: child
        for name, child in value.items()
        if name in section.model_fields and name not in wrong
    }
    try:
        partial = _partial_class(section).model_validate(right, context=info.context)
    except ValidationError:
        return None  # fields that are right one by one and not together
    for name, field in section.model_fields.items():
        if name in wrong or (name not in right and field.is_required()):
            partial.__dict__.pop(name, None)
    return partial


@cache
def _partial_class(section: type[BaseModel]) -> type[BaseModel]:
    """The section with no field that must be there."""
    fields: dict[str, Any] = {}
    for name, field in section.model_fields.items():
        if field.is_required():
            # Not a copy with another default, which pydantic 2.12 still takes for required.
            annotation: Any = field.annotation
            for constraint in field.metadata:
                annotation = Annotated[annotation, constraint]
            fields[name] = (annotation, Field(None, discriminator=field.discriminator))
    base: Any = (Partial, section)
    return create_model(section.__name__, __base__=base, **fields)


def _again(found: Any) -> InitErrorDetails:
    """An error of pydantic's, to be raised again beside others."""
    context = found.get("ctx", {})
    kind = found["type"]
    if not _is_pydantics(kind, context):
        # Last, so that nothing in it is filled in once more.
        kind = PydanticCustomError(kind, "{said}", {**context, "said": found["msg"]})
    details = InitErrorDetails(type=kind, loc=found["loc"], input=found["input"])
    if isinstance(kind, str) and context:
        details["ctx"] = context
    return details


def _is_pydantics(kind: str, context: dict[str, Any]) -> bool:
    from pydantic_core import PydanticKnownError

    try:
        PydanticKnownError(kind, context or None)  # type: ignore[arg-type]
    except (KeyError, TypeError, ValueError):
        return False
    return True


def _error(section: type[BaseModel], details: list[InitErrorDetails]) -> ValidationError:
    return ValidationError.from_exception_data(section.__name__, details)
