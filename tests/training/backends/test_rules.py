"""Requests that AWS would refuse, refused here before they are sent."""

import re
from pathlib import Path
from typing import Any

import pytest

from factory.base.aws import AwsClients
from factory.training.backends.backend import JobRun, TrainingData, TrainingJob
from factory.training.backends.sagemaker import SageMaker
from factory.training.backends.sagemaker_rules import InvalidRequestError, check_request
from factory.training.search.strategy import Trial
from tests.training.backends.run import SAGEMAKER

TRIAL = Trial(index=0, name="Ridge", estimator="sklearn.linear_model.Ridge", params={"alpha": 1.0})


def request(**section: Any) -> dict[str, Any]:
    job = TrainingJob(
        name="ecology-species-0123456789-0-01234567-1",
        trial=TRIAL,
        data=TrainingData(address="s3://lake/data/_training/run/1", digest="1"),
        labels={"factory:run": "manual__2026-01-01T00:00:00+00:00 <by hand>"},
    )
    backend = SageMaker.model_validate({**SAGEMAKER, **section})
    run = JobRun("run-", "s3://lake/data", Path(), AwsClients(lambda _: None))
    return backend.request(run, job)


def problems(changed: dict[str, Any]) -> str:
    with pytest.raises(InvalidRequestError) as refused:
        check_request(changed)
    return str(refused.value)


EVERYTHING = {
    "spot": {"max_wait": "1200s"},
    "vpc": {"subnets": ["subnet-1"], "security_groups": ["sg-1"]},
    "kms_key": "alias/training",
    "network_isolation": True,
    "tags": {"cost-center": "42"},
}


@pytest.mark.parametrize("section", [{}, EVERYTHING])
def test_request_of_a_team_file_is_one_that_aws_would_take(section):
    made = request(**section)
    check_request(made)
    assert made["Tags"][0]["Value"] == "manual__2026-01-01T00:00:00+00:00 _by hand_"
    assert all(isinstance(value, str) for value in made["HyperParameters"].values())


def test_spot_has_both_time_limits():
    assert request(**EVERYTHING)["StoppingCondition"] == {
        "MaxRuntimeInSeconds": 600,
        "MaxWaitTimeInSeconds": 1200,
    }


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"HyperParameters": {"index": 0}}, "HyperParameters"),
        (
            {"HyperParameters": {"params": "x" * 2501}},
            "2501 characters, and must have at most 2500",
        ),
        ({"HyperParameters": {str(n): "" for n in range(101)}}, "101 entries"),
        ({"TrainingJobName": "a_b"}, "TrainingJobName is 'a_b', and must match"),
        ({"TrainingJobName": "a" * 64}, "64 characters, and must have at most 63"),
        ({"RoleArn": "arn:aws:iam::12:role/training"}, "RoleArn is"),
        ({"EnableManagedSpotTraining": True}, "needs MaxRuntimeInSeconds and MaxWaitTimeInSeconds"),
        (
            {"StoppingCondition": {"MaxRuntimeInSeconds": 60, "MaxWaitTimeInSeconds": 60}},
            "for spot training only",
        ),
        (
            {
                "EnableManagedSpotTraining": True,
                "StoppingCondition": {"MaxRuntimeInSeconds": 60, "MaxWaitTimeInSeconds": 59},
            },
            "MaxWaitTimeInSeconds is 59, and must be at least MaxRuntimeInSeconds (60)",
        ),
        ({"StoppingCondition": {"MaxRuntimeInSeconds": 2419201}}, "(28 days)"),
        ({"Tags": [{"Key": "a", "Value": ""}] * 2}, "Tags has the key 'a' twice"),
        ({"Tags": [{"Key": "aws:a", "Value": ""}]}, "Amazon's own"),
        ({"Tags": [{"Key": "a", "Value": "<>"}]}, "Tags[0].Value is '<>'"),
        ({"OutputDataConfig": {"S3OutputPath": "https://a/b"}}, "must begin with s3://"),
        ({"Colour": "red"}, "Colour"),
    ],
)
def test_request_that_aws_would_refuse_is_refused_with_the_reason(change, said):
    assert said in problems({**request(), **change})


def test_instance_type_that_is_not_known_says_what_may_be_the_matter():
    with pytest.raises(InvalidRequestError, match="update boto3 if it is new"):
        request(instance_type="ml.m5.huge")


def test_patterns_of_the_description_are_understood_by_python():
    import botocore.session

    from factory.base.aws import _in_python

    service = botocore.session.get_session().get_service_model("sagemaker")
    shape = service.operation_model("CreateTrainingJob").input_shape
    patterns = set(_patterns(shape, set()))
    assert len(patterns) > 20
    for pattern in patterns:
        re.compile(_in_python(pattern))


def _patterns(shape: Any, seen: set[str]) -> Any:
    if shape.name in seen:
        return
    seen.add(shape.name)
    if pattern := shape.metadata.get("pattern"):
        yield pattern
    for member in _members(shape):
        yield from _patterns(member, seen)


def _members(shape: Any) -> list[Any]:
    if shape.type_name == "structure":
        return list(shape.members.values())
    if shape.type_name == "map":
        return [shape.key, shape.value]
    return [shape.member] if shape.type_name == "list" else []
