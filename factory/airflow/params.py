"""What a person may set when triggering a run by hand; documents name these functions."""

from airflow.sdk import Param


def publish_unchanged() -> Param:
    """Whether the asset event is emitted even if the content is the same as before."""
    return Param(
        default=False,
        description="Emit the asset event even if the content is the same as before.",
        type="boolean",
    )


def change_columns() -> Param:
    """Whether columns and types may be others than those of the last snapshot."""
    return Param(
        default=False,
        description="Publish though columns or types are not those of the last snapshot.",
        type="boolean",
    )


def full_refresh() -> Param:
    """Whether all of the source is read, and replaces what is published."""
    return Param(
        default=False,
        description="Read all of the source, and publish it in place of the published rows.",
        type="boolean",
    )


def versions() -> Param:
    """The versions to read, by dataset."""
    return Param(
        None,
        description="Versions to read, such as {'marine.penguins': 3}; the newest when left out.",
        type=["object", "null"],
    )
