"""What teams publish: their datasets, and the predictions of their models."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from factory.base.findings import KeyPath
from factory.data.dataset import Dataset
from factory.models.predict import Predict
from factory.team.reader import TeamFile


@dataclass(frozen=True)
class Published:
    """A dataset and the team that publishes it: one of `datasets`, or a model's predictions."""

    team: TeamFile
    name: str
    section: Dataset | Predict
    path: KeyPath
    """Where the section is written."""
    columns: Sequence[str] | None
    """Its columns, where they are declared or follow from the section."""

    @property
    def share_with(self) -> Sequence[str] | Literal["*"]:
        """The teams that may read it."""
        return self.section.share_with

    def is_shared_with(self, team: str) -> bool:
        """Whether a team may read it: its own team always, others when it says so."""
        return team == self.team.name or self.share_with == "*" or team in self.share_with


def published(team: TeamFile) -> Iterator[Published]:
    """Everything that a team publishes, in the order of its file; names may repeat."""
    for name, dataset in team.team.datasets.items():
        yield Published(team, name, dataset, ("datasets", name), dataset.known_columns)
    for name, model in team.team.models.items():
        if model.predict is not None:
            output = model.predict.output_of(name)
            path = ("models", name, "predict")
            columns = None if model.predict.has_columns_of_the_model else model.prediction_columns
            yield Published(team, output, model.predict, path, columns)
