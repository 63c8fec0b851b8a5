"""What is applied to a cluster for a version of a model, as plain data."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from factory.deploy.targets.kubernetes_fields import (
    ClusterService,
    Manifest,
    PodResources,
    PodScale,
)
from factory.deploy.targets.target import plain_name
from factory.models.record import ModelRecord

MODEL = "factory/model"
"""The annotation with the model's full name: labels are too short for every one."""
VERSION = "factory/version"
"""The label of everything that belongs to a version."""
_PORT = 8080
PORT_NAME = "http"
_USER = 10001
_DRAIN = 10
"""Seconds that a pod goes on answering once it is to end: until all have learned of it."""
_GRACE = 30
"""Seconds for requests that have begun, as `factory serve` grants them."""
APPLIED = "factory/applied"
"""The annotation of a Deployment that holds all manifests of its version: how to come back to it."""


def as_yaml(made: list[Manifest]) -> str:
    """Manifests as `kubectl apply --filename` takes them."""
    import yaml

    return yaml.safe_dump_all(made, sort_keys=False)


def noted(deployment: Manifest, made: list[Manifest]) -> Manifest:
    """The Deployment with an annotation that holds everything that is applied with it."""
    text = json.dumps(made, sort_keys=True, separators=(",", ":"))
    annotations = {**deployment["metadata"]["annotations"], APPLIED: text}
    metadata = {**deployment["metadata"], "annotations": annotations}
    return {**deployment, "metadata": metadata}


@dataclass(frozen=True)
class Manifests:
    """The manifests of a version; the fields are those of a section, and the version's."""

    record: ModelRecord
    reference: str
    """The container image, with its digest."""
    namespace: str
    scale: PodScale
    resources: PodResources
    service: ClusterService
    service_account: str | None
    pull_secrets: Sequence[str]
    node_selector: Mapping[str, str]
    timeout: int

    def made(self) -> list[Manifest]:
        """All of them, in the order in which they are applied."""
        found = [self._service(), self._deployment()]
        if self.scale.max > self.scale.min:
            found.append(self._autoscaler())
        return found

    def _metadata(self, annotations: Mapping[str, str] | None = None) -> Manifest:
        return {
            "name": plain_name(self.record.model),
            "namespace": self.namespace,
            "labels": {**self._selector, **self._labels},
            "annotations": dict(sorted({**(annotations or {}), MODEL: self.record.model}.items())),
        }

    @property
    def _selector(self) -> dict[str, str]:
        """What tells the model's pods from others; Kubernetes lets it never change."""
        return {
            "app.kubernetes.io/name": "factory-serve",
            "app.kubernetes.io/instance": plain_name(self.record.model),
        }

    @property
    def _labels(self) -> dict[str, str]:
        return {
            "app.kubernetes.io/managed-by": "factory",
            "app.kubernetes.io/version": str(self.record.version),
            VERSION: str(self.record.version),
        }

    def _service(self) -> Manifest:
        return {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": self._metadata(self.service.annotations),
            "spec": {
                "type": self.service.type,
                "selector": self._selector,
                "ports": [
                    {
                        "name": PORT_NAME,
                        "port": self.service.port,
                        "protocol": "TCP",
                        "targetPort": PORT_NAME,
                    }
                ],
            },
        }

    def _deployment(self) -> Manifest:
        spec: Manifest = {
            "revisionHistoryLimit": 5,
            "progressDeadlineSeconds": self.timeout,
            "minReadySeconds": 5,
            "selector": {"matchLabels": self._selector},
            # No pod goes before another one is ready in its place.
            "strategy": {
                "type": "RollingUpdate",
                "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0},
            },
            "template": {
                "metadata": {"labels": {**self._selector, **self._labels}},
                "spec": self._pod(),
            },
        }
        if self.scale.max == self.scale.min:
            # Where there is an autoscaler, the number is its own: whoever writes one too fights it.
            spec["replicas"] = self.scale.min
        return {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": self._metadata(),
            "spec": spec,
        }

    def _pod(self) -> Manifest:
        pod: Manifest = {
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": _USER,
                "runAsGroup": _USER,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "terminationGracePeriodSeconds": _DRAIN + _GRACE + 5,
            "topologySpreadConstraints": [
                {
                    "maxSkew": 1,
                    "topologyKey": "kubernetes.io/hostname",
                    "whenUnsatisfiable": "ScheduleAnyway",
                    "labelSelector": {"matchLabels": self._selector},
                }
            ],
            "containers": [self._container()],
            "volumes": [{"name": "tmp", "emptyDir": {"sizeLimit": "256Mi"}}],
        }
        if self.service_account:
            pod["serviceAccountName"] = self.service_account
        if self.pull_secrets:
            pod["imagePullSecrets"] = [{"name": name} for name in self.pull_secrets]
        if self.node_selector:
            pod["nodeSelector"] = dict(sorted(self.node_selector.items()))
        return pod

    def _container(self) -> Manifest:
        limits = {"memory": self.resources.memory}
        if self.resources.cpu_limit:
            limits["cpu"] = self.resources.cpu_limit
        return {
            "name": "serve",
            "image": self.reference,
            "imagePullPolicy": "IfNotPresent",
            "ports": [{"name": PORT_NAME, "containerPort": _PORT, "protocol": "TCP"}],
            "resources": {
                "requests": {"cpu": self.resources.cpu, "memory": self.resources.memory},
                "limits": limits,
            },
            # A model may take minutes to load: until it has, only this one asks.
            "startupProbe": {
                "httpGet": {"path": "/ping", "port": PORT_NAME},
                "periodSeconds": 5,
                "timeoutSeconds": 5,
                "failureThreshold": max(3, self.timeout // 5),
            },
            "readinessProbe": {
                "httpGet": {"path": "/ping", "port": PORT_NAME},
                "periodSeconds": 10,
                "timeoutSeconds": 5,
                "failureThreshold": 3,
            },
            "livenessProbe": {
                "httpGet": {"path": "/healthz/live", "port": PORT_NAME},
                "periodSeconds": 20,
                "timeoutSeconds": 10,
                "failureThreshold": 3,
            },
            "lifecycle": {"preStop": {"exec": {"command": ["sleep", str(_DRAIN)]}}},
            "securityContext": {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            },
            "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],  # noqa: S108 - in the container
        }

    def _autoscaler(self) -> Manifest:
        return {
            "apiVersion": "autoscaling/v2",
            "kind": "HorizontalPodAutoscaler",
            "metadata": self._metadata(),
            "spec": {
                "scaleTargetRef": {
                    "apiVersion": "apps/v1",
                    "kind": "Deployment",
                    "name": plain_name(self.record.model),
                },
                "minReplicas": self.scale.min,
                "maxReplicas": self.scale.max,
                "metrics": [
                    {
                        "type": "Resource",
                        "resource": {
                            "name": "cpu",
                            "target": {
                                "type": "Utilization",
                                "averageUtilization": self.scale.cpu,
                            },
                        },
                    }
                ],
            },
        }
