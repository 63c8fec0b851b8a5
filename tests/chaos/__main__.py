"""`python -m tests.chaos`: so many rounds of random deaths, their times, and what did not hold."""

import argparse
import random
import secrets
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from tests.chaos.rounds import Round, Rounds
from tests.chaos.world import World


def table(rounds: Sequence[Round]) -> str:
    """The seconds to rest, by what was hit."""
    times: dict[str, list[float]] = defaultdict(list)
    for each in rounds:
        times[each.fault.victim].append(each.rest)
    times["all"] = [each.rest for each in rounds]
    lines = ["| what was hit | times | median | p95 | longest |", "|---|--:|--:|--:|--:|"]
    for victim, seconds in sorted(times.items(), key=lambda item: (item[0] == "all", item[0])):
        p95 = sorted(seconds)[max(0, -(-95 * len(seconds) // 100) - 1)]
        numbers = (statistics.median(seconds), p95, max(seconds))
        cells = " | ".join(f"{number:.0f} s" for number in numbers)
        lines.append(f"| {victim} | {len(seconds)} | {cells} |")
    return "\n".join(lines)


def main() -> int:
    """Play; 1 if anything did not hold."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seed", type=int, default=None, help="draws the same faults again")
    parser.add_argument(
        "--minutes", type=float, default=None, help="after these, no further round begins"
    )
    parser.add_argument(
        "--folder", type=Path, default=None, help="kept; a temporary one if left out"
    )
    arguments = parser.parse_args()
    seed = secrets.randbelow(10**6) if arguments.seed is None else arguments.seed
    folder = arguments.folder or Path(tempfile.mkdtemp(prefix="chaos-"))
    print(f"{arguments.rounds} rounds with seed {seed} in {folder}", flush=True)
    world = World(folder, random.Random(f"rows {seed}"))
    rounds: list[Round] = []
    begun = time.monotonic()
    world.change_rows()
    with world.running():
        playing = Rounds(world, seed)
        seconds = playing.rehearse()
        print(f"Without a fault: {seconds:.0f} s, {len(playing.tasks)} tasks", flush=True)
        for number in range(1, arguments.rounds + 1):
            if arguments.minutes and time.monotonic() - begun > 60 * arguments.minutes:
                print(f"{arguments.minutes:g} minutes are over.", flush=True)
                break
            found = playing.play(number)
            rounds.append(found)
            missed = "" if found.strike.aimed else " (it did not come: struck at rest)"
            missed += "" if found.strike.hit else " (nobody was there)"
            print(f"{number}. {found.fault}{missed}: at rest after {found.rest:.0f} s", flush=True)
            for violation in found.violations:
                print(f"   VIOLATION: {violation}", flush=True)
    print(table(rounds))
    broken = sum(bool(each.violations) for each in rounds)
    hit = sum(each.strike.hit for each in rounds)
    print(f"{hit} of {len(rounds)} faults hit somebody.")
    print(f"{len(rounds)} rounds, {broken} with violations. Again: --seed {seed}")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
