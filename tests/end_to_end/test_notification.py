"""Messages that really arrive: by SMTP and by HTTP, one a failed run, one a new snapshot."""

import json
from base64 import b64encode
from collections.abc import Iterator
from email import message_from_bytes, policy
from pathlib import Path
from queue import Queue
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from sklearn.datasets import load_iris

from factory.runtime.airflow_models import DagRun
from factory.runtime.ports import HOST, Ports
from tests.end_to_end.sink import Sink
from tests.end_to_end.workshop import Workshop, workshop

SECRET = "correct-horse-battery"
BOT = "Basic " + b64encode(f"bot:{SECRET}".encode()).decode()

DEFAULTS = """\
version: 1
python_packages: [sklearn, stubborn]
notify:
  on_failure: [{type: smtp, to: [nobody@example.org]}]
"""

LAB = """\
version: 1
team: lab
owner: lab@example.org
defaults: {retries: 1, retry_delay: 1s}
notify:
  on_failure:
    - {type: webhook, url: "http://127.0.0.1:9/nobody-listens"}
    - {type: smtp, to: [ops@example.org, lab@example.org]}
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

Message = dict[str, Any]


class Mailbox:
    """What the SMTP server hands its mails to."""

    def __init__(self) -> None:
        self.mails: Queue[Message] = Queue()

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        mail = message_from_bytes(envelope.content, policy=policy.default)
        body = mail.get_body(("html",))
        self.mails.put(
            {"to": envelope.rcpt_tos, "subject": mail["subject"], "html": body.get_content()}
        )
        return "250 Message accepted for delivery"


@pytest.fixture(scope="module")
def mailbox() -> Iterator[tuple[Mailbox, int]]:
    """A real SMTP server."""
    box = Mailbox()
    port = Ports.free().airflow
    controller = Controller(box, hostname=HOST, port=port)
    controller.start()
    try:
        yield box, port
    finally:
        controller.stop()


@pytest.fixture(scope="module")
def lab(
    tmp_path_factory: pytest.TempPathFactory, mailbox: tuple[Mailbox, int], sink: Sink
) -> Iterator[Workshop]:
    """Airflow with a connection to each of the servers, and rows in the lake."""
    smtp = {"disable_tls": True, "disable_ssl": True, "from_email": "factory@example.org"}
    connections = {
        "SMTP_DEFAULT": {"conn_type": "smtp", "host": HOST, "port": mailbox[1], "extra": smtp},
        "SINK": {
            "conn_type": "http",
            "host": f"{sink.url}/hook",
            "login": "bot",
            "password": SECRET,
        },
    }
    rows = load_iris(as_frame=True).frame.rename(columns={"target": "species"}).to_csv(index=False)
    files = {
        "configs/_defaults.yaml": DEFAULTS,
        "configs/lab.yaml": LAB,
        "data/flowers.csv": rows,
        "data/weeds.csv": rows,
    }
    environment = {f"AIRFLOW_CONN_{name}": json.dumps(made) for name, made in connections.items()}
    project = tmp_path_factory.mktemp("lab")
    code = Path(__file__).with_name("stubborn.py")
    with workshop(project, files, code=code, environment=environment) as found:
        assert found.run("lab.weeds").state == "success"
        yield found


@pytest.fixture(scope="module")
def failed(lab: Workshop) -> DagRun:
    return lab.run("lab.stubborn.train")


@pytest.fixture(scope="module")
def mail(mailbox: tuple[Mailbox, int], failed: DagRun) -> Message:
    return mailbox[0].mails.get(timeout=60)


@pytest.fixture(scope="module")
def post(failed: DagRun, sink: Sink) -> Message:
    return sink.posts.get(timeout=60)


def test_failed_run_of_several_failed_trials_and_retries_sends_one_mail(
    lab: Workshop, failed: DagRun, mail: Message
):
    assert failed.state == "failed"
    fits = [
        task
        for task in lab.airflow.tasks(failed.dag_id, failed.dag_run_id)
        if task.task_id == "trial.fit"
    ]
    assert [(fit.state, fit.try_number) for fit in fits].count(("failed", 2)) == 3
    # The team's targets replace the platform's.
    assert mail["to"] == ["ops@example.org", "lab@example.org"]
    assert mail["subject"] == "lab.stubborn.train failed"
    for part in (failed.dag_run_id, "lab@example.org", "trial.fit (3 mapped: 1, 2, 3)"):
        assert part in mail["html"]
    assert (
        f"/dags/lab.stubborn.train/runs/{failed.dag_run_id.replace(':', '%3A')[:20]}"
        in (mail["html"])
    )


def test_errors_text_is_quoted_as_it_is_and_without_secrets(mail: Message, post: Message):
    assert "no luck &lt;today&gt; with {{ C }}; logged in with ***" in mail["html"]
    assert "RuntimeError: no luck <today> with {{ C }}; logged in with ***" in post["detail"]
    assert SECRET not in json.dumps([mail, post])


def test_webhook_of_a_connection_gets_the_message_with_its_login(failed: DagRun, post: Message):
    assert (post["path"], post["login"]) == ("/hook", BOT)
    assert post["event"] == "on_failure"
    assert post["subject"] == "lab.stubborn.train failed"
    assert post["facts"]["owner"] == "lab@example.org"
    assert "trial.fit" in post["facts"]["log"]
    assert post["url"].startswith("http://127.0.0.1:")


def test_notifier_that_fails_is_logged_and_disturbs_no_other(lab: Workshop, post: Message):
    def logged() -> bool:
        files = (lab.runtime.home.airflow / "logs" / "dag_processor").rglob("*.log")
        found = [file.read_text() for file in files if file.is_file()]
        return any("the notifier `webhook` failed" in text for text in found)

    assert lab.airflow.wait_until(logged, "the error in the DAG processor's log", seconds=30)


@pytest.fixture(scope="module")
def published(lab: Workshop, mail: Message, post: Message) -> DagRun:
    return lab.run("lab.flowers")


def test_new_snapshot_is_told_once_by_the_listener(lab: Workshop, published: DagRun, sink: Sink):
    told = sink.posts.get(timeout=60)
    assert told["event"] == "on_dataset"
    assert told["subject"] == "lab.flowers has a new snapshot"
    assert (told["facts"]["version"], told["facts"]["rows"]) == ("0", "150")
    unchanged = lab.run("lab.flowers")
    assert lab.states(unchanged)["publish"] == "skipped"


def test_promotion_is_told_and_nothing_else_has_been_sent(
    lab: Workshop, mailbox: tuple[Mailbox, int], published: DagRun, sink: Sink
):
    """Messages are taken in the order of events: one too many would come out here."""
    run = lab.run("lab.willing.train")
    assert run.state == "success"
    told = sink.posts.get(timeout=60)
    assert told["event"] == "on_promotion"
    assert told["subject"] == "lab.willing version 1 is in production"
    assert "accuracy" in told["detail"]
    assert sink.posts.empty()
    assert mailbox[0].mails.empty()
