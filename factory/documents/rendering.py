"""Documents as text: the dag-factory YAML that is built."""

from collections.abc import Mapping
from typing import Any

import yaml

from factory.documents.document import Document


class _Dumper(yaml.SafeDumper):
    """Writes repeated data out (no anchors) and long texts as blocks."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002
        return True


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    return dumper.represent_scalar(
        "tag:yaml.org,2002:str", value, style="|" if "\n" in value else None
    )


_Dumper.add_representer(str, _text)


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
