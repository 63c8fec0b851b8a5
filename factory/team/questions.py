"""What only heavy imports can tell about team files, such as whether an estimator takes a parameter."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from factory.base.answers import UnansweredError, answers
from factory.base.code import is_within
from factory.base.findings import KeyPath, Question
from factory.base.section import sections_below
from factory.team.dag_questions import dag_questions
from factory.team.problems import Problem
from factory.team.reader import TeamFile


def kept_answers(project: Path) -> Path:
    """The file that keeps answers for a project."""
    return project / ".factory" / "cache" / "answers.json"


Asked = tuple[TeamFile, Question]
"""A question about a team's file; what it tells has paths from the top of the file."""


def find_by_asking(
    files: Iterable[TeamFile], kept_in: Path | None, further: Iterable[Asked] = ()
) -> Iterator[Problem]:
    """The problems and warnings that the answers to questions show.

    Args:
        files: The teams, whose sections ask.
        kept_in: The file with earlier answers; None to keep none.
        further: Questions that take more than one file to ask.
    """
    asked: list[tuple[TeamFile, KeyPath, Question]] = [
        (file, path, question)
        for file in files
        for path, question in (*_of_sections(file), *(((), one) for one in dag_questions(file)))
        if all(is_within(named, file.python_packages) for named in question.imports)
    ]
    asked += [(file, (), question) for file, question in further]
    values = answers([(one.function, one.argument) for _, _, one in asked], kept_in)
    for (file, path, question), value in zip(asked, values, strict=True):
        if isinstance(value, UnansweredError):
            yield file.source.problem(
                "unanswered", 1, 1, f"not everything could be looked at: {value}"
            )
            continue
        for finding in question.tell(value):
            yield file.layers.locate(finding.below(path))


def _of_sections(file: TeamFile) -> Iterator[tuple[KeyPath, Question]]:
    for path, section in sections_below(file.team):
        yield from ((path, question) for question in section.questions())
