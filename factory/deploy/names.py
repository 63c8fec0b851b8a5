"""What a model's things are called where names are short and have no dots."""

from factory.base.digests import sha256

_LONGEST = 50
"""Kubernetes and SageMaker take 63 characters, and Kubernetes adds some of its own to pods' names."""


def plain_name(model: str) -> str:
    """The model's name with dashes, cut where it is long.

    Two models may come to the same name (`a_b.c` and `a.b_c`): whoever uses it notes the full one
    beside it, and looks before it changes anything.

    Args:
        model: The full name, `team.model`.
    """
    name = model.replace(".", "-").replace("_", "-").strip("-")
    if len(name) <= _LONGEST:
        return name
    return f"{name[: _LONGEST - 9].rstrip('-')}-{sha256(model)[:8]}"
