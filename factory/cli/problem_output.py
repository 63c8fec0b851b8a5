"""Problems and warnings as text, JSON, annotations of GitHub Actions, and SARIF."""

import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import typer

from factory.cli.called import as_called
from factory.team.codes import anchor, table
from factory.team.problems import Problem

_PAGE = "docs/codes.md"


def show(output: str, found: Sequence[Problem], count: int, *, is_linked: bool = True) -> None:
    """Print what was found.

    Args:
        output: `text`, `json`, `github` or `sarif`.
        found: Problems and warnings, in order.
        count: How many files were looked at.
        is_linked: Whether all of them are of the project, so that links between teams were looked at.
    """
    if output == "text":
        _show_text(found, count, is_linked=is_linked)
        return
    formats: dict[str, Callable[[Sequence[Problem]], str]] = {
        "github": _github,
        "sarif": _sarif,
    }
    text = _json(found, count) if output == "json" else formats[output](found)
    if text:
        typer.echo(text)


def _show_text(found: Sequence[Problem], count: int, *, is_linked: bool) -> None:
    for problem in found:
        colour = typer.colors.YELLOW if problem.is_warning else typer.colors.RED
        level = " warning:" if problem.is_warning else ""
        place = typer.style(problem.place, bold=True)
        typer.echo(f"{place}: {typer.style(f'{problem.code}{level} {problem.message}', fg=colour)}")
        for line in problem.snippet.splitlines():
            typer.echo(typer.style(f"    {line}", dim=True))
        if problem.suggestion:
            typer.echo(typer.style(f"    {problem.suggestion}", fg=typer.colors.GREEN))
        typer.echo()
    warnings = sum(problem.is_warning for problem in found)
    problems = len(found) - warnings
    if problems or warnings:
        parts = [
            *([_number(problems, "problem")] if problems else []),
            *([_number(warnings, "warning")] if warnings else []),
        ]
        colour = typer.colors.RED if problems else typer.colors.YELLOW
        said = typer.style(" and ".join(parts), fg=colour, bold=True)
        typer.echo(f"{said} in {_number(count, 'file')}")
        typer.echo(as_called(f"More about a code: factory explain {found[0].code}"))
        return
    typer.echo(typer.style(f"{_number(count, 'team file')}: no problems", fg=typer.colors.GREEN))
    if not is_linked:
        typer.echo(
            "Links to other teams were not looked at: a file is not in the project's configs/."
        )


def _json(found: Sequence[Problem], count: int) -> str:
    entries = [
        {
            "code": problem.code,
            "level": _level(problem),
            "file": _path(problem),
            "line": problem.line,
            "column": problem.column,
            "end_column": problem.column + problem.length,
            "message": problem.message,
            "suggestion": problem.suggestion,
        }
        for problem in found
    ]
    warnings = sum(problem.is_warning for problem in found)
    whole = {
        "files": count,
        "problems": len(found) - warnings,
        "warnings": warnings,
        "found": entries,
    }
    return json.dumps(whole, indent=2, ensure_ascii=False)


def _github(found: Sequence[Problem]) -> str:
    """One workflow command a problem, which GitHub shows at its line."""
    lines = []
    for problem in found:
        text = problem.message + (f"\n{problem.suggestion}" if problem.suggestion else "")
        properties = {
            "file": _path(problem),
            "line": problem.line,
            "col": problem.column,
            "endColumn": problem.column + problem.length,
            "title": problem.code,
        }
        shown = ",".join(f"{key}={_escaped(str(value), ':,')}" for key, value in properties.items())
        lines.append(f"::{_level(problem)} {shown}::{_escaped(text)}")
    return "\n".join(lines)


def _escaped(text: str, also: str = "") -> str:
    """As the runner's toolkit writes it; `%` first."""
    for character in ("%", "\r", "\n", *also):
        text = text.replace(character, f"%{ord(character):02X}")
    return text


def _sarif(found: Sequence[Problem]) -> str:
    """SARIF 2.1.0, which code scanning and editors read."""
    from importlib.metadata import version

    known = table()
    rules = [
        {
            "id": code.id,
            "name": code.name,
            "shortDescription": {"text": code.title},
            "fullDescription": {"text": code.explanation},
            "help": {"text": f"factory explain {code.id}; {_PAGE}#{anchor(code)}"},
            "defaultConfiguration": {"level": "warning" if code.is_warning else "error"},
        }
        for code in known.values()
    ]
    numbers = {code: index for index, code in enumerate(known)}
    driver = {"name": "factory", "version": version("ml-dag-factory"), "rules": rules}
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "results": [_result(problem, numbers[problem.code]) for problem in found],
    }
    schema = "https://json.schemastore.org/sarif-2.1.0.json"
    return json.dumps({"$schema": schema, "version": "2.1.0", "runs": [run]}, indent=2)


def _result(problem: Problem, rule: int) -> dict[str, Any]:
    text = problem.message + (f"\n{problem.suggestion}" if problem.suggestion else "")
    region = {
        "startLine": problem.line,
        "startColumn": problem.column,
        "endColumn": problem.column + problem.length,
    }
    return {
        "ruleId": problem.code,
        "ruleIndex": rule,
        "level": _level(problem),
        "message": {"text": text},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": Path(_path(problem)).as_posix()},
                    "region": region,
                }
            }
        ],
    }


def _level(problem: Problem) -> str:
    return "warning" if problem.is_warning else "error"


def _path(problem: Problem) -> str:
    """The file, relative to the working folder where it is below that, as annotations need it."""
    path = os.path.relpath(problem.file)
    return str(problem.file) if path.startswith("..") else path


def _number(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
