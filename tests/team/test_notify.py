"""`notify` in its places: layers, what is not installed, and that no secret comes out."""

import pytest

from factory.team import notify
from factory.team.credentials import is_secret_address, secrets_in
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


@pytest.mark.parametrize(
    "url",
    [
        "https://me@example.org",
        "https://example.org/?api_key=x",
        "https://example.org/?X-Amz-Signature=x",
        "https://discord.com/api/webhooks/1/x",
    ],
)
def test_address_that_is_a_secret_is_known(url):
    assert is_secret_address(url)


@pytest.mark.parametrize("url", ["https://example.org/hook", "https://example.org/?team=token"])
def test_address_that_is_none_passes(url):
    assert not is_secret_address(url)


def test_secrets_in_arguments_are_found_by_key_and_by_content():
    arguments = {"channel": "#ops", "auth": {"bot_token": "x"}, "to": ["https://a:b@example.org"]}
    assert list(secrets_in(arguments)) == [("auth", "bot_token"), ("to", 0)]
