"""The request for a training job, as SageMaker's API has it."""

import re
from typing import Any

from factory.training.backends.layout import SETTINGS, SPLIT
from factory.training.backends.protocol import Job
from factory.training.backends.sections import SageMaker
from factory.training.backends.settings import hyperparameters

ENTRY_POINT = "factory-train"

_NOT_IN_TAGS = re.compile(r"[^\w\s.:/=+\-@]")
_LONGEST_TAG = 256


def training_request(backend: SageMaker, job: Job, output: str) -> dict[str, Any]:
    """What `CreateTrainingJob` is asked for a job.

    Args:
        backend: The section of the team file.
        job: The job.
        output: The address in S3 below which SageMaker puts `<job>/output/model.tar.gz`.
    """
    return {
        "TrainingJobName": job.name,
        "HyperParameters": hyperparameters(job.trial),
        "AlgorithmSpecification": {
            "TrainingImage": backend.image,
            "TrainingInputMode": "File",
            "ContainerEntrypoint": [ENTRY_POINT],
        },
        "RoleArn": backend.role,
        "InputDataConfig": [
            _channel(name, f"{job.data.address}/{name}/") for name in (SPLIT, SETTINGS)
        ],
        "OutputDataConfig": {
            "S3OutputPath": output,
            **({"KmsKeyId": backend.kms_key} if backend.kms_key else {}),
        },
        "ResourceConfig": {
            "InstanceType": backend.instance_type,
            "InstanceCount": 1,
            "VolumeSizeInGB": backend.volume_gb,
            **({"VolumeKmsKeyId": backend.kms_key} if backend.kms_key else {}),
        },
        "StoppingCondition": {
            "MaxRuntimeInSeconds": backend.max_runtime,
            **({"MaxWaitTimeInSeconds": backend.spot.max_wait} if backend.spot else {}),
        },
        "EnableManagedSpotTraining": backend.spot is not None,
        "EnableNetworkIsolation": backend.network_isolation,
        "Tags": _tags({**job.labels, **backend.tags}),
        **_network(backend),
    }


def _channel(name: str, address: str) -> dict[str, Any]:
    return {
        "ChannelName": name,
        "DataSource": {
            "S3DataSource": {
                "S3DataType": "S3Prefix",
                "S3Uri": address,
                "S3DataDistributionType": "FullyReplicated",
            }
        },
    }


def _network(backend: SageMaker) -> dict[str, Any]:
    if backend.vpc is None:
        return {}
    return {
        "VpcConfig": {
            "Subnets": list(backend.vpc.subnets),
            "SecurityGroupIds": list(backend.vpc.security_groups),
        }
    }


def _tags(labels: dict[str, str]) -> list[dict[str, str]]:
    return [
        {"Key": key, "Value": _NOT_IN_TAGS.sub("_", value)[:_LONGEST_TAG]}
        for key, value in labels.items()
    ]
