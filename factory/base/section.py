"""What every section of a team file shares: strictness, names, durations."""

import ast
import inspect
import itertools
import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Self, TypeVar, cast

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    ModelWrapValidatorHandler,
    PlainSerializer,
    Strict,
    StringConstraints,
    TypeAdapter,
    ValidationInfo,
    WithJsonSchema,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from factory.base.code import (
    LIBRARY_FUNCTIONS,
    how_to_allow,
    is_callable_by_teams,
    is_public,
    is_within,
)
from factory.base.files import is_hidden
from factory.base.findings import Finding, KeyPath, Question
from factory.base.public_names import meant_path
from factory.base.rules import rules_of, with_rules
from factory.base.texts import closest, did_you_mean, one_of

NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
DOTTED_PATH = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+")
DATA_FOLDERS = ("data",)
"""Where sources may read files unless the platform says otherwise."""
KEPT_OUT = ("configs", "dags")
"""Folders of a project that no source reads, whatever the platform says."""
_DURATION = re.compile(r"(\d+)\s*(s|m|h|d|w)")
_DURATION_IN_WORDS = re.compile(
    r"(\d+)\s*(sec(?:ond)?s?|min(?:ute)?s?|hrs?|hours?|days?|weeks?|months?)", re.IGNORECASE
)
DURATION_PATTERN = rf"^\s*{_DURATION.pattern}\s*$"
"""What a duration looks like, for JSON schemas."""
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_LONGEST = 100 * 366 * 86400


def field_docs(section: type[BaseModel]) -> dict[str, str]:
    """The text that stands below each field of a section in its source, by the field's name.

    pydantic can read these too, but does so when a class is made, which every start would pay for.
    """
    docs: dict[str, str] = {}
    for part in reversed(section.__mro__):
        if issubclass(part, BaseModel) and part is not BaseModel:
            docs |= _own_field_docs(part)
    return docs


@cache
def _own_field_docs(section: type[BaseModel]) -> Mapping[str, str]:
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(section)))
    except (OSError, TypeError):  # made at run time: there is no source
        return {}
    body = tree.body[0].body if isinstance(tree.body[0], ast.ClassDef) else []
    return {
        field.target.id: _unwrapped(text.value.value)
        for field, text in itertools.pairwise(body)
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and isinstance(text, ast.Expr)
        and isinstance(text.value, ast.Constant)
        and isinstance(text.value.value, str)
    }


def _unwrapped(text: str) -> str:
    """A text of a source file with one line a paragraph."""
    paragraphs = inspect.cleandoc(text).split("\n\n")
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)


def _first_sentence(text: str) -> str:
    return re.split(r"(?<=\.)\s", _unwrapped(text), maxsplit=1)[0]


def also_written(schema: dict[str, Any]) -> Any:
    """Lets the JSON schema of a field accept a short form beside the one that it is read into."""

    class Short:
        def __get_pydantic_json_schema__(
            self, core: CoreSchema, handler: GetJsonSchemaHandler
        ) -> JsonSchemaValue:
            return {"anyOf": [schema, handler(core)]}

    return Short()


class Section(BaseModel):
    """A mapping in a team file: unknown keys are refused, values do not change once read.

    YAML has types of its own, so nothing is converted: `"7"` is text and no number.
    """

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        allow_inf_nan=False,
        validate_default=False,
        # Of some hundred sections a file has a few, and what holds one has its schema too.
        defer_build=True,
    )

    @model_validator(mode="wrap")
    @classmethod
    def _with_rules(
        cls, value: Any, handler: ModelWrapValidatorHandler[Self], info: ValidationInfo
    ) -> Self:
        return with_rules(cls, value, handler, info)

    @classmethod
    def unwritten(cls, **fields: Any) -> Self:
        """The section where nobody writes it: these fields, and the defaults of the others.

        For the defaults of other sections. It is not validated, so that its class need not be built for it.
        """
        return cast("Self", cls.model_construct(**fields))

    def doubts(self) -> Iterable[Finding]:
        """What in it is probably wrong and could be meant; sections below it say so themselves."""
        return ()

    def questions(self) -> Iterable[Question]:
        """What `factory validate` must ask elsewhere to know whether it is right; sections below it ask themselves."""
        return ()

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """pydantic's, with a description of each field, and its default as an example.

        The description is the text below the field; where there is none, a constant, which says of which
        kind the section is, has the first sentence about the section.
        """
        schema = handler.resolve_ref_schema(handler(core))
        properties = schema.get("properties", {})
        for name, text in field_docs(cls).items():
            if name in properties:
                properties[name].setdefault("description", text)
        for written in properties.values():
            if "const" in written and cls.__doc__:
                written.setdefault("description", _first_sentence(cls.__doc__))
            if written.get("default") not in (None, "", [], {}):
                written.setdefault("examples", [written["default"]])
        return schema


Item = TypeVar("Item")


def build_sections() -> None:
    """Build every section whose module is loaded, and find its rules, which otherwise happens when one is first read."""
    found: list[type[Section]] = [Section]
    for section in found:  # grows while it is gone through
        found += section.__subclasses__()
        section.model_rebuild()
        rules_of(section)


ListOf = Annotated[tuple[Item, ...], Strict(strict=False)]
"""A list in the file, a tuple once read; use it for every list of a section."""


@dataclass(frozen=True)
class ListOr:
    """Lets a field hold a list, as its type says, or a value of another type that is no list.

    Of a union pydantic tells what is wrong for each member; here it is told for the one that is meant.
    """

    other: Any
    """The type of what is no list."""

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        """A list is read, and written, as the field's type has it."""
        listed = handler(source)
        return core_schema.with_info_wrap_validator_function(
            self._read,
            listed,
            serialization=core_schema.wrap_serializer_function_ser_schema(_write, schema=listed),
        )

    def __get_pydantic_json_schema__(
        self, core: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """The list, or the other."""
        return {"anyOf": [handler(core), handler(_adapter(self.other).core_schema)]}

    def _read(
        self, value: Any, handler: core_schema.ValidatorFunctionWrapHandler, info: ValidationInfo
    ) -> Any:
        if isinstance(value, (list, tuple)):
            return handler(value)
        # A ValidationError that a validator raises becomes part of the outer one.
        return _adapter(self.other).validate_python(value, context=info.context)


@cache
def _adapter(other: Any) -> TypeAdapter[Any]:
    return TypeAdapter(other)


def _write(value: Any, handler: core_schema.SerializerFunctionWrapHandler) -> Any:
    if isinstance(value, Section):
        return value.model_dump(mode="json", exclude_defaults=True)
    return handler(value) if isinstance(value, tuple) else value


@dataclass(frozen=True)
class NotTrained:
    """Marks a field of a model's section that does not change what is trained.

    Write `Annotated[its type, NotTrained()]`. The configuration's hash leaves the field out, and so do
    the tasks of training, unless they read it all the same.
    """

    is_read: bool = False
    """Whether training reads it, though the trained model is the same whatever it says."""


@dataclass(frozen=True)
class AddedLater:
    """Marks a field that registered versions were trained without.

    While it has its default, the configuration's hash leaves it out: theirs stays what it was.
    """


@dataclass(frozen=True)
class Surroundings:
    """What a file is read against: the validation context that the reader hands to pydantic.

    Without it (a section made in code, or one that comes back from a document) only the text
    itself is checked.
    """

    project: Path
    """The folder that paths in the file start from."""
    python_packages: tuple[str, ...]
    """Packages whose code may be named by dotted path."""
    plugins: tuple[str, ...] = ()
    """Packages that may add kinds: see `factory.kinds`."""
    data_folders: tuple[str, ...] = DATA_FOLDERS
    """Folders of the project below which sources may read files."""
    storage: str = ""
    """The lake's address; empty where it is not known."""
    internal_hosts: tuple[str, ...] = ()
    """Servers of the worker's own network that sources may ask, and notifiers tell."""
    operators: tuple[str, ...] = ()
    """Operators, and packages of them, that `dags` may name; `*` is all of Airflow's."""
    connections: tuple[str, ...] | None = None
    """The Airflow connections that the team may use; None for all."""
    team: str | None = None
    """The name that the team must have."""
    environment: str | None = None
    """Whose overlays apply; None for no overlays."""


def _check_name(value: str) -> str:
    if not NAME.fullmatch(value):
        raise PydanticCustomError(
            "name",
            "{value} is not a name: use lower-case letters, digits and underscores, "
            "starting with a letter, at most 63 characters",
            {"value": repr(value), "suggestion": as_name(value)},
        )
    return value


def as_name(value: str) -> str:
    """The name that is nearest to a text, such as `grosse_2024` of `Größe (2024)`; empty where there is none."""
    # Late: it is seldom asked for.
    import unicodedata

    letters = unicodedata.normalize("NFKD", value.casefold())
    plain = "".join(letter for letter in letters if not unicodedata.combining(letter))
    name = re.sub(r"[^a-z0-9]+", "_", plain).strip("_")[:63]
    return name if NAME.fullmatch(name) else ""


def _check_reference(value: str) -> str:
    parts = value.split(".")
    if len(parts) > 2 or not all(NAME.fullmatch(part) for part in parts):
        raise PydanticCustomError(
            "reference",
            "{value} does not name a dataset: write `dataset` for one of this team's, "
            "`team.dataset` for another's",
            {"value": repr(value)},
        )
    return value


def check_dotted_path(value: str, info: ValidationInfo) -> str:
    """The path as it is, if it is one and its package is allowed."""
    return check_path(value, info.context)


def check_path(value: str, surroundings: object) -> str:
    """As `check_dotted_path`, for a path that is no field: against the context that a rule is given.

    Raises:
        PydanticCustomError: It is no dotted path, or names what may not be named.
    """
    packages = surroundings.python_packages if isinstance(surroundings, Surroundings) else ()
    if not DOTTED_PATH.fullmatch(value):
        raise PydanticCustomError(
            "dotted_path",
            "{value} is not a dotted path: write `package.module.name`",
            {"value": repr(value), "suggestion": _meant(value, packages) or ""},
        )
    if not is_public(value):
        raise PydanticCustomError(
            "private",
            "`{value}` is private to its package: a name that starts with an underscore is not for others",
            {
                "value": value,
                "suggestion": _meant(value, packages) or "",
                "advice": "name what the package documents",
            },
        )
    if isinstance(surroundings, Surroundings):
        _check_package(value, surroundings.python_packages)
    return value


def _meant(value: str, packages: tuple[str, ...]) -> str | None:
    """The path of an allowed package that was probably meant."""
    written = re.sub(r"\(.*\)$", "", value.strip())
    return meant_path(written, packages) if re.fullmatch(r"[\w.]+", written) else None


def _check_own_function(value: str) -> str:
    package = value.partition(".")[0]
    if package not in LIBRARY_FUNCTIONS:
        return value
    raise PydanticCustomError(
        "function",
        "`{value}` is of {package}, which has no function for this",
        {"value": value, "package": package, "advice": "name a function of a package of your own"},
    )


def _check_function(value: str) -> str:
    if is_callable_by_teams(value):
        return value
    package = value.partition(".")[0]
    functions = LIBRARY_FUNCTIONS[package]
    raise PydanticCustomError(
        "function",
        "`{value}` is none of the functions of {package} that may be called",
        {
            "value": value,
            "package": package,
            "advice": did_you_mean(
                value,
                functions,
                f"write one of {one_of(sorted(functions))}, or a function of your own",
            ),
        },
    )


def _check_package(value: str, packages: tuple[str, ...]) -> None:
    if is_within(value, packages):
        return
    package, _, rest = value.partition(".")
    near = closest(package, packages, likeness=0.75)
    meant = f"{near}.{rest}" if near else _meant(value, packages)
    advice = how_to_allow(package)
    raise PydanticCustomError(
        "package",
        "`{value}` is outside the packages that may be named here: {packages}",
        {
            "value": value,
            "packages": ", ".join(packages) or "none",
            "advice": f"did you mean `{meant}`?" if meant else advice,
        },
    )


def is_duration(text: str) -> bool:
    """Whether a text is a duration."""
    return _DURATION.fullmatch(text.strip()) is not None


def read_duration(value: object) -> int:
    """The seconds of a duration as it is written.

    Raises:
        PydanticCustomError: It is none.
    """
    if isinstance(value, str) and (match := _DURATION.fullmatch(value.strip())):
        seconds = int(match[1]) * _SECONDS[match[2]]
        if seconds <= _LONGEST:
            return seconds
        raise PydanticCustomError(
            "duration", "{value} is longer than a century: write less", {"value": repr(value)}
        )
    raise PydanticCustomError(
        "duration",
        "{value} is not a duration: write a number and a unit, such as 30s, 15m, 12h, 7d or 2w",
        {"value": repr(value), "advice": _meant_duration(value)},
    )


def _meant_duration(value: object) -> str | None:
    if isinstance(value, int):
        return f"write {value}s for seconds, or {value}m for minutes"
    match = _DURATION_IN_WORDS.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        return None
    unit = match[2][0].lower()
    return (
        f"write {match[1]}{unit}"
        if match[2].lower()[:2] != "mo"
        else f"write {30 * int(match[1])}d"
    )


def _check_path(value: str) -> str:
    path = PurePosixPath(value)
    if path.is_absolute() or ".." in path.parts or "://" in value:
        raise PydanticCustomError(
            "path",
            "{value} is outside the project: write a path below the project's folder, "
            "without `..` (globs such as data/*.csv are fine)",
            {"value": repr(value)},
        )
    if is_hidden(path):
        raise PydanticCustomError(
            "path",
            "{value} is hidden: what starts with a dot is not read",
            {"value": repr(value), "advice": "move the file to a folder whose name has no dot"},
        )
    return value


def check_data_path(value: str, info: ValidationInfo) -> str:
    """A path below one of the folders that sources may read."""
    _check_path(value)
    surroundings = info.context
    folders = surroundings.data_folders if isinstance(surroundings, Surroundings) else (".",)
    path = PurePosixPath(value)
    kept_out = any(path.is_relative_to(folder) for folder in KEPT_OUT)
    if kept_out or not any(path.is_relative_to(folder) for folder in folders):
        raise PydanticCustomError(
            "data_path",
            "{value} is outside the folders that sources may read: {folders}",
            {
                "value": repr(value),
                "folders": ", ".join(folders),
                "advice": f"write `{value.replace(chr(92), '/')}`: a backslash is part of a name here"
                if "\\" in value
                else "move it there, or let the platform add its folder to `data_folders` in "
                "_defaults.yaml",
            },
        )
    return value


def _check_is_there(value: str, info: ValidationInfo) -> str:
    surroundings = info.context
    if not isinstance(surroundings, Surroundings):
        return value
    project = surroundings.project.resolve()
    found = (project / value).resolve()
    inside = found.is_file() and found.is_relative_to(project)
    # A link may lead to a file of another kind, or to another team's rows.
    is_other = found.suffix != PurePosixPath(value).suffix or _is_in_lake(found, surroundings)
    if not inside or is_other or is_hidden(found.relative_to(project)):
        raise PydanticCustomError(
            "project_file",
            "there is no file {value} in the project",
            {"value": repr(value), "advice": "paths start at the project's folder, above configs/"},
        )
    return value


def _is_in_lake(file: Path, surroundings: Surroundings) -> bool:
    folder = surroundings.storage.removeprefix("file://")
    return folder.startswith("/") and file.is_relative_to(Path(folder).resolve())


def _check_is_sql(value: str) -> str:
    if not value.endswith(".sql"):
        raise PydanticCustomError(
            "project_file",
            "{value} is no file of SQL: its name does not end with .sql",
            {"value": repr(value), "advice": "give the file with the query such a name"},
        )
    return value


Name = Annotated[str, AfterValidator(_check_name)]
"""The name of a team, dataset or model."""

Reference = Annotated[str, AfterValidator(_check_reference)]
"""A dataset by name: `dataset` within the team, `team.dataset` across teams."""

DottedPath = Annotated[str, AfterValidator(check_dotted_path)]
"""A Python object by `package.module.name`; its package must be allowed in `_defaults.yaml`."""

OwnFunctionPath = Annotated[DottedPath, AfterValidator(_check_own_function)]
"""A function by `package.module.name`, of a package that is no library."""

FunctionPath = Annotated[DottedPath, AfterValidator(_check_function)]
"""A function by `package.module.name`; of libraries only those of `factory.base.code` may be called."""

Seconds = Annotated[
    int,
    BeforeValidator(read_duration),
    PlainSerializer(lambda seconds: f"{seconds}s"),
    WithJsonSchema(
        {"type": "string", "pattern": DURATION_PATTERN, "examples": ["30s", "15m", "12h", "7d"]}
    ),
]
"""A duration, written `30s`, `15m`, `12h`, `7d` or `2w`; whole seconds once read."""

Text = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]
"""A string that says something."""

ProjectPath = Annotated[Text, AfterValidator(_check_path)]
"""A path below the project's folder."""

DataPath = Annotated[Text, AfterValidator(check_data_path)]
"""A path or glob below one of the folders that sources may read: the platform's `data_folders`."""

ProjectFile = Annotated[ProjectPath, AfterValidator(_check_is_there)]
"""A file below the project's folder that is there when the team's file is read."""

SqlFile = Annotated[ProjectPath, AfterValidator(_check_is_sql), AfterValidator(_check_is_there)]
"""A file of the project with SQL; its text is shown where the query is."""


def qualify(reference: str, team: str) -> str:
    """The full name `team.dataset` of a dataset that `team` refers to."""
    return reference if "." in reference else f"{team}.{reference}"


class Referring(Section):
    """A section that may name datasets to read."""

    def references(self) -> dict[str, str]:
        """The datasets that it reads, by the fields that name them, as they are written."""
        return {}

    def with_full_names(self, team: str) -> Self:
        """The same with every dataset that it refers to as `team.dataset`."""
        names = {key: qualify(name, team) for key, name in self.references().items()}
        return self.model_copy(update=names)


def sections_below(value: object, path: KeyPath = ()) -> Iterator[tuple[KeyPath, Section]]:
    """A section and all that are in it, each with the way to it."""
    if isinstance(value, Section):
        yield path, value
    for key, child in _children(value):
        yield from sections_below(child, (*path, key))


def texts_below(value: object, path: KeyPath = ()) -> Iterator[tuple[KeyPath, str]]:
    """The texts in a section, each with the way to it."""
    if isinstance(value, str):
        yield path, value
    for key, child in _children(value):
        yield from texts_below(child, (*path, key))


def _children(value: object) -> Iterable[tuple[str | int, object]]:
    if isinstance(value, Section):
        return ((name, getattr(value, name)) for name in type(value).model_fields)
    if isinstance(value, dict):
        return value.items()
    if isinstance(value, (tuple, list)):
        return enumerate(value)
    return ()
