"""An MLflow run's note: what a person reads first, in sections that are written one at a time."""

import re

from mlflow.utils.mlflow_tags import MLFLOW_RUN_NOTE

from factory.models.tracking import Tracking

_HEADING = re.compile(r"^## ", re.MULTILINE)
# MLflow's limit for a tag is 8,000 characters.
_LONGEST = 7_500


def write_note(tracking: Tracking, run_id: str, heading: str, text: str) -> None:
    """Put a section into a run's note, in place of what stood under the same heading.

    Args:
        tracking: The MLflow server.
        run_id: MLflow's id of the run.
        heading: What the section is about, on one line.
        text: Markdown.

    Raises:
        TrackingError: The MLflow server does not answer.
    """
    with tracking.asked() as client:
        note = client.get_run(run_id).data.tags.get(MLFLOW_RUN_NOTE, "")
        client.set_tag(run_id, MLFLOW_RUN_NOTE, with_section(note, heading, text)[:_LONGEST])


def with_section(note: str, heading: str, text: str) -> str:
    """A note with this section, at the place of the earlier one of that heading or at the end."""
    first, *sections = _HEADING.split(note)
    named = {section.partition("\n")[0].strip(): section.strip() for section in sections}
    named[heading] = f"{heading}\n\n{text.strip()}"
    parts = [first.strip(), *(f"## {section}" for section in named.values())]
    return "\n\n".join(part for part in parts if part) + "\n"
