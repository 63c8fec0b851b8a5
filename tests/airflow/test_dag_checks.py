"""What Airflow alone knows about a DAG in dag-factory's format: found by validation, in a process of its own.

All DAGs of a test file are asked about at once, since Airflow takes seconds to import.
"""

from pathlib import Path

import pytest

from factory.catalog import check_project
from factory.team.problems import Problem

HEAD = "version: 1\nteam: marine\nowner: marine@example.org\ndags:\n"
DEFAULTS = "python_packages: [tests]\noperators: ['*']\n"
BASH = "operator: airflow.providers.standard.operators.bash.BashOperator"
PYTHON = "operator: airflow.providers.standard.operators.python.PythonOperator"
EMPTY = "operator: airflow.providers.standard.operators.empty.EmptyOperator"
SENSOR = "operator: airflow.providers.standard.sensors.filesystem.FileSensor"
CHOOSE = "python_callable: tests.airflow.choices.choose"
LOAD = "python_callable: tests.airflow.choices.load"
CRON = "airflow.timetables.trigger.CronTriggerTimetable"
TASK = "decorator: airflow.sdk.task"


def task(written: str) -> str:
    return f"tasks: {{sweep: {{{written}}}}}"


Case = tuple[str, str, str, str]
WRONG: dict[str, Case] = {
    "misspelt_class": (
        task("operator: airflow.providers.standard.operators.bash.BashOperater, bash_command: x"),
        "airflow.providers.standard.operators.bash.BashOperater",
        "no `BashOperater`",
        "did you mean `airflow.providers.standard.operators.bash.BashOperator`?",
    ),
    "misspelt_module": (
        task("operator: airflow.providers.standard.operator.bash.BashOperator, bash_command: x"),
        "airflow.providers.standard.operator.bash.BashOperator",
        "no module `airflow.providers.standard.operator`",
        "did you mean `airflow.providers.standard.operators.bash.BashOperator`?",
    ),
    "airflow_2_module": (
        task("operator: airflow.operators.bash_operator.BashOperator, bash_command: x"),
        "airflow.operators.bash_operator.BashOperator",
        "no module",
        "did you mean `airflow.providers.standard.operators.bash.BashOperator`?",
    ),
    "provider_that_is_not_installed": (
        task("operator: airflow.providers.zendesk.operators.zendesk.ZendeskOperator, query: x"),
        "airflow.providers.zendesk.operators.zendesk.ZendeskOperator",
        "no module `airflow.providers.zendesk`",
        "install apache-airflow-providers-zendesk",
    ),
    "function_that_is_only_imported": (
        task(f"{PYTHON}, python_callable: tests.airflow.imported.check_output, op_args: [id]"),
        "tests.airflow.imported.check_output",
        "not defined in tests, which has only imported it (subprocess)",
        "name a function or class of tests itself",
    ),
    "operator_that_is_only_imported": (
        task("operator: tests.airflow.imported.BashOperator, bash_command: id"),
        "tests.airflow.imported.BashOperator",
        "not defined in tests, which has only imported it",
        "name a function or class of tests itself",
    ),
    "function_as_operator": (
        task("operator: tests.airflow.choices.choose"),
        "tests.airflow.choices.choose",
        "is not an operator",
        "",
    ),
    "misspelt_argument": (
        task(f"{BASH}, bash_comand: x"),
        "bash_comand",
        "`BashOperator` takes no `bash_comand`",
        "did you mean `bash_command`?",
    ),
    "unknown_argument": (
        task(f"{BASH}, bash_command: x, shell: zsh"),
        "shell",
        "`BashOperator` takes no `shell`",
        "bash_command",
    ),
    "missing_argument": (task(f"{BASH}"), "sweep", "needs `bash_command`", "add `bash_command`"),
    "misspelt_argument_of_a_sensor": (
        task(f"{SENSOR}, filepath: a, poke_intervall: 5"),
        "poke_intervall",
        "`FileSensor` takes no `poke_intervall`",
        "did you mean `poke_interval`?",
    ),
    "value_of_another_type": (
        task(f'{BASH}, bash_command: x, depends_on_past: "yes"'),
        '"yes"',
        "`depends_on_past` must be true or false",
        "",
    ),
    "value_out_of_range": (
        task(f"{BASH}, bash_command: x, pool_slots: 0"),
        "0",
        "Airflow refuses `pool_slots`",
        "",
    ),
    "value_of_a_sensor": (
        task(f"{SENSOR}, filepath: a, mode: pok"),
        "pok",
        "Airflow refuses `mode`",
        "",
    ),
    "trigger_rule": (
        task(f"{EMPTY}, trigger_rule: all_sucess"),
        "all_sucess",
        "is not a trigger rule",
        "did you mean `all_success`?",
    ),
    "weight_rule": (
        task(f"{EMPTY}, weight_rule: upstraem"),
        "upstraem",
        "is not a weight rule",
        "did you mean `upstream`?",
    ),
    "default_that_no_task_takes": (
        f"default_args: {{retires: 3}}\n    {task(EMPTY)}",
        "retires",
        "no task of this DAG takes `retires`",
        "did you mean `retries`?",
    ),
    "value_of_a_default": (
        f"default_args: {{retries: many}}\n    {task(EMPTY)}",
        "many",
        "'retries' type must be int",
        "",
    ),
    "value_of_a_groups_default": (
        "task_groups: {g: {default_args: {pool_slots: 0}}}\n    "
        + task(f"{EMPTY}, task_group_name: g"),
        "0",
        "Airflow refuses `pool_slots`",
        "",
    ),
    "value_of_the_dag": (
        f"schedule: '@daily'\n    params: {{a: {{__type__: airflow.sdk.Param, type: integer, default: x}}}}\n    {task(EMPTY)}",
        "{a: {__type__: airflow.sdk.Param, type: integer, default: x}}",
        "Airflow refuses `params`",
        "",
    ),
    "argument_of_a_type": (
        f"schedule: {{__type__: datetime.timedelta, hour: 6}}\n    {task(EMPTY)}",
        "hour",
        "`datetime.timedelta` takes no `hour`",
        "did you mean `hours`?",
    ),
    "argument_of_a_timetable": (
        f"schedule: {{__type__: {CRON}, corn: 0 1 * * 3, timezone: UTC}}\n    {task(EMPTY)}",
        "corn",
        "takes no `corn`",
        "did you mean `cron`?",
    ),
    "cron_of_a_timetable": (
        f"schedule: {{__type__: {CRON}, cron: 0 25 * * 3, timezone: UTC}}\n    {task(EMPTY)}",
        f"{{__type__: {CRON}, cron: 0 25 * * 3, timezone: UTC}}",
        "0 25 * * 3",
        "",
    ),
    "function_that_is_not_there": (
        task(f"{PYTHON}, python_callable: tests.airflow.choices.chose"),
        "tests.airflow.choices.chose",
        "no `chose` in `tests.airflow.choices`",
        "did you mean `tests.airflow.choices.choose`?",
    ),
    "callback_that_is_not_there": (
        f"on_failure_callback: tests.airflow.choices.tell\n    {task(EMPTY)}",
        "tests.airflow.choices.tell",
        "no `tell`",
        "",
    ),
    "argument_that_the_function_does_not_take": (
        task(f"{PYTHON}, {CHOOSE}, op_kwargs: {{hihg: true}}"),
        "hihg",
        "`choose` takes no `hihg`",
        "did you mean `high`?",
    ),
    "argument_of_a_decorated_function": (
        task(f"{TASK}, {LOAD}, dya: monday"),
        "dya",
        "`load` takes no `dya`",
        "did you mean `day`?",
    ),
    "missing_argument_of_a_decorated_function": (
        task(f"{TASK}, {LOAD}, path: a"),
        "sweep",
        "`load` needs `day`",
        "add `day`",
    ),
    "argument_by_keyword_only": (
        task(f"{TASK}, {CHOOSE}, high: true"),
        "high",
        "by keyword only",
        "`op_kwargs`",
    ),
    "expanded_argument": (
        task(f"{BASH}, expand: {{bash_comand: [a, b]}}"),
        "bash_comand",
        "takes no `bash_comand`",
        "did you mean `bash_command`?",
    ),
    "partial_argument": (
        task(f"{BASH}, partial: {{en: {{}}}}, expand: {{bash_command: [a, b]}}"),
        "en",
        "takes no `en`",
        "did you mean `env`?",
    ),
    "expanded_argument_of_a_function": (
        task(f"{TASK}, {LOAD}, expand: {{dya: [monday]}}"),
        "dya",
        "`load` takes no `dya`",
        "did you mean `day`?",
    ),
    "value_that_cannot_be_mapped_over": (
        task(f"{BASH}, expand: {{bash_command: 5}}"),
        "{bash_command: 5}",
        "Airflow refuses `expand`",
        "",
    ),
    "key_of_the_dag_among_defaults": (
        f"default_args: {{catchup: false}}\n    {task(EMPTY)}",
        "catchup",
        "changes nothing below `default_args`",
        "it is a key of the DAG",
    ),
}


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Problem]]:
    """The problems of each DAG of `WRONG`, of one that has two, and of the right ones."""
    dags = {name: case[0] for name, case in WRONG.items()}
    dags["several"] = (
        f"tasks:\n      a: {{{BASH}, bash_comand: x, pool_slots: 0, retries: many}}\n"
        f"      b: {{{BASH}, bash_command: x, dependencies: [c]}}\n"
        f"      d: {{{BASH}, bash_command: x, retry_delay: soon, priority_weight: high}}"
    )
    return checked(tmp_path_factory.mktemp("wrong"), dags)


def checked(project: Path, dags: dict[str, str]) -> dict[str, list[Problem]]:
    configs = project / "configs"
    configs.mkdir()
    (configs / "_defaults.yaml").write_text(DEFAULTS)
    text, first, starts = HEAD, HEAD.count("\n") + 1, {}
    for name, dag in dags.items():
        starts[name] = first
        written = f"  {name}:\n    {dag}\n"
        text, first = text + written, first + written.count("\n")
    (configs / "marine.yaml").write_text(text)
    by_dag: dict[str, list[Problem]] = {name: [] for name in dags}
    for problem in check_project(configs):
        owner = max((line, name) for name, line in starts.items() if line <= problem.line)[1]
        by_dag[owner].append(problem)
    return by_dag


def at(problem: Problem) -> str:
    return problem.source[problem.column - 1 :][: problem.length]


@pytest.mark.parametrize("name", WRONG)
def test_mistake_is_told_at_its_key(found: dict[str, list[Problem]], name: str) -> None:
    _, place, said, advice = WRONG[name]
    [problem] = found[name]
    assert at(problem) == place
    assert said in problem.message
    assert advice in (problem.suggestion or "")


def test_what_changes_nothing_is_a_warning(found: dict[str, list[Problem]]) -> None:
    assert [one.is_warning for one in found["key_of_the_dag_among_defaults"]] == [True]


def test_all_mistakes_of_a_dag_are_told_in_one_round(found: dict[str, list[Problem]]) -> None:
    assert sorted(at(problem) for problem in found["several"]) == sorted(
        ["bash_comand", "0", "many", "c", "soon", "high"]
    )


RIGHT = {
    "list_with_groups": f"""\
default_args: {{owner: crew, retries: 2, retry_delay: {{__type__: datetime.timedelta, minutes: 5}}}}
    start_date: 2 days
    schedule: 0 3 * * *
    render_template_as_native_obj: true
    dag_display_name: Pretty
    task_groups:
      - {{group_name: outer, tooltip: first, dependencies: [begin]}}
      - {{group_name: inner, parent_group_name: outer, default_args: {{retries: 0}}}}
    tasks:
      - {{task_id: begin, {EMPTY}}}
      - {{task_id: one, {BASH}, bash_command: "echo {{{{ run_id }}}}", task_group_name: outer}}
      - {{task_id: two, {BASH}, bash_command: x, task_group_name: inner, dependencies: [one]}}
      - {{task_id: end, {EMPTY}, dependencies: [outer], trigger_rule: all_done}}""",
    "flow_of_decorated_tasks": f"""\
schedule: null
    tasks:
      - {{task_id: day, {TASK}, {LOAD}, day: monday}}
      - {{task_id: again, {TASK}, {LOAD}, day: +day}}
      - {{task_id: days, {TASK}, {LOAD}, expand: {{day: [monday, friday]}}, partial: {{path: a}}}}
      - {{task_id: more, {TASK}, {LOAD}, expand: {{day: +days}}, dependencies: [days]}}
      - task_id: part
        {TASK}
        {LOAD}
        multiple_outputs: true
        day: sunday
      - {{task_id: key, {TASK}, {LOAD}, day: "+part['day']"}}""",
    "decorated_tasks_of_a_group": f"""\
task_groups: {{g: {{}}, h: {{prefix_group_id: false}}}}
    tasks:
      first: {{{TASK}, {LOAD}, day: monday, task_group_name: g}}
      second: {{{TASK}, {LOAD}, day: friday, task_group_name: g, dependencies: [first]}}
      third: {{{EMPTY}, task_group_name: h, dependencies: [second]}}
      fourth: {{{EMPTY}, dependencies: [third]}}""",
    "mapped_operator": f"""\
schedule: "@once"
    tasks:
      request: {{{PYTHON}, {LOAD}, op_kwargs: {{day: monday}}}}
      process:
        {PYTHON}
        {LOAD}
        partial: {{op_kwargs: {{path: a}}}}
        expand: {{op_args: request.output}}
        dependencies: [request]""",
    "assets": f"""\
schedule:
      __or__:
        - __and__:
            - {{__type__: airflow.sdk.Asset, uri: "s3://bucket/one"}}
            - {{__type__: airflow.sdk.Asset, uri: "s3://bucket/two"}}
        - {{__type__: airflow.sdk.Asset, uri: "s3://bucket/three"}}
    tasks:
      send: {{{EMPTY}, inlets: ["s3://bucket/one"], outlets: ["s3://bucket/four"]}}""",
    "addresses": f"""\
schedule: ["s3://bucket/one", "s3://bucket/two"]
    {task(EMPTY)}""",
    "timetable": f"""\
schedule: {{__type__: {CRON}, __args__: [0 1 * * 3], timezone: UTC}}
    timezone: Europe/Paris
    start_date: "2024-06-15"
    {task(EMPTY)}""",
    "relative_delta": f"""\
schedule: {{__type__: dateutil.relativedelta.relativedelta, hours: 18}}
    {task(EMPTY)}""",
    "joined_text": f"""\
vars: {{hello: &hello [echo, " ", hello]}}
    {task(f"{BASH}, bash_command: {{__join__: *hello}}")}""",
    "macros_params_and_callbacks": f"""\
user_defined_macros: {{pick: tests.airflow.choices.choose, more: {{load: tests.airflow.choices.load}}}}
    params: {{version: 1.0.0, count: {{__type__: airflow.sdk.Param, type: integer, default: 1}}}}
    on_failure_callback: {{callback: tests.airflow.choices.load, day: monday}}
    default_args: {{on_retry_callback: tests.airflow.choices.load}}
    tags: [one, two]
    {task(f"{BASH}, bash_command: 'echo {{{{ pick(high=true) }}}}', on_success_callback: tests.airflow.choices.load")}""",
    "sensor": f"""\
schedule: "@daily"
    start_date: 2025-01-02
    tasks:
      wait:
        operator: airflow.providers.standard.sensors.external_task.ExternalTaskSensor
        external_dag_id: marine.addresses
        external_task_id: sweep
        execution_delta: 1 days
        mode: reschedule
      then: {{{EMPTY}, dependencies: [wait]}}""",
    "variables": task(
        f"{BASH}, bash_command: a, variables_as_arguments: [{{variable: b, attribute: bash_command}}]"
    ),
}
"""The forms of dag-factory's documentation and examples that are valid on Airflow 3."""


@pytest.fixture(scope="module")
def right(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, list[Problem]]]:
    project = tmp_path_factory.mktemp("right")
    return project, checked(project, RIGHT)


@pytest.mark.parametrize("name", RIGHT)
def test_forms_of_dag_factory_are_right(
    right: tuple[Path, dict[str, list[Problem]]], name: str
) -> None:
    assert right[1][name] == []


def test_what_is_right_is_built_and_stored_by_airflow(
    right: tuple[Path, dict[str, list[Problem]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow.serialization.serialized_objects import DagSerialization

    from factory.airflow.load import load_all

    monkeypatch.setenv("AIRFLOW_VAR_B", "b")
    dags = load_all(right[0] / "configs")
    assert set(dags) == {f"marine.{name}" for name in RIGHT}
    for dag in dags.values():
        dag.validate()
        DagSerialization.to_dict(dag)
    groups = dags["marine.decorated_tasks_of_a_group"]
    assert groups.get_task("g.second").upstream_task_ids == {"g.first"}
    assert groups.get_task("fourth").upstream_task_ids == {"third"}


def test_what_the_platform_does_not_allow_is_never_imported(tmp_path: Path) -> None:
    """A DAG that names it is not asked about, even where the rest of a broken file is."""
    evil = tmp_path / "imported"
    package = tmp_path / "evil_package"
    package.mkdir()
    (package / "__init__.py").write_text(f"open({str(evil)!r}, 'w').close()\n")
    dags = {
        "by_type": task(f"{EMPTY}, executor_config: {{__type__: evil_package.Thing}}"),
        "by_operator": task("operator: evil_package.Operator"),
        "by_function": task(f"{PYTHON}, python_callable: evil_package.run"),
        "wrong_elsewhere": f"schedul: x\n    {task(f'{BASH}, bash_comand: x')}",
    }
    found = checked(tmp_path, dags)
    assert [one.code for name in dags for one in found[name]][:3] == ["F040", "F042", "F040"]
    assert [at(one) for one in found["wrong_elsewhere"]] == ["schedul", "bash_comand"]
    assert not evil.exists()


def test_asking_writes_nothing_to_the_home_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("AIRFLOW_HOME")
    [found] = checked(tmp_path, {"tidy": task(f"{BASH}, bash_comand: x, retries: 4")})["tidy"]
    assert at(found) == "bash_comand"
    assert not list(home.iterdir())
