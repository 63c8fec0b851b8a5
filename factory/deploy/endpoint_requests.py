"""What SageMaker is asked for: a model, an endpoint's configuration, the way to it.

Pure functions of the section, the version and where its image and archive lie. Names end with a digest of
what they name, so that what is there already is known by its name, and nothing is made twice.
"""

from typing import Any

from factory.base.aws import request_problems
from factory.base.digests import sha256, sha256_of_json
from factory.base.errors import TerminalError
from factory.deploy.names import plain_name
from factory.deploy.protocol import Release
from factory.deploy.targets.sagemaker_section import SageMakerDeploy

Request = dict[str, Any]

VARIANT = "champion"
MODEL = "FACTORY_MODEL"
VERSION = "FACTORY_VERSION"
"""Variables of the container by which a model tells what it is."""

_MOST_SECONDS = 28_800
_LEAST_SECONDS = 600


def model_request(
    section: SageMakerDeploy, release: Release, *, image: str, archive: str
) -> Request:
    """The parameters of `CreateModel`.

    Args:
        section: The model's `deploy`.
        release: The version.
        image: The serving image.
        archive: The address of the version's `model.tar.gz`.

    Raises:
        TerminalError: SageMaker would refuse them.
    """
    request: Request = {
        "ExecutionRoleArn": section.role,
        "PrimaryContainer": {
            "Image": image,
            "ModelDataUrl": archive,
            "Environment": {MODEL: release.model, VERSION: str(release.version)},
        },
        "EnableNetworkIsolation": section.network_isolation,
        "Tags": _tags(section, release),
    }
    if section.vpc is not None:
        request["VpcConfig"] = section.vpc.as_request()
    return _checked("CreateModel", {"ModelName": _name(release, request), **request})


def config_request(section: SageMakerDeploy, release: Release, model: str) -> Request:
    """The parameters of `CreateEndpointConfig`.

    Args:
        section: The model's `deploy`.
        release: The version.
        model: The name of the version's model at SageMaker.

    Raises:
        TerminalError: SageMaker would refuse them.
    """
    request: Request = {
        "ProductionVariants": [
            {
                "VariantName": VARIANT,
                "ModelName": model,
                "InitialInstanceCount": section.instances,
                "InstanceType": section.instance_type,
                "InitialVariantWeight": 1.0,
                "ContainerStartupHealthCheckTimeoutInSeconds": min(3600, max(60, section.timeout)),
            }
        ],
        "Tags": _tags(section, release),
    }
    if section.kms_key is not None:
        request["KmsKeyId"] = section.kms_key
    name = _name(release, request)
    return _checked("CreateEndpointConfig", {"EndpointConfigName": name, **request})


def create_request(section: SageMakerDeploy, release: Release, config: str) -> Request:
    """The parameters of `CreateEndpoint`."""
    request = {
        "EndpointName": endpoint_name(release.model),
        "EndpointConfigName": config,
        "Tags": [tag for tag in _tags(section, release) if tag["Key"] != _VERSION_TAG],
    }
    return _checked("CreateEndpoint", request)


def update_request(section: SageMakerDeploy, model: str, config: str) -> Request:
    """The parameters of `UpdateEndpoint`: blue/green, back by itself when the new one is not well.

    Args:
        section: The model's `deploy`.
        model: The full name, `team.model`.
        config: The configuration to come to.

    Raises:
        TerminalError: SageMaker would refuse them.
    """
    rollout = section.rollout
    routing: Request = {
        "Type": rollout.strategy.upper(),
        "WaitIntervalInSeconds": rollout.wait,
    }
    size = {"Type": "CAPACITY_PERCENT", "Value": rollout.percent}
    if rollout.strategy == "canary":
        routing["CanarySize"] = size
    if rollout.strategy == "linear":
        routing["LinearStepSize"] = size
    deployment: Request = {
        "BlueGreenUpdatePolicy": {
            "TrafficRoutingConfiguration": routing,
            "TerminationWaitInSeconds": rollout.wait,
            "MaximumExecutionTimeoutInSeconds": min(
                _MOST_SECONDS, max(_LEAST_SECONDS, section.timeout)
            ),
        }
    }
    if rollout.alarms:
        deployment["AutoRollbackConfiguration"] = {
            "Alarms": [{"AlarmName": name} for name in rollout.alarms]
        }
    return _checked(
        "UpdateEndpoint",
        {
            "EndpointName": endpoint_name(model),
            "EndpointConfigName": config,
            "DeploymentConfig": deployment,
        },
    )


def endpoint_name(model: str) -> str:
    """The name of a model's endpoint: the model's, with dashes."""
    return plain_name(model)


def prefix_of(model: str) -> str:
    """What the names of all that belongs to a model's versions begin with, and those of no other."""
    return f"{plain_name(model)[:34].strip('-')}-{sha256(model)[:6]}-v"


def _name(release: Release, request: Request) -> str:
    return f"{prefix_of(release.model)}{release.version}-{sha256_of_json(request)[:10]}"


_VERSION_TAG = "factory:version"


def _tags(section: SageMakerDeploy, release: Release) -> list[dict[str, str]]:
    own = {"factory:model": release.model, _VERSION_TAG: str(release.version)}
    tags = {**section.tags, **own}
    return [{"Key": key, "Value": tags[key]} for key in sorted(tags)]


def _checked(operation: str, request: Request) -> Request:
    """The request, if SageMaker would take it as far as one can know without asking.

    Raises:
        TerminalError: With everything that is wrong with it.
    """
    problems = [*request_problems("sagemaker", operation, request), *_by_the_documentation(request)]
    if problems:
        raise TerminalError(f"SageMaker would refuse this {operation}: " + "; ".join(problems))
    return request


def _by_the_documentation(request: Request) -> list[str]:
    """Amazon's rules that stand in no description."""
    problems = []
    container = request.get("PrimaryContainer")
    if container and ".dkr.ecr" not in container["Image"] and ".dkr-ecr" not in container["Image"]:
        problems.append(
            f"PrimaryContainer.Image is {container['Image']!r}, and endpoints take images of Amazon's "
            "registry: <account>.dkr.ecr.<region>.amazonaws.com/name"
        )
    if container and not container["ModelDataUrl"].endswith(".tar.gz"):
        problems.append("PrimaryContainer.ModelDataUrl must end with .tar.gz")
    return problems
