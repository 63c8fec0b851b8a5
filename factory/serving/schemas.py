"""What the service tells about itself and its models."""

from datetime import datetime

from pydantic import BaseModel, Field

from factory.serving.contract import Row
from factory.serving.served_models import ServedModel


class Refused(BaseModel):
    """A version in production that this service does not answer with."""

    version: int
    reason: str
    at: datetime
    attempts: int
    final: bool = Field(description="Whether it will not be tried again by itself.")


class Summary(BaseModel):
    """One model of the service."""

    model: str = Field(examples=["marine.species"])
    version: int | None = Field(description="The version that answers; null for none.")
    champion: int | None = Field(
        description="The version in production when the registry was last asked; null for none."
    )
    entities: int | None = Field(
        default=None,
        description="How many entities have a model of their own; `version` is that of the fallback then. Left out "
        "where one model answers for all rows.",
    )
    refused: Refused | None = Field(
        default=None, description="The version in production, where it could not be loaded."
    )

    @classmethod
    def of(cls, model: ServedModel) -> "Summary":
        """The summary of a model."""
        refusal = model.refusal
        return cls(
            model=model.name,
            version=model.served.version.number if model.served else None,
            champion=model.champion,
            entities=len(model.by_entity) if model.entities else None,
            refused=Refused(
                version=refusal.version,
                reason=refusal.reason,
                at=refusal.at,
                attempts=refusal.attempts,
                final=refusal.again is None,
            )
            if refusal
            else None,
        )


class Listing(BaseModel):
    """All models of the service."""

    models: list[Summary]


class FeatureDetails(BaseModel):
    """One feature of a model."""

    name: str
    type: str = Field(description="MLflow's word for it.", examples=["double", "string"])
    nullable: bool = Field(description="Whether it may be null, as it was in training.")


class Signature(BaseModel):
    """What a model takes and gives."""

    inputs: list[FeatureDetails]
    outputs: list[str]


class Details(Summary):
    """One model, and all that is known of the version that answers."""

    signature: Signature | None = None
    metrics: dict[str, float | None] = Field(
        default={}, description="As registered: `validation_…` and `test_…`."
    )
    snapshots: dict[str, int] = Field(
        default={}, description="The versions of the datasets that it was trained on."
    )
    config_hash: str | None = None
    registered_at: datetime | None = None
    promoted_at: datetime | None = None
    example: list[Row] = Field(default=[], description="Rows that it takes.")
    entity_column: str | None = Field(
        default=None, description="The column by which a row's model is picked."
    )
    versions_by_entity: dict[str, int] = Field(
        default={}, description="The version in production of each entity's own model."
    )

    @classmethod
    def of(cls, model: ServedModel) -> "Details":
        """The details of a model."""
        summary = Summary.of(model).model_dump()
        if model.entities is not None:
            summary |= {
                "entity_column": model.entities.column,
                "versions_by_entity": {
                    entity: number for entity, (_, number) in sorted(model.by_entity.items())
                },
            }
        if model.served is None:
            return cls(**summary)
        version, contract = model.served.version, model.served.contract
        record = version.record
        inputs = [
            FeatureDetails(name=each.name, type=each.type, nullable=each.nullable)
            for each in contract.features
        ]
        return cls(
            **summary,
            signature=Signature(inputs=inputs, outputs=list(contract.outputs)),
            metrics=record.metrics,
            snapshots=record.snapshots,
            config_hash=record.config_hash or None,
            registered_at=record.registered_at,
            promoted_at=_when(version.tags.get("promoted_at")),
            example=contract.example,
        )


class Health(BaseModel):
    """How the service is."""

    live: bool
    ready: bool = Field(
        description="Whether a model answers, and each version in production has been tried."
    )
    registry: str = Field(
        description="Whether the model registry answers. The service goes on without it.",
        examples=["answers", "does not answer", "not asked yet", "not used"],
    )
    waiting_for: list[str] = Field(description="Models whose version is being loaded.")


class Problem(BaseModel):
    """What is wrong with a request, or with the service."""

    detail: str


def _when(text: str | None) -> datetime | None:
    try:
        return datetime.fromisoformat(text) if text else None
    except ValueError:  # Somebody else's tag.
        return None
