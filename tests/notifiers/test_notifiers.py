"""Notifiers: what a message says, and what somebody else's kind of notifier has to bring."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from factory.airflow.messages import send
from factory.notifiers.message import Message
from tests.plugins import installed

MESSAGE = Message(event="on_failure", subject="lab.x failed", facts={"owner": "a <b>"})

PAGER = '''
from typing import Literal

from factory.notifiers.message import Message
from factory.notifiers.notifier import AirflowNotifier, Notifier

sent = []


class Pager(Notifier):
    """A pager."""

    type: Literal["pager"]
    number: str

    def send(self, message: Message) -> None:
        sent.append(f"{self.number}: {message.subject}")


class Told(Notifier):
    """A notifier of Airflow's."""

    type: Literal["told"]

    def through_airflow(self, message: Message) -> AirflowNotifier:
        return AirflowNotifier("tests.airflow.told.Collecting", {"text": message.detail})


class Mute(Notifier):
    """Forgot to send."""

    type: Literal["mute"]


class Wanting(Pager):
    """Needs more than there is."""

    PACKAGES = ("acme-telephone",)

    type: Literal["wanting"]
'''


@pytest.fixture
def plugin(tmp_path: Path) -> Iterator[None]:
    kinds = {"pager": "Pager", "told": "Told", "mute": "Mute", "wanting": "Wanting"}
    with installed(tmp_path, "acme_pager", PAGER, notifier=kinds):
        yield


def test_html_escapes_what_is_in_a_message():
    assert "a &lt;b&gt;" in MESSAGE.html
    assert "<b>" not in MESSAGE.html


@pytest.mark.usefixtures("plugin")
def test_kind_of_a_plug_in_sends_a_message_itself():
    assert send(MESSAGE, [{"type": "pager", "number": "42"}]) == 1
    import acme_pager

    assert acme_pager.sent == ["42: lab.x failed"]


@pytest.mark.usefixtures("plugin")
def test_kind_of_a_plug_in_sends_a_message_through_airflow_unrendered():
    from tests.airflow.told import Collecting

    Collecting.seen.clear()
    message = Message(event="on_failure", subject="lab.x failed", detail="{{ 7 * 7 }}")
    assert send(message, [{"type": "told"}]) == 1
    assert Collecting.seen == ["{{ 7 * 7 }}"]


@pytest.mark.usefixtures("plugin")
def test_kind_that_cannot_send_is_logged(caplog):
    wanting = {"type": "wanting", "number": "42"}
    assert send(MESSAGE, [{"type": "mute"}, wanting]) == 0
    assert "Mute has neither `send` nor `through_airflow`" in caplog.text
    assert "the notifier `wanting` needs the package acme-telephone: install it" in caplog.text


@pytest.mark.usefixtures("plugin")
def test_team_file_is_told_what_a_plug_ins_notifier_lacks(folder):
    folder.write("_defaults", "version: 1\nplugins: [acme_pager]\n")
    folder.write(
        "marine",
        "version: 1\nteam: marine\nowner: marine@example.org\n"
        "notify: {on_failure: [{type: wanting, number: '42'}]}\n"
        "datasets: {penguins: {source: {type: csv, path: data/p.csv}}}\n",
    )
    (problem,) = folder.problems()
    assert "needs the package acme-telephone, which is not installed" in problem
