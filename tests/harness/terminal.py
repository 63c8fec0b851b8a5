"""What a terminal shows of commands, as a moving picture."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

PROMPT = "\x1b[32m$\x1b[0m "
COLUMNS, LINES = 82, 44
_LONGEST = 5.0
"""Seconds that a command takes at most in the picture: one that takes longer is shown faster."""
_TYPED, _READ, _LAST = 1.0, 4.0, 8.0
"""Seconds that a command stands there before it runs, its output after that, and the end of all."""


def recorded(commands: Sequence[str], folder: Path, picture: Path) -> str:
    """Run commands in a terminal, one after the other, and keep what it shows.

    Args:
        commands: As a person types them.
        folder: Where they run.
        picture: The SVG to write, which moves by itself.

    Returns:
        All that was shown.
    """
    from termtosvg.anim import render_animation
    from termtosvg.asciicast import AsciiCastV2Event, AsciiCastV2Header
    from termtosvg.config import default_templates
    from termtosvg.term import timed_frames

    events: list[Any] = [AsciiCastV2Header(version=2, width=COLUMNS, height=LINES, theme=None)]
    shown, now = "", 0.0

    def show(text: str, seconds: float) -> None:
        nonlocal shown, now
        events.append(AsciiCastV2Event(now, "o", text, None))
        shown, now = shown + text, now + seconds

    for command in commands:
        show(f"{PROMPT}{command}", _TYPED)
        show("\r\n", 0.0)
        output = list(_output(command, folder))
        faster = min(1.0, _LONGEST / (sum(seconds for _, seconds in output) or 1.0))
        for text, seconds in output:
            show(text, faster * seconds)
        show("\r\n", _READ)
    geometry, frames = timed_frames(events, 200, None, int(1000 * _LAST))
    template = default_templates()["window_frame"]
    render_animation(frames, geometry, str(picture), template)
    return shown


def _output(command: str, folder: Path) -> Iterator[tuple[str, float]]:
    """What a command writes into a terminal, and how long it stands there alone.

    Raises:
        RuntimeError: The command failed.
    """
    from termtosvg.asciicast import AsciiCastV2Event
    from termtosvg.term import record

    # Nobody types anything, and nobody sees the terminal itself.
    listening, speaking = os.pipe()
    sink = os.open(os.devnull, os.O_WRONLY)
    failed = "command failed"
    line = ["bash", "-c", f"cd '{folder}' && {{ {command}; }} || printf '{failed}'"]
    text, begun = "", 0.0
    try:
        for event in record(line, COLUMNS, LINES, listening, sink):
            if isinstance(event, AsciiCastV2Event):
                if text:
                    yield text, event.time - begun
                text, begun = event.event_data, event.time
    finally:
        for descriptor in (listening, speaking, sink):
            os.close(descriptor)
    yield text, 0.0
    if text.endswith(failed):
        raise RuntimeError(f"{command}: {failed}")
