"""What a section of Kubernetes is made of: names and amounts as a cluster takes them."""

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from factory.base.rules import Broken, rule
from factory.base.section import Section, Text

_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_CPU = re.compile(r"(\d+)m|(\d+(?:\.\d{1,3})?)")
_MEMORY = re.compile(r"(\d+)(Ki|Mi|Gi|Ti|k|M|G|T)")
_UNITS = {
    "k": 10**3,
    "M": 10**6,
    "G": 10**9,
    "T": 10**12,
    "Ki": 2**10,
    "Mi": 2**20,
    "Gi": 2**30,
    "Ti": 2**40,
}


def _check_label(value: str) -> str:
    if not _LABEL.fullmatch(value):
        raise PydanticCustomError(
            "kubernetes_name",
            "{value} is no name in Kubernetes: lower-case letters, digits and dashes, at most 63, "
            "with a letter or digit at both ends",
            {"value": repr(value), "suggestion": _as_label(value)},
        )
    return value


def _as_label(value: str) -> str:
    name = re.sub(r"[^a-z0-9-]+", "-", value.lower()).strip("-")[:63].rstrip("-")
    return name if _LABEL.fullmatch(name) else ""


def _check_cpu(value: str) -> str:
    if not _CPU.fullmatch(value) or not _cores(value):
        raise PydanticCustomError(
            "cpu",
            '{value} is no amount of processors: write thousandths such as 500m, or "2" in quotes',
            {"value": repr(value)},
        )
    return value


def _check_memory(value: str) -> str:
    if not _MEMORY.fullmatch(value) or not _bytes(value):
        raise PydanticCustomError(
            "memory",
            "{value} is no amount of memory: write a whole number and Ki, Mi or Gi, such as 512Mi",
            {"value": repr(value)},
        )
    return value


def _cores(value: str) -> float:
    return int(value[:-1]) / 1000 if value.endswith("m") else float(value)


def _bytes(value: str) -> int:
    match = _MEMORY.fullmatch(value)
    return int(match[1]) * _UNITS[match[2]] if match else 0


Manifest = dict[str, Any]
"""An object of a cluster, as its API has it."""
KubernetesName = Annotated[Text, AfterValidator(_check_label)]
Cpu = Annotated[Text, AfterValidator(_check_cpu)]
Memory = Annotated[Text, AfterValidator(_check_memory)]


class EksCluster(Section):
    """A cluster of Amazon's: its address and the login come through AWS."""

    cluster: Text
    """The cluster's name in EKS."""
    connection: Text | None = None
    """The Airflow connection of type `aws`; the machine's own role when left out."""
    region: Text | None = None
    """Where the cluster is; the connection's region when left out."""


class PodScale(Section):
    """How many there are: as many as the load needs, by a HorizontalPodAutoscaler."""

    min: int = Field(default=2, ge=1)
    """The least number of pods."""
    max: int = Field(default=4, ge=1)
    """The greatest number of pods; the same as `min` for a fixed number, without an autoscaler."""
    cpu: int = Field(default=70, ge=1, le=100)
    """Percent of the requested processors that they are to use on average."""

    @rule
    def _ordered(self) -> Broken:
        if self.max < self.min:
            yield PydanticCustomError(
                "scale",
                "`max` {max} is below `min` {min}: write at least {min}, which then is a fixed number",
                {"min": self.min, "max": self.max, "at": ("max",)},
            )


class PodResources(Section):
    """What each pod is given: requested for it, and, for memory, also its limit."""

    cpu: Cpu = "500m"
    """The processors that a pod is sure of: `500m` is half of one."""
    memory: Memory = "1Gi"
    """The memory that a pod is sure of, and the most that it may use."""
    cpu_limit: Cpu | None = None
    """The most processors that it may use; all that is idle when left out."""

    @rule
    def _ordered(self) -> Broken:
        if self.cpu_limit is not None and _cores(self.cpu_limit) < _cores(self.cpu):
            yield PydanticCustomError(
                "cpu",
                "`cpu_limit` {limit} is below `cpu` {cpu}, which is requested",
                {"limit": self.cpu_limit, "cpu": self.cpu, "at": ("cpu_limit",)},
            )


class ClusterService(Section):
    """How the cluster's others reach it."""

    type: Literal["ClusterIP", "NodePort", "LoadBalancer"] = "ClusterIP"
    """Who may reach it: what is in the cluster (`ClusterIP`), also through a port of each node (`NodePort`), or
    through the cloud's load balancer (`LoadBalancer`)."""
    port: int = Field(default=80, ge=1, le=65535)
    """The port at which the Service answers."""
    annotations: dict[Text, Text] = Field(default_factory=dict)
    """Annotations of the Service, such as those that a cloud's load balancer reads."""
