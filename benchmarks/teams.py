"""Projects of many teams in three forms: our team files, dag-factory's YAML, hand-written Python."""

import compileall
from pathlib import Path

from benchmarks import handwritten
from factory.catalog import read_all
from factory.documents.compile import compile_team
from factory.documents.installation import Installation
from factory.documents.rendering import to_yaml
from factory.team.environment import active_environment

DAGS_A_TEAM = 2

_TEAM = """\
version: 1
team: {team}
owner: {team}@example.org
description: Team {team} of a generated project.

datasets:
  rows:
    schedule: "@daily"
    source: {{type: python, call: sklearn.datasets.load_diabetes, arguments: {{as_frame: true}}, attribute: frame}}
    transforms:
      - {{type: sql, query: "select *, {number} as team_number from source where bmi is not null"}}
    checks:
      - {{check: not_null, columns: [target, bmi]}}
      - {{check: between, column: bmi, min: -1, max: 1}}
      - {{check: row_count, min: 400}}

models:
  progression:
    task: regression
    train_on: rows
    target: target
    search:
      strategy: grid
      candidates:
        - estimator: sklearn.linear_model.Ridge
          params: {{alpha: [0.1, 1.0, 10.0]}}
        - estimator: sklearn.ensemble.RandomForestRegressor
          params: {{n_estimators: [50, 100], max_depth: [4, 8]}}
    objective: {{metric: r2}}
"""


def generate(project: Path, teams: int) -> None:
    """Write a project of `teams` teams, one dataset and one model each.

    `configs/` holds the team files, `dagfactory/` what `factory render` prints for each, and
    `handwritten/` the same DAGs in Python, compiled to bytecode as after Airflow's first parse.

    Raises:
        RuntimeError: The generated team files have problems.
    """
    write_configs(project / "configs", teams)
    read = read_all(project / "configs", active_environment())
    if read.problems:
        raise RuntimeError(f"the generated project has problems: {read.problems[0]}")
    installation = Installation.of(read.platform, project)
    rendered, python = project / "dagfactory", project / "handwritten"
    rendered.mkdir()
    python.mkdir()
    for team, file in read.teams.items():
        documents = compile_team(file.team, installation)
        (rendered / f"{team}.yaml").write_text(to_yaml(documents), encoding="utf-8")
        (python / f"{team}.py").write_text(handwritten.source(documents), encoding="utf-8")
    compileall.compile_dir(python, quiet=2)


def write_configs(folder: Path, teams: int) -> None:
    """Write the team files alone.

    Args:
        folder: The project's `configs`; it is made.
        teams: How many there are to be.
    """
    folder.mkdir(parents=True)
    (folder / "_defaults.yaml").write_text("version: 1\npython_packages: [sklearn]\n")
    for number in range(teams):
        team = f"team_{number:04}"
        (folder / f"{team}.yaml").write_text(_TEAM.format(team=team, number=number))
