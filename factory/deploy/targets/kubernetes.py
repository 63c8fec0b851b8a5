"""`deploy: {type: kubernetes}`: a Deployment that rolls from version to version, its Service, its autoscaler."""

import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field
from pydantic_core import PydanticCustomError

from factory.base.errors import FactoryError, TerminalError
from factory.base.rules import Broken, rule
from factory.base.section import ListOf, Text
from factory.deploy.container_image import ContainerImage
from factory.deploy.targets.kubernetes_fields import (
    ClusterService,
    EksCluster,
    KubernetesName,
    Manifest,
    PodResources,
    PodScale,
)
from factory.deploy.targets.target import (
    Answer,
    Built,
    ClusterAccess,
    DeployContext,
    Deployed,
    Question,
    Target,
    plain_name,
)
from factory.models.record import ModelRecord

if TYPE_CHECKING:
    from factory.deploy.targets.cluster import Cluster

log = logging.getLogger(__name__)


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

APPLIED = "factory/applied"
"""The annotation of a Deployment that holds all manifests of its version: how to come back to it."""

KINDS = ("Service", "Deployment", "HorizontalPodAutoscaler")
_PATIENCE = 60.0
"""Seconds beyond the cluster's own deadline, for a cluster that does not tell."""


class KubernetesTarget(Target):
    """A Deployment that rolls from version to version without a failed request.

    Names are the model's, with dashes. Without `connection` and `eks`, the cluster is the one that
    the worker runs in, or that of its kubeconfig.
    """

    type: Literal["kubernetes"]
    image: ContainerImage
    """The container image that is built of each version."""
    namespace: KubernetesName = "default"
    """The cluster's namespace, which must be there."""
    connection: Text | None = None
    """An Airflow connection of type `kubernetes`."""
    eks: EksCluster | None = None
    """A cluster of Amazon's, in place of `connection`."""
    scale: PodScale = PodScale()
    """How many pods answer."""
    resources: PodResources = PodResources()
    """How much of a machine each pod is given."""
    service: ClusterService = ClusterService()
    """How the pods are reached."""
    service_account: KubernetesName | None = None
    """The pods' service account; the namespace's `default` when left out."""
    pull_secrets: ListOf[KubernetesName] = ()
    """Secrets of the cluster that let it fetch the container image."""
    node_selector: dict[Text, Text] = Field(default_factory=dict, examples=[{"disktype": "ssd"}])
    """Labels that a node must have to run the pods."""

    @rule
    def _consistent(self) -> Broken:
        if self.connection is not None and self.eks is not None:
            yield PydanticCustomError(
                "cluster",
                "write either `connection` or `eks`: each names the cluster",
                {"at": ("connection",)},
            )
        if not self.image.push:
            yield PydanticCustomError(
                "push",
                "the cluster's machines fetch the image: take `push: false` out",
                {"at": ("image", "push")},
            )

    @property
    def cluster_access(self) -> ClusterAccess:
        """Which cluster it is."""
        return ClusterAccess(
            namespace=self.namespace,
            connection=self.connection,
            eks=self.eks.cluster if self.eks else None,
            eks_connection=self.eks.connection if self.eks else None,
            eks_region=self.eks.region if self.eks else None,
        )

    def manifests(self, record: ModelRecord, reference: str) -> list[Manifest]:
        """Everything that runs a version, as plain data in the order in which it is applied.

        The same section, version and container image make the same manifests, always.

        Args:
            record: The version.
            reference: Its container image, with the digest.
        """
        made = [_service(self, record), _deployment(self, record, reference)]
        if self.scale.max > self.scale.min:
            made.append(_autoscaler(self, record))
        return made

    def running(self, context: DeployContext, model: str) -> Deployed | None:
        """The version that the model's Deployment is made for.

        Raises:
            TerminalError: There is a Deployment of this name that is not the model's.
            ClusterError: The cluster cannot be asked.
        """
        with self._cluster(context) as cluster:
            return self._running(cluster, model)

    def make(self, context: DeployContext, record: ModelRecord, folder: Path) -> Built | None:
        """Build the container image that holds the version, and push it; the log shows the manifests.

        Raises:
            TerminalError: A program, a package or a permission is missing.
            FactoryError: The model cannot be fetched, or the builder or the registry failed.
        """
        from factory.deploy.builders import make_container_image_with_model

        built = make_container_image_with_model(self.image, record, folder, context)
        made = self.manifests(record, built.reference)
        log.info("what is going to be applied:\n%s", as_yaml(made))
        return built

    def deploy(self, context: DeployContext, record: ModelRecord, built: Built | None) -> Deployed:
        """Apply the version's manifests and watch until all its pods are ready.

        When they do not become ready, the version before is applied again at once.

        Raises:
            RolloutError: They did not become ready: says why, and what runs now.
            ClusterError: The cluster could not be asked; a ClusterRefusedError if it never can.
        """
        from factory.deploy.targets.cluster import RolloutError

        if built is None:
            raise TerminalError(
                f"there is no container image of {record.model}: its build left none"
            )
        with self._cluster(context) as cluster:
            before = self._running(cluster, record.model)
            made = self.manifests(record, built.reference)
            try:
                self._apply(cluster, made)
            except RolloutError as error:
                raise RolloutError(f"{error} {self._back(cluster, record, before)}") from None
            return self._deployed(record.model, record.version, made)

    def predict(self, context: DeployContext, deployed: Deployed, question: Question) -> Answer:
        """Ask the model's Service, through the cluster's API server.

        Raises:
            NoAnswerError: It does not answer, or is in trouble.
            TerminalError: It refuses the question.
        """
        from factory.deploy.http import INVOCATIONS

        with self._cluster(context) as cluster:
            return cluster.ask(plain_name(deployed.model), _PORT_NAME, INVOCATIONS, question)

    def restore(self, context: DeployContext, record: ModelRecord, before: Deployed | None) -> None:
        """Apply the version before again and watch until it is ready, or remove what was begun.

        Raises:
            FactoryError: It did not become ready, or the cluster could not be asked.
        """
        with self._cluster(context) as cluster:
            if before is None:
                self._running(cluster, record.model)  # whose it is
                for kind in reversed(KINDS):
                    cluster.remove(kind, plain_name(record.model))
                return
            try:
                self._apply(cluster, _applied(before))
            except FactoryError as error:
                raise type(error)(
                    f"version {before.version} of {before.model} ran until now and did not come back: "
                    f"{error} Look: kubectl --namespace {self.namespace} describe deployment "
                    f"{plain_name(before.model)}"
                ) from error

    def _apply(self, cluster: "Cluster", made: list[Manifest]) -> None:
        name = made[0]["metadata"]["name"]
        for manifest in made:
            cluster.apply(_noted(manifest, made) if manifest["kind"] == "Deployment" else manifest)
        for kind in KINDS:
            if kind not in {manifest["kind"] for manifest in made}:
                cluster.remove(kind, name)
        cluster.await_rollout(name, seconds=self.timeout + _PATIENCE)

    def _back(self, cluster: "Cluster", record: ModelRecord, before: Deployed | None) -> str:
        """Come back to the version before; what runs now, as a sentence."""
        if before is None or before.version == record.version:
            return "There is no version before it here to come back to."
        try:
            self._apply(cluster, _applied(before))
        except FactoryError as error:
            return f"Version {before.version}, which ran before, did not come back either: {error}"
        return f"Version {before.version}, which ran before, runs again."

    def _running(self, cluster: "Cluster", model: str) -> Deployed | None:
        name = plain_name(model)
        found = cluster.find("Deployment", name)
        if found is None:
            return None
        notes = found["metadata"].get("annotations") or {}
        noted = notes.get(APPLIED)
        if notes.get(MODEL) != model or not noted:
            raise TerminalError(
                f"the namespace {cluster.namespace} has a Deployment {name} that is not the factory's "
                f"for {model}: remove it, or write another `namespace`"
            )
        version = int(found["metadata"]["labels"][VERSION])
        return self._deployed(model, version, json.loads(noted))

    def _deployed(self, model: str, version: int, made: list[Manifest]) -> Deployed:
        service = f"{plain_name(model)}.{self.namespace}.svc:{self.service.port}"
        return Deployed(
            model=model,
            version=version,
            address=f"http://{service}",
            details={"manifests": made},
        )

    @contextmanager
    def _cluster(self, context: DeployContext) -> Iterator["Cluster"]:
        from factory.deploy.targets.cluster import Cluster

        with context.cluster(self.cluster_access) as api:
            yield Cluster(api, self.namespace)


def as_yaml(made: list[Manifest]) -> str:
    """Manifests as `kubectl apply --filename` takes them."""
    import yaml

    return yaml.safe_dump_all(made, sort_keys=False)


def _noted(deployment: Manifest, made: list[Manifest]) -> Manifest:
    """The Deployment with an annotation that holds everything that is applied with it."""
    text = json.dumps(made, sort_keys=True, separators=(",", ":"))
    annotations = {**deployment["metadata"]["annotations"], APPLIED: text}
    metadata = {**deployment["metadata"], "annotations": annotations}
    return {**deployment, "metadata": metadata}


def _applied(deployed: Deployed) -> list[Manifest]:
    return [dict(manifest) for manifest in deployed.details["manifests"]]


def _metadata(
    section: KubernetesTarget, record: ModelRecord, annotations: Mapping[str, str] | None = None
) -> Manifest:
    return {
        "name": plain_name(record.model),
        "namespace": section.namespace,
        "labels": {**_selector(record), **_labels(record)},
        "annotations": dict(sorted({**(annotations or {}), MODEL: record.model}.items())),
    }


def _selector(record: ModelRecord) -> dict[str, str]:
    """What tells the model's pods from others; Kubernetes lets it never change."""
    return {
        "app.kubernetes.io/name": "factory-serve",
        "app.kubernetes.io/instance": plain_name(record.model),
    }


def _labels(record: ModelRecord) -> dict[str, str]:
    return {
        "app.kubernetes.io/managed-by": "factory",
        "app.kubernetes.io/version": str(record.version),
        VERSION: str(record.version),
    }


def _service(section: KubernetesTarget, record: ModelRecord) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": _metadata(section, record, section.service.annotations),
        "spec": {
            "type": section.service.type,
            "selector": _selector(record),
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


def _deployment(section: KubernetesTarget, record: ModelRecord, reference: str) -> Manifest:
    spec: Manifest = {
        "revisionHistoryLimit": 5,
        "progressDeadlineSeconds": section.timeout,
        "minReadySeconds": 5,
        "selector": {"matchLabels": _selector(record)},
        # No pod goes before another one is ready in its place.
        "strategy": {
            "type": "RollingUpdate",
            "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0},
        },
        "template": {
            "metadata": {"labels": {**_selector(record), **_labels(record)}},
            "spec": _pod(section, record, reference),
        },
    }
    if section.scale.max == section.scale.min:
        # Where there is an autoscaler, the number is its own: whoever writes one too fights it.
        spec["replicas"] = section.scale.min
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": _metadata(section, record),
        "spec": spec,
    }


def _pod(section: KubernetesTarget, record: ModelRecord, reference: str) -> Manifest:
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
                "labelSelector": {"matchLabels": _selector(record)},
            }
        ],
        "containers": [_container(section, reference)],
        "volumes": [{"name": "tmp", "emptyDir": {"sizeLimit": "256Mi"}}],
    }
    if section.service_account:
        pod["serviceAccountName"] = section.service_account
    if section.pull_secrets:
        pod["imagePullSecrets"] = [{"name": name} for name in section.pull_secrets]
    if section.node_selector:
        pod["nodeSelector"] = dict(sorted(section.node_selector.items()))
    return pod


def _container(section: KubernetesTarget, reference: str) -> Manifest:
    limits = {"memory": section.resources.memory}
    if section.resources.cpu_limit:
        limits["cpu"] = section.resources.cpu_limit
    return {
        "name": "serve",
        "image": reference,
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


def _autoscaler(section: KubernetesTarget, record: ModelRecord) -> Manifest:
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": _metadata(section, record),
        "spec": {
            "scaleTargetRef": {
                "apiVersion": "apps/v1",
                "kind": "Deployment",
                "name": plain_name(record.model),
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
