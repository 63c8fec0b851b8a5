"""How far a Deployment is with its newest pods, told from its status as `kubectl rollout` does."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True)
class Progress:
    """Where a rollout is."""

    state: Literal["waiting", "done", "failed"]
    words: str


def progress_of(deployment: Mapping[str, Any]) -> Progress:
    """How far a Deployment is.

    Args:
        deployment: The object as the API gives it.
    """
    spec, status = deployment["spec"], deployment.get("status") or {}
    if status.get("observedGeneration", 0) < deployment["metadata"].get("generation", 0):
        return Progress("waiting", "the cluster has not seen the change yet")
    for condition in status.get("conditions") or ():
        if (
            condition["type"] == "Progressing"
            and condition.get("reason") == "ProgressDeadlineExceeded"
        ):
            return Progress("failed", "the new pods did not become ready in time")
    wanted = spec.get("replicas", 1)
    there, updated = status.get("replicas", 0), status.get("updatedReplicas", 0)
    available = status.get("availableReplicas", 0)
    if updated < wanted:
        return Progress("waiting", f"{updated} of {wanted} pods are new")
    if there > updated:
        return Progress("waiting", f"{there - updated} earlier pods are still to end")
    if available < updated:
        return Progress("waiting", f"{available} of {updated} new pods are ready")
    return Progress("done", f"{available} pods are ready")
