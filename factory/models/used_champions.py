"""Which versions answer for the rows of entities. Services use it too, whose image has none of what reads rows."""

from factory.base.values import Result
from factory.models.entity_models import EntityChampions


class UsedChampions(Result):
    """The versions that one run of predictions uses, whatever is promoted meanwhile."""

    by_entity: dict[str, tuple[str, int]]
    """The registered model and its version, by entity."""
    fallback: tuple[str, int] | None

    @classmethod
    def of(cls, champions: EntityChampions) -> "UsedChampions":
        """Those in production."""
        return cls(by_entity=dict(champions.by_entity), fallback=champions.fallback)

    @property
    def versions(self) -> dict[str, int]:
        """The version of each registered model."""
        return dict([*self.by_entity.values(), *([self.fallback] if self.fallback else [])])

    def of_entity(self, entity: str | None) -> tuple[str, int] | None:
        """The version that answers for a row; None where nothing does."""
        found = None if entity is None else self.by_entity.get(entity)
        return found or self.fallback
