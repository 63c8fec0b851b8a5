"""A target in memory, which fails where it is told to."""

from pathlib import Path

from factory.base.errors import FactoryError
from factory.deploy.protocol import Answer, Built, Deployed, Question, Release

ADDRESS = "memory:1"


class MemoryTarget:
    """Remembers what it runs, and what it was asked to do."""

    def __init__(self, answer: Answer | None = None) -> None:
        self.now: Deployed | None = None
        self.answer = answer or Answer(("light",))
        self.questions: list[Question] = []
        self.restored: list[Deployed | None] = []
        self.broken = False

    def running(self, model: str) -> Deployed | None:
        return self.now

    def build(self, release: Release, folder: Path) -> Built | None:
        return None

    def deploy(self, release: Release, built: Built | None) -> Deployed:
        self.now = Deployed(model=release.model, version=release.version, address=ADDRESS)
        return self.now

    def predict(self, deployed: Deployed, question: Question) -> Answer:
        self.questions.append(question)
        return self.answer

    def restore(self, release: Release, before: Deployed | None) -> None:
        if self.broken:
            raise FactoryError("memory:1 does not go back")
        self.restored.append(before)
        self.now = before
