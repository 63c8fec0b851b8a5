"""What a team file may not name is a problem with its line, before anything runs."""

from pathlib import Path

import pytest

from factory.catalog import check_project
from tests.team.folder import Folder

HEAD = "version: 1\nteam: marine\nowner: marine@example.org\n"
DEFAULTS = "python_packages: [sklearn, acme]\noperators: ['*']\n"


@pytest.fixture
def problem(folder: Folder):
    """The one problem of a team file with this body."""

    def read(body: str, defaults: str = DEFAULTS) -> str:
        folder.write("_defaults", defaults)
        folder.write("marine", HEAD + body)
        [found] = folder.problems()
        return found

    return read


SOURCE = "{type: csv, path: data/a.csv}"


def dataset(source: str) -> str:
    return f"datasets:\n  fish:\n    source: {source}\n"


@pytest.fixture
def validated(folder: Folder):
    """What validation says about a team file with this body."""

    def check(body: str) -> str:
        folder.write("_defaults", DEFAULTS)
        folder.write("marine", HEAD + body)
        return "\n".join(map(str, check_project(folder.configs)))

    return check


@pytest.mark.parametrize(
    ("path", "said"),
    [
        (".factory/lake/owner/priv/*.parquet", "is hidden"),
        (".factory/secrets.json", "is hidden"),
        (".env", "is hidden"),
        ("data/.cache/x.csv", "is hidden"),
        ("configs/*.yaml", "outside the folders that sources may read: data"),
        ("other/x.csv", "outside the folders that sources may read: data"),
        ("x.csv", "outside the folders that sources may read: data"),
        ("*/x.csv", "outside the folders that sources may read: data"),
        ("database/x.csv", "outside the folders that sources may read: data"),
    ],
)
@pytest.mark.parametrize("kind", ["csv", "parquet", "json", "images"])
def test_paths_outside_the_data_folders(problem, kind, path, said) -> None:
    found = problem(dataset(f"{{type: {kind}, path: '{path}'}}"))
    assert found.startswith("marine.yaml:6:")
    assert said in found


def test_labels_of_images_are_files_too(problem) -> None:
    labels = "{type: csv, path: .env, file_column: a, label_column: b}"
    assert "is hidden" in problem(dataset(f"{{type: images, path: data/x, labels: {labels}}}"))


@pytest.mark.parametrize("host", ["127.0.0.1:9092", "localhost", "169.254.169.254", "[::1]"])
def test_a_model_is_deployed_to_no_server_of_the_workers_network(problem, host) -> None:
    model = (
        "models:\n  size:\n    task: regression\n    train_on: fish\n    target: a\n"
        "    split: {test: 0.2, validation: 0.2}\n    objective: {metric: r2, goal: maximize}\n"
        "    search: {strategy: grid, candidates: [{estimator: sklearn.linear_model.Ridge}]}\n"
    )
    where = f"    deploy: {{type: process, url: 'http://{host}'}}\n"
    found = problem(dataset(SOURCE) + model + where)
    assert "internal_hosts" in found


def with_query_of(file: str) -> str:
    return dataset(SOURCE) + f"    transforms: [{{type: sql, file: {file}}}]\n"


@pytest.mark.parametrize("name", ["tokens.txt", "airflow.cfg", "configs/marine.yaml", "data/a.csv"])
def test_files_that_are_no_queries_are_not_shown_as_such(problem, folder, name) -> None:
    file = folder.project / name
    file.parent.mkdir(exist_ok=True)
    file.touch()
    assert "does not end with .sql" in problem(with_query_of(name))


@pytest.mark.parametrize("leads_to", ["tokens.txt", "lake/owner/priv/a.sql", ".factory/a.sql"])
def test_a_link_to_something_else_is_no_query(problem, folder, leads_to) -> None:
    target = folder.project / leads_to
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text("select 1")
    (folder.project / "a.sql").symlink_to(target)
    assert "there is no file 'a.sql' in the project" in problem(
        with_query_of("a.sql"), "storage: lake\n"
    )


def test_data_folders_are_the_platforms_choice(folder: Folder) -> None:
    folder.write("_defaults", "data_folders: [landing, shared/in]\n")
    folder.write("marine", HEAD + dataset("{type: csv, path: shared/in/x.csv}"))
    assert folder.read().team.datasets
    folder.write("marine", HEAD + dataset("{type: csv, path: shared/x.csv}"))
    assert "outside the folders that sources may read: landing, shared/in" in folder.problems()[0]


@pytest.mark.parametrize("name", ["/etc", ".factory", "../x", "configs", "s3://b"])
def test_not_every_folder_can_be_one_of_data(folder: Folder, name: str) -> None:
    folder.write("_defaults", f"data_folders: ['{name}']\n")
    [found] = folder.read_all().problems
    assert "cannot be a folder of data" in found.message or "outside" in found.message


@pytest.mark.parametrize("prefix", ["s3://lake/prod", "s3://lake/prod/owner/priv", "s3://lake"])
def test_the_lakes_own_prefix_is_no_source(problem, prefix) -> None:
    defaults = "storage: s3://lake/prod\n"
    found = problem(dataset(f"{{type: images, prefix: '{prefix}'}}"), defaults)
    assert "is the lake's" in found
    found = problem(dataset(f"{{type: csv, path: '{prefix}/*.csv'}}"), defaults)
    assert "is the lake's" in found


@pytest.mark.parametrize(
    ("call", "said"),
    [
        ("sklearn.utils._testing.check_output", "is private to its package"),
        ("sklearn.datasets._base.urlretrieve", "is private to its package"),
        ("sklearn.datasets.load_files", "none of the functions of sklearn"),
        ("sklearn.datasets.clear_data_home", "none of the functions of sklearn"),
        ("sklearn.datasets.fetch_openml", "none of the functions of sklearn"),
        ("sklearn.datasets.load_svmlight_file", "none of the functions of sklearn"),
        ("sklearn.show_versions", "none of the functions of sklearn"),
        ("acme._hidden.run", "is private to its package"),
        ("subprocess.run", "outside the packages"),
        ("factory.models.switching.rollback", "outside the packages"),
    ],
)
def test_functions_that_are_not_for_teams(problem, call, said) -> None:
    assert said in problem(dataset(f"{{type: python, call: {call}}}"))
    resource = f"{{type: python, create: acme.make, destroy: {call}}}"
    body = dataset("{type: csv, path: data/x.csv}") + f"    resources: {{box: {resource}}}\n"
    assert said in problem(body)


@pytest.mark.parametrize("name", ["factory", "factory.models", "os", "subprocess", "builtins"])
def test_packages_that_cannot_be_allowed(folder: Folder, name: str) -> None:
    folder.write("_defaults", f"python_packages: [{name}]\n")
    [found] = folder.read_all().problems
    assert "cannot be allowed" in found.message


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("{{ conn.vault.password }}", "conn"),
        ("{{ conn['vault'].password }}", "conn"),
        ("{{ var.value.key }}", "var"),
        ("{% set x = conn.vault %}{{ x.password }}", "conn"),
        ("{% for c in [conn] %}{{ c.vault.password }}{% endfor %}", "conn"),
        ("{{ ti.xcom_pull(dag_id='owner.priv') }}", "ti"),
        ("{{ macros.json.codecs.open('/etc/passwd').read() }}", "macros"),
        ("{{ dag.params }}", "dag"),
        ("{{ task.op_kwargs }}", "task"),
    ],
)
def test_templates_name_no_connection_and_no_variable(problem, text, name) -> None:
    source = f"{{type: sql, connection: mine, query: \"select '{text}'\"}}"
    found = problem(dataset(source))
    assert f"templates may not name `{name}`" in found
    assert found.startswith("marine.yaml:6:")


def test_templates_of_a_notifier_know_the_message_and_nothing_more(problem) -> None:
    body = (
        "notify:\n  on_failure:\n  - type: notifier\n    call: airflow.providers.smtp.notifications.smtp.SmtpNotifier\n"
        "    arguments: {text: '{{ notification.subject }} {{ conn.vault.password }}'}\n"
        + dataset("{type: csv, path: data/x.csv}")
    )
    assert "templates may not name `conn`" in problem(body)


@pytest.mark.parametrize(
    "text",
    [
        "{% include 'teams.py' %}",
        "{% extends 'teams.py' %}",
        "{% import 'teams.py' as teams %}{{ teams }}",
        "{% if true %}{% from 'teams.py' import x %}{% endif %}",
    ],
)
def test_templates_read_no_files(problem, text) -> None:
    found = problem(dataset(f'{{type: sql, connection: mine, query: "{text}"}}'))
    assert "it would read another file" in found


def test_templates_that_cannot_be_read_are_said(problem) -> None:
    found = problem(dataset('{type: sql, connection: mine, query: "select {{ ds"}'))
    assert "the template cannot be read" in found


@pytest.mark.parametrize(
    "text",
    [
        "{{ ds }}",
        "{{ run.id }} {{ run_id }} {{ params.day }}",
        "{{ data_interval_start.strftime('%Y') }}",
        "{{ resource('box').name }}",
        "{% set day = ds %}{{ day }}",
        "{{ range(3) | list }}",
    ],
)
def test_templates_name_the_run_and_its_dates(folder: Folder, text: str) -> None:
    source = dataset(f'{{type: sql, connection: mine, query: "{text}"}}')
    folder.write("marine", HEAD + source + '    schedule: "@daily"\n')
    assert folder.read()


@pytest.mark.parametrize(
    ("name", "instead"),
    [
        ("ds", "{{ run.date }}"),
        ("ds_nodash", "{{ run.date | replace('-', '') }}"),
        ("data_interval_start", "{{ run.time }}"),
    ],
)
def test_dates_that_a_run_may_not_have_are_refused(validated, name, instead) -> None:
    source = dataset(f'{{type: sql, connection: mine, query: "{{{{ {name} }}}}"}}')
    for schedule in ("", "    schedule: none\n", "    schedule: {any: [fish], cron: '@daily'}\n"):
        found = validated(source + schedule)
        assert f"`{name}` has no value here" in found
        assert instead in found


def test_dates_of_runs_by_time_are_a_warning(folder: Folder) -> None:
    source = dataset('{type: sql, connection: mine, query: "{{ ds }}"}')
    folder.write("marine", HEAD + source + '    schedule: "@daily"\n')
    (found,) = check_project(folder.configs)
    assert (found.code, found.line) == ("F120", 6)
    assert "started by hand" in found.message


@pytest.mark.parametrize(
    ("zone", "said"),
    [
        ("Europe/Berlim", "did you mean `Europe/Berlin`?"),
        ("+02:00", "write one of the IANA's, such as Europe/Berlin"),
        ("../../etc/passwd", "is no time zone"),
    ],
)
def test_a_time_zone_that_is_none_is_said(validated, zone, said) -> None:
    assert said in validated(f"defaults: {{timezone: '{zone}'}}\n{dataset(SOURCE)}")
    where = f"    schedule: {{cron: '@daily', timezone: '{zone}'}}\n"
    assert said in validated(dataset(SOURCE) + where)


def test_a_time_zone_without_times_is_said(problem) -> None:
    found = problem(dataset(SOURCE) + "    schedule: {any: [fish], timezone: Europe/Berlin}\n")
    assert "`timezone` is for `cron`" in found


def dags(task: str) -> str:
    return f"dags:\n  tidy:\n    tasks:\n      one: {task}\n"


EMPTY = "airflow.providers.standard.operators.empty.EmptyOperator"
BASH = "airflow.providers.standard.operators.bash.BashOperator"
PYTHON = "airflow.providers.standard.operators.python.PythonOperator"


@pytest.mark.parametrize(
    ("operators", "operator"),
    [(f"[{EMPTY}]", EMPTY), ("['*']", BASH), ("[airflow.providers.standard]", BASH)],
)
def test_operators_that_the_platform_lists(folder: Folder, operators: str, operator: str) -> None:
    folder.write("_defaults", f"operators: {operators}\n")
    folder.write("marine", HEAD + dags(f"{{operator: {operator}, bash_command: ls}}"))
    assert folder.read()


@pytest.mark.parametrize("operators", ["[]", f"[{EMPTY}]"])
def test_operators_that_it_does_not_list(problem, operators) -> None:
    found = problem(dags(f"{{operator: {BASH}, bash_command: ls}}"), f"operators: {operators}\n")
    assert f"`{BASH}` is none of the operators that may be used here" in found


@pytest.mark.parametrize(
    "function",
    [
        "factory.models.switching.rollback",
        "sklearn.datasets.load_files",
        "acme._hidden.run",
        "os.system",
    ],
)
def test_functions_of_own_dags_are_those_of_teams(problem, function) -> None:
    found = problem(dags(f"{{operator: {PYTHON}, python_callable: {function}}}"))
    assert function in found


@pytest.mark.parametrize(
    "joined", ["['os.', system]", "[os, ., {__join__: [sys, tem]}]", "os.system", "{os.system: 1}"]
)
@pytest.mark.parametrize(
    "where",
    [
        "tasks: {{one: {{operator: " + PYTHON + ", python_callable: {}}}}}",
        "tasks: {{one: {{operator: {}}}}}",
        "on_failure_callback: {{callback: {}}}",
        "user_defined_macros: {{run: {}}}",
        "params: {{day: {{__type__: {}, command: id}}}}",
    ],
)
def test_code_that_is_put_together_of_texts_is_looked_at_whole(folder, where, joined) -> None:
    folder.write("_defaults", DEFAULTS)
    for value in (f"{{__join__: {joined}}}", f"{{__or__: [{{__join__: {joined}}}]}}"):
        body = where.format(value)
        folder.write("marine", f"{HEAD}dags:\n  tidy:\n    {body}\n")
        said = "\n".join(folder.problems())
        assert (
            "`os.system` is outside" in said
            or "`__join__` puts a list" in said
            or "none of the operators" in said
        )


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("user_defined_macros: {of: {system: {run: os.system}}}", "`os.system` is outside"),
        (
            "params: {all: {__type__: sklearn.datasets.load_svmlight_file, f: /etc/passwd}}",
            "none of the functions of sklearn",
        ),
        (
            "params: {all: {__type__: sklearn.utils.discovery.import_module, name: os}}",
            "none of the functions of sklearn",
        ),
        ("doc_md: /etc/motd.md", "shows any file of the machine"),
        ("doc_md: .factory/../README.md", "shows any file of the machine"),
        (
            "params: {day: {__type__: airflow.sdk.Param, $ref: 'http://169.254.169.254/role'}}",
            "read a schema from elsewhere",
        ),
        (
            "params: {day: {__type__: airflow.sdk.Param, anyOf: [{$ref: 'file:///etc/passwd'}]}}",
            "read a schema from elsewhere",
        ),
        ("schedule: ['x-mlflow://models/owner.score']", "address of a dataset's or a model's"),
        (
            "schedule: [{__type__: airflow.sdk.Asset, name: mine, uri: ' x-mlflow://models/owner.score'}]",
            "address of a dataset's or a model's",
        ),
    ],
)
def test_keys_of_own_dags_that_do_more_than_they_say(problem, line, said) -> None:
    assert said in problem(f"dags:\n  tidy:\n    {line}\n")


def test_operators_that_are_functions_of_a_library_are_refused(problem) -> None:
    said = "none of the functions of sklearn"
    assert said in problem(dags("{operator: sklearn.datasets.load_svmlight_file, f: /etc/passwd}"))
    decorated = "{decorator: sklearn.utils.discovery.import_module, python_callable: acme.run}"
    assert said in problem(dags(decorated))


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("template_searchpath: [/]", "any file of the machine"),
        (
            "default_args: {variables_as_arguments: [{variable: key, attribute: doc_md}]}",
            "any of Airflow's variables",
        ),
    ],
)
def test_who_may_use_some_operators_only_shows_no_files_and_variables(problem, line, said) -> None:
    assert said in problem(f"dags:\n  tidy:\n    {line}\n", f"operators: [{EMPTY}]\n")


@pytest.mark.parametrize(
    "outlet",
    [
        "owner.priv",
        "{__join__: [owner, ., priv]}",
        "{__or__: [{__join__: [owner, .priv]}]}",
        "' s3://lake/prod/owner/priv'",
        "x-mlflow://models/owner.score",
        "{__type__: airflow.sdk.Asset, name: mine, uri: 'x-mlflow://models/owner.score'}",
        "fish",
        "marine.fish",
        "marine.species.drift",
        "s3://lake/prod/owner/priv",
        "{__type__: airflow.sdk.Asset, name: owner.priv}",
        "{__type__: airflow.sdk.Asset, name: mine, uri: 's3://lake/prod/owner/priv'}",
        "{__type__: airflow.sdk.AssetAlias, name: any}",
        "{__type__: airflow.sdk.Asset, __args__: [owner.priv, 'x://mine']}",
        "{__type__: airflow.sdk.Asset, __args__: [mine, 's3://lake/prod/owner/priv']}",
    ],
)
def test_events_of_datasets_and_models_come_from_their_own_dags(problem, outlet) -> None:
    body = dataset("{type: csv, path: data/x.csv}") + dags(
        f"{{operator: {EMPTY}, outlets: [{outlet}]}}"
    )
    found = problem(body, "storage: s3://lake/prod\noperators: ['*']\n")
    assert "asset" in found


def test_an_asset_of_ones_own_is_an_outlet(folder: Folder) -> None:
    folder.write("_defaults", "operators: ['*']\n")
    asset = "{__type__: airflow.sdk.Asset, name: mailed_report, uri: 'report://mailed'}"
    folder.write("marine", HEAD + dags(f"{{operator: {EMPTY}, outlets: [{asset}, 'x://mine']}}"))
    assert folder.read()


TEAMS = """\
python_packages: [sklearn, acme]
operators: ['*']
teams:
  marine: {connections: [own], queue: sea, pool: sea, python_packages: [sklearn]}
"""


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (
            dataset("{type: sql, connection: vault, query: select 1}"),
            "may not use the connection 'vault'",
        ),
        (
            dataset("{type: http, url: 'https://x.org/a.csv', connection: vault}"),
            "connection 'vault'",
        ),
        (dataset("{type: python, call: acme.rows}"), "outside the packages"),
        ("defaults: {queue: other}\n" + dataset("{type: csv, path: data/x.csv}"), "queue is 'sea'"),
        ("defaults: {pool: other}\n" + dataset("{type: csv, path: data/x.csv}"), "pool is 'sea'"),
        (
            "notify: {on_failure: [{type: smtp, to: [a@example.org]}]}\n"
            + dataset("{type: csv, path: data/x.csv}"),
            "connection 'smtp_default'",
        ),
        (dags(f"{{operator: {EMPTY}, queue: other}}"), "queue is 'sea'"),
        (dags(f"{{operator: {BASH}, bash_command: ls, ssh_conn_id: vault}}"), "connection 'vault'"),
        (
            dags(f"{{operator: {BASH}, expand: {{ssh_conn_id: [own, vault]}}}}"),
            "connection 'vault'",
        ),
        (
            dags(f"{{operator: {BASH}, ssh_conn_id: {{__join__: [va, ult]}}}}"),
            "connection 'vault'",
        ),
        (dags(f"{{operator: {EMPTY}, executor: LocalExecutor}}"), "`executor` is the platform's"),
        (dags(f"{{operator: {EMPTY}, run_as_user: root}}"), "`run_as_user` is the platform's"),
    ],
)
def test_a_team_uses_what_the_platform_gives_it(problem, body, said) -> None:
    assert said in problem(body, TEAMS)


def test_what_it_gives_it_is_used(folder: Folder) -> None:
    folder.write("_defaults", TEAMS)
    source = dataset("{type: sql, connection: own, query: select 1}")
    folder.write("marine", HEAD + source + dags(f"{{operator: {EMPTY}}}"))
    team = folder.read().team
    assert (team.defaults.queue, team.defaults.pool) == ("sea", "sea")
    assert team.dags["tidy"]["default_args"] == {"queue": "sea", "pool": "sea"}


def test_a_team_that_the_platform_does_not_list_is_refused(folder: Folder, tmp_path: Path) -> None:
    folder.write("_defaults", TEAMS)
    folder.write(
        "clinic", HEAD.replace("marine", "clinic") + dataset("{type: csv, path: data/x.csv}")
    )
    [found] = folder.problems("clinic")
    assert found.startswith("clinic.yaml:2:")
    assert "clinic is none of the teams of this platform: marine" in found


DEEP = "(" * 400 + "1" + ")" * 400


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (
            dataset(f'{{type: sql, connection: mine, query: "{{{{ {DEEP} }}}}"}}'),
            "the template cannot be read: it is nested too deeply",
        ),
        (dataset(f"{{type: csv, path: 'data/{'{{' * 500}'}}"), "nested too deeply"),
        ("defaults: {retry_delay: 999999999999w}\n" + dataset(SOURCE), "longer than a century"),
        (dataset(SOURCE) + "    schedule: '0 0 30 2 *'\n", "names a day that never comes"),
        (
            f"dags: {{tidy: {{schedule: '0 0 31 4 *', tasks: {{a: {{operator: {EMPTY}}}}}}}}}\n",
            "never comes",
        ),
    ],
)
def test_what_breaks_its_reader_is_its_own_teams_problem_alone(folder: Folder, body, said) -> None:
    folder.write("_defaults", DEFAULTS)
    folder.write("marine", HEAD + body)
    folder.write("clinic", HEAD.replace("team: marine", "team: clinic") + dataset(SOURCE))
    project = folder.read_all()
    assert set(project.teams) == {"clinic"}
    assert any(said in problem.message for problem in project.problems)
