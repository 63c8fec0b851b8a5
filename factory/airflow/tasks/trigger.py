"""Why a run started."""

from typing import Any

# Airflow's names for what starts a run, in the words that a person uses.
_WORDS = {"asset_triggered": "asset", "scheduled": "schedule", "backfill": "backfill"}


def trigger_of(model: str, dag_run: Any) -> str:
    """`drift`, `asset`, `schedule`, `backfill` or `manual`; drift wins over other news.

    Args:
        model: The full name, `team.model`, whose drift asset counts.
        dag_run: The run, as Airflow's context has it.
    """
    kind = str(getattr(dag_run.run_type, "value", dag_run.run_type))
    word = _WORDS.get(kind, "manual")
    if word != "asset":
        return word
    started_by = {event.asset.name for event in dag_run.consumed_asset_events}
    return "drift" if f"{model}.drift" in started_by else word


def why(model: str, dag_run: Any) -> str:
    """Why the run started, with what its events say, as a person wants to read it.

    Args:
        model: The full name, `team.model`, whose drift asset counts.
        dag_run: The run, as Airflow's context has it.
    """
    word = trigger_of(model, dag_run)
    if word == "schedule":
        return "Its time had come."
    if word in ("manual", "backfill"):
        return "It was started by hand." if word == "manual" else "It is part of a backfill."
    events = [(event.asset.name, event.extra or {}) for event in dag_run.consumed_asset_events]
    lines = [_reason(name, extra) for name, extra in events]
    return "\n".join(f"* {line}" for line in dict.fromkeys(lines))


def _reason(name: str, extra: dict[str, Any]) -> str:
    if name.endswith(".drift"):
        link = f" ([report]({extra['report']}))" if extra.get("report") else ""
        return f"Drift: {extra.get('why', 'of which the event says nothing')}{link}"
    version = f" version {extra['version']}" if "version" in extra else ""
    rows = f", {extra['rows']:,} rows" if isinstance(extra.get("rows"), int) else ""
    return f"New data: {name}{version}{rows}"
