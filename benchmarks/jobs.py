"""What is measured."""

from typing import NamedTuple

from benchmarks.teams import DAGS_A_TEAM


class Job(NamedTuple):
    """What is measured: a full parse of a project's DAGs, or the start of a task of one DAG."""

    contestant: str
    teams: int
    what: str = "parse"

    @property
    def dag_id(self) -> str | None:
        """The DAG whose task starts: one of a team in the middle."""
        name = {"training": "progression.train", "dataset": "rows"}.get(self.what)
        return f"team_{self.teams // 2:04}.{name}" if name else None

    @property
    def dags(self) -> int:
        """How many DAGs there must be afterwards."""
        if self.dag_id is None or self.contestant == "dagfactory":
            return DAGS_A_TEAM * self.teams
        return 1 if self.contestant == "ours" else DAGS_A_TEAM


def one_round(few: int, many: int, repeats: int) -> list[Job]:
    """What is measured in turn: full parses of many teams, and `repeats` times a task's start."""
    cheap = [Job("ours", many), Job("handwritten", many)]
    parses = [*cheap, Job("dagfactory", many), *cheap]
    starts = [
        Job(contestant, size, what)
        for size in (few, many)
        for contestant, what in (
            ("ours", "training"),
            ("ours", "dataset"),
            ("handwritten", "training"),
        )
    ]
    # dag-factory builds all DAGs at a task's start, as is checked with a few teams: with many, its
    # full parse says how long that takes.
    return [*parses, *starts * repeats, Job("dagfactory", few, "training")]
