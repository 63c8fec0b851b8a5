"""Functions that test DAGs name by dotted path."""


def choose(*, high: bool) -> str:
    return "up" if high else "down"


def load(day: str, path: str = "") -> str:
    return f"{path}/{day}"


def told(context: object, why: str = "") -> None:
    """A callback."""
