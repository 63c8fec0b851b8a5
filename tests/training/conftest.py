"""What the tests of sweeps share."""

import pytest

from factory.training import trial_batch


@pytest.fixture
def fits(monkeypatch):
    """The trials that are trained, in their order."""
    trained: list[str] = []
    fit = trial_batch.fit

    def counted(trial, *arguments):
        trained.append(trial.name)
        return fit(trial, *arguments)

    monkeypatch.setattr(trial_batch, "fit", counted)
    return trained
