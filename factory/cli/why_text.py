"""What `factory why` shows on a terminal."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from rich.console import RenderableType
from rich.padding import Padding
from rich.text import Text

from factory.base.texts import one_of, score_text, shown
from factory.cli.console import plain_table

if TYPE_CHECKING:
    from factory.provenance.snapshot import SnapshotOrigin
    from factory.provenance.version import VersionOrigin

_MOST_DIFFERENCES = 20
_LONGEST = 4000
_UNKNOWN = "not kept: the version is from before this was written down"


def version_text(origin: "VersionOrigin") -> Iterator[RenderableType]:
    """Where a version comes from, in a person's words."""
    aliases = f" ({', '.join(origin.aliases)})" if origin.aliases else ""
    when = f", registered {origin.registered_at:%Y-%m-%d %H:%M} UTC"
    yield Text.assemble((f"{origin.model} version {origin.version}", "bold"), aliases, when)
    yield from _part("Why it was trained", _start(origin))
    yield from _part("Trained on", _data(origin))
    yield from _part("Configuration", _configuration(origin))
    yield from _part("Trial", _trial(origin))
    yield from _heading("Metrics")
    yield Padding(_metrics(origin), (0, 0, 0, 2), expand=False)
    yield from _part("Gate", _gate(origin))
    yield from _part("In production (UTC)", _production(origin))


def snapshot_text(origin: "SnapshotOrigin") -> Iterator[RenderableType]:
    """Where a snapshot comes from, in a person's words."""
    newest = ", the newest" if origin.is_newest else ""
    rows = "" if origin.rows is None else f": {origin.rows:,} rows, {len(origin.columns)} columns"
    yield Text.assemble((origin.name, "bold"), newest, rows)
    yield from _part("Published", _published(origin))
    yield from _part("Made of", _made_of(origin))
    yield from _part("Checks", _checks(origin))
    digests = [f"rows {origin.content_hash}", f"columns {origin.schema_hash}"]
    yield from _part("Fingerprints (SHA-256)", digests)


def _heading(title: str) -> Iterator[RenderableType]:
    yield Text()
    yield Text(title, style="bold cyan")


def _part(title: str, lines: Iterable[str]) -> Iterator[RenderableType]:
    yield from _heading(title)
    for line in lines:
        indent = len(line) - len(line.lstrip())
        # Names and reasons that others wrote must not move the cursor.
        yield Padding(Text(shown(line.lstrip(), _LONGEST)), (0, 0, 0, 2 + indent), expand=False)


def _start(origin: "VersionOrigin") -> Iterator[str]:
    words = {"schedule": "Its time had come.", "backfill": "It is part of a backfill."}
    for event in origin.events:
        by = f", by {event.dag_id} {event.run_id}" if event.dag_id else ""
        yield f"{event.says} ({event.at:%Y-%m-%d %H:%M} UTC{by})"
    if not origin.events:
        yield words.get(origin.trigger, f"Trigger: {origin.trigger or 'nobody knows'}.")
    if origin.run_id:
        yield f"Airflow's run {origin.run_id} of {origin.dag_id}"


def _data(origin: "VersionOrigin") -> Iterator[str]:
    for snapshot in origin.snapshots:
        if snapshot.problem:
            yield f"{snapshot.name}: {shown(snapshot.problem, 300)}"
            continue
        yield f"{snapshot.name}: {snapshot.rows or 0:,} rows"
        for line in _published(snapshot):
            yield f"  published {line}"
        for line in _made_of(snapshot):
            yield f"  made of {line}"
    if origin.rows:
        yield "Divided into " + one_of(f"{rows:,} for {part}" for part, rows in origin.rows.items())


def _published(origin: "SnapshotOrigin") -> Iterator[str]:
    when = origin.published_at[:16].replace("T", " ")
    dag = f" of {origin.dag_id}" if origin.dag_id else ""
    yield f"{when} UTC by run {origin.run_id}{dag}"


def _made_of(origin: "SnapshotOrigin") -> Iterator[str]:
    if origin.source:
        named = " ".join(value for key, value in origin.source.items() if key != "type")
        yield " ".join(filter(None, (origin.source["type"], named)))
    for name, version in sorted(origin.read.items()):
        yield f"{name} version {version}"
    if origin.made_by:
        yield f"predictions of {origin.made_by}"
    if not (origin.source or origin.read or origin.made_by):
        yield "what was not kept yet then"


def _checks(origin: "SnapshotOrigin") -> Iterator[str]:
    if origin.checks is None:
        yield "not kept: the snapshot is from before they were"
        return
    yield f"{origin.checks['passed']} passed"
    for verdict in ("warned", "failed"):
        for one in origin.checks[verdict]:
            yield f"{verdict}: {one['check']} ({one['failing_rows']:,} rows)"


def _configuration(origin: "VersionOrigin") -> Iterator[str]:
    found = origin.configuration
    if found.previous is None:
        yield f"{found.hash}, of the first version"
    elif found.is_as_before:
        yield f"{found.hash}, as version {found.previous} had"
    else:
        yield f"{found.hash}, other than that of version {found.previous}:"
        yield from (f"  {line}" for line in found.differs[:_MOST_DIFFERENCES])
        more = len(found.differs) - _MOST_DIFFERENCES
        if more > 0:
            yield f"  and {more} more lines (--json has all)"
    yield f"git commit {found.commit.short}" if found.commit else "git commit unknown"


def _trial(origin: "VersionOrigin") -> Iterator[str]:
    of = f", the best of {origin.trials} ({origin.objective})" if origin.trials else ""
    yield f"{origin.trial or 'unknown'}{of}"
    params = one_of(f"{name}={value}" for name, value in origin.params.items())
    yield f"{origin.estimator}: {params}" if params else origin.estimator


def _metrics(origin: "VersionOrigin") -> RenderableType:
    """On validation and test rows; beside them what the gate compared with."""
    gate = origin.gate
    objective = origin.objective.rpartition(" ")[2]
    names = {name.partition("_")[2] for name in origin.metrics}
    champion = f"champion {gate.champion}" if gate and gate.champion is not None else ""
    table = plain_table("", "validation", "test", *([champion] if champion else []), "no features")
    for name in sorted(names, key=lambda name: (name != objective, name)):
        scores = [origin.metrics.get(f"{part}_{name}") for part in ("validation", "test")]
        if champion and gate:
            scores.append(gate.champion_metrics.get(name))
        scores.append(gate.baseline.get(name) if gate else None)
        style = "bold" if name == objective else ""
        cells = ["-" if score is None else score_text(score) for score in scores]
        table.add_row(name, *cells, style=style)
    return table


def _gate(origin: "VersionOrigin") -> Iterator[str]:
    if not origin.verdict:
        yield "it did not get to decide: the run ended before, or the version was registered by hand"
        return
    yield f"{origin.verdict}: {origin.why}"
    gate = origin.gate
    if gate is not None:
        yield from (f"{'met' if one.is_met else 'missed'}: {one}" for one in gate.thresholds)
        if gate.gain is not None and gate.margin is not None:
            yield (
                f"{gate.metric} on the same {gate.rows} test rows: better than the champion by "
                f"{gate.gain:.4g}, {gate.margin:.4g} was needed"
            )
        yield from (f"{one.action}: {one}" for one in gate.findings)
    if origin.approval:
        yield f"approval: {origin.approval}"
    elif origin.verdict == "approve":
        yield "approval: nobody has answered yet" if not origin.outcome else f"approval: {_UNKNOWN}"
    else:
        yield "approval: nobody was asked"


def _production(origin: "VersionOrigin") -> Iterator[str]:
    for entry in origin.history:
        what = {
            "promotion": "promoted",
            "rollback": "put back",
            "refusal": "refused",
            "by hand": "by hand",
        }[entry.kind]
        if entry.kind != "refusal" and entry.version != origin.version:
            other = "none" if entry.version is None else f"version {entry.version}"
            what = f"replaced by {other}"
        by = f" by {entry.by}" if entry.by else ""
        yield f"{entry.at:%Y-%m-%d %H:%M} {what}{by}: {entry.why}"
    for span in origin.live:
        since = f"{span.since:%Y-%m-%d %H:%M}" if span.since else "?"
        until = f"{span.until:%Y-%m-%d %H:%M}" if span.until else "now"
        yield f"live from {since} until {until}{'' if span.is_certain else ', as far as is known'}"
    if not origin.live:
        yield "never"
