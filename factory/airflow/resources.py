"""What templates know of a run's resources."""

from collections.abc import Mapping
from typing import Any

from jinja2 import pass_context

from factory.base.errors import TerminalError
from factory.documents.resources import setup_of


@pass_context
def resource(context: Mapping[str, Any], name: str) -> Any:
    """What a resource's `create` has returned, for templates.

    They say `{{ resource('staging').table }}`.

    Args:
        context: The template's; Jinja hands it in.
        name: The resource's.

    Raises:
        TerminalError: There is no such resource in this run, or it is not created yet.
    """
    created = context["ti"].xcom_pull(task_ids=setup_of(name))
    if created is None:
        raise TerminalError(
            f"resource {name!r}: it is not declared, not created yet, or returned nothing"
        )
    return created
