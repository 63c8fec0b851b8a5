"""Team files and `_defaults.yaml`: what is read, in which layers, and where problems are shown."""

import re
import time
from pathlib import Path

import pytest

from factory.team.checking import check_team
from factory.team.problems import ReadFailed
from factory.team.reader import read_platform, team_path, team_paths
from factory.team.yaml_tree import MAX_PROBLEMS
from factory.training.search.grid import GridSearch
from tests.team.folder import MARINE, Folder

OUTSIDE = "is outside the packages that may be named here: sklearn, palmerpenguins"


def test_valid_file_is_read(folder: Folder) -> None:
    folder.write("marine", MARINE)
    file = folder.read()
    assert file.name == "marine"
    search = file.team.models["species"].search
    assert isinstance(search, GridSearch)
    assert search.candidates[0].params == {"C": [0.1, 1.0, 10.0], "max_iter": 1000}
    assert file.team.datasets["penguins"].when.cron == "@daily"
    assert file.team.defaults.retries == 1


def test_shipped_teams_are_valid() -> None:
    configs = Path(__file__).parents[2] / "configs"
    assert len(team_paths(configs)) >= 3
    assert [problem for path in team_paths(configs) for problem in check_team(path)] == []


def test_all_problems_of_a_file_are_found_in_one_pass(folder: Folder) -> None:
    text = MARINE.replace("retries", "retry").replace("version: 1", "version: 2")
    text = text.replace("    schedule:", "    shedule: x\n    schedule:", 1)
    text = text.replace("seed: 7", "seed: '7', seed: 8").replace("min: 300", "min: no")
    text = text.replace("call: palmerpenguins.", "call: os.")
    folder.write("marine", text)
    assert folder.problems() == [
        "marine.yaml:1:10: `version` cannot be the number 2",
        "marine.yaml:7:5: unknown key `shedule`",
        f"marine.yaml:9:34: `os.load_penguins` {OUTSIDE}",
        "marine.yaml:12:33: `no` means different things to different readers of YAML",
        "marine.yaml:19:47: `seed` must be a whole number, found the text '7'",
        "marine.yaml:19:52: the key `seed` appears twice: first at 19:41, again at 19:52",
    ]


def test_thousands_of_problems_take_no_long_time(folder: Folder) -> None:
    keys = "".join(f"    key_{index}: [1]\n" for index in range(20_000))
    folder.write("marine", MARINE.replace("    checks:\n", f"{keys}    checks:\n", 1))
    start = time.monotonic()
    assert len(folder.problems()) == MAX_PROBLEMS
    assert time.monotonic() - start < 10


# Layers


def test_platform_defaults_lie_below_a_teams_own(folder: Folder) -> None:
    folder.write(
        "_defaults",
        "python_packages: [sklearn, palmerpenguins]\n"
        "defaults: {retries: 4, pool: shared}\n"
        "datasets: {schedule: '@weekly', write: {mode: append}}\n"
        "models: {split: {test: 0.3, seed: 1}, search: {max_trials: 30}}\n",
    )
    folder.write("marine", "defaults: {retries: 2}\n" + MARINE)
    team = folder.read().team
    assert (team.defaults.retries, team.defaults.pool) == (2, "shared")
    dataset, model = team.datasets["penguins"], team.models["species"]
    assert (dataset.when.cron, dataset.write.mode) == ("@daily", "append")
    assert (model.split.test, model.split.seed, model.search.max_trials) == (0.2, 7, 30)


def test_every_layer_wins_over_the_one_below(folder: Folder) -> None:
    written = {
        "platform": "defaults: {retries: 1}\n",
        "platform environment": "environments: {prod: {defaults: {retries: 2}}}\n",
        "team": "defaults: {retries: 3}\n",
        "team environment": "environments: {prod: {defaults: {retries: 4}}}\n",
    }
    packages = "python_packages: [sklearn, palmerpenguins]\n"
    for count in range(1, 5):
        texts = list(written.values())[:count]
        folder.write("_defaults", packages + "".join(texts[:2]))
        folder.write("marine", "".join(texts[2:]) + MARINE)
        assert folder.read(environment="prod").team.defaults.retries == count
        without = {1: 1, 2: 1, 3: 3, 4: 3}[count]
        assert folder.read(environment="dev").team.defaults.retries == without
        assert folder.read(environment=None).team.defaults.retries == without


def test_lists_are_replaced_and_mappings_merged(folder: Folder) -> None:
    overlay = (
        "environments:\n  prod:\n    datasets:\n      penguins:\n        schedule: '@hourly'\n"
        "        checks: [{check: row_count, min: 1}]\n"
    )
    folder.write("marine", MARINE + overlay)
    dataset = folder.read(environment="prod").team.datasets["penguins"]
    assert dataset.when.cron == "@hourly"
    assert [check.check for check in dataset.checks] == ["row_count"]
    assert dataset.source.type == "python"


def test_another_type_replaces_the_whole_mapping(folder: Folder) -> None:
    overlay = (
        "environments: {prod: {datasets: {penguins: {source: {type: csv, path: data/a.csv}}}}}\n"
    )
    folder.write("marine", MARINE + overlay)
    source = folder.read(environment="prod").team.datasets["penguins"].source
    assert source.type == "csv"
    overlay = "environments: {prod: {datasets: {penguins: {source: {arguments: {a: 1}}}}}}\n"
    folder.write("marine", MARINE + overlay)
    source = folder.read(environment="prod").team.datasets["penguins"].source
    assert source.type == "python"
    assert source.arguments == {"a": 1}


def test_environment_that_no_file_mentions_changes_nothing(folder: Folder) -> None:
    folder.write("marine", MARINE + "environments: {prod: , test: {owner: x@example.org}}\n")
    assert folder.read(environment="prod").team == folder.read(environment="elsewhere").team
    assert folder.read(environment="test").team.owner == "x@example.org"


def test_platform_settings_differ_by_environment(folder: Folder) -> None:
    folder.write("_defaults", "storage: a\nenvironments: {prod: {storage: 's3://b/lake'}}\n")
    assert read_platform(folder.configs, "dev").config.storage == "a"
    assert read_platform(folder.configs, "prod").config.storage == "s3://b/lake"


def test_without_a_defaults_file_the_built_in_holds(folder: Folder) -> None:
    (folder.configs / "_defaults.yaml").unlink()
    assert read_platform(folder.configs, "dev").config.storage == ".factory/lake"


# Where problems are shown


def test_problem_with_an_inherited_value_is_shown_in_the_defaults_file(folder: Folder) -> None:
    folder.write(
        "_defaults",
        "python_packages: [sklearn, palmerpenguins]\n"
        "defaults:\n  retries: many\n"
        "models:\n  split: {tset: 0.2}\n"
        "environments:\n  dev:\n    datasets: {write: {mode: apend}}\n",
    )
    folder.write("marine", MARINE)
    assert folder.problems(environment="dev") == [
        "_defaults.yaml:3:12: `retries` must be a whole number, found the text 'many'",
        "_defaults.yaml:5:11: unknown key `tset`",
        "_defaults.yaml:8:30: `mode` cannot be the text 'apend'",
    ]


def test_problem_with_an_overlaid_value_is_shown_in_the_overlay(folder: Folder) -> None:
    overlay = "environments:\n  prod:\n    models: {species: {split: {test: much}}}\n"
    folder.write("marine", MARINE + overlay)
    line = (MARINE + overlay).splitlines().index("    models: {species: {split: {test: much}}}") + 1
    assert folder.problems(environment="prod") == [
        (
            f"marine.yaml:{line}:38: 'much' is no share of the rows: write a fraction between 0 and 1 or, "
            "with `method: time`, a period such as 30d"
        )
    ]


def test_what_is_missing_is_missing_in_the_teams_own_file(folder: Folder) -> None:
    folder.write("_defaults", "python_packages: [sklearn]\ndatasets: {schedule: '@daily'}\n")
    folder.write(
        "marine", "version: 1\nteam: marine\nowner: o\ndatasets:\n  penguins: {description: x}\n"
    )
    assert folder.problems() == ["marine.yaml:5:13: `source` is missing"]


def test_every_value_is_located_in_the_file_that_it_comes_from(folder: Folder) -> None:
    folder.write(
        "_defaults",
        "python_packages: [sklearn, palmerpenguins]\n"
        "defaults: {pool: shared}\ndatasets: {reads: [platform_reads]}\n",
    )
    overlay = "environments: {prod: {datasets: {penguins: {description: in prod}}}}\n"
    folder.write("marine", MARINE + overlay)
    file = folder.read(environment="prod")
    shown = {
        ("defaults", "pool"): "shared",
        ("datasets", "penguins", "reads", 0): "platform_reads",
        ("datasets", "penguins", "description"): "in prod",
        ("datasets", "penguins", "source", "call"): "palmerpenguins.load_penguins",
        ("models", "species", "search", "candidates", 1, "params", "max_depth", 0): "4",
    }
    for path, value in shown.items():
        problem = file.problem("unknown_key", path, "here")
        text = problem.file.read_text().splitlines()[problem.line - 1]
        assert text[problem.column - 1 :].startswith(value), (path, problem)
        assert problem.length == len(value)


def test_problem_in_the_defaults_file_alone(folder: Folder) -> None:
    folder.write("_defaults", "storrage: x\npython_packages: sklearn\nstorage: x\nstorage: y\n")
    folder.write("marine", MARINE)
    assert folder.problems() == [
        "_defaults.yaml:1:1: unknown key `storrage`",
        "_defaults.yaml:2:18: `python_packages` must be a list, found the text 'sklearn'",
        "_defaults.yaml:4:1: the key `storage` appears twice: first at 3:1, again at 4:1",
    ]


# What may be named


def test_allowed_package_may_be_dotted(folder: Folder) -> None:
    folder.write("_defaults", "python_packages: [sklearn, palmerpenguins.load]\n")
    folder.write("marine", MARINE)
    assert "`palmerpenguins.load_penguins` is outside the packages" in folder.problems()[0]
    folder.write(
        "marine", MARINE.replace("palmerpenguins.load_penguins", "palmerpenguins.load.all")
    )
    assert folder.read().name == "marine"


def test_package_whose_name_only_begins_alike_is_not_allowed(folder: Folder) -> None:
    folder.write("marine", MARINE.replace("sklearn.linear", "sklearn_evil.linear"))
    assert "`sklearn_evil.linear_model.LogisticRegression` is outside" in folder.problems()[0]


DAGS = """\
version: 1
team: marine
owner: o
dags:
  nightly:
    schedule: '@daily'
    default_args: {retry_delay: {__type__: datetime.timedelta, seconds: 30}}
    on_failure_callback: {callback: airflow.providers.smtp.notifications.smtp.SmtpNotifier, to: a}
    tasks:
      - {task_id: a, operator: airflow.providers.standard.operators.bash.BashOperator}
      - {task_id: b, decorator: airflow.sdk.task, python_callable: sklearn.datasets.load_iris}
"""


def test_dags_may_name_airflow_and_allowed_packages(folder: Folder) -> None:
    folder.write("marine", DAGS)
    assert list(folder.read().team.dags) == ["nightly"]


@pytest.mark.parametrize(
    ("written", "instead", "message"),
    [
        ("airflow.providers.smtp.notifications.smtp.SmtpNotifier", "os.system", "`os.system` is outside"),
        ("datetime.timedelta", "subprocess.run", "`subprocess.run` is outside"),
        ("to: a", "on_retry_callback_file: /x.py", "`on_retry_callback_file` runs a file"),
        ("task_id: a", "task_id: a, success_check_lambda: x", "`success_check_lambda` compiles"),
        ("schedule: '@daily'", "user_defined_macros: {run: os.system}", "`os.system` is outside"),
    ],
)  # fmt: skip
def test_dags_may_name_nothing_else(
    folder: Folder, written: str, instead: str, message: str
) -> None:
    folder.write("marine", DAGS.replace(written, instead))
    assert message in folder.problems()[0]


def test_reserved_keys_are_allowed_below_dags_only(folder: Folder) -> None:
    overlay = (
        "environments: {prod: {dags: {nightly: {vars: {x: {__type__: airflow.sdk.Asset}}}}}}\n"
    )
    folder.write("marine", DAGS + overlay)
    assert folder.read(environment="prod").name == "marine"
    folder.write("marine", DAGS + "environments: {prod: {defaults: {__type__: x}}}\n")
    assert "reserved" in folder.problems()[0]


def test_sql_file_must_lie_in_the_project(folder: Folder, tmp_path: Path) -> None:
    text = MARINE.replace(
        "    checks:", "    transforms: [{type: sql, file: sql/a.sql}]\n    checks:", 1
    )
    folder.write("marine", text)
    assert folder.problems() == ["marine.yaml:9:36: there is no file 'sql/a.sql' in the project"]
    (tmp_path / "sql").mkdir()
    (tmp_path / "sql" / "a.sql").write_text("select * from source")
    assert folder.read().name == "marine"
    (tmp_path / "sql" / "a.sql").unlink()
    (tmp_path / "sql" / "a.sql").symlink_to("/etc/hostname")
    assert "there is no file" in folder.problems()[0]


# Files and environments


def test_team_files_are_the_yaml_files_without_underscore(folder: Folder) -> None:
    for name in ("marine", "ecology"):
        folder.write(name, MARINE)
    (folder.configs / "notes.txt").write_text("x")
    (folder.configs / ".hidden.yaml").write_text("x")
    assert [path.name for path in team_paths(folder.configs)] == ["ecology.yaml", "marine.yaml"]


def test_team_is_found_without_a_look_at_the_others(folder: Folder) -> None:
    path = folder.write("marine", MARINE)
    assert team_path(folder.configs, "marine") == path
    assert team_path(folder.configs, "fishery") is None
    assert team_path(folder.configs, "../configs/marine") is None
    assert team_path(folder.configs, "_defaults") is None


def test_missing_folder_is_a_problem(tmp_path: Path) -> None:
    with pytest.raises(ReadFailed, match="the folder with the team files cannot be read"):
        team_paths(tmp_path / "nowhere")


def test_file_ending_in_yml_is_not_ignored_silently(folder: Folder) -> None:
    path = folder.configs / "marine.yml"
    path.write_text(MARINE)
    assert [problem.message for problem in check_team(path)] == [
        "team files end in .yaml; this one is not read"
    ]


def test_every_environment_is_checked_and_named_where_it_matters(folder: Folder) -> None:
    text = MARINE.replace("min: 300", "min: '300'")
    path = folder.write("marine", text + "environments: {prod: {owner: 7}, test: {owner: a}}\n")
    folder.write("_defaults", (folder.configs / "_defaults.yaml").read_text()
                 + "environments: {stage: {defaults: {retries: x}}}\n")  # fmt: skip
    found = [f"{problem.file.name}: {problem.message}" for problem in check_team(path)]
    assert found == [
        "_defaults.yaml: `retries` must be a whole number, found the text 'x' (environment stage)",
        "marine.yaml: `min` must be a number, found the text '300'",
        "marine.yaml: `owner` must be text, found the number 7 (environment prod)",
    ]


def test_messages_speak_no_pydantic(folder: Folder) -> None:
    golden = Path(__file__).parent / "broken"
    words = re.compile(
        r"Input should|valid (?:string|integer|dictionary|tuple)|instance of|Extra inputs"
    )
    assert not [path for path in golden.glob("*.txt") if words.search(path.read_text())]
