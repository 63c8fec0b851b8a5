"""How a document's tasks reach a lake in S3."""

from factory.documents import document as parts
from factory.documents.document import Document
from factory.documents.installation import Places

MAKE_BUCKET = "make_bucket"


def with_storage(document: Document, places: Places) -> Document:
    """The document whose tasks know the connection of storage, and make its bucket if asked to.

    Only the connection's id stands in it: each task asks for the credentials when it starts.
    """
    made = dict(document)
    if places.storage_connection is not None:
        made["default_args"] = {
            **document["default_args"],
            "storage_connection": places.storage_connection,
        }
    tasks = document["tasks"]
    if places.create_bucket and parts.OPEN_WORKSPACE in tasks:
        opened = {**tasks[parts.OPEN_WORKSPACE], "dependencies": [MAKE_BUCKET]}
        made["tasks"] = {
            MAKE_BUCKET: {
                "decorator": parts.SETUP,
                "python_callable": "factory.airflow.tasks.workspace.make_bucket",
                "op_kwargs": {"storage": places.storage},
                "dependencies": [],
            },
            **tasks,
            parts.OPEN_WORKSPACE: opened,
        }
    return made
