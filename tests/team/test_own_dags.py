"""What is wrong with a DAG in dag-factory's format is found without Airflow, at its key, with what to write."""

import random
from copy import deepcopy
from typing import Any

import pytest
import yaml

from factory.team.own_dags import check_own_dags
from factory.team.problems import Problem, ReadFailed
from tests.team.folder import Folder

HEAD = "version: 1\nteam: marine\nowner: marine@example.org\ndags:\n  tidy:\n"
EMPTY = "operator: airflow.providers.standard.operators.empty.EmptyOperator"
DAY = "{__type__: datetime.timedelta, days: 1}"
DOUBLE = "decorator: airflow.sdk.task, python_callable: sklearn.datasets.load_iris"
TASKS = f"""\
tasks:
  sweep: {{{EMPTY}}}
  polish: {{{EMPTY}, dependencies: [sweep]}}
"""


def indented(text: str) -> str:
    return "".join(f"    {line}\n" for line in text.splitlines())


def problems(folder: Folder, dag: str) -> list[Problem]:
    folder.write("marine", HEAD + indented(dag))
    try:
        folder.read()
    except ReadFailed as failed:
        return list(failed.problems)
    return []


def at(problem: Problem) -> str:
    """The text that the carets are below."""
    return problem.source[problem.column - 1 :][: problem.length]


@pytest.mark.parametrize(
    ("line", "place", "said", "advice"),
    [
        ('schedul: "@daily"', "schedul", "no key `schedul`", "did you mean `schedule`?"),
        ("access_control: {Nobody: {DAGs: [can_read]}}", "access_control", "all teams", "policy"),
        ("schedule_interval: 0 1 * * *", "schedule_interval", "no key", "write `schedule`"),
        ("timetable: {__type__: airflow.sdk.Asset}", "timetable", "no key", "below `schedule`"),
        ("retries: 3", "retries", "no key `retries`", "write it below `default_args`"),
        ("retry_dealy: 3", "retry_dealy", "no key", "`retry_delay`? It belongs below"),
        ("fail_fast: true", "fail_fast", "does not hand it on", "leave it out"),
        (
            "on_retry_callback: palmerpenguins.a",
            "on_retry_callback",
            "no key",
            "below `default_args`",
        ),
        ('schedule: "0 25 * * *"', '"0 25 * * *"', "not a cron expression", "five fields"),
        ('schedule: "@dayly"', '"@dayly"', "not a preset", "did you mean `@daily`?"),
        ('schedule: "6:30"', '"6:30"', "not a cron expression", '"30 6 * * *"'),
        ('schedule: "s3://bucket/a"', '"s3://bucket/a"', "is an address", '["s3://bucket/a"]'),
        ("schedule: 5", "5", "not a schedule", "cron"),
        ("schedule: [5]", "5", "not an asset", "address"),
        ("schedule: {datasets: [a]}", "{datasets: [a]}", "no `datasets`", "list of addresses"),
        ("schedule: {hours: 6}", "{hours: 6}", "is not a schedule", "datetime.timedelta"),
        ("schedule: {__and__: [a]}", "a", "cannot be combined", "airflow.sdk.Asset"),
        ('schedule: "@continuous"', '"@continuous"', "one run at a time", "max_active_runs: 1"),
        ("start_date: 2024-31-01", "2024-31-01", "is not a date", ""),
        ("start_date: someday", "someday", "is not a date", "2024-01-31"),
        ("start_date: P1D", "P1D", "is not a date", "2024-01-31"),
        ("start_date: 20240101", "20240101", "is not a date", "2024-01-31"),
        ("default_args: {start_date: 2 weeks}", "2 weeks", "is not a date", "2 days"),
        ("default_args: {end_date: never}", "never", "is not a date", ""),
        ("timezone: Europe/Berlni", "Europe/Berlni", "no time zone", "`Europe/Berlin`"),
        ("default_args: {retry_delay: 5 minutes}", "5 minutes", "span of time", "seconds: 300"),
        ("default_args: {retry_delay: -1}", "-1", "cannot be negative", ""),
        ("default_args: {execution_timeout: 300}", "300", "span of time", "datetime.timedelta"),
        ("dagrun_timeout: 3600", "3600", "span of time", "datetime.timedelta"),
        ("default_args: [a]", "[a]", "must be a mapping", ""),
        ("tags: nightly", "nightly", "must be a list", "write [nightly]"),
        ("tags: [1]", "1", "a tag must be a text", 'write "1"'),
        ('catchup: "false"', '"false"', "must be true or false", ""),
        ("max_active_runs: many", "many", "must be a whole number", ""),
        ("max_active_runs: true", "true", "must be a whole number", ""),
        ("description: 5", "5", "must be text", ""),
        ("params: [a]", "[a]", "must be a mapping", ""),
        ("on_failure_callback: [sklearn.a.b]", "[sklearn.a.b]", "one function", "callback:"),
        ("doc_md_file_path: /etc/passwd", "doc_md_file_path", "any file", "`doc_md: |`"),
    ],
)
def test_key_of_a_dag(folder: Folder, line: str, place: str, said: str, advice: str) -> None:
    [found] = problems(folder, f"{line}\n{TASKS}")
    assert (found.line, at(found)) == (6, place)
    assert said in found.message
    assert advice in (found.suggestion or "")


@pytest.mark.parametrize(
    ("task", "place", "said", "advice"),
    [
        ("dependencies: [swep]", "swep", "no task or group `swep`", "did you mean `sweep`?"),
        ("dependencies: [x]", "x", "no task or group `x`", "it has sweep, polish, extra"),
        ("dependencies: sweep", "sweep", "must be a list", "write [sweep]"),
        ("dependencies: [1]", "1", "not 1", "write its name"),
        ("dependencies: [extra]", "extra", "`extra` waits for itself", "take one"),
        ("task_group_name: tools", "tools", "no task group `tools`", "add `tools`"),
        ("parent_group_name: tools", "parent_group_name", "no key", "`task_group_name`"),
        ("outlets: mailed", "mailed", "must be a list of assets", "write [mailed]"),
        ("outlets: {file: 1}", "{file: 1}", "must be a list of assets", ""),
        ("expand: [a]", "[a]", "must be a mapping", "argument"),
        ("partial: {a: 1}", "partial", "for tasks with `expand`", "add `expand`"),
        ("start_date: 2024-01-01", "2024-01-01", "of a single task", "`default_args`"),
        ("execution_delta: 1 week", "1 week", "not a span of time", "1 day"),
        (f"execution_delta: {DAY}", DAY, "as text only", "1 day"),
        ("on_failure_callback: {call: a.b}", "{call: a.b}", "one function", "callback:"),
        ("expand: {a: swep.output}", "swep.output", "no task `swep`", "`sweep`"),
        ("expand: {a: polish.output}", "polish.output", "is made after", "add `polish`"),
        ("variables_as_arguments: [a]", "a", "`variable` and `attribute`", ""),
    ],
)
def test_key_of_a_task(folder: Folder, task: str, place: str, said: str, advice: str) -> None:
    [found] = problems(folder, f"{TASKS}  extra: {{{EMPTY}, {task}}}\n")
    assert (found.line, at(found)) == (9, place)
    assert said in found.message
    assert advice in (found.suggestion or "")


@pytest.mark.parametrize(
    ("task", "place", "said", "advice"),
    [
        ("extra: {}", "extra", "needs `operator` or `decorator`", ""),
        ("extra: {operater: a.b}", "operater", "no key `operater`", "did you mean `operator`?"),
        ("extra: {operator: 5}", "5", "must be the dotted path", ""),
        ("extra: echo", "echo", "`extra` must be a mapping", "`operator:`"),
        (f"a task: {{{EMPTY}}}", "a task", "is not the name of a task", "write `a_task`"),
        (f"extra: {{{EMPTY}, decorator: airflow.sdk.task}}", "decorator", "exclude", "keep one"),
        ("extra: {operator: BashOperator}", "BashOperator", "dotted path", "bash.BashOperator`?"),
    ],
)
def test_task_itself(folder: Folder, task: str, place: str, said: str, advice: str) -> None:
    found = problems(folder, f"{TASKS}  {task}\n")[0]
    assert found.line == 9
    assert at(found).startswith(place) or place in found.source
    assert said in found.message
    assert advice in (found.suggestion or "")


@pytest.mark.parametrize(
    ("groups", "place", "said", "advice"),
    [
        ("g: {tooltp: x}", "tooltp", "no key `tooltp`", "did you mean `tooltip`?"),
        ("g: {tasks: [sweep]}", "tasks", "no key `tasks`", "task_group_name"),
        ("g: {parent_group_name: h}", "h", "no task group `h`", ""),
        ("g: {parent_group_name: g}", "g", "lies within itself: g in g", "take one"),
        ("g: {dependencies: [swep]}", "swep", "no task or group", "`sweep`"),
        ("g.h: {}", "g.h", "is not the name of a task group", "write `g_h`"),
        ("g: {prefix_group_id: {a: 1}}", "{a: 1}", "must be true or false", ""),
        ("g: {tooltip: 5}", "5", "must be text", ""),
        ("sweep: {}", "sweep", "a task group is named `sweep` too", "a name of its own"),
    ],
)
def test_task_group(folder: Folder, groups: str, place: str, said: str, advice: str) -> None:
    [found] = problems(folder, f"task_groups:\n  {groups}\n{TASKS}")
    assert at(found) == place
    assert said in found.message
    assert advice in (found.suggestion or "")


def test_circle_of_tasks_and_groups_is_told_step_by_step(folder: Folder) -> None:
    dag = f"""\
task_groups:
  g: {{dependencies: [c]}}
tasks:
  a: {{{EMPTY}, task_group_name: g}}
  b: {{{EMPTY}, dependencies: [g]}}
  c: {{{EMPTY}, dependencies: [b]}}
"""
    [found] = problems(folder, dag)
    assert "`a` for `c`" in found.message
    assert "`c` for `b`" in found.message
    assert "`b` for `a`" in found.message


def test_list_of_tasks_is_checked_as_a_mapping_is(folder: Folder) -> None:
    dag = f"""\
tasks:
  - {{task_id: a, {EMPTY}}}
  - {{task_id: a, {EMPTY}}}
  - {{taskid: b, {EMPTY}}}
  - c
  - {{task_id: [d], {EMPTY}}}
"""
    found = [(one.line, one.message) for one in problems(folder, dag)]
    assert found == [
        (8, "there is another task `a`"),
        (9, "`task_id` is missing"),
        (10, "each item of the list `tasks` is a mapping that has `task_id`"),
        (11, "the name of a task must be text, not ['d']"),
    ]


@pytest.mark.parametrize(
    ("takes", "place", "said", "advice"),
    [
        (f"{DOUBLE}, number: +sweep", "+sweep", "the operator itself", "task_ids='g.sweep'"),
        (f"{DOUBLE}, expand: {{number: +sweep}}", "+sweep", "the operator itself", "`decorator`"),
        (f"{EMPTY}, expand: {{a: sweep.output}}", "sweep.output", "group", "`g.sweep.output`"),
        (f"{EMPTY}, expand: {{a: load.output}}", "load.output", "is decorated", "write `+load`"),
    ],
)
def test_result_of_a_task_is_named_as_dag_factory_finds_it(
    folder: Folder, takes: str, place: str, said: str, advice: str
) -> None:
    dag = f"""\
task_groups:
  h: {{prefix_group_id: false}}
  g: {{parent_group_name: h}}
tasks:
  sweep: {{{EMPTY}, task_group_name: g}}
  load: {{{DOUBLE}}}
  right: {{{EMPTY}, dependencies: [sweep], expand: {{a: g.sweep.output}}}}
  left: {{{DOUBLE}, dependencies: [load], number: +load}}
  extra: {{{takes}, dependencies: [sweep, load]}}
"""
    [found] = problems(folder, dag)
    assert (found.line, at(found)) == (14, place)
    assert said in found.message
    assert advice in (found.suggestion or "")


def test_argument_that_is_another_tasks_result_needs_that_task_before(folder: Folder) -> None:
    dag = f"""\
tasks:
  twice: {{{DOUBLE}, number: +numbers}}
  numbers: {{{DOUBLE}}}
"""
    [found] = problems(folder, dag)
    assert at(found) == "+numbers"
    assert "is made after `twice`" in found.message
    assert not problems(folder, dag.replace("+numbers}", "+numbers, dependencies: [numbers]}"))


def test_default_lies_below_each_dag_and_is_none_itself(folder: Folder) -> None:
    folder.write(
        "marine",
        HEAD.replace("  tidy:\n", "")
        + f"""\
  default:
    schedule: "@dayly"
    default_args: {{retries: 2, owner: crew}}
  one: {{tasks: {{a: {{{EMPTY}}}}}}}
  two: {{schedule: "@weekly", default_args: {{retries: 3}}, tasks: {{a: {{{EMPTY}}}}}}}
""",
    )
    assert folder.problems() == ["marine.yaml:6:15: '@dayly' is not a preset"]
    text = (folder.configs / "marine.yaml").read_text().replace("@dayly", "@daily")
    folder.write("marine", text)
    dags = folder.read().team.dags
    assert list(dags) == ["one", "two"]
    assert (dags["one"]["schedule"], dags["two"]["schedule"]) == ("@daily", "@weekly")
    assert dags["two"]["default_args"] == {"retries": 3, "owner": "crew"}


VALID: dict[str, Any] = yaml.safe_load(
    f"""
schedule: {{__or__: [{{__type__: airflow.sdk.Asset, uri: "s3://a/b"}}]}}
start_date: 2 days
default_args: {{retries: 1, retry_delay: 30}}
task_groups: {{g: {{tooltip: x, dependencies: [a]}}}}
tasks:
  a: {{{EMPTY}}}
  b: {{{EMPTY}, task_group_name: g, dependencies: [a], expand: {{x: a.output}}}}
"""
)
STRANGE = [None, "", "x", 0, -1, 1.5, True, [], [None], {}, {"x": None}, {"__type__": 1}, [[1]]]


def test_no_shape_of_a_dag_ends_in_a_traceback() -> None:
    dice = random.Random(11)
    found = 0
    for _ in range(3000):
        dag = deepcopy(VALID)
        for _ in range(dice.randint(1, 3)):
            spot = dag
            while isinstance(spot, dict) and spot:
                key = dice.choice(list(spot))
                if not isinstance(spot[key], dict) or dice.random() < 0.4:
                    spot[key] = dice.choice(STRANGE)
                    break
                spot = spot[key]
        found += bool(list(check_own_dags({"tidy": dag})))
    assert found > 2000
