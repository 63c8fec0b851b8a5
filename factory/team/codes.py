"""The codes of problems and warnings: one table, `codes.yaml`, from which `factory explain` and the docs are made.

A code stays what it is: a number that is no longer used is not given to something else. Code names what
it finds by the code's `name`, which for rules of our own is also the type of their pydantic error.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

REFUSED = "F099"
"""What a plug-in refuses by a rule of its own, which no table here can know."""


@dataclass(frozen=True)
class Code:
    """What one code means."""

    id: str
    """Such as F020."""
    name: str
    title: str
    explanation: str
    wrong: str
    """Part of a team file, or of the file named by `file`, that has the problem."""
    right: str
    """The same without it."""
    file: str = "team.yaml"
    extra: str = ""
    """The extra of this package without which there is nothing to find."""
    errors: tuple[str, ...] = ()
    """Types of pydantic's errors, beside `name`, that have this code."""

    @property
    def is_warning(self) -> bool:
        """Whether it may be meant."""
        return is_warning(self.id)

    @property
    def text(self) -> str:
        """The page of this code, in Markdown."""
        level = "a warning" if self.is_warning else "a problem"
        parts = [f"## {self.id}: {self.title}", f"`{self.id}` is {level}. {self.explanation}"]
        for word, example in (("Wrong", self.wrong), ("Right", self.right)):
            if example:
                where = "" if self.file == "team.yaml" else f", in {self.file}"
                parts.append(f"{word}{where}:\n\n```text\n{example.rstrip()}\n```")
        return "\n\n".join(parts) + "\n"


def is_warning(code: str) -> bool:
    """Whether what has this code may be meant."""
    return code >= "F100"


@cache
def table() -> Mapping[str, Code]:
    """Every code by its id, in their order."""
    # Late: files without problems need no table.
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    text = Path(__file__).with_name("codes.yaml").read_text("utf-8")
    entries: dict[str, dict[str, Any]] = yaml.load(text, loader)  # noqa: S506 - both are safe
    return {code: _read(code, entry) for code, entry in sorted(entries.items())}


def _read(code: str, entry: dict[str, Any]) -> Code:
    errors = tuple(entry.pop("errors", ()))
    explanation = " ".join(entry.pop("explanation").split())
    return Code(id=code, explanation=explanation, errors=errors, **entry)


@cache
def _by_name() -> Mapping[str, str]:
    return {name: code.id for code in table().values() for name in (code.name, *code.errors)}


def code_of(name: str) -> str:
    """The code of a name, or of a type of error; `REFUSED` where the table has none."""
    return _by_name().get(name, REFUSED)


def page() -> str:
    """The page of the docs that has all codes."""
    head = (
        "# Codes\n\n"
        "Each problem and warning of `factory validate` has a code, which stays what it is.\n"
        "`factory explain F020` prints what stands here. Codes below F100 are problems: the file's DAGs are\n"
        "withheld. Codes from F100 are warnings: what is probably wrong and could be meant. A comment at the end of\n"
        "the line, or of the line of its key, takes a warning back: `# factory: allow F101`.\n\n"
        "Examples leave out what they do not need.\n\n"
        "<!-- Made from factory/team/codes.yaml by `make codes`. -->\n\n"
    )
    rows = "".join(
        f"| [{code.id}](#{anchor(code)}) | {code.title} |\n" for code in table().values()
    )
    texts = "\n".join(code.text for code in table().values())
    return f"{head}| code | what |\n|---|---|\n{rows}\n{texts}"


def anchor(code: Code) -> str:
    """The anchor of a code's heading, as GitHub makes it."""
    heading = f"{code.id}: {code.title}".lower()
    kept = "".join(letter for letter in heading if letter.isalnum() or letter in " -_")
    return kept.replace(" ", "-")
