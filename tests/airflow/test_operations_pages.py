"""What the pages about operations tell of Airflow is what the installed Airflow has."""

import importlib
import json
import os
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from airflow._shared.observability.metrics.metrics_registry import (
    YAML_REGISTRY_PATH,
    read_metrics_yaml,
)
from airflow.configuration import conf
from airflow.providers_manager import ProvidersManager
from airflow.sdk import DAG

pytest.importorskip("airflow.providers.fab", reason="the pages name settings of its own")

PAGES = Path(__file__).parents[2] / "docs" / "operations"
DASHBOARD = PAGES / "grafana.json"
SUFFIXES = {"counter": "_total", "timer": "_milliseconds", "gauge": ""}
"""What Prometheus adds to the name of a metric of OpenTelemetry: `_total`, or the unit."""
OPEN_ENDED = ("SECRETS__BACKEND_KWARG__", "WORKERS__SECRETS_BACKEND_KWARG__")
"""Settings whose names end with a key of the operator's own."""


def metrics() -> dict[str, str]:
    """The metrics of Airflow's own list, by their names in Prometheus."""
    return {
        f"airflow_{re.sub(r'[.-]', '_', metric['name'])}{SUFFIXES[metric['type']]}": metric["name"]
        for metric in read_metrics_yaml(str(YAML_REGISTRY_PATH))
    }


def expressions() -> list[str]:
    return [
        target["expr"]
        for panel in json.loads(DASHBOARD.read_text())["panels"]
        for target in panel["targets"]
    ]


@pytest.mark.parametrize("expression", expressions())
def test_the_dashboard_asks_for_metrics_that_airflow_has(expression):
    asked = re.findall(r"\bairflow_\w+", expression)
    assert asked
    assert [name for name in asked if name not in metrics()] == []


def test_the_names_in_prometheus_that_the_page_tells_are_those_of_airflow():
    text = (PAGES / "logs-and-metrics.md").read_text()
    told = re.findall(r"`(airflow_\w+)`", text)
    assert told
    assert [name for name in told if name not in metrics()] == []


def test_the_dashboard_names_each_panel_once_and_puts_none_over_another():
    panels = json.loads(DASHBOARD.read_text())["panels"]
    assert len({panel["title"] for panel in panels}) == len(panels)
    places = [
        (panel["gridPos"]["x"] + x, panel["gridPos"]["y"] + y)
        for panel in panels
        for x in range(panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["h"])
    ]
    assert len(set(places)) == len(places)


def settings() -> set[str]:
    """The variables of all of Airflow's settings, and of those of the installed providers."""
    described = [conf.configuration_description]
    described += [of_provider for _, of_provider in ProvidersManager().provider_configs]
    return {
        f"{name}__{option}".upper()
        for sections in described
        for name, section in sections.items()
        for option in section["options"]
    }


def test_the_settings_of_airflow_that_the_pages_name_exist():
    named = {
        (page.name, name)
        for page in PAGES.glob("*.md")
        for name in re.findall(r"AIRFLOW__([A-Z0-9_]+)", page.read_text())
        if not name.startswith(("DAG_FACTORY__", *OPEN_ENDED))
    }
    assert named
    assert {one for one in named if one[1] not in settings()} == set()


def test_the_classes_of_airflow_that_the_pages_name_exist():
    paths = {
        path
        for page in PAGES.glob("*.md")
        for path in re.findall(r"\b(?:airflow|factory)(?:\.\w+)+\.[A-Z]\w+", page.read_text())
    }
    assert paths
    for path in paths:
        module, _, name = path.rpartition(".")
        if module.startswith("airflow.providers.") and not _is_installed(module):
            continue
        assert hasattr(importlib.import_module(module), name), path


def _is_installed(module: str) -> bool:
    package = f"apache-airflow-providers-{module.split('.')[2]}"
    return package in ProvidersManager().providers


def code_of(page: str, heading: str) -> str:
    """The Python code of a page that begins with a docstring."""
    blocks = re.findall(
        r"^```python\n(.*?)^```", (PAGES / page).read_text(), re.DOTALL | re.MULTILINE
    )
    return next(block for block in blocks if block.startswith(f'"""{heading}'))


def test_the_policy_gives_a_team_its_own_dags_and_leaves_those_of_others():
    found: dict[str, Any] = {}
    exec(code_of("users.md", "The role of a team"), found)
    own, others = DAG("marine.penguins"), DAG("clinic.progression.train")
    for dag in (own, others):
        found["dag_policy"](dag)
    assert own.access_control == {"marine": {"DAGs": {"can_read", "can_edit"}}}
    assert others.access_control is None


def test_the_log_in_by_keycloak_has_what_fab_reads(monkeypatch):
    for name in re.findall(r'os\.environ\["(\w+)"\]', code_of("users.md", "Log-in by Keycloak")):
        monkeypatch.setitem(os.environ, name, "https://keycloak.example.org/realms/company")
    found: dict[str, Any] = {}
    exec(code_of("users.md", "Log-in by Keycloak"), found)
    written = SimpleNamespace(**found)
    [provider] = written.OAUTH_PROVIDERS
    # FAB asks `<api_base_url>openid-connect/userinfo` of a provider that is called so.
    assert provider["name"] == "keycloak"
    assert provider["remote_app"]["api_base_url"].endswith("/protocol/")
    assert written.AUTH_TYPE == 4


def settings_of_pages() -> list[Any]:
    """The blocks of YAML of all pages, each a mapping of variables or a compose file."""
    return [
        pytest.param(block, id=f"{page.name}-{number}")
        for page in sorted(PAGES.glob("*.md"))
        for number, block in enumerate(
            re.findall(r"^```yml\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE), 1
        )
    ]


@pytest.mark.parametrize("block", settings_of_pages())
def test_a_block_is_yaml_and_the_json_in_it_is_json(block):
    written = yaml.safe_load(block)
    assert isinstance(written, dict)
    for name, value in written.items():
        if str(value).startswith(("{", "[")) and isinstance(value, str):
            assert json.loads(value), name
