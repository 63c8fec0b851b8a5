"""How long a parse of all team files takes, against Airflow's limits."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from factory.base.files import TEMPORARY
from factory.diagnosis.finding import Diagnosis, Examined

_SUBJECT = "parse of dags/"
_PATIENCE = 300.0
_SHARE = 0.5
"""Of the limit, which a parse may take here so that a busy machine stays within it."""


def check_parsing(examined: Examined) -> Iterator[Diagnosis]:
    """Parse all team files as Airflow does, in a process of its own."""
    command = [
        sys.executable,
        "-m",
        "factory.airflow.parse_time",
        str(examined.project / "configs"),
    ]
    with tempfile.TemporaryDirectory(prefix=TEMPORARY) as home:
        environ = {"AIRFLOW_HOME": home, **os.environ, "AIRFLOW__CORE__LOAD_EXAMPLES": "false"}
        try:
            done = subprocess.run(  # noqa: S603 - our own command
                command, env=environ, capture_output=True, text=True, timeout=_PATIENCE, check=False
            )
        except subprocess.TimeoutExpired:
            text = f"took more than {_PATIENCE:.0f} s"
            yield Diagnosis(
                _SUBJECT, "wrong", text, "see docs/benchmarks.md for what it should take"
            )
            return
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["without a word"])[-1]
        yield Diagnosis(_SUBJECT, "wrong", f"failed: {last}", "run `factory validate`")
        return
    found = json.loads(done.stdout.splitlines()[-1])
    yield judged(Parse(len(examined.read.teams), **found))


@dataclass(frozen=True)
class Parse:
    """What a parse of all team files took."""

    teams: int
    dags: int
    seconds: float
    again: float
    """What a second one took, which imports nothing any more."""
    limits: Mapping[str, float]
    """Airflow's settings that end a parse, in seconds; 0 is no limit."""


def judged(parse: Parse) -> Diagnosis:
    """What to say of a parse."""
    text = f"{parse.dags} DAGs of {parse.teams} teams in {parse.seconds:.2f} s"
    limits = {name: limit for name, limit in parse.limits.items() if limit > 0}
    if not limits:
        return Diagnosis(_SUBJECT, "ok", f"{text}; nothing limits it")
    name, limit = min(limits.items(), key=lambda item: item[1])
    text += f"; `{name}` is {limit:g} s"
    if parse.teams:
        once = max(0.0, parse.seconds - parse.again)
        carried = parse.teams * max(0.0, _SHARE * limit - once) / parse.again
        text += f", enough for about {carried:,.0f} such teams on a busy machine"
    advice = f"raise Airflow's `{name}`, or give its DAG processor a faster machine"
    if parse.seconds > limit:
        return Diagnosis(_SUBJECT, "wrong", text, advice)
    if parse.seconds > _SHARE * limit:
        return Diagnosis(_SUBJECT, "warning", text, advice)
    return Diagnosis(_SUBJECT, "ok", text)
