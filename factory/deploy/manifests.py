"""What a model is in a Kubernetes cluster, as plain data: Deployment, Service, autoscaler.

The same section, version and image make the same manifests, always.
"""

from collections.abc import Mapping
from typing import Any

from factory.deploy.names import plain_name
from factory.deploy.protocol import Release
from factory.deploy.targets.kubernetes_section import KubernetesDeploy

Manifest = dict[str, Any]

MODEL = "factory/model"
"""The annotation with the model's full name: labels are too short for every one."""
VERSION = "factory/version"
"""The label of everything that belongs to a version."""

PORT = 8080
_PORT_NAME = "http"
_USER = 10001
_DRAIN = 10
"""Seconds that a pod goes on answering once it is to end: until all have learned of it."""
_GRACE = 30
"""Seconds for requests that have begun, as `factory serve` grants them."""


def manifests(section: KubernetesDeploy, release: Release, image: str) -> list[Manifest]:
    """Everything that runs a version, in the order in which it is applied.

    Args:
        section: The model's `deploy`.
        release: The version.
        image: Its image, with the digest.
    """
    made = [_service(section, release), _deployment(section, release, image)]
    if section.scale.max > section.scale.min:
        made.append(_autoscaler(section, release))
    return made


def _metadata(
    section: KubernetesDeploy, release: Release, annotations: Mapping[str, str] | None = None
) -> Manifest:
    return {
        "name": plain_name(release.model),
        "namespace": section.namespace,
        "labels": {**_selector(release), **_labels(release)},
        "annotations": dict(sorted({**(annotations or {}), MODEL: release.model}.items())),
    }


def _selector(release: Release) -> dict[str, str]:
    """What tells the model's pods from others; Kubernetes lets it never change."""
    return {
        "app.kubernetes.io/name": "factory-serve",
        "app.kubernetes.io/instance": plain_name(release.model),
    }


def _labels(release: Release) -> dict[str, str]:
    return {
        "app.kubernetes.io/managed-by": "factory",
        "app.kubernetes.io/version": str(release.version),
        VERSION: str(release.version),
    }


def _service(section: KubernetesDeploy, release: Release) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": _metadata(section, release, section.service.annotations),
        "spec": {
            "type": section.service.type,
            "selector": _selector(release),
            "ports": [
                {
                    "name": _PORT_NAME,
                    "port": section.service.port,
                    "protocol": "TCP",
                    "targetPort": _PORT_NAME,
                }
            ],
        },
    }


def _deployment(section: KubernetesDeploy, release: Release, image: str) -> Manifest:
    spec: Manifest = {
        "revisionHistoryLimit": 5,
        "progressDeadlineSeconds": section.timeout,
        "minReadySeconds": 5,
        "selector": {"matchLabels": _selector(release)},
        # No pod goes before another one is ready in its place.
        "strategy": {
            "type": "RollingUpdate",
            "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0},
        },
        "template": {
            "metadata": {"labels": {**_selector(release), **_labels(release)}},
            "spec": _pod(section, release, image),
        },
    }
    if section.scale.max == section.scale.min:
        # Where there is an autoscaler, the number is its own: whoever writes one too fights it.
        spec["replicas"] = section.scale.min
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": _metadata(section, release),
        "spec": spec,
    }


def _pod(section: KubernetesDeploy, release: Release, image: str) -> Manifest:
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
                "labelSelector": {"matchLabels": _selector(release)},
            }
        ],
        "containers": [_container(section, image)],
        "volumes": [{"name": "tmp", "emptyDir": {"sizeLimit": "256Mi"}}],
    }
    if section.service_account:
        pod["serviceAccountName"] = section.service_account
    if section.pull_secrets:
        pod["imagePullSecrets"] = [{"name": name} for name in section.pull_secrets]
    if section.node_selector:
        pod["nodeSelector"] = dict(sorted(section.node_selector.items()))
    return pod


def _container(section: KubernetesDeploy, image: str) -> Manifest:
    limits = {"memory": section.resources.memory}
    if section.resources.cpu_limit:
        limits["cpu"] = section.resources.cpu_limit
    return {
        "name": "serve",
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "ports": [{"name": _PORT_NAME, "containerPort": PORT, "protocol": "TCP"}],
        "resources": {
            "requests": {"cpu": section.resources.cpu, "memory": section.resources.memory},
            "limits": limits,
        },
        # A model may take minutes to load: until it has, only this one asks.
        "startupProbe": {
            "httpGet": {"path": "/ping", "port": _PORT_NAME},
            "periodSeconds": 5,
            "timeoutSeconds": 5,
            "failureThreshold": max(3, section.timeout // 5),
        },
        "readinessProbe": {
            "httpGet": {"path": "/ping", "port": _PORT_NAME},
            "periodSeconds": 10,
            "timeoutSeconds": 5,
            "failureThreshold": 3,
        },
        "livenessProbe": {
            "httpGet": {"path": "/healthz/live", "port": _PORT_NAME},
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


def _autoscaler(section: KubernetesDeploy, release: Release) -> Manifest:
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": _metadata(section, release),
        "spec": {
            "scaleTargetRef": {
                "apiVersion": "apps/v1",
                "kind": "Deployment",
                "name": plain_name(release.model),
            },
            "minReplicas": section.scale.min,
            "maxReplicas": section.scale.max,
            "metrics": [
                {
                    "type": "Resource",
                    "resource": {
                        "name": "cpu",
                        "target": {
                            "type": "Utilization",
                            "averageUtilization": section.scale.cpu,
                        },
                    },
                }
            ],
        },
    }
