"""Messages that really arrive: by SMTP and by HTTP, one a failed run, one a new snapshot."""

import json
from base64 import b64encode

import pytest

from factory.runtime.airflow_records import DagRun
from tests.harness.airflow import Installation
from tests.harness.messages import Box, Mailbox, Message, Webhooks
from tests.harness.project import flowers
from tests.harness.shared import SECRET

BOT = "Basic " + b64encode(f"bot:{SECRET}".encode()).decode()

FLORIST = """\
version: 1
team: florist
owner: florist@example.org
defaults: {retries: 1, retry_delay: 1s}
notify:
  on_failure:
    - {type: webhook, url: "http://nobody.invalid/"}
    - {type: smtp, to: [ops@example.org, florist@example.org]}
    - {type: webhook, connection: sink}
  on_promotion: [{type: webhook, connection: sink}]
  on_kept_champion: [{type: webhook, connection: sink}]
datasets:
  flowers:
    schedule: none
    source: {type: csv, path: data/flowers.csv}
    notify: {on_dataset: [{type: webhook, connection: sink}, {type: log}]}
  weeds:
    source: {type: csv, path: data/weeds.csv}
models:
  stubborn:
    task: classification
    train_on: weeds
    schedule: none
    target: species
    search:
      strategy: grid
      parallel_trials: 2
      candidates: [{estimator: stubborn.Stubborn, params: {C: [0.5, 2.0, 3.0, 4.0]}}]
    objective: {metric: accuracy}
  willing:
    task: classification
    train_on: weeds
    schedule: none
    target: species
    search:
      strategy: list
      trials: [{estimator: stubborn.Stubborn, params: {C: 0.5}}]
    objective: {metric: accuracy}
"""


@pytest.fixture(scope="module")
def mails(mailbox: Mailbox) -> Box:
    """The mails about this team's DAGs."""
    return mailbox.box("florist")


@pytest.fixture(scope="module")
def posts(webhooks: Webhooks) -> Box:
    """What was posted to the connection `sink`."""
    return webhooks.box("/hook")


@pytest.fixture(scope="module")
def florist(installation: Installation) -> Installation:
    """Team `florist` on the shared Airflow, and rows in the lake."""
    rows = flowers().to_csv(index=False)
    installation.add(
        {"data/flowers.csv": rows, "data/weeds.csv": rows, "configs/florist.yaml": FLORIST}
    )
    assert installation.run("florist.weeds").state == "success"
    return installation


@pytest.fixture(scope="module")
def failed(florist: Installation) -> DagRun:
    return florist.run("florist.stubborn.train")


@pytest.fixture(scope="module")
def mail(mails: Box, failed: DagRun) -> Message:
    return mails.get(timeout=60)


@pytest.fixture(scope="module")
def post(failed: DagRun, posts: Box) -> Message:
    return posts.get(timeout=60)


def test_failed_run_of_several_failed_trials_and_retries_sends_one_mail(
    florist: Installation, failed: DagRun, mail: Message
):
    assert failed.state == "failed"
    fits = [
        task
        for task in florist.airflow.tasks(failed.dag_id, failed.dag_run_id)
        if task.task_id == "trial"
    ]
    assert [(fit.state, fit.try_number) for fit in fits].count(("failed", 2)) == 3
    # The team's targets replace the platform's.
    assert mail["to"] == ["ops@example.org", "florist@example.org"]
    assert mail["subject"] == "florist.stubborn.train failed"
    for part in (failed.dag_run_id, "florist@example.org", "trial (3 mapped: 1, 2, 3)"):
        assert part in mail["html"]
    assert (
        f"/dags/florist.stubborn.train/runs/{failed.dag_run_id.replace(':', '%3A')[:20]}"
        in (mail["html"])
    )


def test_errors_text_is_quoted_as_it_is_and_without_secrets(mail: Message, post: Message):
    assert "no luck &lt;today&gt; with {{ C }}; logged in with ***" in mail["html"]
    assert "RuntimeError: no luck <today> with {{ C }}; logged in with ***" in post["detail"]
    assert SECRET not in json.dumps([mail, post])


def test_webhook_of_a_connection_gets_the_message_with_its_login(failed: DagRun, post: Message):
    assert (post["path"], post["login"]) == ("/hook", BOT)
    assert post["event"] == "on_failure"
    assert post["subject"] == "florist.stubborn.train failed"
    assert post["facts"]["owner"] == "florist@example.org"
    assert "/tasks/trial/" in post["facts"]["log"]
    assert post["url"].startswith("http://127.0.0.1:")


def test_notifier_that_fails_is_logged_and_disturbs_no_other(florist: Installation, post: Message):
    def logged() -> bool:
        files = (florist.runtime.home.airflow / "logs" / "dag_processor").rglob("*.log")
        found = [file.read_text() for file in files if file.is_file()]
        return any("the notifier `webhook` failed" in text for text in found)

    assert florist.airflow.wait_until(logged, "the error in the DAG processor's log", seconds=30)


@pytest.fixture(scope="module")
def published(florist: Installation, mail: Message, post: Message) -> DagRun:
    return florist.run("florist.flowers")


def test_new_snapshot_is_told_once_by_the_listener(
    florist: Installation, published: DagRun, posts: Box
):
    told = posts.get(timeout=60)
    assert told["event"] == "on_dataset"
    assert told["subject"] == "florist.flowers has a new snapshot"
    assert (told["facts"]["version"], told["facts"]["rows"]) == ("0", "150")
    unchanged = florist.run("florist.flowers")
    assert florist.states(unchanged)["publish"] == "skipped"


def test_promotion_is_told_and_nothing_else_has_been_sent(
    florist: Installation, mails: Box, published: DagRun, posts: Box
):
    """Messages are taken in the order of events: one too many would come out here."""
    run = florist.run("florist.willing.train")
    assert run.state == "success"
    told = posts.get(timeout=60)
    assert told["event"] == "on_promotion"
    assert told["subject"] == "florist.willing version 1 is in production"
    assert "accuracy" in told["detail"]
    assert posts.empty()
    assert mails.empty()
