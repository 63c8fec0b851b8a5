"""How a document's tasks reach a lake in S3."""

from factory.documents import document as parts
from factory.documents.document import Document
from factory.documents.installation import Places

MAKE_BUCKET = "make_bucket"


def with_storage(document: Document, places: Places) -> Document:
    """The document whose runs make the bucket of storage if asked to."""
    made = dict(document)
    tasks = document["tasks"]
    if places.create_bucket and parts.OPEN_WORKSPACE in tasks:
        opened = {**tasks[parts.OPEN_WORKSPACE], "dependencies": [MAKE_BUCKET]}
        made["tasks"] = {
            MAKE_BUCKET: parts.decorated(parts.SETUP, "workspace.make_bucket"),
            **tasks,
            parts.OPEN_WORKSPACE: opened,
        }
    return made
