"""`factory champion`: the versions of a model, and which of them is in production."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from factory.base.texts import score_text
from factory.cli.champion_history import show_history
from factory.cli.console import console, plain_table
from factory.cli.options import ProjectOption
from factory.cli.project import ModelArgument, registry_of

if TYPE_CHECKING:
    from factory.models.registry import Version
    from factory.models.tracking import Tracking

_COLOURS = {"champion": "bold green", "previous": "cyan", "challenger": "yellow"}
_TEST = "test_"


def champion(
    name: ModelArgument,
    project: ProjectOption = Path(),
    *,
    history: Annotated[
        bool,
        typer.Option("--history", help="Each promotion, rollback and refusal, the oldest first."),
    ] = False,
    at: Annotated[
        str | None,
        typer.Option(
            help="Which version was in production then: 2026-11-20 for a day, 2026-11-20T15:30 for a moment (UTC).",
            metavar="DATE",
            show_default="",
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="All that is known of them, for other programs.")
    ] = False,
) -> None:
    """List the versions of a model: aliases, the metric that decides, data, and why they stand so.

    The registry is the one in MLFLOW_TRACKING_URI, or the project's own.
    """
    with registry_of(project) as tracking:
        if history or at is not None:
            show_history(name, at, tracking, as_json=as_json)
            return
        from factory.models.entity_models import champion_versions

        entities = champion_versions(name, tracking=tracking) if name.count(".") == 1 else []
        versions = _versions(name, tracking, is_needed=not entities)
    if as_json:
        # Not through Rich, which would break lines.
        typer.echo(json.dumps([_as_json(version) for version in (*versions, *entities)], indent=2))
        return
    if versions:
        _show_versions(name, versions)
    if entities:
        _show_entities(entities)


def _versions(name: str, tracking: "Tracking", *, is_needed: bool) -> "list[Version]":
    """All versions; none where there is no such model and nobody needs it: entities may have no fallback."""
    from factory.models import registry

    try:
        return registry.versions(name, tracking=tracking)
    except registry.UnknownModelError:
        if is_needed:
            raise
        return []


def _show_versions(name: str, versions: "list[Version]") -> None:
    table = plain_table("version", "alias", "on test rows", "trained on", "registered (UTC)")
    for version in versions:
        table.add_row(
            str(version.number),
            _aliases(version),
            _score(version),
            "\n".join(
                f"{dataset} {number}" for dataset, number in version.record.snapshots.items()
            ),
            f"{version.record.registered_at:%Y-%m-%d %H:%M}",
        )
    console.print(table)
    console.print()
    for version in versions:
        if why := _why(version):
            line = Text.assemble((str(version.number), "bold"), " ", why)
            console.print(line, soft_wrap=True, highlight=False)
    if not any("champion" in version.aliases for version in versions):
        console.print(f"No version of {name} is in production.")


def _show_entities(champions: "list[Version]") -> None:
    """The champion of each entity, the worst ones first."""
    console.print(
        f"\nEach {champions[0].record.entity_column} has a champion of its own, the worst first:\n"
    )
    table = plain_table("entity", "version", "on test rows", "test rows", "since (UTC)")
    from factory.models.entity_models import worst_first

    ordered = worst_first(champions)
    for version in ordered:
        table.add_row(
            str(version.record.entity),
            str(version.number),
            _score(version),
            "" if version.record.test_rows is None else f"{version.record.test_rows:,}",
            version.tags.get("promoted_at", "")[:16].replace("T", " "),
        )
    console.print(table)
    console.print(f"\nThe versions of one: factory champion {ordered[0].model}", highlight=False)


def _as_json(version: "Version") -> dict[str, Any]:
    record = version.record
    of_entity = {} if record.entity is None else {"model": version.model, "entity": record.entity}
    return {
        **of_entity,
        "version": version.number,
        "aliases": list(version.aliases),
        "registered_at": record.registered_at.isoformat(),
        "task": record.task,
        "estimator": record.estimator,
        "metrics": record.metrics,
        "snapshots": record.snapshots,
        "config_hash": record.config_hash,
        "mlflow_run_id": record.mlflow_run_id,
        "sha256": record.sha256,
        "why": _why(version),
    }


def _aliases(version: "Version") -> Text:
    words = [Text(alias, style=_COLOURS.get(alias, "")) for alias in version.aliases]
    return Text(" ").join(words)


def _score(version: "Version") -> str:
    """The objective's metric where the gate has said which that is, else the first one."""
    objective = version.tags.get("gate_metric", "").rpartition(" ")[2]
    names = sorted(
        (name for name in version.record.metrics if name.startswith(_TEST)),
        key=lambda name: (name != objective, name),
    )
    return next(
        (
            f"{name.removeprefix(_TEST)} {score_text(version.record.metrics[name])}"
            for name in names
        ),
        "",
    )


def _why(version: "Version") -> str:
    """Who put it into production, took it out or kept it out, and why; the latest of these."""
    said = [
        (version.tags[f"{key}_at"], f"{words} by {version.tags[f'{key}_by']}", f"{key}_why")
        for key, words in (("promoted", "promoted"), ("rolled_back", "rolled back"))
        if f"{key}_at" in version.tags
    ]
    if said:
        when, who, why = max(said)
        return f"{who} at {when}: {version.tags.get(why, '')}"
    if "outcome_why" in version.tags:
        return f"not promoted: {version.tags['outcome_why']}"
    return ""
