"""What every kind of source has in common."""

from factory.base.section import Section


class Source(Section):
    """Where a dataset's rows come from."""

    type: str
