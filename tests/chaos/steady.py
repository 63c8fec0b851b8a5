"""`python -m tests.chaos.steady --minutes 120`: runs without an end, and what grows meanwhile.

Changed rows come in again and again, and all that follows from them runs. Memory, open files, threads of each component and
the sizes of what is written are sampled after each round. What is larger in the last third of the time than in the second
one, by more than noise, is named; of logs, what is larger than what `factory up` keeps of one.
"""

import argparse
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from factory.runtime.log_files import KEPT, MOST_BYTES
from factory.runtime.processes import members
from tests.chaos.rounds import Rounds
from tests.chaos.world import PARTS, World

_MIB = 1024**2


@dataclass(frozen=True)
class Limit:
    """How much more of something is no growth yet."""

    unit: str
    share: float
    """Of what there was."""
    least: float
    """At least so much more, in the unit."""
    most: float = 0
    """So much there may be in any case."""

    def allows(self, before: float, after: float) -> bool:
        """Whether the difference is noise."""
        return after <= self.most or after - before <= max(self.share * before, self.least)


LIMITS = {
    "memory": Limit("MiB", 0.10, 20),
    "open files": Limit("", 0.10, 5),
    # Serving has two pools of two threads each, which begin when two questions, or two new versions, come at once.
    "threads": Limit("", 0.10, 4),
    "logs": Limit("MiB", 0, 0, most=(KEPT + 1) * MOST_BYTES / _MIB + 1),
}

Sample = Mapping[tuple[str, str], float]
"""By what is measured and where: `("memory", "scheduler")`, `("logs", "events.jsonl")` …"""


def sample(world: World) -> Sample:
    """What there is now."""
    found: dict[tuple[str, str], float] = {}
    for name in PARTS:
        processes = members(world.home.folder, component=name)
        found["memory", name] = sum(map(_memory, processes)) / _MIB
        found["open files", name] = sum(map(_files, processes))
        found["threads", name] = sum(map(_threads, processes))
    for path in (*world.home.logs.glob("*.log"), world.home.lineage):
        found["logs", path.name] = (
            sum(each.stat().st_size for each in path.parent.glob(f"{path.name}*")) / _MIB
        )
    return found


def growth(samples: Sequence[Sample]) -> list[tuple[str, str, float, float]]:
    """What, where, and its medians in the second and in the last third of the samples."""
    third = len(samples) // 3
    middle, last = samples[third : 2 * third], samples[2 * third :]
    return [
        (
            *key,
            statistics.median(each[key] for each in middle),
            statistics.median(each[key] for each in last),
        )
        for key in sorted(set.intersection(*map(set, (*middle, *last))))
    ]


def _memory(process: psutil.Process) -> float:
    """What is its own, and its part of what it shares."""
    with suppress(psutil.Error):
        return float(process.memory_full_info().pss)
    return 0.0


def _files(process: psutil.Process) -> int:
    with suppress(psutil.Error):
        return int(process.num_fds())
    return 0


def _threads(process: psutil.Process) -> int:
    with suppress(psutil.Error):
        return int(process.num_threads())
    return 0


def main() -> int:
    """Run; 1 if something grows."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.steady", description=__doc__)
    parser.add_argument("--minutes", type=float, default=120)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path, default=None, help="a temporary one if left out")
    arguments = parser.parse_args()
    folder = arguments.folder or Path(tempfile.mkdtemp(prefix="steady-"))
    world = World(folder, random.Random(arguments.seed))
    world.change_rows()
    samples: list[Sample] = []
    end = time.monotonic() + 60 * arguments.minutes
    with world.running():
        rounds = Rounds(world, arguments.seed)
        rounds.rehearse()
        while time.monotonic() < end or len(samples) < 6:
            violations = rounds.undisturbed(len(samples) + 1)
            if violations:
                print("\n".join(violations))
                return 1
            samples.append(sample(world))
            total = sum(value for (what, _), value in samples[-1].items() if what == "memory")
            print(f"{len(samples)} rounds, {total:.0f} MiB", flush=True)
    grown = 0
    print("| what | where | before | after | |\n|---|---|--:|--:|---|")
    for what, where, before, after in growth(samples):
        limit = LIMITS[what]
        flat = limit.allows(before, after)
        grown += not flat
        verdict = "" if flat else "GROWS"
        print(
            f"| {what} | {where} | {before:.1f} {limit.unit} | {after:.1f} {limit.unit} | {verdict} |"
        )
    print(f"{len(samples)} rounds in {arguments.minutes:g} minutes, {grown} things grow")
    return 1 if grown else 0


if __name__ == "__main__":
    sys.exit(main())
