"""What somebody reads who is asked whether a version may go into production."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from factory.models.configuration import difference, recorded_section
from factory.models.gate_decision import GateDecision
from factory.models.registry import Version
from factory.models.tracking import Tracking

if TYPE_CHECKING:
    from factory.lake.table import Lake

SnapshotPage = Callable[[str, int], str]

_MOST_LINES = 40
"""Lines of a difference that are shown."""


def approval_question(
    decision: GateDecision,
    challenger: Version,
    champion: Version | None,
    *,
    tracking: Tracking,
    lake: "Lake",
    page: str,
    snapshot_page: SnapshotPage,
) -> str:
    """The question's text, as Markdown: scores, links, and how data and configuration differ.

    Args:
        decision: What the gate found.
        challenger: The version that is asked about.
        champion: The version in production; None if there is none.
        tracking: The MLflow server.
        lake: Where the snapshots lie.
        page: Airflow's page of the run.
        snapshot_page: The page of a version of a dataset.

    Raises:
        TrackingError: The MLflow server does not answer.
    """
    parts = [
        f"{_sentence(decision.reason)}",
        decision.table(),
        _links(challenger, champion, page, tracking),
    ]
    if champion is not None:
        if decision.says_the_same:
            parts.append(f"**It says the same as the champion of all {decision.rows} test rows.**")
        parts.append(_data(challenger, champion, lake, snapshot_page))
        parts.append(_configuration(challenger, champion, tracking))
    return "\n\n".join(parts)


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def _links(challenger: Version, champion: Version | None, page: str, tracking: Tracking) -> str:
    with tracking.asked() as client:
        run = client.get_run(challenger.record.mlflow_run_id).info
    run_page = tracking.run_page(run.experiment_id, run.run_id)
    links = [
        f"[version {challenger.number}]({tracking.version_page(challenger.model, challenger.number)})",
        f"[its training]({run_page})",
        f"[plots]({tracking.run_page(run.experiment_id, run.run_id, 'artifacts/test')})",
        f"[the run in Airflow]({page})",
    ]
    if champion is not None:
        links.append(
            f"[champion, version {champion.number}]"
            f"({tracking.version_page(champion.model, champion.number)})"
        )
    return " · ".join(links)


def _data(challenger: Version, champion: Version, lake: "Lake", snapshot_page: SnapshotPage) -> str:
    before, now = champion.record.snapshots, challenger.record.snapshots

    def told(name: str, versions: dict[str, int]) -> str:
        if name not in versions:
            return "-"
        page = snapshot_page(name, versions[name])
        return f"[{_snapshot(name, versions[name], lake)}]({page})"

    rows = (
        f"| {name} | {told(name, before)} | {told(name, now)} |" for name in sorted({*before, *now})
    )
    return "\n".join(["| trained on | champion | challenger |", "|---|---|---|", *rows])


def _snapshot(name: str, version: int, lake: "Lake") -> str:
    from factory.lake.snapshot import LakeError

    try:
        rows = lake.snapshot(name, version).rows
    except LakeError:
        return f"version {version}"
    return f"version {version}, {rows:,} rows"


def _configuration(challenger: Version, champion: Version, tracking: Tracking) -> str:
    if challenger.record.config_hash == champion.record.config_hash:
        return "The configuration is the same."
    before, now = (
        recorded_section(version.record.mlflow_run_id, tracking)
        for version in (champion, challenger)
    )
    if before is None or now is None:
        return "The configuration has changed."
    shown = difference(before, now)[:_MOST_LINES]
    return "\n".join(["What has changed in the configuration:", "", "```diff", *shown, "```"])
