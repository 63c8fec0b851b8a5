"""Documents as text: the dag-factory YAML that is built."""

from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from factory.documents.dag import Document

_SHORT = 60
"""Characters of a list that stands on one line."""


class _Dumper(yaml.SafeDumper):
    """Writes repeated data out (no anchors) and long texts as blocks."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002
        return True


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    return dumper.represent_scalar(
        "tag:yaml.org,2002:str", value, style="|" if "\n" in value else None
    )


def _list(dumper: yaml.SafeDumper, values: Sequence[Any]) -> yaml.SequenceNode:
    """A list of a few short values on one line, as people write it."""
    short = all(
        isinstance(value, (str, int, float, type(None))) and "\n" not in str(value)
        for value in values
    )
    fits = short and sum(len(str(value)) + 2 for value in values) <= _SHORT
    return dumper.represent_sequence("tag:yaml.org,2002:seq", values, flow_style=fits)


_Dumper.add_representer(str, _text)
_Dumper.add_representer(list, _list)


def to_yaml(documents: Mapping[str, Document]) -> str:
    """Documents as one dag-factory YAML file; the same documents give the same bytes."""
    return yaml.dump(
        dict(documents),
        Dumper=_Dumper,
        sort_keys=False,
        allow_unicode=True,
        width=100,
        default_flow_style=False,
    )
