"""A plan for people, for programs, and for a pull request."""

import json
from dataclasses import asdict

from rich.syntax import Syntax
from rich.text import Text

from factory.changes.plan import DagChange, Plan, Trials
from factory.cli.console import console, plain_table

_COLOURS = {
    "retrain": "magenta",
    "republish": "cyan",
    "redeploy": "blue",
    "operation": "yellow",
    "cosmetic": "dim",
}
_SIGNS = {"new": "+", "gone": "-", "changed": "~"}
_MOST_AFFECTED = 6


def show(plan: Plan, against: str, *, with_diff: bool) -> None:
    """Print a plan on the terminal."""
    if not plan.changes:
        console.print(f"No DAG changes against {against}.", highlight=False)
    else:
        table = plain_table("", "DAG", "effect", "what is written otherwise", "affects")
        for change in plan.changes:
            table.add_row(
                _SIGNS[change.kind],
                change.dag_id,
                Text(change.effect, style=_COLOURS[change.effect]),
                _what(change),
                _affected(change),
            )
        console.print(table)
        console.print()
        console.print(_summary(plan), highlight=False)
    for broken in _breaking(plan):
        console.print(Text(f"\n{broken}", style="red"), soft_wrap=True)
    if with_diff:
        for change in plan.changes:
            console.print(f"\n[bold]{change.dag_id}[/]")
            console.print(Syntax("\n".join(change.diff), "diff", background_color="default"))
    for problem in plan.problems:
        text = Text.assemble("\n", ("problem: ", "bold red"), problem)
        console.print(text, soft_wrap=True, highlight=False)


def as_json(plan: Plan, against: str) -> str:
    """A plan as JSON."""
    return json.dumps({"against": against, **asdict(plan)}, indent=2, ensure_ascii=False)


def as_markdown(plan: Plan, against: str) -> str:
    """A plan as the comment of a pull request."""
    lines = [f"### What this changes against `{against}`", ""]
    if plan.problems:
        lines += [
            "**Problems that were not there before:**",
            "",
            "```text",
            *plan.problems,
            "```",
            "",
        ]
    if not plan.changes:
        return "\n".join([*lines, "No DAG changes."])
    lines += [
        _summary(plan),
        "",
        "| | DAG | effect | what is written otherwise | affects |",
        "|---|---|---|---|---|",
        *(
            f"| {_SIGNS[one.kind]} | `{one.dag_id}` | **{one.effect}** | {_what(one)} | {_affected(one)} |"
            for one in plan.changes
        ),
    ]
    if broken := _breaking(plan):
        lines += ["", "**Contracts that it breaks:**", "", *(f"- {one}" for one in broken)]
    for change in plan.changes:
        summary = f"<details><summary><code>{change.dag_id}</code></summary>"
        lines += ["", summary, "", "```diff", *change.diff, "```", "", "</details>"]
    return "\n".join(lines)


def _breaking(plan: Plan) -> list[str]:
    return [
        f"{one.dataset}: {one.text}; breaks contract of {', '.join(one.breaks)}"
        for one in plan.contracts
        if one.is_breaking
    ]


def _what(change: DagChange) -> str:
    if change.kind == "new":
        text = f"new; runs {change.starts} once it is unpaused"
    elif change.kind == "gone":
        text = "gone; what it published stays"
    else:
        text = ", ".join(change.keys) or "a file or the platform's part"
    if change.trials is None or change.kind == "gone":
        return text
    return f"{text}; {_cost(change.trials)}"


def _cost(trials: Trials) -> str:
    """How many trials are made, and how long their fits take."""
    counts = f"{_from_to(trials.before, trials.now)} trials{_fits(trials)}"
    before, now = trials.minutes_before, trials.minutes_now
    if before is None and now is None:
        return f"{counts} (minutes unknown)"
    shown = _from_to(*(None if one is None else f"{one:.2g}" for one in (before, now)))
    return f"{counts} (about {shown} minutes of fits)"


def _fits(trials: Trials) -> str:
    """How many fits a trial takes, where it is more than one."""
    fits = (trials.fits_before, trials.fits_now)
    return f" of {_from_to(*fits)} fits" if any(one and one > 1 for one in fits) else ""


def _from_to(before: object, now: object) -> str:
    found = dict.fromkeys(str(one) for one in (before, now) if one is not None)
    return " → ".join(found)


def _affected(change: DagChange) -> str:
    shown = ", ".join(change.affected[:_MOST_AFFECTED])
    more = len(change.affected) - _MOST_AFFECTED
    return f"{shown} and {more} more" if more > 0 else shown


def _summary(plan: Plan) -> str:
    counts: dict[str, int] = {}
    for change in plan.changes:
        counts[change.effect] = counts.get(change.effect, 0) + 1
    teams = sorted({name.partition(".")[0] for one in plan.changes for name in one.affected})
    own = {change.dag_id.partition(".")[0] for change in plan.changes}
    others = [team for team in teams if team not in own]
    text = ", ".join(f"{count} {effect}" for effect, count in counts.items())
    text = f"{len(plan.changes)} DAG{'s' if len(plan.changes) > 1 else ''}: {text}."
    return f"{text} Other teams that it reaches: {', '.join(others)}." if others else text
