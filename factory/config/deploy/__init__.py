"""`deploy`: where a model's champion answers, and how one finds out that it does."""

from typing import Annotated

from pydantic import Field

from factory.config.deploy.common import DeploySection, SmokeTest, check_deploy
from factory.config.deploy.container import ContainerDeploy
from factory.config.deploy.image import Image
from factory.config.deploy.kubernetes import KubernetesDeploy
from factory.config.deploy.process import ProcessDeploy
from factory.config.deploy.sagemaker import SageMakerDeploy

__all__ = [
    "ContainerDeploy",
    "Deploy",
    "DeploySection",
    "Image",
    "KubernetesDeploy",
    "ProcessDeploy",
    "SageMakerDeploy",
    "SmokeTest",
    "check_deploy",
]

Deploy = Annotated[
    ProcessDeploy | ContainerDeploy | KubernetesDeploy | SageMakerDeploy,
    Field(discriminator="type"),
]
"""The sections of all targets, told apart by `type`."""
