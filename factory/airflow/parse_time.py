"""`python -m factory.airflow.parse_time CONFIGS`: how long a parse of all team files takes, and Airflow's limits."""

import itertools
import json
import logging
import sys
import time
from pathlib import Path

from airflow.configuration import conf

from factory.airflow.load import load_all

_PARSES = 4


def main() -> None:
    """Print, as one line of JSON, the seconds of a parse and of a further one, the number of DAGs, and the limits.

    A further parse imports nothing any more: it is what the teams alone cost, the fastest of three.
    """
    logging.disable(logging.CRITICAL)
    times = [time.perf_counter()]
    for _ in range(_PARSES):
        dags = load_all(Path(sys.argv[1]))
        times.append(time.perf_counter())
    first, *others = (end - start for start, end in itertools.pairwise(times))
    limits = {
        "dagbag_import_timeout": conf.getfloat("core", "dagbag_import_timeout"),
        "dag_file_processor_timeout": conf.getfloat("dag_processor", "dag_file_processor_timeout"),
    }
    found = {"seconds": first, "again": min(others), "dags": len(dags), "limits": limits}
    print(json.dumps(found))


if __name__ == "__main__":
    main()
