"""Programs that stand in for docker and the like: they note how they were called."""

import json
import sys
from dataclasses import dataclass
from pathlib import Path

_SCRIPT = """#!{python}
import json, os, pathlib, sys
notes = pathlib.Path({notes!r})
kept = {{k: os.environ[k] for k in ("DOCKER_CONFIG", "REGISTRY_AUTH_FILE", "DOCKER_BUILDKIT") if k in os.environ}}
login = os.environ.get("DOCKER_CONFIG") or os.path.dirname(os.environ.get("REGISTRY_AUTH_FILE", ""))
config = pathlib.Path(login, "config.json") if login else None
seen = config.read_text() if config and config.is_file() else None
mode = oct(config.stat().st_mode & 0o777) if seen else None
with notes.open("a") as file:
    file.write(json.dumps({{"args": sys.argv[1:], "env": kept, "login": seen, "mode": mode}}) + "\\n")
{body}
"""


@dataclass(frozen=True)
class StandIn:
    """One program."""

    notes: Path

    @property
    def calls(self) -> list[dict]:
        """How it was called, in order."""
        lines = self.notes.read_text().splitlines() if self.notes.exists() else []
        return [json.loads(line) for line in lines]

    @property
    def words(self) -> list[str]:
        """The first word of each call."""
        return [call["args"][0] for call in self.calls]


def stand_in(folder: Path, name: str, body: str = "") -> StandIn:
    """Put a program into a folder that is to be on PATH.

    Args:
        folder: Where.
        name: What it is called.
        body: Python that it runs once it has noted its call; `sys.argv` is there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    notes = folder / f"{name}.calls"
    program = folder / name
    program.write_text(_SCRIPT.format(python=sys.executable, notes=str(notes), body=body))
    program.chmod(0o755)
    return StandIn(notes)
