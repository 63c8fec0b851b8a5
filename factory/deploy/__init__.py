"""Where champions answer: one module a target, behind one small protocol."""

from factory.config.deploy import (
    ContainerDeploy,
    Deploy,
    KubernetesDeploy,
    ProcessDeploy,
)
from factory.deploy.places import Places
from factory.deploy.protocol import Answer, Built, Deployed, Question, Release, Target
from factory.tracking import Tracking

__all__ = [
    "Answer",
    "Built",
    "Deployed",
    "Places",
    "Question",
    "Release",
    "Target",
    "target_for",
]


def target_for(section: Deploy, tracking: Tracking, places: Places | None = None) -> Target:
    """The target of a model's section `deploy`.

    Args:
        section: The section.
        tracking: The MLflow server whose registry holds the model.
        places: How connections of Airflow are reached; the environment alone when left out.

    Raises:
        TerminalError: What the target needs is not installed, or not set.
    """
    places = places or Places()
    if isinstance(section, ProcessDeploy):
        from factory.deploy.process import ProcessTarget

        return ProcessTarget(section, tracking)
    if isinstance(section, ContainerDeploy):
        from factory.deploy.container import ContainerTarget

        return ContainerTarget(section, tracking, places)
    if isinstance(section, KubernetesDeploy):
        from factory.deploy.kubernetes import KubernetesTarget

        return KubernetesTarget(section, tracking, places)
    from factory.deploy.sagemaker import SageMakerTarget

    return SageMakerTarget(section, tracking, places)
