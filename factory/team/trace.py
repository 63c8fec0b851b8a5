"""Where in the sections a finding of pydantic's belongs, and what is expected there."""

from collections.abc import Sequence
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from factory.base.findings import KeyPath
from factory.kinds import KindOf


@dataclass(frozen=True)
class Place:
    """Where in the sections an error's `loc` leads."""

    path: KeyPath
    section: type[BaseModel] | None = None
    """The innermost section on the way."""
    annotation: Any = None
    """What is expected there."""
    rest: tuple[str | int, ...] = ()
    """What follows a branch of a union that has no discriminator."""
    in_union: bool = False
    discriminator: str | None = None
    """The key that says which of several sections is meant."""
    sections: tuple[tuple[int, type[BaseModel]], ...] = ()
    """Each section on the way, with how many steps lead to it; the outermost first."""
    on_key: bool = False


def trace(model: type[BaseModel], loc: tuple[str | int, ...], plugins: Sequence[str] = ()) -> Place:
    """Follow `loc` through the model: pydantic puts names of union members between the keys.

    `plugins` are the packages that may add kinds.
    """
    path: KeyPath = ()
    section: type[BaseModel] | None = None
    sections: list[tuple[int, type[BaseModel]]] = []
    annotation: Any = model
    discriminator: str | None = None
    for index, step in enumerate(loc):
        if step == "[key]":
            return Place(path, section, annotation, on_key=True)
        annotation, discriminator = unwrap(annotation, discriminator, plugins)
        if discriminator is not None:
            annotation, discriminator = _member(annotation, discriminator, step), None
        elif get_origin(annotation) in (Union, UnionType):
            rest = loc[index + 1 :]
            if len(rest) == 1:
                section = _only_section(annotation) or section
            return Place(path, section, annotation, rest, in_union=True)
        else:
            if _is_section(annotation):
                section = annotation
                sections.append((len(path), annotation))
            annotation, discriminator = _below(annotation, step)
            path = (*path, step)
    annotation, discriminator = unwrap(annotation, discriminator, plugins)
    passed = tuple(sections)
    return Place(path, section, annotation, discriminator=discriminator, sections=passed)


def sections_of(info: FieldInfo) -> tuple[type[BaseModel], ...]:
    """The sections that may stand below a field, those in a list or a mapping excepted."""
    family = next((item for item in info.metadata if isinstance(item, KindOf)), None)
    whole = info.annotation if family is None else Annotated[info.annotation, family]
    annotation, _ = unwrap(whole, None)
    members = (
        get_args(annotation) if get_origin(annotation) in (Union, UnionType) else (annotation,)
    )
    found = (unwrap(member, None)[0] for member in members)
    return tuple(member for member in found if _is_section(member))


def _only_section(union: Any) -> type[BaseModel] | None:
    """The section of a union that has one beside numbers, texts and the like."""
    members = (unwrap(member, None)[0] for member in get_args(union))
    found = [member for member in members if _is_section(member)]
    return found[0] if len(found) == 1 else None


def _is_section(annotation: object) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def unwrap(
    annotation: Any, discriminator: str | None, plugins: Sequence[str] = ()
) -> tuple[Any, str | None]:
    """Take away `Annotated` and `None`, and keep the discriminator that is found on the way.

    Where any kind of a family may stand, it is the union of the kinds.
    """
    if get_origin(annotation) is Annotated:
        inner, *metadata = get_args(annotation)
        for item in metadata:
            if isinstance(item, KindOf):
                return unwrap(item.union(plugins), item.family.key)
        named = [item.discriminator for item in metadata if isinstance(item, FieldInfo)]
        found = next((name for name in named if isinstance(name, str)), discriminator)
        return unwrap(inner, found, plugins)
    if get_origin(annotation) in (Union, UnionType):
        members = [member for member in get_args(annotation) if member is not NoneType]
        if len(members) == 1:
            return unwrap(members[0], discriminator, plugins)
    return annotation, discriminator


def _below(annotation: Any, step: str | int) -> tuple[Any, str | None]:
    if _is_section(annotation):
        info = annotation.model_fields.get(step)
        if info is None:
            return None, None
        # pydantic keeps what stands in `Annotated` apart from the annotation itself.
        family = next((item for item in info.metadata if isinstance(item, KindOf)), None)
        if family is not None:
            return Annotated[info.annotation, family], None
        return info.annotation, info.discriminator if isinstance(info.discriminator, str) else None
    arguments = get_args(annotation)
    if get_origin(annotation) is dict:
        return arguments[1], None
    return (arguments[0], None) if get_origin(annotation) is tuple else (None, None)


def _member(union: Any, discriminator: str, tag: str | int) -> Any:
    members = (unwrap(member, None)[0] for member in get_args(union))
    return next((member for member in members if tag in tags(member, discriminator)), None)


def tags(section: type[BaseModel], discriminator: str) -> tuple[Any, ...]:
    """The values of the discriminator that choose a section."""
    return get_args(section.model_fields[discriminator].annotation)
