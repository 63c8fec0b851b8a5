"""`deploy: {type: sagemaker}`: a real-time endpoint of Amazon SageMaker."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self

from pydantic import Field
from pydantic_core import PydanticCustomError

from factory.base.aws import calling, code_of, message_of, request_problems
from factory.base.aws_section import InstanceType, RoleArn, S3Address, Tags, Vpc
from factory.base.errors import FactoryError, TerminalError
from factory.base.rules import Broken, rule
from factory.base.section import Seconds, Text
from factory.deploy.container_image import ContainerImage, ContainerImageReference
from factory.deploy.targets.sagemaker_endpoint import MODEL, VERSION, Endpoint, Request, name_of
from factory.deploy.targets.sagemaker_rollout import EndpointRollout
from factory.deploy.targets.target import (
    Built,
    DeployContext,
    Deployed,
    PredictionAnswer,
    PredictionRequest,
    Target,
    plain_name,
)
from factory.lake.storage.address import is_s3
from factory.models.record import ModelRecord

if TYPE_CHECKING:
    from factory.lake.storage.files import Files

FOLDER = "_deployments"
"""The folder of the storage that archives of models lie in."""
VARIANT = "champion"

_VERSION_TAG = "factory:version"
_MOST_SECONDS = 28_800
_LEAST_SECONDS = 600


class SageMakerTarget(Target):
    """An endpoint, named as the model with dashes; callers ask it by `InvokeEndpoint`."""

    type: Literal["sagemaker"]
    role: RoleArn = Field(examples=["arn:aws:iam::123456789012:role/serving"])
    """What the endpoint may do: fetch the image and read the model."""
    image: ContainerImageReference | None = None
    """A serving container image in Amazon's registry, made earlier; or else `build`."""
    build: ContainerImage | None = None
    """How to make the serving container image; the model is not in it, but in an archive beside it."""
    instance_type: InstanceType = Field(examples=["ml.m5.large"])
    """What kind of instance the endpoint runs on."""
    instances: int = Field(default=1, ge=1, le=100)
    """How many instances answer."""
    rollout: EndpointRollout = EndpointRollout.unwritten()
    """How requests move from the earlier version to the new one; all together when left out."""
    storage: S3Address | None = None
    """Where archives of models lie; the lake's storage when left out."""
    connection: Text | None = None
    """The Airflow connection of type `aws`; storage's credentials when left out."""
    region: Text | None = None
    """Where the endpoint is; the connection's region when left out."""
    tags: Tags
    """Tags of what is created at Amazon, beside the factory's own."""
    vpc: Vpc | None = None
    """The network that the model's containers are in; SageMaker's own when left out."""
    network_isolation: bool = False
    """Whether the container is kept from every network."""
    kms_key: Text | None = None
    """The key that the instances' disks are encrypted with."""
    keep: int = Field(default=2, ge=1, le=50)
    """How many earlier versions stay ready to come back to."""
    timeout: Seconds = 1800

    @rule
    def _one_image(self) -> Broken:
        if (self.image is None) == (self.build is None):
            yield PydanticCustomError(
                "serving_image",
                "a serving image is needed: write `image` for one that there is, or `build`"
                if self.image is None
                else "write either `image` or `build`: each names the serving image",
                {"at": () if self.image is None else ("build",)},
            )
        if self.build is not None and not self.build.push:
            yield PydanticCustomError(
                "push",
                "SageMaker fetches the image: take `push: false` out",
                {"at": ("build", "push")},
            )

    def with_lake(self, storage: str) -> Self:
        """See `Target.with_lake`: archives of models lie in the lake's storage, where that is in S3."""
        if self.storage is None and is_s3(storage):
            return self.model_copy(update={"storage": storage})
        return self

    def running(self, context: DeployContext, model: str) -> Deployed | None:
        """The version that the endpoint's configuration is of.

        Raises:
            TerminalError: The endpoint is not the factory's.
            AwsError: SageMaker cannot be asked.
        """
        endpoint = self._endpoint(context, model)
        found = endpoint.find()
        if found is None or found["EndpointStatus"] == "Failed":
            return None
        return endpoint.version_of(found["EndpointConfigName"])

    def make(self, context: DeployContext, record: ModelRecord, folder: Path) -> Built | None:
        """Pack the version's files and bring them to S3; build the container image where that is wanted.

        Raises:
            TerminalError: Something is missing, or may not be used.
            FactoryError: The model, S3 or the registry of container images cannot be had.
        """
        from factory.deploy.builders import make_container_image
        from factory.deploy.model_folder import fill_model_folder, pack

        archives = self._archives()
        model_folder = folder / "model"
        fill_model_folder(record, model_folder, context.tracking)
        archive = folder / "model.tar.gz"
        sha256 = pack(model_folder, archive)
        name = f"{FOLDER}/{record.model}/{record.version}-{sha256[:12]}/model.tar.gz"
        # The name follows from the content: what is there is what would be put there.
        if not archives.exists(name):
            archives.upload(archive, name)
        if self.build is None:
            image = str(self.image)
        else:
            image = make_container_image(
                self.build, record, folder / "image", context, model_folder=None
            ).reference
        # Nothing is created yet: what SageMaker would refuse is found before anything is changed.
        model = self.model_request(record, image=image, archive=archives.uri(name))
        self.config_request(record, model["ModelName"])
        return Built(reference=archives.uri(name), facts={"sha256": sha256, "image": image})

    def deploy(self, context: DeployContext, record: ModelRecord, built: Built | None) -> Deployed:
        """Bring the endpoint to the version, blue/green, and wait until it is in service.

        Raises:
            EndpointError: SageMaker went back, or the endpoint could not be made: says why.
            AwsError: SageMaker cannot be asked; an AwsRefusedError if it will not do it.
        """
        if built is None:
            raise TerminalError(f"there is no archive of {record.model}: its build left none")
        model = self.model_request(record, image=built.facts["image"], archive=built.reference)
        config = self.config_request(record, model["ModelName"])
        name = config["EndpointConfigName"]
        endpoint = self._endpoint(context, record.model)
        endpoint.create("model", model["ModelName"], model)
        endpoint.create("endpoint_config", name, config)
        endpoint.clean_up(name, keep=self.keep, archives=self._archives(), folder=FOLDER)
        self._come_to(endpoint, record, name)
        return endpoint.version_of(name)

    def predict(
        self, context: DeployContext, deployed: Deployed, question: PredictionRequest
    ) -> PredictionAnswer:
        """Ask the endpoint as its callers do: `InvokeEndpoint`.

        Raises:
            NoAnswerError: The model's container is in trouble.
            TerminalError: It refuses the question.
            AwsError: The endpoint does not answer.
        """
        from botocore.exceptions import ClientError

        from factory.deploy.http import answer_of, read_answer

        endpoint = deployed.details["endpoint"]
        runtime = context.aws.get(
            "sagemaker-runtime", connection=self.connection, region=self.region
        )
        with calling(f"ask the endpoint {endpoint}"):
            try:
                found = runtime.invoke_endpoint(
                    EndpointName=endpoint,
                    ContentType=question.content_type,
                    Accept="application/json",
                    Body=question.body,
                )
            except ClientError as error:
                if code_of(error) != "ModelError":
                    raise
                status = int(error.response.get("OriginalStatusCode", 500))
                said = str(error.response.get("OriginalMessage", message_of(error)))
                return answer_of(status, said.encode(), f"the endpoint {endpoint}")
            content = found["Body"].read()
        return read_answer(content, f"the endpoint {endpoint}")

    def restore(self, context: DeployContext, record: ModelRecord, before: Deployed | None) -> None:
        """Bring the endpoint back to the configuration before, or delete what was begun.

        Raises:
            FactoryError: It did not come back: says what a person must do.
        """
        endpoint = self._endpoint(context, record.model)
        if before is None:
            found = endpoint.find()
            if found is None:
                return
            if found["EndpointStatus"] != "Failed":
                endpoint.version_of(found["EndpointConfigName"])  # whose it is
            endpoint.delete()
            return
        try:
            self._come_to(endpoint, record, str(before.details["config"]))
        except FactoryError as error:
            raise type(error)(
                f"version {before.version} of {before.model} was at the endpoint until now and did not "
                f"come back: {error} Look at the endpoint {before.details['endpoint']} in SageMaker's "
                f"console, and update it to the configuration {before.details['config']}"
            ) from error

    def model_request(self, record: ModelRecord, *, image: str, archive: str) -> Request:
        """The parameters of `CreateModel`.

        Args:
            record: The version.
            image: The serving container image.
            archive: The address of the version's `model.tar.gz`.

        Raises:
            TerminalError: SageMaker would refuse them.
        """
        request: Request = {
            "ExecutionRoleArn": self.role,
            "PrimaryContainer": {
                "Image": image,
                "ModelDataUrl": archive,
                "Environment": {MODEL: record.model, VERSION: str(record.version)},
            },
            "EnableNetworkIsolation": self.network_isolation,
            "Tags": self._tags(record),
        }
        if self.vpc is not None:
            request["VpcConfig"] = self.vpc.as_request()
        name = name_of(record.model, record.version, request)
        return _checked("CreateModel", {"ModelName": name, **request})

    def config_request(self, record: ModelRecord, model: str) -> Request:
        """The parameters of `CreateEndpointConfig`.

        Args:
            record: The version.
            model: The name of the version's model at SageMaker.

        Raises:
            TerminalError: SageMaker would refuse them.
        """
        request: Request = {
            "ProductionVariants": [
                {
                    "VariantName": VARIANT,
                    "ModelName": model,
                    "InitialInstanceCount": self.instances,
                    "InstanceType": self.instance_type,
                    "InitialVariantWeight": 1.0,
                    "ContainerStartupHealthCheckTimeoutInSeconds": min(3600, max(60, self.timeout)),
                }
            ],
            "Tags": self._tags(record),
        }
        if self.kms_key is not None:
            request["KmsKeyId"] = self.kms_key
        name = name_of(record.model, record.version, request)
        return _checked("CreateEndpointConfig", {"EndpointConfigName": name, **request})

    def create_request(self, record: ModelRecord, config: str) -> Request:
        """The parameters of `CreateEndpoint`."""
        request = {
            "EndpointName": plain_name(record.model),
            "EndpointConfigName": config,
            "Tags": [tag for tag in self._tags(record) if tag["Key"] != _VERSION_TAG],
        }
        return _checked("CreateEndpoint", request)

    def update_request(self, model: str, config: str) -> Request:
        """The parameters of `UpdateEndpoint`: blue/green, back by itself when the new one is not well.

        Args:
            model: The full name, `team.model`.
            config: The configuration to come to.

        Raises:
            TerminalError: SageMaker would refuse them.
        """
        rollout = self.rollout
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
                    _MOST_SECONDS, max(_LEAST_SECONDS, self.timeout)
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
                "EndpointName": plain_name(model),
                "EndpointConfigName": config,
                "DeploymentConfig": deployment,
            },
        )

    def _come_to(self, endpoint: Endpoint, record: ModelRecord, config: str) -> None:
        create = self.create_request(record, config)
        endpoint.come_to(config, create=create, update=self.update_request(record.model, config))

    def _endpoint(self, context: DeployContext, model: str) -> Endpoint:
        client = context.aws.get("sagemaker", connection=self.connection, region=self.region)
        return Endpoint(model, client, self._patience)

    @property
    def _patience(self) -> float:
        rollout = self.rollout
        steps = -(-100 // rollout.percent) if rollout.percent else 1
        steps = min(steps, 2) if rollout.strategy == "canary" else steps
        return float(self.timeout + rollout.wait * (steps + 1))

    def _archives(self) -> "Files":
        from factory.lake.storage.files import Files

        if self.storage is None or not is_s3(self.storage):
            raise TerminalError(
                "SageMaker reads models from S3: write `storage: s3://bucket/prefix` under `deploy`, or "
                "set that of configs/_defaults.yaml to one"
            )
        return Files.at(self.storage)

    def _tags(self, record: ModelRecord) -> list[dict[str, str]]:
        own = {"factory:model": record.model, _VERSION_TAG: str(record.version)}
        tags = {**self.tags, **own}
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
