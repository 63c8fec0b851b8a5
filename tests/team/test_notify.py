"""`notify` in its places: layers, what is not installed, and that no secret comes out."""

import pytest

from factory.team import notify
from factory.team.notify import targets

TEAM = """\
version: 1
team: marine
owner: marine@example.org
datasets: {penguins: {source: {type: csv, path: p.csv}}}
"""


def test_teams_events_replace_the_platforms_one_by_one(folder):
    folder.write(
        "_defaults",
        "notify: {on_failure: [{type: log}], on_dataset: [{type: log}]}\n"
        "environments: {prod: {notify: {on_dataset: [{type: smtp, to: [all@example.org]}]}}}\n",
    )
    folder.write("marine", TEAM + "notify: {on_failure: [{type: smtp, to: [us@example.org]}]}\n")
    team = folder.read().team
    assert [target.type for target in targets("on_failure", team.notify)] == ["smtp"]
    assert [target.type for target in targets("on_dataset", team.notify)] == ["log"]
    assert targets("on_breach", team.notify) == ()
    in_production = folder.read(environment="prod").team
    assert [target.type for target in targets("on_dataset", in_production.notify)] == ["smtp"]


def test_problem_of_the_platforms_targets_is_shown_in_its_file(folder):
    folder.write("_defaults", "version: 1\nnotify: {on_failure: [{type: mail}]}\n")
    folder.write("marine", TEAM)
    assert folder.problems() == ["_defaults.yaml:2:30: there is no `type: mail`"]


@pytest.mark.parametrize(
    ("target", "package"),
    [
        ("{type: slack, channel: ops}", "apache-airflow-providers-slack"),
        ("{type: apprise}", "apache-airflow-providers-apprise"),
        (
            "{type: notifier, call: airflow.providers.microsoft.x.notifications.y.Z}",
            "apache-airflow-providers-microsoft-x",
        ),
    ],
)
def test_package_that_is_not_installed_is_named(folder, monkeypatch, target, package):
    monkeypatch.setattr(notify, "_is_installed", lambda name: False)
    folder.write("marine", f"{TEAM}notify: {{on_failure: [{target}]}}\n")
    (problem,) = folder.problems()
    assert f"needs the package {package}, which is not installed" in problem
