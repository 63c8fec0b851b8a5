"""What a DAG is built from: its document, in dag-factory's format."""

from collections.abc import Mapping
from dataclasses import dataclass

from factory.documents.compile import compile_one, compile_platform
from factory.documents.installation import Installation
from factory.documents.rendering import to_yaml
from factory.page.visit import NotThereError, Visit


@dataclass(frozen=True)
class DocumentPage:
    """What the page of a DAG's document shows."""

    dag_id: str
    text: str
    """As `factory render` prints it."""


def document_page(visit: Visit, asked: Mapping[str, str]) -> DocumentPage:
    """See `DocumentPage`.

    Raises:
        NotThereError: No team file makes such a DAG, or this person may not see it.
    """
    dag_id = asked["dag_id"]
    project = visit.project()
    installation = Installation.of(project.platform, visit.configs.parent)
    file = project.catalog.teams.get(dag_id.partition(".")[0])
    if file is None:
        document = compile_platform(project.platform, installation).get(dag_id)
    else:
        document = compile_one(file.team, dag_id, installation)
    if document is None or not visit.may(dag_id, "read"):
        raise NotThereError(f"no team file makes a DAG {dag_id!r} that you may see")
    return DocumentPage(dag_id, to_yaml({dag_id: document}))
