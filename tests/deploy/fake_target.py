"""A target in memory, which fails where it is told to."""

from typing import Literal

from pydantic import PrivateAttr

from factory.base.errors import FactoryError
from factory.deploy.targets.target import (
    Built,
    DeployContext,
    Deployed,
    PredictionAnswer,
    PredictionRequest,
    SmokeTest,
    Target,
)
from factory.models.record import ModelRecord

ADDRESS = "memory:1"


class MemoryTarget(Target):
    """Remembers what it runs, and what it was asked to do."""

    type: Literal["memory"] = "memory"

    _now: Deployed | None = PrivateAttr(None)
    _answer: PredictionAnswer = PrivateAttr(PredictionAnswer(("light",)))
    _questions: list[PredictionRequest] = PrivateAttr(default_factory=list)
    _restored: list[Deployed | None] = PrivateAttr(default_factory=list)
    _broken: bool = PrivateAttr(False)

    @classmethod
    def answering(
        cls, answer: PredictionAnswer, smoke_test: SmokeTest | None = None
    ) -> "MemoryTarget":
        made = cls(smoke_test=smoke_test or SmokeTest())
        made._answer = answer
        return made

    def running(self, context: DeployContext, model: str) -> Deployed | None:
        return self._now

    def deploy(self, context: DeployContext, record: ModelRecord, built: Built | None) -> Deployed:
        self._now = Deployed(model=record.model, version=record.version, address=ADDRESS)
        return self._now

    def predict(
        self, context: DeployContext, deployed: Deployed, question: PredictionRequest
    ) -> PredictionAnswer:
        self._questions.append(question)
        return self._answer

    def restore(self, context: DeployContext, record: ModelRecord, before: Deployed | None) -> None:
        if self._broken:
            raise FactoryError("memory:1 does not go back")
        self._restored.append(before)
        self._now = before
