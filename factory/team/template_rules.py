"""What templates in a team file may name: the run, its params, dates; no connection and no variable.

Airflow itself lets a template read every connection's password: `{{ conn.warehouse.password }}`.
"""

from collections.abc import Iterator
from typing import Any

from factory.base.findings import Finding, KeyPath
from factory.base.rules import UnknownFieldError
from factory.base.section import texts_below
from factory.base.texts import did_you_mean, one_of
from factory.team.after_tasks import is_below_after
from factory.team.team import TeamConfig

OF_DATED_RUNS = {
    "data_interval_end": "run.time",
    "data_interval_start": "run.time",
    "ds": "run.date",
    "ds_nodash": "run.date | replace('-', '')",
    "logical_date": "run.time",
    "prev_data_interval_end_success": "prev_end_date_success",
    "prev_data_interval_start_success": "prev_start_date_success",
    "ts": "run.time.isoformat()",
    "ts_nodash": "run.time.strftime('%Y%m%dT%H%M%S')",
    "ts_nodash_with_tz": "run.time.strftime('%Y%m%dT%H%M%S%z')",
}
"""What Airflow has no value for where a run has no logical date, which only schedules by time give; and what every run has."""

DATES = (*OF_DATED_RUNS, "prev_end_date_success", "prev_start_date_success")
"""Airflow's dates of a run, as its documentation on templates has them."""

NAMES = frozenset((*DATES, "params", "resource", "run", "run_id"))
"""What templates of datasets and models are filled with: see `factory.airflow.templates`."""

NOTIFICATION = "notification"
"""The message, for templates below `notify`."""


def check_templates(team: dict[str, Any]) -> Iterator[Finding]:
    """What is wrong with the templates of a team file, outside `dags` and `after`, as it was read from YAML."""
    for key, value in team.items():
        if key not in ("dags", "description"):
            yield from _check(value, (key,), _below(key, NAMES))


def _check(value: object, path: KeyPath, names: frozenset[str]) -> Iterator[Finding]:
    if isinstance(value, str) and ("{{" in value or "{%" in value):
        yield from _check_text(value, path, names)
    elif isinstance(value, dict):
        for key, child in value.items():
            if key != "description" and not is_below_after((*path, key)):
                yield from _check(child, (*path, key), _below(key, names))
    elif isinstance(value, list):
        for index, child in enumerate(value):
            yield from _check(child, (*path, index), names)


def _below(key: object, names: frozenset[str]) -> frozenset[str]:
    return names | {NOTIFICATION} if key == "notify" else names


def check_dates(team: TeamConfig) -> Iterator[Finding]:
    """Templates that name dates which some runs of their DAG do not have.

    A problem where an event of an asset, or only a person, starts runs; a warning where times do.
    """
    for path, text in texts_below(team):
        is_airflows = path[0] in ("dags", "description") or is_below_after(path)
        if is_airflows or ("{{" not in text and "{%" not in text):
            continue
        try:
            names = _names_in(text) & OF_DATED_RUNS.keys()
            is_dated = _is_started_by_times(team, path)
        except (UnreadableTemplateError, UnknownFieldError):
            continue  # which is a problem of its own
        for name in sorted(names):
            instead = f"write `{{{{ {OF_DATED_RUNS[name]} }}}}`, which every run has"
            if is_dated:
                message = (
                    f"`{name}` has no value in a run that is started by hand, as `factory run` does"
                )
                yield Finding("date_by_hand", path, message, instead)
            else:
                message = (
                    f"`{name}` has no value here: only runs that a time starts have such a date"
                )
                yield Finding("no_date", path, message, instead)


def _is_started_by_times(team: TeamConfig, path: KeyPath) -> bool:
    match path:
        case ("datasets", str(name), *_):
            when = team.datasets[name].when
        case ("models", str(name), "predict", *_) if predict := team.models[name].predict:
            when = predict.when(name)
        case ("models", str(name), "monitor", *_) if monitor := team.models[name].monitor:
            if monitor.schedule is None:
                return False
            when = monitor.schedule
        case ("models", _, "deploy", *_):
            return False
        case ("models", str(name), *_):
            when = team.models[name].when
        case _:
            # Of every dataset and model.
            return False
    return when.cron is not None and not when.datasets


class UnreadableTemplateError(ValueError):
    """What is between the braces is no template."""


def _names_in(text: str) -> set[str]:
    """The names that a template leaves to be filled in.

    Raises:
        UnreadableTemplateError: It cannot be read, or is made of others.
    """
    # Late: most team files have no template, and reading them needs no Jinja.
    from jinja2 import Environment, TemplateError, meta, nodes
    from jinja2.defaults import DEFAULT_NAMESPACE

    try:
        # Nothing is rendered here.
        parsed = Environment().parse(text)  # noqa: S701
        names = meta.find_undeclared_variables(parsed) - DEFAULT_NAMESPACE.keys()
        kinds = (nodes.Include, nodes.Import, nodes.FromImport, nodes.Extends)
        reads_files = any(parsed.find(kind) for kind in kinds)
    except TemplateError as error:
        raise UnreadableTemplateError(str(error)) from None
    except RecursionError:
        raise UnreadableTemplateError("it is nested too deeply") from None
    if reads_files:
        raise UnreadableTemplateError("it would read another file")
    return names


def _check_text(text: str, path: KeyPath, names: frozenset[str]) -> Iterator[Finding]:
    try:
        found = _names_in(text)
    except UnreadableTemplateError as error:
        message = f"the template cannot be read: {error}"
        yield Finding("template", path, message, "correct what is between {{ and }}")
        return
    for name in sorted(found - names):
        known = sorted(names)
        if name in ("conn", "var"):
            advice = "let a `connection` of the source, transform or notifier bring the login"
        else:
            advice = str(did_you_mean(name, known, f"write one of {one_of(known)}"))
        yield Finding("template", path, f"templates may not name `{name}`", advice)
