"""Documents to DAGs: the only place, with the decorators, that imports dag-factory."""

from collections.abc import Mapping

from airflow.sdk import DAG
from dagfactory.dagbuilder import DagBuilder
from dagfactory.utils import cast_with_type

from factory.documents.dag import Document


def build(dag_id: str, document: Document) -> DAG:
    """The DAG of a document.

    dag-factory's builder is used without its file loader, which would dump the whole document into
    the DAG's documentation and reports errors to the log only. The builder tags every DAG
    `dagfactory`; a listener of its package sends telemetry for DAGs with that tag, so it goes.
    """
    builder = DagBuilder(dag_id, {}, {})
    # Set rather than passed: the builder would copy it deeply, but casting has made new objects of
    # everything already. That copy is 5 % of a full parse.
    builder.dag_config = cast_with_type(document)
    dag = builder.build()["dag"]
    dag.tags.discard("dagfactory")
    return dag


def build_all(documents: Mapping[str, Document]) -> dict[str, DAG]:
    """The DAGs of documents, by id."""
    return {dag_id: build(dag_id, document) for dag_id, document in documents.items()}
