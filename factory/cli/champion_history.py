"""`factory champion --history` and `--at`: which version was in production when."""

import json
from typing import TYPE_CHECKING

import typer
from rich.text import Text

from factory.base.texts import shown
from factory.cli.console import console

if TYPE_CHECKING:
    from factory.models.champion_history import ChampionHistory, HistoryEntry, Live
    from factory.models.tracking import Tracking

_LONGEST = 4000
_COLOURS = {"promotion": "green", "rollback": "cyan", "refusal": "yellow", "by hand": "red"}


def show_history(name: str, at: str | None, tracking: "Tracking", *, as_json: bool) -> None:
    """Print what was done about the version in production, or which one was there at a time.

    Args:
        name: The full name, `team.model`.
        at: The time as a person writes it; None for all that was done.
        tracking: The MLflow server.
        as_json: Whether it is for programs.

    Raises:
        TerminalError: `at` is no date.
    """
    from factory.base.dates import parse_time
    from factory.models.champion_history import champion_history

    span = None if at is None else parse_time(at)
    history = champion_history(name, tracking=tracking)
    found = history.live() if span is None else history.live_within(*span)
    if as_json:
        live = [one.as_json() for one in found]
        typer.echo(
            json.dumps({**history.as_json(), "live": live} if span is None else live, indent=2)
        )
        return
    if span is None:
        for entry in history.entries:
            console.print(_entry(entry), highlight=False)
        _say_champion(history)
    else:
        for one in found:
            console.print(_span(one, history), highlight=False)
    _say_what_is_unknown(history)


def _entry(entry: "HistoryEntry") -> Text:
    if entry.kind == "by hand":
        to = "no version" if entry.version is None else f"version {entry.version}"
        told = f"to {to} some time before this: {entry.why}"
    else:
        who = f" by {entry.by}" if entry.by else ""
        told = f"of version {entry.version}{who}: {entry.why}"
    when = f"{entry.at:%Y-%m-%d %H:%M} "
    return Text.assemble(when, (entry.kind, _COLOURS[entry.kind]), " ", shown(told, _LONGEST))


def _say_champion(history: "ChampionHistory") -> None:
    now = f"version {history.champion} is" if history.champion else "no version is"
    console.print(f"\nNow {now} in production. All times are UTC.", highlight=False)


def _span(one: "Live", history: "ChampionHistory") -> Text:
    what = "no version" if one.version is None else f"version {one.version}"
    since = f" from {one.since:%Y-%m-%d %H:%M:%S}" if one.since else ""
    until = f" until {one.until:%Y-%m-%d %H:%M:%S}" if one.until else " until now"
    doubt = ""
    if not one.is_certain:
        moved = any(entry.kind == "by hand" and entry.at == one.until for entry in history.entries)
        doubt = (
            " at the latest: its alias was moved in MLflow by hand in this time"
            if moved
            else ", as far as the tags of versions tell"
        )
    return Text.assemble((what, "bold"), f"{since}{until} (UTC){doubt}")


def _say_what_is_unknown(history: "ChampionHistory") -> None:
    if history.is_complete:
        return
    since = (
        f"Every change since {history.known_since:%Y-%m-%d %H:%M} UTC is written down"
        if history.known_since
        else "No change of the champion is written down yet"
    )
    console.print(
        f"[dim]{since}; of what was before, the tags of versions tell the last promotion of each.[/]",
        highlight=False,
    )
