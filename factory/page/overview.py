"""All teams at a glance, or one of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from factory.page.visit import NotThereError, Visit
from factory.status.gathering import Status, gather

_MOST = 20
"""Teams of which all is shown at once; more are listed by name."""


@dataclass(frozen=True)
class Overview:
    """What the first page shows."""

    teams: Sequence[str]
    """The names of all teams."""
    team: str | None
    """The one that is shown alone."""
    status: Status | None
    """None where there are too many teams to look at each."""
    problems: Mapping[str, int]
    """The problems of each team's file that has some."""


def overview(visit: Visit, asked: Mapping[str, str]) -> Overview:
    """How teams stand, as far as this person may see their DAGs.

    Args:
        visit: Who looks.
        asked: `team`, if one alone is meant.

    Raises:
        NotThereError: There is no such team.
    """
    project = visit.project()
    teams = sorted({*project.catalog.teams, *(one.file.stem for one in project.problems)})
    team = asked.get("team") or None
    if team is not None and team not in teams:
        raise NotThereError(f"there is no team {team!r}")
    problems: dict[str, int] = {}
    for problem in project.problems:
        problems[problem.file.stem] = problems.get(problem.file.stem, 0) + 1
    if team is None and len(teams) > _MOST:
        return Overview(teams, None, None, problems)
    with visit.lake(project, team or "") as lake:
        found = gather(
            project,
            [team] if team else [],
            lake=lake,
            tracking=visit.tracking(),
            airflow=visit.airflow,
        )
    seen = found.model_copy(
        update={
            "datasets": tuple(one for one in found.datasets if visit.may(one.dag_id, "read")),
            "models": tuple(one for one in found.models if visit.may(one.dag_id, "read")),
        }
    )
    return Overview(teams, team, seen, problems)
