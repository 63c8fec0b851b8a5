import pytest

from tests.training.forecasting.visits import forecaster, table
from tests.training.training import Training


@pytest.fixture(scope="package")
def trained(tmp_path_factory, mlflow_server):
    folder = tmp_path_factory.mktemp("visits")
    training = Training(table(), forecaster(), folder, mlflow_server, plots=True)
    training.plan()
    training.evaluations = [training.evaluate(trial.index) for trial in training.planned.trials]
    training.selection = training.select(training.evaluations)
    training.tested = training.test(training.selection)
    training.registered = training.register(training.selection, training.tested)
    return training
