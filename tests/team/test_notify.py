"""`notify` in its places: layers, and what is not installed."""

import pytest

from factory.notifiers import notifier
from factory.team.notify import notifiers_of

TEAM = """\
version: 1
team: marine
owner: marine@example.org
datasets: {penguins: {source: {type: csv, path: data/p.csv}}}
"""


def test_teams_events_replace_the_platforms_one_by_one(folder):
    folder.write(
        "_defaults",
        "notify: {on_failure: [{type: log}], on_dataset: [{type: log}]}\n"
        "environments: {prod: {notify: {on_dataset: [{type: smtp, to: [all@example.org]}]}}}\n",
    )
    folder.write("marine", TEAM + "notify: {on_failure: [{type: smtp, to: [us@example.org]}]}\n")
    team = folder.read().team
    assert [notifier.type for notifier in notifiers_of("on_failure", team.notify)] == ["smtp"]
    assert [notifier.type for notifier in notifiers_of("on_dataset", team.notify)] == ["log"]
    assert notifiers_of("on_breach", team.notify) == ()
    in_production = folder.read(environment="prod").team
    assert [notifier.type for notifier in notifiers_of("on_dataset", in_production.notify)] == [
        "smtp"
    ]


def test_problem_of_the_platforms_notifiers_is_shown_in_its_file(folder):
    folder.write("_defaults", "version: 1\nnotify: {on_failure: [{type: mail}]}\n")
    folder.write("marine", TEAM)
    assert folder.problems() == ["_defaults.yaml:2:30: there is no `type: mail`"]


@pytest.mark.parametrize(
    ("section", "package"),
    [
        ("{type: slack, channel: ops}", "apache-airflow-providers-slack"),
        ("{type: apprise}", "apache-airflow-providers-apprise"),
        (
            "{type: notifier, call: airflow.providers.microsoft.x.notifications.y.Z}",
            "apache-airflow-providers-microsoft-x",
        ),
    ],
)
def test_package_that_is_not_installed_is_named(folder, monkeypatch, section, package):
    monkeypatch.setattr(notifier, "is_installed", lambda name: False)
    folder.write("marine", f"{TEAM}notify: {{on_failure: [{section}]}}\n")
    (problem,) = folder.problems()
    assert f"needs the package {package}, which is not installed" in problem
