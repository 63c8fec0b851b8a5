"""How a person calls this program, so that commands in hints work as they are written."""

import re
import shlex
import shutil
import sys
from pathlib import Path

from factory.cli.main import COMMANDS

_COMMAND = re.compile(rf"(?<![\w./-])factory (?=(?:{'|'.join(COMMANDS)})(?![\w-]))")


def as_called(text: str) -> str:
    """A text whose commands begin with what the shell finds: `.venv/bin/factory` where it does not find `factory`."""
    if _COMMAND.search(text) is None:
        return text
    called = Path(sys.argv[0])
    if called.name != "factory" or _is_found(called):
        return text
    here, whole = Path.cwd(), called.absolute()
    # Behind `cd` a path from here leads nowhere.
    is_near = whole.is_relative_to(here) and "cd " not in text
    program = shlex.quote(str(whole.relative_to(here) if is_near else whole))
    return _COMMAND.sub(lambda _: f"{program} ", text)


def _is_found(called: Path) -> bool:
    found = shutil.which("factory")
    return found is not None and called.exists() and called.samefile(found)
