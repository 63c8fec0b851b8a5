"""What templates in a team file may name: the run, its params, dates; no connection and no variable.

Airflow itself lets a template read every connection's password: `{{ conn.warehouse.password }}`.
"""

from collections.abc import Iterator
from typing import Any

from factory.base.findings import Finding, KeyPath
from factory.base.texts import did_you_mean, one_of

DATES = (
    *("data_interval_end", "data_interval_start", "ds", "ds_nodash", "logical_date"),
    *("prev_data_interval_end_success", "prev_data_interval_start_success"),
    *("prev_end_date_success", "prev_start_date_success", "ts", "ts_nodash", "ts_nodash_with_tz"),
)
"""Airflow's dates of a run, as its documentation on templates has them."""

NAMES = frozenset((*DATES, "params", "resource", "run", "run_id"))
"""What templates of datasets and models are filled with: see `factory.airflow.templates`."""

NOTIFICATION = "notification"
"""The message, for templates below `notify`."""


def check_templates(team: dict[str, Any]) -> Iterator[Finding]:
    """What is wrong with the templates of a team file, outside `dags`, as it was read from YAML."""
    for key, value in team.items():
        if key not in ("dags", "description"):
            yield from _check(value, (key,), _below(key, NAMES))


def _check(value: object, path: KeyPath, names: frozenset[str]) -> Iterator[Finding]:
    if isinstance(value, str) and ("{{" in value or "{%" in value):
        yield from _check_text(value, path, names)
    elif isinstance(value, dict):
        for key, child in value.items():
            if key != "description":
                yield from _check(child, (*path, key), _below(key, names))
    elif isinstance(value, list):
        for index, child in enumerate(value):
            yield from _check(child, (*path, index), names)


def _below(key: object, names: frozenset[str]) -> frozenset[str]:
    return names | {NOTIFICATION} if key == "notify" else names


def _check_text(text: str, path: KeyPath, names: frozenset[str]) -> Iterator[Finding]:
    # Late: most team files have no template, and reading them needs no Jinja.
    from jinja2 import Environment, TemplateError, meta
    from jinja2.defaults import DEFAULT_NAMESPACE

    try:
        # Nothing is rendered here.
        parsed = Environment().parse(text)  # noqa: S701
    except TemplateError as error:
        message = f"the template cannot be read: {error}"
        yield Finding("template", path, message, "correct what is between {{ and }}")
        return
    for name in sorted(meta.find_undeclared_variables(parsed) - names - DEFAULT_NAMESPACE.keys()):
        known = sorted(names)
        if name in ("conn", "var"):
            advice = "let a `connection` of the source, transform or notifier bring the login"
        else:
            advice = str(did_you_mean(name, known, f"write one of {one_of(known)}"))
        yield Finding("template", path, f"templates may not name `{name}`", advice)
