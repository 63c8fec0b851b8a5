"""What a task has brought about, in words: from its result to a message."""

from collections.abc import Callable, Mapping
from typing import Any

from factory.airflow.links import run_url
from factory.notifiers.message import Event, Message

Result = Mapping[str, Any]

_SNAPSHOT = ("version", "rows", "model", "model_version", "input", "input_version")
"""What of a published snapshot a person wants to know."""


def announcement(event: Event, result: Result, ti: Any) -> Message:
    """The message about what a task has brought about.

    Args:
        event: What it was.
        result: What the task returned.
        ti: The task's instance.
    """
    subject, facts, detail = _WORDS[event](result)
    return Message(
        event=event,
        subject=subject,
        facts={**facts, "run": f"{ti.dag_id} {ti.run_id}"},
        detail=detail,
        url=run_url(ti.dag_id, ti.run_id),
    )


_Words = tuple[str, dict[str, str], str]


def _dataset(result: Result) -> _Words:
    facts = {name: str(result[name]) for name in _SNAPSHOT if result.get(name) is not None}
    return f"{result['dataset']} has a new snapshot", facts, ""


def _promotion(result: Result) -> _Words:
    subject = f"{result['model']} version {result['version']} is in production"
    return subject, _outcome(result), _scores(result)


def _kept(result: Result) -> _Words:
    champion = result.get("champion")
    stays = "no version is" if champion is None else f"version {champion} stays"
    return f"{result['model']}: {stays} in production", _outcome(result), _scores(result)


def _outcome(result: Result) -> dict[str, str]:
    facts = {"version": str(result["version"]), "reason": str(result["reason"])}
    if result.get("previous") is not None:
        facts["version before"] = str(result["previous"])
    return facts


def _scores(result: Result) -> str:
    """The metrics of the version and of the one that was in production, on the same rows."""
    before = result.get("champion_metrics") or {}
    lines = [
        f"{name}: {value:.4g}" + (f" (in production: {before[name]:.4g})" if name in before else "")
        for name, value in sorted((result.get("metrics") or {}).items())
    ]
    return "\n".join(lines)


_WORDS: dict[Event, Callable[[Result], _Words]] = {
    "on_dataset": _dataset,
    "on_promotion": _promotion,
    "on_kept_champion": _kept,
}
