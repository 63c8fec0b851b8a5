"""New teams, and new sections in a team's file, whose text otherwise stays as it is, comments included."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from yaml.nodes import MappingNode, ScalarNode

from factory.base.errors import TerminalError
from factory.base.texts import did_you_mean, one_of
from factory.data.profile.proposal import flow
from factory.starter_project.project_files import (
    from_template,
    refuse_files,
    write_files,
)

if TYPE_CHECKING:
    from factory.team.yaml_tree import YamlTree

_INDENT = 2
_AMOUNTS = ("DOUBLE", "FLOAT", "REAL", "DECIMAL")
_TIMES = ("DATE", "TIME")


class UnfitFileError(TerminalError):
    """A team's file into which no section can be written."""


def add_team(configs: Path, name: str) -> Path:
    """Write the file of a new team, with a first dataset of its name; its path.

    Raises:
        FileThereError: There is such a team.
    """
    path = f"{name}.yaml"
    refuse_files(configs, (path, f"{name}.yml"), "choose another name")
    write_files(configs, {path: team_text(name)}, {})
    return configs / path


def team_text(name: str) -> str:
    """The text of a new team's file, with a first dataset of its name."""
    section = _indented(from_template("dataset.yaml", name=name), _INDENT)
    return from_template("team.yaml", team=name) + "".join(["datasets:\n", *section])


def add_section(
    file: Path, section: Literal["datasets", "models"], name: str, train_on: str | None = None
) -> int:
    """Write a dataset or a model at the end of its part of a team's file; the line where it begins.

    Args:
        file: The team's.
        section: The part.
        name: The dataset's or model's.
        train_on: The dataset that a model learns from; the team's first one if left out.

    Raises:
        UnfitFileError: There is no such file, it is no YAML, the name is there, the part is written in braces, or
            there is no dataset to learn from.
    """
    from factory.base.files import whole_file

    text = _text(file)
    tree = _parsed(file, text)
    for part in ("datasets", "models"):
        if (line := _names(tree.root, part).get(name)) is not None:
            raise UnfitFileError(f"{file}:{line}: there is `{name}` already: choose another name")
    place = _place(file, tree.root, section, text)
    new = _dataset(name) if section == "datasets" else _model(file, tree, name, train_on)
    lines = [f"{line}\n" for line in text.splitlines()]
    head = [] if place.has_part else [f"{section}:\n"]
    added = [*head, *_indented(new, place.indent)]
    changed = "".join([*lines[: place.line], *added, *lines[place.line :]])
    _check_rest(file, tree, changed, section, name)
    end = "\r\n" if b"\r\n" in file.read_bytes() else "\n"
    with whole_file(file) as unfinished:
        unfinished.write_text(changed, encoding="utf-8", newline=end)
    return place.line + 1 + len(head)


def _dataset(name: str) -> str:
    return from_template("dataset.yaml", name=name)


def _model(file: Path, tree: "YamlTree", name: str, train_on: str | None) -> str:
    """A model of a dataset; of its last column, if its columns are declared."""
    datasets = _mapping(tree.value.get("datasets"))
    train_on = train_on or next(iter(datasets), None)
    if train_on is None:
        raise UnfitFileError(
            f"{file}: the team has no dataset to learn from: name another team's by --train-on TEAM.DATASET"
        )
    _check_dataset(file, tree, train_on)
    columns = _mapping(_mapping(datasets.get(train_on)).get("columns"))
    kinds = {name: str(kind).upper() for name, kind in columns.items()}
    target = next((name for name in reversed(kinds) if not kinds[name].startswith(_TIMES)), None)
    is_amount = target is not None and kinds[target].startswith(_AMOUNTS)
    return from_template(
        "model.yaml",
        name=name,
        dataset=flow(train_on),
        target=flow(target or "target"),
        task="regression" if is_amount else "classification",
    )


def _check_dataset(file: Path, tree: "YamlTree", name: str) -> None:
    """Check that a team has a dataset, or predictions, of a name.

    Raises:
        UnfitFileError: It has not; names what may be meant.
    """
    from factory.team.reader import datasets_in

    team, _, own = name.rpartition(".")
    other = tree if team in ("", file.stem) else _tree(file.with_name(f"{team}.yaml"))
    names = sorted(datasets_in(other.value))
    if own not in names:
        there = f"it has {one_of(names)}" if names else "it has none"
        raise UnfitFileError(
            f"--train-on {name}: the team {team or file.stem} has no dataset `{own}`: {did_you_mean(own, names, there)}"
        )


def _tree(file: Path) -> "YamlTree":
    return _parsed(file, _text(file))


def _mapping(value: object) -> dict[str, Any]:
    """The value if it is a mapping; of a file with problems it may be anything."""
    return value if isinstance(value, dict) else {}


def _indented(text: str, indent: int) -> list[str]:
    return [f"{' ' * indent}{line}\n" for line in text.splitlines()]


def _check_rest(file: Path, before: "YamlTree", text: str, section: str, name: str) -> None:
    """Check that a changed text says what it said before, and the new section beside.

    Raises:
        UnfitFileError: It does not, such as where a value is not indented as others are.
    """
    after = _parsed(file, text).value
    part = {key: one for key, one in _mapping(after.get(section)).items() if key != name}
    if {**after, section: part} != {**before.value, section: before.value.get(section) or {}}:
        raise UnfitFileError(
            f"{file}: nothing can be added to `{section}` without changing what is there: indent it as a block"
        )


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except FileNotFoundError:
        names = sorted(one.stem for one in file.parent.glob("[!_.]*.yaml"))
        there = f"there are {one_of(names)}" if names else "`factory new team NAME` makes one"
        raise UnfitFileError(
            f"{file} is not there: {did_you_mean(file.stem, names, there)}"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise UnfitFileError(f"{file} cannot be read: {error}") from error


def _parsed(file: Path, text: str) -> "YamlTree":
    from factory.team.problems import ReadFailed
    from factory.team.source_text import SourceText
    from factory.team.yaml_tree import parse

    try:
        tree = parse(SourceText(file, text))
    except ReadFailed as problem:
        raise UnfitFileError(f"{problem}\n\nMend that first") from None
    if tree.root.flow_style:
        raise UnfitFileError(
            f"{file}:1: the file is written in braces, and not as lines `key: value`"
        )
    return tree


def _part(root: MappingNode, section: str) -> tuple[ScalarNode, object] | None:
    for key, value in root.value:
        if isinstance(key, ScalarNode) and key.value == section:
            return key, value
    return None


def _names(root: MappingNode, section: str) -> dict[str, int]:
    """The names in a part, and their lines."""
    part = _part(root, section)
    if part is None or not isinstance(part[1], MappingNode):
        return {}
    return {key.value: key.start_mark.line + 1 for key, _ in part[1].value}


@dataclass(frozen=True)
class _Place:
    """Where a section goes."""

    line: int
    """Behind this one."""
    indent: int
    has_part: bool
    """Whether the key of its part is there."""


def _place(file: Path, root: MappingNode, section: str, text: str) -> _Place:
    """Where a section goes.

    Raises:
        UnfitFileError: The part is written in braces.
    """
    lines = text.splitlines()
    part = _part(root, section)
    if part is None:
        return _Place(len(lines), _INDENT, has_part=False)
    key, value = part
    line = key.start_mark.line
    if isinstance(value, MappingNode) and value.value and not value.flow_style:
        indent = value.value[0][0].start_mark.column
        return _Place(_last_line(lines, line, indent), indent, has_part=True)
    is_empty = isinstance(value, ScalarNode) and not value.value
    if is_empty:
        return _Place(line + 1, key.start_mark.column + _INDENT, has_part=True)
    raise UnfitFileError(
        f"{file}:{line + 1}: `{section}` is written in braces: write each name into a line of its own, indented "
        "below it, and call this again"
    )


def _last_line(lines: list[str], key: int, indent: int) -> int:
    """The line behind which a block of this indentation ends, comments that belong to it included."""
    last = key + 1
    for number, line in enumerate(lines[key + 1 :], key + 2):
        is_deep = len(line) - len(line.lstrip(" ")) >= indent
        if is_deep and line.strip():
            last = number
        elif line.strip() and not line.startswith("#"):
            break
    return last
