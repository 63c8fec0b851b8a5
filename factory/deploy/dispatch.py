"""Where champions answer: one module a target, behind one small protocol."""

from factory.deploy.access import Places
from factory.deploy.protocol import Answer, Built, Deployed, Question, Release, Target
from factory.deploy.sections import Deploy
from factory.deploy.targets.container_section import ContainerDeploy
from factory.deploy.targets.kubernetes_section import KubernetesDeploy
from factory.deploy.targets.process_section import ProcessDeploy
from factory.models.tracking import Tracking

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
        from factory.deploy.targets.process import ProcessTarget

        return ProcessTarget(section, tracking)
    if isinstance(section, ContainerDeploy):
        from factory.deploy.targets.container import ContainerTarget

        return ContainerTarget(section, tracking, places)
    if isinstance(section, KubernetesDeploy):
        from factory.deploy.targets.kubernetes import KubernetesTarget

        return KubernetesTarget(section, tracking, places)
    from factory.deploy.targets.sagemaker import SageMakerTarget

    return SageMakerTarget(section, tracking, places)
