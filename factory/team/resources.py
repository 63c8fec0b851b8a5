"""`resources`: what is created for a run and destroyed with it, whatever becomes of the run."""

from collections.abc import Collection, Iterator, Mapping
from typing import Annotated, Any, Literal, Union

from pydantic import Field
from pydantic_core import PydanticCustomError

from factory.base.calls import ask_about_call
from factory.base.findings import KeyPath, Question
from factory.base.rules import Broken
from factory.base.section import FunctionPath, ListOf, Name, Section, Text


class _Resource(Section):
    """What resources of every type have."""

    used_by: ListOf[Text] = ()
    """The tasks that need it; all that handle rows when left out."""
    resources: "Resources" = Field(default_factory=dict)
    """Further ones, created after it and destroyed before it."""


class PythonResource(_Resource):
    """A pair of functions.

    `create(**arguments)` makes the resource and returns what describes it, as small JSON.
    `destroy(created=..., **arguments)` gets that, or None if `create` began and did not get so far.
    """

    type: Literal["python"]
    create: FunctionPath = Field(examples=["our_cluster.start"])
    """A function by dotted path that makes the resource, and returns what describes it as small JSON."""
    destroy: FunctionPath = Field(examples=["our_cluster.stop"])
    """A function by dotted path that takes it away. It gets what `create` returned as `created`, or None if `create`
    failed."""
    arguments: dict[str, Any] = Field(default_factory=dict)
    """What both functions are called with, by name."""

    def questions(self) -> Iterator[Question]:
        """Whether the functions take the arguments."""
        yield ask_about_call(self.create, self.arguments, at="create")
        yield ask_about_call(self.destroy, self.arguments, at="destroy", adds=("created",))


class SqlResource(_Resource):
    """Tables and the like in the database of an Airflow connection.

    The statements of `create` are one transaction. Those of `destroy` also run after a `create` that
    failed: write them so that they succeed when there is nothing to drop.
    """

    type: Literal["sql"]
    connection: Text
    """The Airflow connection of the database."""
    create: Text = Field(examples=["create table roses_staging (like roses)"])
    """SQL statements that make it, in one transaction."""
    destroy: Text = Field(examples=["drop table if exists roses_staging"])
    """SQL statements that take it away, in one transaction; they must succeed where there is nothing to drop."""


Resource = Annotated[Union[PythonResource, SqlResource], Field(discriminator="type")]  # noqa: UP007 - its parts name it in turn
Resources = dict[Name, Resource]


def check_resources(resources: "Resources", tasks: Collection[str]) -> Broken:
    """The resources that share a name, or are used by tasks that there are not, each with the way to it."""
    seen: set[str] = set()
    for path, name, resource in every_resource(resources):
        if name in seen:
            yield PydanticCustomError(
                "resources",
                "there is another resource {value} already: give it another name",
                {"value": f"`{name}`", "at": path},
            )
        seen.add(name)
        for index, task in enumerate(resource.used_by):
            if task not in tasks:
                yield PydanticCustomError(
                    "used_by",
                    "no task {value} uses resources here: write one of {known}",
                    {
                        "value": f"`{task}`",
                        "known": ", ".join(tasks),
                        "choices": tasks,
                        "at": (*path, "used_by", index),
                    },
                )


def every_resource(
    resources: Mapping[str, Any], path: KeyPath = ("resources",)
) -> Iterator[tuple[KeyPath, str, "PythonResource | SqlResource"]]:
    """Every resource with its path and name, the outer ones before those within."""
    for name, resource in resources.items():
        below = (*path, name)
        yield below, name, resource
        yield from every_resource(resource.resources, (*below, "resources"))
