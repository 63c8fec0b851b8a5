"""`deploy`: where a model's champion answers, and how one finds out that it does."""

from typing import Annotated

from pydantic import Field

from factory.deploy.common import DeploySection, SmokeTest, check_deploy
from factory.deploy.container_image_section import Image
from factory.deploy.targets.container_section import ContainerDeploy
from factory.deploy.targets.kubernetes_section import KubernetesDeploy
from factory.deploy.targets.process_section import ProcessDeploy
from factory.deploy.targets.sagemaker_section import SageMakerDeploy

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
