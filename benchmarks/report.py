"""Measurements as named figures and as tables."""

from rich.table import Table

from benchmarks.jobs import Job
from benchmarks.teams import DAGS_A_TEAM

Samples = dict[Job, list[float]]
"""Milliseconds of every measurement of a job."""

_LABELS = {
    "ours": "ours",
    "handwritten": "hand-written Python",
    "dagfactory": "dag-factory's folder loader",
}


def figures(samples: Samples) -> dict[str, float]:
    """The fastest measurement of each job by the figure's name; of a full parse, per DAG.

    The fastest, because whatever else the machine does only ever adds. dag-factory's full parse of
    many teams is at the same time what it does when a task starts.
    """
    found = {}
    for job, milliseconds in samples.items():
        best = min(milliseconds)
        found[_name(job)] = round(best / job.dags if job.what == "parse" else best, 3)
        if job.what == "parse" and job.contestant == "dagfactory":
            found[_name(job._replace(what="training"))] = round(best, 3)
    return found


def tables(figures: dict[str, float], few: int, many: int) -> list[Table]:
    """The figures side by side."""
    return [_parse_table(figures, many), _start_table(figures, few, many)]


def _name(job: Job) -> str:
    contestant = "" if job.contestant == "ours" else f"_{job.contestant}"
    if job.what == "parse":
        return f"parse_ms_per_dag{contestant}"
    # The training DAG is the larger of the two.
    dag = "" if job.what == "training" else f"_{job.what}_dag"
    return f"task_start_ms_{job.teams}_teams{dag}{contestant}"


def _parse_table(figures: dict[str, float], many: int) -> Table:
    table = Table(title=f"Full parse of {many:,} teams ({DAGS_A_TEAM * many:,} DAGs)")
    for column in ("", "ms a DAG", "ours takes"):
        table.add_column(column, justify="right" if column else "left")
    ours = figures[_name(Job("ours", many))]
    for contestant, label in _LABELS.items():
        value = figures[_name(Job(contestant, many))]
        ratio = "" if contestant == "ours" else f"{ours / value:.2f} x"
        table.add_row(label, f"{value:.2f}", ratio)
    return table


def _start_table(figures: dict[str, float], few: int, many: int) -> Table:
    table = Table(title="Parse when one task starts, ms on top of imports")
    for column in ("", f"{few:,} teams", f"{many:,} teams", "grows"):
        table.add_column(column, justify="right" if column else "left")
    rows = [(contestant, "training", label) for contestant, label in _LABELS.items()]
    for contestant, what, label in [*rows, ("ours", "dataset", "ours, a dataset's DAG")]:
        small, large = (figures[_name(Job(contestant, size, what))] for size in (few, many))
        table.add_row(label, f"{small:,.1f}", f"{large:,.1f}", f"{large / small:,.2f} x")
    return table
