"""Whom documents tell: the most specific place that names an event decides."""

from pathlib import Path

import pytest

from factory.catalog import read_all
from factory.documents.compile import compile_team
from factory.documents.dag import OwnDag
from factory.documents.installation import Installation

DATASET = "source: {type: csv, path: data/a.csv}"
MODEL = """\
    task: classification
    train_on: quiet
    target: b
    search: {strategy: list, trials: [{estimator: sklearn.svm.SVC, params: {}}]}
    objective: {metric: accuracy}
"""
SEA = f"""\
version: 1
team: sea
owner: sea@example.org
notify: {{on_failure: [{{type: smtp, to: [team@example.org]}}], on_promotion: [{{type: log}}]}}
datasets:
  plain: {{{DATASET}}}
  loud: {{{DATASET}, notify: {{on_failure: [{{type: webhook, connection: pager}}], on_dataset: [{{type: log}}]}}}}
  quiet: {{{DATASET}, notify: {{on_failure: []}}}}
models:
  kind:
{MODEL}
    predict: {{input: quiet}}
    notify: {{on_kept_champion: [{{type: webhook, url: "https://example.org/hook"}}]}}
dags:
  tidy:
    schedule: none
    tasks: {{a: {{operator: airflow.providers.standard.operators.empty.EmptyOperator}}}}
  own:
    on_failure_callback: airflow.sdk.BaseNotifier
    tasks: {{a: {{operator: airflow.providers.standard.operators.empty.EmptyOperator}}}}
"""
DEFAULTS = """\
version: 1
operators: ["*"]
notify: {on_failure: [{type: log}], on_dataset: [{type: webhook, connection: news}]}
"""


@pytest.fixture(scope="module")
def documents(tmp_path_factory):
    configs = tmp_path_factory.mktemp("project") / "configs"
    configs.mkdir()
    (configs / "_defaults.yaml").write_text(DEFAULTS)
    (configs / "sea.yaml").write_text(SEA)
    read = read_all(configs, "dev")
    assert not read.problems, "\n".join(map(str, read.problems))
    installation = Installation(storage="s3://lake", workspace="/scratch", project=Path())
    return compile_team(read.teams["sea"].team, installation)


TEAM = [{"type": "smtp", "to": ["team@example.org"]}]
NEWS = {"event": "on_dataset", "targets": [{"type": "webhook", "connection": "news"}]}


@pytest.mark.parametrize(
    ("dag_id", "targets"),
    [
        ("sea.plain", TEAM),
        ("sea.loud", [{"type": "webhook", "connection": "pager"}]),
        ("sea.kind.train", TEAM),
        ("sea.kind.predict", TEAM),
        ("sea.tidy", TEAM),
    ],
)
def test_failed_run_is_told_to_those_of_the_most_specific_place(documents, dag_id, targets):
    assert documents[dag_id]["on_failure_callback"] == {
        "callback": "factory.airflow.run_failures.run_failed",
        "targets": targets,
    }


def test_empty_list_silences_an_event(documents):
    assert "on_failure_callback" not in documents["sea.quiet"]


def test_own_dag_keeps_its_own_callback(documents):
    assert documents["sea.own"]["on_failure_callback"] == "airflow.sdk.BaseNotifier"


def test_task_that_brings_an_event_about_knows_whom_to_tell(documents):
    def told(dag_id, task):
        return documents[dag_id]["tasks"][task].get("notify")

    assert told("sea.plain", "publish") == NEWS
    assert told("sea.loud", "publish") == {"event": "on_dataset", "targets": [{"type": "log"}]}
    assert told("sea.kind.predict", "publish") == NEWS
    assert told("sea.kind.train", "promote") == {
        "event": "on_promotion",
        "targets": [{"type": "log"}],
    }
    assert told("sea.kind.train", "keep_champion") == {
        "event": "on_kept_champion",
        "targets": [{"type": "webhook", "url": "https://example.org/hook"}],
    }


def test_section_that_tasks_share_has_neither_targets_nor_resources(documents):
    section = documents["sea.kind.train"]["default_args"]["shared"]["section"]
    assert not {"notify", "resources"} & set(section)


def test_callback_of_a_failed_run_knows_which_internal_servers_may_be_told():
    own = OwnDag({}, "sea", "sea@example.org", ({"type": "log"},), ("portal.internal",))
    assert own.as_data()["on_failure_callback"]["internal_hosts"] == ["portal.internal"]
