"""`deploy: {type: kubernetes}`: a Deployment that rolls from version to version, its Service, its autoscaler."""

import json
import logging
from collections.abc import Iterator
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
from factory.deploy.targets.kubernetes_manifests import (
    APPLIED,
    MODEL,
    PORT_NAME,
    VERSION,
    Manifests,
    as_yaml,
    noted,
)
from factory.deploy.targets.target import (
    Built,
    ClusterAccess,
    DeployContext,
    Deployed,
    PredictionAnswer,
    PredictionRequest,
    Target,
    plain_name,
)
from factory.models.record import ModelRecord

if TYPE_CHECKING:
    from factory.deploy.targets.cluster import Cluster

log = logging.getLogger(__name__)


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
    scale: PodScale = PodScale.unwritten()
    """How many pods answer."""
    resources: PodResources = PodResources.unwritten()
    """How much of a machine each pod is given."""
    service: ClusterService = ClusterService.unwritten()
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
        return Manifests(
            record,
            reference,
            namespace=self.namespace,
            scale=self.scale,
            resources=self.resources,
            service=self.service,
            service_account=self.service_account,
            pull_secrets=self.pull_secrets,
            node_selector=self.node_selector,
            timeout=self.timeout,
        ).made()

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

    def predict(
        self, context: DeployContext, deployed: Deployed, question: PredictionRequest
    ) -> PredictionAnswer:
        """Ask the model's Service, through the cluster's API server.

        Raises:
            NoAnswerError: It does not answer, or is in trouble.
            TerminalError: It refuses the question.
        """
        from factory.deploy.http import INVOCATIONS

        with self._cluster(context) as cluster:
            return cluster.ask(plain_name(deployed.model), PORT_NAME, INVOCATIONS, question)

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
            cluster.apply(noted(manifest, made) if manifest["kind"] == "Deployment" else manifest)
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


def _applied(deployed: Deployed) -> list[Manifest]:
    return [dict(manifest) for manifest in deployed.details["manifests"]]
