"""Messages: what they say, who gets them, and that they disturb nobody."""

from types import SimpleNamespace

import pytest
from pydantic import TypeAdapter

from factory.airflow.messages import _made, send
from factory.airflow.plugin import on_task_instance_success
from factory.airflow.run_failures import FailedTask, _counted, _instance, describe
from factory.base.errors import TerminalError
from factory.notifiers import notifier
from factory.notifiers.message import Message
from factory.notifiers.notifier import AnyNotifier
from tests.airflow.told import Collecting

HERE = "tests.airflow.told"
MESSAGE = Message(
    event="on_failure",
    subject="lab.x failed",
    facts={"owner": "a <b>"},
    detail="{{ 7 * 7 }}",
    url="http://airflow/dags/lab.x",
)
COLLECTING = {
    "type": "notifier",
    "call": f"{HERE}.Collecting",
    "arguments": {"text": "{{ notification.event }}: {{ notification.text }}"},
}


@pytest.fixture(autouse=True)
def _nothing_collected():
    Collecting.seen.clear()


def test_arguments_of_a_notifier_are_templates_and_the_message_is_not():
    assert send(MESSAGE, [COLLECTING]) == 1
    (text,) = Collecting.seen
    assert text.startswith("on_failure: lab.x failed\nowner: a <b>\n")
    assert "{{ 7 * 7 }}" in text


def test_notifier_that_fails_is_logged_and_the_others_are_told(caplog):
    failing = {"type": "notifier", "call": f"{HERE}.Failing"}
    assert send(MESSAGE, [failing, COLLECTING]) == 1
    assert len(Collecting.seen) == 1
    assert "lab.x failed: the notifier `notifier` failed" in caplog.text
    assert "nobody there" in caplog.text


def test_notifier_that_hangs_is_not_waited_for(caplog):
    hanging = {"type": "notifier", "call": f"{HERE}.Hanging"}
    assert send(MESSAGE, [hanging, COLLECTING], patience=0.3) == 1
    assert "not waited for any longer" in caplog.text


def test_what_is_no_notifier_is_not_called(caplog):
    assert send(MESSAGE, [{"type": "notifier", "call": "os.getcwd"}]) == 0
    assert "os.getcwd: it is not defined in os" in caplog.text


def test_missing_provider_is_named(caplog, monkeypatch):
    monkeypatch.setattr(notifier, "is_installed", lambda package: "slack" not in package)
    assert send(MESSAGE, [{"type": "slack", "channel": "#ops"}]) == 0
    assert "needs the package apache-airflow-providers-slack: install it" in caplog.text


def test_log_notifier_writes_the_message(caplog):
    assert send(MESSAGE, [{"type": "log"}]) == 1
    assert "lab.x failed\nowner: a <b>" in caplog.text


@pytest.mark.parametrize(
    "section",
    [
        {"type": "smtp", "to": ["a@example.org"], "sender": "b@example.org"},
        {"type": "slack", "channel": "#ops"},
        {"type": "slack_webhook"},
        {"type": "apprise", "connection": "phones"},
    ],
    ids=lambda section: section["type"],
)
def test_notifiers_of_airflows_providers_are_made_from_their_sections(section):
    if section["type"] != "smtp":
        provider = section["type"].partition("_")[0]
        pytest.importorskip(f"airflow.providers.{provider}")
    made = _made(TypeAdapter(AnyNotifier).validate_python(section).through_airflow(MESSAGE))
    said = [value for value in vars(made).values() if isinstance(value, str)]
    assert any("lab.x failed" in text for text in said)


def test_mapped_instances_are_counted_and_named():
    failed = [FailedTask("split"), FailedTask("trial", 0), FailedTask("trial", 12)]
    assert list(_counted(failed)) == ["split", "trial (2 mapped: 0, 12)"]
    ids = ["split", "fit_1", "trial"]
    assert _instance("fit_1", ids) == FailedTask("fit_1")
    assert _instance("trial_12", ids) == FailedTask("trial", 12)


def test_errors_are_described_in_few_words():
    assert describe(TerminalError("column a is missing")) == "column a is missing"
    assert describe(KeyError("a")) == "KeyError: 'a'"
    noted = ValueError("x")
    noted.add_note("raised in f()")
    assert describe(noted) == "ValueError: x\nraised in f()"
    assert len(describe(ValueError("x" * 10_000))) < 2_100


class Instance(SimpleNamespace):
    """A task's instance, as far as the listener asks for it."""

    dag_id = "lab.x.train"
    run_id = "today"
    task_id = "task"

    def xcom_pull(self, *, task_ids):
        assert task_ids == self.task_id
        return self.result

    def get_template_context(self):
        return {}


def told(event, result):
    notify = {"event": event, "targets": [COLLECTING]}
    on_task_instance_success(
        Instance(task=SimpleNamespace(notify=notify, shared=None), result=result)
    )
    return Collecting.seen


OUTCOME = {
    "model": "lab.x",
    "version": 4,
    "champion": 3,
    "previous": 3,
    "reason": "f1_macro 0.80 is worse",
    "metrics": {"f1_macro": 0.8},
    "champion_metrics": {"f1_macro": 0.91234},
}


def test_kept_champion_is_told_with_both_scores():
    (text,) = told("on_kept_champion", OUTCOME)
    assert "lab.x: version 3 stays in production" in text
    assert "f1_macro: 0.8 (in production: 0.9123)" in text


def test_promotion_is_told():
    (text,) = told("on_promotion", OUTCOME)
    assert "lab.x version 4 is in production" in text
    assert "reason: f1_macro 0.80 is worse" in text


def test_result_that_makes_no_message_is_logged(caplog):
    assert told("on_dataset", {}) == []
    assert "the message about it cannot be made" in caplog.text


def test_task_that_tells_nobody_and_a_task_of_another_kind_are_left_alone():
    on_task_instance_success(Instance(task=SimpleNamespace(notify=None)))
    on_task_instance_success(SimpleNamespace(task=object()))
    on_task_instance_success(SimpleNamespace())


def test_airflow_finds_the_plugin_by_its_entry_point():
    from importlib.metadata import entry_points

    from factory.airflow.plugin import FactoryPlugin

    (found,) = [one for one in entry_points(group="airflow.plugins") if one.name == "factory"]
    assert found.load() is FactoryPlugin


def test_nobody_is_told_of_a_sample(monkeypatch):
    monkeypatch.setenv("FACTORY_SAMPLE", "10 file:///lake")
    assert send(MESSAGE, [COLLECTING]) == 0
    assert not Collecting.seen
