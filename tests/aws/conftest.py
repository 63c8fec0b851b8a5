"""Fixtures of the tests that need AWS."""

from collections.abc import Iterator

import pytest

from tests.harness.aws.server import AwsServer, running_aws
from tests.harness.aws.training_jobs import TrainingJobs


@pytest.fixture
def aws(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[AwsServer]:
    """A server with an empty bucket `lake`, which the environment leads to."""
    with running_aws(tmp_path_factory.mktemp("aws")) as server:
        for name, value in server.variables().items():
            monkeypatch.setenv(name, value)
        server.reset()
        server.make_bucket()
        yield server


@pytest.fixture
def training(aws: AwsServer) -> TrainingJobs:
    """Its training jobs."""
    (found,) = [service for service in aws.services if isinstance(service, TrainingJobs)]
    return found
