"""Functions that test DAGs name by dotted path."""

from subprocess import check_output

from airflow.providers.standard.operators.bash import BashOperator

IMPORTED = (BashOperator, check_output)
"""What this module has from elsewhere, and no team may name by it."""


def choose(*, high: bool) -> str:
    return "up" if high else "down"


def load(day: str, path: str = "") -> str:
    return f"{path}/{day}"


def told(context: object, why: str = "") -> None:
    """A callback."""
